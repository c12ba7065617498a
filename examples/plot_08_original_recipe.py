"""
The original recipe, and what changed
=====================================

You will learn how the first StaGAN scripts trained, how to write their recipe in parameters, and
what the defaults do in the same time.
"""

# %%
# Two classes of beats
# --------------------

import os

import numpy as np
from sklearn.model_selection import train_test_split

from sktsgan.datasets import fetch_mitbih, make_heartbeats

if "SKTSGAN_DATA" in os.environ:  # real beats
    X, y = fetch_mitbih(subset="DS1", fs=90, return_X_y=True)
    X, y = X[np.isin(y, ["N", "V"])], y[np.isin(y, ["N", "V"])]
else:
    X, y = make_heartbeats(
        4000, classes="NV", weights=[0.85, 0.15], n_timepoints=64, fs=90, random_state=0
    )
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=2000, test_size=2000, stratify=y, random_state=0
)

# %%
# The recipe
# ----------
# One small GAN for each class; one number of noise at each time step and nothing that a whole beat
# shares; no penalty on gradients; the last weights, whatever they are. ``steps_per_epoch`` keeps it
# short here: 150 steps are some four passes through the N beats, and the scripts made 120.

from time import perf_counter

from sktsgan import StaGANSampler

recipe = StaGANSampler(
    latent_dim=0,
    noise_dim=1,
    hidden_size=50,
    n_layers=2,
    samples_per_step=1,
    head_channels=0,
    discriminator="max_pooling",
    discriminator_channels=(10, 10),
    kernel_size=3,
    minibatch_features=5,
    conditioning="per_class",
    loss="bce",
    gradient_penalty=0,
    n_discriminator_steps=3,
    lr=2e-4,
    betas=(0.9, 0.999),
    batch_size=50,
    max_epochs=1,
    steps_per_epoch=150,
    augmentation=0,
    ema_decay=0,
    validation_fraction=0,
    selection=None,
    interpolation_fraction=0,
    variation=0,
    detail_fraction=0,
    random_state=0,
)
start = perf_counter()
recipe.fit(X_train, y_train)
seconds = perf_counter() - start
print(f"recipe: {seconds:.0f} s for {recipe.n_iter_} steps in each class")

# %%
# The default in the same time
# ----------------------------
# A callback ends training when the time is over.

from skorch.callbacks import Callback


class Deadline(Callback):
    def __init__(self, seconds):
        self.seconds = seconds

    def on_train_begin(self, net, **kwargs):
        self.end_ = perf_counter() + self.seconds

    def on_epoch_end(self, net, **kwargs):
        if perf_counter() > self.end_:
            net.stop("deadline")


default = StaGANSampler(
    max_epochs=1000, steps_per_epoch=20, callbacks=[Deadline(seconds)], random_state=0
)
default.fit(X_train, y_train)
print(f"default: {default.n_iter_} steps, both classes at once")

# %%
# What came out
# -------------

from sktsgan import MMDScorer
from sktsgan.plotting import SignalDisplay

for name, sampler in {"recipe": recipe, "default": default}.items():
    print(f"{name:8} MMD^2 {-MMDScorer()(sampler, X_test, y_test):.4f}")

# %%
# The recipe's beats, flat as yet. What it reaches when it is trained as long as the default is in
# the :doc:`benchmark </benchmark>`.

SignalDisplay.from_estimator(recipe, X_test, y_test, fs=90, start=-0.3)

# %%
# The default's:

SignalDisplay.from_estimator(default, X_test, y_test, fs=90, start=-0.3)

# %%
# What changed, and why:
#
# - Noise that a whole beat shares lets the generator choose a shape; noise at each step alone can
#   only blur one.
# - One network that is told the class trains in the time of one.
# - The relativistic loss with gradient penalties converges; cross-entropy without them need not.
# - Eight samples at an LSTM step are faster than one at a time.
# - The weights with the best held-out MMD are kept, from an average over steps.
# - ``fit_resample`` chooses among the beats it draws, and anchors them to real ones.
#
# What the penalties, the choice and the average of weights, one network for each class, selection
# and the mixture are worth for a classifier is in the :doc:`benchmark </benchmark>`. The
# :doc:`user guide </user_guide>` says in what these networks differ from the scripts'.
