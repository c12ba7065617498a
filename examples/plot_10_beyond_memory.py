"""
More beats than memory holds
============================

You will learn to train on an array that is read a chunk at a time, to draw beats that are made when
they are needed, here, on a cluster or into a file, and to train one GAN on several processes. It
needs the extra ``distributed``.
"""

# %%
# Rows in chunks
# --------------
# ``fit`` takes Dask, Zarr and memory-mapped arrays. Chunks are read once, one after the other,
# into a temporary file on this machine, from which the rows of each batch are drawn: the rows that
# come out are those that an array in memory would have given. Here the array is small and made on
# the spot; an archive's is opened by ``dask.array.from_zarr("beats.zarr")`` or
# ``zarr.open_array``.

import os

import dask.array as da
import numpy as np

from sktsgan import StaGANSampler
from sktsgan.datasets import fetch_mitbih, make_heartbeats

if "SKTSGAN_DATA" in os.environ:  # real beats, every eighth normal one
    X, y = fetch_mitbih(subset="DS1", fs=90, return_X_y=True)
    kept = np.isin(y, ["S", "V", "F"]) | (y == "N") & (np.arange(len(y)) % 8 == 0)
    X, y = X[kept], y[kept]
else:
    X, y = make_heartbeats(
        4000, weights=[0.75, 0.1, 0.1, 0.05], n_timepoints=64, fs=90, random_state=0
    )
X_chunked = da.from_array(X, chunks=(1000, -1))
sampler = StaGANSampler(max_epochs=6, random_state=0).fit(X_chunked, y)

# %%
# Beats that are not there yet
# ----------------------------
# With ``chunks``, ``sample`` gives Dask arrays. Nothing has been drawn yet: each chunk has a seed
# of its own, and is made when somebody computes it, with the same rows whoever does.

labels = np.repeat(np.unique(y), 5000)
X_new, y_new = sampler.sample(y=labels, random_state=0, chunks=2500)
print(X_new)

# %%
# Part of it is computed without the rest, on all cores: 200 beats of each class.

from sktsgan.plotting import SignalDisplay

part = np.concatenate([np.flatnonzero(labels == label)[:200] for label in np.unique(y)])
X_part = X_new[part].compute()
_ = SignalDisplay.from_arrays(X, y, X_part, labels[part], fs=90, start=-0.3)

# %%
# Into a file, or by a cluster
# ----------------------------
# Dask writes arrays a few chunks at a time: here into a memory-mapped file, by threads of this
# process. ``X_new.to_zarr("beats.zarr")`` makes a Zarr array, which
# workers elsewhere can write too.

import tempfile
from pathlib import Path

folder = tempfile.TemporaryDirectory()
rows = np.lib.format.open_memmap(
    Path(folder.name) / "beats.npy", mode="w+", dtype=X_new.dtype, shape=X_new.shape
)
da.store(X_new, rows)
print(f"{rows.shape[0]:,} beats, {rows.nbytes / 2**20:.0f} MB")

# %%
# Where a client is open, its workers draw: the same rows. Here they are two threads;
# ``LocalCluster()`` starts processes, and ``Client("tcp://address:8786")`` takes a cluster that is
# there.

from dask.distributed import Client, LocalCluster

options = {"processes": False, "n_workers": 2, "threads_per_worker": 1}
with LocalCluster(dashboard_address=None, **options) as cluster, Client(cluster):
    assert np.array_equal(X_new[part].compute(), rows[part])

# %%
# How good are they?
# ------------------
# :func:`~sktsgan.metrics.maximum_mean_discrepancy` takes files and chunked arrays too. Up to
# 20,000 rows all pairs are compared, as here; beyond, it is the mean over blocks, of which
# ``return_standard_error=True`` gives the error. In earnest, compare with rows that were not
# trained on.

from sktsgan.metrics import maximum_mean_discrepancy

for label in np.unique(y):
    value = maximum_mean_discrepancy(X[y == label], rows[labels == label])
    print(f"{label}: MMD^2 {value:.4f}")

# %%
# One GAN on several processes
# ----------------------------
# An ordinary script becomes a distributed training when a launcher starts it several times:
#
# .. code-block:: console
#
#    $ torchrun --nproc-per-node=2 train.py
#
# Each process trains on its share of the rows, gradients are averaged after each step, and all end
# with the same weights; only the first writes files.

import subprocess
import sys

SCRIPT = """
import os
from sktsgan import StaGANSampler
from sktsgan.datasets import make_heartbeats

X, y = make_heartbeats(4000, weights=[0.75, 0.1, 0.1, 0.05], n_timepoints=64, fs=90, random_state=0)
sampler = StaGANSampler(max_epochs=2, random_state=0).fit(X, y)
sampler.save("beats.safetensors")
print(f"process {os.environ['RANK']}: held-out MMD^2 {-sampler.best_score_:.4f}", flush=True)
"""
script = Path(folder.name) / "train.py"
script.write_text(SCRIPT)
command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", script]
done = subprocess.run(
    command, cwd=folder.name, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True,
    capture_output=True, text=True,
)  # fmt: skip
print(done.stdout)
again = StaGANSampler.load(Path(folder.name) / "beats.safetensors")
folder.cleanup()

# %%
# .. admonition:: What to try next
#
#    Start it on two machines, as torchrun's documentation says, and read :doc:`/scaling` for
#    what it costs.
