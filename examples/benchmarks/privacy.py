"""What attacks find in the rows of several samplers, and what differential privacy costs.

    python examples/benchmarks/privacy.py attacks
    python examples/benchmarks/privacy.py price

``attacks`` writes ``docs/benchmark/attacks.csv``, ``price`` writes ``privacy-price.csv`` and its
picture, one line or point at a time; both take minutes to an hour on one core. ``$SKTSGAN_DATA``
names the folder that holds ``mitdb/``.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE, RandomOverSampler
from rivals import STAGAN, recipe
from sklearn.base import clone

from sktsgan import StaGANSampler
from sktsgan.datasets import fetch_mitbih
from sktsgan.metrics import discriminator_scores, privacy_report, train_shadows

FOLDER = Path(__file__).parents[2] / "docs" / "benchmark"
RARE = ("S", "V", "F")
# Beats of each class that a sampler is trained on.
N_ROWS = {"N": 4000, "S": 200, "V": 800, "F": 100}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["attacks"])
    parser.parse_args()
    warnings.simplefilter("ignore")
    attack_all()


def attack_all():
    """Attack each sampler, whose training rows are beats of DS1."""
    members, same, other, shadow = draw_sets(np.random.default_rng(0))
    samplers = {
        "RandomOverSampler (copies)": RandomOverSampler(random_state=0),
        "SMOTE": SMOTE(random_state=0),
        STAGAN: StaGANSampler(random_state=0),
        "StaGANSampler, original recipe": StaGANSampler(**recipe(20), random_state=0),
    }
    rows = []
    for name, sampler in samplers.items():
        start = time.perf_counter()
        X_resampled, _ = clone(sampler).fit_resample(*members[:2])
        X_synthetic = X_resampled[len(members[0]) :]
        fitted = sampler.fit(*members[:2]) if hasattr(sampler, "sample") else None
        shadows = train_shadows(sampler, *shadow[:2], n_shadows=2)
        for whose, others in (("the same patients", same), ("other patients", other)):
            report = attack(members, others, X_synthetic, shadows, fitted)
            table = report.attacks.reset_index()
            table.insert(0, "sampler", name)
            table.insert(1, "non-members of", whose)
            table["memorization ratio"] = report.memorization_ratio
            table["closest pair"] = report.closest["distance"].min()
            rows.append(table)
        pd.concat(rows).to_csv(FOLDER / "attacks-figures.csv", index=False, float_format="%.4f")
        as_table(pd.concat(rows)).to_csv(FOLDER / "attacks.csv", index=False)
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
        print(as_table(pd.concat(rows)).to_string(), flush=True)


def attack(members, others, X_synthetic, shadows, fitted):
    """Attack the rare classes' beats, for which there are synthetic rows."""
    sides = [
        [part[np.isin(y, RARE)] for part in (X, y, record)] for X, y, record in (members, others)
    ]
    scores = None
    if fitted is not None:
        scores = [discriminator_scores(fitted, X, y) for X, y, _ in sides]
    return privacy_report(
        sides[0][0],
        sides[1][0],
        X_synthetic,
        groups_members=sides[0][2],
        groups_non_members=sides[1][2],
        shadows=shadows,
        scores=scores,
    )


def draw_sets(rng):
    """Draw members and others of the same patients from DS1, others and shadow rows from DS2.

    The patients of the shadow rows are not among the others.
    """
    parts = []
    for subset in ("DS1", "DS2"):
        beats = fetch_mitbih(subset=subset)
        X = beats.data - beats.data.mean(axis=1, keepdims=True)
        parts.append((X, beats.target, beats.record))
    members = draw(parts[0], np.arange(len(parts[0][1])), rng)
    same = draw(parts[0], np.setdiff1d(np.arange(len(parts[0][1])), members), rng)
    records = np.unique(parts[1][2])
    first = np.isin(parts[1][2], records[1::2])
    other, shadow = (
        draw(parts[1], np.flatnonzero(side), rng, multiple)
        for side, multiple in ((first, 1), (~first, 2))
    )
    rows = [(parts[0], members), (parts[0], same), (parts[1], other), (parts[1], shadow)]
    return [tuple(array[places] for array in part) for part, places in rows]


def draw(part, places, rng, multiple=1):
    """Draw beats of each class from these places, as many as there are to be, or all."""
    shuffled = rng.permutation(places)
    y = part[1][shuffled]
    return np.concatenate([shuffled[y == label][: multiple * n] for label, n in N_ROWS.items()])


def as_table(figures):
    """Put each figure and its interval into one cell."""
    table = figures[["sampler", "non-members of", "attack"]].copy()
    for name in ("auc", "tpr_at_1%", "tpr_at_0.1%"):
        cells = figures[[name, f"{name}_low", f"{name}_high"]].itertuples(index=False)
        table[name] = ["{:.3f} ({:.3f} to {:.3f})".format(*cell) for cell in cells]
    table["memorization ratio"] = figures["memorization ratio"].map("{:.3f}".format)
    return table


if __name__ == "__main__":
    main()
