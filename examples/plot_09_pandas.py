"""
From pandas and back
====================

You will learn that a DataFrame of beats comes back as one, how to keep the new rows apart from the
real ones, and how to read the report of how good they are.
"""

# %%
# A frame of beats
# ----------------
# A row for each beat, a column for each time point.

import os

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from sktsgan.datasets import fetch_mitbih, make_heartbeats

if "SKTSGAN_DATA" in os.environ:  # real beats, every eighth normal one
    X, y = fetch_mitbih(subset="DS1", fs=90, return_X_y=True)
    kept = np.isin(y, ["S", "V", "F"]) | (y == "N") & (np.arange(len(y)) % 8 == 0)
    X, y = X[kept], y[kept]
else:
    X, y = make_heartbeats(
        4000, weights=[0.75, 0.1, 0.1, 0.05], n_timepoints=64, fs=90, random_state=0
    )
times = 1000 * (np.arange(X.shape[1]) / 90 - 0.3)
X = pd.DataFrame(X, columns=[f"{time:.0f} ms" for time in times])
y = pd.Series(y, name="class")
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=2500, test_size=1500, stratify=y, random_state=0
)
print(X_train.iloc[:3, 25:31].round(3))

# %%
# Balance it
# ----------
# Columns and types stay. ``sampling_strategy`` says how many rows a class is to have, here at least
# 600 of each rare one.

from sktsgan import StaGANSampler

counts = y_train.value_counts().drop("N")
sampler = StaGANSampler(counts.clip(lower=600).to_dict(), max_epochs=4, random_state=0)
X_resampled, y_resampled = sampler.fit_resample(X_train, y_train)
print(type(X_resampled).__name__, X_resampled.shape, list(X_resampled.columns[:2]))

# %%
# Which rows are new?
# -------------------
# The index starts anew, as imbalanced-learn's does; ``synthetic_mask_`` tells the new rows. Keep it
# beside the data: synthetic beats must not get into a test set.

frame = X_resampled.assign(label=y_resampled, synthetic=sampler.synthetic_mask_)
print(frame.groupby(["label", "synthetic"]).size().unstack(fill_value=0))

# %%
# What remains is pandas. The mean height of the R wave, real and new:

height = frame.groupby(["label", "synthetic"])["0 ms"].mean().unstack()
print(height.round(2))

# %%
# How good are they?
# ------------------
# A frame too: one row for each class, from beats that the sampler has not seen.

from sktsgan.metrics import evaluate_sampler

report = evaluate_sampler(sampler, X_test, y_test, X_train=X_train, y_train=y_train)
print(report.round(3).to_string())

# %%
# MMD near 0, a coverage near that of real beats (about 0.97) and a memorization ratio near 1 are
# good; a small p says that the difference is hardly chance, and a two-sample AUC near 1 that a
# forest still tells them from real beats, as it will after so short a training. This is what the
# generator draws; ``fit_resample`` also gives it the fine detail of real beats. :doc:`/judging`
# says what each figure sees.
