"""The display: what is drawn, with which units."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from sktsgan.datasets import make_heartbeats
from sktsgan.plotting import SignalDisplay


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_what_is_drawn(beats):
    X, y = beats
    display = SignalDisplay.from_arrays(X, y, X[::2], y[::2], fs=90, start=-0.3, n_traces=5)
    assert display.axes_.shape == (3, 2)
    for ax in display.axes_.flat:
        assert len(ax.lines) == 6  # five traces and the median
        assert len(ax.collections) == 1
    assert display.axes_[0, 0].get_ylabel() == "amplitude (mV)"
    assert display.axes_[-1, 1].get_xlabel() == "time (s)"
    assert display.axes_[0, 1].get_title() == "class F, synthetic"
    median = display.axes_[1, 0].lines[-1]
    np.testing.assert_allclose(median.get_xdata()[:2], [-0.3, -0.3 + 1 / 90])
    np.testing.assert_allclose(median.get_ydata(), np.median(X[y == "N"], axis=0))
    assert len(display.figure_.legends) == 1


def test_from_estimator_on_a_given_figure(trained, beats):
    figure = plt.figure()
    display = SignalDisplay.from_estimator(trained, *beats, fs=90, figure=figure)
    assert display.figure_ is figure
    assert plt.get_fignums() == [figure.number]


def test_several_leads_and_an_empty_class():
    X, y = make_heartbeats(40, classes=("N", "V"), weights=[1, 1], n_channels=2, random_state=0)
    display = SignalDisplay.from_arrays(X, y, X[y == "N"], y[y == "N"])
    assert display.axes_.shape == (4, 2)
    assert display.axes_[1, 0].get_title() == "class N, lead 2, real"
    assert display.axes_[3, 1].texts[0].get_text() == "none"
    flat = SignalDisplay.from_arrays(X.reshape(40, -1), y, X, y, n_channels=2)
    assert flat.axes_.shape == (4, 2)


def test_bad_shapes(beats):
    X, y = beats
    with pytest.raises(ValueError, match="same number of channels and timepoints"):
        SignalDisplay.from_arrays(X, y, X[:, 1:], y)
