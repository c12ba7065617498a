"""Cutting a recording into beats."""

import numpy as np
import pytest

from sktsgan.datasets import segment_beats


def test_windows_against_slices(rng):
    signal, peaks = rng.normal(size=1000), [3, 54, 500, 926, 927, 999]
    beats, kept = segment_beats(signal, peaks, fs=180)
    np.testing.assert_array_equal(kept, [1, 2, 3])
    for beat, peak in zip(beats, [54, 500, 926], strict=True):
        np.testing.assert_allclose(beat, signal[peak - 54 : peak + 74], rtol=1e-6)


def test_several_leads(rng):
    signal = rng.normal(size=(3, 800))
    beats, _ = segment_beats(signal, [100, 300], fs=100, window=(0.2, 0.3))
    assert beats.shape == (2, 3, 50)
    np.testing.assert_allclose(beats[1, 2], signal[2, 280:330], rtol=1e-6)


def test_thinning_keeps_the_shape():
    time = np.arange(3600) / 360
    signal = np.sin(2 * np.pi * 3 * time)
    beats, _ = segment_beats(signal, [1001, 1800], fs=360, target_fs=125, window=(0.25, 0.35))
    for beat, peak in zip(beats, [1001, 1800], strict=True):
        center = round(peak * 125 / 360) / 125
        expected = np.sin(2 * np.pi * 3 * (center + np.arange(-31, 44) / 125))
        np.testing.assert_allclose(beat, expected, atol=0.01)


@pytest.mark.parametrize(("fs", "target_fs"), [(250, 180), (250, 360), (360, 128), (180, 360)])
def test_an_offset_is_no_ripple(fs, target_fs):
    """An electrode's 300 mV, and a drift, stay what they are, beside a wave of 1 mV."""
    times = np.arange(20 * fs) / fs
    wave = np.sin(2 * np.pi * 1.3 * times)
    options = {"fs": fs, "target_fs": target_fs}
    beats, _ = segment_beats(300 + 0.5 * times + wave, [10 * fs], **options)
    places = 10 + np.arange(beats.shape[1]) / target_fs - round(0.3 * target_fs) / target_fs
    expected = 300 + 0.5 * places + np.sin(2 * np.pi * 1.3 * places)
    np.testing.assert_allclose(beats[0], expected, atol=2e-3)
    leads, _ = segment_beats(np.stack([wave, 300 + wave]), [10 * fs], **options)
    np.testing.assert_allclose(leads[0, 1], 300 + leads[0, 0], atol=1e-4)


@pytest.mark.parametrize(("fs", "target_fs"), [(359.88, 180), (360, 77.7), (1000, 333.3333)])
def test_peaks_stay_in_place_for_hours(fs, target_fs):
    peaks = np.rint(np.arange(1, 3599) * fs).astype(int)
    signal = np.zeros(int(3600 * fs))
    signal[peaks] = 1
    beats, _ = segment_beats(signal, peaks, fs=fs, target_fs=target_fs)
    # a peak may lie between two samples
    assert np.abs(beats.argmax(axis=1) - round(0.3 * target_fs)).max() <= 1


def test_offset_does_not_ring_at_the_ends(rng):
    signal = np.cumsum(rng.normal(size=3600))
    beats, _ = segment_beats(signal, [108, 3450], fs=360, target_fs=180)
    offset, _ = segment_beats(signal + 1024, [108, 3450], fs=360, target_fs=180)
    np.testing.assert_allclose(offset, beats + 1024, atol=1e-3)
    flat, _ = segment_beats(np.full(3600, 1024.0), [108], fs=360, target_fs=180)
    np.testing.assert_allclose(flat, 1024, rtol=1e-6)


def test_no_peaks():
    beats, kept = segment_beats(np.zeros(500), [], fs=180)
    assert beats.shape == (0, 128)
    assert kept.shape == (0,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"signal": np.zeros((2, 2, 2))}, "'signal' must be of shape .* Got"),
        ({"signal": [0.0, np.nan]}, "'signal' must be finite"),
        ({"signal": [[0.0, 1.0], [2.0]]}, "'signal' must hold numbers. Got"),
        ({"signal": np.arange(9) * (1 + 5j)}, "'signal' must hold numbers. Got"),
        (
            {"signal": np.ma.masked_equal(np.arange(9.0), 4)},
            "'signal' must be finite. Got NaN or infinity; cut such parts out",
        ),
        ({"signal": np.arange(9).astype("M8[s]")}, "'signal' must hold numbers. Got"),
        ({"signal": np.full(500, 1e39)}, "'signal' must hold numbers of float32, below 3.4e38"),
        ({"peaks": np.ma.masked_equal([1, 2], 2)}, "'peaks' must be there. Got masked ones"),
        ({"peaks": [1.5]}, "'peaks' must be a list of whole numbers"),
        ({"peaks": [[1]]}, "'peaks' must be a list of whole numbers"),
        ({"peaks": [4, 500]}, "'peaks' must lie between 0 and 499.* Got 500"),
        ({"peaks": [-1]}, "'peaks' must lie between 0 and 499.* Got -1"),
        ({"fs": 0}, "'fs' must be a frequency above 0 in Hz. Got 0"),
        ({"fs": None}, "'fs' must be a frequency"),
        ({"target_fs": -5}, "'target_fs' must be a frequency"),
        ({"target_fs": 0}, "'target_fs' must be a frequency"),
        ({"fs": 1e6, "target_fs": 10}, "'target_fs' must be at least a 20,000th of 'fs'. Got"),
        ({"window": (0, 0.001)}, "'window' must be two lengths"),
        ({"window": (-0.1, 0.5)}, "'window' must be two lengths"),
        ({"window": (np.inf, 0.3)}, "'window' must be two lengths"),
        ({"window": 0.3}, "'window' must be two lengths"),
        ({"window": ("a", "b")}, "'window' must hold numbers. Got"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        segment_beats(**{"signal": np.zeros(500), "peaks": [100], "fs": 180, **arguments})


def test_a_frequency_may_be_of_any_type_of_numbers():
    signal = np.sin(np.arange(900) / 20)
    expected, _ = segment_beats(signal, [400], fs=360, target_fs=180)
    beats, _ = segment_beats(signal, [400], fs=np.float32(360), target_fs=np.int16(180))
    np.testing.assert_array_equal(beats, expected)


def test_time_is_the_last_axis():
    with pytest.raises(ValueError, match=r"of shape \(900, 2\), whose last axis is time. Got 400"):
        segment_beats(np.zeros((900, 2)), [400], fs=360)


@pytest.mark.parametrize("window", [(0, 0.5), (0.5, 0)])
def test_windows_that_begin_or_end_at_the_peak(rng, window):
    signal = rng.normal(size=500)
    beats, _ = segment_beats(signal, [200], fs=100, window=window)
    start = 200 - int(100 * window[0])
    np.testing.assert_allclose(beats[0], signal[start : start + 50], rtol=1e-6)


def test_a_mask_that_hides_nothing_is_none(rng):
    signal = rng.normal(size=500)
    masked = np.ma.masked_invalid(signal)
    for ours, theirs in zip(
        segment_beats(masked, [200], fs=180), segment_beats(signal, [200], fs=180), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_a_peak_at_the_last_sample(rng):
    signal = rng.normal(size=1001)
    beats, kept = segment_beats(signal, [1000], fs=360, target_fs=180, window=(0.3, 1 / 180))
    assert beats.shape == (1, 55)
    assert kept.tolist() == [0]


def test_what_float32_does_not_hold_on_either_side():
    for value in (1e39, -1e39):
        with pytest.raises(ValueError, match="below 3.4e38"):
            segment_beats(np.full(500, value), [100], fs=180)


def test_the_shortest_window():
    beats, _ = segment_beats(np.arange(9.0), [4], fs=180, window=(0, 2 / 180))
    np.testing.assert_array_equal(beats, [[4, 5]])
