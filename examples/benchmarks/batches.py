"""What do larger batches bring? Task *scarce*, or another one, with each size of a batch.

Run from the project's root, with ``$SKTSGAN_DATA`` naming the folder that holds ``mitdb/``:

    python examples/benchmarks/batches.py --seeds 0 1 2       # an hour on two cores
    python examples/benchmarks/batches.py --tasks "few, 20"

Steps and learning rate are the same. Printed are seconds of a core that training took, the MMD^2 of
the beats that the generator draws to those of the test, by class, and mean macro-F1 and balanced
accuracy of four classifiers with the default's new rows and with generated ones alone.
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
import torch
from ablation import AFTER_TRAINING, ALONE, Reused
from augmentation import TASKS, judge
from augmentation_report import FIGURES
from joblib import Parallel, delayed
from rivals import classifiers

from sktsgan import StaGANSampler
from sktsgan.metrics import maximum_mean_discrepancy


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=["scarce"])
    parser.add_argument("--rows", type=int, nargs="+", default=[64, 256], help="of a batch")
    args = parser.parse_args()
    jobs = [(task, seed, n) for task in args.tasks for seed in args.seeds for n in args.rows]
    table = pd.DataFrame(Parallel(n_jobs=2)(delayed(run)(*job) for job in jobs))
    means = table.drop(columns="seed").groupby(["task", "rows of a batch"], sort=False).mean()
    print(means.T.to_string(float_format="{:.4f}".format))


def run(task, seed, batch_size):
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)  # jobs run side by side
    split = TASKS[task](seed)
    params = {"n_channels": split.n_channels, "batch_size": batch_size, "random_state": seed}
    start = time.process_time()
    trained = StaGANSampler(**params).fit(split.X_train, split.y_train)
    row = {"task": task, "seed": seed, "rows of a batch": batch_size}
    row["seconds"] = time.process_time() - start
    for label in trained.classes_:
        X_real = split.X_test[split.y_test == label]
        drawn, _ = trained.sample(y=[label] * len(X_real), random_state=1)
        row[f"MMD² of {label}"] = maximum_mean_discrepancy(X_real, drawn)
    for part in ("default", ALONE):
        torch.set_num_threads(1)  # MiniRocket changes it
        sampler = Reused(**params, **AFTER_TRAINING[part]).take(trained)
        X, y = sampler.fit_resample(split.X_train, split.y_train)
        models = classifiers(part, len(y), split, seed)
        models.pop("MiniRocket", None)  # means are those of the others everywhere
        figures = [judge(model, X, y, split) for model in models.values()]
        for name in FIGURES:
            row[f"{part}: {name}"] = np.mean([own[name] for own in figures])
    return row


if __name__ == "__main__":
    main()
