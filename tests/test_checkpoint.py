"""Runs that are killed and go on: the same weights as without a break."""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial

import joblib
import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, LRScheduler

from sktsgan import StaGANSampler, _store
from tests.conftest import scaled

SCRIPT = """
import sys
import numpy as np
from sktsgan import StaGANSampler
from sktsgan.datasets import make_heartbeats

X, y = make_heartbeats(300, classes="NV", weights=[2, 1], n_timepoints=32, fs=45, random_state=0)
sampler = StaGANSampler(
    max_epochs=25, steps_per_epoch=4, batch_size=16, hidden_size=8, discriminator_channels=(8, 8),
    minibatch_features=2, patience=None, random_state=0, checkpoint=sys.argv[1] or None,
)
print("starts", flush=True)
sampler.fit(X, y)
sampler.save(sys.argv[2])
"""


def weights(sampler):
    nets = sampler.net_ if isinstance(sampler.net_, dict) else {0: sampler.net_}
    return {
        (label, name): value for label, net in nets.items() for name, value in net.tensors().items()
    }


def assert_equal(sampler, expected):
    for name, value in weights(expected).items():
        assert torch.equal(weights(sampler)[name], value), name
    assert len(sampler.history_) == len(expected.history_)
    assert sampler.best_iter_ == expected.best_iter_


class BreakError(Exception):
    """Something goes wrong."""


def breaking(epoch):
    class Breaking(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) > epoch:
                raise BreakError

    return Breaking()


@pytest.mark.parametrize(
    ("conditioning", "random_state", "patience"),
    [
        *itertools.product(["shared"], [0, "instance"], [1, None]),
        ("per_class", 0, 1),
        ("per_class", "instance", None),
    ],
)
def test_a_break_changes_nothing(quick, beats, tmp_path, conditioning, random_state, patience):
    X, y = beats

    def build(**params):
        seed = np.random.RandomState(3) if random_state == "instance" else random_state
        params = {"conditioning": conditioning, "patience": patience, "random_state": seed} | params
        return quick(**{"max_epochs": 5} | params)

    plain = build()
    expected = plain.fit_resample(X, y)
    for epoch in (1, 3) if patience is None else (1,):
        with pytest.raises(BreakError):
            build(checkpoint=tmp_path, callbacks=[breaking(epoch)]).fit(X, y)
    resumed = build(checkpoint=tmp_path)
    for ours, theirs in zip(resumed.fit_resample(X, y), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert_equal(resumed, plain)
    # a run that has ended is there at once
    again = build(checkpoint=str(tmp_path)).fit(X, y)
    assert_equal(again, plain)


def test_an_ended_training_serves_other_mixtures(quick, beats, tmp_path):
    X, y = beats
    quick(checkpoint=tmp_path).fit(X, y)
    another = {
        "sampling_strategy": {"V": 100},
        "selection": "neighbors",
        "interpolation_fraction": 0.25,
        "max_shift": 0,
        "variation": 1.0,
        "detail_fraction": 0.1,
        "replicate_fraction": 0.75,
    }
    assert not another.items() & quick().get_params().items()
    changed = [quick(**another, checkpoint=folder) for folder in (tmp_path, None)]
    for sampler in changed:
        sampler.rows = sampler.fit_resample(X, y)
    for ours, theirs in zip(*(sampler.rows for sampler in changed), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_another_run_is_refused(quick, beats, tmp_path):
    X, y = beats
    quick(checkpoint=tmp_path).fit(X, y)
    with pytest.raises(ValueError, match=r"differs in 'lr', 'hidden_size'|'hidden_size', 'lr';"):
        quick(checkpoint=tmp_path, lr=0.1, hidden_size=9).fit(X, y)
    with pytest.raises(ValueError, match=r"differs in the rows; name another folder, or remove"):
        quick(checkpoint=tmp_path).fit(X + 1e-6, y)
    with pytest.raises(ValueError, match="differs in 'conditioning'; name another folder"):
        quick(checkpoint=tmp_path, conditioning="per_class").fit(X, y)
    apart = tmp_path / "apart"
    quick(checkpoint=apart, conditioning="per_class").fit(X, y)
    with pytest.raises(ValueError, match="differs in 'conditioning'; name another folder"):
        quick(checkpoint=apart).fit(X, y)
    shutil.rmtree(apart)
    with pytest.raises(ValueError, match="differs in the labels"):
        quick(checkpoint=tmp_path).fit(X, np.where(np.arange(len(y)) == 7, "V", y))
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match="must be a whole file"):
        quick(checkpoint=tmp_path).fit(X, y)


def test_a_partial_function_is_what_its_arguments_are(quick, beats, tmp_path):
    quick(checkpoint=tmp_path, loss=partial(scaled, scales=[1, 1])).fit(*beats)
    quick(checkpoint=tmp_path, loss=partial(scaled, scales=[1, 1])).fit(*beats)
    with pytest.raises(ValueError, match="differs in 'loss'"):
        quick(checkpoint=tmp_path, loss=partial(scaled, scales=[1, 2])).fit(*beats)


def test_a_home_and_a_damaged_file(quick, beats, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    quick(checkpoint="~/run").fit(*beats)
    (file,) = (tmp_path / "run").iterdir()
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(ValueError, match="'checkpoint' must be a folder of whole .* begin anew"):
        quick(checkpoint="~/run").fit(*beats)


class ClearsAway(Callback):
    def __init__(self, folder):
        self.folder = folder

    def on_epoch_begin(self, net, **kwargs):
        shutil.rmtree(self.folder)


def test_a_folder_that_is_cleared_away_is_made_again(quick, beats, tmp_path):
    folder = tmp_path / "run"
    quick(checkpoint=folder, callbacks=[ClearsAway(folder)]).fit(*beats)
    assert [file.name for file in folder.iterdir()] == ["all.safetensors"]


def test_what_killed_writers_left_is_removed(quick, beats, tmp_path):
    (tmp_path / ".all.safetensors.0f0f0f0f").write_bytes(b"half")
    others = ".all.safetensors.my-backup", ".all.safetensors.0f0f0f0f0"
    for name in others:
        (tmp_path / name).touch()
    (tmp_path / ".all.safetensors.ffffffff").mkdir()
    quick(checkpoint=tmp_path).fit(*beats)
    left = {file.name for file in tmp_path.iterdir()}
    assert left == {"all.safetensors", ".all.safetensors.ffffffff", *others}


def test_training_outlives_a_full_disk(quick, beats, tmp_path, monkeypatch):
    expected = quick(max_epochs=3).fit(*beats)
    sync, calls = os.fsync, []

    def fail_once(file):
        calls.append(file)
        if len(calls) == 2:
            raise OSError("disk full")
        sync(file)

    monkeypatch.setattr(os, "fsync", fail_once)
    with pytest.warns(UserWarning, match=r"could not be written after epoch 2 \(disk full\)"):
        sampler = quick(max_epochs=3, checkpoint=tmp_path).fit(*beats)
    assert_equal(sampler, expected)
    assert_equal(quick(max_epochs=3, checkpoint=tmp_path).fit(*beats), expected)
    assert len(calls) == 3


@pytest.mark.trust
def test_workers_that_started_elsewhere_write_here(quick, beats, tmp_path, monkeypatch):
    (tmp_path / "before").mkdir()
    monkeypatch.chdir(tmp_path / "before")
    # loky ends workers that grow, as by importing torch after a first job without it
    joblib.Parallel(n_jobs=2)(joblib.delayed(StaGANSampler)() for _ in range(4))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    quick(checkpoint="run", conditioning="per_class", n_jobs=2).fit(*beats)
    assert len(list((tmp_path / "here" / "run").iterdir())) == 3


@pytest.mark.parametrize(
    "what",
    [
        "rng",
        "run",
        "history",
        "kept",
        "streams.0",
        "kept.noise",
        "kept.best.average_.class_vectors.weight",
    ],
)
def test_a_file_that_lacks_something(quick, beats, tmp_path, what):
    quick(checkpoint=tmp_path, max_epochs=1).fit(*beats)
    path = tmp_path / "all.safetensors"
    manifest, tensors = _store.read(path)
    for part in (manifest["run"], manifest["net"], tensors):
        part.pop(what, None)
    _store.write(path, {"run": manifest["run"], "net": manifest["net"]}, tensors)
    with pytest.raises(ValueError, match="'checkpoint' must be a folder of whole checkpoints"):
        quick(checkpoint=tmp_path, max_epochs=1).fit(*beats)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_iter", "x"),
        ("score", "x"),
        ("kept.best.average_.lstm.bias_hh_l0", torch.zeros(1)),
        ("kept.best.average_.lstm.bias_hh_l0", torch.full((32,), torch.nan)),
    ],
)
def test_a_file_in_which_something_is_another(quick, beats, tmp_path, name, value):
    quick(checkpoint=tmp_path, max_epochs=1).fit(*beats)
    path = tmp_path / "all.safetensors"
    manifest, tensors = _store.read(path)
    for part in (manifest["net"], manifest["net"]["kept"], tensors):
        part.update({name: value} if name in part else {})
    _store.write(path, manifest, tensors)
    with pytest.raises(ValueError, match="'checkpoint' must be a folder of whole checkpoints"):
        quick(checkpoint=tmp_path, max_epochs=1).fit(*beats)


def test_a_file_is_no_folder(quick, beats, tmp_path):
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(ValueError, match="'checkpoint' must be a folder. .*file is a file"):
        quick(checkpoint=path).fit(*beats)


def test_not_from_a_file_of_save(quick, beats, tmp_path):
    quick().fit(*beats).save(tmp_path / "all.safetensors")
    with pytest.raises(ValueError, match="'checkpoint' must be a folder of checkpoints"):
        quick(checkpoint=tmp_path).fit(*beats)


def test_not_with_weights_of_ones_own(quick, beats, tmp_path):
    with pytest.raises(ValueError, match="'checkpoint' must be None with 'warm_start'"):
        quick(checkpoint=tmp_path, warm_start=True).fit(*beats)
    with pytest.raises(ValueError, match="'checkpoint' must be None"):
        quick(checkpoint=tmp_path).partial_fit(*beats)


def run(folder, path, seconds=None):
    """Run the script, kill it so many seconds after it starts; return whether it came to its end."""
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(folder), str(path)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        process.stdout.readline()
        if seconds is not None:
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)
        return process.wait() == 0


@pytest.mark.parametrize("n_kills", [2, pytest.param(10, marks=pytest.mark.trust)])
def test_killed_at_random_moments(tmp_path, n_kills):
    start = time.monotonic()
    assert run("", tmp_path / "expected")
    rng, longest = np.random.default_rng(n_kills), (time.monotonic() - start) / 8
    n_done = sum(
        run(tmp_path / "folder", tmp_path / "resumed", rng.uniform(0, longest))
        for _ in range(n_kills)
    )
    assert n_done < n_kills
    assert run(tmp_path / "folder", tmp_path / "resumed")
    assert_equal(*(StaGANSampler.load(tmp_path / name) for name in ("resumed", "expected")))


def test_a_scheduler_goes_on(quick, beats, tmp_path):
    def build(*others):
        scheduler = LRScheduler("StepLR", step_size=1)
        return quick(max_epochs=4, checkpoint=tmp_path, callbacks=[scheduler, *others])

    with pytest.raises(BreakError):
        build(breaking(2)).fit(*beats)
    assert len(build().fit(*beats).history_) == 4
