"""Labels as users give them: one for each row, or a table with a column for each class."""

import numpy as np
import pandas as pd
from scipy.sparse import issparse


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
        kind = {"S": "bytes", "T": "strings of variable width"}.get(y.dtype.kind, y.dtype)
        remedy = "use astype(object)" if y.dtype.kind == "T" else "convert them"
        raise TypeError(f"'{name}' must hold strings or numbers. Got {kind}; {remedy}.")
    labels = y
    if isinstance(given, list | tuple) and y.dtype.kind == "U":
        labels = np.asarray(given, dtype=object)  # numpy made strings of numbers and NaN
    if y.ndim and len(y):
        missing = pd.isna(labels).reshape(len(y), -1).any(axis=1)
        is_table = y.ndim == 2 and y.shape[1] > 1 and y.dtype.kind in "biuf"
        # with a column for each class
        is_table = is_table and np.isin(y, (0, 1)).all() and (y.sum(axis=1) < 2).all()
        if is_table:
            missing |= ~y.any(axis=1)
        if missing.any():
            advice = "drop such rows" + (", or give their class a column" if is_table else "")
            raise ValueError(
                f"'{name}' must have a label for each row. It is missing in row "
                f"{missing.argmax()}; {advice}."
            )
    if y.ndim > 1 and y.shape[1] > 1 and from_columns(y) is None:
        raise ValueError(
            f"'{name}' must hold one label for each row, or a column of zeros and ones for each "
            f"class, one of which is one. Got an array of shape {y.shape}."
        )
    if labels.dtype.kind == "O":
        kinds = sorted({type(plain(label)).__name__ for label in labels.ravel()})
        if len(kinds) > 1:
            raise TypeError(
                f"'{name}' must hold labels of one kind. Got {' and '.join(kinds)}; use strings."
            )
        if kinds in (["list"], ["tuple"]):
            raise TypeError(
                f"'{name}' must hold strings or numbers. Got a {kinds[0]} for each row; make one "
                "string of it."
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


def labels_of(y):
    """Return labels as one for each row, where they are a table.

    Parameters
    ----------
    y : array-like
        Labels as they were given.

    Returns
    -------
    array-like
        The columns of the ones of a table, else `y` itself.
    """
    columns = from_columns(y)
    return y if columns is None else columns


def with_type_of_numpy(y):
    """Give numbers of pandas' nullable types numpy's, which scikit-learn would make floats.

    Large ones would be the same then, and truth values no longer those of the user.

    Parameters
    ----------
    y : array-like
        Labels, of which none is missing.

    Returns
    -------
    array-like
        A Series with numpy's type, else `y` itself.
    """
    is_nullable = isinstance(y, pd.Series) and hasattr(y.dtype, "numpy_dtype")
    return y.astype(y.dtype.numpy_dtype) if is_nullable and y.dtype.kind in "biuf" else y


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
