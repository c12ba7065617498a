"""How rows were prepared before they came: padded, or scaled one by one. New ones keep to it."""

from functools import partial
from itertools import product

import numpy as np

from sktsgan._arrays import in_parts, spread_places

# Rows count as padded where at least this share of them, or of a class, ends or begins in the same
# value ...
_PADDED_SHARE = 0.1
# ... and no fewer than this, as two rows of a small class may end alike by chance. As many have to
# reach a limit.
_LEAST_PADDED = 3
# Rows that are looked at for their scale; more would show no more of it ...
_N_MEASURED = 5000
# ... but for all of a class that has no more than these, of which few or none would be seen.
_ALL_MEASURED = 100
# Rows count as scaled one by one where at least this share of all agrees, and of each class ...
_AGREEING_SHARE = 0.9
_AGREEING_SHARE_OF_CLASS = 0.5
# ... within this share of what they are scaled to, and of their own height, which may be less; the
# second where a smallest or largest value became one number, which it is but for rounding.
_TOLERANCES = 1e-3, 1e-6
# A channel is dead where no more than this share of its rows varies, and in no class most do.
_LIVE_SHARE = 0.1
# Halvings after which a move is known to the last digit.
_N_BISECTIONS = 60
# What is never negative is bent where it would be below this share of its smallest value.
_FAR_BELOW = 0.5
# Above it float64 has no odd numbers, so that steps between whole numbers show no more.
_MOST_WHOLE = 2.0**53
# What rounding makes of the deviation of a constant, as a share of it.
_ROUNDING = 1e-12


class Preparation:
    """What rows have in common by the way they were prepared.

    *Padding* is one value at the end or at the beginning of a channel, twice or more often.
    *Scaling* row by row gives all of them, beside padding or with it, the same range, the same mean
    and standard deviation, or the same largest value, or largest, summed or squared magnitude, in
    each channel or in all of them together. Rows whose *offset* was taken out, alone or before they
    were divided, have the same mean or the same smallest or largest value. A *limit* is the
    smallest or the largest value of a channel in all rows that many of them reach, as counts
    reach 0; what is never negative stays so, but where rows share their largest value alone.
    Channels of *whole* numbers keep to them, and to the step between them. Sums of rows moved in
    time and generated ones have none of it to the last digit, and a classifier could tell them from
    real ones by it. What most rows of a class do not share is no preparation: it may be what tells
    them from others.

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
        self.ways = _find_ways(some, inside, labels[places])
        measure, _, size = self.ways[-1] if self.ways else (None, None, None)
        self.scaled = size is not None
        self.whole = (signals == np.rint(signals)).all(axis=(0, 2))
        self.first, self.step = _find_steps(signals[:, self.whole])
        self.limits = _find_limits(signals, ~self.padding, self.whole, measure, self.scaled)

    def __bool__(self):
        is_any = bool(self.ways) or self.limits is not None
        return is_any or self.padded or bool(self.whole.any())

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
        if self.limits is not None:
            signals = _within(signals, ~padding, *self.limits)
        for way in self.ways:
            signals = self._moved(signals, padding, like, *way)
        if self.limits is not None and self.ways and not self.scaled:  # which may have left them
            if self.ways[-1][0].func is _range:
                signals = np.clip(signals, *self.limits[:2])
            else:
                signals = _within(signals, ~padding, *self.limits)
        if self.whole.any():
            signals = signals.copy()
            steps = (signals[:, self.whole] - self.first) / self.step
            steps = _rounded(steps, ~padding[:, self.whole])
            signals[:, self.whole] = self.first + self.step * steps
        return signals if like is None else np.where(padding, self.signals[like], signals)

    def _moved(self, signals, padding, like, measure, usual_start, usual_size):
        """Give signals their usual start, and their usual size where they have one."""
        start, size = measure(signals, ~padding)
        is_scale = usual_size is not None
        if usual_start is None:  # with padding, the real row's, so that the rest has to be as there
            usual_start, usual_size = measure(self.signals[like].astype(np.float64), ~padding)
        moved = signals - start
        flat = np.zeros_like(size, dtype=bool)
        if is_scale:
            flat = size <= _TOLERANCES[0] * usual_size  # what varies there is rounding
            # divided first, so that a range of 1 ends in 1 to the last digit
            np.divide(moved, size, out=moved, where=~flat)
            moved *= usual_size
            flat &= measure.func is _magnitude  # the others have a start to lie on
        dead = np.isnan(usual_start)  # such a channel holds its own number in each row
        own = _mean(signals, ~padding, axis=2) if dead.any() else start
        return np.where(dead, own, np.where(flat, signals, usual_start + moved))


def _find_limits(signals, inside, whole, measure, scaled):
    """Return what each channel stays above and below, infinite where few rows reach a limit.

    Padding does not count. Rows reach what they were scaled or moved to by that, once: there most
    have to do so twice. What else is never negative has three numbers more, its smallest value, and
    the usual value above 0 of those that are the least of their row, and of all.
    """
    n_rows = max(_LEAST_PADDED, _PADDED_SHARE * len(signals))
    has_range = measure is not None and measure.func is _range
    ways = (np.min, np.max, -np.inf), (np.max, np.min, np.inf)
    limits, ends = [], []
    for by_scale, (extreme, other, none) in zip(_edges_of(measure, scaled), ways, strict=True):
        limit = extreme(signals, axis=(0, 2), where=inside, initial=other(signals))
        ends.append(limit)
        n_reached = ((signals == limit[:, None]) & inside).sum(axis=2)
        is_one = (n_reached > 0).sum(axis=0) >= n_rows
        if extreme is np.min:  # counts; whole numbers of a converter are far above 0
            is_one |= whole & (limit >= 0) & (limit <= 1)
        by_scale &= has_range | (limit != 0)  # a division leaves 0 where it was
        is_one = np.where(by_scale, np.median(n_reached, axis=0) > 1, is_one)
        limits.append(np.where(is_one, limit.astype(np.float64), none)[:, None])
    above = np.full((3, *limits[0].shape), -np.inf)
    if not has_range:
        positive = inside & (signals > 0)
        is_above = positive.any(axis=(0, 2)) & ~(inside & (signals < 0)).any(axis=(0, 2))
        for i in np.flatnonzero(is_above & np.isinf(limits[0][:, 0])):
            own = np.where(positive[:, i], signals[:, i], np.inf)
            least = own.min(axis=1)
            usual = [np.median(part[part < np.inf]) for part in (least, own)]
            above[:, i, 0] = ends[0][i], *usual
    limits = *limits, *above
    return None if np.isinf(limits).all() else limits


def _edges_of(measure, scaled):
    """Say whether rows reach their smallest and their largest values by how they were scaled."""
    if measure is None or measure.func is _moments:
        return False, False
    if measure.func is _range:
        top = measure.keywords.get("top", False)
        return scaled or not top, scaled or top
    order = measure.keywords["order"]
    return order == np.inf, order in (np.inf, "largest")


def _within(signals, inside, low, high, smallest, least, usual):
    """Take signals to the nearest ones between limits that have the same means.

    What is cut off alone would leave rows higher than they were, or lower. The nearest ones are
    moved by one number and then cut off, and bisection finds it. Below their least value, signals
    that are never negative are not cut off, as all would be equal there, but bent towards their
    smallest one: far below it a logarithm would make outliers of them.
    """
    outside = (signals < np.where(np.isinf(least), low, _FAR_BELOW * smallest)) | (signals > high)
    rows, channels = np.nonzero((outside & inside).any(axis=2))
    if not len(rows):
        return signals
    own, inside = signals[rows, channels][:, None], inside[rows, channels][:, None]
    low, high, smallest, least, usual = (
        part[channels][:, None] for part in (low, high, smallest, least, usual)
    )

    def _cut(move):
        cut = np.clip(own - move, low, high)
        below = cut < least
        if below.any():
            end, start, scale = (
                np.broadcast_to(part, cut.shape)[below] for part in (smallest, least, usual)
            )
            cut[below] = end + (start - end) * np.exp((cut[below] - start) / scale)
        return cut

    mean, floor = _mean(own, inside, 2), np.maximum(low, np.where(np.isinf(least), least, 0.0))
    edges = own.min(axis=2, keepdims=True), own.max(axis=2, keepdims=True)
    least_move, most = (
        np.where(np.isinf(limit), 0, edge - limit)
        for edge, limit in zip(edges, (high, floor), strict=True)
    )
    for _ in range(_N_BISECTIONS):
        middle = (least_move + most) / 2
        above = _mean(_cut(middle), inside, 2) > mean
        least_move, most = np.where(above, middle, least_move), np.where(above, most, middle)
    signals = signals.copy()
    signals[rows, channels] = _cut(least_move)[:, 0]
    return signals


def _find_steps(signals):
    """Return of each channel of whole numbers one of them, and the step in which all others lie."""
    first = signals[:1, :, :1].astype(np.float64)
    steps = np.zeros(signals.shape[1], dtype=np.int64)
    for _, rows in in_parts(signals):
        distances = np.abs(rows - first).clip(0, _MOST_WHOLE).astype(np.int64)
        steps = np.gcd(steps, np.gcd.reduce(distances, axis=(0, 2)))
        if (steps == 1).all():
            break
    return first, np.maximum(steps, 1)[:, None]


def _rounded(signals, inside):
    """Take signals to the nearest whole numbers that have the same rounded sums.

    Of numbers far below 1, as sums of rare events are, next to nothing would be left otherwise.
    """
    down = np.floor(signals)
    rest = np.where(inside, signals - down, -1.0)
    is_constant = np.ptp(signals, axis=2, keepdims=True) == 0
    rest = np.where(is_constant, np.rint(rest), rest)
    n_up = np.rint(np.sum(rest, axis=2, where=inside, keepdims=True))
    rank = np.argsort(np.argsort(-rest, axis=2, kind="stable"), axis=2, kind="stable")
    return down + (rank < n_up)


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


def _find_ways(signals, inside, labels):
    """Return the ways in which rows were prepared, in their order, as :func:`_find_way` has them.

    What was divided keeps a start of 0, so that an offset may have been taken out before.
    """
    way = _find_way(signals, inside, labels)
    if way is None:
        return []
    if way[2] is None:
        return [way]
    least = _TOLERANCES[0] * np.median(_heights(signals, inside, axis=2), axis=0)

    def _starts_at_0(measure, start, _):
        if start is None:  # rows have it with their padding
            start = np.median(measure(signals, np.ones_like(inside))[0], axis=0)
        return (np.abs(np.nan_to_num(start)) <= least).all()

    if not _starts_at_0(*way):
        return [way]
    before = _find_way(signals, inside, labels, with_size=False)
    is_another = before and _kind(before) != _kind(way) and _starts_at_0(*before)
    return [before, way] if is_another else [way]


def _kind(way):
    measure = way[0]
    return measure.func, measure.keywords["axis"]


def _find_way(signals, inside, labels, with_size=True):
    """Return how to measure start and size of signals, and which ones nearly all have, or None.

    Channels that agree one by one may not do so together, so that way comes first. A size is no
    preparation without a start, nor is a start that is 0 by itself. Rows may also have been scaled
    before they were padded, or end in one value by themselves: those that agree as a whole have no
    usual numbers beside padding, and no start here.
    """
    axes = (2,) if signals.shape[1] == 1 else (2, (1, 2))
    # the last as pandas and torch have it
    moved = [[way] for way in (_range, _moments, partial(_moments, ddof=1))]
    # nearly all rows may have both of these, and all of them the one that was meant
    tops = [partial(_magnitude, order=order) for order in (np.inf, "largest")]
    divided = [tops, *([partial(_magnitude, order=order)] for order in (2, 1))]
    everywhere = np.ones_like(inside)
    counted = {axis: _range(signals, everywhere, axis)[1] > 0 for axis in axes}
    parts = [
        (part, {axis: _heights(signals, part, axis) for axis in axes})
        for part in ([inside] if inside.all() else [inside, everywhere])
    ]
    offsets = [*moved, [partial(_range, top=True)]]
    for both, groups in ((True, moved + divided if with_size else []), (False, offsets)):
        for axis, ways, (part, heights) in product(axes, groups, parts):
            found = []
            for measure in (partial(way, axis=axis) for way in ways):
                own = measure(signals, part)
                target, share = _agreed(measure, *own, heights[axis], counted[axis], labels, both)
                known = target and (
                    part is inside or _is_known_beside(signals, inside, measure, *target)
                )
                certain = share == 1 and (both or part is inside)
                if known and (certain or not _is_limit(signals, inside, measure, *target, both)):
                    start, size = target if part is inside else (None, True)
                    found.append((share, measure, start, size if both else None))
            if found:
                return max(found, key=lambda one: one[0])[1:]
    return None


def _is_known_beside(signals, inside, measure, start, size):
    """Say whether padding is not all by which rows agree, with which they were measured.

    A magnitude is that of the rest, or padding is most of it. An edge is, in half of the rows of
    a channel.
    """
    if measure.func is _range:
        off = np.abs(measure(signals, inside)[0] - start)
        shares = (np.isnan(off) | (off <= _TOLERANCES[1] * size)).mean(axis=0)
        return shares.max() >= _AGREEING_SHARE_OF_CLASS
    return measure.func is _moments


def _is_limit(signals, inside, measure, start, size, both):
    """Say whether most rows reach their edge more than once: a limit, where some do not at all."""
    if not any(_edges_of(measure, both)):
        return False
    edge = start + size if both else start
    return np.median(((signals == edge) & inside).sum(axis=measure.keywords["axis"])) > 1


def _heights(signals, inside, axis):
    """Return by how much rows vary, channels together by the one that varies least."""
    own = _range(signals, inside, axis=2)[1]
    # what is as good as constant beside the others does not vary
    own = np.where(own > _TOLERANCES[0] * own.max(axis=1, keepdims=True), own, np.inf)
    return own if axis == 2 else own.min(axis=1, keepdims=True)


def _range(signals, inside, axis, top=False):
    """Return the smallest value beside padding, or the largest, and the distance of the two."""
    low = np.min(signals, axis=axis, where=inside, initial=np.inf, keepdims=True)
    high = np.max(signals, axis=axis, where=inside, initial=-np.inf, keepdims=True)
    nothing = ~inside.any(axis=axis, keepdims=True)
    edge, size = high if top else low, np.subtract(high, low)
    return tuple(np.where(nothing, 0.0, part) for part in (edge, size))


def _mean(signals, inside, axis):
    n_inside = np.maximum(inside.sum(axis=axis, keepdims=True), 1)
    return np.sum(signals, axis=axis, where=inside, keepdims=True, dtype=np.float64) / n_inside


def _moments(signals, inside, axis, ddof=0):
    """Return mean and standard deviation beside padding."""
    mean = _mean(signals, inside, axis)
    n_inside = inside.sum(axis=axis, keepdims=True)
    squares = np.sum((signals - mean) ** 2, axis=axis, where=inside, keepdims=True)
    deviation = (squares / np.maximum(n_inside - ddof, 1)) ** 0.5
    return mean, np.where(deviation > _ROUNDING * np.abs(mean), deviation, 0.0)


def _magnitude(signals, inside, axis, order):
    """Return 0 and a norm beside padding: what is left of rows that were divided by theirs.

    The order "largest" is the largest value, which may be less than a negative one's magnitude.
    """
    size = np.where(inside, np.abs(signals) if order != "largest" else signals.clip(0), 0.0)
    if order in (np.inf, "largest"):
        size = size.max(axis=axis, keepdims=True)
    else:
        size = (size**order).sum(axis=axis, keepdims=True) ** (1 / order)
    _, spread = _range(signals, np.ones_like(inside), axis)
    return np.zeros_like(size), np.where(spread > 0, size, 0.0)


def _agreed(measure, start, size, heights, counted, labels, both):
    """Return the usual numbers, or None, and the share of rows that have them.

    Nearly all are to have them, and most of each class.
    Rows that do not vary are not `counted`; those that do, but not beside what looks like padding,
    agree with none. With `both`, rows are to have the usual start and size, and else the start.
    Dead channels have no start and a size of 0.
    """
    varied = size > 0
    live = varied.mean(axis=0) > _LIVE_SHARE
    for label in np.unique(labels):  # as a lead that was recorded for rare beats alone
        live |= varied[labels == label].mean(axis=0) > _AGREEING_SHARE_OF_CLASS
    if not live.any():
        return None, 0
    varied, counted = varied & live, counted & live
    target = [
        np.where(live, np.nanmedian(np.where(varied | ~live, part, np.nan), axis=0), dead)
        for part, dead in ((start, np.nan), (size, 0.0))
    ]
    height = np.minimum(target[1], heights)
    is_range, is_edge = measure.func is _range, any(_edges_of(measure, both))
    agrees = varied & (np.abs(start - target[0]) <= height * _TOLERANCES[is_edge])
    if both:  # a range of large numbers is rounded more than its edge
        agrees &= np.abs(size - target[1]) <= height * _TOLERANCES[is_edge and not is_range]

    def _share(rows):
        n_counted = counted[rows].sum(axis=0)
        shares = agrees[rows].sum(axis=0) / np.maximum(n_counted, 1)
        return np.where(n_counted, shares, 1).min()

    share = _share(slice(None))
    least = min(_share(labels == label) for label in np.unique(labels))
    do_agree = share >= _AGREEING_SHARE and least >= _AGREEING_SHARE_OF_CLASS
    return (target, share) if do_agree else (None, 0)
