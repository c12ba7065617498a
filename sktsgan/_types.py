"""Number types of rows, which new rows are to have too."""

import numpy as np
import pandas as pd


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
