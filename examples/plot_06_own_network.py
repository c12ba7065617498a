"""
Bring your own network
======================

You will learn what a generator has to look like to be trained by :class:`~sktsgan.StaGANSampler`,
how to change the sizes of those that come with it, and how to compare two fairly.
"""

# %%
# Beats
# -----

import os

import numpy as np
from sklearn.model_selection import train_test_split

from sktsgan.datasets import fetch_mitbih, make_heartbeats

if "SKTSGAN_DATA" in os.environ:  # real beats, every eighth normal one
    X, y = fetch_mitbih(subset="DS1", fs=90, return_X_y=True)
    kept = np.isin(y, ["S", "V", "F"]) | (y == "N") & (np.arange(len(y)) % 8 == 0)
    X, y = X[kept], y[kept]
else:
    X, y = make_heartbeats(
        5000, weights=[0.7, 0.1, 0.15, 0.05], n_timepoints=64, fs=90, random_state=0
    )
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=2500, test_size=2500, stratify=y, random_state=0
)

# %%
# A generator without LSTM
# ------------------------
# A generator is a torch module that is built from `n_channels`, `n_timepoints` and `n_classes`,
# has an attribute ``latent_size``, and turns noise and classes into signals. This one has
# transposed convolutions, as generators of images do. All of its randomness comes from the noise it
# is given, so that the same seed gives the same beats.

import torch
from torch import nn


class ConvGenerator(nn.Module):
    def __init__(self, n_channels, n_timepoints, n_classes, latent_size=32, width=64):
        super().__init__()
        self.latent_size = latent_size
        self.n_timepoints = n_timepoints
        self.n_start = -(-n_timepoints // 8)
        self.classes = nn.Embedding(n_classes, 16)
        self.start = nn.Linear(latent_size + 16, width * self.n_start)
        self.blocks = nn.Sequential(
            nn.ConvTranspose1d(width, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose1d(width, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose1d(width, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv1d(width, n_channels, 5, padding=2),
        )

    def forward(self, noise, y):
        x = self.start(torch.cat([noise, self.classes(y)], dim=1))
        x = x.view(len(x), -1, self.n_start)  # (n_samples, width, n_start)
        return self.blocks(x)[:, :, : self.n_timepoints]


# %%
# Train it beside the default
# ---------------------------
# ``functools.partial`` changes sizes; the class itself would do, too. Same data, same seed, same
# number of steps.

from functools import partial
from time import perf_counter

from sktsgan import MMDScorer, StaGANSampler

generators = {
    "transposed convolutions": partial(ConvGenerator, width=48),
    "LSTM, two directions (default)": "bilstm",
    "LSTM, one direction": "lstm",
}
fitted = {}
for name, generator in generators.items():
    start = perf_counter()
    fitted[name] = StaGANSampler(generator=generator, max_epochs=3, random_state=0)
    fitted[name].fit(X_train, y_train)
    seconds = perf_counter() - start
    score = -MMDScorer()(fitted[name], X_test, y_test)
    print(f"{name:32} MMD^2 {score:.4f}   {seconds:4.0f} s")

# %%
# One seed and few steps are no proof for or against a network; cross-validate, as in
# :ref:`sphx_glr_auto_examples_plot_03_choose_by_mmd.py`.
#
# Look at the beats
# -----------------

from sktsgan.plotting import EmbeddingDisplay, SignalDisplay

own = fitted["transposed convolutions"]
SignalDisplay.from_estimator(own, X_test, y_test, fs=90, start=-0.3)

# %%
# All beats at once, as points in the plane in which they differ most. Crosses should be where
# circles are, and nowhere else; circles without crosses are beats that the generator leaves out.
# The plane does not show the finest detail; single beats above do.

EmbeddingDisplay.from_estimator(own, X_test, y_test)

# %%
# A discriminator is given in the same way: it takes signals and classes and returns a score for
# each row. With one of your own, minibatch discrimination is yours to add; it is in
# :class:`~sktsgan.networks.MinibatchDiscrimination`.
