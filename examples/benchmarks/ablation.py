"""What is each part of the default sampler worth? A task of the benchmark without it.

Run from the project's root, with ``$SKTSGAN_DATA`` naming the folder that holds ``mitdb/``:

    python examples/benchmarks/ablation.py --seeds 0 1             # what follows training
    python examples/benchmarks/ablation.py --seeds 0 1 --training  # parts of training
    python examples/benchmarks/ablation.py --seeds 0 1 2 --tasks inter-patient Kaggle-like

Each part is turned off alone. Mean macro-F1 and balanced accuracy of the classifiers over the seeds
go to a table beside the documentation: by classifier for *scarce*, their mean for other tasks.
Parts that work after training share one training.
"""

import argparse
import warnings
from pathlib import Path

import pandas as pd
import torch
from augmentation import TASKS, judge
from augmentation_report import FIGURES, as_pairs, mean_over
from joblib import Parallel, delayed
from rivals import classifiers

from sktsgan import StaGANSampler

ALONE = "generated rows alone"
AFTER_TRAINING = {
    "default": {},
    "no selection": {"selection": None},
    "unanimous selection": {"selection": "unanimous"},
    "rows not moved in time": {"max_shift": 0},
    "half the variation": {"variation": 2},
    "no variation, jitter instead": {"variation": 0},
    "no fine detail": {"detail_fraction": 0},
    "interpolated rows alone": {"interpolation_fraction": 1},
    "half interpolated": {"interpolation_fraction": 0.5},
    ALONE: {"interpolation_fraction": 0},
    "generated rows alone, nothing else": {
        "interpolation_fraction": 0,
        "variation": 0,
        "detail_fraction": 0,
        "selection": None,
    },
}
PER_CLASS = "one network per class"
# Seen in the generated rows alone, since three quarters of the default's rows are not generated.
IN_TRAINING = {
    "no minibatch discrimination": {"minibatch_features": 0},
    "no augmentation": {"augmentation": 0},
    "no average of weights": {"ema_decay": 0},
    "no gradient penalty": {"gradient_penalty": 0},
    "gradient penalty at every step": {"penalty_interval": 1},
    "last weights": {"validation_fraction": 0},
    PER_CLASS: {"conditioning": "per_class"},
    "linear head": {"head_channels": 0},
}


class Reused(StaGANSampler):
    """Resamples with the networks of another sampler."""

    def take(self, other):
        parameters = self.get_params()
        vars(self).update({k: v for k, v in vars(other).items() if k not in parameters})
        return self

    def _train(self, X, y, rng):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=["scarce"])
    parser.add_argument("--training", action="store_true", help="parts of training (an hour)")
    parser.add_argument("--folder", type=Path, default=Path("docs/benchmark"))
    args = parser.parse_args()
    only_scarce = args.tasks == ["scarce"]
    if args.training:
        base, others, variants = ALONE, IN_TRAINING, {ALONE: AFTER_TRAINING[ALONE]}
    else:
        base, others, variants = "default", {}, AFTER_TRAINING
        if only_scarce:  # a part that is better in the generated rows alone; is it in the default?
            others = {PER_CLASS: IN_TRAINING[PER_CLASS]}
    cells = [(task, seed) for task in args.tasks for seed in args.seeds]
    jobs = [(*cell, {}, variants) for cell in cells]
    jobs += [
        (*cell, options, {name: AFTER_TRAINING[base]})
        for name, options in others.items()
        for cell in cells
    ]
    rows = Parallel(n_jobs=2)(delayed(run)(*job) for job in jobs)
    table = pd.DataFrame([row for part in rows for row in part])
    name = "ablation-training" if args.training else "ablation"
    if only_scarce:
        wide = by_classifier(table)
    else:
        wide, name = by_task(table), f"{name}-tasks"
    args.folder.mkdir(parents=True, exist_ok=True)
    wide.to_csv(args.folder / f"{name}.csv")
    print(wide.to_string())


def by_classifier(table):
    """Give each classifier a column, and the mean of the four that others have too one."""
    each = table.groupby(["part", "classifier"], sort=False)[FIGURES].mean()
    wide = as_pairs(each).unstack(sort=False)
    wide.insert(0, "mean of four", as_pairs(mean_over(table, ["part"])))
    return wide


def by_task(table):
    """Give each task a column: the mean of the four classifiers."""
    return as_pairs(mean_over(table, ["part", "task"])).unstack(sort=False)


def run(task, seed, training, variants):
    warnings.simplefilter("ignore")
    split = TASKS[task](seed)
    training = {"n_channels": split.n_channels} | training
    trained = StaGANSampler(random_state=seed, **training).fit(split.X_train, split.y_train)
    rows = []
    for name, options in variants.items():
        torch.set_num_threads(1)  # jobs run side by side, and MiniRocket changes it
        sampler = Reused(random_state=seed, **(training | options)).take(trained)
        X, y = sampler.fit_resample(split.X_train, split.y_train)
        for classifier, model in classifiers(name, len(y), split, seed).items():
            figures = judge(model, X, y, split)
            rows.append(
                {
                    "task": task,
                    "part": name,
                    "classifier": classifier,
                    **{figure: figures[figure] for figure in FIGURES},
                }
            )
    return rows


if __name__ == "__main__":
    main()
