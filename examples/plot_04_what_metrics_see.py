"""
What each metric sees
=====================

You will learn which faults of synthetic beats each judge in :mod:`sktsgan.metrics` finds, and which
it is blind to, from real beats that are spoilt in known ways. No network is trained.
"""

# %%
# Beats that are spoilt
# ---------------------
# A training set, as many held-out beats of the same class, and five ways to be wrong.

import os

import numpy as np
from sklearn.neighbors import NearestNeighbors

from sktsgan.datasets import fetch_mitbih, make_heartbeats

if "SKTSGAN_DATA" in os.environ:  # real beats
    X, y = fetch_mitbih(subset="DS1", return_X_y=True)
else:
    X, y = make_heartbeats(3000, weights=[0.8, 0.2], classes="NV", noise=0.02, random_state=0)
rng = np.random.default_rng(0)
normal = rng.permutation(X[y == "N"])
X_train, X_real, X_other = np.split(normal[:1200], 3)
neighbor = NearestNeighbors(n_neighbors=2).fit(X_train).kneighbors(X_train)[1][:, 1]
sets = {
    "other real beats": X_other,
    "noise of 0.05 mV": X_other + rng.normal(scale=0.05, size=X_other.shape),
    "one shape only": X_other[:1] + rng.normal(scale=0.01, size=X_other.shape),
    "copies": X_train,
    "means of neighbours": (X_train + X_train[neighbor]) / 2,
    "another class": rng.permutation(X[y == "V"])[:400],
}

# %%
# A look at them
# --------------
# Eight beats of each, and in black the median of the held-out ones.

import matplotlib.pyplot as plt

time = np.arange(X.shape[1]) / 180 - 0.3
figure, axes = plt.subplots(2, 3, figsize=(9, 5), sharex=True, sharey=True, layout="constrained")
for ax, (name, rows) in zip(axes.flat, sets.items(), strict=True):
    ax.plot(time, rows[:8].T, color="C1", alpha=0.6, linewidth=0.8)
    ax.plot(time, np.median(X_real, axis=0), color="black")
    ax.set_title(name, fontsize="medium")
    ax.grid(alpha=0.3)
figure.supxlabel("time (s)")
_ = figure.supylabel("amplitude (mV)")

# %%
# All judges
# ----------
# The first line is what perfect beats score.

import pandas as pd

from sktsgan.metrics import (
    classifier_two_sample_score,
    density_coverage,
    maximum_mean_discrepancy,
    membership_inference_auc,
    memorization_ratio,
    mmd_permutation_test,
)


def judge(X_synthetic):
    density, coverage = density_coverage(X_real, X_synthetic)
    return {
        "MMD^2": maximum_mean_discrepancy(X_real, X_synthetic),
        "p": mmd_permutation_test(X_real, X_synthetic, random_state=0).p_value,
        "density": density,
        "coverage": coverage,
        "two-sample AUC": classifier_two_sample_score(X_real, X_synthetic, random_state=0),
        "memorization": memorization_ratio(X_train, X_synthetic, X_held_out=X_real),
        "membership AUC": membership_inference_auc(X_train, X_real, X_synthetic),
    }


table = pd.DataFrame({name: judge(rows) for name, rows in sets.items()}).T
print(table.round(3).to_string())

# %%
# - MMD and its test find lost shapes and the wrong class. A little noise hardly changes distances
#   between beats, and so MMD: the test finds it where real beats are as clean as simulated ones,
#   and not on the records. Copies are the best beats there are to both.
# - Density falls with noise, coverage with lost shapes; means of neighbours are *too* typical,
#   with a density above that of real beats.
# - The classifier finds what is systematic, noise included, and is as blind to copies.
# - The memorization ratio and the membership attack find copies and beats made too near to those of
#   the training set, which the others take for good, and nothing else.
#
# So ask several, and look at the beats; the reasons are in :doc:`/judging`. For a fitted sampler
# :func:`~sktsgan.metrics.evaluate_sampler` gives them class by class, but for the attack.
