"""What do new rows bring beside scores that are moved, and what helps where rare beats stay rare?

Run from the project's root, with ``$SKTSGAN_DATA`` naming the folder that holds ``mitdb/``:

    python examples/benchmarks/shares.py     # half an hour
    python examples/benchmarks/shares.py --seeds 3 4 5 --results docs/benchmark/shares-confirmed.csv
    python examples/benchmarks/shares.py --seeds 3 4 5 --results docs/benchmark/shares-at-test.csv \
        --at test --tasks scarce "two leads" "few, 20" "few, 200"
    python examples/benchmarks/shares.py --seeds 0 1 2 3 4 --results elsewhere.csv \
        --at test --tasks scarce "scarce x2" "scarce x4"

Rare classes are filled up to a tenth of the most frequent one; or all of it, and the scores of a
classifier are multiplied by the classes' shares in training, to a power; or not at all, and the
scores are multiplied by a negative one. Test rows are weighted, so that macro-F1 is that of a test
with the shares of training; ``--at test`` leaves it at the test's own. Multiples of *scarce* are
tasks without resampling.
"""

import argparse
import warnings
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import rivals
import torch
from ablation import AFTER_TRAINING, ALONE, Reused
from augmentation import ALL_TASKS, TASKS
from augmentation_report import FIGURES, FOUR, as_pairs, mean_over
from joblib import Parallel, delayed
from sklearn.metrics import balanced_accuracy_score, f1_score

from sktsgan import StaGANSampler

RIVALS = ("SMOTE", "RandomOverSampler, shrinkage 0.3")
# 1 would be right for classifiers whose scores are probabilities.
POWERS = (0, 0.25, 0.5)
WITHOUT_RESAMPLING = (0, -0.25, -0.5, -0.75)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    tasks = ["few, 20", "few, 200", "scarce", "Kaggle-like", "inter-patient"]
    parser.add_argument("--tasks", nargs="+", choices=ALL_TASKS, default=tasks)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--at", choices=["training", "test"], default="training")
    parser.add_argument("--results", type=Path, default=Path("docs/benchmark/shares.csv"))
    args = parser.parse_args()
    cells = [(task, seed, args.at) for task in args.tasks for seed in args.seeds]
    parts = Parallel(n_jobs=2, verbose=10)(delayed(run)(*cell) for cell in cells)
    table = pd.DataFrame([row for rows in parts for row in rows])
    wide = tabulate(table)[args.tasks]
    args.results.parent.mkdir(parents=True, exist_ok=True)
    wide.to_csv(args.results)
    print(wide.to_string())
    draw(wide, args.results.with_suffix(".png"), f"macro-F1 at the shares of {args.at}")


def tabulate(table):
    """Give each task a column: the mean of the four classifiers."""
    pairs = as_pairs(mean_over(table, ["sampler", "filled up to", "power", "task"]))
    rows = pairs.index.droplevel("task").unique()
    return pairs.unstack().loc[rows]  # sort=False mixes up rows of several levels in pandas 3.0


def draw(wide, path, title):
    """Draw the table: a line through the powers of one way, from 0, which is filled."""
    rows = -(-(wide.shape[1] + 1) // 3)  # the last panel is the legend's
    figure, axes = plt.subplots(rows, 3, figsize=(9, 2.8 * rows), layout="constrained")
    colors = {name: f"C{i}" for i, name in enumerate(wide.index.unique("sampler"))}
    for ax, task in zip(axes.flat, wide, strict=False):
        pairs = wide[task].str.split(" / ", expand=True).astype(float)
        for (name, level), points in pairs.groupby(level=[0, 1], sort=False):
            marker = "s" if level == "10%" else "o"
            style = {"color": colors[name], "marker": marker}
            macro_f1, balanced = points[0], points[1]
            ax.plot(balanced, macro_f1, **style, mfc="white")
            label = None if level == "10%" else name
            ax.plot(balanced.iloc[0], macro_f1.iloc[0], **style, label=label)
        ax.set_title(task, fontsize="medium")
        ax.grid(alpha=0.3)
    for ax in axes.flat[wide.shape[1] :]:
        ax.axis("off")
    named = axes.flat[0].get_legend_handles_labels()
    axes.flat[-1].legend(*named, loc="center", fontsize="small")
    figure.supxlabel("balanced accuracy", fontsize="medium")
    figure.supylabel(title, fontsize="medium")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def run(task, seed, at):
    """Balance one training set in all ways, and judge all classifiers."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)  # cells run side by side
    split = ALL_TASKS[task](seed)
    in_use = _shares(split.y_train if at == "training" else split.y_test)
    judged = partial(judge_all, split, seed, in_use)
    rows = judged(split.X_train, split.y_train, ("none", "not"), WITHOUT_RESAMPLING)
    if task in TASKS:
        rows += balance_and_judge(split, seed, judged)
    return [{"task": task} | row for row in rows]


def balance_and_judge(split, seed, judged):
    leads = {"n_channels": split.n_channels}
    trained = StaGANSampler(random_state=seed, **leads).fit(split.X_train, split.y_train)
    rows = []
    for level, powers in ((0.1, POWERS[:1]), (1.0, POWERS)):
        params = {"sampling_strategy": fill_up(split.y_train, level), "random_state": seed}
        samplers = {name: rivals.IMBALANCED_LEARN[name][0](**params) for name in RIVALS}
        for name, part in ((rivals.STAGAN, "default"), (ALONE, ALONE)):
            reused = Reused(**params, **leads, **AFTER_TRAINING[part])
            samplers[name] = reused.take(trained)
        for name, sampler in samplers.items():
            X, y = sampler.fit_resample(split.X_train, split.y_train)
            rows += judged(X, y, (name, f"{level:.0%}"), powers)
    return rows


def fill_up(y, level):
    """How many rows each class is to have: this share of the most frequent one's, or its own."""
    classes, counts = np.unique(y, return_counts=True)
    wanted = np.maximum(counts, round(level * counts.max()))
    return dict(zip(classes.tolist(), wanted.tolist(), strict=True))


def judge_all(split, seed, in_use, X, y, names, powers):
    models = rivals.classifiers("none", len(y), split, seed)
    labels, shares = _places(y), _shares(split.y_train)
    keys = ("sampler", "filled up to", "classifier", "power")
    rows = []
    for classifier in FOUR:
        scores = models[classifier].fit(X, labels).predict_proba(split.X_test)
        for power in powers:
            predicted = (scores * shares**power).argmax(axis=1)
            row = dict(zip(keys, (*names, classifier, power), strict=True))
            rows.append(row | judge(predicted, split, in_use))
    return rows


def judge(predicted, split, in_use):
    """Measure predictions, macro-F1 with the shares that classes have in use."""
    expected = _places(split.y_test)
    weights = (in_use / _shares(split.y_test))[expected]
    macro_f1 = f1_score(expected, predicted, average="macro", sample_weight=weights)
    return dict(zip(FIGURES, (macro_f1, balanced_accuracy_score(expected, predicted)), strict=True))


def _shares(y):
    return np.bincount(_places(y)) / len(y)


def _places(y):
    return np.unique(y, return_inverse=True)[1]


if __name__ == "__main__":
    main()
