"""How far should rare classes be filled up, where they are as rare in use as in training?

Run from the project's root, with ``$SKTSGAN_DATA`` naming the folder that holds ``mitdb/``:

    python examples/benchmarks/shares.py     # an hour

Rare classes are filled up to a share of the most frequent one, by SMOTE and by the default sampler.
Test rows are weighted, so that macro-F1 is that of a test with the classes' shares in training.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import rivals
import torch
from ablation import Reused
from augmentation import TASKS
from augmentation_report import FIGURES, FOUR, as_pairs, mean_of_four
from imblearn.over_sampling import SMOTE
from joblib import Parallel, delayed
from sklearn.metrics import balanced_accuracy_score, f1_score

from sktsgan import StaGANSampler

LEVELS = [0.1, 0.3, 1.0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    tasks = ["few, 20", "few, 200", "scarce", "Kaggle-like"]
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=tasks)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--folder", type=Path, default=Path("docs/benchmark"))
    args = parser.parse_args()
    cells = [(task, seed) for task in args.tasks for seed in args.seeds]
    parts = Parallel(n_jobs=2, verbose=10)(delayed(run)(*cell) for cell in cells)
    table = pd.DataFrame([row for rows in parts for row in rows])
    wide = tabulate(table)[args.tasks]
    args.folder.mkdir(parents=True, exist_ok=True)
    wide.to_csv(args.folder / "shares.csv")
    print(wide.to_string())


def tabulate(table):
    """Give each task a column: the mean of the four classifiers."""
    pairs = as_pairs(mean_of_four(table, ["sampler", "filled up to", "task"]))
    rows = pairs.index.droplevel("task").unique()
    return pairs.unstack().loc[rows]  # sort=False mixes up rows of two levels in pandas 3.0


def run(task, seed):
    """Balance one training set in all ways, and judge all classifiers."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)  # cells run side by side
    split = TASKS[task](seed)
    trained = StaGANSampler(random_state=seed).fit(split.X_train, split.y_train)
    rows = judge_all(split, split.X_train, split.y_train, seed, ("none", "not"))
    for level in LEVELS:
        strategy = fill_up(split.y_train, level)
        smote = SMOTE(sampling_strategy=strategy, random_state=seed)
        stagan = Reused(sampling_strategy=strategy, random_state=seed).take(trained)
        for name, sampler in (("SMOTE", smote), (rivals.STAGAN, stagan)):
            X, y = sampler.fit_resample(split.X_train, split.y_train)
            rows += judge_all(split, X, y, seed, (name, f"{level:.0%}"))
    return [{"task": task} | row for row in rows]


def fill_up(y, level):
    """How many rows each class is to have: this share of the most frequent one's, or its own."""
    classes, counts = np.unique(y, return_counts=True)
    wanted = np.maximum(counts, round(level * counts.max()))
    return dict(zip(classes.tolist(), wanted.tolist(), strict=True))


def judge_all(split, X, y, seed, names):
    models = rivals.classifiers("none", len(y), split, seed)
    keys = ("sampler", "filled up to", "classifier")
    return [
        dict(zip(keys, (*names, classifier), strict=True))
        | judge(models[classifier].fit(X, _places(y)).predict(split.X_test), split)
        for classifier in FOUR
    ]


def judge(predicted, split):
    """Measure predictions, macro-F1 with the shares that classes have in training."""
    expected = _places(split.y_test)
    shares = [np.bincount(_places(y)) / len(y) for y in (split.y_train, split.y_test)]
    weights = (shares[0] / shares[1])[expected]
    macro_f1 = f1_score(expected, predicted, average="macro", sample_weight=weights)
    return dict(zip(FIGURES, (macro_f1, balanced_accuracy_score(expected, predicted)), strict=True))


def _places(y):
    return np.unique(y, return_inverse=True)[1]


if __name__ == "__main__":
    main()
