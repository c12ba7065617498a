"""
Classify real arrhythmias, patient by patient
=============================================

You will learn how to put :class:`~sktsgan.StaGANSampler` before a classifier in a pipeline, how to
cross-validate it so that no patient is in both the training and the test set, and how to score the
synthetic beats themselves. The beats are real, from the MIT-BIH Arrhythmia Database: set
``$SKTSGAN_DATA`` to a folder that holds ``mitdb/``, or they are downloaded once (90 MB). It takes
some ten minutes on two cores.
"""

# %%
# Real beats, with their patients
# -------------------------------
# DS1 is the training half of the usual inter-patient protocol. Normal beats are thinned, rare ones
# all kept, so that it stays short.

from collections import Counter

import numpy as np
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import Pipeline
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import classification_report, f1_score
from sklearn.model_selection import (
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
)

from sktsgan import MMDScorer, StaGANSampler
from sktsgan.datasets import fetch_mitbih

beats = fetch_mitbih(subset="DS1")
rng = np.random.default_rng(0)
kept = np.concatenate(
    [
        rng.permutation(np.flatnonzero(beats.target == label))[:n]
        for label, n in {"N": 4000, "S": 944, "V": 1500, "F": 414}.items()
    ]
)
X, y, patients = beats.data[kept], beats.target[kept], beats.record[kept]
X = X - X.mean(axis=1, keepdims=True)  # the electrode's offset says nothing about the beat
print(dict(Counter(y.tolist())), "beats of", len(np.unique(patients)), "patients")

# %%
# A pipeline, cross-validated by patient
# --------------------------------------
# The sampler works while the pipeline is fitted, on the training patients of the fold; the beats of
# the test patients are predicted as they are. The GAN trains for a few epochs only here; that is
# enough for shapes, and the default of 20 is better.

gan = StaGANSampler(max_epochs=5, random_state=0)
forest = RandomForestClassifier(random_state=0, n_jobs=2)
pipelines = {
    "no resampling": forest,
    "SMOTE": Pipeline([("smote", SMOTE(random_state=0)), ("clf", forest)]),
    "StaGANSampler": Pipeline([("gan", gan), ("clf", forest)]),
}
by_patient = StratifiedGroupKFold(3, shuffle=True, random_state=0)
for name, pipeline in pipelines.items():
    predicted = cross_val_predict(pipeline, X, y, groups=patients, cv=by_patient)
    print(f"\n{name}: macro-F1 {f1_score(y, predicted, average='macro'):.3f}")
    print(classification_report(y, predicted, digits=3, zero_division=0))

# %%
# The recall of the rare classes is what resampling is for; look at what it costs in precision.
# Beats of unknown patients are much harder than new beats of known ones: most F beats of DS1 come
# from a single person, so that the fold that tests on them has next to none to learn from. Nothing
# that works on one beat alone can mend this.
#
# How good are the beats?
# -----------------------
# ``MMDScorer`` compares beats that the GAN has not seen with as many that it makes, class by class.
# With patients mixed it says how well the GAN has learned these patients' beats.

folds = StratifiedKFold(3, shuffle=True, random_state=0)
scores = cross_val_score(gan, X, y, cv=folds, scoring=MMDScorer())
print("\nMMD^2, patients mixed:", np.round(-scores, 4))

# %%
# With patients apart, beats of other persons are the yardstick. The distance is larger, and it is
# so for real beats too: this is how much persons differ.

scores = cross_val_score(gan, X, y, groups=patients, cv=by_patient, scoring=MMDScorer())
print("MMD^2, patients apart:", np.round(-scores, 4))
