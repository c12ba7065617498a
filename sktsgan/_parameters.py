"""Checks of the sampler's parameters that constraints of single ones cannot make."""

import numbers
from collections.abc import Mapping

from skorch.callbacks import Callback
from torch import nn

from sktsgan._devices import is_cuda
from sktsgan._labels import plain


def check_parameters(sampler, accumulate=False):
    """Say what is wrong with parameters, each of which is of the right kind.

    Parameters
    ----------
    sampler : StaGANSampler
        Whose.
    accumulate : bool, default=False
        Whether ``partial_fit`` asks.

    Raises
    ------
    ValueError
        If one has no such value, or not with another.
    TypeError
        If a network is built already, or a callback is none.
    """
    if sampler.interpolation_fraction + sampler.replicate_fraction > 1:
        raise ValueError(
            "'interpolation_fraction' and 'replicate_fraction' must not exceed 1 together. "
            f"Got {sampler.interpolation_fraction} and {sampler.replicate_fraction}."
        )
    betas = sampler.betas
    if len(betas) != 2 or not all(isinstance(b, numbers.Real) and 0 <= b < 1 for b in betas):
        raise ValueError(f"'betas' must be two numbers of at least 0 and below 1. Got {betas!r}.")
    if sampler.checkpoint is not None and (sampler.warm_start or accumulate):
        raise ValueError(
            "'checkpoint' must be None with 'warm_start' or 'partial_fit', which go on from "
            f"weights of their own. Got {sampler.checkpoint!r}."
        )
    for name in ("generator", "discriminator"):
        if isinstance(getattr(sampler, name), nn.Module):
            raise TypeError(
                f"'{name}' must be a name or what builds a module, such as its class. Got a "
                f"{type(getattr(sampler, name)).__name__} that is built already."
            )
    for callback in sampler.callbacks or ():
        _check_callback(callback)
    channels = sampler.discriminator_channels
    if not channels or not all(
        isinstance(width, numbers.Integral) and width > 0 and width is not True
        for width in channels
    ):
        raise ValueError(
            "'discriminator_channels' must be whole numbers above 0, one for each block. "
            f"Got {channels!r}."
        )


def _check_callback(callback):
    own = callback[1] if isinstance(callback, tuple) and len(callback) == 2 else callback
    if not issubclass(own if isinstance(own, type) else type(own), Callback):
        raise TypeError(
            "'callbacks' must be a list of skorch callbacks, or of names and callbacks. "
            f"Got {callback!r}."
        )
    if getattr(own, "load_best", False):
        raise ValueError(
            "'callbacks' must leave the choice of weights to the held-out MMD. Got "
            f"{type(own).__name__} with load_best=True; set it to False."
        )


def rows_of_a_batch(sampler, device):
    """Return `batch_size`, or what it is by default: a card has to be filled.

    Parameters
    ----------
    sampler : StaGANSampler
        Whose it is.
    device : str
        The torch device on which it trains.

    Returns
    -------
    int
        Rows.
    """
    if sampler.batch_size is not None:
        return int(sampler.batch_size)
    # each step of a private training spends more of its budget the more rows it sees
    return 256 if is_cuda(device) and sampler.dp_epsilon is None else 64


def check_strategy(strategy, y):
    """Say what is wrong with a `sampling_strategy`, where imbalanced-learn would stumble over it.

    Parameters
    ----------
    strategy : float, str, dict or callable
        How many rows each class is to have.
    y : ndarray of shape (n_samples,)
        Labels, of which a function makes that.

    Raises
    ------
    ValueError
        If it is a mapping that is no dict, or a function that returns none, or asks for other
        than whole numbers.
    """
    verb = "be"
    if callable(strategy):
        verb, strategy = "return", strategy(y)
    elif not isinstance(strategy, Mapping):
        return
    if isinstance(strategy, Mapping):
        whole_numbers(strategy)
    if not isinstance(strategy, dict):
        raise ValueError(
            f"'sampling_strategy' must {verb} a dict where it names classes. "
            f"Got a {type(strategy).__name__}; give rows by class, {{label: n_rows}}."
        )


def whole_numbers(strategy):
    """Return numbers of rows to make as whole ones, or say where one is not.

    Parameters
    ----------
    strategy : dict
        Numbers of rows, by label.

    Returns
    -------
    dict
        The same, as Python's own.

    Raises
    ------
    ValueError
        If one is no whole number, or more than numpy can count.
    """
    for label, n_rows in strategy.items():
        is_number = isinstance(n_rows, numbers.Real) and not isinstance(n_rows, bool)
        if not (is_number and n_rows < 2**63 and float(n_rows).is_integer()):
            raise ValueError(
                "'sampling_strategy' must ask for whole numbers of rows, below 2**63. "
                f"Got {plain(n_rows)!r} for class {plain(label)!r}."
            )
    return {label: int(n_rows) for label, n_rows in strategy.items()}
