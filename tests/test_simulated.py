"""Simulated heartbeats and sines: counts, seeds, and what makes a class."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score

from sktsgan.datasets import make_heartbeats, make_sines
from sktsgan.datasets._simulated import _draw_patient, _waves_of

TIME = np.arange(128) / 180 - 0.3


@pytest.fixture(scope="module")
def heartbeats():
    return make_heartbeats(
        1500, classes="NSVFQ", weights=[1] * 5, n_patients=30, return_groups=True, random_state=0
    )


def amplitude(X, start, stop):
    """Greatest deflection from the window's mean between two times in s."""
    part = X[:, (start <= TIME) & (stop > TIME)]
    return np.abs(part - X.mean(axis=1, keepdims=True)).max(axis=1)


def test_shapes_counts_and_seeds():
    X, y = make_heartbeats(1000, random_state=0)
    assert X.shape == (1000, 128)
    assert X.dtype == np.float32
    assert Counter(y.tolist()) == {"N": 890, "S": 30, "V": 70, "F": 10}
    again, _ = make_heartbeats(1000, random_state=0)
    np.testing.assert_array_equal(X, again)
    assert not np.array_equal(X, make_heartbeats(1000, random_state=1)[0])


@settings(max_examples=25)
@given(
    n_samples=st.integers(2, 60),
    share=st.floats(0.01, 100),
    n_timepoints=st.integers(2, 300),
    fs=st.floats(50, 1000),
    n_channels=st.integers(1, 3),
)
def test_any_shape_is_finite_and_in_mv(n_samples, share, n_timepoints, fs, n_channels):
    X, y = make_heartbeats(
        n_samples,
        classes=("N", "V"),
        weights=[share, 1],
        n_timepoints=n_timepoints,
        fs=fs,
        n_channels=n_channels,
        random_state=0,
    )
    expected = (
        (n_samples, n_timepoints) if n_channels == 1 else (n_samples, n_channels, n_timepoints)
    )
    assert X.shape == expected
    assert set(y) == {"N", "V"}
    assert np.abs(X).max() < 6


def test_the_r_wave_is_where_it_should_be(heartbeats):
    X, y, _ = heartbeats
    peak = TIME[X[y == "N"].argmax(axis=1)]
    assert np.abs(peak).max() < 0.02
    assert 0.5 < np.median(X[y == "N"].max(axis=1)) < 2


@pytest.mark.parametrize("before", [0, 0.3, 0.8])
def test_all_of_the_beat_before_is_simulated(before, monkeypatch):
    X, _ = make_heartbeats(500, before=before, random_state=0)
    monkeypatch.setattr("sktsgan.datasets._simulated._LEAD_IN", 3.0)
    longer, _ = make_heartbeats(500, before=before, random_state=0)
    np.testing.assert_allclose(X, longer, atol=1e-5)


def test_ventricular_beats_are_broad_without_p_wave(heartbeats):
    X, y, _ = heartbeats
    # from the second half of QRS to its end a normal beat is flat, a ventricular one is not
    late = {label: np.median(amplitude(X[y == label], 0.07, 0.12)) for label in "NV"}
    assert late["V"] > 3 * late["N"]
    pointing_down = np.mean(X[y == "V"][:, 54] < X[y == "V"].mean(axis=1))
    assert 0.15 < pointing_down < 0.7


def test_fusion_lies_between(heartbeats):
    X, y, _ = heartbeats
    late = {label: np.median(amplitude(X[y == label], 0.07, 0.12)) for label in "NFV"}
    assert late["N"] < late["F"] < late["V"]


def test_classes_can_be_told_apart_but_patients_differ(heartbeats):
    X, y, groups = heartbeats
    forest = RandomForestClassifier(50, random_state=0)
    assert 0.7 < cross_val_score(forest, X, y, scoring="f1_macro", cv=3).mean() < 0.995
    means = np.array([X[(y == "N") & (groups == patient)].mean(axis=0) for patient in range(30)])
    assert means.std(axis=0).max() > 0.1


def test_further_leads_differ():
    X, _ = make_heartbeats(50, n_channels=2, random_state=0)
    correlations = [np.corrcoef(a, b)[0, 1] for a, b in X]
    assert np.mean(np.abs(correlations)) < 0.95


def test_sines():
    X, y = make_sines(300, weights=[2, 1], random_state=0)
    assert X.shape == (300, 128)
    assert Counter(y.tolist()) == {0: 200, 1: 100}
    spectrum = np.abs(np.fft.rfft(X, axis=1)).argmax(axis=1)
    assert (spectrum[y == 0] <= 3).all()
    assert (spectrum[y == 1] >= 4).all()
    assert np.abs(X).max() <= 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": ("N", "X")}, "'classes' must be some of .* Got"),
        ({"classes": ("N", "N")}, "'classes' must be some of .* each once"),
        ({"classes": ()}, "'classes' must be some of"),
        ({"classes": 3}, "'classes' must be some of .* Got 3"),
        ({"classes": None}, "'classes' must be some of .* Got None"),
        ({"classes": [["N"], ["V"]]}, "'classes' must be some of .* Got"),
        ({"n_samples": 3}, "'n_samples' must be a whole number of at least 4. Got 3"),
        ({"n_timepoints": 1}, "'n_timepoints' must be a whole number of at least 2. Got 1"),
        ({"n_patients": 0}, "'n_patients' must be"),
        ({"weights": [1, 2]}, "'weights' must be 4 numbers above 0"),
        ({"weights": [1, 0, 1, 1]}, "'weights' must be 4 numbers above 0"),
        ({"weights": [np.inf, 1, 1, 1]}, "'weights' must be 4 numbers above 0"),
        ({"fs": 0}, "'fs' must be a frequency above 0 in Hz. Got 0"),
        ({"fs": -180}, "'fs' must be a frequency above 0 in Hz. Got -180"),
        ({"before": np.nan}, "'before' must be a number of at least 0. Got nan"),
        ({"noise": -1}, "'noise' must be a number of at least 0. Got -1"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_heartbeats(**arguments)


@pytest.mark.parametrize("amplitude", [(0.9, 0.3), (-1, 1), (np.nan, 1), (0, np.inf), 1, (1, 2, 3)])
def test_bad_amplitudes(amplitude):
    with pytest.raises(ValueError, match="'amplitude' must be two numbers that rise from 0. Got"):
        make_sines(amplitude=amplitude)


@pytest.mark.parametrize("bands", [(), (1, 2), ((3, 1),), ((-1, 1),), ((50, 65),), ((100, 200),)])
def test_bad_bands(bands):
    with pytest.raises(ValueError, match="'bands' must be pairs .* Got"):
        make_sines(bands=bands)


@pytest.mark.parametrize("bands", ["ab", ((1,), (2, 3))])
def test_bands_that_are_no_numbers(bands):
    with pytest.raises(ValueError, match="'bands' must hold numbers. Got"):
        make_sines(bands=bands)


def test_p_waves_and_spikes():
    X, y = make_heartbeats(900, classes="NSQ", weights=[1, 1, 1], noise=0, random_state=0)
    time = np.arange(128) / 180 - 0.3

    def slope(label, start, stop):
        return np.abs(np.diff(X[y == label][:, (start <= time) & (time < stop)], axis=1)).max(
            axis=1
        )

    assert np.median(slope("Q", -0.13, -0.09)) > 5 * np.median(slope("N", -0.13, -0.09))
    p = X[:, (time > -0.2) & (time < -0.12)].max(axis=1) - X[
        :, (time > -0.09) & (time < -0.07)
    ].mean(axis=1)
    assert np.median(p[y == "S"]) < 0.5 * np.median(p[y == "N"])


def test_noise_is_what_it_says():
    quiet, noisy = (make_heartbeats(200, noise=s, random_state=0)[0] for s in (0, 0.5))
    assert (noisy - quiet).std() == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize("before", [0.1, 0.4])
def test_the_window_begins_before_the_r_wave(before):
    X, _ = make_heartbeats(100, classes="N", before=before, random_state=0)
    assert np.abs(X[:, : round((before + 0.1) * 180)].argmax(axis=1) / 180 - before).max() < 0.02


def test_sampling_frequency():
    fine, _ = make_heartbeats(50, noise=0, fs=720, n_timepoints=512, random_state=0)
    coarse, _ = make_heartbeats(50, noise=0, fs=180, n_timepoints=128, random_state=0)
    np.testing.assert_allclose(fine[:, ::4], coarse, atol=0.02)


def test_sines_are_within_their_amplitudes():
    X, _ = make_sines(500, bands=[(2, 3)], amplitude=(0.3, 0.9), n_timepoints=512, random_state=0)
    heights = np.abs(X).max(axis=1)
    assert 0.29 < heights.min() < 0.33
    assert 0.87 < heights.max() <= 0.9


def test_supraventricular_beats_are_premature():
    X, y = make_heartbeats(
        600,
        classes="NS",
        weights=[1, 1],
        fs=180,
        before=0.9,
        n_timepoints=200,
        noise=0,
        random_state=0,
    )
    # the R wave before lies less than 0.8 periods back: within the window it is later
    early = X[:, : round(0.75 * 180)].argmax(axis=1) / 180 - 0.9
    assert np.median(early[y == "S"]) > np.median(early[y == "N"]) + 0.1


@pytest.mark.parametrize("make", [make_heartbeats, make_sines])
def test_classes_come_in_random_order(make):
    _, y = make(
        400,
        **({"classes": "NV"} if make is make_heartbeats else {}),
        weights=[1, 1],
        random_state=0,
    )
    changes = (y[1:] != y[:-1]).sum()
    assert 150 < changes < 250


@pytest.mark.parametrize(
    ("weights", "counts"), [([5, 2.6, 2.4], [5, 3, 2]), ([97, 1, 1, 1], [7, 1, 1, 1])]
)
def test_counts_are_nearest_to_the_weights(weights, counts):
    bands = [(i, i) for i in range(1, len(weights) + 1)]
    _, y = make_sines(10, bands=bands, weights=weights, random_state=0)
    assert np.bincount(y).tolist() == counts


def test_sines_are_of_all_frequencies_and_phases():
    X, _ = make_sines(400, bands=[(2, 6)], amplitude=(1, 1), n_timepoints=256, random_state=0)
    assert set(np.abs(np.fft.rfft(X, axis=1)).argmax(axis=1)) == {2, 3, 4, 5, 6}
    quartiles = np.quantile(X[:, 0], [0.25, 0.75])  # of the sine of a uniform phase
    assert quartiles == pytest.approx([-(0.5**0.5), 0.5**0.5], abs=0.15)


def test_the_beat_after_a_ventricular_one_is_late():
    options = {"noise": 0, "n_timepoints": 240, "n_patients": 1, "random_state": 0}
    X, y = make_heartbeats(60, classes="NV", weights=[1, 1], **options)
    first = 54 + round(0.35 * 180)
    after = (first + X[:, first:].argmax(axis=1) - 54) / 180
    normal, ventricular = (np.median(after[y == label]) for label in "NV")
    assert ventricular > 1.1 * normal


def test_fusion_beats_are_a_mixture():
    rng = np.random.RandomState(0)
    patient = _draw_patient(rng, 1)
    _, heights, _ = _waves_of(patient, "F", rng, 2000)
    share = heights[:, 7:] / patient["ventricular"][1][1:]
    rest = heights[:, [2]] / patient["normal"][1][2]
    np.testing.assert_allclose(share + rest, 1)
    assert share.mean() == pytest.approx(patient["fusion"], abs=0.02)


def test_shares_of_fusion():
    shares = [_draw_patient(np.random.RandomState(i), 1)["fusion"] for i in range(100)]
    assert 0.3 <= min(shares) < 0.35 < 0.6 < max(shares) <= 0.65


def test_ventricular_t_waves_are_turned_against_the_qrs_complex():
    X, _ = make_heartbeats(200, classes="V", noise=0, random_state=0)
    t_wave = X[:, 97:112].mean(axis=1) - X.mean(axis=1)
    assert (np.sign(t_wave) != np.sign(X[:, 54])).mean() > 0.9


def test_the_baseline_wanders():
    X, _ = make_heartbeats(500, classes="N", noise=0, n_patients=1, n_channels=2, random_state=0)
    moved = X[:, :, :8].mean(axis=2)
    assert 0.02 < moved[:, 0].std() < 0.08
    assert np.corrcoef(moved.T)[0, 1] > 0.8


def test_the_t_wave_is_later_at_low_rates():
    options = {"noise": 0, "n_patients": 60, "n_timepoints": 160}
    X, _ = make_heartbeats(1500, classes="N", before=0.0, random_state=0, **options)
    t_wave = X[:, 36:80].argmax(axis=1) / 180 + 0.2
    later = X[:, 90:].argmax(axis=1) / 180 + 0.5  # the next R wave, a period on
    assert np.corrcoef(t_wave, later)[0, 1] > 0.5
