"""Choosing rows: by neighbours, without copies, always as many as asked for."""

import numpy as np
import pytest

from sktsgan._selection import NeighborSelection, interpolate_rows, select_rows


@pytest.fixture
def selection(rng):
    """Return two clouds of 50 rows, around 0 and around 5."""
    X = np.concatenate([rng.normal(size=(50, 4)), rng.normal(5, 1, size=(50, 4))])
    return NeighborSelection(X, np.repeat([0, 1], 50))


def test_votes_and_distances_against_loops(selection, rng):
    X = rng.normal(2.5, 2, size=(20, 4))
    votes, distances = selection.judge(X, 1)
    for row, vote, distance in zip(X, votes, distances, strict=True):
        to_real = np.linalg.norm(selection.X - row, axis=1)
        nearest = np.argsort(to_real)[:3]
        assert vote == pytest.approx((selection.y[nearest] == 1).mean())
        assert distance == pytest.approx(to_real.min())


def test_rows_of_the_wrong_class_and_copies_are_left_out(selection, rng):
    def draw(n):
        kinds = [
            rng.normal(size=(n, 4)),
            rng.normal(5, 1, size=(n, 4)),
            selection.X[rng.choice(50, n)],
        ]
        return np.choose(rng.integers(3, size=n)[:, None], kinds)

    rows, n_right = select_rows(draw, 200, 0, selection, 0.5)
    assert rows.shape == (200, 4)
    assert n_right == 200
    assert (rows.mean(axis=1) < 3).all()
    votes, distances = selection.judge(rows, 0)
    assert (votes > 0.5).all()
    assert (distances > selection.copy_distance(0)).all()


def test_the_best_of_the_others_where_too_few_pass(selection, rng):
    def draw(n):  # hardly ever right
        rows = rng.normal(5, 1, size=(n, 4))
        rows[0] = rng.normal(size=4)
        return rows

    rows, n_right = select_rows(draw, 100, 0, selection, 0.5)
    assert rows.shape == (100, 4)
    assert 1 <= n_right < 10
    assert (rows[:n_right].mean(axis=1) < 3).all()


def test_only_copies_to_choose_from(selection):
    rows, n_right = select_rows(lambda n: np.resize(selection.X[:1], (n, 4)), 5, 0, selection, 0)
    assert rows.shape == (5, 4)
    assert n_right == 0


def test_copy_distance_of_one_row():
    assert NeighborSelection(np.ones((1, 3)), np.zeros(1)).copy_distance(0) == 0


@pytest.mark.parametrize("n_rows", [1, 2, 10])
def test_interpolated_rows_lie_near_the_lines(n_rows):
    X = np.random.default_rng(0).normal(size=(n_rows, 2, 30)).astype(np.float32)
    rows = interpolate_rows(X, 200, np.random.RandomState(0))
    assert rows.shape == (200, 2, 30)
    assert rows.dtype == np.float32
    assert len(np.unique(rows.reshape(200, -1), axis=0)) == 200
    # every row is gain times a point of a line plus an offset
    centred = rows - rows.mean(axis=(1, 2), keepdims=True)
    basis = (X - X.mean(axis=(1, 2), keepdims=True)).reshape(n_rows, -1)
    basis = np.concatenate([basis, np.ones((1, 60)), X.mean((1, 2))[:, None] * np.ones((1, 60))])
    solution, *_ = np.linalg.lstsq(basis.T, centred.reshape(200, -1).T, rcond=None)
    residual = basis.T @ solution - centred.reshape(200, -1).T
    assert np.abs(residual).max() < 1e-4
