"""Rows that came padded, or scaled one by one: new ones are so too."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktsgan._preparation import Preparation


def as_range(X):
    low, high = X.min(axis=-1, keepdims=True), X.max(axis=-1, keepdims=True)
    return (X - low) / (high - low)


def standardized(X):
    return (X - X.mean(axis=-1, keepdims=True)) / X.std(axis=-1, keepdims=True)


def padded(X, n_padded, value=0.0, front=False):
    places = np.arange(X.shape[-1])
    where = places[::-1] < np.asarray(n_padded)[:, None]
    where = where[:, ::-1] if front else where
    return np.where(where[:, None], value, X)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    "prepare",
    [
        lambda X: X,
        lambda X: X - X.mean(axis=-1, keepdims=True),  # sums of rows keep to it by themselves
        lambda X: X / np.abs(X).max(),
        lambda X: np.round(20 * X),
        lambda X: np.repeat(X[..., :1], 30, axis=-1),
    ],
)
def test_nothing_is_found_where_nothing_is(rng, prepare, dtype):
    X = rng.normal(size=(200, 2, 30)) * rng.uniform(1, 2, size=(200, 1, 1))
    assert not Preparation(prepare(X).astype(dtype))


@given(
    seed=st.integers(0, 99),
    n_channels=st.integers(1, 3),
    front=st.booleans(),
    value=st.sampled_from([-1.0, 7.5]),
    prepare=st.sampled_from([lambda X: X, as_range, standardized]),
)
def test_new_signals_are_as_real_ones(seed, n_channels, front, value, prepare):
    """A law: what shows in all real rows shows in new ones, and preparing twice changes nothing."""
    rng = np.random.default_rng(seed)
    n_padded = rng.integers(2, 10, size=60) * (rng.uniform(size=60) < 0.6)
    X = np.empty((60, n_channels, 40))
    for row, n in zip(X, n_padded, strict=True):  # prepared first, padded then
        row[:, : 40 - n] = prepare(rng.normal(2, 3, size=(n_channels, 40 - n)))
    X = X[..., ::-1] if front else X
    X = padded(X, n_padded, value, front)
    preparation = Preparation(X)
    np.testing.assert_array_equal(preparation.padding.sum(axis=1), n_padded)
    like = rng.integers(60, size=25)
    new = preparation.give(rng.normal(1, 2, size=(25, n_channels, 40)), like)
    inside = ~preparation.padding[like]
    assert (new.transpose(0, 2, 1)[~inside] == value).all()
    for signal, where in zip(new, inside, strict=True):
        np.testing.assert_allclose(signal[:, where], prepare(signal[:, where]), atol=1e-12)
    np.testing.assert_allclose(preparation.give(new, like), new, atol=1e-12)
    np.testing.assert_allclose(preparation.give(X, np.arange(60)), X, atol=1e-12)


def test_the_table_with_zeros_behind(rng):
    """Scaled to 0 to 1, then filled with zeros: the smallest value may be the last one before."""
    n_padded = rng.integers(2, 20, size=400)
    X = padded(as_range(rng.normal(size=(400, 1, 60))), n_padded)
    for row, n in zip(X, n_padded, strict=True):
        row[:, : 60 - n] = as_range(row[:, : 60 - n])
    preparation = Preparation(X)
    assert (preparation.padding.sum(axis=1) > n_padded).any()
    like = rng.integers(400, size=100)
    new = preparation.give(rng.normal(size=(100, 1, 60)), like)
    np.testing.assert_array_equal(new.min(axis=2), 0)
    np.testing.assert_allclose(new.max(axis=2), 1)
    assert (new[preparation.padding[like][:, None]] == 0).all()


def test_whole_numbers_and_a_row_that_is_all_padding(rng):
    X = padded(rng.integers(1, 255, size=(50, 1, 20)), np.repeat([0, 3, 20], [25, 24, 1]))
    X = X.astype(np.uint8)
    preparation = Preparation(X)
    assert preparation.padding.sum() == 24 * 3 + 20
    new = preparation.give(rng.normal(100, 20, size=(50, 1, 20)), np.arange(50))
    assert np.isfinite(new).all()
    assert (new[-1] == 0).all()


def test_few_rows_that_end_alike_are_not_padded(rng):
    X = rng.normal(size=(100, 1, 20))
    X[:9, :, -3:] = 0
    assert not Preparation(X).padding.any()
    X[:, :, -1] = 0  # one value is no padding
    assert not Preparation(X).padding.any()


@pytest.mark.parametrize("spread", [0, 1])
def test_a_dead_channel_does_not_hide_a_scale(rng, spread):
    X = as_range(rng.normal(size=(50, 2, 20)))
    X[:, 1] = spread * rng.normal(size=(50, 1))
    preparation = Preparation(X)
    new = preparation.give(rng.normal(size=(3, 2, 20)), np.array([1, 2, 3]))
    np.testing.assert_allclose(new[:, 0].min(axis=1), 0, atol=1e-9)
    np.testing.assert_allclose(new[:, 0].max(axis=1), 1)
    assert np.ptp(new[:, 1], axis=1).max() < 1e-9


def test_constant_rows_do_not_hide_a_scale(rng):
    X = as_range(rng.normal(size=(50, 1, 20)))
    X[::2] = 0
    preparation = Preparation(X)
    new = preparation.give(rng.normal(size=(1, 1, 20)), np.array([1]))
    assert (new.min(), new.max()) == (0, pytest.approx(1))
