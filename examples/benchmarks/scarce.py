"""Rare real beats, patients mixed: does the default sampler help a random forest?

Run from the project's root, with ``$SKTSGAN_DATA`` naming the folder that holds ``mitdb/``:

    python examples/benchmarks/scarce.py --seeds 0 1 2

For each seed: macro-F1 and balanced accuracy of a random forest trained on 4000/120/300/40 beats
of N/S/V/F as they are, balanced by SMOTE, and balanced by StaGANSampler with default parameters;
time and peak memory of its ``fit_resample``; MMD^2 of each class to held-out beats, beside that of
real beats to other real ones. A picture of the beats of the last seed is saved beside this file.
"""

import argparse
import resource
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score, f1_score
from tasks import CLASSES, scarce

from sktsgan import StaGANSampler
from sktsgan.metrics import maximum_mean_discrepancy
from sktsgan.plotting import SignalDisplay


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds = parser.parse_args().seeds
    scores, discrepancies = [], []
    for seed in seeds:
        X_train, X_test, y_train, y_test = scarce(seed)
        sampler = StaGANSampler(random_state=seed)
        start = time.perf_counter()
        balanced = sampler.fit_resample(X_train, y_train)
        seconds = time.perf_counter() - start
        # of the whole process, which has read all records before: an upper bound
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sets = {
            "none": (X_train, y_train),
            "SMOTE": SMOTE(random_state=seed).fit_resample(X_train, y_train),
            "StaGANSampler": balanced,
        }
        for name, training_set in sets.items():
            forest = RandomForestClassifier(random_state=seed, n_jobs=2).fit(*training_set)
            predicted = forest.predict(X_test)
            row = {
                "seed": seed,
                "sampler": name,
                "macro-F1": f1_score(y_test, predicted, average="macro"),
                "balanced accuracy": balanced_accuracy_score(y_test, predicted),
            }
            scores.append(row)
            print(row, flush=True)
        print(
            f"seed {seed}: fit_resample {seconds:.0f} s, peak {megabytes:.0f} MB, best iteration "
            f"{sampler.best_iter_} of {sampler.n_iter_}, score {sampler.best_score_:.4f}",
            flush=True,
        )
        discrepancies.append(compare(seed, sampler, balanced, X_test, y_test))
        print(discrepancies[-1], flush=True)
    print(pd.DataFrame(scores).groupby("sampler", sort=False).mean().drop(columns="seed").round(3))
    print(pd.DataFrame(discrepancies).drop(columns="seed").mean().round(4))
    draw(sampler, balanced, X_test, y_test)


def compare(seed, sampler, balanced, X_test, y_test):
    """Measure MMD^2 to held-out beats by class: of drawn, of balanced and of real beats."""
    row = {"seed": seed}
    X_balanced, y_balanced = balanced
    for label in CLASSES:
        X_real = X_test[y_test == label][:1000]
        drawn, _ = sampler.sample(y=[label] * len(X_real), random_state=seed)
        row[f"{label} drawn"] = maximum_mean_discrepancy(X_real, drawn)
        added = X_balanced[sampler.synthetic_mask_ & (y_balanced == label)]
        if len(added):
            row[f"{label} added"] = maximum_mean_discrepancy(X_real, added[: len(X_real)])
        half = len(X_real) // 2
        row[f"{label} real"] = maximum_mean_discrepancy(X_real[:half], X_real[half:])
    return {key: round(value, 4) for key, value in row.items()}


def draw(sampler, balanced, X_test, y_test):
    mpl.use("Agg")
    X, y = balanced
    added, rare = sampler.synthetic_mask_, y_test != "N"
    rng = np.random.default_rng(0)
    order = rng.permutation(np.flatnonzero(added))
    display = SignalDisplay.from_arrays(
        X_test[rare], y_test[rare], X[order], y[order], fs=180, start=-0.3
    )
    picture = Path(__file__).with_suffix(".png")
    display.figure_.savefig(picture, dpi=100)
    print("picture:", picture)


if __name__ == "__main__":
    main()
