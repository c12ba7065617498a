"""Trying networks and losses, which may be the user's own, before anything is learned."""

import copy
import numbers
from contextlib import suppress

import torch
from torch import nn
from torch.nn.parameter import is_lazy


def try_generator(generator, shape):
    """Draw two rows from a generator.

    Parameters
    ----------
    generator : Module
        It; evaluated, so that no statistics follow these rows.
    shape : dict
        With what it was built: ``n_channels`` and ``n_timepoints``.

    Raises
    ------
    TypeError
        If it does not say how much noise it takes.
    ValueError
        If what it returns is of another shape or type, not finite, or has no gradient.
    """
    size = getattr(generator, "latent_size", None)
    if not (isinstance(generator, nn.Module) and isinstance(size, numbers.Integral) and size >= 0):
        raise TypeError(
            "'generator' must build a module with an attribute 'latent_size', a whole number. "
            f"Got {type(generator).__name__} with {size!r}."
        )
    z, y = _random_rows(size), torch.zeros(2, dtype=torch.long)
    with torch.enable_grad():
        is_learned = getattr(generator.eval()(z.clone(), y), "requires_grad", True)
    with torch.no_grad():  # last, as what a layer keeps of a graph cannot be copied
        X = generator(z, y)
    expected = (2, shape["n_channels"], shape["n_timepoints"])
    _check_output("generator", "signals", X, expected, (torch.float32,), is_learned, generator)


def try_discriminator(discriminator, shape):
    """Let a discriminator, or a copy of it, judge two rows.

    Parameters
    ----------
    discriminator : Module
        It; what is lazy draws its weights with these rows.
    shape : dict
        With what it was built: ``n_channels`` and ``n_timepoints``.

    Raises
    ------
    TypeError
        If it is no module.
    ValueError
        If it does not return a finite score for each row, by what it has learned.
    """
    if not isinstance(discriminator, nn.Module):
        raise TypeError(f"'discriminator' must build a module. Got {type(discriminator).__name__}.")
    X = _random_rows(shape["n_channels"], shape["n_timepoints"])
    net = discriminator
    if not any(map(is_lazy, discriminator.parameters())):
        with suppress(RuntimeError):  # of layers that cannot be copied
            net = copy.deepcopy(discriminator)
    with torch.enable_grad():
        scores = net.eval()(X.requires_grad_(), torch.zeros(2, dtype=torch.long))
    discriminator.train()
    is_learned = getattr(scores, "requires_grad", True)
    types = torch.float32, torch.float64, torch.float16, torch.bfloat16
    _check_output("discriminator", "scores", scores, (2,), types, is_learned, discriminator)
    if is_learned and not _depends(scores.sum(), [X]):
        raise ValueError(
            "'discriminator' must score signals. Got scores without a gradient to them."
        )


def _random_rows(*shape):
    rng = torch.Generator().manual_seed(0)
    return torch.randn(2, *shape, generator=rng, dtype=torch.float32)


def _check_output(name, kind, values, shape, types, is_learned, network):
    """Say what is wrong with what a network makes of two rows."""
    if not isinstance(values, torch.Tensor):
        got = type(values).__name__
    elif values.shape != shape or values.dtype not in types:
        got = f"{tuple(values.shape)} of {values.dtype}"
    elif not values.isfinite().all():
        got = "NaN or infinite values"
    elif not any(True for _ in network.parameters()):
        got = "a module without any"
    elif not is_learned and any(part.requires_grad for part in network.parameters()):
        got = "values without a gradient to them"
    else:
        return
    raise ValueError(
        f"'{name}' must return {kind} of shape {shape} and {types[0]} for two rows, finite and "
        f"with a gradient to its weights. Got {got}."
    )


def try_loss(loss):
    """Take the losses of two rows.

    Parameters
    ----------
    loss : callable
        See :mod:`sktsgan.losses`.

    Raises
    ------
    TypeError
        If it returns other things than two losses, or such that nothing is learned from.
    """
    with torch.enable_grad():
        scores = [torch.zeros(2, dtype=torch.float32, requires_grad=True) for _ in range(2)]
        pair = loss(*scores)
    if not (
        isinstance(pair, tuple | list)
        and len(pair) == 2
        and all(isinstance(part, torch.Tensor) and not part.shape for part in pair)
    ):
        raise TypeError(
            "'loss' must return the losses of discriminator and generator, two tensors without "
            f"axes, for the scores of real and of synthetic rows. Got {pair!r} for two rows."
        )
    if not (_depends(pair[0], scores) and _depends(pair[1], scores[1:])):
        raise TypeError(
            "'loss' must return a loss of the discriminator that depends on the scores of both "
            "kinds of rows, and one of the generator that depends on those of synthetic ones. "
            "Got one without a gradient to them."
        )


def _depends(loss, scores):
    """Say whether a loss has a gradient to all scores."""
    if not loss.requires_grad:
        return False
    gradients = torch.autograd.grad(loss, scores, retain_graph=True, allow_unused=True)
    return all(gradient is not None for gradient in gradients)
