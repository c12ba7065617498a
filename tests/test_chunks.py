"""Rows beyond memory: chunked and mapped arrays in, Dask arrays out, many fits on Dask."""

import errno
import os
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path

import dask
import dask.array as da
import joblib
import numpy as np
import pandas as pd
import pytest
import zarr
from dask.base import tokenize
from dask.distributed import Client, LocalCluster
from scipy.sparse import csr_matrix
from sklearn.model_selection import StratifiedKFold, cross_val_score
from skorch.callbacks import Callback

from sktsgan import MMDScorer
from sktsgan._arrays import (
    _edges_of_chunks,
    _unnamed_map,
    flattened,
    in_parts,
    is_mapped_alone,
    mapped,
    release,
)
from sktsgan.datasets import make_heartbeats
from sktsgan.metrics import maximum_mean_discrepancy


class Chunked:
    """A chunked array that cannot be read whole, and counts how often each row is read."""

    def __init__(self, X, n_rows):
        self.X, self.chunks = X, (n_rows, *X.shape[1:])
        self.shape, self.ndim, self.dtype = X.shape, X.ndim, X.dtype
        self.counts = np.zeros(len(X), dtype=int)

    def __len__(self):
        return len(self.X)

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("read whole")

    def __getitem__(self, rows):
        assert not rows.start % self.chunks[0]
        assert rows.stop - rows.start <= max(self.chunks[0], 2**22 // self.X[0].size)
        self.counts[rows] += 1
        return self.X[rows]


def as_zarr(X, n_rows=50):
    array = zarr.create_array(
        zarr.storage.MemoryStore(),
        shape=X.shape,
        chunks=(n_rows, *X.shape[1:])[: X.ndim],
        dtype=X.dtype,
    )
    array[...] = X
    return array


def as_memmap(X, folder, mode="r"):
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode=mode)


CONTAINERS = {
    "dask": lambda X, _: da.from_array(X, chunks=(70, 20)),
    "zarr": lambda X, _: as_zarr(X),
    "memmap": as_memmap,
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_rows_do_not_depend_on_the_container(quick, beats, tmp_path, container):
    X, y = beats
    chunked = CONTAINERS[container](X, tmp_path)
    expected = quick().fit(X, y)
    ours = quick().fit(chunked, y)
    np.testing.assert_array_equal(ours.sample(9)[0], expected.sample(9)[0])
    X_ours, y_ours = quick().fit_resample(chunked, da.from_array(y) if container == "dask" else y)
    X_theirs, y_theirs = quick().fit_resample(X, y)
    np.testing.assert_array_equal(X_ours, X_theirs)
    np.testing.assert_array_equal(y_ours, y_theirs)


def test_each_chunk_is_read_once_and_whole(quick, beats):
    X, y = beats
    chunked = Chunked(X, 37)
    few = Chunked(np.lib.stride_tricks.as_strided(X, (7, 2**21), (0, 0)), 1)  # two make a part
    assert _edges_of_chunks(few) == [0, 2, 4, 6, 7]
    quick().fit(chunked, y)
    assert (chunked.counts == 1).all()
    chunked = Chunked(X, 37)
    assert maximum_mean_discrepancy(chunked, X) == maximum_mean_discrepancy(X, X)
    assert (chunked.counts == 1).all()


def test_what_is_masked_is_missing(quick, beats):
    X, y = beats
    masked = da.ma.masked_greater(da.from_array(X, chunks=(100, -1)), np.quantile(X, 0.99))
    with pytest.raises(ValueError, match="is the first with NaN"):
        quick().fit(masked, y)
    labels = np.ma.masked_array(np.unique(y, return_inverse=True)[1], np.arange(len(y)) == 7)
    for chunked in (labels, da.from_array(labels, chunks=100)):
        with pytest.raises(ValueError, match="missing in row 7"):
            quick().fit(X, chunked)


def test_small_chunks_are_read_together(rng):
    X = rng.normal(size=(1000, 8)).astype(np.float32)
    calls = []

    def count(block):
        calls.append(len(block))
        return block

    counted = da.from_array(X, chunks=(3, 8)).map_blocks(count, dtype=X.dtype, meta=X[:0])
    np.testing.assert_array_equal(mapped(counted), X)
    assert sum(calls) == 1000
    assert _edges_of_chunks(counted) == [0, 1000]
    few = da.zeros((10, 2**20), chunks=(1, -1))  # four make a part
    assert _edges_of_chunks(few) == [0, 4, 8, 10]
    assert _edges_of_chunks(da.zeros((10, 2**20), chunks=(7, -1))) == [0, 7, 10]


def test_chunks_of_another_type_or_length_than_they_say(rng):
    X = da.from_array(rng.normal(size=(20, 8)), chunks=(10, 8))
    others = {
        r"int64. Got \(20, 8\) of float64": X.map_blocks(lambda block: block, dtype=np.int64),
        r"float64. Got \(2, 8\) of float64": X.map_blocks(lambda block: block[:1], dtype=X.dtype),
        r"float64. Got \(20, 1\) of float64": X.map_blocks(lambda b: b[:, :1], dtype=X.dtype),
    }
    for got, chunked in others.items():
        with pytest.raises(ValueError, match=rf"shape \(20, 8\) of {got} from row 0"):
            mapped(chunked)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system takes no room ahead")
def test_a_full_disk_is_an_error(quick, beats, tmp_path, monkeypatch):
    """Room is taken before rows are written: a page that has none would end the process."""
    file = tmp_path / "rows"
    monkeypatch.setattr(tempfile, "TemporaryFile", partial(file.open, "w+b"))
    X, y = beats
    mapped(da.from_array(X))
    _unnamed_map(X.dtype, X.shape)  # nothing is written to it
    assert 512 * file.stat().st_blocks >= X.nbytes

    def fail(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", fail)
    with pytest.warns(UserWarning, match="fewer than the 20"):
        sampler = quick().partial_fit(X[:10], y[:10], classes=np.unique(y))
    for rows in (da.from_array(X), as_memmap(X, tmp_path)):
        with pytest.raises(OSError, match=r"TMPDIR must have room for the rows, 0.00\d+ GB. Got"):
            sampler.partial_fit(rows, y)


def test_chunks_of_larger_numbers_than_they_say(beats, quick):
    X = np.rint(100 * beats[0]).astype(np.int32)
    wider = da.from_array(X, chunks=(70, 64)).map_blocks(
        lambda part: part.astype(np.int64) + 2**33, dtype=np.int32
    )
    with pytest.raises(
        ValueError, match=r"\(520, 64\) of int32. Got \(520, 64\) of int64 from row 0"
    ):
        quick().fit_resample(wider, beats[1])
    masked = da.ma.masked_equal(da.from_array(X, chunks=(70, 64)), X[3, 3])
    with pytest.raises(ValueError, match="X must be finite. Got masked values from row 0 on"):
        quick().fit_resample(masked, beats[1])
    sparse = da.from_array(X, chunks=(70, 64)).map_blocks(csr_matrix)
    with pytest.raises(ValueError, match="X must have dense chunks of 2 axes. Got 0 axes"):
        quick().fit_resample(sparse, beats[1])


def test_masked_labels_are_missing(beats, trained):
    X, y = beats
    masked = np.ma.masked_array(y, np.arange(len(y)) == 2)
    for labels in (masked, da.from_array(masked, chunks=70)):
        with pytest.raises(ValueError, match="It is missing in row 2"):
            MMDScorer()(trained, X, labels)
        with pytest.raises(ValueError, match="It is missing in row 2"):
            trained.sample(y=labels)


class Locked(Callback):
    def __init__(self):
        self.lock = threading.Lock()


def test_chunks_where_there_are_no_callbacks(beats, quick):
    X, _ = quick(callbacks=()).fit(*beats).sample(9, random_state=0, chunks=5)
    assert len(X.compute()) == 9


def test_chunks_need_no_callbacks(beats, quick):
    sampler = quick(callbacks=[Locked()]).fit(*beats)
    X, _ = sampler.sample(9, random_state=0, chunks=5)
    assert len(X.compute()) == 9
    assert isinstance(sampler.callbacks[0], Locked)
    assert sampler.net_.callbacks_


def test_scores_of_chunks(trained, beats):
    X, y = beats
    expected = MMDScorer()(trained, X, y)
    scorer = MMDScorer()
    assert scorer(trained, da.from_array(X, chunks=(70, 20)), da.from_array(y)) == expected
    assert scorer.standard_errors_ == {"F": 0, "N": 0, "V": 0}


def test_unknown_sizes_are_refused(quick, beats):
    X, y = beats
    X = da.from_array(X)
    with pytest.raises(ValueError, match=r"known number of rows.*X.compute_chunk_sizes\(\)"):
        quick().fit(X[X[:, 0] < 9], y)


def test_a_number_is_no_rows(quick, beats):
    for number in (da.from_array(np.array(1.0)), as_zarr(np.array(1.0))):
        with pytest.raises(ValueError, match="Expected 2D array, got scalar array instead"):
            quick().fit(number, beats[1])


def test_a_cluster_finds_a_name_for_a_sampler(trained):
    with dask.config.set({"tokenize.ensure-deterministic": True}):
        assert tokenize(trained) == tokenize(trained)


def test_what_is_no_array_stays_as_it_is(beats):
    X = beats[0].tolist()
    assert mapped(X) is X


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_pages_are_given_back_and_nothing_is_lost(tmp_path, mode):
    X = np.random.default_rng(0).normal(size=(50, 8))
    rows = as_memmap(X, tmp_path, mode)
    if mode != "r":
        rows[7] = X[7] = 1.0
    for view in (rows, np.asarray(rows).reshape(50, 2, 4), rows[3:]):
        release(view)
    np.testing.assert_array_equal(rows, X)
    np.testing.assert_array_equal(np.concatenate([part for _, part in in_parts(rows)]), X)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_pages_do_not_pile_up(tmp_path):
    rows = np.lib.format.open_memmap(
        tmp_path / "X.npy", mode="w+", dtype=np.float32, shape=(400_000, 64)
    )

    def megabytes():
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if "RssFile" in line) / 1024

    before = megabytes()
    assert all(not part.any() for _, part in in_parts(rows))
    assert megabytes() - before < 30  # of 98
    assert float(rows.sum()) == 0
    assert megabytes() - before > 60


def test_mapped_rows_get_one_axis_without_being_in_memory(tmp_path, rng):
    X = rng.normal(size=(50, 2, 9))
    np.save(tmp_path / "X.npy", X)
    mapped_rows = np.load(tmp_path / "X.npy", mmap_mode="r")
    for own in (np.s_[:], np.s_[::2], np.s_[:, :, :5], np.s_[:, ::-1]):
        flat = flattened(mapped_rows[own])
        assert isinstance(flat, np.memmap)
        np.testing.assert_array_equal(flat, X[own].reshape(len(flat), -1))
    assert not isinstance(flattened(X[:, :, :5]), np.memmap)


def test_what_is_written_for_one_process_has_no_name(tmp_path, monkeypatch, rng):
    def named():  # as Windows' has
        return tempfile.NamedTemporaryFile(dir=tmp_path, delete=False)

    monkeypatch.setattr(tempfile, "TemporaryFile", named)
    assert is_mapped_alone(mapped(da.from_array(rng.normal(size=(9, 3)))))


def test_chunks_of_a_draw(trained):
    """The same rows as by ``sample`` with the chunk's seed, whoever computes them."""
    X, y = trained.sample(500, random_state=3, chunks=200)
    assert X.chunks == ((200, 200, 100), (64,))
    assert y.chunks == ((200, 200, 100),)
    seeds = np.random.RandomState(3).randint(2**31 - 1, size=(3, 2))
    X_all, y_all = X.compute(scheduler="threads"), y.compute(scheduler="sync")
    for i, (_, seed) in enumerate(seeds):
        rows = slice(200 * i, min(200 * i + 200, 500))
        expected, labels = trained.sample(y=y_all[rows], random_state=seed)
        np.testing.assert_array_equal(X_all[rows], expected)
        np.testing.assert_array_equal(y_all[rows], labels)
    assert X.dtype == X_all.dtype
    assert y.dtype == y_all.dtype
    # part of it: the same rows
    np.testing.assert_array_equal(X[450:460].compute(), X_all[450:460])
    share = (y_all == "N").mean()
    assert 0.65 < share < 0.88  # of 0.77
    assert not np.array_equal(X_all[:200], X_all[200:400])


def test_labels_that_are_given(trained):
    y = np.array(["F", "V", "V", "N", "F"])
    X, labels = trained.sample(y=y, random_state=3, chunks=2)
    assert X.shape == (5, 64)
    np.testing.assert_array_equal(labels, y)
    assert np.isfinite(X).all().compute()
    with pytest.raises(ValueError, match="labels seen in 'fit'"):
        trained.sample(y=["Q"], chunks=2)


@pytest.mark.parametrize("chunks", [0, -1, 2.5, "auto"])
def test_chunks_that_are_none(trained, chunks):
    with pytest.raises(ValueError, match="'chunks' must be a whole number of at least 1. Got"):
        trained.sample(5, chunks=chunks)


def test_without_dask(trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask.array", None)
    with pytest.raises(ImportError, match=r"'chunks' needs dask.*'sktsgan\[distributed\]'"):
        trained.sample(5, chunks=2)


def test_streamed_to_files(trained, tmp_path):
    X, y = trained.sample(300, random_state=0, chunks=100)
    expected = X.compute(), y.compute()
    X.to_zarr(tmp_path / "X.zarr")
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "X.zarr")[:], expected[0])
    rows = np.lib.format.open_memmap(tmp_path / "X.npy", mode="w+", dtype=X.dtype, shape=X.shape)
    da.store(X, rows)
    np.testing.assert_array_equal(np.load(tmp_path / "X.npy"), expected[0])
    dataframe = pytest.importorskip("dask.dataframe")
    table = dataframe.from_dask_array(X, columns=[f"t{i}" for i in range(64)])
    table.assign(label=dataframe.from_dask_array(y)).to_parquet(tmp_path / "beats")
    read = dataframe.read_parquet(tmp_path / "beats").compute()
    np.testing.assert_array_equal(read.drop(columns="label").to_numpy(), expected[0])
    assert read["label"].tolist() == expected[1].tolist()


def test_a_table_of_dask_is_one_of_pandas(quick):
    dataframe = pytest.importorskip("dask.dataframe")
    X, y = make_heartbeats(60, classes="NV", weights=[2, 1], n_timepoints=16, fs=22)
    types = {f"t{i}": "int16" if i % 2 else "float32" for i in range(16)}
    table = pd.DataFrame(np.rint(200 * X), columns=list(types)).astype(types)
    ours, _ = quick().fit_resample(dataframe.from_pandas(table, npartitions=2), y)
    pd.testing.assert_frame_equal(ours, quick().fit_resample(table, y)[0])


def test_rows_that_no_worker_could_map(quick, beats, tmp_path):
    X, y = beats
    sampler = quick(conditioning="per_class")
    expected = sampler.fit(2 * X, y).sample(20, random_state=0)[0]
    written_to = as_memmap(X, tmp_path, "c")
    written_to *= 2
    for rows in (written_to, da.from_array(2 * X, chunks=50)):
        sampler.set_params(n_jobs=2).fit(rows, y)
        np.testing.assert_array_equal(sampler.sample(20, random_state=0)[0], expected)


def test_classes_apart_on_jobs(quick, beats):
    sampler = quick(conditioning="per_class")
    expected = sampler.fit_resample(*beats)[0]
    np.testing.assert_array_equal(sampler.set_params(n_jobs=2).fit_resample(*beats)[0], expected)
    assert sorted(sampler.net_) == ["F", "N", "V"]


def test_chunks_are_of_the_sampler_as_it_was(quick, beats):
    X, y = beats
    sampler = quick().fit(X, y)
    X_new, _ = sampler.sample(10, random_state=0, chunks=5)
    expected = X_new.compute()
    sampler.partial_fit(100 * X, y)
    np.testing.assert_array_equal(X_new.compute(), expected)


@pytest.mark.filterwarnings("ignore:Creating scratch directories")  # slowly, on a busy machine
def test_on_a_cluster(quick, beats, trained):
    """Classes, folds and chunks on two workers: the figures of one process."""
    X, y = beats
    apart = quick(conditioning="per_class")
    expected = apart.fit_resample(X, y)[0]
    folds = {"cv": StratifiedKFold(2), "scoring": MMDScorer()}
    scores = cross_val_score(apart, X, y, **folds)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        with joblib.parallel_config(backend="dask"):
            np.testing.assert_array_equal(apart.fit_resample(X, y)[0], expected)
            # sums of scores depend on threads, in the last digit
            np.testing.assert_allclose(
                cross_val_score(apart, X, y, n_jobs=2, **folds), scores, rtol=1e-9
            )
        X_new, _ = trained.sample(400, random_state=1, chunks=100)
        here = X_new.compute(scheduler="sync")
        np.testing.assert_array_equal(client.compute(X_new).result(), here)


def test_discrepancy_exact_up_to_a_size(rng, monkeypatch):
    X, Y = rng.normal(size=(600, 8)), rng.normal(size=(500, 8)) + 0.2
    exact = maximum_mean_discrepancy(X, Y, return_standard_error=True)
    assert exact.standard_error == 0
    assert exact.value == maximum_mean_discrepancy(X, Y, estimator="exact")
    monkeypatch.setattr("sktsgan.metrics._mmd._MAX_EXACT", 100)
    by_blocks = maximum_mean_discrepancy(X, Y, return_standard_error=True)
    assert by_blocks == maximum_mean_discrepancy(
        X, Y, estimator="blocks", return_standard_error=True
    )
    assert 0 < abs(by_blocks.value - exact.value) < 4 * by_blocks.standard_error
    # rows in order, as records come: blocks take from all of it
    order = np.argsort(X[:, 0]), np.argsort(Y[:, 0])
    sorted_rows = maximum_mean_discrepancy(X[order[0]], Y[order[1]], return_standard_error=True)
    assert abs(sorted_rows.value - exact.value) < 4 * sorted_rows.standard_error
