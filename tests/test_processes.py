"""One training on several real processes, started by torchrun and by hand."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skorch.callbacks import Callback

from sktsgan import StaGANSampler
from sktsgan._processes import Processes
from tests.scripts import together

SCRIPT = Path(together.__file__)
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(SCRIPT.parents[2])}
ENVIRONMENT["PYTHONWARNINGS"] = "ignore"


@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=60),
    n=st.integers(1, 5),
)
def test_shards_are_alike_and_leave_nothing_out(labels, n):
    y = np.array(labels)
    shards = [Processes(rank, n).shard(y) for rank in range(n)]
    assert set(np.concatenate(shards)) == set(range(len(y)))
    counts = [np.bincount(y[shard], minlength=4).tolist() for shard in shards]
    assert all(count == counts[0] for count in counts)
    expected = np.ceil(np.bincount(y, minlength=4) / n)
    np.testing.assert_array_equal(counts[0], expected)


@given(n_rows=st.integers(0, 40), n=st.integers(1, 7))
def test_parts_are_all_rows(n_rows, n):
    X = np.arange(n_rows)
    parts = [Processes(rank, n).part(X) for rank in range(n)]
    np.testing.assert_array_equal(np.concatenate([part for _, part in parts]), X)
    assert all(start == part[0] for start, part in parts if len(part))


def test_alone_it_is_as_if_there_were_no_others():
    alone = Processes.joined()
    assert alone == Processes(0, 1)
    tensor = torch.arange(3.0)
    alone.average([tensor])
    assert tensor.tolist() == [0, 1, 2]
    assert alone.of_first("value") == "value"
    assert alone.gather(3) == [3]
    assert alone.sum(np.ones(2)).tolist() == [1, 1]


def test_a_process_that_is_not_the_first_saves_nothing_and_waits_for_nobody(monkeypatch):
    assert Processes.is_first()
    place = {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "MASTER_PORT": "1"}
    for name, value in {**place, "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    assert not Processes.is_first()
    monkeypatch.setenv("SKTSGAN_JOINED", "1")  # another process, which has started this one
    assert Processes.is_first()
    assert Processes.joined().n == 1
    monkeypatch.delenv("SKTSGAN_JOINED")
    monkeypatch.setenv("RANK", "0")
    assert Processes.is_first()


def torchrun(n, *args, options=()):
    return launch(["torch.distributed.run", f"--nproc-per-node={n}", *options], args)


def accelerate(n, *args):
    options = ["--multi_gpu", f"--num_processes={n}", f"--main_process_port={free_port()}"]
    return launch(["accelerate.commands.launch", *options], args)


def launch(launcher, args):
    command = [sys.executable, "-m", *launcher, str(SCRIPT), *map(str, args)]
    return subprocess.run(
        command, capture_output=True, text=True, env=ENVIRONMENT, check=False, timeout=300
    )


def read(folder, name, n):
    return [dict(np.load(folder / f"{name}{rank}.npz")) for rank in range(n)]


def named(seen, name):
    return [value for key, value in seen.items() if key.rstrip("0123456789") == name]


class Joined(Callback):
    """Puts batch and noise of all processes in the place of those that would be drawn."""

    def __init__(self, seen):
        self.seen = seen

    def on_train_begin(self, net, **kwargs):
        X, y, noise = (
            torch.from_numpy(np.concatenate([named(seen, name)[i] for seen in self.seen]))
            for name, i in (("X", 0), ("y", 0), ("noise", -1))
        )
        net.get_iterator = lambda *args, **kwargs: [(X, y)]
        net.noise = lambda n, rng=None: noise


@pytest.mark.parametrize(
    ("start", "n"),
    [
        (torchrun, 3),
        pytest.param(torchrun, 2, marks=pytest.mark.trust),
        pytest.param(accelerate, 2, marks=pytest.mark.trust),
    ],
)
def test_gradients_weights_and_rows(start, n, tmp_path):
    done = start(n, "step", tmp_path)
    assert not done.returncode, done.stderr
    steps = read(tmp_path, "step", n)
    # the same gradients in all processes, and those of one process on the joined batch
    record = together.Record()
    together.build(
        minibatch_features=0, augmentation=0, max_epochs=1, steps_per_epoch=1, random_state=0,
        validation_fraction=0, batch_size=16 * n, callbacks=[Joined(steps), record],
    ).fit(together.X, together.y)  # fmt: skip
    expected = named(record.seen_, "gradient")
    assert len(expected) > 20
    for seen in steps:
        for ours, theirs in zip(named(seen, "gradient"), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-5 * max(1, np.abs(theirs).max()))
    # rows of their own, shares of all
    rows = [{row.tobytes() for row in named(seen, "X")[0]} for seen in steps]
    assert not set.intersection(*rows)
    # after fifty steps: weights and rows as in the first process, streams of their own
    first, *others = read(tmp_path, "fifty", n)
    assert len(named(first, "weights")) == 5
    for other in others:
        assert other["score"] == first["score"]
        np.testing.assert_array_equal(other["rows"], first["rows"])
        for ours, theirs in zip(named(other, "weights"), named(first, "weights"), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert (named(other, "stream")[-1] != named(first, "stream")[-1]).any()
    assert StaGANSampler.load(tmp_path / "sampler").best_score_ == first["score"]
    # what differs between processes is refused in all of them, and they stay in step
    errors = {
        name: [(tmp_path / f"{name}{rank}").read_text() for rank in range(n)]
        for name in ("rows", "number", "weights", "classes", "checkpoint", "damaged", "device")
    }
    assert all(error == own[0] for own in errors.values() for error in own[:2])
    for rank, name in enumerate(["X, y", "lr"][: n - 1], start=1):
        expected = f"Those of process {rank} differ from those of process 0 in {name}."
        assert expected in errors["rows"][rank]
    names = {"number": "sampling_strategy", "weights": "what was learned before"}
    for name in ("number", "weights", "classes", "checkpoint"):
        expected = f"Those of process 1 differ from those of process 0 in {names.get(name, name)}."
        assert expected in errors[name][0]
    assert "Remove it to begin anew" in errors["damaged"][1]
    assert "Not a directory" in errors["device"][1]
    # forked workers have the connections of their parent, and stay alone
    assert {(tmp_path / f"forked{rank}").read_text() for rank in range(n)} == {"1"}


def start_by_hand(rank, n, port, *args):
    place = {"RANK": rank, "WORLD_SIZE": n, "LOCAL_RANK": rank, "MASTER_PORT": port}
    place = {name: str(value) for name, value in place.items()} | {"MASTER_ADDR": "127.0.0.1"}
    command = [sys.executable, str(SCRIPT), *map(str, args)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT | place)


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def test_one_dies_the_others_end_and_a_restart_goes_on(tmp_path):
    port = free_port()
    processes = [start_by_hand(rank, 2, port, "dies", tmp_path) for rank in range(2)]
    processes[1].communicate(timeout=300)
    _, errors = processes[0].communicate(timeout=60)
    assert processes[0].returncode > 0 > processes[1].returncode
    assert "Process 0 of 2 waited in vain for the others" in errors
    assert (tmp_path / "broken" / "all.safetensors").exists()
    assert not (tmp_path / "broken.sampler").exists()

    done = torchrun(2, "restarts", tmp_path)
    assert not done.returncode, done.stderr
    restarted, whole = (
        StaGANSampler.load(tmp_path / f"{name}.sampler") for name in ("broken", "whole")
    )
    assert len(restarted.history_) == 6
    for name, value in whole.net_.tensors().items():
        assert torch.equal(restarted.net_.tensors()[name], value), name

    # one process is another run
    with pytest.raises(ValueError, match="differs in the number of processes"):
        together.run(tmp_path, dies=False)


@pytest.mark.trust
def test_torchrun_starts_them_again(tmp_path):
    done = torchrun(2, "dies and is started again", tmp_path, options=["--max-restarts=1"])
    assert not done.returncode, done.stderr
    assert len(StaGANSampler.load(tmp_path / "broken.sampler").history_) == 6


def test_names_without_a_value_are_no_launch(monkeypatch):
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "")
    assert Processes.is_first()
    assert Processes.joined().n == 1
