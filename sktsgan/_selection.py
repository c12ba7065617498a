"""What real rows lend to new ones, and choosing among these: right by neighbours, no copies."""

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors

from sktsgan._arrays import first_of_each, spread_places
from sktsgan._threads import by_blocks

# Generated rows nearer to a training row than this share of the usual distance between
# neighbours of their class are near-copies.
_COPY_SHARE = 0.1
# Rows by which that distance is measured where a class has none.
_N_MEASURED = 1000
# Real rows that vote on the class of a generated one.
_N_VOTERS = 3
# Share by which rounding may change a row.
_ROUNDING = 1e-5
# Nearest rows of its class among which new ones are made with a row. Two beats of a class may point
# up and down, and what lies between those is no beat.
_N_NEAREST = 5
# Rows among which nearest ones are searched, once each is moved in time to lie on the row.
_N_CANDIDATES = 30
# Moves that are tried each way, evenly spread; what is left of long ones is along the slope.
_N_MOVES = 32
# Numbers of rows that are moved at once: with these in the core's cache each move is cheap.
_CACHED = 1 << 18
# Scatter of the weights of a row and its nearest ones. Variation adds to what 1 would be.
_SPREAD = 0.7
# Rounds that even out how often rows take part; more would give single outliers much weight.
_N_EVENINGS = 3
# Rows of the largest class nearest to a row, one of which lends it its variation.
_N_DONORS = 5
# Of the rows of the largest class, the share nearest to a donor of which one shows how it may vary.
_PARTNER_SHARE = 1 / 200
# More rows would show no more of it, and cost time.
_MAX_DONORS = 5000
# Principal components with less than this share of the variance of the first are rounding.
_LEAST_VARIANCE = 1e-12
# Rounds of drawing; a generator whose rows nearly all fail is not worth more.
_MAX_ROUNDS = 8
# From so many on it shows whether nearly all do.
_ENOUGH_DRAWN = 100


def find_distinct(X, y):
    """Find the rows without those that are in a class already.

    Among copies, a row would have itself for neighbours.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    y : ndarray of int of shape (n_samples,)
        Their classes.

    Returns
    -------
    ndarray of int of shape (n_distinct,)
        The places of the others, in ascending order.
    """
    return first_of_each(np.column_stack([X, y.astype(X.dtype)]))


class NeighborSelection:
    """Judge rows by the real rows around them.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Real rows.
    y : ndarray of int of shape (n_samples,)
        Their classes.
    alignment : Alignment
        Moves rows in time, so that those vote which are nearest then.
    """

    def __init__(self, X, y, alignment):
        self.X, self.y, self.alignment = X, y, alignment
        self.highest = self._measure_heights(X).max(axis=0)
        self.neighbors = NearestNeighbors().fit(X)

    def copy_distance(self, label):
        """Distance to a real row below which a row of a class is a near-copy of it."""
        X = self.X[self.y == label]
        if len(X) < 2:  # a row alone has no neighbours: as near as others' are is too near
            own = _ROUNDING * float(np.linalg.norm(X))
            some = self.X[spread_places(len(self.X), _N_MEASURED)]
            return max(own, _copy_distance(self.neighbors, some)) if len(self.X) > 1 else own
        return _copy_distance(NearestNeighbors().fit(X), X)

    def judge(self, X, label):
        """Return the votes for `label` and the distance to the nearest real row, by row.

        A row that is higher, from peak to peak, than every real one has no votes: it may have
        neighbours of the right class, but no row is like it. Those of its own class are no
        measure, as patients who were never seen have higher ones.
        """
        n_candidates = min(self.alignment.n_candidates(_N_VOTERS), len(self.X))

        def judge(X):
            nearest = self.neighbors.kneighbors(X, n_candidates, return_distance=False)
            # subtracted, as a search by products leaves a rounded zero to the row itself
            distances = np.linalg.norm(X - self.X[nearest[:, 0]], axis=1)
            voters = self.alignment.choose(self.X, nearest, X, _N_VOTERS)[0]
            votes = (self.y[voters] == label).mean(axis=1)
            too_high = self._measure_heights(X) > (1 + _ROUNDING) * self.highest
            return np.where(too_high.any(axis=1), 0, votes), distances

        return by_blocks(judge, X)

    def _measure_heights(self, X):
        """Return the range of each channel, by row."""
        return np.ptp(self.alignment.as_signals(X), axis=2)


def _copy_distance(index, X):
    """Return a share of the usual distance of rows of a fitted index to the next one."""
    distances, _ = index.kneighbors(X, n_neighbors=2)  # the first is the row itself
    return _COPY_SHARE * float(np.median(distances[:, 1]))


def select_rows(draw, judge, n_rows, copy_distance, power, rng):
    """Draw rows until `n_rows` of them are right and no copies.

    Parameters
    ----------
    draw : callable
        ``draw(n)`` returns n rows.
    judge : callable
        ``judge(rows)`` returns their votes and distances, as :meth:`NeighborSelection.judge`.
    n_rows : int
        Rows wanted, at least one.
    copy_distance : float
        Distance to a real row up to which a row is a near-copy.
    power : float or None
        Each row is kept with a probability: its votes to this power. None keeps all but copies.
    rng : numpy.random.RandomState
        Source of randomness, not used without a `power`.

    Returns
    -------
    rows : ndarray of shape (n_rows, ...)
        The rows, in the order drawn.
    n_right : int
        How many of them passed. Where the rounds are over, the best of the others follow:
        those with most votes, and copies last.
    n_copies : int
        How many of them are near-copies.
    """
    kept, others, other_votes = [], [], np.empty(0)
    n_kept, n_drawn = 0, 0
    for _ in range(_MAX_ROUNDS):
        share = max(n_kept / n_drawn, 0.1) if n_drawn else 0.8
        n_wanted = int((n_rows - n_kept) / share) + 16
        X = draw(n_wanted)
        votes, distances = judge(X)
        copies = distances <= copy_distance
        right = ~copies
        if power is not None:
            right &= rng.uniform(size=len(X)) < votes**power
        kept.append(X[right])
        n_kept, n_drawn = n_kept + right.sum(), n_drawn + n_wanted
        # of the others no more than may be needed, the best first
        other_votes = np.concatenate([other_votes, (votes - 2 * copies)[~right]])
        best = np.argsort(-other_votes, kind="stable")[: max(n_rows - n_kept, 0)]
        others, other_votes = [np.concatenate([*others, X[~right]])[best]], other_votes[best]
        hopeless = n_drawn >= _ENOUGH_DRAWN and n_kept < 0.02 * n_drawn
        if n_kept >= n_rows or hopeless:
            break
    n_right = min(int(n_kept), n_rows)
    return np.concatenate([*kept, *others])[:n_rows], n_right, np.count_nonzero(other_votes < 0)


class Alignment:
    """Rows moved in time to lie on others.

    The same beat a little later is the same beat, but far away; a mean of such beats is blunt,
    and their difference is two spikes, which make no wave of a third.

    Parameters
    ----------
    max_shift : float
        Share of the time points by which a row is moved at most.
    n_channels : int, default=1
        Channels, of which each row has the time points one after the other.
    """

    def __init__(self, max_shift, n_channels=1):
        self.max_shift, self.n_channels = max_shift, n_channels

    def _most(self, X):
        # 0.29 times 100 is a little less than 29
        return int(self.max_shift * X.shape[1] / self.n_channels + 1e-9)

    def as_signals(self, X):
        """Split rows into channels."""
        return X.reshape(len(X), self.n_channels, X.shape[1] // self.n_channels)

    def differences(self, X, shifts, others):
        """Move each row by its number of time points, later where positive, and subtract another.

        Where a row has come to its end, the difference goes on as it was there.
        """
        signals, others = self.as_signals(X), self.as_signals(others)
        n_timepoints = signals.shape[2]
        shifts = shifts.clip(1 - n_timepoints, n_timepoints - 1)[:, None, None]
        first, last = shifts.clip(0, None), n_timepoints - 1 + shifts.clip(None, 0)
        places = np.arange(n_timepoints).clip(first, last)
        moved = np.take_along_axis(signals, places - shifts, axis=2)
        return (moved - np.take_along_axis(others, places, axis=2)).reshape(X.shape)

    def find(self, X, like):
        """Find by how much each row is to be moved to lie best on its row of `like`.

        Returns the shifts, the shortest of equal ones, and the squared distances that are left.
        """
        most = self._most(X)
        shifts = np.rint(np.linspace(-most, most, 2 * min(most, _N_MOVES) + 1)).astype(int)
        shifts = np.array(sorted(shifts, key=abs))
        n_rows = max(1, _CACHED // X.shape[1])
        parts = [
            self._distances(X[i : i + n_rows], like[i : i + n_rows], shifts)
            for i in range(0, max(len(X), 1), n_rows)
        ]
        distances = np.concatenate(parts, axis=1)
        return shifts[np.argmin(distances, axis=0)], np.min(distances, axis=0)

    def _distances(self, X, like, shifts):
        """Squared distances of rows moved by each of the shifts, of shape (n_shifts, n_rows)."""
        signals, like = self.as_signals(X), self.as_signals(like)
        most, n_timepoints = max(shifts), signals.shape[2]
        padded = np.pad(signals, ((0, 0), (0, 0), (most, most)), mode="edge")
        left = np.empty_like(like)
        distances = []
        for start in most - shifts:
            np.subtract(padded[:, :, start : start + n_timepoints], like, out=left)
            distances.append(np.einsum("ijk,ijk->i", left, left))
        return np.array(distances)

    def subtract(self, X, others):
        """Subtract from each row its other one, but for what a shift makes of the difference.

        The row is moved to lie on the other, and what is left along the other's slope, as of a
        shift by part of a point, is taken out.
        """
        differences = self.differences(X, self.find(X, others)[0], others)
        if not self._most(X):
            return differences
        slopes = np.gradient(self.as_signals(others), axis=2).reshape(X.shape)
        along, steepness = ((slopes * rows).sum(axis=1) for rows in (differences, slopes))
        shares = np.divide(along, steepness, out=np.zeros_like(along), where=steepness > 0)
        return differences - shares[:, None] * slopes

    def n_candidates(self, n_nearest):
        """Return how many rows by distance the nearest ones are among, once they are moved."""
        return max(n_nearest, _N_CANDIDATES) if self.max_shift else n_nearest

    def choose(self, X, candidates, like, n_nearest):
        """Choose the rows that are nearest to those of `like`, once they are moved.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows.
        candidates : ndarray of int of shape (n_rows, n_candidates)
            Places of those to choose from.
        like : ndarray of shape (n_rows, n_features)
            Rows that they are to lie on.
        n_nearest : int
            How many to choose, as far as there are any.

        Returns
        -------
        places, shifts : ndarray of int of shape (n_rows, n_nearest)
            The chosen ones, nearest first, and by how much each is to be moved.
        """
        found = [self.find(X[column], like) for column in candidates.T]
        shifts, distances = (np.column_stack(part) for part in zip(*found, strict=True))
        order = np.argsort(distances, axis=1, kind="stable")[:, :n_nearest]
        return tuple(np.take_along_axis(part, order, axis=1) for part in (candidates, shifts))

    def nearest(self, X):
        """Find each row itself and its nearest rows, once they are moved: places and shifts."""
        candidates = nearest_within(X, self.n_candidates(_N_NEAREST))
        return self.choose(X, candidates, X, _N_NEAREST + 1)


class Variation:
    """How rows of one class differ from their neighbours, to be carried over to others.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows of a class that has many.
    rng : numpy.random.RandomState
        Chooses among very many.
    alignment : Alignment
        Moves rows in time, so that what is lent is none of it.
    """

    def __init__(self, X, rng, alignment):
        self.alignment = alignment
        self.X = X[rng.permutation(len(X))[:_MAX_DONORS]]
        self.donors = NearestNeighbors(n_neighbors=min(_N_DONORS, len(self.X))).fit(self.X)
        n_partners = max(_N_NEAREST, round(_PARTNER_SHARE * len(self.X)))
        # the nearest is the row itself
        self.partners = nearest_within(self.X, n_partners)[:, 1:]

    def draw(self, X, rng):
        """Return for each row in `X` the difference between a row near it and its neighbour.

        Near rows are of the same patient, or as noisy, so what is lent fits.
        """
        if not self.partners.shape[1]:
            return np.zeros_like(X)
        donors = _one_of_each(find_nearest(self.donors, X), rng)
        partners = _one_of_each(self.partners[donors], rng)
        # either way round, since most rows have their neighbours on the side of the dense middle
        sign = rng.choice(np.array([-1, 1], dtype=X.dtype), size=(len(X), 1))

        def subtract(partners, donors):
            return self.alignment.subtract(self.X[partners], self.X[donors])

        return sign * by_blocks(subtract, partners, donors)

    def vary(self, X, limit, rng):
        """Move rows by what was drawn for them, times a number between 0 and `limit`.

        The number is `limit` times the square of a uniform one: half of the rows stay close to
        what is known, and few go far from it, as rows of a patient who was never seen do. It is
        less where what is added would have a larger standard deviation than the row.
        """
        step = limit * rng.uniform(size=(len(X), 1)).astype(X.dtype) ** 2
        drawn = self.draw(X, rng)
        own, added = (rows.std(axis=1, keepdims=True) for rows in (X, drawn))
        most = np.full_like(step, limit)
        np.divide(own, added, out=most, where=limit * added > own)
        return X + np.minimum(step, most) * drawn


def find_nearest(index, X):
    """Find the rows of a fitted index that are nearest to each row of `X`: by place."""
    return by_blocks(lambda X: index.kneighbors(X, return_distance=False), X)


def _one_of_each(candidates, rng):
    """Choose one column in each row."""
    return candidates[
        np.arange(len(candidates)), rng.randint(candidates.shape[1], size=len(candidates))
    ]


def nearest_within(X, n_nearest):
    """Find each row itself and its nearest rows, as far as there are any: by place, nearest first.

    Rows are compared with all others, so one search serves every round of drawing.
    """
    index = NearestNeighbors(n_neighbors=min(n_nearest + 1, len(X))).fit(X)
    return find_nearest(index, X)


def interpolate_rows(X, n_rows, rng, alignment, neighbors, shifts):
    """Make rows among neighbours of one class, scattered about as these are.

    A row on the line between two neighbours is nearer to both than a new row of the class would
    be. Here a row and all its neighbours take part, as in [1]_, with Gaussian weights about equal
    ones: with a spread of 1 the new rows would have the neighbours' own covariance. They are moved
    in time to lie on one of them, which stays where it is.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The rows there are; one is enough.
    n_rows : int
        Rows wanted.
    rng : numpy.random.RandomState
        Source of randomness.
    alignment : Alignment
        Moves rows in time.
    neighbors, shifts : ndarray of int of shape (n_samples, n_nearest)
        Of its ``nearest``.

    Returns
    -------
    ndarray of shape (n_rows, n_features)
        Rows of which each is a sum of neighbouring ones with weights that sum to 1.

    References
    ----------
    .. [1] M. S. Taylor, J. R. Thompson, "Data based random number generation for a multivariate
       distribution via stochastic simulation", Computational Statistics & Data Analysis 4(2),
       1986.
    """
    n_nearest = neighbors.shape[1]
    first = rng.choice(len(X), n_rows, p=_even_starts(neighbors))
    noise = rng.standard_normal((n_rows, n_nearest))
    noise -= noise.mean(axis=1, keepdims=True)
    weights = 1 / n_nearest + _SPREAD * noise / np.sqrt(max(n_nearest - 1, 1))
    weights = weights.astype(X.dtype)
    neighbors, shifts = neighbors[first], shifts[first]
    chosen = np.arange(n_rows), rng.randint(n_nearest, size=n_rows)
    shifts = shifts - shifts[chosen][:, None]

    def add_up(places, neighbors, shifts, weights):
        rows = X[places]
        return rows + sum(
            weights[:, [i]] * alignment.differences(X[neighbors[:, i]], shifts[:, i], rows)
            for i in range(n_nearest)
        )

    return by_blocks(add_up, neighbors[chosen], neighbors, shifts, weights)


def _even_starts(neighbors):
    """Return probabilities by which to start at rows, so that all take part about as often.

    Rows in the middle are neighbours of many others, and those at the rim of few.
    """
    n_rows, n_nearest = neighbors.shape
    starts = np.full(n_rows, 1 / n_rows)
    for _ in range(_N_EVENINGS):
        shares = np.bincount(neighbors.ravel(), np.repeat(starts, n_nearest), minlength=n_rows)
        starts *= (1 / np.maximum(shares, 1e-12))[neighbors].mean(axis=1)
        starts /= starts.sum()
    return starts


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
        X = torch.from_numpy(X[spread_places(len(X), _MAX_DONORS)]).double()
        self.mean = X.mean(0)
        X = X - self.mean
        # of the two products of X with itself the smaller one costs least
        is_wide = X.shape[0] < X.shape[1]
        variances, directions = torch.linalg.eigh(X @ X.T if is_wide else X.T @ X)
        variances, directions = variances.flip(0), directions.flip(1)
        known = variances > _LEAST_VARIANCE * variances[0]  # the others are rounding
        shares = (variances[known].cumsum(0) / variances[known].sum())[:-1]
        directions = directions[:, : int((shares < 1 - fraction).sum()) + 1]
        if is_wide:
            directions = torch.nn.functional.normalize(X.T @ directions, dim=0)
        self.coarse = directions  # (n_features, n_coarse)

    def without(self, X):
        """Leave the fine detail out."""
        centred = torch.from_numpy(X).double() - self.mean
        return (self.mean + centred @ self.coarse @ self.coarse.T).numpy().astype(X.dtype)

    def give(self, X, X_class, rng):
        """Give each row the fine detail of one of its nearest rows in `X_class`."""
        X, X_coarse = self.without(X), self.without(X_class)
        index = NearestNeighbors(n_neighbors=min(_N_NEAREST, len(X_class))).fit(X_coarse)
        nearest = find_nearest(index, X)
        return X + (X_class - X_coarse)[_one_of_each(nearest, rng)]
