"""The generator: an LSTM that writes a signal a few samples at a time."""

import math

import torch
from torch import nn

from sktsgan._arguments import check_whole
from sktsgan.networks._layers import as_built, is_as_built

# Signals from which on drawing them side by side is quicker than torch's own layers.
_MANY = 64


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
        If there is no noise at all, or an option has no such value.

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
        sizes = {"latent_dim": latent_dim, "noise_dim": noise_dim, "head_channels": head_channels}
        for name, size in sizes.items():
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
        self.n_features = head_channels or n_channels
        n_outputs = hidden_size * (2 if bidirectional else 1)
        self.emit = nn.Linear(n_outputs, samples_per_step * self.n_features)
        self.head = nn.Sequential()
        if head_channels:
            self.head = nn.Sequential(
                nn.LeakyReLU(0.2),
                nn.Conv1d(head_channels, head_channels, 5, padding=2),
                nn.LeakyReLU(0.2),
                nn.Conv1d(head_channels, n_channels, 5, padding=2),
            )
        self.built = as_built(self)

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
        if self._only_draws(z):
            return self._draw(shared, noise)
        shared = shared[:, None].expand(-1, self.n_steps, -1)
        position = self.position.expand(batch_size, -1, -1)
        # of size hidden_size + position_dim + noise_dim at each step
        states, _ = self.lstm(torch.cat([shared, position, noise], dim=2))
        samples = self.emit(states).view(batch_size, -1, self.n_features)
        # (batch_size, n_features, n_steps * samples_per_step), cut to length
        samples = samples.transpose(1, 2)[..., : self.n_timepoints]
        return self.head(samples)

    def _only_draws(self, z):
        """Whether no gradient is wanted, and :meth:`_draw` knows the layers and is quicker."""
        is_quicker = z.device.type == "cpu" and len(z) >= _MANY and self.lstm.num_layers == 1
        return is_quicker and not torch.is_grad_enabled() and is_as_built(self, LSTMGenerator)

    def _draw(self, shared, noise):
        """Do what :meth:`forward` does from there on, for many signals and without gradients.

        Signals lie side by side, in the last dimension. The LSTM's own layer would multiply what
        a signal shares and what a position has anew for each step and each signal.
        """
        shared, noise = shared.T.contiguous(), noise.permute(1, 2, 0).contiguous()
        directions = ("", "_reverse")[: 1 + self.lstm.bidirectional]
        states = torch.cat([self._states(shared, noise, suffix) for suffix in directions], dim=1)
        # (n_steps * samples_per_step, n_features, batch_size), cut to length
        samples = (self.emit.weight @ states).add_(self.emit.bias[:, None])
        samples = samples.view(-1, self.n_features, shared.shape[1])[: self.n_timepoints]
        for layer in self.head:
            is_convolution = isinstance(layer, nn.Conv1d)
            samples = _convolve(layer, samples) if is_convolution else layer(samples)
        return samples.permute(2, 1, 0).contiguous()

    def _states(self, shared, noise, suffix):
        """Compute the LSTM's states in one direction: (n_steps, hidden_size, batch_size)."""
        names = (f"{kind}_l0{suffix}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        of_input, of_state, *biases = (getattr(self.lstm, name) for name in names)
        n_steps, noise_dim, batch_size = noise.shape
        size, n_before_noise = self.lstm.hidden_size, of_input.shape[1] - noise_dim
        # tanh(x) = 2 sigmoid(2 x) - 1: one call serves all gates, and twice the cell is kept
        scale = of_state.new_ones(4, size, 1)
        scale[2] = 2
        scale = scale.view(-1, 1)
        constant = (of_input[:, :size] @ shared).add_(sum(biases)[:, None]).mul_(scale)
        positions = self.position @ (of_input[:, size:n_before_noise] * scale).T
        # the state, the noise, and a one, whose weights are those of the position
        weights = torch.cat([of_state, of_input[:, n_before_noise:]], dim=1) * scale
        weights = nn.functional.pad(weights, (0, 1))
        inputs = noise.new_zeros(size + noise_dim + 1, batch_size)
        inputs[-1] = 1
        state, twice_cell = inputs[:size], noise.new_zeros(size, batch_size)
        gates, squashed = torch.empty_like(constant), torch.empty_like(twice_cell)
        in_gate, forget_gate, new, out_gate = gates.split(size)
        states = noise.new_empty(n_steps, size, batch_size)
        for step in reversed(range(n_steps)) if suffix else range(n_steps):
            inputs[size:-1] = noise[step]
            weights[:, -1] = positions[step]
            torch.addmm(constant, weights, inputs, out=gates).sigmoid_()
            twice_cell.mul_(forget_gate).addcmul_(in_gate, new, value=4).sub_(in_gate, alpha=2)
            torch.sigmoid(twice_cell, out=squashed).mul_(2).sub_(1)
            state[:] = torch.mul(out_gate, squashed, out=states[step])
        return states


def _convolve(layer, samples):
    """Convolve in time: a window of (n_timepoints, n_features, batch_size) is one piece of it."""
    n_timepoints, n_features, batch_size = samples.shape
    (width,) = layer.kernel_size
    padded = samples.new_zeros(n_timepoints + width - 1, n_features, batch_size)
    padded[width // 2 :][:n_timepoints] = samples
    strides = (n_features * batch_size, batch_size, 1)
    windows = padded.as_strided((n_timepoints, width * n_features, batch_size), strides)
    weights = layer.weight.transpose(1, 2).flatten(1)  # (n_outputs, width * n_features)
    return (weights @ windows).add_(layer.bias[:, None])
