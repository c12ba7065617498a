"""How rows were prepared before they came: padded, or scaled one by one. New ones keep to it."""

from functools import partial

import numpy as np

from sktsgan._arrays import spread_places

# Rows count as padded where at least this share of them, or of a class, ends or begins in the same
# value ...
_PADDED_SHARE = 0.1
# ... and no fewer than this, as two rows of a small class may end alike by chance.
_LEAST_PADDED = 3
# Rows that are looked at for their scale; more would show no more of it ...
_N_MEASURED = 5000
# ... but for all of a class that has no more than these, of which few or none would be seen.
_ALL_MEASURED = 100
# Rows count as scaled one by one where at least this share of all agrees, and of each class ...
_AGREEING_SHARE = 0.9
_AGREEING_SHARE_OF_CLASS = 0.5
# ... within this share of what they are scaled to.
_TOLERANCE = 1e-3
# A channel is dead where no more than this share of its rows varies, and in no class most do.
_LIVE_SHARE = 0.1
# What rounding makes of the deviation of a constant, as a share of it.
_ROUNDING = 1e-12


class Preparation:
    """What rows have in common by the way they were prepared.

    *Padding* is one value at the end or at the beginning of a channel, twice or more often.
    *Scaling* row by row gives all of them, beside padding, the same range, the same mean and
    standard deviation, or the same largest, summed or squared magnitude, in each channel or in all
    of them together. Rows whose *offset* alone was
    taken out have the same mean or the same smallest value. Sums of rows moved in time and
    generated ones have none of it to the last digit, and a classifier could tell them from real
    ones by it. What most rows of a class do not share is no preparation: it may be what tells them
    from others.

    Parameters
    ----------
    signals : ndarray of shape (n_samples, n_channels, n_timepoints)
        Real rows, in their own unit.
    labels : ndarray of shape (n_samples,)
        Their classes.

    Attributes
    ----------
    padding : ndarray of bool of shape (n_samples, n_channels, n_timepoints)
        Where they are padded.
    padded : bool
        Whether any of them is.
    scaled : bool
        Whether they were scaled one by one.
    """

    def __init__(self, signals, labels):
        self.signals = signals
        self.padding = _find_padding(signals)
        measured = np.zeros(len(signals), dtype=bool)
        measured[spread_places(len(signals), _N_MEASURED)] = True
        for label in np.unique(labels):  # a rare class may be the only one that is padded
            own = labels == label
            self.padding[own] |= _find_padding(signals[own])
            measured |= own & (own.sum() <= _ALL_MEASURED)
        self.padded = bool(self.padding.any())
        places = np.flatnonzero(measured)
        some, inside = signals[places].astype(np.float64), ~self.padding[places]
        self.measure, self.start, self.size = _find_scale(some, inside, labels[places])
        self.scaled = self.size is not None

    def __bool__(self):
        return self.measure is not None or self.padded

    def give(self, signals, like=None):
        """Prepare new signals as real ones were.

        Parameters
        ----------
        signals : ndarray of float64 of shape (n_new, n_channels, n_timepoints)
            New signals.
        like : ndarray of int of shape (n_new,), default=None
            The real row by which each of them is padded; None where no row is `padded`.

        Returns
        -------
        ndarray of float64 of shape (n_new, n_channels, n_timepoints)
            The signals, scaled or moved, and padded.
        """
        padding = np.zeros_like(signals, dtype=bool) if like is None else self.padding[like]
        if self.measure is not None:
            start, size = self.measure(signals, ~padding)
            moved = signals - start
            flat = np.zeros_like(size, dtype=bool)
            if self.scaled:
                flat = size <= _TOLERANCE * self.size  # what varies there is rounding
                # divided first, so that a range of 1 ends in 1 to the last digit
                np.divide(moved, size, out=moved, where=~flat)
                moved *= self.size
            dead = np.isnan(self.start)  # such a channel holds its own number in each row
            own = _moments(signals, ~padding, axis=2)[0] if dead.any() else start
            signals = np.where(dead, own, np.where(flat, signals, self.start + moved))
        return signals if like is None else np.where(padding, self.signals[like], signals)


def _find_padding(signals):
    channels = signals.swapaxes(0, 1)  # each may be padded in its own way
    padding = [_find_ends(rows) | _find_ends(rows[:, ::-1])[:, ::-1] for rows in channels]
    return np.stack(padding, axis=1)


def _find_ends(rows):
    """Mark what the rows of a channel end in, where enough of them repeat the same value there."""
    last = rows[:, -1]
    repeats = rows[:, -2] == last
    values, counts = np.unique(last[repeats], return_counts=True)
    if counts.max(initial=0) < max(_LEAST_PADDED, _PADDED_SHARE * len(rows)):
        return np.zeros(rows.shape, dtype=bool)
    equal = rows == values[counts.argmax()]
    to_the_end = np.logical_and.accumulate(equal[:, ::-1], axis=1)[:, ::-1]
    return to_the_end & repeats[:, None]


def _find_scale(signals, inside, labels):
    """Return how to measure start and size of signals, and which ones nearly all have, or None.

    Channels that agree one by one may not do so together, so that way comes first. A size is no
    preparation without a start, nor is a start that is 0 by itself.
    """
    axes = (2,) if signals.shape[1] == 1 else (2, (1, 2))
    moved = (_range, _moments, partial(_moments, ddof=1))  # the last as pandas and torch have it
    divided = tuple(partial(_magnitude, order=order) for order in (np.inf, 2, 1))
    everywhere = np.ones_like(inside)
    for both, ways in ((True, moved + divided), (False, moved)):
        for measure in (partial(way, axis=axis) for way in ways for axis in axes):
            counted = measure(signals, everywhere)[1] > 0
            target = _agreed(*measure(signals, inside), counted, labels, both)
            if target:
                return measure, target[0], target[1] if both else None
    return None, None, None


def _range(signals, inside, axis):
    """Return the smallest value beside padding and the distance to the largest."""
    low = np.min(signals, axis=axis, where=inside, initial=np.inf, keepdims=True)
    high = np.max(signals, axis=axis, where=inside, initial=-np.inf, keepdims=True)
    nothing = ~inside.any(axis=axis, keepdims=True)
    return tuple(np.where(nothing, 0.0, part) for part in (low, np.subtract(high, low)))


def _moments(signals, inside, axis, ddof=0):
    """Return mean and standard deviation beside padding."""
    n_inside = np.maximum(inside.sum(axis=axis, keepdims=True), 1)
    mean = np.sum(signals, axis=axis, where=inside, keepdims=True, dtype=np.float64) / n_inside
    squares = np.sum((signals - mean) ** 2, axis=axis, where=inside, keepdims=True)
    deviation = (squares / np.maximum(n_inside - ddof, 1)) ** 0.5
    return mean, np.where(deviation > _ROUNDING * np.abs(mean), deviation, 0.0)


def _magnitude(signals, inside, axis, order):
    """Return 0 and a norm beside padding: what is left of rows that were divided by theirs."""
    size = np.where(inside, np.abs(signals), 0.0)
    if order == np.inf:
        size = size.max(axis=axis, keepdims=True)
    else:
        size = (size**order).sum(axis=axis, keepdims=True) ** (1 / order)
    _, spread = _range(signals, inside, axis)
    return np.zeros_like(size), np.where(spread > 0, size, 0.0)


def _agreed(start, size, counted, labels, both):
    """Return the usual numbers where nearly all rows have them, and most of each class.

    Rows that do not vary are not `counted`; those that do, but not beside what looks like padding,
    agree with none. With `both`, rows are to have the usual start and size, and else the start.
    Dead channels have no start and a size of 0.
    """
    varied = size > 0
    live = varied.mean(axis=0) > _LIVE_SHARE
    for label in np.unique(labels):  # as a lead that was recorded for rare beats alone
        live |= varied[labels == label].mean(axis=0) > _AGREEING_SHARE_OF_CLASS
    if not live.any():
        return None
    varied, counted = varied & live, counted & live
    target = [
        np.where(live, np.nanmedian(np.where(varied | ~live, part, np.nan), axis=0), dead)
        for part, dead in ((start, np.nan), (size, 0.0))
    ]
    off = np.abs(start - target[0])
    if both:
        off = np.maximum(off, np.abs(size - target[1]))
    agrees = varied & (off <= _TOLERANCE * target[1])

    def _agree(rows, share):
        return (agrees[rows].sum(axis=0) >= share * counted[rows].sum(axis=0)).all()

    each = (_agree(labels == label, _AGREEING_SHARE_OF_CLASS) for label in np.unique(labels))
    return target if _agree(slice(None), _AGREEING_SHARE) and all(each) else None
