"""Shapes and scaling."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktsgan import _arrays
from sktsgan._arrays import spread_places
from sktsgan._signals import SignalScaler, as_signals, check_finite


def test_channels_lie_one_after_the_other():
    X = np.arange(24).reshape(2, 12)
    signals = as_signals(X, 3)
    assert signals.shape == (2, 3, 4)
    np.testing.assert_array_equal(signals[0, 1], [4, 5, 6, 7])
    np.testing.assert_array_equal(as_signals(signals), signals)


@pytest.mark.parametrize(
    ("shape", "n_channels", "message"),
    [
        ((3, 10), 4, "'n_channels' must divide the length of a row, n_features=10. Got 4"),
        ((3, 4), 4, "at least 2 time points in each channel. Got 1"),
        ((3, 2, 1), 1, "at least 2 time points in each channel. Got 1"),
        ((3, 2, 9), 3, "'n_channels' must be 2, .* Got 3"),
    ],
)
def test_bad_shapes(shape, n_channels, message):
    with pytest.raises(ValueError, match=message):
        as_signals(np.zeros(shape), n_channels)


@given(center=st.floats(-1e3, 1e3), scale=st.floats(1e-3, 1e6), n_channels=st.integers(1, 3))
def test_scaling_there_and_back(center, scale, n_channels):
    X = center + scale * np.random.default_rng(0).normal(size=(20, n_channels, 8))
    scaler = SignalScaler.from_signals(X)
    scaled = scaler.scaled(X)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled.mean(axis=(0, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(scaled.std(axis=(0, 2)), 1, rtol=1e-4)
    np.testing.assert_allclose(scaler.restored(scaled), X, atol=1e-5 * (scale + abs(center)))


@pytest.mark.parametrize("value", [7.0, 0.1, 1e30, 0.0])
@pytest.mark.parametrize("n_rows", [3, 100_000])
def test_a_constant_channel(value, n_rows):
    scaler = SignalScaler.from_signals(np.full((n_rows, 1, 4), value))
    assert scaler.scale == 0
    np.testing.assert_allclose(scaler.scaled(np.full((3, 1, 4), value)), 0, atol=1e-15 * value)
    np.testing.assert_allclose(scaler.restored(np.ones((2, 1, 4), np.float32)), value, rtol=1e-15)


@pytest.mark.parametrize("n_digits", [8, 30, 300])
def test_a_small_signal_on_a_large_offset(rng, n_digits):
    X = 1e9 + np.spacing(1e9) * rng.integers(-n_digits, n_digits, size=(50, 1, 8), endpoint=True)
    scaler = SignalScaler.from_signals(X)
    assert scaler.leaves_constant(X)
    np.testing.assert_allclose(scaler.scaled(X).std(), 1, rtol=0.01)
    np.testing.assert_allclose(scaler.restored(scaler.scaled(X)), X, rtol=1e-15)


def test_the_scale_does_not_depend_on_the_order_in_memory(rng):
    X = rng.normal(size=(400, 3, 64))
    expected = SignalScaler.from_signals(X)
    scaler = SignalScaler.from_signals(np.asfortranarray(X))
    np.testing.assert_array_equal(scaler.center, expected.center)
    np.testing.assert_array_equal(scaler.scale, expected.scale)


@pytest.mark.parametrize("unit", [1e-155, 1e-165, 1e-300])
def test_numbers_whose_squares_vanish(unit):
    X = unit * np.random.default_rng(0).normal(size=(20, 1, 8))
    with pytest.raises(ValueError, match="squares are above 0, .* another unit"):
        SignalScaler.from_signals(X)


def test_rows_in_another_unit_than_those_before(rng):
    X = rng.normal(size=(20, 1, 8))
    with pytest.raises(ValueError, match="in the unit of the rows that the scale was measured on"):
        SignalScaler.from_signals(X).scaled(1e40 * X)


def test_in_parts_as_in_one(monkeypatch, rng):
    X = 3 + 2 * rng.normal(size=(50, 2, 7)).astype(np.float32)
    whole = SignalScaler.from_signals(X)
    monkeypatch.setattr(_arrays, "_N_VALUES", 30)
    assert [len(part) for _, part in _arrays.in_parts(X)] == [2] * 25
    parts = SignalScaler.from_signals(X)
    np.testing.assert_allclose(parts.center[:, 0], X.mean(axis=(0, 2), dtype=np.float64))
    np.testing.assert_allclose(parts.scale[:, 0], X.std(axis=(0, 2), dtype=np.float64))
    np.testing.assert_allclose(parts.scale, whole.scale)
    X[37, 1, 3] = np.nan
    with pytest.raises(ValueError, match="Row 37 is the first with NaN, at value 10"):
        check_finite(X)


def test_first_row_of_a_part():
    with pytest.raises(ValueError, match="Row 12 is the first with inf, at value 1"):
        check_finite(np.array([[0, 0], [0, 0], [0, np.inf]]), first=10)


@given(n_most=st.integers(1, 50), more=st.integers(0, 120))
def test_places_to_look_at_are_different_ones(n_most, more):
    places = spread_places(n_most + more, n_most)
    assert len(places) == n_most
    assert (np.diff(places) > 0).all()
    assert 0 <= places[0] <= places[-1] < n_most + more
    parts = np.arange(n_most + 1) * (n_most + more) // n_most
    assert ((parts[:-1] <= places) & (places < parts[1:])).all()


def test_three_channels_are_not_two():
    with pytest.raises(ValueError, match="'n_channels' must be 3, .* Got 2"):
        as_signals(np.zeros((3, 3, 9)), 2)


def test_a_constant_channel_may_change_by_rounding(rng):
    X = np.stack([rng.normal(size=(50, 8)), np.zeros((50, 8))], axis=1)
    scaler = SignalScaler.from_signals(X)
    for change, stays in ((1e-7, True), (1e-4, False)):
        assert scaler.leaves_constant(X + np.array([[0], [change]])) == stays
