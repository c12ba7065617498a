"""The generator: an LSTM that writes a signal a few samples at a time."""

import math

import torch
from torch import nn

from sktsgan._signals import check_whole


class LSTMGenerator(nn.Module):
    """Turn noise and classes into signals with a one- or two-directional LSTM.

    At every step the LSTM reads what the whole signal has in common (the global latent and
    the class), where it is (a learned position) and some fresh noise, and gives out
    `samples_per_step` samples of `head_channels` features each. Two convolutions of width 5
    over all samples turn the features into the signal and smooth the seams between steps.

    All noise comes in through ``forward``, so the same `z` gives the same signal.

    Parameters
    ----------
    n_channels : int
        Channels (leads) of a signal.
    n_timepoints : int
        Time points of a signal, at least 2.
    n_classes : int
        Number of classes.
    latent_dim : int, default=32
        Numbers of noise that a whole signal shares. 0 leaves the global latent and the
        position out: each step then has its own noise and the class alone.
    noise_dim : int, default=4
        Numbers of fresh noise at each LSTM step.
    hidden_size : int, default=64
        Units of the LSTM in each direction.
    n_layers : int, default=1
        Layers of the LSTM.
    bidirectional : bool, default=True
        Whether the LSTM reads the steps in both directions.
    samples_per_step : int, default=8
        Samples that one LSTM step gives out. Fewer are finer and slower.
    head_channels : int, default=16
        Features of a sample before the convolutional head; 0 replaces the head by a linear
        output.

    Attributes
    ----------
    latent_size : int
        Numbers of noise that ``forward`` expects for each signal: `latent_dim` plus
        `noise_dim` for each step.

    Raises
    ------
    ValueError
        If there is no noise at all, or a size has no such value.

    Examples
    --------
    >>> import torch
    >>> from sktsgan.networks import LSTMGenerator
    >>> generator = LSTMGenerator(n_channels=2, n_timepoints=187, n_classes=4)
    >>> z = torch.randn(3, generator.latent_size)
    >>> generator(z, torch.tensor([0, 3, 3])).shape
    torch.Size([3, 2, 187])
    """

    def __init__(
        self,
        n_channels,
        n_timepoints,
        n_classes,
        *,
        latent_dim=32,
        noise_dim=4,
        hidden_size=64,
        n_layers=1,
        bidirectional=True,
        samples_per_step=8,
        head_channels=16,
    ):
        super().__init__()
        for name, size in (("latent_dim", latent_dim), ("noise_dim", noise_dim)):
            check_whole(name, size, 0)
        check_whole("samples_per_step", samples_per_step)
        if not latent_dim + noise_dim:
            raise ValueError("'latent_dim' and 'noise_dim' must not both be 0. Got 0 and 0.")
        self.n_timepoints = n_timepoints
        self.latent_dim = latent_dim
        self.n_steps = math.ceil(n_timepoints / samples_per_step)
        self.latent_size = latent_dim + self.n_steps * noise_dim
        self.class_vectors = nn.Embedding(n_classes, hidden_size)
        self.shared = nn.Linear(latent_dim + hidden_size, hidden_size)
        position_dim = hidden_size if latent_dim else 0
        self.position = nn.Parameter(torch.randn(self.n_steps, position_dim))
        self.lstm = nn.LSTM(
            hidden_size + position_dim + noise_dim,
            hidden_size,
            n_layers,
            batch_first=True,
            bidirectional=bidirectional,
        )
        n_features = head_channels or n_channels
        n_outputs = hidden_size * (2 if bidirectional else 1)
        self.emit = nn.Linear(n_outputs, samples_per_step * n_features)
        self.n_features = n_features
        self.head = nn.Identity()
        if head_channels:
            self.head = nn.Sequential(
                nn.LeakyReLU(0.2),
                nn.Conv1d(head_channels, head_channels, 5, padding=2),
                nn.LeakyReLU(0.2),
                nn.Conv1d(head_channels, n_channels, 5, padding=2),
            )

    def forward(self, z, y):
        """Generate one signal for each row of noise.

        Parameters
        ----------
        z : Tensor of shape (batch_size, latent_size)
            Noise, standard normal.
        y : Tensor of shape (batch_size,)
            Classes, 0 to ``n_classes - 1``.

        Returns
        -------
        Tensor of shape (batch_size, n_channels, n_timepoints)
            The signals.
        """
        batch_size = len(z)
        noise = z[:, self.latent_dim :].view(batch_size, self.n_steps, -1)
        shared = torch.cat([z[:, : self.latent_dim], self.class_vectors(y)], dim=1)
        shared = self.shared(shared)  # (batch_size, hidden_size)
        shared = shared[:, None].expand(-1, self.n_steps, -1)
        position = self.position.expand(batch_size, -1, -1)
        # of size hidden_size + position_dim + noise_dim at each step
        states, _ = self.lstm(torch.cat([shared, position, noise], dim=2))
        samples = self.emit(states).view(batch_size, -1, self.n_features)
        # (batch_size, n_features, n_steps * samples_per_step), cut to length
        samples = samples.transpose(1, 2)[..., : self.n_timepoints]
        return self.head(samples)
