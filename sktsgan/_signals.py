"""Shapes and scaling of signals: (n_samples, n_channels, n_timepoints) inside, always."""

import numbers
import reprlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import issparse

from sktsgan._arrays import in_parts
from sktsgan._processes import ALONE

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


def check_labels(y, name="y"):
    """Say what is wrong with labels that cannot be sorted.

    Parameters
    ----------
    y : array-like
        Labels as they were given.
    name : str, default="y"
        The argument's name.

    Returns
    -------
    ndarray
        The same.

    Raises
    ------
    ValueError
        If one is missing, or rows have several.
    TypeError
        If they are of different kinds, or neither strings nor numbers.
    """
    given, y = y, _dense(y)
    if y.dtype.kind in "SmMT":
        kind = "bytes" if y.dtype.kind == "S" else y.dtype
        raise TypeError(f"'{name}' must hold strings or numbers. Got {kind}; convert them.")
    labels = y
    if isinstance(given, list | tuple) and y.dtype.kind == "U":
        labels = np.asarray(given, dtype=object)  # numpy made strings of numbers and NaN
    if y.ndim and len(y):
        missing = pd.isna(labels).reshape(len(y), -1).any(axis=1)
        if y.ndim == 2 and y.shape[1] > 1 and y.dtype.kind in "biuf" and np.isin(y, (0, 1)).all():
            missing |= ~y.any(axis=1)  # of a table with a column for each class
        if missing.any():
            raise ValueError(
                f"'{name}' must have a label for each row. It is missing in row "
                f"{missing.argmax()}; drop such rows."
            )
    if y.ndim > 1 and y.shape[1] > 1 and from_columns(y) is None:
        raise ValueError(
            f"'{name}' must hold one label for each row, or a column of zeros and ones for each "
            f"class. Got an array of shape {y.shape}."
        )
    if labels.dtype.kind == "O":
        kinds = sorted({type(plain(label)).__name__ for label in labels.ravel()})
        if len(kinds) > 1:
            raise TypeError(
                f"'{name}' must hold labels of one kind. Got {' and '.join(kinds)}; use strings."
            )
    return y


def from_columns(y):
    """Read labels from a one-hot table, which has a column for each class.

    Parameters
    ----------
    y : array-like
        Labels as they were given.

    Returns
    -------
    ndarray of int of shape (n_samples,) or None
        The columns of the ones; None where `y` is no such table.
    """
    if np.ndim(y) != 2 or np.shape(y)[1] < 2:
        return None
    table = _dense(y)
    if table.dtype.kind not in "biuf":
        return None
    is_one_hot = np.isin(table, (0, 1)).all() and (table.sum(axis=1) == 1).all()
    return table.argmax(axis=1) if is_one_hot else None


def to_columns(labels, y):
    """Turn labels into a one-hot table.

    Parameters
    ----------
    labels : ndarray of int of shape (n_samples,)
        Columns of the ones.
    y : array-like of shape (n_rows, n_classes)
        A table of which to take container and types.

    Returns
    -------
    array-like of shape (n_samples, n_classes)
        The table.
    """
    table = np.eye(np.shape(y)[1], dtype=int)[labels]
    if hasattr(y, "columns"):
        return type(y)(table, columns=y.columns).astype(y.dtypes)
    if issparse(y):
        return type(y)(table.astype(y.dtype))
    return table.astype(np.asarray(y).dtype) if hasattr(y, "dtype") else table.tolist()


def _dense(y):
    """Return labels as an array: a table of pandas' own numbers or of a sparse matrix, too."""
    y = np.asarray(y.toarray() if issparse(y) else y)
    if y.ndim == 2 and y.dtype.kind == "O":
        y = pd.DataFrame(y).infer_objects().to_numpy()
    return y


def check_whole(name, value, least=1):
    """Refuse what is no whole number, or too small a one.

    Parameters
    ----------
    name : str
        The argument's name.
    value : object
        What it is.
    least : int, default=1
        The smallest that will do.

    Raises
    ------
    ValueError
        If it will not.
    """
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_whole or value < least:
        raise ValueError(f"'{name}' must be a whole number of at least {least}. Got {value!r}.")


def check_frequency(name, value):
    """Return a sampling frequency, or say that it is none.

    Parameters
    ----------
    name : str
        The argument's name.
    value : float
        In Hz.

    Returns
    -------
    float
        The same.

    Raises
    ------
    ValueError
        If it is not a number above 0.
    """
    if not (isinstance(value, numbers.Real) and 0 < value < np.inf):
        raise ValueError(f"'{name}' must be a frequency above 0 in Hz. Got {value!r}.")
    return float(value)


def numbers_of(name, values):
    """Return numbers as an array, or say that they are none.

    Parameters
    ----------
    name : str
        The argument's name.
    values : array-like
        Numbers.

    Returns
    -------
    ndarray of float
        The numbers.

    Raises
    ------
    ValueError
        If they are none.
    """
    try:
        if np.asanyarray(values).dtype.kind in "cmM":
            raise TypeError
        if np.ma.is_masked(values):  # numpy would take what is below the mask
            values = np.ma.filled(values.astype(float), np.nan)
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"'{name}' must hold numbers. Got {reprlib.repr(values)}.") from error


def plain(label):
    """Return a label as Python knows it and prints it best.

    Parameters
    ----------
    label : object
        A label, which may be numpy's.

    Returns
    -------
    object
        The same as a number or string of Python's.
    """
    return label.item() if isinstance(label, np.generic) else label


def narrow_columns(X):
    """Say which columns of a DataFrame hold whole or small numbers alone, as new rows are to.

    Parameters
    ----------
    X : array-like
        Rows as they were given.

    Returns
    -------
    ndarray of str of shape (n_features,) or None
        Their types, of whole numbers or float16, and an empty string for others; None where none
        does, and where `X` is no DataFrame.

    Raises
    ------
    TypeError
        If a column holds what new rows could not: truth values, dates or categories.
    """
    if not isinstance(X, pd.DataFrame):
        return None
    for name, dtype in X.dtypes.items():
        if dtype.kind in "bmM" or isinstance(dtype, pd.CategoricalDtype):
            raise TypeError(
                f"X must have columns of numbers. Got {dtype} in column {name!r}; convert it or "
                "leave it out."
            )
    return _narrow_of(map(_numpy_type, X.dtypes))


def wider_columns(first, second):
    """Say which columns hold whole or small numbers alone in rows of two calls.

    Parameters
    ----------
    first, second : ndarray of str of shape (n_features,) or None
        What :func:`narrow_columns` said of each.

    Returns
    -------
    ndarray of str of shape (n_features,) or None
        The types that hold both.
    """
    if first is None or second is None:
        return None
    pairs = zip(first.tolist(), second.tolist(), strict=True)
    return _narrow_of(np.result_type(*pair) if all(pair) else np.dtype(float) for pair in pairs)


def _narrow_of(types):
    narrow = [dtype.str if is_narrow(dtype) else "" for dtype in types]
    return np.array(narrow) if any(narrow) else None


def is_narrow(dtype):
    """Say whether a type holds whole or small numbers alone.

    Parameters
    ----------
    dtype : dtype
        The type.

    Returns
    -------
    bool
        Whether it is of whole numbers, or float16.
    """
    return dtype.kind in "iu" or dtype == np.float16


def _numpy_type(dtype):
    """Return the type of a column's numbers."""
    dtype = dtype.subtype if isinstance(dtype, pd.SparseDtype) else dtype
    dtype = getattr(dtype, "numpy_dtype", dtype)
    return dtype if isinstance(dtype, np.dtype) else np.dtype(object)


def rounding_of(dtype):
    """Say by which share a type may change a number: whole ones by nothing.

    Parameters
    ----------
    dtype : dtype
        The type.

    Returns
    -------
    float
        The share.
    """
    return float(np.finfo(dtype).eps) if dtype.kind == "f" else 0.0


def as_type(X, dtype):
    """Turn numbers into a type: rounded where it is a whole one, and clipped to what it holds.

    Parameters
    ----------
    X : ndarray of float64
        Numbers.
    dtype : dtype
        The type.

    Returns
    -------
    ndarray of `dtype`
        The nearest of its numbers.
    """
    if dtype.kind not in "iu":
        return np.clip(X, np.finfo(dtype).min, np.finfo(dtype).max).astype(dtype)
    top = float(np.iinfo(dtype).max)
    if top > np.iinfo(dtype).max:  # rounded up, it would be the smallest number
        top = np.nextafter(top, 0)
    return np.clip(np.rint(X), np.iinfo(dtype).min, top).astype(dtype)


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
