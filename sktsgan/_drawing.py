"""New rows: drawn from the nets or between real rows, varied, chosen, and given as rows came."""

import warnings

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors

from sktsgan._devices import send
from sktsgan._labels import plain
from sktsgan._preparation import Preparation
from sktsgan._selection import (
    Alignment,
    Detail,
    NeighborSelection,
    Variation,
    find_distinct,
    find_nearest,
    interpolate_rows,
    jittered,
    select_rows,
)
from sktsgan._signals import as_signals
from sktsgan._types import as_type

# A row is kept with a probability: the share of the real rows around it that are of its class, to
# this power.
VOTE_POWERS = {"neighbors": 0.25, "unanimous": np.inf}

# Rows that were scaled one by one differ by their scales too, and that several times over is wrong.
_MOST_OF_SCALED = 1.0


class DrawingMixin:
    """Draws rows of what was learned, and makes those that balance."""

    def _build_lenders(self, X, labels, rng):
        """Prepare what real rows give: votes, variation, fine detail, padding and scale."""
        rows = self._scaled(X)
        places = find_distinct(rows, labels)
        rows, labels = rows[places], labels[places]
        largest = np.bincount(labels).argmax()
        donors = rows[labels == largest]
        alignment = self._alignment()
        variation = Variation(donors, rng, alignment) if self.variation else None
        detail = Detail(rows, self.detail_fraction) if self.detail_fraction else None
        preparation = Preparation(as_signals(X, self.n_channels)[places], labels)
        judge = NeighborSelection(rows, labels, alignment)
        return judge, variation, detail, preparation

    def _alignment(self):
        return Alignment(self.max_shift, self._signal_shape[0])

    def _share_out(self, index, n_rows):
        """Say how many rows of a class to replicate, to interpolate and to generate."""
        n_replicates = round(self.replicate_fraction * n_rows)
        n_new = n_rows - n_replicates
        if index in self._few_rows:
            return n_replicates, n_new, 0
        n_interpolated = min(round(self.interpolation_fraction * n_rows), n_new)
        return n_replicates, n_interpolated, n_new - n_interpolated

    def _new_rows(self, index, n_interpolated, n_generated, lenders, rng):
        """Make rows of a class: interpolated ones, then generated ones."""
        if not n_interpolated + n_generated:
            return []
        judge, variation, detail, preparation = lenders
        places = np.flatnonzero(judge.y == index)
        own = judge.X[places]
        aligned = judge.alignment.nearest(own) if n_interpolated else ()
        nearest = NearestNeighbors(n_neighbors=1).fit(own) if preparation.padded else None
        limit = min(self.variation, _MOST_OF_SCALED) if preparation.scaled else self.variation

        def vary(X):
            return variation.vary(X, limit, rng) if variation else X

        def interpolate(n):
            X = interpolate_rows(own, n, rng, judge.alignment, *aligned)
            if index in self._few_rows or not variation:  # between few rows little is new
                X = jittered(X, rng)
            return vary(X)

        def generate(n):
            X = self._draw(np.full(n, index), rng).reshape(n, -1)
            return vary(detail.give(X, own, rng) if detail else X)

        def finish(X):
            signals = self._scaler.restored(X.reshape(-1, *self._signal_shape))
            if preparation:
                like = places[find_nearest(nearest, X)[:, 0]] if preparation.padded else None
                signals = preparation.give(signals, like)
            return self._as_given(signals)

        known = index, judge, judge.copy_distance(index)
        return [
            self._select(lambda n, make=make: finish(make(n)), n_rows, *known, rng, advice)
            for make, n_rows, advice in (
                (interpolate, n_interpolated, ("weighted sums", "Look at the labels")),
                (generate, n_generated, ("generated rows", "Train longer")),
            )
            if n_rows
        ]

    def _select(self, draw, n_rows, index, judge, too_near, rng, advice):
        """Choose among drawn rows, which are judged as they will be given out."""
        power = None if index in self._few_rows else VOTE_POWERS.get(self.selection)
        rows, n_right, n_copies = select_rows(
            draw,
            lambda X: judge.judge(self._scaled(X), index),
            n_rows,
            too_near,
            power,
            rng,
        )
        label = plain(self.classes_[index])
        if n_copies:
            warnings.warn(
                f"{n_copies} of the {n_rows} rows made for class {label!r} are near-copies of "
                "real rows, as nothing else came out. Give rows of finer values or more variety.",
                stacklevel=2,
            )
        elif n_right < n_rows:
            kind, remedy = advice
            milder = "'neighbors'" if self.selection == "unanimous" else None
            warnings.warn(
                f"Only {n_right} of the {n_rows} {kind} for class {label!r} passed the "
                f"selection; the best of the others follow them. {remedy}, or set "
                f"selection={milder}.",
                stacklevel=2,
            )
        return rows

    def _draw(self, labels, rng, as_given=False):
        """Draw scaled signals, or rows, for labels given by index, in one order for all nets."""
        finish, dtype = (self._finished, self._dtype) if as_given else (None, np.float32)
        shape = self._row_shape if as_given else self._signal_shape
        signals = np.empty((len(labels), *self._signal_shape), dtype=dtype)
        for index, X in self._few_rows.items():
            rows = np.flatnonzero(labels == index)
            if not len(rows):  # a search for nothing
                continue
            X = X.reshape(len(X), -1)
            alignment = self._alignment()
            between = interpolate_rows(X, len(rows), rng, alignment, *alignment.nearest(X))
            drawn = jittered(between, rng).reshape(-1, *self._signal_shape)
            if as_given:
                drawn = self._as_given(self._scaler.restored(drawn)).reshape(drawn.shape)
            signals[rows] = drawn
        for net in dict.fromkeys(self._nets.values()):
            own = [index for index, other in self._nets.items() if other is net]
            rows = np.flatnonzero(np.isin(labels, own))
            if len(rows):
                noise = torch.Generator().manual_seed(int(rng.randint(2**31 - 1)))
                places = torch.from_numpy(np.searchsorted(net.classes_, labels[rows]))
                drawn = net.sample(places, noise, finish, dtype)
                if not np.isfinite(drawn).all():
                    raise RuntimeError(
                        "'generator' must give finite rows. Got NaN or infinity from weights that "
                        "are finite; train anew, or load another file."
                    )
                if len(rows) == len(labels):
                    return drawn.reshape(-1, *shape)
                signals[rows] = drawn
        return signals.reshape(-1, *shape)

    def _scaled(self, X):
        """Scale rows as they come, each as one line."""
        return self._scaler.scaled(as_signals(X, self.n_channels)).reshape(len(X), -1)

    def _finished(self, signals):
        """Give a tensor of scaled signals in their unit and as they came, on a card if it can."""
        if signals.is_cuda and self._narrow is None and self._dtype in (np.float32, np.float64):
            scale, center = (
                send(torch.from_numpy(own), signals.device)
                for own in (self._scaler.scale, self._scaler.center)
            )
            limits = np.finfo(self._dtype)
            return (signals * scale + center).clamp_(float(limits.min), float(limits.max))
        return self._as_given(self._scaler.restored(signals.cpu().numpy()))

    def _as_given(self, signals):
        """Give signals the shape and type of the training rows."""
        X = signals.reshape(len(signals), *self._row_shape)
        if self._narrow is not None:
            for dtype in np.unique(self._narrow[self._narrow != ""]):
                columns = self._narrow == dtype
                X[:, columns] = as_type(X[:, columns], np.dtype(dtype))
        return as_type(X, self._dtype)
