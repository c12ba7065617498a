"""What real rows lend to new ones, and choosing among these: right by neighbours, no copies."""

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors

# Generated rows nearer to a training row than this share of the usual distance between
# neighbours of their class are near-copies.
_COPY_SHARE = 0.1
# Real rows that vote on the class of a generated one.
_N_VOTERS = 3
# Nearest rows of its class, one of which is the other end of an interpolation. Two beats of a class
# may point up and down, and what lies between those is no beat.
_N_ENDS = 5
# Rows of the largest class nearest to a row, one of which lends it its variation.
_N_DONORS = 5
# Of the rows of the largest class, the share nearest to a donor of which one shows how it may vary.
_PARTNER_SHARE = 1 / 200
# More rows would show no more of it, and cost time.
_MAX_DONORS = 5000
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


def select_rows(draw, n_rows, label, selection, rng=None):
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
    rng : numpy.random.RandomState or None
        Keeps each row with a probability: the square root of the share of its nearest real rows
        that are of the same class. None keeps all but copies.

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
        right = ~copies
        if rng is not None:
            right &= rng.uniform(size=len(X)) < votes**0.5
        kept.append(X[right])
        rest.append(X[~right])
        rest_votes.append((votes - 2 * copies)[~right])
        n_kept, n_drawn = n_kept + right.sum(), n_drawn + n_wanted
        if n_kept >= n_rows or n_kept < 0.02 * n_drawn:
            break
    best = np.argsort(-np.concatenate(rest_votes), kind="stable")
    rows = np.concatenate([*kept, np.concatenate(rest)[best]])
    return rows[:n_rows], min(int(n_kept), n_rows)


class Variation:
    """How rows of one class differ from their neighbours, to be carried over to others.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows of a class that has many.
    rng : numpy.random.RandomState
        Chooses among very many.
    """

    def __init__(self, X, rng):
        self.X = X[rng.permutation(len(X))[:_MAX_DONORS]]
        self.donors = NearestNeighbors(n_neighbors=min(_N_DONORS, len(self.X))).fit(self.X)
        n_partners = max(_N_ENDS, round(_PARTNER_SHARE * len(self.X)))
        # the nearest is the row itself
        self.partners = nearest_within(self.X, n_partners)[:, 1:]

    def draw(self, X, rng):
        """Return for each row in `X` the difference between a row near it and its neighbour.

        Near rows are of the same patient, or as noisy, so what is lent fits.
        """
        if not self.partners.shape[1]:
            return np.zeros_like(X)
        donors = _one_of_each(self.donors.kneighbors(X, return_distance=False), rng)
        partners = _one_of_each(self.partners[donors], rng)
        # either way round, since most rows have their neighbours on the side of the dense middle
        sign = rng.choice(np.array([-1, 1], dtype=X.dtype), size=(len(X), 1))
        return sign * (self.X[partners] - self.X[donors])

    def vary(self, X, limit, rng):
        """Move rows by what was drawn for them, times a number between 0 and `limit`.

        The number is `limit` times the square of a uniform one: half of the rows stay close to
        what is known, and few go far from it, as rows of a patient who was never seen do.
        """
        step = limit * rng.uniform(size=(len(X), 1)).astype(X.dtype) ** 2
        return X + step * self.draw(X, rng)


def _one_of_each(candidates, rng):
    """Choose one column in each row."""
    return candidates[
        np.arange(len(candidates)), rng.randint(candidates.shape[1], size=len(candidates))
    ]


def nearest_within(X, n_nearest=_N_ENDS):
    """Find each row itself and its nearest rows, as far as there are any: by place, nearest first.

    Rows are compared with all others, so one search serves every round of drawing.
    """
    index = NearestNeighbors(n_neighbors=min(n_nearest + 1, len(X))).fit(X)
    return index.kneighbors(X, return_distance=False)


def interpolate_rows(X, n_rows, rng, neighbors):
    """Make rows between neighbours of one class.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The rows there are; one is enough.
    n_rows : int
        Rows wanted.
    rng : numpy.random.RandomState
        Source of randomness.
    neighbors : ndarray of int of shape (n_samples, n_nearest)
        Of :func:`nearest_within`.

    Returns
    -------
    ndarray of shape (n_rows, n_features)
        Rows x_i + t (x_j - x_i) with t uniform in (0, 1).
    """
    first = rng.randint(len(X), size=n_rows)
    # the nearest is the row itself, which only a class of one row has to be content with
    second = neighbors[first, rng.randint(min(1, len(X) - 1), neighbors.shape[1], size=n_rows)]
    step = rng.uniform(size=(n_rows, 1)).astype(X.dtype)
    return X[first] + step * (X[second] - X[first])


def jittered(X, rng):
    """Vary rows a little: 10 % in amplitude, 0.05 standard deviations in offset, Gaussian."""
    gain = 1 + 0.1 * rng.standard_normal((len(X), 1))
    offset = 0.05 * rng.standard_normal((len(X), 1))
    return (gain * X + offset).astype(X.dtype)


class Detail:
    """Fine detail of real rows for generated ones, which are right at large but not in it.

    A classifier that sees real rows of one class and generated ones of another would learn to
    tell real from generated by it.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Real rows of all classes.
    fraction : float
        Share of their variance, in the smallest principal components, that is fine detail.
    """

    def __init__(self, X, fraction):
        X = torch.from_numpy(X[:: -(-len(X) // _MAX_DONORS)]).double()
        self.mean = X.mean(0)
        _, sizes, directions = torch.linalg.svd(X - self.mean, full_matrices=False)
        shares = (sizes**2).cumsum(0) / (sizes**2).sum().clamp(min=1e-300)
        n_coarse = int((shares < 1 - fraction).sum()) + 1
        self.coarse = directions[:n_coarse].T  # (n_features, n_coarse)

    def without(self, X):
        """Leave the fine detail out."""
        centred = torch.from_numpy(X).double() - self.mean
        return (self.mean + centred @ self.coarse @ self.coarse.T).numpy().astype(X.dtype)

    def give(self, X, X_class, rng):
        """Give each row the fine detail of one of its nearest rows in `X_class`."""
        X, X_coarse = self.without(X), self.without(X_class)
        index = NearestNeighbors(n_neighbors=min(_N_ENDS, len(X_class))).fit(X_coarse)
        nearest = index.kneighbors(X, return_distance=False)
        return X + (X_class - X_coarse)[_one_of_each(nearest, rng)]
