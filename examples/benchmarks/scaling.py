"""Several processes and rows beyond memory: what they cost, and what a cluster would take.

Run from the project's root, on a machine with nothing else to do:

    python examples/benchmarks/scaling.py train      # 1e4 to 1e7 beats, on 1 and 2 processes
    python examples/benchmarks/scaling.py quality    # scarce, on 1 and 2 processes
    python examples/benchmarks/scaling.py generate   # 1e7 beats to Zarr, by 2 workers
    python examples/benchmarks/scaling.py compare    # MMD of 1e6 with 1e6 rows
    python examples/benchmarks/scaling.py model      # a model of the cost, from what was measured

All but ``compare`` write their figures beside the documentation; ``model`` reads those of
``train`` and ``generate``. ``quality`` needs the real records, ``$SKTSGAN_DATA``. Big files are
written to the folder for temporary files: 6 GB at most.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from scipy.optimize import nnls
from torch import distributed
from training import N_TIMEPOINTS, Clock, write_rows

from sktsgan import StaGANSampler
from sktsgan.metrics import maximum_mean_discrepancy

FOLDER = Path("docs/benchmark")
N_STEPS = 200
SIZES = [10_000, 100_000, 1_000_000, 10_000_000]
# Bytes that are averaged over processes in a step: both networks' gradients, as float32.
MESSAGES = [2**k for k in range(10, 27, 2)]


class StartClock(Clock):
    """Seconds until training begins, too."""

    def __init__(self):
        self.created = time.perf_counter()

    def on_train_begin(self, net, **kwargs):
        super().on_train_begin(net, **kwargs)
        self.before = time.perf_counter() - self.created


def launch(n_processes, *args):
    """Run this script's worker on some processes of one core each; return what the first says."""
    command = [sys.executable]
    if n_processes > 1:
        command += ["-m", "torch.distributed.run", f"--nproc-per-node={n_processes}"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [*command, __file__, *map(str, args)], env=environment, stdout=subprocess.PIPE, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def measure_training():
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for n_rows in SIZES:
            path = Path(folder) / "X.npy"
            write_rows(path, n_rows)
            for n_processes in (1, 2):
                figures = [launch(n_processes, "worker-train", path) for _ in range(3)]
                row = pd.DataFrame(figures).median().to_dict()
                rows.append({"processes": n_processes, "beats": n_rows} | row)
                print(rows[-1], flush=True)
    pd.DataFrame(rows).to_csv(FOLDER / "scaling-train.csv", index=False, float_format="%.5g")
    messages = pd.DataFrame(launch(2, "worker-messages"))
    messages.to_csv(FOLDER / "scaling-messages.csv", index=False, float_format="%.4g")
    print(messages.to_string(index=False))


def train_worker(path):
    X = np.load(path, mmap_mode="r")
    y = np.arange(len(X)) % 4
    clock = StartClock()
    sampler = StaGANSampler(
        max_epochs=1, steps_per_epoch=N_STEPS, random_state=0, callbacks=[clock]
    ).fit(X, y)
    n_bytes = 4 * sum(
        parameter.numel()
        for network in (sampler.net_.module_, sampler.net_.discriminator_)
        for parameter in network.parameters()
    )
    say(before=clock.before, step=clock.median, peak_mb=peak_megabytes(), n_bytes=n_bytes)


def peak_megabytes():
    """Peak of this process's own memory; that of getrusage begins with its parent's (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def time_messages():
    distributed.init_process_group()
    rows = []
    for n_bytes in MESSAGES:
        message, seconds = torch.zeros(n_bytes // 4), []
        for _ in range(30):
            distributed.barrier()
            start = time.perf_counter()
            distributed.all_reduce(message)
            seconds.append(time.perf_counter() - start)
        rows.append({"n_bytes": n_bytes, "seconds": float(np.median(seconds[5:]))})
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    say(**columns)
    distributed.destroy_process_group()


def say(**figures):
    if int(os.environ.get("RANK", 0)) == 0:
        print(json.dumps(figures), flush=True)


def compare_quality(seeds):
    rows = []
    for seed in seeds:
        for n_processes in (1, 2):
            row = {"seed": seed, "processes": n_processes} | launch(
                n_processes, "worker-quality", seed
            )
            rows.append(row)
            print(row, flush=True)
    table = pd.DataFrame(rows)
    table.to_csv(FOLDER / "scaling-quality.csv", index=False, float_format="%.4f")
    print(table.groupby("processes").agg(["mean", "std"]).round(4).to_string())


def quality_worker(seed):
    import rivals
    import tasks
    from augmentation import judge

    split = tasks.scarce(seed)
    start = time.perf_counter()
    X, y = StaGANSampler(random_state=seed).fit_resample(split.X_train, split.y_train)
    seconds = time.perf_counter() - start
    if int(os.environ.get("RANK", 0)):
        return  # all processes have the same rows; the first judges them
    models = rivals.classifiers("StaGANSampler", len(y), split, seed)
    names = ("random forest", "logistic regression", "1-NN", "CNN")
    figures = [judge(models[name], X, y, split) for name in names]
    say(
        seconds=seconds,
        macro_f1=float(np.mean([figure["macro F1"] for figure in figures])),
        balanced_accuracy=float(np.mean([figure["balanced accuracy"] for figure in figures])),
    )


def generate(n_beats):
    """Beats to Zarr by two workers, on the distributed scheduler."""
    from dask.distributed import Client, LocalCluster

    X = np.random.default_rng(0).normal(size=(2000, N_TIMEPOINTS)).astype(np.float32)
    sampler = StaGANSampler(max_epochs=1, steps_per_epoch=5, random_state=0)
    sampler.fit(X, np.arange(2000) % 4)
    rows = []
    options = {"n_workers": 2, "threads_per_worker": 1, "memory_limit": "1GB"}
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(dashboard_address=None, **options) as cluster,
        Client(cluster) as client,
    ):
        for n in sorted({min(n_beats, 100_000), n_beats}):
            new, _ = sampler.sample(n, random_state=0, chunks=10_000)
            start = time.perf_counter()
            new.to_zarr(Path(folder) / f"{n}.zarr")
            seconds = time.perf_counter() - start
            peaks = client.run(peak_megabytes)
            row = {"beats": n, "seconds": seconds, "peak_mb": max(peaks.values())}
            rows.append(row | {"per_second": n / seconds})
            print(rows[-1], flush=True)
    pd.DataFrame(rows).to_csv(FOLDER / "scaling-generate.csv", index=False, float_format="%.5g")


def compare_sets(n_rows):
    """MMD between two large sets, mapped from files, against the exact value of a part."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("real.npy", "synthetic.npy")]
        for seed, path in enumerate(paths):
            write_rows(path, n_rows, seed, 1 + 0.02 * seed)
        real, synthetic = (np.load(path, mmap_mode="r") for path in paths)
        start = time.perf_counter()
        value, error = maximum_mean_discrepancy(real, synthetic, return_standard_error=True)
        seconds = time.perf_counter() - start
        some = maximum_mean_discrepancy(real[:20_000], synthetic[:20_000])
    print(f"{n_rows:,} rows each: MMD^2 {value:.3e}, standard error {error:.1e}, {seconds:.0f} s")
    print(f"first 20,000 of each, all pairs: {some:.3e}")


def fit_model():
    """Fit the cost of training to what was measured, and say what a billion beats would take.

    Seconds of W processes = start + rows * (labels + read / W) + steps * (step + messages). A
    message of b bytes takes ``2 (W - 1) * latency + 2 (W - 1) / W * b / bandwidth``, as in a ring.
    """
    train = pd.read_csv(FOLDER / "scaling-train.csv")
    messages = pd.read_csv(FOLDER / "scaling-messages.csv")
    generated = pd.read_csv(FOLDER / "scaling-generate.csv")
    alone = train[train["processes"] == 1]
    # relative errors count, as sizes go over three decades; each process has all labels
    terms = np.column_stack(
        [np.ones(len(train)), train["beats"], train["beats"] / train["processes"]]
    )
    start, labels, read = nnls(terms / train[["before"]].to_numpy(), np.ones(len(train)))[0]
    step, n_bytes = alone["step"].median(), int(train["n_bytes"].iloc[0])
    weights = 1 / messages["seconds"]
    per_byte, fixed = np.polyfit(messages["n_bytes"], messages["seconds"], 1, w=weights)
    here = {"latency": fixed / 2, "bandwidth": 1 / per_byte}

    def training(beats, processes, interconnect):
        share = 2 * (processes - 1) / processes * n_bytes / interconnect["bandwidth"]
        talk = share + 3 * 2 * (processes - 1) * interconnect["latency"]  # two networks, losses
        return start + beats * (labels + read / processes), N_STEPS * (
            step + (talk if processes > 1 else 0)
        )

    train["model"] = [sum(training(row.beats, row.processes, here)) for row in train.itertuples()]
    train["measured"] = train["before"] + N_STEPS * train["step"]
    train["ratio"] = train["model"] / train["measured"]
    print(train.drop(columns=["n_bytes"]).to_string(index=False, float_format="%.4g"))
    print(
        f"start {start:.2f} s, labels {1e6 * labels:.2f} s and read {1e6 * read:.2f} s per 1e6 "
        f"beats, step {1e3 * step:.1f} ms, "
        f"{n_bytes / 1e6:.2f} MB of gradients, latency {1e6 * here['latency']:.0f} us, "
        f"bandwidth {here['bandwidth'] / 1e9:.2f} GB/s"
    )
    rate = generated["per_second"].iloc[-1] / 2
    print(f"generated: {rate:.0f} beats/s for each worker")
    network = {"latency": 5e-6, "bandwidth": 25e9}
    reading, stepping = training(1e9, 64, network)
    print(
        f"1e9 beats, 64 processes as fast as a core here, 25 GB/s and 5 us between them: reading "
        f"{reading:.0f} s, {N_STEPS} steps {stepping:.0f} s, of which messages "
        f"{stepping - N_STEPS * step:.2f} s; generating {1e9 / rate / 64 / 3600:.1f} h"
    )
    draw(train, training, here, network)


def draw(train, training, here, network):
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    beats = np.logspace(4, 9, 60)
    for (processes, own), color in zip(train.groupby("processes"), ("C0", "C1"), strict=True):
        name = f"{processes} process{'es' if processes > 1 else ''}"
        axes.plot(own["beats"], own["measured"], "o", color=color, label=f"{name}, measured")
        seconds = [sum(training(n, processes, here)) for n in beats]
        axes.plot(beats, seconds, color=color, label=f"{name}, model")
    axes.plot(
        beats, [sum(training(n, 64, network)) for n in beats], "--", color="0.4",
        label="64 processes, fast network, model",
    )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="Beats of 128 points")
    axes.set(ylabel=f"Seconds for fit with {N_STEPS} steps")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(FOLDER / "scaling.png", dpi=120)


def main():
    what = {
        "train": measure_training,
        "quality": lambda: compare_quality(args.seeds),
        "generate": lambda: generate(args.beats),
        "compare": lambda: compare_sets(args.beats // 10),
        "model": fit_model,
        "worker-train": lambda: train_worker(args.value),
        "worker-messages": time_messages,
        "worker-quality": lambda: quality_worker(int(args.value)),
    }
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=what)
    parser.add_argument("value", nargs="?")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--beats", type=int, default=10_000_000)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    what[args.what]()


if __name__ == "__main__":
    main()
