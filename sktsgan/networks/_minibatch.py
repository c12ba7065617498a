"""Minibatch discrimination: lets a discriminator see how alike the rows of a batch are."""

import torch
from torch import nn

# Numbers of an array that the CPU's allocator keeps at hand: larger ones are new pages each time.
_MOST_AT_ONCE = 2**21


class MinibatchDiscrimination(nn.Module):
    r"""Describe each row by its closeness to the other rows of its batch.

    Each row's features are projected to `n_features` vectors of `kernel_dim` numbers.
    Feature :math:`b` of row :math:`i` is

    .. math:: o_{ib} = \frac{1}{B - 1} \sum_{j \ne i}
              \exp\Big(-\frac{1}{K} \lVert M_{ib} - M_{jb} \rVert_1\Big)

    with :math:`K` = `kernel_dim`. It lies between 0 (far from all others) and 1 (all rows
    equal), so a generator that repeats itself gives itself away. Against the original
    layer [1]_ three things are scaled: the weights start at a standard deviation of
    ``1 / sqrt(in_features)``, the distance is a mean over the kernel's dimensions, and the
    sum is a mean over the other rows. The layer is alive at the start, and its output does
    not depend on the batch size. A batch of one row has no others and gives 0.

    Real and synthetic rows belong in separate calls: the layer compares within a call.

    Parameters
    ----------
    in_features : int
        Features of each row.
    n_features : int
        Closeness features given out for each row.
    kernel_dim : int, default=8
        Dimensions of each compared vector.

    References
    ----------
    .. [1] T. Salimans et al., "Improved techniques for training GANs", NeurIPS 2016,
       arXiv:1606.03498.

    Examples
    --------
    >>> import torch
    >>> from sktsgan.networks import MinibatchDiscrimination
    >>> layer = MinibatchDiscrimination(16, 5)
    >>> layer(torch.zeros(3, 16)).tolist()[0]  # three equal rows
    [1.0, 1.0, 1.0, 1.0, 1.0]
    """

    def __init__(self, in_features, n_features, *, kernel_dim=8):
        super().__init__()
        self.n_features = n_features
        self.kernel_dim = kernel_dim
        weight = torch.randn(in_features, n_features * kernel_dim)
        self.weight = nn.Parameter(weight / in_features**0.5)

    def forward(self, features):
        """Return the closeness of each row to the others.

        Parameters
        ----------
        features : Tensor of shape (batch_size, in_features)
            Features of the rows of one batch.

        Returns
        -------
        Tensor of shape (batch_size, n_features)
            Mean closeness to the other rows, between 0 and 1.
        """
        batch_size = len(features)
        # (batch_size, n_features, kernel_dim), scaled so that the distance is a mean
        points = (features @ self.weight).view(batch_size, self.n_features, self.kernel_dim)
        points = points / self.kernel_dim
        n_together = self.n_features
        if not features.is_cuda:
            n_together = max(1, _MOST_AT_ONCE // (batch_size**2 * self.kernel_dim))
        sums = torch.cat([self._sum_up(part) for part in points.split(n_together, dim=1)], dim=1)
        return sums / max(batch_size - 1, 1)

    @staticmethod
    def _sum_up(points):
        """Add up the closeness of each row to the others, by feature."""
        with torch.no_grad():  # (batch_size, n_features, batch_size, kernel_dim)
            signs = torch.sign(points[:, :, None] - points.transpose(0, 1)[None])
        # |a - b| = s a - s b with s = sign(a - b): as the signs are constant, the large array
        # is made once, and both backward passes of the penalties are matrix products
        half = (signs @ points[..., None]).squeeze(3)  # (row, feature, other row)
        distances = half + half.transpose(0, 2)
        return torch.exp(-distances).sum(2) - 1  # each row is at distance 0 of itself
