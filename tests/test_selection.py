"""Choosing rows, and what real rows lend: votes, variation, fine detail."""

import tracemalloc

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from sktsgan import _selection
from sktsgan._selection import (
    Alignment,
    Detail,
    NeighborSelection,
    Variation,
    _even_starts,
    find_distinct,
    interpolate_rows,
    jittered,
    nearest_within,
    select_rows,
)
from sktsgan.datasets import make_heartbeats

ALIGNMENT = Alignment(0.05)


@pytest.fixture
def selection(rng):
    """Return two clouds of 50 rows, around 0 and around 5."""
    X = np.concatenate([rng.normal(size=(50, 4)), rng.normal(5, 1, size=(50, 4))])
    return NeighborSelection(X, np.repeat([0, 1], 50), ALIGNMENT)


def select(draw, n_rows, selection, rng=None):
    """Select rows of class 0."""

    def judge(X):
        return selection.judge(X, 0)

    power = None if rng is None else 0.25
    return select_rows(draw, judge, n_rows, selection.copy_distance(0), power, rng)


def test_votes_and_distances_against_loops(selection, rng):
    X = rng.normal(2.5, 2, size=(20, 4))
    votes, distances = selection.judge(X, 1)
    for row, vote, distance in zip(X, votes, distances, strict=True):
        to_real = np.linalg.norm(selection.X - row, axis=1)
        nearest = np.argsort(to_real)[:3]
        low = np.ptp(row) <= max(np.ptp(real) for real in selection.X)
        assert vote == pytest.approx((selection.y[nearest] == 1).mean() * low)
        assert distance == pytest.approx(to_real.min())


def test_no_votes_for_rows_higher_than_all_in_one_channel():
    X = np.array([[0, 1, 0, 4], [5, 7, 0, 2], [0, 1, 0, 1]], dtype=np.float32)
    selection = NeighborSelection(X, np.array([1, 1, 0]), Alignment(0.05, n_channels=2))
    rows = [[0, 2, 9, 5], [0, 2 + 1e-6, 1, 1], [-1, 2, 0, 0], [3, 3, 0, 4.1], [3, 3, 3, 3]]
    votes, _ = selection.judge(np.array(rows, dtype=np.float32), 1)
    np.testing.assert_allclose(votes, np.array([2, 2, 0, 0, 2]) / 3)


def test_rows_of_the_wrong_class_and_copies_are_left_out(selection, rng):
    def draw(n):
        kinds = [
            rng.normal(size=(n, 4)),
            rng.normal(5, 1, size=(n, 4)),
            selection.X[rng.choice(50, n)],
        ]
        return np.choose(rng.integers(3, size=n)[:, None], kinds)

    rows, n_right, n_copies = select(draw, 200, selection, np.random.RandomState(0))
    assert rows.shape == (200, 4)
    assert (n_right, n_copies) == (200, 0)
    assert (rows.mean(axis=1) < 3).all()
    votes, distances = selection.judge(rows, 0)
    assert (votes > 0).all()
    assert (distances > selection.copy_distance(0)).all()


def test_the_best_of_the_others_where_too_few_pass(selection, rng):
    def draw(n):  # hardly ever right
        rows = rng.normal(5, 1, size=(n, 4))
        rows[0] = rng.normal(size=4)
        return rows

    rows, n_right, n_copies = select(draw, 100, selection, np.random.RandomState(0))
    assert rows.shape == (100, 4)
    assert 1 <= n_right < 10
    assert n_copies == 0
    assert (rows[:n_right].mean(axis=1) < 3).all()


def test_only_copies_to_choose_from(selection):
    def draw(n):
        return np.resize(selection.X[:1], (n, 4))

    rows, *numbers = select(draw, 5, selection)
    assert rows.shape == (5, 4)
    assert numbers == [0, 5]


def test_a_copy_is_one_to_the_last_digit():
    X = np.random.default_rng(0).normal(1000, 1, size=(40, 30)).astype(np.float32)
    _, distances = NeighborSelection(X, np.zeros(40), ALIGNMENT).judge(X, 0)
    assert (distances == 0).all()


def test_what_is_there_twice_in_a_class_is_left_out(rng):
    X = rng.normal(size=(30, 4))
    y = rng.integers(2, size=30)
    for again in (
        find_distinct(X, y),
        find_distinct(np.concatenate([X, X[:9]]), np.append(y, y[:9])),
    ):
        np.testing.assert_array_equal(again, np.arange(30))
    assert len(find_distinct(np.concatenate([X, X]), np.append(y, 1 - y))) == 60


def test_copy_distance_of_one_row():
    """It is what rounding makes of the row."""
    distance = NeighborSelection(np.ones((1, 4)), np.zeros(1), ALIGNMENT).copy_distance(0)
    assert distance == pytest.approx(2e-5)


@pytest.mark.parametrize("n_rows", [1, 2, 10])
def test_interpolated_rows_are_weighted_means_of_neighbours(n_rows):
    X = np.random.default_rng(0).normal(size=(n_rows, 19)).astype(np.float32)
    neighbors, shifts = ALIGNMENT.nearest(X)
    assert not shifts.any()  # rows as short as these stay where they are
    rows = interpolate_rows(X, 200, np.random.RandomState(0), ALIGNMENT, neighbors, shifts)
    assert rows.shape == (200, 19)
    assert rows.dtype == np.float32
    left = []
    for first, *others in X[neighbors].astype(float):  # nothing beside what their differences span
        ways = np.reshape(others, (-1, 19)) - first
        left.append(rows - first - (rows - first) @ np.linalg.pinv(ways) @ ways)
    assert np.abs(left).max(axis=2).min(axis=0).max() < 1e-5
    assert len(np.unique(rows, axis=0)) == (1 if n_rows == 1 else 200)


def test_interpolated_rows_scatter_as_a_share_of_their_neighbours(rng):
    X = rng.normal(size=(6, 10))
    rows = interpolate_rows(X, 40_000, np.random.RandomState(0), ALIGNMENT, *ALIGNMENT.nearest(X))
    np.testing.assert_allclose(rows.mean(axis=0), X.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(np.cov(rows.T), 0.7**2 * np.cov(X.T), atol=0.03)


def test_ends_of_interpolated_rows_are_those_of_a_row(rng):
    signal = rng.normal(size=220).cumsum()  # no two points alike
    X = np.stack([signal[start : start + 200] for start in range(12)])
    X += 1e-3 * rng.normal(size=X.shape)
    neighbors, shifts = ALIGNMENT.nearest(X)
    assert np.abs(shifts).max() >= 3
    rows = interpolate_rows(X, 300, np.random.RandomState(0), ALIGNMENT, neighbors, shifts)
    steps = np.abs(np.diff(rows, axis=1))
    assert (steps[:, [0, 1, -2, -1]] > 0).all()


def test_rows_at_the_rim_take_part_as_those_in_the_middle(rng):
    X = rng.standard_t(3, size=(200, 6))
    neighbors = nearest_within(X, 5)
    shares = np.bincount(neighbors.ravel(), minlength=200) / neighbors.size
    evened = np.zeros(200)
    for start, near in zip(_even_starts(neighbors), neighbors, strict=True):
        evened[near] += start / 6
    assert evened.sum() == pytest.approx(1)
    assert np.abs(evened - 1 / 200).sum() < 0.7 * np.abs(shares - 1 / 200).sum()


def test_rows_of_many_replicates():
    X = np.repeat(np.random.default_rng(0).normal(size=(2, 5)), 20, axis=0)
    rows = interpolate_rows(X, 50, np.random.RandomState(0), ALIGNMENT, *ALIGNMENT.nearest(X))
    assert np.isfinite(rows).all()


def test_ends_are_near_ones(rng):
    X = np.concatenate([rng.normal(size=(6, 4)), rng.normal(100, 1, size=(6, 4))])
    rows = interpolate_rows(X, 100, np.random.RandomState(0), ALIGNMENT, *ALIGNMENT.nearest(X))
    assert not ((rows > 15) & (rows < 85)).any()


@pytest.mark.parametrize("n_channels", [1, 2])
def test_shifts_against_loops(rng, n_channels):
    X, like = rng.normal(size=(2, 30, n_channels * 70))
    X[:10] = np.roll(like[:10].reshape(10, n_channels, 70), -3, axis=2).reshape(10, -1)
    alignment = Alignment(0.05, n_channels)
    shifts, distances = alignment.find(X, like)
    assert (shifts[:10] == 3).all()
    for i, row in enumerate(X.reshape(30, n_channels, 70)):
        by_shift = {}
        for shift in range(-3, 4):  # 0.05 of 70
            ends = [row[:, :1]] * max(shift, 0) + [row] + [row[:, -1:]] * max(-shift, 0)
            there = np.concatenate(ends, axis=1)
            there = there[:, :70] if shift > 0 else there[:, -70:]
            by_shift[shift] = ((there.ravel() - like[i]) ** 2).sum()
        best = min(by_shift, key=by_shift.get)
        assert shifts[i] == best
        assert distances[i] == pytest.approx(by_shift[best])


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("n_timepoints", [2, 9])
def test_differences_against_loops(rng, n_channels, n_timepoints):
    X, others = rng.normal(size=(2, 40, n_channels * n_timepoints))
    shifts = rng.integers(-12, 13, size=40)
    differences = Alignment(0.5, n_channels).differences(X, shifts, others)
    parts = (rows.reshape(40, n_channels, n_timepoints) for rows in (X, others, differences))
    for row, other, difference, shift in zip(*parts, shifts, strict=True):
        shift = min(max(shift, 1 - n_timepoints), n_timepoints - 1)
        both = [t for t in range(n_timepoints) if 0 <= t - shift < n_timepoints]
        for t in range(n_timepoints):
            near = min(both, key=lambda place: abs(place - t))  # ends go on
            np.testing.assert_array_equal(difference[:, t], row[:, near - shift] - other[:, near])


def test_long_rows_are_moved_in_longer_steps():
    row = np.exp(-(((np.arange(2000) - 1000) / 30) ** 2))[None]
    for shift in (-100, -60, 1, 37, 100):
        found, _ = ALIGNMENT.find(row, np.roll(row, shift))
        assert abs(found[0] - shift) <= 2  # 100 points in 32 steps


def test_no_rows_are_moved_nowhere():
    empty = np.empty((0, 70), dtype=np.float32)
    assert ALIGNMENT.subtract(empty, empty).shape == (0, 70)


def test_rows_that_fit_as_they_are_stay():
    shifts, distances = ALIGNMENT.find(np.ones((5, 70)), np.zeros((5, 70)))
    assert not shifts.any()
    np.testing.assert_array_equal(distances, 70)


def bumps(rng, n_rows=60, width=2.0):
    """Return bumps of one shape at places within three points, and the places."""
    places = rng.uniform(47, 53, size=n_rows)
    return np.exp(-(((np.arange(100) - places[:, None]) / width) ** 2) / 2), places


def test_nearest_rows_are_so_once_they_are_moved(rng):
    X, places = bumps(rng)
    X[:30] *= 2  # near in time are rows of both heights
    neighbors, shifts = ALIGNMENT.nearest(X)
    np.testing.assert_array_equal(neighbors[:, 0], np.arange(60))
    assert not shifts[:, 0].any()
    assert ((neighbors < 30) == (np.arange(60) < 30)[:, None]).all()
    apart = places[:, None] - places[neighbors]
    assert np.abs(apart - shifts).max() < 1
    assert np.abs(shifts).max() >= 3


def test_voters_are_nearest_once_they_are_moved(rng):
    X, _ = bumps(rng, n_rows=30)  # as many as are candidates
    wide, _ = bumps(rng, n_rows=15, width=3.0)
    X[15:] = wide
    y = np.repeat([0, 1], 15)
    rows, _ = bumps(rng, width=2.3)
    rows *= np.repeat([0.8, 0.98], 30)[:, None]  # none is too high
    votes, distances = NeighborSelection(X, y, ALIGNMENT).judge(rows, 0)
    for row, vote, distance in zip(rows, votes, distances, strict=True):
        moved = [np.roll(X, shift, axis=1) for shift in range(-5, 6)]  # flat at their ends
        lefts = np.min([np.linalg.norm(there - row, axis=1) for there in moved], axis=0)
        assert vote == pytest.approx((y[np.argsort(lefts)[:3]] == 0).mean())
        assert distance == pytest.approx(np.linalg.norm(X - row, axis=1).min())
    assert (votes[30:] == 1).all()
    where_they_are = NeighborSelection(X, y, Alignment(0)).judge(rows, 0)[0]
    assert (where_they_are[30:] < 1).any()


def test_means_of_rows_at_other_places_are_as_sharp_and_where_those_are(rng):
    X, places = bumps(rng)
    rows = interpolate_rows(X, 2000, np.random.RandomState(0), ALIGNMENT, *ALIGNMENT.nearest(X))
    assert np.abs(rows.max(axis=1) - 1).max() < 0.15
    found = rows.argmax(axis=1)
    assert found.min() >= 46
    assert found.max() <= 54
    assert found.std() == pytest.approx(places.std(), rel=0.15)


def test_variation_is_not_in_time():
    """Seven bumps, each a point later than the last, lend nothing; seven heights do."""
    times = np.arange(100) - np.arange(47, 54)[:, None]
    in_place = np.exp(-((times / 2) ** 2) / 2)
    in_height = in_place[:1] * np.arange(1, 8)[:, None]
    drawn = Variation(in_place, np.random.RandomState(0), ALIGNMENT).draw(
        in_place, np.random.RandomState(1)
    )
    np.testing.assert_allclose(drawn, 0, atol=1e-12)
    drawn = Variation(in_height, np.random.RandomState(0), ALIGNMENT).draw(
        in_place, np.random.RandomState(1)
    )
    multiples = np.abs(drawn[:, 47] / in_place[0, 47])
    np.testing.assert_allclose(multiples, multiples.round(), atol=1e-9)
    assert multiples.min() >= 1


@pytest.mark.parametrize("n_channels", [1, 2])
def test_differences_are_across_the_slope(rng, n_channels):
    X, others = rng.normal(size=(2, 20, n_channels * 50))
    alignment = Alignment(0.05, n_channels)
    differences = alignment.differences(X, alignment.find(X, others)[0], others)
    left = alignment.subtract(X, others)
    for difference, other, rest in zip(differences, others, left, strict=True):
        slope = np.concatenate([np.gradient(lead) for lead in np.split(other, n_channels)])
        assert rest @ slope == pytest.approx(0, abs=1e-9)
        share = difference @ slope / (slope @ slope)
        np.testing.assert_allclose(rest, difference - share * slope)
    flat = np.zeros_like(X)
    np.testing.assert_array_equal(alignment.subtract(flat + 1, flat), flat + 1)
    np.testing.assert_array_equal(Alignment(0, n_channels).subtract(X, others), X - others)


def test_a_shift_by_half_a_point_leaves_next_to_nothing():
    times = np.arange(100.0)
    there, later = (np.exp(-(((times - place) / 4) ** 2) / 2)[None] for place in (50, 50.5))
    assert np.abs(later - there).max() > 0.07
    assert np.abs(ALIGNMENT.subtract(later, there)).max() < 0.01


def test_jitter_is_gain_and_offset(rng):
    X = rng.normal(size=(2000, 8)).astype(np.float32)
    rows = jittered(X, np.random.RandomState(0))
    assert rows.dtype == np.float32
    gain = rows.std(axis=1) / X.std(axis=1)
    offset = (rows - gain[:, None] * X).mean(axis=1)
    assert np.allclose(rows, gain[:, None] * X + offset[:, None], atol=1e-4)
    assert gain.std() == pytest.approx(0.1, rel=0.1)
    assert offset.std() == pytest.approx(0.05, rel=0.1)


def clouds(rng, n_clouds=3):
    """Return clouds of 40 rows far apart, and where each row is from."""
    centres = 100 * rng.normal(size=(n_clouds, 5))
    spread = np.geomspace(0.1, 10, n_clouds)
    X = [centre + s * rng.normal(size=(40, 5)) for centre, s in zip(centres, spread, strict=True)]
    return np.concatenate(X), np.repeat(np.arange(n_clouds), 40)


def test_variation_is_that_of_neighbours_near_the_row(rng):
    X, cloud = clouds(rng)
    rows = np.repeat(X, 20, axis=0)
    drawn = Variation(X, np.random.RandomState(0), ALIGNMENT).draw(rows, np.random.RandomState(1))
    assert np.abs(drawn.mean(axis=0)).max() < 0.3  # either way round
    differences = [
        {tuple(np.round(a - b, 9)) for a in own for b in own}
        for own in (X[cloud == i] for i in range(3))
    ]
    for row, i in zip(np.round(drawn, 9), np.repeat(cloud, 20), strict=True):
        assert tuple(row) in differences[i]


def test_most_steps_are_short_and_none_is_beyond_the_limit(rng):
    X = clouds(rng, n_clouds=1)[0] + 1000 * rng.normal(size=5)  # high beside their differences
    rows = np.repeat(X, 50, axis=0)
    variation = Variation(X, np.random.RandomState(0), ALIGNMENT)
    moved = variation.vary(rows, 4.0, np.random.RandomState(1)) - rows
    seed = np.random.RandomState(1)
    seed.uniform(size=(len(rows), 1))  # the steps are drawn first
    drawn = variation.draw(rows, seed)
    steps = (moved * drawn).sum(axis=1) / (drawn**2).sum(axis=1)
    np.testing.assert_allclose(moved, steps[:, None] * drawn, atol=1e-9)
    assert 0 <= steps.min() < 0.01
    assert 3.9 < steps.max() <= 4
    assert np.median(steps) == pytest.approx(1, abs=0.1)  # 4 u^2 at u = 1/2


def test_variation_does_not_drown_a_row(rng):
    X = rng.normal(size=(50, 30)).astype(np.float32)
    X[0] = X[1]
    variation = Variation(X, np.random.RandomState(0), ALIGNMENT)
    rows = rng.normal(7, np.geomspace(0.01, 100, 500)[:, None], size=(500, 30)).astype(np.float32)
    moved = variation.vary(rows, 4.0, np.random.RandomState(1))
    assert moved.dtype == np.float32
    shares = (moved - rows).std(axis=1) / rows.std(axis=1)
    assert shares.max() == pytest.approx(1, abs=1e-3)
    assert (shares[:100] > 0.99).mean() > 0.5
    flat = np.full((20, 30), 7.0, dtype=np.float32)
    np.testing.assert_array_equal(variation.vary(flat, 4.0, np.random.RandomState(1)), flat)


def test_variation_of_one_row_is_none():
    variation = Variation(np.ones((1, 5)), np.random.RandomState(0), ALIGNMENT)
    rows = np.zeros((3, 5))
    np.testing.assert_array_equal(variation.vary(rows, 3.0, np.random.RandomState(1)), rows)


def test_detail_comes_from_near_rows_of_the_class(rng):
    """Coarse: the first of 20 coordinates. Fine: the others, of which each class has its own."""
    X = 0.01 * rng.normal(size=(100, 20))
    X[:, 0] = rng.normal(size=100)
    X[:50, 1:] += 0.05
    synthetic = np.zeros((30, 20))
    synthetic[:, 0] = rng.normal(size=30)
    detail = Detail(X, 0.03)
    given = detail.give(synthetic, X[:50], np.random.RandomState(0))
    assert np.allclose(given[:, 0], synthetic[:, 0], atol=0.1)
    assert given[:, 1:].mean() == pytest.approx(0.05, abs=0.01)
    assert given[:, 1:].std() == pytest.approx(0.01, rel=0.2)
    lent = given - detail.without(given)
    own = X[:50] - detail.without(X[:50])
    distances = np.linalg.norm(lent[:, None] - own, axis=2).min(axis=1)
    assert distances.max() < 1e-9


def test_detail_is_measured_on_all_classes_where_they_alternate(rng):
    X = 0.01 * rng.normal(size=(8000, 6))
    X[::2, 0] += rng.normal(size=4000)
    X[1::2, 1] += rng.normal(size=4000)
    detail = Detail(X, 0.03)
    for rows in (X[::2], X[1::2]):
        assert (rows - detail.without(rows)).var() < 0.03 * rows.var()


def test_copy_distance_is_a_tenth_of_the_usual_one(selection):
    nearest = np.sort(cdist(selection.X[:50], selection.X[:50]), axis=1)[:, 1]
    assert selection.copy_distance(0) == pytest.approx(0.1 * np.median(nearest))


@pytest.mark.parametrize("power", [0.25, np.inf])
def test_rows_are_kept_by_a_power_of_their_votes(power):
    votes = np.arange(4) / 3
    rows, n_right, _ = select_rows(
        lambda n: np.column_stack([np.resize(votes, n), np.ones(n)]),
        np.transpose,  # rows hold their votes and their distance
        8000,
        0.5,
        power,
        np.random.RandomState(0),
    )
    counts = np.array([(rows[:n_right, 0] == vote).sum() for vote in votes])
    np.testing.assert_allclose(counts / counts[3], votes**power, atol=0.03)


def test_the_others_follow_by_votes_and_copies_last():
    kinds = np.array([[1, 0], [0, 0], [0, 1]])  # copies with votes and without, and no copies
    rows, n_right, n_copies = select_rows(
        lambda n: np.resize(kinds, (n, 2)), np.transpose, 100, 0.5, 0.25, np.random.RandomState(0)
    )
    assert (n_right, n_copies) == (0, 53)
    np.testing.assert_array_equal(rows, np.repeat(kinds[[2, 0, 1]], [47, 47, 6], axis=0))


@pytest.mark.parametrize(("n_rows", "n_partners"), [(40, 5), (2000, 10)])
def test_variation_against_loops(rng, n_rows, n_partners):
    X, row = rng.normal(size=(n_rows, 3)), rng.normal(size=(1, 3))
    expected = set()
    for donor in np.argsort(cdist(row, X)[0])[:5]:
        for partner in np.argsort(cdist(X[[donor]], X)[0])[1 : n_partners + 1]:
            difference = np.round(X[partner] - X[donor], 9)
            expected |= {tuple(difference), tuple(-difference)}
    drawn = Variation(X, np.random.RandomState(0), ALIGNMENT).draw(
        np.repeat(row, 5000, axis=0), np.random.RandomState(1)
    )
    assert {tuple(d) for d in np.round(drawn, 9)} == expected


def test_rows_start_as_often_as_evens_out(rng):
    X = rng.normal(size=(50, 4))
    X[-1] = 1000  # nobody's neighbour
    neighbors, shifts = ALIGNMENT.nearest(X)
    rows = interpolate_rows(X, 20_000, np.random.RandomState(0), ALIGNMENT, neighbors, shifts)
    expected = _even_starts(neighbors)[-1]
    assert expected > 2 / 50
    assert (np.abs(rows).max(axis=1) > 20).mean() == pytest.approx(expected, rel=0.1)


def test_few_of_many_donors_are_of_all_kinds(rng, monkeypatch):
    monkeypatch.setattr(_selection, "_MAX_DONORS", 40)
    X, cloud = clouds(rng)
    kept = Variation(X, np.random.RandomState(0), ALIGNMENT).X
    assert len(kept) == 40
    assert set(cloud[cdist(kept, X).argmin(axis=1)]) == {0, 1, 2}


def test_detail_is_measured_on_all_rows_where_classes_are_sorted(rng):
    X = 0.01 * rng.normal(size=(8000, 6))
    X[:6000, 0] += rng.normal(size=6000)
    X[6000:, 1] += rng.normal(size=2000)
    detail = Detail(X, 0.03)
    for rows in (X[:6000], X[6000:]):
        assert (rows - detail.without(rows)).var() < 0.03 * rows.var()


def test_detail_is_that_of_one_of_five(rng):
    X = 0.01 * rng.normal(size=(100, 20))
    X[:, 0] = rng.normal(size=100)
    detail = Detail(X, 0.03)
    given = detail.give(np.zeros((500, 20)), X, np.random.RandomState(0))
    own = X - detail.without(X)
    near = np.argsort(
        np.linalg.norm(detail.without(X) - detail.without(np.zeros((1, 20))), axis=1)
    )[:5]
    lent = cdist(given - detail.without(given), own).argmin(axis=1)
    assert set(lent) == set(near)


@pytest.mark.parametrize("shape", [(60, 20), (20, 60), (30, 30)])
@pytest.mark.parametrize("fraction", [0.03, 0.5, 1e-17])
def test_coarse_parts_are_the_first_singular_vectors(rng, shape, fraction):
    X = rng.normal(size=shape).cumsum(axis=1)
    _, sizes, directions = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)
    sizes = sizes[: min(shape[0] - 1, shape[1])]  # the mean takes one
    shares = np.cumsum(sizes**2) / np.sum(sizes**2)
    coarse = directions[: min(np.sum(shares < 1 - fraction) + 1, len(sizes))]
    new = rng.normal(size=(5, shape[1])).cumsum(axis=1)
    expected = X.mean(axis=0) + (new - X.mean(axis=0)) @ coarse.T @ coarse
    np.testing.assert_allclose(Detail(X, fraction).without(new), expected, atol=1e-8)


def test_equal_rows_have_no_detail(rng):
    np.testing.assert_array_equal(Detail(np.ones((4, 6)), 0.03).without(rng.normal(size=(2, 6))), 1)


def test_rows_are_moved_as_they_are_alone(rng):
    X, like = rng.normal(size=(2, 9, 50_000)).astype(np.float32)  # a few fit into a cache
    alignment = Alignment(0.001)
    shifts, distances = alignment.find(X, like)
    alone = [alignment.find(X[[i]], like[[i]]) for i in range(9)]
    np.testing.assert_array_equal(shifts, np.concatenate([part[0] for part in alone]))
    np.testing.assert_allclose(distances, np.concatenate([part[1] for part in alone]), rtol=1e-5)


def test_a_row_is_sought_until_there_is_no_hope(rng):
    """One in ten is right: 17 draws often have none, all rounds have some."""

    def judge(X):
        return (X[:, 0] < 0.1).astype(float), np.ones(len(X))

    found = [
        select_rows(lambda n: rng.uniform(size=(n, 1)), judge, 1, 0, 1, rng)[1] for _ in range(100)
    ]
    assert found == [1] * 100


def test_rows_that_fail_do_not_pile_up(rng):
    def judge(X):
        return (rng.uniform(size=len(X)) < 0.04).astype(float), np.ones(len(X))

    tracemalloc.start()
    try:
        rows, *_ = select_rows(lambda n: rng.normal(size=(n, 50)), judge, 1000, 0, 1, rng)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40 * rows.nbytes


def test_the_best_of_many_rounds_in_the_order_drawn(rng):
    drawn, votes = [], []

    def draw(n):
        drawn.append(np.arange(n, dtype=float)[:, None] + 1e6 * len(drawn))
        return drawn[-1]

    def judge(X):
        votes.append(rng.choice([0.03, 0.05, 0.07], size=len(X)))
        return votes[-1], np.ones(len(X))

    rows, n_right, _ = select_rows(draw, judge, 5000, 0, 1, rng)
    X, votes = np.concatenate(drawn), np.concatenate(votes)
    others = ~np.isin(X, rows[:n_right])[:, 0]
    best = np.argsort(-votes[others], kind="stable")[: 5000 - n_right]
    assert 0 < n_right < 5000
    np.testing.assert_array_equal(rows[n_right:], X[others][best])


def test_zeros_of_both_signs_are_equal():
    X = np.array([[0.0, 1.0], [-0.0, 1.0], [1.0, 1.0]])
    assert find_distinct(X, np.zeros(3)).tolist() == [0, 2]


def test_one_right_row_in_twelve_is_enough(rng):
    def judge(X):
        return (X[:, 0] < 1 / 12).astype(float), np.ones(len(X))

    _, n_right, _ = select_rows(lambda n: rng.uniform(size=(n, 1)), judge, 200, 0, 1, rng)
    assert n_right == 200


@pytest.mark.parametrize(("max_shift", "n_timepoints", "most"), [(0.25, 64, 16), (0.29, 100, 29)])
def test_rows_are_moved_by_the_whole_share(max_shift, n_timepoints, most):
    X = np.zeros((1, n_timepoints))
    X[0, n_timepoints // 2] = 1
    for shift in (most, -most):
        shifts, left = Alignment(max_shift).find(X, np.roll(X, shift, axis=1))
        assert (shifts[0], left[0]) == (shift, 0)
    assert Alignment(max_shift).find(X, np.roll(X, most + 1, axis=1))[1] > 0


def test_two_rows_of_a_class_have_a_distance_of_their_own(rng):
    X = np.concatenate([rng.normal(size=(50, 4)), [[90.0] * 4, [90.0, 90, 90, 93]]])
    selection = NeighborSelection(X, np.repeat([0, 1], [50, 2]), Alignment(0.05))
    assert selection.copy_distance(1) == pytest.approx(0.3)


def test_copy_distance_of_one_row_among_sorted_classes(rng):
    X = np.concatenate([rng.normal(size=(1000, 4)), rng.normal(0, 50, size=(3000, 4)), [[1.0] * 4]])
    selection = NeighborSelection(X, np.repeat([0, 1, 2], [1000, 3000, 1]), Alignment(0.05))
    nearest = selection.neighbors.kneighbors(X, 2)[0][:, 1]
    assert selection.copy_distance(2) == pytest.approx(0.1 * np.median(nearest), rel=0.1)


def test_a_row_at_the_copy_distance_is_a_copy():
    def draw(n):
        return np.zeros((n, 3))

    def judge(X):
        return np.ones(len(X)), np.full(len(X), 0.25)

    _, *numbers = select_rows(draw, judge, 5, 0.25, None, None)
    assert numbers == [0, 5]


def test_only_classes_that_are_wanted_are_searched(quick, monkeypatch):
    X, y = make_heartbeats(90, classes="NSVF", weights=[60, 10, 10, 10], random_state=0)
    with pytest.warns(UserWarning, match="fewer than the 20"):
        sampler = quick().fit(X, y)
    searched, nearest = [], Alignment.nearest
    monkeypatch.setattr(Alignment, "nearest", lambda *args: searched.append(1) or nearest(*args))
    sampler.sample(y=["N", "S", "S"])
    assert len(searched) == 1
