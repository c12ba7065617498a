"""How good are the beats? Synthetic beats of each class against held-out real ones.

Run from the project's root, with ``$SKTSGAN_DATA`` naming the folder that holds ``mitdb/``:

    python examples/benchmarks/beats.py --seeds 0 1 2 3 4

Task *scarce* (4000/120/300/40 beats of N/S/V/F for training), default sampler. For the beats that
the generator draws and for those that ``fit_resample`` adds: MMD^2 to held-out beats, p of the
permutation test with 300 beats on each side, density, coverage and memorization ratio with as many
synthetic beats as held-out ones, coverage by all that balance the class, and the smallest distance
to a training beat as a share of the median one between neighbours in the class; beside them the
same for real held-out beats, for those that SMOTE adds and for copies of training beats. Writes a
table and a picture beside the documentation.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import rivals
import torch
from sklearn.neighbors import NearestNeighbors
from tasks import CLASSES, scarce

from sktsgan import StaGANSampler
from sktsgan.metrics import (
    density_coverage,
    maximum_mean_discrepancy,
    memorization_ratio,
    mmd_permutation_test,
)
from sktsgan.plotting import SignalDisplay

FOLDER = Path("docs/benchmark")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--folder", type=Path, default=FOLDER)
    args = parser.parse_args()
    rows = []
    for seed in args.seeds:
        split = scarce(seed)
        sampler = StaGANSampler(random_state=seed)
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            X, y = sampler.fit_resample(split.X_train, split.y_train)
        print(
            f"seed {seed}: fit_resample {time.perf_counter() - start:.0f} s on "
            f"{torch.get_num_threads()} cores, best iteration {sampler.best_iter_} of "
            f"{sampler.n_iter_}",
            flush=True,
        )
        added = sampler.synthetic_mask_
        balanced = {
            "added": (X, y),
            "by SMOTE": rivals.resample("SMOTE", split, seed),
            "copies": rivals.resample("RandomOverSampler", split, seed),
        }
        for label in CLASSES:
            X_train = split.X_train[split.y_train == label]
            X_real = split.X_test[split.y_test == label]
            half = len(X_real) // 2
            drawn, _ = sampler.sample(y=[label] * (split.y_train == "N").sum(), random_state=seed)
            sets = {"drawn": (drawn, X_real), "real": (X_real[:half], X_real[half:])}
            if label != "N":
                for kind, (rows_of_all, labels) in balanced.items():
                    order = np.random.default_rng(seed).permutation(
                        np.flatnonzero(added & (labels == label))
                    )
                    sets[kind] = (rows_of_all[order], X_real)
            rows += [
                {"class": label, "beats": kind, "seed": seed} | judge(X_train, real, beats)
                for kind, (beats, real) in sets.items()
            ]
    table = pd.DataFrame(rows).drop(columns="seed").groupby(["class", "beats"], sort=False).mean()
    args.folder.mkdir(parents=True, exist_ok=True)
    fine = ("MMD²", "nearest")
    table = table.apply(lambda own: own.map(("{:.4f}" if own.name in fine else "{:.3f}").format))
    table.to_csv(args.folder / "beats.csv")
    print(table.to_string())
    draw(split, X, y, added, args.folder / "beats.png")


def judge(X_train, X_real, X_synthetic):
    """Compare synthetic beats of a class with held-out and with training beats."""
    rows, as_many = slice(300), slice(len(X_real))
    density, coverage = density_coverage(X_real, X_synthetic[as_many])
    index = NearestNeighbors(n_neighbors=2).fit(X_train)
    usual = np.median(index.kneighbors(X_train)[0][:, 1])
    return {
        "MMD²": maximum_mean_discrepancy(X_real[:1000], X_synthetic[:1000]),
        "p (n = 300)": mmd_permutation_test(X_real[rows], X_synthetic[rows], random_state=0)[1],
        "density": density,
        "coverage": coverage,
        "coverage by all": density_coverage(X_real, X_synthetic)[1],
        "memorization ratio": memorization_ratio(X_train, X_synthetic[as_many], X_held_out=X_real),
        "nearest": index.kneighbors(X_synthetic)[0][:, 0].min() / usual,
    }


def draw(split, X, y, added, path):
    rare = split.y_test != "N"
    order = np.random.default_rng(0).permutation(np.flatnonzero(added))
    display = SignalDisplay.from_arrays(
        split.X_test[rare], split.y_test[rare], X[order], y[order], fs=180, start=-0.3
    )
    display.figure_.savefig(path, dpi=100)
    print("picture:", path)


if __name__ == "__main__":
    main()
