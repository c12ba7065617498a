"""Trying networks and losses, which may be the user's own, before anything is learned."""

import copy
import numbers

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
        If what it returns is of another shape.
    """
    if not isinstance(getattr(generator, "latent_size", None), numbers.Integral):
        raise TypeError(
            "'generator' must build a module with an attribute 'latent_size', a whole number. "
            f"Got {type(generator).__name__} without one."
        )
    expected = (2, shape["n_channels"], shape["n_timepoints"])
    with torch.no_grad():
        z = torch.zeros(2, generator.latent_size, dtype=torch.float32)
        X = generator.eval()(z, torch.zeros(2, dtype=torch.long))
    if X.shape != expected:
        raise ValueError(
            f"'generator' must return signals of shape {expected} for two rows of noise. "
            f"Got {tuple(X.shape)}."
        )


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
        If it does not return a score for each row.
    """
    if not isinstance(discriminator, nn.Module):
        raise TypeError(f"'discriminator' must build a module. Got {type(discriminator).__name__}.")
    X = torch.zeros(2, shape["n_channels"], shape["n_timepoints"], dtype=torch.float32)
    lazy = any(map(is_lazy, discriminator.parameters()))
    net = discriminator.eval() if lazy else copy.deepcopy(discriminator)
    with torch.no_grad():
        scores = net(X, torch.zeros(2, dtype=torch.long))
    if scores.shape != (2,):
        raise ValueError(
            "'discriminator' must return scores of shape (2,) for two rows. "
            f"Got {tuple(scores.shape)}."
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
