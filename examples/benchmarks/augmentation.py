"""Which way of balancing helps which classifier? Many ways, tasks and seeds, one table.

Run from the project's root, with ``$SKTSGAN_DATA`` naming the folder that holds ``mitdb/``:

    python examples/benchmarks/augmentation.py            # everything; may be stopped and resumed
    python examples/benchmarks/augmentation.py --quick    # scarce, one seed, six minutes
    python examples/benchmarks/augmentation.py --tasks scarce --seeds 5 6 7 8 9

Cells that the file has are not run again: name another one with ``--results`` to see them run.

Every finished cell (task, seed, sampler) is appended to a CSV file at once, one line for each
classifier, and skipped when the benchmark is run again. ``augmentation_report.py`` turns the file
into the tables and pictures of the documentation.
"""

import argparse
import hashlib
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import rivals
import tasks
import torch
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.metrics import average_precision_score, balanced_accuracy_score, f1_score, recall_score
from sklearn.model_selection import TunedThresholdClassifierCV

RESULTS = Path("docs/benchmark/augmentation.csv")
SEEDS = {"scarce": range(5)}  # elsewhere three
TASKS = {
    "scarce": tasks.scarce,
    **{f"few, {n}": partial(tasks.few, n_rare=n) for n in (20, 50, 100, 200)},
    "inter-patient": tasks.inter_patient,
    "Kaggle-like": tasks.kaggle,
    "two leads": tasks.two_leads,
    "simulated": tasks.simulated,
    "sines": tasks.sines,
    "small, easy, 100 x 40": partial(
        tasks.small, n_rows=100, n_timepoints=40, n_rare=5, noise=0.015
    ),
    "small, hard, 150 x 128": partial(
        tasks.small, n_rows=150, n_timepoints=128, n_rare=10, noise=0.2
    ),
    "small, easy, 200 x 320": partial(
        tasks.small, n_rows=200, n_timepoints=320, n_rare=20, noise=0.015
    ),
    "small, hard, 300 x 640": partial(
        tasks.small, n_rows=300, n_timepoints=640, n_rare=50, noise=0.2
    ),
}
# How much would more real beats bring? The rivals on multiples of the rare beats.
MULTIPLES = {f"scarce x{k}": partial(tasks.scarce, multiple=k) for k in (2, 4, 10)}
ALL_TASKS = {**TASKS, **MULTIPLES}
WITH_MULTIPLES = (
    "none",
    rivals.MOVED,
    "RandomOverSampler",
    "RandomOverSampler, shrinkage 0.3",
    "SMOTE",
    "ESMOTE",
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="scarce, seed 0, few samplers")
    parser.add_argument("--tasks", nargs="+", choices=ALL_TASKS, help="default: all")
    parser.add_argument("--seeds", type=int, nargs="+", help="default: 0 to 4 or 0 to 2")
    parser.add_argument("--samplers", nargs="+", choices=rivals.ALL, help="default: all")
    parser.add_argument("--results", type=Path, default=RESULTS, help="CSV file to append to")
    parser.add_argument("--n-jobs", type=int, default=2)
    args = parser.parse_args()
    if args.quick:
        args.tasks, args.seeds = args.tasks or ["scarce"], args.seeds or [0]
        args.samplers = args.samplers or ["none", "SMOTE", rivals.STAGAN]
    cells = list_cells(args)
    print(f"{len(cells)} cells to run that {args.results} does not have")
    # the original recipe is given the time that the default sampler took, so it comes last
    for last in (False, True):
        chosen = [cell for cell in cells if (cell[2] == rivals.ORIGINAL_RECIPE) == last]
        run_cells(chosen, args.results, args.n_jobs)


def list_cells(args):
    """Task, seed and sampler of all cells that were asked for and are not done."""
    stored = read_results(args.results)
    done = set(stored[["task", "seed", "sampler"]].itertuples(index=False, name=None))
    cells = []
    for task in args.tasks or ALL_TASKS:
        for seed in args.seeds or SEEDS.get(task.split(" x")[0], range(3)):
            split = ALL_TASKS[task](seed)
            own = stored.query("task == @task and seed == @seed").dropna(subset="data")
            others = own[own["data"] != digest(split)]
            if len(others):
                print(
                    f"{task}, seed {seed}: {', '.join(others['sampler'].unique())} had other "
                    "rows, by another machine or code; remove their lines to run them again"
                )
            names = WITH_MULTIPLES
            if task in TASKS:
                names = [*rivals.names_of_samplers(split), rivals.ORIGINAL_RECIPE]
            elif task != "scarce x2":  # hours of elastic distances
                names = [name for name in names if name != "ESMOTE"]
            cells += [(task, seed, name) for name in names if name in (args.samplers or names)]
    return [cell for cell in cells if cell not in done]


def read_results(path):
    """Read what is done, or say why no more can be written there."""
    stored = pd.DataFrame(columns=COLUMNS)
    if path.exists():
        if not path.read_bytes().endswith(b"\n"):  # a disk was full, or the power went
            raise SystemExit(f"{path} ends within a line; remove its last cell's lines.")
        stored = pd.read_csv(path, dtype={"data": str})
        if list(stored) != list(COLUMNS):
            raise SystemExit(f"{path} has other columns than {', '.join(COLUMNS)}.")
    judged = stored.query("failed.isna() and sampler != @rivals.MOVED")["classifier"]
    had_aeon = "MiniRocket" in set(judged)
    if len(judged) and had_aeon != rivals.has_aeon():
        with_or_not, is_or_not = ("with", "is not") if had_aeon else ("without", "is")
        raise SystemExit(
            f"{path} was run {with_or_not} aeon (extra 'benchmark'), which {is_or_not} installed "
            "now; name another file by --results."
        )
    if not rivals.has_aeon():
        left_out = ", ".join([*rivals.AEON, "MiniRocket"])
        print(f"aeon (extra 'benchmark') is not installed: left out are {left_out}")
    return stored


def run_cells(cells, results, n_jobs):
    """Run cells side by side, and write each down when it is done."""
    seconds = {}
    if results.exists():
        table = pd.read_csv(results).query("sampler == @rivals.STAGAN")
        seconds = table.groupby(["task", "seed"])["seconds"].first().to_dict()
    for task, seed, name in cells:
        if name == rivals.ORIGINAL_RECIPE and (task, seed) not in seconds:
            raise SystemExit(
                f"{name} is given the seconds of {rivals.STAGAN}, which {results} must have for "
                f"{task}, seed {seed}; run that first."
            )
    # the longest first, so that all jobs end together
    cells = sorted(cells, key=lambda cell: (cell[2] != rivals.STAGAN, -seconds.get(cell[:2], 0)))
    parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    start = time.perf_counter()
    for i, rows in enumerate(
        parallel(
            delayed(run_cell)(task, seed, name, seconds.get((task, seed)))
            for task, seed, name in cells
        )
    ):
        results.parent.mkdir(parents=True, exist_ok=True)
        rows.to_csv(results, mode="a", header=not results.exists(), index=False)
        task, seed, name = rows.iloc[0][["task", "seed", "sampler"]]
        print(
            f"{i + 1}/{len(cells)} after {time.perf_counter() - start:.0f} s: {task}, seed {seed}, "
            f"{name}: macro-F1 {rows['macro F1'].mean():.3f}, "
            f"balanced accuracy {rows['balanced accuracy'].mean():.3f}",
            flush=True,
        )


def digest(split):
    """Name the rows of a split: they may differ in their last digits from machine to machine."""
    parts = [split.X_train, split.y_train, split.X_test, split.y_test]
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:8]


def run_cell(task, seed, name, seconds):
    """Balance one training set and train all classifiers on it."""
    torch.set_num_threads(1)  # cells run side by side
    split = ALL_TASKS[task](seed)
    cost = {"seconds": np.nan, "peak MB": np.nan}
    try:
        with Cost(cost):
            X, y = rivals.resample(name, split, seed, seconds)
    except (ValueError, RuntimeError) as error:  # what a rival cannot do is a result too
        row = {"task": task, "seed": seed, "sampler": name, "failed": str(error).splitlines()[0]}
        return pd.DataFrame([{column: row.get(column) for column in COLUMNS}])
    rows, common = [], {"rows": len(y), "data": digest(split)} | cost
    models = rivals.classifiers(name, len(y), split, seed)
    if name == rivals.MOVED:
        models.pop("MiniRocket", None)  # its ridge classifier has no probabilities
    for classifier, model in models.items():
        figures = judge(model, X, y, split, moved=name == rivals.MOVED, tuned=name == rivals.TUNED)
        rows.append(
            {"task": task, "seed": seed, "sampler": name, "classifier": classifier}
            | figures
            | common
        )
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


COLUMNS = (
    "task",
    "seed",
    "sampler",
    "classifier",
    "macro F1",
    "balanced accuracy",
    "macro AUPRC",
    "recall",
    "F1",
    "by record",
    "rows",
    "seconds",
    "peak MB",
    "failed",
    "data",
)


def judge(model, X, y, split, moved=False, tuned=False):
    """Train a classifier and measure it on the test rows.

    Scores that are `moved` are divided by the root of the classes' shares in training.
    """
    classes, labels = np.unique(y, return_inverse=True)
    expected = np.searchsorted(classes, split.y_test)
    if tuned:
        model = TunedThresholdClassifierCV(model, scoring="f1_macro", cv=3)
    model = clone(model).fit(X, labels)
    scores = _scores(model, split.X_test, len(classes))
    if moved:
        scores = scores / np.sqrt(np.bincount(labels) / len(labels))
    # what they predict without a threshold of their own, for the half of the time
    predicted = model.predict(split.X_test) if tuned else scores.argmax(axis=1)
    every = range(len(classes))
    recall = recall_score(expected, predicted, labels=every, average=None, zero_division=0)
    f1 = f1_score(expected, predicted, labels=every, average=None, zero_division=0)
    relevance = [average_precision_score(expected == i, scores[:, i]) for i in np.unique(expected)]
    figures = {
        "macro F1": f1[np.unique(expected)].mean(),
        "balanced accuracy": balanced_accuracy_score(expected, predicted),
        "macro AUPRC": np.mean(relevance),
    }
    figures = {key: round(value, 5) for key, value in figures.items()}
    figures |= {"recall": _by_name(classes, recall), "F1": _by_name(classes, f1)}
    if split.record is not None:
        names = np.unique(split.record)
        own = [
            recall_score(
                expected[rows],
                predicted[rows],
                labels=np.unique(expected[rows]),
                average="macro",
                zero_division=0,
            )
            for rows in (split.record == name for name in names)
        ]
        figures["by record"] = _by_name(names, own)
    return figures


def _scores(model, X, n_classes):
    """Score every class: probabilities where a classifier has them."""
    if hasattr(model, "predict_proba"):
        return model.predict_proba(X)
    scores = model.decision_function(X)
    return np.column_stack([-scores, scores]) if n_classes == 2 else scores


def _by_name(names, values):
    return " ".join(f"{name}={value:.6f}" for name, value in zip(names, values, strict=True))


class Cost:
    """Seconds and the peak of memory above where it started, while inside (Linux)."""

    def __init__(self, cost):
        self.cost = cost

    def __enter__(self):
        self.before = self.peak = self._megabytes()
        self.over = threading.Event()
        self.watch = threading.Thread(target=self._follow)
        self.watch.start()
        self.start = time.perf_counter()

    def __exit__(self, *error):
        self.cost["seconds"] = round(time.perf_counter() - self.start, 2)
        self.over.set()
        self.watch.join()
        self.cost["peak MB"] = round(self.peak - self.before)

    def _follow(self):
        while not self.over.wait(0.02):
            self.peak = max(self.peak, self._megabytes())

    @staticmethod
    def _megabytes():
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * 4096 / 2**20


if __name__ == "__main__":
    main()
