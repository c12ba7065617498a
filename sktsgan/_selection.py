"""Choosing among generated rows: right by their neighbours, and no copies."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

# Generated rows nearer to a training row than this share of the usual distance between
# neighbours of their class are near-copies.
_COPY_SHARE = 0.1
# Real rows that vote on the class of a generated one.
_N_VOTERS = 3
# Nearest rows of its class, one of which is the other end of an interpolation. Two beats of a class
# may point up and down, and what lies between those is no beat.
_N_ENDS = 5
# Rounds of drawing; a generator whose rows nearly all fail is not worth more.
_MAX_ROUNDS = 8


class NeighborSelection:
    """Judge rows by the real rows around them.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Real rows.
    y : ndarray of int of shape (n_samples,)
        Their classes.
    """

    def __init__(self, X, y):
        self.X, self.y = X, y
        self.neighbors = NearestNeighbors(n_neighbors=min(_N_VOTERS, len(X)))
        self.neighbors.fit(X)

    def copy_distance(self, label):
        """Distance to a real row below which a row of a class is a near-copy of it."""
        X = self.X[self.y == label]
        if len(X) < 2:
            return 0.0
        # one of the class's own rows is always itself
        distances, _ = NearestNeighbors(n_neighbors=2).fit(X).kneighbors(X)
        return _COPY_SHARE * float(np.median(distances[:, 1]))

    def judge(self, X, label):
        """Return the votes for `label` and the distance to the nearest real row, by row."""
        distances, indices = self.neighbors.kneighbors(X)
        return (self.y[indices] == label).mean(axis=1), distances[:, 0]


def select_rows(draw, n_rows, label, selection, min_votes):
    """Draw rows until `n_rows` of them are right and no copies.

    Parameters
    ----------
    draw : callable
        ``draw(n)`` returns n rows, shape (n, n_features).
    n_rows : int
        Rows wanted.
    label : int
        Their class.
    selection : NeighborSelection
        Judges them.
    min_votes : float
        Share of the nearest real rows that must be of the same class; 0 asks for none.

    Returns
    -------
    rows : ndarray of shape (n_rows, n_features)
        The rows, in the order drawn.
    n_right : int
        How many of them passed. Where the rounds are over, the best of the others follow:
        those with most votes, and copies last.
    """
    if not n_rows:
        return np.empty((0, selection.X.shape[1]), dtype=selection.X.dtype), 0
    copy_distance = selection.copy_distance(label)
    kept, rest, rest_votes = [], [], []
    n_kept, n_drawn = 0, 0
    for _ in range(_MAX_ROUNDS):
        share = max(n_kept / n_drawn, 0.1) if n_drawn else 0.8
        n_wanted = int((n_rows - n_kept) / share) + 16
        X = draw(n_wanted)
        votes, distances = selection.judge(X, label)
        copies = distances <= copy_distance
        right = ~copies & (votes >= min_votes)
        kept.append(X[right])
        rest.append(X[~right])
        rest_votes.append((votes - 2 * copies)[~right])
        n_kept, n_drawn = n_kept + right.sum(), n_drawn + n_wanted
        if n_kept >= n_rows or n_kept < 0.02 * n_drawn:
            break
    best = np.argsort(-np.concatenate(rest_votes), kind="stable")
    rows = np.concatenate([*kept, np.concatenate(rest)[best]])
    return rows[:n_rows], min(int(n_kept), n_rows)


def interpolate_rows(X, n_rows, rng):
    """Make rows between neighbours of one class, a little varied in amplitude and offset.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_channels, n_timepoints)
        The rows there are, scaled; one is enough.
    n_rows : int
        Rows wanted.
    rng : numpy.random.RandomState
        Source of randomness.

    Returns
    -------
    ndarray of shape (n_rows, n_channels, n_timepoints)
        Rows x_i + t (x_j - x_i) with t uniform in (0, 1), times and plus Gaussian jitter of
        standard deviation 0.1 and 0.05.
    """
    flat = X.reshape(len(X), -1)
    index = NearestNeighbors(n_neighbors=min(_N_ENDS + 1, len(X))).fit(flat)
    neighbors = index.kneighbors(flat, return_distance=False)
    first = rng.randint(len(X), size=n_rows)
    # the nearest is the row itself, which only a class of one row has to be content with
    second = neighbors[first, rng.randint(min(1, len(X) - 1), neighbors.shape[1], size=n_rows)]
    step = rng.uniform(size=(n_rows, 1, 1))
    gain = 1 + 0.1 * rng.standard_normal((n_rows, 1, 1))
    offset = 0.05 * rng.standard_normal((n_rows, 1, 1))
    rows = X[first] + step * (X[second] - X[first])
    return (gain * rows + offset).astype(np.float32)
