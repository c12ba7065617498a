"""Rows that came padded, moved or scaled one by one: new ones are so too."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from sktsgan import _arrays
from sktsgan._preparation import Preparation
from sktsgan.datasets import make_heartbeats


def prepared(X):
    """Look at rows of one class."""
    return Preparation(X, np.zeros(len(X)))


def as_range(X):
    low, high = X.min(axis=-1, keepdims=True), X.max(axis=-1, keepdims=True)
    return (X - low) / (high - low)


def standardized(X):
    return centred(X) / X.std(axis=-1, keepdims=True)


def centred(X):
    return X - X.mean(axis=-1, keepdims=True)


def on_the_ground(X):
    return X - X.min(axis=-1, keepdims=True)


def together(prepare):
    """Prepare the channels of a signal as one row."""
    return lambda X: prepare(X.reshape(*X.shape[:-2], -1)).reshape(X.shape)


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
        lambda X: X / np.abs(X).max(),
        lambda X: np.round(20 * X) + 0.25,
        lambda X: np.repeat(X[..., :1], 30, axis=-1),
    ],
)
def test_nothing_is_found_where_nothing_is(rng, prepare, dtype):
    X = rng.normal(size=(200, 2, 30)) * rng.uniform(1, 2, size=(200, 1, 1))
    assert not prepared(prepare(X).astype(dtype))


def divided(order):
    return lambda X: X / np.linalg.norm(X, order, axis=-1, keepdims=True)


WAYS = (as_range, standardized, centred, on_the_ground, *map(divided, (np.inf, 2, 1)))


@given(
    seed=st.integers(0, 99),
    n_channels=st.integers(1, 3),
    front=st.booleans(),
    value=st.sampled_from([-9.5, 7.5]),
    prepare=st.sampled_from(
        [lambda X: X, *WAYS, *(together(prepare) for prepare in WAYS)],
    ),
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
    preparation = prepared(X)
    each = np.repeat(n_padded[:, None], n_channels, axis=1)
    np.testing.assert_array_equal(preparation.padding.sum(axis=2), each)
    like = rng.integers(60, size=25)
    new = preparation.give(rng.normal(1, 2, size=(25, n_channels, 40)), like)
    inside = ~preparation.padding[like]
    assert (new[~inside] == value).all()
    for signal, where in zip(new, inside[:, 0], strict=True):
        np.testing.assert_allclose(signal[:, where], prepare(signal[:, where]), atol=1e-12)
    np.testing.assert_allclose(preparation.give(new, like), new, atol=1e-12)
    np.testing.assert_allclose(preparation.give(X, np.arange(60)), X, atol=1e-12)


def test_the_table_with_zeros_behind(rng):
    """Scaled to 0 to 1, then filled with zeros: the smallest value may be the last one before."""
    n_padded = rng.integers(2, 20, size=400)
    X = padded(as_range(rng.normal(size=(400, 1, 60))), n_padded)
    for row, n in zip(X, n_padded, strict=True):
        row[:, : 60 - n] = as_range(row[:, : 60 - n])
    preparation = prepared(X)
    assert (preparation.padding.sum(axis=2)[:, 0] > n_padded).any()
    like = rng.integers(400, size=100)
    new = preparation.give(rng.normal(size=(100, 1, 60)), like)
    np.testing.assert_array_equal(new.min(axis=2), 0)
    np.testing.assert_allclose(new.max(axis=2), 1)
    assert (new[preparation.padding[like]] == 0).all()


def test_padded_rows_of_one_sample_deviation(rng):
    """As pandas and torch measure it, it is another share of numpy's for each length."""
    n_padded = rng.integers(2, 30, size=60)
    X = np.zeros((60, 1, 40))
    for row, n in zip(X, n_padded, strict=True):
        own = centred(rng.normal(2, 3, size=40 - n))
        row[0, : 40 - n] = own / own.std(ddof=1)
    new = prepared(X).give(rng.normal(1, 2, size=(60, 1, 40)), np.arange(60))
    deviations = [row[0, : 40 - n].std(ddof=1) for row, n in zip(new, n_padded, strict=True)]
    np.testing.assert_allclose(deviations, 1)
    np.testing.assert_allclose(new.sum(axis=2), 0, atol=1e-12)


@pytest.mark.parametrize("prepare", [lambda X: X, *WAYS])
def test_channels_are_padded_each_in_its_own_way(rng, prepare):
    """The second begins late, the third is not there in some rows; the first is whole."""
    X = prepare(rng.normal(2, 3, size=(80, 3, 30)))
    n_late = rng.integers(2, 9, size=80)
    for row, n in zip(X, n_late, strict=True):
        row[1] = np.r_[np.full(n, 4.5), prepare(rng.normal(2, 3, size=(1, 30 - n)))[0]]
    X[::3, 2] = -7.5
    preparation = prepared(X)
    n_padded = np.stack([0 * n_late, n_late, 30 * (np.arange(80) % 3 == 0)], axis=1)
    np.testing.assert_array_equal(preparation.padding.sum(axis=2), n_padded)
    like = rng.integers(80, size=25)
    new = preparation.give(rng.normal(1, 2, size=(25, 3, 30)), like)
    for signal, row, n in zip(new, X[like], n_late[like], strict=True):
        np.testing.assert_allclose(signal[0], prepare(signal[:1])[0], atol=1e-12)
        np.testing.assert_allclose(signal[1, n:], prepare(signal[1:2, n:])[0], atol=1e-12)
        assert (signal[1, :n] == 4.5).all()
        assert (signal[2] == -7.5).all() == (row[2] == -7.5).all()
    np.testing.assert_allclose(preparation.give(X, np.arange(80)), X, atol=1e-12)


def test_whole_numbers_and_a_row_that_is_all_padding(rng):
    X = padded(rng.integers(1, 255, size=(50, 1, 20)), np.repeat([0, 3, 20], [25, 24, 1]))
    X = X.astype(np.uint8)
    preparation = prepared(X)
    assert preparation.padding.sum() == 24 * 3 + 20
    new = preparation.give(rng.normal(100, 20, size=(50, 1, 20)), np.arange(50))
    assert np.isfinite(new).all()
    assert (new[-1] == 0).all()


def test_few_rows_that_end_alike_are_not_padded(rng):
    X = rng.normal(size=(100, 1, 20))
    X[:9, :, -3:] = 0
    assert not prepared(X).padding.any()
    X[:, :, -1] = 0  # one value is no padding
    assert not prepared(X).padding.any()


def test_padding_of_a_rare_class_alone(rng):
    X = rng.normal(size=(200, 1, 20))
    y = np.arange(200) >= 190
    X[y, :, -5:] = 0
    padding = Preparation(X, y).padding
    np.testing.assert_array_equal(padding.sum(axis=2)[:, 0], 5 * y)
    X[192:, :, -5:] = rng.normal(size=(8, 1, 5))  # two that end alike are chance
    assert not Preparation(X, y).padding.any()


@pytest.mark.parametrize("spread", [0, 1])
def test_a_dead_channel_does_not_hide_a_scale(rng, spread):
    X = as_range(rng.normal(size=(50, 2, 20)))
    X[:, 1] = spread * rng.normal(size=(50, 1))
    preparation = prepared(X)
    drawn = rng.normal(size=(3, 2, 20))
    new = preparation.give(drawn, np.array([1, 2, 3]))
    np.testing.assert_allclose(new[:, 0].min(axis=1), 0, atol=1e-9)
    np.testing.assert_allclose(new[:, 0].max(axis=1), 1)
    assert np.ptp(new[:, 1], axis=1).max() < 1e-9
    # a number that goes with each row, as an age, is not that of the median row
    expected = spread * drawn[:, 1].mean(axis=1)
    np.testing.assert_allclose(new[:, 1, 0], expected, atol=1e-9)


@pytest.mark.parametrize("prepare", WAYS)
def test_a_number_that_goes_with_each_row_does_not_hide_a_scale(rng, prepare):
    X = prepare(rng.normal(2, 3, size=(50, 2, 20)))
    X[:, 1] = rng.uniform(20, 90, size=(50, 1))  # their sums are rounded
    new = prepared(X).give(rng.normal([[1], [50]], 2, size=(9, 2, 20)))
    np.testing.assert_allclose(new[:, 0], prepare(new[:, :1])[:, 0], atol=1e-12)
    assert np.ptp(new[:, 1].mean(axis=1)) > 0.1


def test_a_row_of_a_lead_that_is_off_in_all_others_decides_nothing(rng):
    X = rng.normal(2, 3, size=(60, 2, 20))
    X[:, 1] = rng.normal(size=(60, 1))
    X[7, 1] = rng.normal(size=20)
    assert not prepared(X)
    X[:, 0] = as_range(X[:, 0])  # what the others have in common shows all the same
    new = prepared(X).give(rng.normal(2, 3, size=(9, 2, 20)))
    np.testing.assert_allclose(new[:, 0], as_range(new[:, :1])[:, 0], atol=1e-12)


@pytest.mark.parametrize("prepare", [as_range, standardized])
def test_a_lead_that_a_rare_class_alone_has(rng, prepare):
    X = prepare(rng.normal(2, 3, size=(400, 2, 20)))
    y = np.arange(400) >= 380
    X[~y, 1] = 0
    like = np.arange(370, 390)
    new = Preparation(X, y).give(rng.normal(2, 3, size=(20, 2, 20)), like)
    np.testing.assert_allclose(new[:, 0], prepare(new[:, :1])[:, 0], atol=1e-12)
    np.testing.assert_allclose(new[10:, 1], prepare(new[10:, 1:])[:, 0], atol=1e-12)
    assert not new[:10, 1].any()


def test_a_range_of_1_ends_in_1(rng):
    X = as_range(rng.normal(size=(50, 1, 20)))
    new = prepared(X).give(rng.normal(2, 3, size=(2000, 1, 20)))
    assert set(new.max(axis=2).ravel()) == {1.0}


@pytest.mark.parametrize("n_rare", [1, 5, 20])
@pytest.mark.parametrize(("size", "start"), [(2, 0), (1, 1.5), (0.5, -3)])
@pytest.mark.parametrize("prepare", WAYS)
def test_what_tells_a_rare_class_is_no_preparation(rng, prepare, size, start, n_rare):
    X = prepare(rng.normal(2, 3, size=(400, 2, 20)))
    y = np.arange(400) >= 400 - n_rare
    X[y] = size * X[y] + start
    preparation = Preparation(X, y)
    new = rng.normal(2, 3, size=(30, 2, 20))
    if start:
        assert not preparation.ways
        assert not preparation.padded
        np.testing.assert_array_equal(preparation.give(X), X)
    else:  # the offset is that of all rows
        given = preparation.give(new)
        np.testing.assert_allclose(np.ptp(given, axis=2), np.ptp(new, axis=2))


def test_a_rare_class_is_seen_among_many_rows(rng):
    X = as_range(rng.normal(size=(20_000, 1, 5)))
    y = np.isin(np.arange(20_000), [1111, 4447, 19_223])
    assert Preparation(X, y).scaled
    X[y] *= 2
    assert not Preparation(X, y).scaled


def test_constant_rows_do_not_hide_a_scale(rng):
    X = as_range(rng.normal(size=(50, 1, 20)))
    X[::2] = 0
    preparation = prepared(X)
    new = preparation.give(rng.normal(size=(1, 1, 20)), np.array([1]))
    assert (new.min(), new.max()) == (0, pytest.approx(1))


def pulses(rng, n_double, n_single):
    edges = [np.sort(rng.choice(np.arange(1, 15), 4, replace=False)) for _ in range(n_double)]
    edges += [edge[[1, 2]] for edge in edges[:n_single]]
    X = np.zeros((len(edges), 1, 64))
    for row, edge in zip(X[:, 0], edges, strict=True):
        for first, last in edge.reshape(-1, 2):
            row[4 * first : 4 * last] = 1
    return X


@pytest.mark.parametrize("prepare", [as_range, standardized, centred, divided(np.inf)])
def test_rows_that_were_scaled_with_what_looks_like_padding(rng, prepare):
    X = prepare(pulses(rng, 150, 40))
    preparation = prepared(X)
    assert preparation.ways[0][1] is None
    every = np.arange(len(X))
    np.testing.assert_allclose(preparation.give(X, every), X, atol=1e-12)
    like = rng.integers(150, size=500)
    new = preparation.give(X[like] + 0.2 * rng.normal(size=(500, 1, 64)), like)
    np.testing.assert_allclose(prepare(new), new, atol=1e-12)


def largest_1(X):
    return X / X.max(axis=-1, keepdims=True)


def below_0(X):
    return X - X.max(axis=-1, keepdims=True)


@pytest.mark.parametrize("prepare", [largest_1, below_0])
def test_the_largest_value_may_be_less_than_a_negative_one(rng, prepare):
    X = prepare(rng.normal(size=(200, 2, 30)) * rng.uniform(1, 4, size=(200, 1, 1)))
    assert np.abs(X).max() > 1.5
    new = prepared(X).give(rng.normal(size=(50, 2, 30)))
    np.testing.assert_allclose(prepare(new), new, atol=1e-12)


def test_offsets_and_units_are_no_scale(rng):
    """Next to an offset, or to what lies between two channels, rows that differ look equal."""
    level = rng.normal(size=(200, 1))
    pressure, warmth = 1013 + level + rng.normal(size=(200, 30)), 20 + 0.5 * level
    both = np.stack([pressure, warmth + 0.1 * rng.normal(size=(200, 30))], axis=1)
    for X in (pressure[:, None], both):
        assert not prepared(X).ways


def test_new_rows_stay_within_what_many_rows_reach(rng):
    X = rng.poisson(5, size=(200, 2, 30)).astype(np.float64)
    X[:, 1] = np.minimum(X[:, 1] - 9, -3)
    preparation = prepared(X)
    assert not preparation.ways
    new = preparation.give(rng.normal([[5], [-6]], 9, size=(50, 2, 30)))
    assert new[:, 0].min() == 0
    assert new[:, 0].max() > X[:, 0].max()  # the largest count is no limit
    assert (new[:, 1].min(), new[:, 1].max()) == (-9, -3)
    np.testing.assert_array_equal(preparation.give(X), X)


def test_what_is_cut_off_at_one_place_is_lost_elsewhere(rng):
    """Against a search for the one number that is taken off before."""
    X = np.clip(rng.uniform(0.1, 2, size=(200, 2, 1)) * rng.normal(size=(200, 2, 30)), -1, 1)
    X[:, 1] *= 5
    new = rng.normal(size=(50, 2, 30)) * [[1], [5]]
    for own, signal in zip(prepared(X).give(new), new, strict=True):
        for found, line, limit in zip(own, signal, (1, 5), strict=True):
            move = brentq(lambda t, x=line, c=limit: np.clip(x - t, -c, c).mean() - x.mean(), -9, 9)
            np.testing.assert_allclose(found, np.clip(line - move, -limit, limit), atol=1e-9)


def test_a_floor_that_rows_lie_on_is_no_offset(rng):
    """Each row reaches 0 time and again: one dip below must not lift the rest of it."""
    X = np.maximum(rng.normal(size=(200, 1, 30)), 0)
    preparation = prepared(X)
    dipped = X[:50].copy()
    dipped[:, 0, 7] -= 0.3
    new = preparation.give(dipped)
    assert new.min() == 0
    np.testing.assert_allclose(new.mean(axis=2), dipped.mean(axis=2), atol=1e-12)
    assert (new <= X[:50]).all()
    assert prepared(as_range(rng.normal(size=(200, 1, 30)))).limits is None


@pytest.mark.parametrize("least", [0, 0.5])
def test_what_is_never_negative_stays_so(rng, least):
    X = least + rng.exponential(size=(200, 1, 30))
    X[0, 0, 0] = least  # one row alone reaches it
    given = rng.normal(1 + least, 1, size=(50, 1, 30))
    new = prepared(X).give(given)
    assert new.min() > least / 2
    assert len(np.unique(new)) == new.size  # as real rows, they have no value in common
    np.testing.assert_allclose(new.mean(axis=2), given.mean(axis=2))
    np.testing.assert_array_equal(np.argsort(new, axis=2), np.argsort(given, axis=2))
    X[0, 0, 0] = -1e-3
    assert not prepared(X)


@pytest.mark.parametrize("rate", [0.1, 8])
def test_whole_numbers_keep_their_sums_and_limits(rng, rate):
    X = 1.0 + rng.poisson(rate, size=(200, 1, 60))
    weights = np.array([0.6, 0.5, -0.1])[:, None, None, None]
    given = (weights * X[:150].reshape(3, 50, 1, 60)).sum(axis=0)
    new = prepared(X).give(given)
    assert (new == np.rint(new)).all()
    assert new.min() >= X.min()
    assert np.abs(new.sum(axis=2) - given.sum(axis=2)).max() < 0.5 + 1e-9


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
def test_whole_numbers_above_0_of_any_type(rng, dtype):
    X = (2 + rng.poisson(30, size=(200, 1, 40))).astype(dtype)
    new = prepared(X).give(rng.normal(30, 20, size=(50, 1, 40)))
    assert (new == np.rint(new)).all()
    assert new.min() >= X.min() // 2


def test_whole_numbers_stay_whole_in_any_type(quick, rng):
    states = (rng.random((120, 2, 30)) < 0.2).cumsum(axis=2) % 2
    y = np.repeat(["a", "b"], [90, 30])
    X = states.astype(np.float64)
    X[:, 1] += rng.normal(size=(120, 30))  # one channel has fractions
    new = quick().fit_resample(X, y)[0][120:]
    assert set(np.unique(new[:, 0])) == {0, 1}
    assert (new[:, 1] % 1 > 0).mean() > 0.9


def test_what_sums_to_1_stays_so_and_above_0(rng):
    X = rng.gamma(1, size=(200, 1, 30))
    X[X < 0.1] = 0
    X /= X.sum(axis=2, keepdims=True)
    new = prepared(X).give(X[:50] + 0.02 * rng.normal(size=(50, 1, 30)))
    assert new.min() == 0
    np.testing.assert_allclose(new.sum(axis=2), 1, atol=1e-12)


@pytest.mark.parametrize("n_single", [8, 40])
def test_signals_that_are_on_and_off_stay_so(rng, n_single):
    """A single pulse is flat beside what looks like padding, but is no constant row."""
    X = pulses(rng, 150, n_single)
    preparation = prepared(X)
    assert preparation.padded
    every = np.arange(len(X))
    np.testing.assert_array_equal(preparation.give(X, every), X)
    nearly = X + 1e-7 * rng.normal(size=X.shape)
    np.testing.assert_allclose(preparation.give(nearly, every), X, atol=1e-5)


def _mean(X):
    return X.mean(axis=1)


def _range(X):
    return np.column_stack([X.min(axis=1), X.max(axis=1)])


@pytest.mark.parametrize(
    ("prepare", "measure"), [(centred, _mean), (as_range, _range), (standardized, np.std)]
)
def test_no_preparation_tells_new_rows(quick, prepare, measure):
    """Rows of two leads, prepared as one row each."""
    X, y = make_heartbeats(
        300, classes="NV", weights=[0.8, 0.2], n_timepoints=32, n_channels=2, random_state=0
    )
    X = prepare(X.reshape(300, -1))
    X_new = quick(n_channels=2).fit_resample(X, y)[0][300:]
    usual = np.broadcast_to(measure(X[:1]), measure(X_new).shape)
    np.testing.assert_allclose(measure(X_new), usual, atol=1e-6)


def test_a_rare_class_that_is_padded(quick):
    X, y = make_heartbeats(400, classes="NV", weights=[0.93, 0.07], n_timepoints=32, random_state=0)
    X[y == "V", -8:] = 0
    X_resampled, y_resampled = quick().fit_resample(X, y)
    new = X_resampled[400:][y_resampled[400:] == "V"]
    assert (new[:, -8:] == 0).all()
    assert np.ptp(new[:, :-8], axis=1).min() > 0


def test_padding_is_what_most_padded_rows_end_in(rng):
    X = rng.normal(size=(100, 1, 20))
    X[:30, :, -4:] = 0
    X[30:32, :, -2:] = [[-9]], [[9]]
    n_padded = prepared(X).padding.sum(axis=2)[:, 0]
    np.testing.assert_array_equal(n_padded, np.repeat([4, 0], [30, 70]))


@pytest.mark.parametrize("n_others", [9, 12])
@pytest.mark.parametrize("dtype", [np.float16, np.float64])
@pytest.mark.parametrize("prepare", [as_range, standardized])
def test_nine_of_ten_rows_agree_where_they_were_scaled(rng, n_others, dtype, prepare):
    X = rng.normal(2, 3, size=(100, 1, 20))
    X[n_others:] = prepare(X[n_others:])
    assert prepared(X.astype(dtype)).scaled == (n_others < 10)


@pytest.mark.parametrize(
    ("n_others", "is_scaled"), [(8, True), (10, True), (12, False), (14, False)]
)
def test_half_of_each_class_agree_where_rows_were_scaled(rng, n_others, is_scaled):
    X = as_range(rng.normal(size=(400, 1, 20)))
    X[380 : 380 + n_others] *= 2
    assert Preparation(X, np.arange(400) >= 380).scaled == is_scaled


@pytest.mark.parametrize(("off", "is_scaled"), [(0.0008, True), (0.003, False)])
def test_rows_agree_within_a_thousandth(rng, off, is_scaled):
    X = as_range(rng.uniform(size=(100, 1, 20)))
    X[::2] *= 1 + off
    assert prepared(X).scaled == is_scaled


def test_a_lead_that_a_fifth_of_the_rows_has(rng):
    X = rng.normal(size=(200, 2, 20))
    X[:, 0] = standardized(X[:, 0])
    X[40:, 1] = 0
    assert not prepared(X).scaled
    X[15:, 1] = 0
    assert prepared(X).scaled


def test_three_rows_of_a_class_that_end_alike_are_padded(rng):
    X = rng.normal(size=(200, 1, 20))
    X[197:, :, -5:] = 0
    assert Preparation(X, np.arange(200) >= 190).padding.sum() == 15


@pytest.mark.parametrize(
    "make", [np.square, lambda X: np.abs(np.fft.rfft(X, axis=-1)) ** 2, lambda X: np.exp(3 * X)]
)
def test_what_comes_near_0_by_itself_has_no_common_floor(rng, make):
    X = make(rng.normal(size=(200, 1, 40)))
    new = prepared(X).give(make(rng.normal(size=(200, 1, 40))))
    assert len(np.unique(new.min(axis=2))) == 200


def test_rows_that_are_never_negative_are_bent_where_they_would_be(rng):
    """Towards the least value of all, from the usual least one of a row."""
    X = np.exp(2 * rng.normal(size=(300, 1, 30)))
    lower = X.min(axis=2, keepdims=True) * rng.uniform(1, 3, size=(300, 1, 1))
    new = prepared(X).give(np.where(rng.uniform(size=X.shape) < 0.1, -lower, X))
    assert (new > X.min()).all()
    assert np.quantile(X.min(axis=2), 0.05) < np.median(new.min(axis=2))
    np.testing.assert_array_equal(prepared(X).give(X), X)


@pytest.mark.parametrize("order", [np.inf, "largest"])
def test_divided_rows_have_one_top(rng, order):
    X = rng.normal(size=(300, 1, 30))
    X /= X.max(axis=2, keepdims=True) if order == "largest" else np.abs(X).max(axis=2)[..., None]
    np.testing.assert_allclose(prepared(X).give(1.2 * X), X)


def test_leads_that_were_padded_and_then_scaled_each(rng):
    X = rng.normal(size=(300, 2, 40))
    X[:, 1] = 3 * X[:, 1] + 5
    X = as_range(padded(X, rng.integers(2, 20, size=300), value=-1.5))
    new = prepared(X).give(rng.normal(size=X.shape), np.arange(300))
    np.testing.assert_array_equal(new.min(axis=2), 0)
    np.testing.assert_array_equal(new.max(axis=2), 1)


@pytest.mark.parametrize("share", [0.93, 1.0])
def test_a_floor_that_nearly_all_rows_reach_again_and_again(rng, share):
    X = np.maximum(rng.normal(size=(400, 1, 30)), -0.5)
    X[: round((1 - share) * 400)] += 2
    higher = X + 0.25
    new = prepared(X).give(higher)
    if share < 1:  # it is a limit
        np.testing.assert_array_equal(new, higher)
    else:  # it may as well be an offset that was taken out
        np.testing.assert_allclose(new, X)


def test_a_limit_beside_an_offset(rng):
    X = np.clip(rng.uniform(10, 80, (300, 1, 1)) * (rng.normal(size=(300, 1, 30)) + 0.3), 0, 100)
    new = prepared(X).give(1.3 * X)
    assert new.min() == 0
    assert 99 < new.max() <= 100


def test_which_of_two_ways_rows_were_divided(rng):
    """Nine of ten have the same largest magnitude, and all the same largest value."""
    X = np.abs(rng.normal(size=(400, 1, 30)))
    X[:20, :, 7] = -9 * X[:20].max(axis=2)
    X /= X.max(axis=2, keepdims=True)
    new = prepared(X).give(2 * X)
    np.testing.assert_allclose(new.max(axis=2), 1)


def test_whole_numbers_of_a_converter(rng):
    X = np.rint(20 * rng.normal(size=(300, 1, 40)).cumsum(axis=2))
    new = prepared(X).give(1.5 * X)
    np.testing.assert_array_equal(prepared(X + 4000).give(1.5 * X + 4000) - 4000, new)


def test_zeros_of_padding_are_no_floor(rng):
    X = padded(0.01 + rng.exponential(size=(300, 1, 30)), np.where(np.arange(300) % 3, 0, 5))
    noise = 0.5 * rng.normal(size=X.shape)
    preparation = prepared(X)
    new = preparation.give(X + noise, np.arange(300))
    assert (new[~preparation.padding] > 0).all()


def test_what_is_flat_beside_padding_stays_within_the_range():
    X = np.array([[1, 1, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0]] * 30, dtype=float)[
        :, None
    ]
    new = prepared(X).give(np.full((30, 1, 4), -0.9), np.arange(30))
    assert (new.min(), new.max()) == (0, 1)


def test_padding_beyond_the_limits_moves_nothing(rng):
    X = padded(0.01 + rng.exponential(size=(60, 1, 30)), np.full(60, 4), value=-99.0)
    np.testing.assert_array_equal(prepared(X).give(X, np.arange(60)), X)


@pytest.mark.parametrize("value", [0.0, -99.0, 99.0])
def test_padding_of_all_rows_is_nothing_else_that_they_share(rng, value):
    X = padded(0.01 + rng.exponential(size=(60, 1, 30)), rng.integers(2, 9, size=60), value)
    preparation = prepared(X)
    assert not preparation.ways
    np.testing.assert_array_equal(preparation.give(X, np.arange(60)), X)


def test_padding_does_not_hide_what_divided_the_rest(rng):
    X = rng.uniform(0.2, 1, size=(60, 1, 30)) * rng.uniform(1, 5, size=(60, 1, 1))
    X = padded(X, rng.integers(2, 9, size=60))
    X /= X.max(axis=2, keepdims=True)
    higher = 1.5 * X + np.where(X > 0, 0.1, 0)
    new = prepared(X).give(higher, np.arange(60))
    np.testing.assert_allclose(new, higher / higher.max(axis=2, keepdims=True))


BOTH = [
    lambda X: divided(np.inf)(centred(X)),
    lambda X: divided(2)(on_the_ground(X)),
    lambda X: divided(1)(on_the_ground(X)),
    lambda X: together(divided(np.inf))(centred(X)),
    lambda X: together(standardized)(centred(X)),
]


@pytest.mark.parametrize("prepare", BOTH)
@pytest.mark.parametrize("n_padded", [0, 7])
def test_what_was_moved_and_then_divided_is_both(rng, prepare, n_padded):
    X = prepare(rng.gamma(2, size=(200, 2, 40 - n_padded)) * rng.uniform(1, 4, size=(200, 2, 1)))
    noise = 0.3 * X.std() * rng.normal(size=(200, 2, 40))
    X = np.pad(X, ((0, 0), (0, 0), (0, n_padded)), constant_values=-0.5)
    like = np.arange(200)
    preparation = prepared(X)
    np.testing.assert_allclose(preparation.give(X, like), X, atol=1e-12)
    new = preparation.give(X + noise, like)[..., : 40 - n_padded]
    np.testing.assert_allclose(prepare(new), new, atol=1e-12)


def test_a_whole_number_that_goes_with_each_row_has_no_step(rng):
    X = rng.normal(size=(200, 2, 30))
    X[:, 1] = rng.integers(2, 99, size=(200, 1))
    given = X.copy()
    given[:, 1] += 0.3
    np.testing.assert_array_equal(prepared(X).give(given)[:, 1], X[:, 1])


@pytest.mark.parametrize(("values", "others"), [([-1, 1], None), ([0, 255], None), ([3, 19], 16)])
def test_whole_numbers_keep_to_their_step(rng, values, others):
    X = rng.choice(np.array(values, dtype=float), size=(200, 1, 40))
    if others:
        X += others * rng.integers(-5, 5, size=X.shape)
    given = (X[:100] + X[100:]) / 2
    new = prepared(X).give(given)
    assert np.isin(new, X).all()
    off = np.abs(new.sum(axis=2) - given.sum(axis=2))
    assert off.max() <= (values[1] - values[0]) / 2


@pytest.mark.parametrize("order", [1, 2])
def test_pulses_that_were_divided_by_their_norm(rng, order):
    X = divided(order)(pulses(rng, 150, 40) * rng.uniform(1, 4, size=(190, 1, 1)))
    preparation = prepared(X)
    like = rng.integers(190, size=500)
    new = preparation.give(X[like] + 0.02 * rng.normal(size=(500, 1, 64)), like)
    assert new.min() >= 0
    np.testing.assert_allclose(np.linalg.norm(new, order, axis=2), 1)


def test_rows_of_one_mean_that_are_never_negative(rng):
    X = np.exp(2 * rng.poisson(0.05, size=(200, 1, 64)))
    X /= X.sum(axis=2, keepdims=True)
    X = np.maximum(X - 0.004, 0)
    X += 0.01 - X.mean(axis=2, keepdims=True)
    assert X.min() > 0
    new = prepared(X).give(X[:100] + 0.3 * X[100:], np.arange(100))
    assert new.min() >= 0
    np.testing.assert_allclose(new.mean(axis=2), 0.01)


def test_rows_are_looked_at_all_over(rng):
    X = rng.normal(size=(20_000, 1, 5))
    X[:6000] = as_range(X[:6000])
    assert not prepared(X).scaled


def test_a_top_beside_a_ground_that_was_taken_to_0(rng):
    heights = rng.uniform(1, 4, size=(300, 1, 1))
    X = np.minimum(on_the_ground(rng.normal(size=(300, 1, 30)) * heights), 5)
    new = prepared(X).give(X - 1 + 0.2 * rng.normal(size=X.shape))
    np.testing.assert_array_equal(new.min(axis=2), 0)
    assert new.max() == 5


@pytest.mark.parametrize("level", [5, 6])
def test_division_leaves_a_floor_of_0(rng, level):
    X = rng.normal(size=(300, 1, 30)) * rng.uniform(1, 4, size=(300, 1, 1))
    X = np.maximum(X + level * rng.uniform(0.5, 1, size=(300, 1, 1)), 0)
    X /= X.max(axis=2, keepdims=True)
    assert prepared(X).give(X + 0.1 * rng.normal(size=X.shape)).min() == 0


def test_padding_below_0_does_not_make_rows_negative(rng):
    n_padded = np.where(np.arange(300) % 3, 0, 5)
    for X in (0.01 + rng.exponential(size=(300, 1, 30)), 0.0 + rng.poisson(5, size=(300, 1, 30))):
        preparation = prepared(padded(X, n_padded, -9.0))
        new = preparation.give(X + 3 * rng.normal(size=X.shape), np.arange(300))
        inside = new[~preparation.padding]
        assert inside.min() == 0 if (X == 0).any() else inside.min() > 0


def test_padding_is_not_the_smallest_value(rng):
    X = padded(0.5 + rng.exponential(size=(300, 1, 30)), np.full(300, 5), 1e-6)
    preparation = prepared(X)
    new = preparation.give(X + 0.5 * rng.normal(size=X.shape), np.arange(300))
    assert new[~preparation.padding].min() > 0.25


def test_whole_numbers_beyond_those_that_floats_count(rng):
    X = 1e20 * rng.normal(size=(50, 1, 9))
    np.testing.assert_allclose(prepared(X).give(X), X, rtol=1e-2)


def test_a_level_far_above_what_varies_is_no_size(rng):
    assert not prepared(1e5 + rng.normal(size=(200, 1, 30))).ways


def test_what_varies_by_rounding_is_flat(rng):
    X = as_range(rng.normal(size=(50, 1, 20)))
    new = prepared(X).give(7 + 1e-9 * rng.normal(size=(9, 1, 20)))
    assert np.abs(new).max() < 1e-6


def test_padding_of_few_rows_of_a_class_is_that_of_all(rng):
    X = rng.normal(size=(200, 1, 20))
    X[:60, :, -5:] = 0
    labels = np.isin(np.arange(200), [58, 59, *range(190, 198)])
    n_padded = Preparation(X, labels).padding.sum(axis=2)[:, 0]
    np.testing.assert_array_equal(n_padded, np.repeat([5, 0], [60, 140]))


def test_a_row_that_ends_in_the_padded_value_once_is_not_padded(rng):
    X = rng.normal(size=(100, 1, 20))
    X[:30, :, -4:], X[50, :, -1] = 0, 0
    assert prepared(X).padding.sum() == 30 * 4


def test_leads_of_one_unit_of_which_one_is_dead(rng):
    X = rng.normal(2, 3, size=(60, 2, 20))
    X[:, 1] = rng.normal(size=(60, 1))
    new = prepared(together(standardized)(X)).give(rng.normal(size=(9, 2, 20)))
    np.testing.assert_allclose(together(standardized)(new), new, atol=1e-12)


def test_the_step_is_that_of_all_parts_of_the_rows(rng, monkeypatch):
    monkeypatch.setattr(_arrays, "_N_VALUES", 30)
    X = 2.0 * rng.integers(-50, 50, size=(100, 1, 20))
    X[50:] += 1
    assert prepared(X).step == 1


def test_rows_that_were_hung_at_0(rng):
    X = rng.normal(size=(200, 2, 30)) * rng.uniform(1, 4, size=(200, 1, 1))
    new = prepared(-on_the_ground(X)).give(rng.normal(-9, 1, size=(50, 2, 30)))
    np.testing.assert_allclose(new.max(axis=2), 0, atol=1e-12)
