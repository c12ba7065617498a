"""The discriminator: strided or pooled convolutions, minibatch and class features."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from sktsgan.networks._layers import as_built
from sktsgan.networks._minibatch import MinibatchDiscrimination


class ConvDiscriminator(nn.Module):
    """Score how real signals look, given their classes.

    Each block halves the time axis. What the last block gives is reduced to 128 features, on
    which minibatch discrimination works; the score is a linear function of both plus the
    product of the features with the class's own vector (projection [1]_). There are no
    normalisation layers, so nothing but minibatch discrimination ties the rows of a batch
    together.

    Parameters
    ----------
    n_channels : int
        Channels (leads) of a signal.
    n_timepoints : int
        Time points of a signal, at least 2.
    n_classes : int
        Number of classes.
    channels : sequence of int, default=(32, 64, 64, 128)
        Output channels of the convolutional blocks, one block each.
    kernel_size : int, default=5
        Width of the convolutions, odd.
    downsample : {"stride", "max"}, default="stride"
        How a block halves the time axis: a convolution of stride 2, or a convolution of
        stride 1 followed by max-pooling of width 3.
    minibatch_features : int, default=16
        Outputs of :class:`MinibatchDiscrimination`; 0 leaves it out.
    minibatch_kernel_dim : int, default=8
        Its kernel's dimensions.

    Raises
    ------
    ValueError
        If `kernel_size` is even, or `downsample` has no such value.

    References
    ----------
    .. [1] T. Miyato and M. Koyama, "cGANs with projection discriminator", ICLR 2018,
       arXiv:1802.05637.

    Examples
    --------
    >>> import torch
    >>> from sktsgan.networks import ConvDiscriminator
    >>> discriminator = ConvDiscriminator(n_channels=2, n_timepoints=187, n_classes=4)
    >>> discriminator(torch.zeros(5, 2, 187), torch.tensor([0, 1, 2, 3, 0])).shape
    torch.Size([5])
    """

    def __init__(
        self,
        n_channels,
        n_timepoints,
        n_classes,
        *,
        channels=(32, 64, 64, 128),
        kernel_size=5,
        downsample="stride",
        minibatch_features=16,
        minibatch_kernel_dim=8,
    ):
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"'kernel_size' must be odd. Got {kernel_size}.")
        if downsample not in ("stride", "max"):
            raise ValueError(f"'downsample' must be 'stride' or 'max'. Got {downsample!r}.")
        widths = [n_channels, *channels]
        self.blocks = nn.Sequential(
            *(_block(n_in, n_out, kernel_size, downsample) for n_in, n_out in pairwise(widths))
        )
        n_coarse = -(-n_timepoints // 2 ** len(channels))
        n_features = 128
        self.features = nn.Linear(widths[-1] * n_coarse, n_features)
        self.minibatch = None
        if minibatch_features:
            self.minibatch = MinibatchDiscrimination(
                n_features, minibatch_features, kernel_dim=minibatch_kernel_dim
            )
        self.score = nn.Linear(n_features + minibatch_features, 1)
        self.class_vectors = nn.Embedding(n_classes, n_features)
        nn.init.normal_(self.class_vectors.weight, std=n_features**-0.5)
        self.built = as_built(self)

    def forward(self, X, y):
        """Return a score for each signal, higher for what looks real.

        Parameters
        ----------
        X : Tensor of shape (batch_size, n_channels, n_timepoints)
            Signals, all real or all synthetic.
        y : Tensor of shape (batch_size,)
            Their classes, 0 to ``n_classes - 1``.

        Returns
        -------
        Tensor of shape (batch_size,)
            Unbounded scores (logits).
        """
        blocks = self.blocks(X).flatten(1)  # (batch_size, channels[-1] * n_coarse)
        features = functional.leaky_relu(self.features(blocks), 0.2)  # (batch_size, 128)
        projection = (features * self.class_vectors(y)).sum(1)
        if self.minibatch is not None:
            features = torch.cat([features, self.minibatch(features)], dim=1)
        return self.score(features).squeeze(1) + projection


def _block(n_in, n_out, kernel_size, downsample):
    """Build a block that halves the time axis, rounding up."""
    padding = kernel_size // 2
    if downsample == "stride":
        return nn.Sequential(
            nn.Conv1d(n_in, n_out, kernel_size, stride=2, padding=padding), nn.LeakyReLU(0.2)
        )
    return nn.Sequential(
        nn.Conv1d(n_in, n_out, kernel_size, padding=padding),
        nn.ReLU(),
        nn.MaxPool1d(3, stride=2, padding=1),
    )
