"""Time and memory of training and sampling, against the first StaGAN scripts in plain torch.

Run from the project's root; what is compared is timed in one run, in turn, on all cores there are:

    python examples/benchmarks/training.py step      # a step, and beats/s while sampling
    python examples/benchmarks/training.py quality   # seconds to a quality; takes 12 minutes
    python examples/benchmarks/training.py growth    # with rows, points, classes and channels
    python examples/benchmarks/training.py memory    # 1e6 memory-mapped rows, read and written
    python examples/benchmarks/training.py jobs      # cross-validation in two processes
    python examples/benchmarks/training.py table     # all beats of the well-known table; 15 minutes
    python examples/benchmarks/training.py imports   # start-up
    python examples/benchmarks/training.py card      # on a CUDA card, against the CPU

``quality`` and ``card`` take real beats where ``$SKTSGAN_DATA`` names them, ``table`` needs them.
``growth`` writes a table and a picture beside the documentation. Times are those of this machine;
the ratios are what counts.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from mmd import in_turn
from rivals import resample
from seed import BATCH_SIZE, Seed
from skorch.callbacks import Callback
from tasks import kaggle, scarce

from sktsgan import StaGANSampler
from sktsgan.datasets import fetch_mitbih, make_heartbeats
from sktsgan.metrics import maximum_mean_discrepancy

FOLDER = Path("docs/benchmark")
N_TIMEPOINTS = 128


class Clock(Callback):
    """Seconds of each step, without the first ones, and without what is measured between epochs."""

    def on_train_begin(self, net, **kwargs):
        self.seconds, self.round = [], net.penalty_interval

    def on_batch_begin(self, net, **kwargs):
        self.start = time.perf_counter()

    def on_batch_end(self, net, **kwargs):
        self.seconds.append(time.perf_counter() - self.start)

    @property
    def median(self):
        """Of the means of a few steps, one of which is penalised and takes longer."""
        seconds = self.seconds[12:]
        n_rounds = len(seconds) // self.round
        rounds = np.reshape(seconds[: n_rounds * self.round], (n_rounds, self.round))
        return float(np.median(rounds.mean(axis=1)))


def noise(n_rows, n_timepoints, n_channels=1, n_classes=1):
    """Rows to be timed on, of which the values do not matter."""
    X = np.random.default_rng(0).normal(size=(n_rows, n_channels, n_timepoints))
    return X.astype(np.float32), np.arange(n_rows) % n_classes


def write_rows(path, n_rows, seed=0, scale=1.0):
    """Write such rows of one channel to a file, a part at a time."""
    rng = np.random.default_rng(seed)
    shape = (n_rows, N_TIMEPOINTS)
    X = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    for start in range(0, n_rows, 10_000):
        part = rng.standard_normal((min(10_000, n_rows - start), N_TIMEPOINTS), dtype=np.float32)
        X[start : start + len(part)] = scale * part
    X.flush()


def train(X, y, n_steps, **params):
    clock = Clock()
    params = {"max_epochs": 1, "steps_per_epoch": n_steps, "validation_fraction": 0} | params
    sampler = StaGANSampler(callbacks=[clock], random_state=0, **params).fit(X, y)
    return sampler, clock.median


def compare_steps():
    X, y = noise(2000, 187, n_classes=4)
    seed = Seed(X[:, 0])
    ours, penalised, theirs = [], [], []
    for _ in range(5):
        sampler, seconds = train(X, y, 60, batch_size=BATCH_SIZE)
        ours.append(seconds)
        penalised.append(train(X, y, 60, batch_size=BATCH_SIZE, penalty_interval=1)[1])
        theirs.append(in_turn(seed.step, repeats=12)[0])
    ours, penalised, theirs = (np.median(seconds) for seconds in (ours, penalised, theirs))
    draw_ours = partial(sampler.sample, 20_000, random_state=0)
    seconds, their_seconds = in_turn(draw_ours, partial(seed.sample, 4_000))
    rate, their_rate = 20_000 / seconds, 4_000 / their_seconds
    print(
        f"step at 187 points, batches of {BATCH_SIZE}: ours {1000 * ours:.0f} ms "
        f"({1000 * penalised:.0f} ms with a penalty at every step), the first scripts' "
        f"{1000 * theirs:.0f} ms (3 + 1 steps), {theirs / ours:.1f} times"
    )
    print(f"sampling: {rate:.0f} and {their_rate:.0f} beats/s, {rate / their_rate:.1f} times")


class Follow(Clock):
    """Held-out MMD^2 every few steps, until it is below a goal; the clock stands meanwhile."""

    def __init__(self, X_held_out, every, goal):
        self.X_held_out, self.every, self.goal = X_held_out, every, goal

    def on_batch_end(self, net, **kwargs):
        super().on_batch_end(net)
        if net.n_iter_ % self.every == 0:
            rows = net.sample(torch.zeros(500, dtype=torch.long), torch.Generator().manual_seed(0))
            self.mmd = maximum_mean_discrepancy(self.X_held_out, rows[:, 0])
            if self.mmd < self.goal:
                net.stop("goal")


def compare_quality(minutes=10.0, goal=0.02):
    """Both on 2,000 normal beats of 128 points, of unit scale; clocks stand while MMD is taken."""
    if "SKTSGAN_DATA" in os.environ:
        X, y = fetch_mitbih(subset="DS1", return_X_y=True)
    else:
        X, y = make_heartbeats(3000, classes="NV", weights=[0.95, 0.05], random_state=0)
    X = np.random.default_rng(0).permutation(X[y == "N"])[:2500]
    X = X - X.mean(axis=1, keepdims=True)
    X = (X / X.std()).astype(np.float32)  # the scale inside of the sampler
    X_train, X_held_out = X[:2000], X[2000:]
    torch.manual_seed(0)
    seed, seconds, curve = Seed(X_train), 0.0, []
    while seconds < 60 * minutes:
        seconds += 10 * in_turn(seed.step, repeats=10)[0]
        curve.append((seconds, maximum_mean_discrepancy(X_held_out, seed.sample(500))))
    their_seconds, best = min(curve, key=lambda point: point[1])
    print(
        f"the first scripts in {minutes:.0f} minutes: MMD^2 {best:.3f}, after {their_seconds:.0f} s"
    )
    # a sampler needs two classes; one of five rows is not learned
    X_two = np.concatenate([X_train, X_held_out[:5]])
    y_two = np.repeat([0, 1], [2000, 5])
    for target in (best, goal):
        reached = []
        for random_state in range(5):
            follow = Follow(X_held_out, 5, target)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                StaGANSampler(
                    callbacks=[follow], validation_fraction=0, random_state=random_state
                ).fit(X_two, y_two)
            reached.append(sum(follow.seconds) if follow.mmd < target else np.nan)
        ours = float(np.median(reached))
        print(
            f"MMD^2 under {target:.3f}: ours after {ours:.1f} s (median of 5); "
            f"{60 * minutes / ours:.0f} times shorter than {minutes:.0f} minutes, "
            f"{their_seconds / ours:.0f} times than {their_seconds:.0f} s"
        )


def measure_growth():
    """Milliseconds a step as one number grows; the others are 128 points, 4 classes, 1 channel."""
    sizes = {
        "n_timepoints": [64, 128, 256, 512, 1024, 2048, 4096],
        "n_classes": [2, 5, 10, 20],
        "n_channels": [1, 2, 4, 8, 12],
    }
    rows = []
    for name, values in sizes.items():
        for value in values:
            options = {"n_timepoints": 128, "n_classes": 4} | {name: value}
            X, y = noise(2000, **options)
            n_steps = 60 if value < 1000 else 25
            rows.append((name, value, 1000 * train(X, y, n_steps)[1]))
            print(*rows[-1], flush=True)
    for n_rows in (1_000, 10_000, 100_000, 1_000_000):
        rows.append(("n_samples", n_rows, in_a_process("fit", n_rows)["ms"]))
        print(*rows[-1], flush=True)
    table = pd.DataFrame(rows, columns=["what grows", "to", "ms a step"])
    table.round(1).to_csv(FOLDER / "training-growth.csv", index=False)
    draw(table)


NAMES = {
    "n_timepoints": "time points",
    "n_classes": "classes",
    "n_channels": "channels",
    "n_samples": "rows",
}


def draw(table):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 4, figsize=(11, 3.2), sharey=True, layout="constrained")
    for ax, (name, part) in zip(axes, table.groupby("what grows", sort=False), strict=True):
        ax.loglog(part["to"], part["ms a step"], "o-", color="#0072B2")
        ax.set_xlabel(NAMES[name])
        ax.set_xticks(part["to"], [f"{value:,}" for value in part["to"]], rotation=45)
        ax.set_yticks([20, 50, 100, 200, 500], ["20", "50", "100", "200", "500"])
        ax.minorticks_off()
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("time of a step (ms)")
    figure.savefig(FOLDER / "training-growth.png", dpi=100)


def in_a_process(what, n_rows):
    """Measure memory in a process of its own, which has no other peak behind it."""
    command = [sys.executable, __file__, what, "--rows", str(n_rows)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {key: float(value) for key, value in (pair.split("=") for pair in done.stdout.split())}


def print_cost(**figures):
    """Print with them the peak of memory, and what of it is no page of a file (Linux), in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    status = Path("/proc/self/status").read_text()
    own = int(status.split("RssAnon:")[1].split()[0]) / 1024
    print(*(f"{name}={value}" for name, value in (figures | {"peak": peak, "own": own}).items()))


def fit_mapped(n_rows):
    """Train on memory-mapped rows of 128 points in float32."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "X.npy"
        write_rows(path, n_rows)
        _, seconds = train(np.load(path, mmap_mode="r"), np.arange(n_rows) % 4, 100)
    print_cost(ms=1000 * seconds)


def sample_mapped(n_rows):
    """Draw rows of 128 points into a memory-mapped array, 10,000 at a time."""
    sampler, _ = train(*noise(2000, 128, n_classes=4), 20)
    rng = np.random.RandomState(0)
    with tempfile.TemporaryDirectory() as folder:
        out = np.lib.format.open_memmap(Path(folder) / "X.npy", "w+", np.float32, (n_rows, 1, 128))
        start = time.perf_counter()
        for i in range(0, n_rows, 10_000):
            out[i : i + 10_000], _ = sampler.sample(min(10_000, n_rows - i), random_state=rng)
        seconds = time.perf_counter() - start
    print_cost(rate=n_rows / seconds)


def compare_memory():
    for what, figure in (("fit", "ms"), ("sample", "rate")):
        few, many = in_a_process(what, 10_000), in_a_process(what, 1_000_000)
        print(
            f"{what}, 1e6 against 1e4 memory-mapped rows: {many['peak'] - few['peak']:.0f} MB more "
            f"with the pages of a file of 512 MB, {many['own'] - few['own']:.0f} MB without; "
            f"{figure} {many[figure]:.0f} against {few[figure]:.0f} "
            f"({many[figure] / few[figure]:.2f} times)"
        )


def compare_jobs():
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    from sktsgan import MMDScorer

    X, y = make_heartbeats(1000, weights=[0.7, 0.1, 0.1, 0.1], random_state=0)
    sampler = StaGANSampler(max_epochs=2, random_state=0)
    run = partial(cross_val_score, sampler, X, y, cv=StratifiedKFold(4), scoring=MMDScorer())
    run(n_jobs=2)  # workers start

    def run_on(n_threads):
        torch.set_num_threads(n_threads)
        run(n_jobs=1)

    two, one, alone = in_turn(
        partial(run, n_jobs=2), lambda: run_on(2), lambda: run_on(1), repeats=3
    )
    print(
        f"cross_val_score, 4 folds: n_jobs=2 {two:.1f} s, n_jobs=1 {one:.1f} s, {two / one:.2f}; "
        f"with one thread {alone:.1f} s, {two / alone:.2f}"
    )


class Training(Callback):
    """Seconds of a whole training."""

    def on_train_begin(self, net, **kwargs):
        self.start = time.perf_counter()

    def on_train_end(self, net, **kwargs):
        self.seconds = time.perf_counter() - self.start


def balance(split, n_threads, **params):
    """Balance training rows: seconds of training, seconds of making rows, and how many."""
    torch.set_num_threads(n_threads)
    training = Training()
    sampler = StaGANSampler(callbacks=[training], random_state=0, **params)
    start = time.perf_counter()
    X, _ = sampler.fit_resample(split.X_train, split.y_train)
    seconds = time.perf_counter() - start - training.seconds
    return training.seconds, seconds, len(X) - len(split.X_train)


def compare_table():
    """Default `fit_resample` on all beats; and new rows of a quarter with one thread and two."""
    split = kaggle(0, share=1.0)
    training, seconds, n_new = balance(split, n_threads=2)
    smote = in_turn(partial(resample, "SMOTE", split, 0), repeats=3)[0]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{len(split.X_train)} beats: training {training:.0f} s, {n_new} new rows {seconds:.0f} s, "
        f"{peak:.0f} MB at most; SMOTE {smote:.1f} s",
        flush=True,
    )
    part = kaggle(0, share=0.25)
    two, one = ([balance(part, n, max_epochs=1)[1] for _ in range(3)] for n in (2, 1))
    two, one = float(np.median(two)), float(np.median(one))
    print(
        f"new rows of a quarter: {two:.1f} s with two threads, {one:.1f} s with one, "
        f"{one / two:.2f} times"
    )


def compare_imports():
    def start(names):
        subprocess.run([sys.executable, "-c", f"import {names}"], check=True)

    start("sktsgan")  # its files are read once before
    ours, theirs = in_turn(
        lambda: start("sktsgan"), lambda: start("torch, skorch, imblearn.over_sampling")
    )
    print(
        f"import sktsgan {ours:.2f} s, torch, skorch and imblearn {theirs:.2f} s, "
        f"{ours / theirs:.2f}"
    )


def step_on(X, y, n_steps, **params):
    """Seconds of a step, from two trainings without a callback, which a card could not record."""

    def fit(n):
        start = time.perf_counter()
        options = {"max_epochs": 1, "steps_per_epoch": n, "validation_fraction": 0}
        StaGANSampler(random_state=0, **options, **params).fit(X, y)
        return time.perf_counter() - start

    fit(20)
    return (fit(20 + n_steps) - fit(20)) / n_steps


def compare_card(device="cuda"):
    """A step, sampling, and the default training, on both; the card's step as it would be plain.

    Steps are of as many rows on both; the default training has larger batches on a card.
    """
    X, y = noise(2000, 187, n_classes=4)
    plain = step_on(X, y, 100, device=device, callbacks=[Callback()], batch_size=64)
    print(f"step on {device}, not recorded: {1e3 * plain:.1f} ms")
    if "SKTSGAN_DATA" in os.environ:
        split = scarce(0)
        beats = split.X_train, split.y_train
    else:
        beats = make_heartbeats(4500, weights=[0.93, 0.03, 0.03, 0.01], random_state=0)
    figures = {f"step of {n} rows, ms": [] for n in (64, 256)} | {"fit, s": []}
    figures |= {f"sampling of {n} points, us a beat": [] for n in (128, 187)}
    for where in (device, "cpu"):
        n_steps, n_rows = (50, 20_000) if where == "cpu" else (1000, 1_000_000)
        for n_timepoints in (128, 187):
            X, y = noise(2000, n_timepoints, n_classes=4)
            sampler = StaGANSampler(max_epochs=1, steps_per_epoch=1, device=where).fit(X, y)
            seconds = in_turn(partial(sampler.sample, n_rows, random_state=0), repeats=3)[0]
            name = f"sampling of {n_timepoints} points, us a beat"
            figures[name].append(1e6 * seconds / n_rows)
        for batch_size in (64, 256):
            step = step_on(X, y, n_steps, device=where, batch_size=batch_size)
            figures[f"step of {batch_size} rows, ms"].append(1e3 * step)
        start = time.perf_counter()
        StaGANSampler(device=where, random_state=0).fit(*beats)
        figures["fit, s"].append(time.perf_counter() - start)
    for name, (on_card, on_cpu) in figures.items():
        print(f"{name}: cpu {on_cpu:.3g}, {device} {on_card:.3g}, {on_cpu / on_card:.1f} times")


WHAT = {
    "step": compare_steps,
    "quality": compare_quality,
    "growth": measure_growth,
    "memory": compare_memory,
    "jobs": compare_jobs,
    "table": compare_table,
    "imports": compare_imports,
    "card": compare_card,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=[*WHAT, "fit", "sample"])
    parser.add_argument("--rows", type=int, default=1_000_000, help="for fit and sample")
    args = parser.parse_args()
    if args.what == "fit":
        fit_mapped(args.rows)
    elif args.what == "sample":
        sample_mapped(args.rows)
    else:
        WHAT[args.what]()


if __name__ == "__main__":
    main()
