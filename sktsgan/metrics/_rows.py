"""Checks of rows, labels and samplers that every metric makes."""

from inspect import signature

import numpy as np
import pandas as pd
import torch
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import validate_data

from sktsgan._arrays import flattened, in_memory, in_parts, mapped
from sktsgan._labels import check_labels, labels_of
from sktsgan._signals import check_axes, check_not_ragged

# Of more the sum of squares may be infinite, and of less squares may vanish.
_LARGEST, _SMALLEST = 1e150, 1e-150
# What searches have, and other estimators with a 'refit' have not.
_OF_SEARCHES = "param_grid", "param_distributions", "search_spaces"


def check_pair(X_real, X_synthetic, *, min_rows=1, names=("X_real", "X_synthetic")):
    """Return both sets of rows as 2-D, or say what is wrong with them.

    Parameters
    ----------
    X_real, X_synthetic : array-like
        Rows of equal shape, 2-D or 3-D.
    min_rows : int, default=1
        Rows that each set needs.
    names : tuple of str, default=("X_real", "X_synthetic")
        The arguments' names.

    Returns
    -------
    X_real, X_synthetic : ndarray or Tensor of shape (n, n_features)
        The same numbers, not copied where they were an array.

    Raises
    ------
    ValueError
        If there are too few, they differ in shape or in the names of columns, or are not finite.
    """
    pair = X_real, X_synthetic
    X_real, X_synthetic = (
        check_rows(X, name, min_rows) for X, name in zip(pair, names, strict=True)
    )
    shapes = [tuple(np.shape(X)[1:]) for X in pair]
    if len(shapes[0]) == len(shapes[1]) == 2 and shapes[0] != shapes[1]:
        raise ValueError(
            f"'{names[0]}' and '{names[1]}' must have the same channels and timepoints. "
            f"Got {shapes[0]} and {shapes[1]}."
        )
    if X_real.shape[1] != X_synthetic.shape[1]:
        raise ValueError(
            f"'{names[0]}' and '{names[1]}' must have the same number of timepoints. "
            f"Got {X_real.shape[1]} and {X_synthetic.shape[1]}."
        )
    tables = [X.columns for X in pair if isinstance(X, pd.DataFrame)]
    is_named = len(tables) == 2 and all(isinstance(name, str) for name in [*tables[0], *tables[1]])
    if is_named and (tables[0] != tables[1]).any():
        place = np.flatnonzero(tables[0] != tables[1])[0]
        raise ValueError(
            f"'{names[0]}' and '{names[1]}' must have the same columns in the same order. Got "
            f"{tables[0][place]!r} and {tables[1][place]!r} in place {place}."
        )
    return X_real, X_synthetic


def check_arrays(X_real, X_synthetic, **kwargs):
    """Return both sets of rows as numpy arrays, which scikit-learn and matplotlib take.

    Parameters
    ----------
    X_real, X_synthetic : array-like
        As in :func:`check_pair`, which checks them.
    **kwargs : dict
        Passed to it.

    Returns
    -------
    list of two ndarray of shape (n, n_features)
        The same numbers; those of a tensor in float64.
    """
    return [as_array(X) for X in check_pair(X_real, X_synthetic, **kwargs)]


def as_array(X):
    """Return checked rows as a numpy array.

    Parameters
    ----------
    X : ndarray or Tensor
        Rows.

    Returns
    -------
    ndarray
        The same numbers; those of a tensor in float64.
    """
    return as_tensor(X).cpu().numpy() if isinstance(X, torch.Tensor) else X


def check_rows(X, name, min_rows=1):
    """Return rows as 2-D, or say what is wrong with them.

    Parameters
    ----------
    X : array-like
        Rows, 2-D or 3-D.
    name : str
        The argument's name.
    min_rows : int, default=1
        Rows that are needed.

    Returns
    -------
    ndarray or Tensor of shape (n, n_features)
        The same numbers, not copied where they were an array.

    Raises
    ------
    ValueError
        If there are too few, or they are empty, not finite, or too large or small to be squared.
    """
    X = _as_numbers(X, name)
    if X.ndim not in (2, 3):
        raise ValueError(
            f"'{name}' must be of shape (n_samples, n_timepoints) or "
            f"(n_samples, n_channels, n_timepoints). Got {tuple(X.shape)}."
        )
    if len(X) < min_rows:
        raise ValueError(f"'{name}' must have at least {min_rows} rows. Got {len(X)}.")
    if not all(X.shape[1:]):
        raise ValueError(
            f"'{name}' must have rows of at least one time point. Got {tuple(X.shape)}."
        )
    X = flattened(X)
    largest = [float(as_tensor(part).abs().max()) for _, part in in_parts(X)]
    if not np.isfinite(largest).all():
        raise ValueError(f"'{name}' must be finite. Got NaN or infinity; drop such rows.")
    if max(largest) > _LARGEST:
        raise ValueError(
            f"'{name}' must hold numbers whose squares are finite, as those below 1e150 are. "
            "Got larger ones; give the rows in another unit."
        )
    if 0 < max(largest) < _SMALLEST:
        raise ValueError(
            f"'{name}' must hold numbers whose squares are above 0, as those above 1e-150 are. "
            "Got smaller ones alone; give the rows in another unit."
        )
    return X


def _as_numbers(X, name):
    if isinstance(X, torch.Tensor):
        if X.layout != torch.strided:
            raise ValueError(f"'{name}' must be dense. Got a sparse tensor; use to_dense().")
        if X.is_complex():
            raise ValueError(f"'{name}' must hold real numbers. Got {X.dtype}.")
        return X.detach()
    if issparse(X):
        raise ValueError(f"'{name}' must be dense. Got a sparse {type(X).__name__}; use toarray().")
    check_not_ragged(X, f"'{name}'")
    X = np.asarray(mapped(X))
    if X.dtype.kind in "fiu":  # longer floats are padded by bytes of any kind
        return X if X.dtype.itemsize <= 8 else X.astype(np.float64)
    try:
        if X.dtype.kind == "c":
            raise TypeError("a part of complex numbers would be lost")
        return np.where(pd.isna(X), np.nan, X).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"'{name}' must hold real numbers. Got {X.dtype}.") from error


def check_groups(groups, n_rows, rows, name="groups"):
    """Return groups as an array of one for each row, or say what is wrong.

    Parameters
    ----------
    groups : array-like of shape (n_rows,) or (n_rows, 1)
        Groups.
    n_rows : int
        Rows that they belong to.
    rows : str
        What those rows are called.
    name : str, default="groups"
        The argument's name.

    Returns
    -------
    ndarray of shape (n_rows,)
        The groups.

    Raises
    ------
    ValueError
        If one is missing, or their number differs.
    TypeError
        If some are numbers and others strings.
    """
    groups = in_memory(groups)
    checked = check_one_each(groups, n_rows, rows, name)
    # as objects, before numpy makes words of what is missing or a number among words
    groups = np.asarray(groups, dtype=object).ravel()
    missing = np.flatnonzero(pd.isna(groups))
    if len(missing):
        raise ValueError(
            f"'{name}' must be known for each row. That of row {missing[0]} is missing; give each "
            "row of an unknown patient a name of its own, or leave it out."
        )
    kinds = {isinstance(group, str) for group in groups}
    if len(kinds) > 1:
        raise TypeError(f"'{name}' must hold numbers or strings. Got both; use strings.")
    return checked


def check_one_each(values, n_rows, rows, name):
    """Return values as an array of one for each row, or say what is wrong.

    Parameters
    ----------
    values : array-like of shape (n_rows,) or (n_rows, 1)
        Groups, labels or scores.
    n_rows : int
        Rows that they belong to.
    rows : str
        What those rows are called.
    name : str
        The argument's name.

    Returns
    -------
    ndarray of shape (n_rows,)
        The values.

    Raises
    ------
    ValueError
        If their number differs.
    """
    values = np.asarray(in_memory(values))
    if values.shape == (n_rows, 1):
        values = values[:, 0]
    if values.shape != (n_rows,):
        raise ValueError(
            f"'{name}' must be one for each row of {rows}, of shape ({n_rows},). "
            f"Got {values.shape}."
        )
    return values


def check_row_labels(y, X, names):
    """Return labels as an array of one for each row, or say what is wrong.

    Parameters
    ----------
    y : array-like of shape (n_rows,), (n_rows, 1) or (n_rows, n_classes)
        Labels, or a column for each class.
    X : array-like of shape (n_rows, ...)
        Rows that they belong to.
    names : tuple of str
        What rows and labels are called.

    Returns
    -------
    ndarray of shape (n_rows,)
        The labels.

    Raises
    ------
    ValueError
        If one is missing, or their number differs.
    TypeError
        If they are of several kinds.
    """
    y = labels_of(check_labels(in_memory(y), names[1]))
    return check_one_each(y, len(X), *names)


def check_common_class(y_real, y_synthetic, names=("y_real", "y_synthetic")):
    """Say where no label is on both sides, as where one has numbers and the other words.

    Parameters
    ----------
    y_real, y_synthetic : ndarray of shape (n_rows,)
        Labels, at least one each.
    names : tuple of str, default=("y_real", "y_synthetic")
        The arguments' names.

    Raises
    ------
    ValueError
        If there is none.
    """
    classes = np.unique(y_real).tolist()
    if not set(y_synthetic.tolist()).intersection(classes):
        raise ValueError(
            f"'{names[1]}' must hold classes of '{names[0]}', {classes}. Got "
            f"{np.unique(y_synthetic).tolist()}; use labels of one kind."
        )


def find_sampler(estimator, X=None, name="sampler"):
    """Find the sampler in an estimator, and turn rows into what the sampler was given.

    Parameters
    ----------
    estimator : sampler, Pipeline or search
        Fitted.
    X : array-like of shape (n_samples, ...), default=None
        Rows as the estimator was given them.
    name : str, default="sampler"
        The argument's name.

    Returns
    -------
    sampler : object
        It has a method ``sample``.
    X : array-like or None
        The rows, through the transformers before it.

    Raises
    ------
    TypeError
        If there is none.
    sklearn.exceptions.NotFittedError
        If it is a search that has none yet.
    """
    found = _search(estimator, X)
    if found is None:
        raise TypeError(
            f"'{name}' must be a sampler with a method 'sample' that takes labels, or a Pipeline "
            f"or a search with one. Got {type(estimator).__name__}."
        )
    return found


def _draws_by_label(estimator):
    """Say whether it has a ``sample`` that takes labels, as that of a mixture model does not."""
    if isinstance(estimator, type) or not hasattr(estimator, "sample"):
        return False
    parameters = signature(estimator.sample).parameters.values()
    return any(part.name == "y" or part.kind is part.VAR_KEYWORD for part in parameters)


def _search(estimator, X):
    if _draws_by_label(estimator):
        return estimator, X
    if hasattr(estimator, "best_estimator_"):
        return _search(estimator.best_estimator_, X)
    if any(hasattr(estimator, name) for name in _OF_SEARCHES):
        raise NotFittedError(
            f"A {type(estimator).__name__} has a sampler once it is fitted, with 'refit'. This one "
            "is not."
        )
    for _, step in getattr(estimator, "steps", []):
        found = _search(step, X)
        if found:
            return found
        if X is not None and hasattr(step, "transform"):
            X = step.transform(X)
    return None


def as_sampled(estimator, X, y, names=("X", "y"), name="sampler"):
    """Find the sampler in an estimator, and check rows and labels as it was given some.

    Parameters
    ----------
    estimator : sampler, Pipeline or search
        Fitted.
    X : array-like of shape (n_samples, ...)
        Rows as the estimator was given them.
    y : array-like of shape (n_samples,) or (n_samples, n_classes)
        Their labels, or a column for each class.
    names : tuple of str, default=("X", "y")
        What rows and labels are called.
    name : str, default="sampler"
        What the estimator is called.

    Returns
    -------
    sampler : object
        The sampler.
    X : ndarray or Tensor of shape (n_samples, ...)
        Rows.
    y : ndarray of shape (n_samples,)
        Labels.

    Raises
    ------
    ValueError
        If rows are not finite, or not those of ``fit`` in shape and names, or labels are missing
        or not one for each row.
    TypeError
        If there is no sampler, or labels are of several kinds.
    """
    sampler, X = find_sampler(estimator, X, name)
    rows = check_rows(X, names[0]).reshape(np.shape(X))
    check_axes(rows, getattr(sampler, "_row_shape", rows.shape[1:]), names[0])
    if isinstance(sampler, BaseEstimator):
        validate_data(sampler, X, reset=False, skip_check_array=True)  # number and names of columns
    return sampler, rows, check_row_labels(y, rows, names)


def as_tensor(X):
    """Return rows as a float64 tensor, on the device where they are, if that has such numbers.

    Parameters
    ----------
    X : ndarray or Tensor
        Rows; of a memory-mapped array, a part that is to be read.

    Returns
    -------
    Tensor of float64
        The same numbers.
    """
    if isinstance(X, torch.Tensor):
        return (X.cpu() if X.device.type == "mps" else X).double()
    return torch.from_numpy(np.array(X, dtype=np.float64))
