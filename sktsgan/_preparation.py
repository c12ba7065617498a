"""How rows were prepared before they came: padded, or scaled one by one. New ones keep to it."""

import numpy as np

from sktsgan._arrays import spread_places

# Rows count as padded where at least this share of them ends, or begins, in the same value.
_PADDED_SHARE = 0.1
# Rows that are looked at for their scale; more would show no more of it.
_N_MEASURED = 5000
# Rows count as scaled one by one where at least this share of them agrees ...
_AGREEING_SHARE = 0.9
# ... within this share of what they are scaled to.
_TOLERANCE = 1e-3


class Preparation:
    """What rows have in common by the way they were prepared.

    *Padding* is one value at the end or at the beginning of rows, twice or more often. *Scaling*
    row by row gives all of them the same range, or the same mean and standard deviation beside
    padding. Sums of rows and generated ones have neither to the last digit, and a classifier could
    tell them from real ones by it.

    Parameters
    ----------
    signals : ndarray of shape (n_samples, n_channels, n_timepoints)
        Real rows, in their own unit.

    Attributes
    ----------
    padding : ndarray of bool of shape (n_samples, n_timepoints)
        Where they are padded.
    scaled : bool
        Whether they were scaled one by one.
    """

    def __init__(self, signals):
        self.signals = signals
        self.padding = _find_ends(signals) | _find_ends(signals[..., ::-1])[:, ::-1]
        some = spread_places(len(signals), _N_MEASURED)
        some, inside = signals[some].astype(np.float64), ~self.padding[some, None]
        self.measure, self.target = None, None
        for measure in (_range, _moments):
            target = _agreed(*measure(some, inside))
            if target:
                self.measure, self.target = measure, target
                break
        self.scaled = self.measure is not None

    def __bool__(self):
        return self.scaled or bool(self.padding.any())

    def give(self, signals, like):
        """Prepare new signals as real ones were.

        Parameters
        ----------
        signals : ndarray of float64 of shape (n_new, n_channels, n_timepoints)
            New signals.
        like : ndarray of int of shape (n_new,)
            The real row by which each of them is padded.

        Returns
        -------
        ndarray of float64 of shape (n_new, n_channels, n_timepoints)
            The signals, scaled and padded.
        """
        padding = self.padding[like][:, None]
        if self.scaled:
            start, size = self.measure(signals, ~padding)
            factor = np.divide(self.target[1], size, out=np.ones_like(size), where=size > 0)
            signals = self.target[0] + factor * (signals - start)
        return np.where(padding, self.signals[like], signals)


def _find_ends(signals):
    """Mark what signals end in, where enough of them repeat the same value there."""
    last = signals[..., -1]
    repeats = (signals[..., -2] == last).all(axis=1)
    values, counts = np.unique(last[repeats], axis=0, return_counts=True)
    if not repeats.any() or counts.max() < _PADDED_SHARE * len(signals):
        return np.zeros((len(signals), signals.shape[2]), dtype=bool)
    equal = (signals == values[counts.argmax()][:, None]).all(axis=1)
    to_the_end = np.logical_and.accumulate(equal[:, ::-1], axis=1)[:, ::-1]
    return to_the_end & repeats[:, None]


def _range(signals, inside):
    """Return the smallest value beside padding and the distance to the largest."""
    low = np.min(signals, axis=2, where=inside, initial=np.inf, keepdims=True)
    high = np.max(signals, axis=2, where=inside, initial=-np.inf, keepdims=True)
    nothing = ~inside.any(axis=2, keepdims=True)
    return tuple(np.where(nothing, 0.0, part) for part in (low, np.subtract(high, low)))


def _moments(signals, inside):
    """Return mean and standard deviation beside padding."""
    n_inside = np.maximum(inside.sum(axis=2, keepdims=True), 1)
    mean = np.sum(signals, axis=2, where=inside, keepdims=True, dtype=np.float64) / n_inside
    squares = np.sum((signals - mean) ** 2, axis=2, where=inside, keepdims=True) / n_inside
    return mean, squares**0.5


def _agreed(start, size):
    """Return the usual numbers where nearly all rows have them; constant signals have none."""
    dead = ~(size > 0).any(axis=0)  # channels, as of a lead that is not there
    varied = ((size > 0) | dead).all(axis=(1, 2))
    if dead.all() or not varied.any():
        return None
    start, size = start[varied], size[varied]
    target = np.median(start, axis=0), np.median(size, axis=0)
    off = [np.abs(own - usual) for own, usual in zip((start, size), target, strict=True)]
    agrees = ((np.maximum(*off) <= _TOLERANCE * target[1]) | dead).all(axis=(1, 2))
    return target if agrees.mean() >= _AGREEING_SHARE else None
