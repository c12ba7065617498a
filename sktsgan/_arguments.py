"""Checks of single arguments, as functions take them."""

import numbers
import reprlib

import numpy as np


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
