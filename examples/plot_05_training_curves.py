"""
Follow training, and stop it
============================

You will learn what the training curves show, how the best weights are kept, how training stops by
itself, and how a callback of your own follows or ends it.
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
# Curves
# ------
# An epoch is ``steps_per_epoch`` steps of the generator, after which the MMD to held-out beats is
# measured. Training ends after ``max_epochs``, or, with ``patience=3``, after three epochs without
# a better one, if that is earlier.

from sktsgan import StaGANSampler
from sktsgan.plotting import TrainingCurveDisplay

sampler = StaGANSampler(max_epochs=12, steps_per_epoch=50, patience=3, random_state=0)
sampler.fit(X_train, y_train)
TrainingCurveDisplay.from_estimator(sampler)
print(f"{sampler.n_iter_} iterations; kept: {sampler.best_iter_}, MMD^2 {-sampler.best_score_:.4f}")

# %%
# The losses show whether the two networks keep each other in balance. Here the generator's falls as
# the beats get better, but each loss depends on how good the opponent is, so neither says how good
# the beats are, nor when to stop. The MMD is what to look at. Where it still falls at the end,
# train longer. It is measured on few beats of the rare classes: small ups and downs mean nothing.
#
# The figures are those of a skorch history.

for epoch in sampler.history_[:3]:
    print({name: round(float(epoch[name]), 3) for name in ("generator_loss", "valid_mmd")})

# %%
# A callback of your own
# ----------------------
# Any of skorch's events will do. This one ends training once the MMD is good enough; ``net.stop``
# ends it at once, and the best weights are kept.

from skorch.callbacks import Callback


class GoodEnough(Callback):
    def __init__(self, mmd):
        self.mmd = mmd

    def on_epoch_end(self, net, **kwargs):
        if net.history[-1, "valid_mmd"] < self.mmd:
            print(f"good enough after {net.n_iter_} iterations")
            net.stop("good enough")


sampler.set_params(callbacks=[GoodEnough(0.1)])
sampler.fit(X_train, y_train)
print(f"{sampler.n_iter_} iterations; kept: {sampler.best_iter_}")

# %%
# ``Ctrl-C`` does the same by hand: training ends, the best weights so far are kept, and a warning
# says which these are.
