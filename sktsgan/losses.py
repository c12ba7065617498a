"""Adversarial losses, and the gradient penalty that keeps them from running away.

A loss is a function ``loss(real_scores, fake_scores)`` that returns the discriminator's and the
generator's loss as a pair. Scores are unbounded, and row ``i`` of both belongs to the same class.
"""

import torch
from torch.nn import functional

__all__ = [
    "bce",
    "gradient_penalty",
    "hinge",
    "least_squares",
    "relativistic",
    "wasserstein",
]


def relativistic(real_scores, fake_scores):
    """Compare each synthetic row with a real one of the same class.

    With d = D(real) - D(fake) the losses are the means of softplus(-d) for the discriminator
    and softplus(d) for the generator. Together with zero-centred penalties on real and
    synthetic rows training converges locally [1]_.

    Parameters
    ----------
    real_scores, fake_scores : Tensor of shape (batch_size,)
        Scores of the discriminator, in pairs.

    Returns
    -------
    discriminator_loss, generator_loss : Tensor of shape ()
        The two losses; log 2 where the discriminator cannot tell them apart.

    References
    ----------
    .. [1] Y. Huang et al., "The GAN is dead; long live the GAN! A modern GAN baseline",
       NeurIPS 2024, arXiv:2501.05441.

    Examples
    --------
    >>> import torch
    >>> from sktsgan.losses import relativistic
    >>> [round(float(loss), 3) for loss in relativistic(torch.zeros(4), torch.zeros(4))]
    [0.693, 0.693]
    """
    margin = real_scores - fake_scores
    return functional.softplus(-margin).mean(), functional.softplus(margin).mean()


def bce(real_scores, fake_scores):
    """Binary cross-entropy with the non-saturating generator loss.

    Parameters
    ----------
    real_scores, fake_scores : Tensor of shape (batch_size,)
        Scores of the discriminator (logits).

    Returns
    -------
    discriminator_loss, generator_loss : Tensor of shape ()
        The discriminator's loss is the mean of its losses on real and on synthetic rows.

    References
    ----------
    I. Goodfellow et al., "Generative adversarial nets", NeurIPS 2014, arXiv:1406.2661.

    Examples
    --------
    >>> import torch
    >>> from sktsgan.losses import bce
    >>> [round(float(loss), 3) for loss in bce(torch.zeros(4), torch.zeros(4))]
    [0.693, 0.693]
    """
    on_real = functional.softplus(-real_scores).mean()
    on_fake = functional.softplus(fake_scores).mean()
    return (on_real + on_fake) / 2, functional.softplus(-fake_scores).mean()


def hinge(real_scores, fake_scores):
    """Hinge loss: scores beyond 1 on the right side cost nothing.

    Parameters
    ----------
    real_scores, fake_scores : Tensor of shape (batch_size,)
        Scores of the discriminator.

    Returns
    -------
    discriminator_loss, generator_loss : Tensor of shape ()
        The two losses.

    References
    ----------
    J. H. Lim and J. C. Ye, "Geometric GAN", 2017, arXiv:1705.02894.

    Examples
    --------
    >>> import torch
    >>> from sktsgan.losses import hinge
    >>> [float(loss) for loss in hinge(torch.full((4,), 2.0), torch.full((4,), -2.0))]
    [0.0, 2.0]
    """
    on_real = functional.relu(1 - real_scores).mean()
    on_fake = functional.relu(1 + fake_scores).mean()
    return on_real + on_fake, -fake_scores.mean()


def wasserstein(real_scores, fake_scores):
    """Difference of the mean scores; needs a gradient penalty to mean a distance.

    Parameters
    ----------
    real_scores, fake_scores : Tensor of shape (batch_size,)
        Scores of the discriminator.

    Returns
    -------
    discriminator_loss, generator_loss : Tensor of shape ()
        The two losses.

    References
    ----------
    M. Arjovsky et al., "Wasserstein GAN", ICML 2017, arXiv:1701.07875.

    Examples
    --------
    >>> import torch
    >>> from sktsgan.losses import wasserstein
    >>> [float(loss) for loss in wasserstein(torch.full((4,), 2.0), torch.full((4,), -1.0))]
    [-3.0, 1.0]
    """
    return fake_scores.mean() - real_scores.mean(), -fake_scores.mean()


def least_squares(real_scores, fake_scores):
    """Squared distance of the scores to 1 (real) and 0 (synthetic).

    Parameters
    ----------
    real_scores, fake_scores : Tensor of shape (batch_size,)
        Scores of the discriminator.

    Returns
    -------
    discriminator_loss, generator_loss : Tensor of shape ()
        The two losses.

    References
    ----------
    X. Mao et al., "Least squares generative adversarial networks", ICCV 2017,
    arXiv:1611.04076.

    Examples
    --------
    >>> import torch
    >>> from sktsgan.losses import least_squares
    >>> [float(loss) for loss in least_squares(torch.ones(4), torch.zeros(4))]
    [0.0, 0.5]
    """
    on_real = (real_scores - 1).square().mean()
    on_fake = fake_scores.square().mean()
    return (on_real + on_fake) / 2, (fake_scores - 1).square().mean() / 2


def gradient_penalty(scores, signals):
    """Mean squared norm of the scores' gradient at the signals (zero-centred).

    On real rows it is known as R1, on synthetic rows as R2 [1]_.

    Parameters
    ----------
    scores : Tensor of shape (batch_size,)
        What the discriminator gave for `signals`.
    signals : Tensor of shape (batch_size, n_channels, n_timepoints)
        What it was given, with ``requires_grad`` set.

    Returns
    -------
    Tensor of shape ()
        The penalty; differentiable.

    References
    ----------
    .. [1] L. Mescheder et al., "Which training methods for GANs do actually converge?",
       ICML 2018, arXiv:1801.04406.

    Examples
    --------
    >>> import torch
    >>> from sktsgan.losses import gradient_penalty
    >>> signals = torch.zeros(2, 3, requires_grad=True)
    >>> gradient_penalty(signals.sum(1), signals).item()  # three slopes of 1 in each row
    3.0
    """
    (gradient,) = torch.autograd.grad(scores.sum(), signals, create_graph=True)
    return gradient.flatten(1).square().sum(1).mean()
