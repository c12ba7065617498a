"""
Balance heartbeats and see what it brings
=========================================

You will learn how to balance a training set of heartbeats with
:class:`~sktsgan.StaGANSampler`, how to look at the new beats, how to measure them, and how
to find out whether they help a classifier more than SMOTE does. The beats are simulated, so
nothing is downloaded; the whole takes two to three minutes on two cores.
"""

# %%
# A training set with rare beats
# ------------------------------
# Normal beats (N) are many; supraventricular (S), ventricular (V) and fusion beats (F) are few.

from collections import Counter
from pathlib import Path

from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score, recall_score
from sklearn.model_selection import train_test_split

from sktsgan import StaGANSampler
from sktsgan.datasets import make_heartbeats
from sktsgan.metrics import maximum_mean_discrepancy
from sktsgan.plotting import SignalDisplay

FS, BEFORE = 180, 0.3  # Hz, and seconds of a beat before its R wave
X, y = make_heartbeats(5000, weights=[0.80, 0.06, 0.09, 0.05], random_state=0)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=0.3, stratify=y, random_state=0
)

# %%
# Balance it
# ----------
# One call trains the GAN on all four classes, draws a surplus of beats and keeps those that
# look right; three quarters of the new beats lie between real ones, as an anchor. The real beats
# come first, untouched; ``synthetic_mask_`` tells the new ones.

sampler = StaGANSampler(max_epochs=8, random_state=0, verbose=1)
X_balanced, y_balanced = sampler.fit_resample(X_train, y_train)
print("before:", dict(sorted(Counter(y_train.tolist()).items())))
print("after: ", dict(sorted(Counter(y_balanced.tolist()).items())))

# %%
# Look at the beats
# -----------------
# The left column has real beats that the GAN has not seen, the right one as many that it makes.

rare = y_test != "N"
display = SignalDisplay.from_estimator(sampler, X_test[rare], y_test[rare], fs=FS, start=-BEFORE)
if "__file__" in globals():
    picture = Path(__file__).with_suffix(".png")
    display.figure_.savefig(picture, dpi=100)
    print("picture:", picture)

# %%
# The median beat and the band around it should agree, and so should what single beats do: an
# S beat has its odd P wave, a V beat is broad, and an F beat is between N and V.
#
# Measure them
# ------------
# MMD^2 compares two sets of beats: about 0 between two sets of real beats of one class, up to
# 2 for beats that have nothing in common. The first column shows what real beats score.

print("\nMMD^2   real-real   real-synthetic")
for label in sampler.classes_:
    X_real = X_test[y_test == label]
    X_synthetic, _ = sampler.sample(y=[label] * len(X_real), random_state=1)
    half = len(X_real) // 2
    between_real = maximum_mean_discrepancy(X_real[:half], X_real[half:])
    print(f"{label:5} {between_real:11.4f} {maximum_mean_discrepancy(X_real, X_synthetic):16.4f}")

# %%
# Do they help?
# -------------
# The same forest, trained on the set as it is, on the set balanced by SMOTE, and on ours.

from imblearn.over_sampling import SMOTE

training_sets = {
    "as it is": (X_train, y_train),
    "SMOTE": SMOTE(random_state=0).fit_resample(X_train, y_train),
    "StaGANSampler": (X_balanced, y_balanced),
}
print(f"\n{'trained on':14} macro-F1   recall of", "     ".join(sampler.classes_))
for name, training_set in training_sets.items():
    forest = RandomForestClassifier(random_state=0).fit(*training_set)
    predicted = forest.predict(X_test)
    recall = recall_score(y_test, predicted, average=None, labels=sampler.classes_)
    macro_f1 = f1_score(y_test, predicted, average="macro")
    print(f"{name:14} {macro_f1:8.3f}        ", " ".join(f"{value:.3f}" for value in recall))

# %%
# Read the figures as they are: on easy sets SMOTE can be as good or better. On real beats the
# difference shows, see :ref:`sphx_glr_auto_examples_plot_02_arrhythmia_pipeline.py`.
