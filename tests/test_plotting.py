"""The displays: what is drawn, with which units, where, and how it looks."""

import io
import re
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from imblearn.pipeline import Pipeline
from PIL import Image
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from sktsgan.datasets import make_heartbeats
from sktsgan.metrics import maximum_mean_discrepancy, mmd_permutation_test
from sktsgan.metrics._mmd import median_bandwidth, permuted_discrepancies
from sktsgan.plotting import EmbeddingDisplay, MMDDisplay, SignalDisplay, TrainingCurveDisplay

BASELINES = Path(__file__).parent / "baselines"
PAIRS = [SignalDisplay, EmbeddingDisplay, MMDDisplay]


@pytest.fixture(autouse=True)
def closed(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *args, **kwargs: pytest.fail("a display was shown"))
    yield
    plt.close("all")


def test_signals(beats):
    X, y = beats
    display = SignalDisplay.from_arrays(X, y, X[::2], y[::2], fs=90, start=-0.3, n_traces=5)
    assert display.ax_.shape == (3, 2)
    for ax in display.ax_.flat:
        assert len(ax.lines) == 6  # five traces and the median
        assert len(ax.collections) == 1
    assert display.ax_[0, 0].get_ylabel() == "amplitude (mV)"
    assert display.ax_[-1, 1].get_xlabel() == "time (s)"
    assert display.ax_[0, 1].get_title() == "class F, synthetic"
    median = display.ax_[1, 0].lines[-1]
    np.testing.assert_allclose(median.get_xdata()[:2], [-0.3, -0.3 + 1 / 90])
    np.testing.assert_allclose(median.get_ydata(), np.median(X[y == "N"], axis=0))
    names = [text.get_text() for text in display.ax_[0, 0].get_legend().texts]
    assert names == ["5 % to 95 %", "single signals", "median"]
    assert len(plt.get_fignums()) == 1


def test_no_traces(beats):
    display = SignalDisplay.from_arrays(*beats, *beats, n_traces=0)
    assert len(display.ax_[0, 0].lines) == 1


@pytest.mark.parametrize("dtype", ["Float64", "float32[pyarrow]", object])
def test_frames_of_any_type_and_labels_in_a_column(trained, beats, dtype):
    if dtype == "float32[pyarrow]":
        pytest.importorskip("pyarrow")
    X = pd.DataFrame(beats[0]).astype(dtype)
    display = SignalDisplay.from_estimator(trained, X, beats[1][:, None])
    expected = SignalDisplay.from_estimator(trained, *beats)
    for ax, other in zip(display.ax_.flat, expected.ax_.flat, strict=True):
        np.testing.assert_allclose(ax.lines[-1].get_ydata(), other.lines[-1].get_ydata())


def test_several_leads_and_an_empty_class():
    X, y = make_heartbeats(40, classes=("N", "V"), weights=[1, 1], n_channels=2, random_state=0)
    display = SignalDisplay.from_arrays(X, y, X[y == "N"], y[y == "N"])
    assert display.ax_.shape == (4, 2)
    assert display.ax_[1, 0].get_title() == "class N, lead 2, real"
    assert display.ax_[3, 1].texts[0].get_text() == "none"
    flat = SignalDisplay.from_arrays(X.reshape(40, -1), y, X, y, n_channels=2)
    assert flat.ax_.shape == (4, 2)


@pytest.mark.parametrize("display", PAIRS)
def test_tensors(display, beats):
    X, y = beats
    image, expected = io.BytesIO(), io.BytesIO()
    display.from_arrays(torch.from_numpy(X), y, torch.from_numpy(X), y).figure_.savefig(image)
    display.from_arrays(X, y, X, y).figure_.savefig(expected)
    assert image.getvalue() == expected.getvalue()


def test_embedding(beats):
    X, y = beats
    display = EmbeddingDisplay.from_arrays(X[::2], y[::2], X[1::2], y[1::2], max_samples=30)
    assert display.ax_.shape == (1, 3)
    for ax, label in zip(display.ax_.flat, "FNV", strict=True):
        real, synthetic = ax.collections
        assert len(real.get_offsets()) == min(30, (y[::2] == label).sum())
        assert len(synthetic.get_offsets()) == min(30, (y[1::2] == label).sum())
        assert ax.get_title() == f"class {label}"
        assert re.fullmatch(r"component 1 \(\d+ %\)", ax.get_xlabel())
    assert len(display.ax_[0, 0].get_legend().texts) == 2


def test_embedding_keeps_distances_in_a_plane(rng):
    plane = rng.normal(size=(40, 2)) @ np.linalg.qr(rng.normal(size=(20, 2)))[0].T
    y = np.zeros(20)
    display = EmbeddingDisplay.from_arrays(plane[:20], y, plane[20:], y)
    points = np.concatenate([display.points_real[0.0], display.points_synthetic[0.0]])
    expected = np.linalg.norm(plane[:, None] - plane[None], axis=2)
    np.testing.assert_allclose(np.linalg.norm(points[:, None] - points[None], axis=2), expected)


def test_embedding_by_neighbours_tells_groups_apart(rng):
    X = rng.normal(size=(60, 5)) + np.repeat([[0], [50]], 30, axis=0)
    y = np.zeros(60)
    display = EmbeddingDisplay.from_arrays(X[::2], y[::2], X[1::2], y[1::2], method="tsne")
    first, second = np.split(display.points_real[0.0], 2)
    assert np.linalg.norm(first - first.mean(0), axis=1).max() < np.linalg.norm(
        first.mean(0) - second.mean(0)
    )
    assert display.ax_[0, 0].get_xlabel() == "t-SNE 1"


@pytest.mark.parametrize("unit", [1e-20, 1e20])
def test_neighbourhoods_in_any_unit(rng, unit):
    X = np.concatenate([rng.normal(size=(30, 5)), rng.normal(8, 1, size=(30, 5))])
    y = np.array(["a"] * 60)
    display = EmbeddingDisplay.from_arrays(
        unit * X[::2], y[::2], unit * X[1::2], y[1::2], method="tsne"
    )
    points = display.ax_.flat[0].collections[0].get_offsets()
    near, far = points[:15], points[15:]
    apart = np.linalg.norm(near.mean(0) - far.mean(0))
    assert apart > 1.5 * near.std(0).max()


@pytest.mark.parametrize("method", ["pca", "tsne"])
@pytest.mark.parametrize("n_synthetic", [0, 1, 2])
def test_embedding_of_few_rows(method, n_synthetic):
    X, y = np.arange(12.0).reshape(3, 4), ["b"] * (3 - n_synthetic) + ["a"] * n_synthetic
    display = EmbeddingDisplay.from_arrays(X[:2], ["a", "b"], X, y, method=method)
    assert np.isfinite(display.points_real["a"]).all()
    assert display.points_synthetic["a"].shape == (n_synthetic, 2)


def test_embedding_of_equal_rows():
    X = np.tile(np.arange(8.0), (6, 1))
    display = EmbeddingDisplay.from_arrays(X[:, :1], ["a"] * 6, X[:, :1], ["a"] * 6, method="tsne")
    assert not display.points_real["a"].any()
    display = EmbeddingDisplay.from_arrays(X[:1], ["a"], X, ["a"] * 6, method="tsne")
    assert not display.points_synthetic["a"].any()


def test_five_classes_take_two_lines(rng):
    X, y = rng.normal(size=(50, 8)), np.repeat(range(5), 10)
    display = EmbeddingDisplay.from_arrays(X, y, X, y)
    assert display.ax_.shape == (2, 4)
    assert not display.ax_[1, 1].axison


def test_training_curves(trained):
    display = TrainingCurveDisplay.from_estimator(trained)
    losses, mmd = display.ax_.ravel()
    assert [line.get_label() for line in losses.lines] == [
        "discriminator", "generator", f"kept: iteration {trained.best_iter_}",
    ]  # fmt: skip
    assert len(mmd.lines) == 2
    assert mmd.get_xlabel() == "iteration (generator steps)"
    np.testing.assert_array_equal(display.iterations, [100, 200, 300, 400])
    best = display.mmd[display.iterations == trained.best_iter_]
    assert best == min(display.mmd) == pytest.approx(-trained.best_score_)


def test_training_curves_by_class(quick, beats):
    sampler = quick(conditioning="per_class", validation_fraction=0).fit(*beats)
    display = TrainingCurveDisplay.from_estimator(sampler, label="V")
    assert display.ax_.shape == (1, 1)
    with pytest.raises(ValueError, match=r"'label' must be one of \['F', 'N', 'V'\].*Got None"):
        TrainingCurveDisplay.from_estimator(sampler)


@pytest.mark.filterwarnings("ignore:Class .* has .* rows:UserWarning")
@pytest.mark.parametrize("conditioning", ["shared", "per_class"])
def test_no_training_curves_of_few_rows(quick, beats, conditioning):
    few = np.r_[:12, 400:412]
    sampler = quick(conditioning=conditioning).fit(beats[0][few], beats[1][few])
    with pytest.raises(ValueError, match="must have trained a net. It has none, as each class has"):
        TrainingCurveDisplay.from_estimator(sampler, label="N")


def test_training_curves_where_some_calls_held_nothing_out(quick, beats):
    sampler = quick().partial_fit(*beats)
    few = np.r_[:12, 400:412]
    sampler.set_params(validation_fraction=0).partial_fit(beats[0][few], beats[1][few])
    display = TrainingCurveDisplay.from_estimator(sampler)
    np.testing.assert_array_equal(np.isnan(display.mmd), [False, False, True, True])
    assert display.ax_[1, 0].get_yscale() == "log"


def test_training_curves_without_an_mmd():
    display = TrainingCurveDisplay.from_arrays([1, 2], [1, 2], [1, 2], mmd=[None, np.nan])
    assert display.mmd is None


def test_training_curves_after_an_epoch_that_was_cut_short(quick, beats):
    class Stops(Callback):
        def on_batch_end(self, net, **kwargs):
            if net.n_iter_ == 4:
                raise KeyboardInterrupt

    sampler = quick(callbacks=[Stops()])
    with pytest.warns(UserWarning, match="Training was interrupted after 4"):
        sampler.fit(*beats)
    sampler.set_params(callbacks=None, warm_start=True).fit(*beats)
    display = TrainingCurveDisplay.from_estimator(sampler)
    np.testing.assert_array_equal(display.iterations, [3, 7, 10])
    assert sampler.n_iter_ == 10


def test_training_curve_that_ends_below_zero():
    display = TrainingCurveDisplay.from_arrays([1, 2], [1, 1], [1, 1], mmd=[0.1, -0.001])
    assert display.ax_[1, 0].get_yscale() == "symlog"
    with pytest.raises(ValueError, match=r"one value for each epoch. Got \[2, 1, 2\]"):
        TrainingCurveDisplay.from_arrays([1, 2], [1], [1, 1])


def test_mmd(beats):
    X, y = beats
    X_other, y_other = make_heartbeats(
        300, classes=("N", "V", "F"), weights=[1, 1, 1], n_timepoints=64, fs=90, random_state=1
    )
    X_other[y_other == "V"] += 1
    display = MMDDisplay.from_arrays(X, y, X_other, y_other)
    assert display.labels == ["F", "N", "V"]
    expected = maximum_mean_discrepancy(X[y == "V"], X_other[y_other == "V"])
    assert display.mmd[2] == pytest.approx(expected, rel=1e-4)
    low, high = display.bands.T
    assert (low < 0).all()
    assert (high > 0).all()
    assert (np.diff(display.mmd_real, axis=1) > 0).all()
    assert (np.abs(display.mmd_real[:, 1]) < high).all()
    assert (display.mmd > high).tolist() == [
        mmd_permutation_test(
            X[y == label], X_other[y_other == label], random_state=0
        ).p_value < 0.05
        for label in "FNV"
    ]  # fmt: skip
    assert display.ax_.get_ylabel() == "MMD$^2$ to real signals"
    assert [tick.get_text() for tick in display.ax_.get_xticklabels()] == ["F", "N", "V"]
    assert len(display.ax_.patches) == 3
    assert len(display.ax_.get_legend().texts) == 3


def test_mmd_of_too_few_rows(beats):
    X, y = beats
    keep = (y != "F") | (np.cumsum(y == "F") == 1)
    with pytest.raises(ValueError, match="2 synthetic signals. Class 'F' has 40 and 1"):
        MMDDisplay.from_arrays(X, y, X[keep], y[keep])


@pytest.mark.parametrize("display", PAIRS)
def test_from_estimator_draws_what_the_sampler_gives(display, trained, beats):
    X, y = beats[0][::4], beats[1][::4]
    axes = plt.figure().subplots(1, 2)
    shown = display.from_estimator(trained, X, y, random_state=3, ax=axes[0])
    expected = display.from_arrays(X, y, *trained.sample(y=y, random_state=3))
    for name in ("X_synthetic", "points_synthetic", "mmd"):
        if hasattr(shown, name):
            np.testing.assert_equal(getattr(shown, name), getattr(expected, name))


@pytest.mark.parametrize("display", PAIRS)
def test_given_axes_are_used(display, beats):
    X, y = beats
    figure, axes = plt.subplots(1, 2)
    shown = display.from_arrays(X, y, X, y, ax=axes[1])
    assert shown.figure_ is figure
    assert plt.get_fignums() == [figure.number]
    assert not axes[0].lines
    if display is not MMDDisplay:
        figure, axes = plt.subplots(*shown.ax_.shape)
        assert shown.plot(ax=axes).ax_[-1, -1] is np.atleast_2d(axes)[-1, -1]
        with pytest.raises(ValueError, match=r"'ax' must be one Axes or \d"):
            shown.plot(ax=np.ravel(axes)[:2])
        with pytest.raises(ValueError, match="made by 'subplots'"):
            shown.plot(ax=plt.figure().add_axes((0, 0, 1, 1)))
    with pytest.raises(TypeError, match="'ax' must be Axes of matplotlib. Got a Figure; those of"):
        shown.plot(ax=figure)


def test_bad_arrays(beats):
    X, y = beats
    with pytest.raises(ValueError, match="same number of timepoints. Got 64 and 63"):
        SignalDisplay.from_arrays(X, y, X[:, 1:], y)
    with pytest.raises(ValueError, match="same number of channels and timepoints"):
        SignalDisplay.from_arrays(X.reshape(-1, 2, 32), y, X, y)
    with pytest.raises(ValueError, match="'y_synthetic' must be one for each row"):
        EmbeddingDisplay.from_arrays(X, y, X, y[1:])
    with pytest.raises(ValueError, match="'method' must be 'pca' or 'tsne'. Got 'umap'"):
        EmbeddingDisplay.from_arrays(X, y, X, y, method="umap")


def draw_baselines():
    """Draw three displays on the same beats; the picture of each, by name."""
    X, y = make_heartbeats(300, weights=[4, 1, 1, 1], n_timepoints=64, fs=90, random_state=0)
    sets = X[::2], y[::2], X[1::2], y[1::2]
    displays = {
        "signals": SignalDisplay.from_arrays(*sets, fs=90),
        "embedding": EmbeddingDisplay.from_arrays(*sets),
        "mmd": MMDDisplay.from_arrays(*sets),
    }
    return {name: picture(display.figure_) for name, display in displays.items()}


def picture(figure):
    """Draw without any text, so that fonts make no difference, small and in grey."""
    for ax in figure.axes:
        ax.set(title="", xlabel="", ylabel="", xticklabels=[], yticklabels=[])
        if ax.get_legend():
            ax.get_legend().remove()
    file = io.BytesIO()
    figure.savefig(file, dpi=40)
    return np.asarray(Image.open(file).convert("L"), dtype=float)


def test_pictures_are_as_they_were_when_looked_at():
    drawn = draw_baselines()
    for name, image in drawn.items():
        stored = np.asarray(Image.open(BASELINES / f"{name}.png").convert("L"), dtype=float)
        assert image.shape == stored.shape, name
        assert difference(image, stored) < 1, name
    # the tolerance is one that other data does not pass
    plt.close("all")
    X, y = make_heartbeats(300, weights=[4, 1, 1, 1], n_timepoints=64, fs=90, random_state=1)
    other = picture(SignalDisplay.from_arrays(X, y, X, y, fs=90).figure_)
    assert difference(other, drawn["signals"]) > 2


def difference(image, stored):
    """Mean difference in steps of grey, of 255."""
    return np.abs(image - stored).mean()


if __name__ == "__main__":  # stores the baselines: python -m tests.test_plotting
    BASELINES.mkdir(exist_ok=True)
    for name, image in draw_baselines().items():
        Image.fromarray(image.astype(np.uint8)).save(BASELINES / f"{name}.png")
    sys.exit()


# What the axes, the sampler and the arguments say


@pytest.mark.parametrize("n_classes", [1, 2, 3, 5])
def test_the_legend_is_as_wide_as_the_figure_at_most(n_classes):
    X, y = make_heartbeats(
        120, classes="NSVFQ"[:n_classes], weights=[1] * n_classes, random_state=0
    )
    display = MMDDisplay.from_arrays(X[::2], y[::2], X[1::2], y[1::2], n_permutations=9)
    figure = display.figure_
    figure.draw_without_rendering()
    legend, axes = display.ax_.get_legend().get_window_extent(), display.ax_.get_window_extent()
    assert 0 <= legend.x0 < legend.x1 <= figure.bbox.width
    assert axes.width > figure.bbox.width / 2


def test_axes_that_were_given_have_one_scale(beats):
    X, y = beats
    display = SignalDisplay.from_arrays(X, y, 3 * X, y, ax=plt.subplots(3, 2)[1])
    for real, synthetic in display.ax_:
        assert real.get_ylim() == synthetic.get_ylim()
    five = EmbeddingDisplay.from_arrays(X, y, X, y, ax=plt.subplots(1, 3)[1])
    assert five.ax_.shape == (1, 3)


def test_single_signals_are_of_all_rows():
    X = np.repeat(np.arange(80.0)[:, None], 4, axis=1)
    display = SignalDisplay.from_arrays(X, np.zeros(80), X, np.zeros(80))
    first = np.sort([line.get_ydata()[0] for line in display.ax_[0, 0].lines[:8]])
    assert (first // 10).tolist() == list(range(8))


@pytest.mark.parametrize("dtype", [np.int16, np.float16])
def test_bands_of_small_types_lie_within_the_data(dtype):
    X = np.repeat(np.array([-30000, 10000, 20000, 30000], dtype)[:, None], 5, axis=1)
    axis = SignalDisplay.from_arrays(X, ["a"] * 4, X, ["a"] * 4).ax_[0, 0]
    band = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == np.percentile(X.astype(float), 5, axis=0)[0]
    assert band.max() == np.percentile(X.astype(float), 95, axis=0)[0]
    assert axis.lines[-1].get_ydata()[0] == np.median(X.astype(float), axis=0)[0]


@pytest.mark.parametrize("unit", [1e-25, 1e20])
def test_components_of_rows_in_any_unit(beats, unit):
    X, y = (unit * beats[0]).astype(np.float32), beats[1]
    usual = EmbeddingDisplay.from_arrays(*beats, *beats).names
    assert EmbeddingDisplay.from_arrays(X, y, X, y).names == usual


def test_the_sampler_knows_its_channels_and_may_be_in_a_pipeline(quick, beats):
    X, y = beats
    sampler = quick(n_channels=2)
    model = Pipeline([("scale", StandardScaler()), ("gan", sampler), ("clf", DummyClassifier())])
    model.fit(X, y)
    display = SignalDisplay.from_estimator(model, X, y, fs=90)
    assert display.ax_.shape == (6, 2)
    assert display.time[-1] == 31 / 90
    np.testing.assert_allclose(display.X_real.mean(axis=0), 0, atol=1e-5)  # as the sampler had it
    TrainingCurveDisplay.from_estimator(model)
    with pytest.raises(NotFittedError, match="StaGANSampler instance is not fitted yet"):
        TrainingCurveDisplay.from_estimator(quick())
    frame = pd.DataFrame(X).add_prefix("t")
    sampler.fit(frame, y)
    with pytest.raises(ValueError, match="feature names should match"):
        MMDDisplay.from_estimator(sampler, frame.iloc[:, ::-1], y)


@pytest.mark.parametrize(
    ("display", "options", "message"),
    [
        (SignalDisplay, {"fs": 0}, "'fs' must be a frequency above 0 in Hz. Got 0"),
        (SignalDisplay, {"fs": np.nan}, "'fs' must be a frequency above 0 in Hz. Got nan"),
        (SignalDisplay, {"n_traces": 1.5}, "'n_traces' must be a whole number of at least 0"),
        (SignalDisplay, {"n_channels": 0}, "'n_channels' must be a whole number of at least 1"),
        (EmbeddingDisplay, {"max_samples": -1}, "'max_samples' must be a whole number of at least"),
        (MMDDisplay, {"n_permutations": 0}, "'n_permutations' must be a whole number of at least"),
    ],
)
def test_options_that_have_no_such_value(beats, display, options, message):
    X, y = beats
    with pytest.raises(ValueError, match=message):
        display.from_arrays(X, y, X, y, **options)


def test_labels_of_two_kinds_or_missing(beats):
    X, y = beats
    numbers = np.unique(y, return_inverse=True)[1]
    with pytest.raises(
        ValueError, match=r"classes of 'y_real', \[0, 1, 2\]. Got \['0', '1', '2'\]"
    ):
        SignalDisplay.from_arrays(X, numbers, X, numbers.astype(str))
    missing = y.astype(object)
    missing[3] = None
    with pytest.raises(ValueError, match="missing in row 3"):
        EmbeddingDisplay.from_arrays(X, missing, X, y)


def test_both_columns_of_a_row_have_one_scale(beats):
    X, y = beats
    display = SignalDisplay.from_arrays(X, y, 5 * X, y, unit="V")
    for row in display.ax_:
        assert row[0].get_ylim() == row[1].get_ylim()
        assert row[0].get_ylabel() == "amplitude (V)"


def test_band_and_halves_are_percentiles(rng):
    X, Y = rng.normal(size=(2, 30, 3))
    display = MMDDisplay.from_arrays(X, [0] * 30, Y, [0] * 30, n_permutations=40)
    rs = np.random.RandomState(0)
    rs.permutation(30), rs.permutation(30)
    values, _ = permuted_discrepancies(X, Y, 40, bandwidth=median_bandwidth(X), rng=rs)
    np.testing.assert_allclose(display.bands[0], np.percentile(values[1:], [5, 95]))


def test_shares_of_variance(rng):
    X = rng.normal(size=(400, 2)) * [3, 1] @ np.linalg.qr(rng.normal(size=(6, 2)))[0].T
    y = np.zeros(200)
    names = EmbeddingDisplay.from_arrays(X[:200], y, X[200:], y).names[0.0]
    shares = [int(name.split("(")[1].split(" ")[0]) for name in names]
    assert shares == pytest.approx([90, 10], abs=2)


def test_chosen_rows_are_not_the_first(rng):
    X, y = np.arange(100.0)[:, None] * np.ones(4), np.zeros(100)
    display = EmbeddingDisplay.from_arrays(X, y, X, y, max_samples=10)
    assert np.ptp(display.points_real[0.0][:, 0]) > 100  # 20 steps of 2 are 40 at most


def test_curves_have_the_losses_that_they_name():
    display = TrainingCurveDisplay.from_arrays(
        [1, 2], [0.1, 0.2], [0.3, 0.4], mmd=[0.5, 0.4], best_iter=2
    )
    curves = {line.get_label(): list(line.get_ydata()) for line in display.ax_[0, 0].lines}
    assert curves["discriminator"] == [0.1, 0.2]
    assert curves["generator"] == [0.3, 0.4]


def test_axes_of_a_part_of_a_figure(trained, beats):
    parts = plt.figure().subfigures(1, 2)
    for part, display in zip(parts, (SignalDisplay, TrainingCurveDisplay), strict=True):
        rows = beats if display is SignalDisplay else ()
        display.from_estimator(trained, *rows, ax=part.subplots())
        assert part.axes


BEATS = ["Left bundle branch block beat", "Premature ventricular contraction", "Normal beat"]


@pytest.mark.parametrize(("display", "n_channels"), [(EmbeddingDisplay, 1), (SignalDisplay, 2)])
def test_long_names_have_room(rng, display, n_channels):
    X = rng.normal(size=(60, n_channels, 20))
    y = np.repeat(BEATS, 20)
    drawn = display.from_arrays(X, y, X + 1, y)
    drawn.figure_.draw_without_rendering()
    boxes = [axis.title.get_window_extent() for axis in drawn.ax_.flat]
    assert all(0 <= box.x0 < box.x1 <= drawn.figure_.bbox.width for box in boxes)
    assert not any(one.overlaps(other) for one in boxes for other in boxes if one is not other)


@pytest.mark.parametrize("display", [SignalDisplay, EmbeddingDisplay, MMDDisplay])
def test_labels_are_no_formulas(rng, display):
    X, y = rng.normal(size=(40, 20)), np.repeat(["$$", "$5 to $10"], 20)
    drawn = display.from_arrays(X, y, X + 1, y)
    drawn.figure_.savefig(io.BytesIO())
    axes = [drawn.ax_] if display is MMDDisplay else drawn.ax_.flat
    texts = [text for axis in axes for text in (axis.title, *axis.get_xticklabels())]
    shown = [text for text in texts if "$" in text.get_text()]
    assert len(shown) >= 2
    assert not any(text.get_parse_math() for text in shown)


def test_two_rows_lie_on_a_line(rng):
    X = rng.normal(size=(2, 50))
    drawn = EmbeddingDisplay.from_arrays(X[:1], ["N"], X[1:], ["N"])
    np.testing.assert_array_equal(drawn.points_real["N"][:, 1], 0)
    assert drawn.points_real["N"][0, 0] == pytest.approx(-drawn.points_synthetic["N"][0, 0])
