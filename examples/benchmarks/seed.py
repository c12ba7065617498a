"""The first StaGAN scripts' training, in plain torch: the rival of ``training.py``.

Two-layer bidirectional LSTM of 50 units, one number of noise at each time step, directions summed;
two blocks of convolution and pooling with minibatch discrimination; binary cross-entropy, Adam,
three discriminator steps to one of the generator, batches of 50.
"""

import torch
from torch import nn
from torch.nn import functional

BATCH_SIZE = 50


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, 50, 2, batch_first=True, bidirectional=True)
        self.out = nn.Linear(50, 1)

    def forward(self, noise):  # (n_samples, n_timepoints, 1)
        forth, back = self.lstm(noise)[0].chunk(2, dim=2)
        return self.out(forth + back).squeeze(2)


class Discriminator(nn.Module):
    def __init__(self, n_timepoints):
        super().__init__()
        layers, width = [], 1
        for _ in range(2):
            layers += [nn.Conv1d(width, 10, 3, padding=1), nn.ReLU(), nn.MaxPool1d(3, 2)]
            width, n_timepoints = 10, (n_timepoints - 3) // 2 + 1
        self.blocks = nn.Sequential(*layers, nn.Flatten())
        self.kernels = nn.Parameter(torch.randn(10 * n_timepoints, 5 * 16))
        self.out = nn.Linear(10 * n_timepoints + 5, 1)

    def forward(self, X):
        features = self.blocks(X[:, None])
        points = (features @ self.kernels).view(len(X), 5, 16)
        distances = (points[:, None] - points[None]).abs().sum(3)
        closeness = torch.exp(-distances).sum(1) - 1
        return torch.sigmoid(self.out(torch.cat([features, closeness], dim=1)))


class Seed:
    """Trains, a step at a time, and draws."""

    def __init__(self, X, seed=0):
        torch.manual_seed(seed)
        self.X = torch.from_numpy(X).float()
        self.generator, self.discriminator = Generator(), Discriminator(X.shape[1])
        self.optimizers = [
            torch.optim.Adam(network.parameters(), lr=2e-4)
            for network in (self.discriminator, self.generator)
        ]

    def step(self):
        for _ in range(3):
            X_real = self.X[torch.randint(len(self.X), (BATCH_SIZE,))]
            X_fake = self.generator(self._noise(BATCH_SIZE)).detach()
            real, fake = self.discriminator(X_real), self.discriminator(X_fake)
            loss = functional.binary_cross_entropy(real, torch.ones_like(real))
            loss = loss + functional.binary_cross_entropy(fake, torch.zeros_like(fake))
            self._update(0, loss)
        score = self.discriminator(self.generator(self._noise(BATCH_SIZE)))
        self._update(1, functional.binary_cross_entropy(score, torch.ones_like(score)))

    def sample(self, n_samples):
        with torch.no_grad():
            parts = [self.generator(self._noise(n)) for n in [500] * (n_samples // 500)]
        return torch.cat(parts).numpy()

    def _noise(self, n_samples):
        return torch.randn(n_samples, self.X.shape[1], 1)

    def _update(self, which, loss):
        self.optimizers[which].zero_grad()
        loss.backward()
        self.optimizers[which].step()
