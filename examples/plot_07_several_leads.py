"""
Several leads at once
=====================

You will learn the two forms in which rows with several leads are taken, how they pass through
classifiers that know no leads, and how to check that the leads of a synthetic beat belong together.
"""

# %%
# Beats of two leads
# ------------------
# Three axes: ``(n_samples, n_channels, n_timepoints)``. On the records lead 1 is MLII, and lead 2
# another one, mostly V1.

import os

import numpy as np
from sklearn.model_selection import train_test_split

from sktsgan.datasets import fetch_mitbih, make_heartbeats

if "SKTSGAN_DATA" in os.environ:  # real beats, every eighth normal one
    X, y = fetch_mitbih(subset="DS1", fs=90, n_leads=2, return_X_y=True)
    kept = np.isin(y, ["S", "V", "F"]) | (y == "N") & (np.arange(len(y)) % 8 == 0)
    X, y = X[kept], y[kept]
else:
    X, y = make_heartbeats(
        4000,
        weights=[0.7, 0.1, 0.15, 0.05],
        n_timepoints=64,
        fs=90,
        n_channels=2,
        random_state=0,
    )
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=2500, test_size=1500, stratify=y, random_state=0
)
print(X_train.shape)

# %%
# Both leads are learned together
# -------------------------------
# What goes in comes out, so synthetic rows have two leads as well.

from sktsgan import StaGANSampler
from sktsgan.plotting import SignalDisplay

sampler = StaGANSampler(max_epochs=6, random_state=0)
X_balanced, y_balanced = sampler.fit_resample(X_train, y_train)
X_new, y_new = (part[sampler.synthetic_mask_] for part in (X_balanced, y_balanced))
rare = (y_test == "S") | (y_test == "V")
SignalDisplay.from_arrays(X_test[rare], y_test[rare], X_new[::20], y_new[::20], fs=90, start=-0.3)

# %%
# Do the leads belong together?
# -----------------------------
# A picture of each lead cannot show it. The height of a beat in one lead against that in the other
# can: real and synthetic beats should have the same relation. Taking the two leads from different
# beats of the class destroys it.


def correlation(first, second):
    """Correlate the height of each beat in one lead with that in the other."""
    return np.corrcoef(np.ptp(first, axis=1), np.ptp(second, axis=1))[0, 1]


rng = np.random.default_rng(0)
print("class   real   synthetic   leads of different beats")
for label in np.unique(y_new):
    real, new = X_test[y_test == label], X_new[y_new == label]
    shuffled = rng.permutation(len(real))
    print(
        f"{label:5} {correlation(real[:, 0], real[:, 1]):6.2f} "
        f"{correlation(new[:, 0], new[:, 1]):9.2f} "
        f"{correlation(real[:, 0], real[shuffled, 1]):14.2f}"
    )

# %%
# Most added beats are weighted sums of real ones, which keeps the leads together. The generator
# alone has to learn it, and needs more steps than these for it: compare
# ``sampler.sample(y=["V"] * 500)``. MMD over both leads sees such things as well, as it compares
# whole rows.
#
# Through a classifier
# --------------------
# scikit-learn's classifiers take rows of two axes. Lay the leads one after the other and tell the
# sampler how many there are; it sees the same signals.

from imblearn.pipeline import Pipeline
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.preprocessing import StandardScaler

model = Pipeline(
    [
        ("gan", StaGANSampler(n_channels=2, max_epochs=2, random_state=0)),
        ("scale", StandardScaler()),
        ("clf", LogisticRegression(max_iter=1000)),
    ]
)
model.fit(X_train.reshape(len(X_train), -1), y_train)
predicted = model.predict(X_test.reshape(len(X_test), -1))
print(f"macro-F1 with both leads: {f1_score(y_test, predicted, average='macro'):.3f}")
