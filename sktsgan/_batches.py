"""Training rows, and batches of them in which every class has its share."""

import math

import numpy as np
import torch
from torch.utils.data import Dataset

from sktsgan._arrays import is_mapped_alone, take
from sktsgan._devices import is_cpu

# Rows that are scaled and sent to a card at a time.
_CHUNK = 16_384
# Bytes of training rows that a card keeps; where there are more, each batch is sent to it.
_MAX_ON_CARD = 2**31


class ScaledRows(Dataset):
    """Rows of an array, scaled when they are asked for: it may be memory-mapped, and large.

    Parameters
    ----------
    signals : ndarray of shape (n_samples, n_channels, n_timepoints)
        Signals in their own unit.
    rows : ndarray of int of shape (n_rows,)
        Which of them there are.
    y : ndarray of int of shape (n_rows,)
        Their classes, by which they are sorted here.
    scaler : SignalScaler
        Scales them.
    """

    def __init__(self, signals, rows, y, scaler):
        order = np.argsort(y, kind="stable")
        self.signals, self.scaler = signals, scaler
        self.rows, self.y = rows[order], torch.from_numpy(y[order])
        self.device, self.on_card = "cpu", None

    def to(self, device):
        """Put all rows on a card that has room for them; rows asked for by places there are there.

        Parameters
        ----------
        device : str
            A torch device; on the CPU rows stay where they are.
        """
        n_bytes = 4 * len(self) * math.prod(self.signals.shape[1:])
        if is_cpu(device) or n_bytes > _MAX_ON_CARD:
            return
        parts = [self[places] for places in torch.arange(len(self)).split(_CHUNK)]
        X, y = (torch.cat(part).to(device) for part in zip(*parts, strict=True))
        self.device, self.on_card = device, (X, y)

    def make_portable(self):
        """Copy the rows where another process could not map the array that they are in."""
        if is_mapped_alone(self.signals):
            self.signals = take(self.signals, self.rows)
            self.rows = np.arange(len(self.rows))

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, places):
        if self.on_card:
            return tuple(part[places] for part in self.on_card)
        X = self.scaler.scaled(take(self.signals, self.rows[places.numpy()]))
        return torch.from_numpy(X), self.y[places]


class BalancedBatches:
    """Draw batches in which every class has the same share, with replacement.

    Parameters
    ----------
    dataset : ScaledRows
        Signals, sorted by their classes ``dataset.y``.
    batch_size : int
        Rows of a batch.
    n_batches : int or None
        Batches of an epoch; None for one pass over as many rows as there are.
    rng : torch.Generator
        Source of randomness, on the CPU.
    """

    def __init__(self, dataset, *, batch_size, n_batches, rng):
        self.dataset = dataset
        self.batch_size = batch_size
        self.n_batches = n_batches or -(-len(dataset) // batch_size)
        self.rng = rng
        self.counts = torch.bincount(dataset.y)
        self.starts = self.counts.cumsum(0) - self.counts
        self.present = torch.nonzero(self.counts).squeeze(1)

    def __len__(self):
        return self.n_batches

    def __iter__(self):
        shape = (self.n_batches, self.batch_size)
        # shares are equal to one row; which classes get the odd rows is drawn
        shift = torch.randint(len(self.present), (self.n_batches, 1), generator=self.rng)
        classes = self.present[(torch.arange(self.batch_size) + shift) % len(self.present)]
        place = torch.rand(shape, generator=self.rng, dtype=torch.float64) * self.counts[classes]
        for batch in (self.starts[classes] + place.long()).to(self.dataset.device):
            yield self.dataset[batch]
