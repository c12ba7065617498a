"""Rows that are more than memory holds: looked at in parts, from files."""

import errno
import math
import mmap
import os
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

# Values that are looked at together.
_N_VALUES = 2**22
# Rows that are taken from anywhere together.
_N_TAKEN = 64


def in_parts(X):
    """Go through rows, which may be memory-mapped, a part at a time.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_samples, ...)
        Rows.

    Yields
    ------
    start : int
        Index of the first row of the part.
    part : ndarray or Tensor of shape (n_part, ...)
        Rows.
    """
    n_rows = _n_together(X)
    for start in range(0, len(X), n_rows):
        yield start, X[start : start + n_rows]
        release(X)


def _n_together(X):
    """Return how many rows are looked at together."""
    return max(1, _N_VALUES // max(1, int(np.prod(X.shape[1:]))))


def spread_places(n_rows, n_most):
    """Say where to look at so many rows at most: at random in equal parts, by a fixed seed.

    Evenly spaced rows could all be of one lead, or class, where these alternate.

    Parameters
    ----------
    n_rows : int
        Rows there are.
    n_most : int
        Rows to look at.

    Returns
    -------
    ndarray of int
        Their places: all, or `n_most` that rise.
    """
    if n_rows <= n_most:
        return np.arange(n_rows)
    edges = np.arange(n_most + 1) * n_rows // n_most
    within = np.random.default_rng(0).random(n_most)
    return edges[:-1] + (within * np.diff(edges)).astype(int)


def take(X, rows):
    """Copy rows of an array, which may be memory-mapped, a few at a time.

    A row that is read may map two megabytes around it.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_samples, ...)
        Rows.
    rows : ndarray of int of shape (n_rows,)
        Which of them.

    Returns
    -------
    ndarray or Tensor of shape (n_rows, ...)
        The rows.
    """
    if not isinstance(X, np.ndarray):
        return X[rows]
    taken = np.empty((len(rows), *X.shape[1:]), X.dtype)
    for start in range(0, len(rows), _N_TAKEN):
        few = slice(start, start + _N_TAKEN)
        taken[few] = X[rows[few]]
        release(X)
    return taken


def first_of_each(X):
    """Find the rows that no row before them equals.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows.

    Returns
    -------
    ndarray of int of shape (n_distinct,)
        Their places, in ascending order.
    """
    X = np.ascontiguousarray(X + 0.0)  # -0.0 equals 0.0, but not byte by byte
    rows = X.view(np.dtype((np.void, X.itemsize * X.shape[1]))).ravel()
    _, first = np.unique(rows, return_index=True)
    return np.sort(first)


def release(X):
    """Let the system take the pages of a memory-mapped array back, which are in the file too.

    Otherwise each page that was ever read counts as this process's memory.

    Parameters
    ----------
    X : ndarray or Tensor
        Rows, or a view of them; nothing is done where they are in memory.
    """
    X = _map_of(X)
    # what was written into a copy on write ("c") is in no file
    if X is not None and X.mode != "c" and hasattr(mmap, "MADV_DONTNEED"):
        X._mmap.madvise(mmap.MADV_DONTNEED)


def is_mapped_alone(X):
    """Say whether rows are memory-mapped in a way that no other process can repeat.

    Parameters
    ----------
    X : ndarray or Tensor
        Rows, or a view of them.

    Returns
    -------
    bool
        Whether their file has no name, is gone, or lacks what was written to them.
    """
    X = _map_of(X)
    return X is not None and (X.filename is None or X.mode == "c" or not Path(X.filename).exists())


def _map_of(X):
    """Return the memory-mapped array that rows are a view of, or None."""
    while isinstance(X, np.ndarray) and not isinstance(X, np.memmap):
        X = X.base
    return X if getattr(X, "_mmap", None) is not None else None


def _is_chunked(X):
    """Say whether rows are a Dask, Zarr or HDF5 array, which is read a chunk at a time."""
    return all(hasattr(X, name) for name in ("chunks", "shape", "dtype"))


def _computed(part):
    """Read a part of a chunked array, with the mask that it may have."""
    return np.asanyarray(part.compute() if hasattr(part, "compute") else part)


def mapped(X):
    """Write chunked rows to a temporary file, each chunk once, and map that into memory.

    Rows are then drawn at random from it, as the reading of whole chunks for each would not allow.
    The file has no name, and is gone with the array. Masked values, of which numpy would take
    what lies below the mask, become NaN.

    Parameters
    ----------
    X : array-like
        Rows as they were given.

    Returns
    -------
    array-like
        A memory-mapped array where `X` is chunked, another where values are masked or it is a
        tensor, a table of pandas where it is one of Dask, else `X`.

    Raises
    ------
    ValueError
        If the number of rows is not known, a chunk is not what the array says or has masked whole
        numbers, or a tensor is sparse.
    OSError
        If there is no room for the file.
    """
    if isinstance(X, torch.Tensor):
        return _of_tensor(X)
    if type(X).__module__.startswith("dask") and hasattr(X, "columns"):  # a table
        return X.compute()
    if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        return np.ma.filled(X.astype(np.float64), np.nan)
    if not _is_chunked(X):
        return X
    if np.isnan(X.shape).any():  # Dask's way of saying so
        raise ValueError(
            "X must have a known number of rows. Got a Dask array of shape "
            f"{X.shape}; call X.compute_chunk_sizes()."
        )
    return _with_chunks_of(X) if X.shape else np.asarray(X)  # which has no rows


def _with_chunks_of(X):
    rows = _unnamed_map(X.dtype, tuple(X.shape))
    for start, stop in pairwise(_edges_of_chunks(X)):
        part = _computed(X[start:stop])
        if np.ma.is_masked(part) and rows.dtype.kind in "iu":  # which know no NaN
            raise ValueError(f"X must be finite. Got masked values from row {start} on; drop them.")
        part = mapped(part)
        # a larger whole number would come out as another one
        casting = "safe" if rows.dtype.kind in "iu" else "same_kind"
        if part.ndim != rows.ndim:
            raise ValueError(
                f"X must have dense chunks of {rows.ndim} axes. Got {part.ndim} axes from row "
                f"{start}, as of a sparse matrix."
            )
        expected = stop - start, *rows.shape[1:]
        if part.shape != expected or not np.can_cast(part.dtype, rows.dtype, casting):
            raise ValueError(
                f"X must have chunks of what it says, shape {expected} of {rows.dtype}. Got "
                f"{part.shape} of {part.dtype} from row {start}."
            )
        rows[start:stop] = part
        release(rows)
    return rows


def _unnamed_map(dtype, shape):
    with tempfile.TemporaryFile() as file:
        _reserve(file, dtype.itemsize * math.prod(shape))
        rows = np.memmap(file, dtype=dtype, mode="w+", shape=shape)
    rows.filename = None  # Windows gives it one, by which nobody else may open it
    return rows


def _reserve(file, n_bytes):
    """Take the room for a file that will be mapped, where the system lets one.

    Mapped pages for which a disk has no room end the process when they are written to.
    """
    if not (n_bytes and hasattr(os, "posix_fallocate")):
        return
    try:
        os.posix_fallocate(file.fileno(), 0, n_bytes)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OSError(
                error.errno,
                f"$TMPDIR must have room for the rows, {n_bytes / 1e9:.2g} GB. Got "
                f"{tempfile.gettempdir()}, which has less; name another folder there",
            ) from error


def flattened(X):
    """Give each row one axis, in a temporary file where mapped rows would have to be copied.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_samples, ...)
        Rows, at least one.

    Returns
    -------
    ndarray or Tensor of shape (n_samples, n_features)
        The same numbers.
    """
    if _map_of(X) is None or np.may_share_memory(X[:1].reshape(1, -1), X):
        return X.reshape(len(X), -1)
    rows = _unnamed_map(X.dtype, (len(X), math.prod(X.shape[1:])))
    for start, part in in_parts(X):
        rows[start : start + len(part)] = part.reshape(len(part), -1)
        release(rows)
    return rows


def put_before(X, parts):
    """Put rows before others, in a temporary file where these are memory-mapped.

    Parameters
    ----------
    X : ndarray of shape (n_samples, ...)
        The rows that come last.
    parts : list of ndarray
        Those that come first, in memory.

    Returns
    -------
    ndarray
        All of them.
    """
    if _map_of(X) is None:
        return np.concatenate([*parts, X])
    first = np.concatenate(parts)
    n_rows = len(first) + len(X)
    joined = _unnamed_map(np.result_type(first, X), (n_rows, *X.shape[1:]))
    joined[: len(first)] = first
    for start, part in in_parts(X):
        joined[len(first) + start :][: len(part)] = part
        release(joined)
    return joined


def in_memory(y):
    """Read chunked labels; masked ones become None, which is refused.

    Parameters
    ----------
    y : array-like
        Labels as they were given.

    Returns
    -------
    array-like
        An array where `y` is chunked, masked or a tensor, else `y`.
    """
    if isinstance(y, torch.Tensor):
        return _of_tensor(y)
    y = _computed(y[:]) if _is_chunked(y) else y
    if isinstance(y, np.ma.MaskedArray):
        return np.where(np.ma.getmaskarray(y), None, y.data) if np.ma.is_masked(y) else y.data
    return y


def _of_tensor(X):
    if X.layout != torch.strided:
        raise ValueError("X and y must be dense. Got a sparse tensor; use to_dense().")
    X = X.detach().cpu()
    return (X.float() if X.dtype == torch.bfloat16 else X).numpy()  # which numpy does not know


def _edges_of_chunks(X):
    """Return the rows at which parts of whole chunks begin, and the number of rows."""
    n_most = _n_together(X)
    sizes = X.chunks[0] if X.chunks else n_most
    # small ones together, each of which has a cost of its own
    if not isinstance(sizes, tuple):
        sizes *= max(1, n_most // sizes)
        return [*range(0, X.shape[0], sizes), X.shape[0]]
    edges = [0]  # Dask's
    for last, edge in pairwise(np.cumsum([0, *sizes]).tolist()):
        if edge - edges[-1] > n_most and last > edges[-1]:
            edges.append(last)
    return [*edges, X.shape[0]]
