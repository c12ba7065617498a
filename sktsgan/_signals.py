"""Shapes and scaling of signals: (n_samples, n_channels, n_timepoints) inside, always."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sktsgan._arrays import in_parts
from sktsgan._labels import check_labels
from sktsgan._processes import ALONE
from sktsgan._types import rounding_of

# Bounds that are public lie so many units of the scaled rows from their middle.
BOUNDED_REACH = 4.0
# Share by which rounding may change a constant channel, whatever its type: some last digits.
_ROUNDING = 1e-15


def as_signals(X, n_channels=1):
    """View rows as signals of shape (n_samples, n_channels, n_timepoints).

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features) or (n_samples, n_channels, n_timepoints)
        Rows; a 2-D row holds its channels one after the other.
    n_channels : int, default=1
        Channels of a 2-D row.

    Returns
    -------
    ndarray of shape (n_samples, n_channels, n_timepoints)
        The same numbers.

    Raises
    ------
    ValueError
        If the rows cannot hold `n_channels` channels of at least two time points.
    """
    if X.ndim == 3:
        if n_channels not in (1, X.shape[1]):
            raise ValueError(
                f"'n_channels' must be {X.shape[1]}, as X of shape {X.shape} is "
                f"(n_samples, n_channels, n_timepoints). Got {n_channels}."
            )
        signals = X
    elif X.shape[1] % n_channels:
        raise ValueError(
            f"'n_channels' must divide the length of a row, n_features={X.shape[1]}. "
            f"Got {n_channels}; a 2-D row holds its channels one after the other."
        )
    else:
        signals = X.reshape(len(X), int(n_channels), -1)
    if signals.shape[2] < 2 or not signals.shape[1]:
        raise ValueError(
            "X must have channels, and at least 2 time points in each channel. Got "
            f"{signals.shape[2]} (X.shape={X.shape}, n_features={X.shape[1]}, "
            f"n_channels={signals.shape[1]})."
        )
    return signals


def check_axes(X, row_shape, name="X"):
    """Say where rows have other axes than in the first call; scikit-learn would count channels.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...)
        Rows.
    row_shape : tuple of int
        Shape of a row of the first call. Of rows in 2-D, columns are compared by scikit-learn.
    name : str, default="X"
        What they are called.

    Raises
    ------
    ValueError
        If rows of several channels have another shape, or rows of one have several.
    """
    shape = tuple(np.shape(X)[1:])
    if shape != row_shape and (len(shape) == 2 or len(row_shape) == 2):
        raise ValueError(
            f"{name} must have rows of the shape of the first call, {row_shape}. Got {shape}; "
            "turn, cut or pad them."
        )


def check_not_ragged(X, name="X"):
    """Say which row has another length; numpy would only speak of an inhomogeneous shape.

    Parameters
    ----------
    X : array-like
        Rows as they were given.
    name : str, default="X"
        What they are called.

    Raises
    ------
    ValueError
        If two rows of a list differ in shape, or numpy does not know that objects are rows.
    """
    of_objects = getattr(getattr(X, "dtype", None), "kind", "") == "O" and np.ndim(X) == 1
    if not (isinstance(X, list | tuple) or of_objects):
        return
    first = None
    for i, row in enumerate(X):
        try:
            shape = np.shape(row)
        except ValueError as error:
            raise ValueError(
                f"{name} must have channels of one length. Those of row {i} differ; cut or pad "
                "them."
            ) from error
        first = shape if first is None else first
        if shape != first:
            raise ValueError(
                f"{name} must have rows of one length. Row {i} is of shape {shape} and row 0 of "
                f"shape {first}; cut or pad them."
            )
    if of_objects and first:
        raise ValueError(
            f"{name} must have 2 or 3 axes. Got one axis of arrays; join them by np.stack(list(X))."
        )


def check_kind(X, y):
    """Say what numpy, pandas and scikit-learn would only stumble over.

    Parameters
    ----------
    X : array-like
        Rows as they were given.
    y : array-like
        Labels as they were given.

    Raises
    ------
    ValueError
        If two columns have one name, numbers are complex, or a label is missing.
    TypeError
        If rows are dates, or labels of different kinds.
    """
    if isinstance(X, pd.DataFrame) and not X.columns.is_unique:
        raise ValueError("X must have columns of different names. Got one twice; rename it.")
    kind = getattr(getattr(X, "dtype", None), "kind", "f")
    if kind in "mM":
        raise TypeError(f"X must hold numbers. Got {X.dtype}; take the time out of the rows.")
    if kind == "c":  # scikit-learn's words, as its estimator checks ask for them
        raise ValueError(
            f"X must hold real numbers. Complex data not supported, got {X.dtype}; give the real "
            "and the imaginary part as two channels."
        )
    types = y.dtypes if isinstance(y, pd.DataFrame) else [getattr(y, "dtype", None)]
    if any(isinstance(t, pd.CategoricalDtype) and t.categories.dtype.kind == "b" for t in types):
        raise TypeError(  # pandas finds none of the numbers among them that scikit-learn makes
            "'y' must hold strings or numbers. Got categories of truth values; use astype(bool)."
        )
    check_labels(y)


def check_not_polars(X, y):
    """Refuse tables that imbalanced-learn cannot give back, which it would say after training.

    Parameters
    ----------
    X : array-like
        Rows as they were given.
    y : array-like
        Labels as they were given.

    Raises
    ------
    TypeError
        If one is of polars.
    """
    for name, given in (("X", X), ("y", y)):
        if type(given).__module__.partition(".")[0] == "polars":
            raise TypeError(
                f"'{name}' must be an array, or a DataFrame or Series of pandas. Got one of "
                "polars; call its 'to_numpy' or 'to_pandas'."
            )


def check_finite(X, first=0):
    """Say which row is the first that holds NaN or infinity.

    Parameters
    ----------
    X : ndarray
        Rows.
    first : int, default=0
        What the first of them is called.

    Raises
    ------
    ValueError
        If there is one.
    """
    if X.dtype.kind != "f":
        return
    for start, part in in_parts(X):
        finite = np.isfinite(part).reshape(len(part), -1)
        if finite.all():
            continue
        row = int(np.flatnonzero(~finite.all(axis=1))[0])
        place = int(np.flatnonzero(~finite[row])[0])
        value = "NaN" if np.isnan(part[row].ravel()[place]) else "inf"
        raise ValueError(
            f"X must be finite. Row {first + start + row} is the first with {value}, at value "
            f"{place}; fill such gaps or drop the rows."
        )


@dataclass(frozen=True)
class SignalScaler:
    """Centre and scale each channel by one number for all rows and time points.

    One scale keeps what amplitudes tell: a beat that is twice as high as another stays so.

    Attributes
    ----------
    center, scale : ndarray of shape (n_channels, 1)
        Mean and standard deviation of the rows that the scaler was made from; the latter is 0
        where a channel is constant, and then stays so.
    rounding : float
        Share by which their type may have changed these rows.
    reach : float
        Scaled signals are clipped to this far from 0.
    """

    center: np.ndarray
    scale: np.ndarray
    rounding: float = 0.0
    reach: float = np.inf

    @classmethod
    def from_bounds(cls, bounds, n_channels):
        """Scale by bounds that are public instead of by the rows, and clip to them.

        Parameters
        ----------
        bounds : tuple of two floats
            The smallest and the largest value.
        n_channels : int
            Channels, of one scale all.

        Returns
        -------
        SignalScaler
            The scaler.
        """
        low, high = bounds
        shape = (n_channels, 1)
        center, scale = (low + high) / 2, (high - low) / (2 * BOUNDED_REACH)
        return cls(np.full(shape, center), np.full(shape, scale), reach=BOUNDED_REACH)

    @classmethod
    def from_signals(cls, signals, processes=ALONE):
        """Measure the signals, in float64.

        Parameters
        ----------
        signals : ndarray of shape (n_samples, n_channels, n_timepoints)
            Training rows.
        processes : Processes, default=ALONE
            Those that share the work.

        Returns
        -------
        SignalScaler
            The scaler.

        Raises
        ------
        ValueError
            If numbers are too large to be squared.
        """
        n_values = len(signals) * signals.shape[2]
        _, own = processes.part(signals)

        def _mean(function):
            parts = (part.astype(np.float64, order="C") for _, part in in_parts(own))
            sums = (function(part).sum(axis=(0, 2)) for part in parts)
            total = processes.sum(sum(sums, start=np.zeros(signals.shape[1])))
            return (total / n_values)[:, None]

        with np.errstate(over="ignore", invalid="ignore"):
            center = _mean(lambda part: part)
            scale = _mean(lambda part: (part - center) ** 2) ** 0.5
        if not np.isfinite(scale).all():
            raise ValueError(
                "X must hold numbers whose squares are finite, as those below 1e150 are. "
                "Got larger ones; give the rows in another unit."
            )
        first = np.asarray(signals[0, :, :1], dtype=np.float64)
        # sums of many equal numbers are off by rounding, so these may be constant
        if (scale <= np.maximum(1e-9 * np.abs(first), 1e-150)).any():
            parts = (np.abs(part - first).max(axis=(0, 2)) for _, part in in_parts(own))
            largest = np.max([*parts, np.zeros(signals.shape[1])], axis=0)[:, None]
            varies = largest > _ROUNDING * np.abs(first)
            constant = processes.sum(varies.astype(np.float64)) == 0
            if processes.sum((varies & (largest < 1e-150)).astype(np.float64)).any():
                raise ValueError(
                    "X must hold numbers whose squares are above 0, as those above 1e-150 are. "
                    "Got smaller ones; give the rows in another unit."
                )
            center, scale = np.where(constant, first, center), np.where(constant, 0.0, scale)
        return cls(center, scale, rounding_of(signals.dtype))

    def leaves_constant(self, signals):
        """Say whether signals are what they were in the channels that were constant.

        Parameters
        ----------
        signals : ndarray of shape (n_samples, n_channels, n_timepoints)
            Signals in their own unit.

        Returns
        -------
        bool
            Whether they are, but for rounding.
        """
        constant = self.scale[:, 0] == 0
        if not constant.any():
            return True
        center = self.center[constant]
        rounding = max(self.rounding, rounding_of(signals.dtype), _ROUNDING)
        tolerance = rounding * np.abs(center) + 1e-6 * self.scale.max()
        return all(
            (np.abs(part[:, constant] - center) <= tolerance).all() for _, part in in_parts(signals)
        )

    def scaled(self, signals):
        """Return the signals as float32 with mean 0 and standard deviation 1, or clipped.

        Parameters
        ----------
        signals : ndarray of shape (n_samples, n_channels, n_timepoints)
            Signals in their own unit.

        Returns
        -------
        ndarray of float32
            The scaled signals.

        Raises
        ------
        ValueError
            If one is too large for float32.
        """
        scaled = np.empty(signals.shape, dtype=np.float32)
        for start, part in in_parts(signals):
            scaled[start : start + len(part)] = self._scaled_part(part)
        return scaled

    def _scaled_part(self, signals):
        is_bounded = np.isfinite(self.reach)
        if is_bounded:  # before they are float32, in which none may be too large: no row shows
            reach = self.reach * self.scale
            signals = np.clip(signals, self.center - reach, self.center + reach)
        with np.errstate(over="ignore"):
            scale = np.where(self.scale, self.scale, 1.0)
            scaled = ((signals - self.center) / scale).astype(np.float32)
        if not np.isfinite(scaled).all():
            raise ValueError(
                "X must be in the unit of the rows that the scale was measured on. Got values "
                "beyond 1e38 standard deviations; convert them."
            )
        return scaled.clip(-self.reach, self.reach) if is_bounded else scaled

    def restored(self, signals):
        """Return scaled signals in their own unit, as float64.

        Parameters
        ----------
        signals : ndarray of shape (n_samples, n_channels, n_timepoints)
            Scaled signals.

        Returns
        -------
        ndarray of float64
            The signals.
        """
        return signals * self.scale + self.center
