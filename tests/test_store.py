"""Files: what comes back, what is refused, and how soon."""

import contextlib
import json
import os
import sys
import threading
import time
import tracemalloc
from functools import partial
from importlib.metadata import PackageNotFoundError

import joblib
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file
from skorch.callbacks import Callback

from sktsgan import StaGANSampler, _store
from sktsgan.networks import ConvDiscriminator, LSTMGenerator


@pytest.fixture(scope="module")
def fitted(beats):
    from tests.conftest import QUICK

    X, y = beats
    rows = np.r_[: len(X)][(y != "F") | (np.cumsum(y == "F") <= 5)]  # F is interpolated
    sampler = StaGANSampler(**QUICK)
    with pytest.warns(UserWarning, match="fewer than the 20"):
        sampler.fit_resample(X[rows], y[rows])
    return sampler


@pytest.fixture
def path(fitted, tmp_path):
    fitted.save(tmp_path / "sampler.safetensors")
    return tmp_path / "sampler.safetensors"


def contents(path):
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return file.metadata(), tensors


def forge(path, change=lambda manifest: None, tensors=None):
    """Write a file whose hash is right, as someone would who means harm."""
    metadata, own = contents(path)
    manifest = json.loads(metadata["sktsgan"])
    manifest = change(manifest) or manifest
    text = manifest if isinstance(manifest, str) else json.dumps(manifest)
    own = own | (tensors or {})
    save_file(own, path, {"sktsgan": text, "sha256": _store._digest(text, own)})


def entry(manifest, *names):
    """Find the list [name, value] of an encoded dict within dicts."""
    for name in names:
        (found,) = [pair for pair in manifest["dict"] if pair[0] == name]
        manifest = found[1]
    return found


def test_saved_where_packages_were_copied_and_not_installed(fitted, tmp_path, monkeypatch):
    def fail(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.distribution", fail)
    fitted.save(tmp_path / "copied")
    assert StaGANSampler.load(tmp_path / "copied").n_iter_ == fitted.n_iter_


def test_what_is_read_only_is_not_replaced(fitted, path, monkeypatch):
    before = path.read_bytes()
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # root may write to all
    with pytest.raises(PermissionError, match=r"'path' must be a file that may be replaced\. "):
        fitted.save(path)
    assert path.read_bytes() == before
    fitted.save(path.with_name("new"))


def test_what_joblib_mapped_is_saved(trained, tmp_path):
    joblib.dump(trained, tmp_path / "mapped")
    joblib.load(tmp_path / "mapped", mmap_mode="r").save(tmp_path / "file")
    expected, _ = trained.sample(5)
    np.testing.assert_array_equal(StaGANSampler.load(tmp_path / "file").sample(5)[0], expected)


def test_the_same_rows_come_back(fitted, path, beats):
    loaded = StaGANSampler.load(path)
    for random_state in (None, 3):
        for ours, theirs in zip(
            loaded.sample(50, random_state=random_state),
            fitted.sample(50, random_state=random_state),
            strict=True,
        ):
            np.testing.assert_array_equal(ours, theirs)
    assert loaded.get_params() == fitted.get_params()
    assert loaded.history_ == fitted.history_
    for name in ("classes_", "synthetic_mask_"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(fitted, name))
    for name in ("n_features_in_", "n_iter_", "best_iter_", "best_score_", "sampling_strategy_"):
        assert getattr(loaded, name) == getattr(fitted, name)
    again = path.with_name("again")
    loaded.save(again)
    assert contents(again)[0] == contents(path)[0]


@pytest.mark.parametrize("kind", ["int", "float", "bool", "object"])
def test_labels_of_every_kind(quick, beats, tmp_path, kind):
    X, y = beats
    y = (y == "N").astype(kind) if kind != "object" else y.astype(object)
    sampler = quick(conditioning="per_class").fit(X.reshape(len(X), 2, -1), y)
    sampler.save(tmp_path / "x")
    loaded = StaGANSampler.load(tmp_path / "x")
    assert loaded.classes_.dtype == sampler.classes_.dtype
    for ours, theirs in zip(loaded.sample(20), sampler.sample(20), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert set(loaded.net_) == set(sampler.net_)


def test_a_frame_and_a_random_state(quick, tmp_path):
    import pandas as pd

    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 4)).astype(np.float32), columns=list("abcd"))
    y = pd.Series([0, 1] * 30)
    sampler = quick(random_state=np.random.RandomState(5), sampling_strategy={1: 70}).fit(X, y)
    sampler.save(tmp_path / "x")
    loaded = StaGANSampler.load(tmp_path / "x")
    assert loaded.feature_names_in_.tolist() == list("abcd")
    assert loaded.sampling_strategy == {1: 70}
    for ours, theirs in zip(loaded.sample(9), sampler.sample(9), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_another_source_of_randomness(quick, beats, tmp_path):
    sampler = quick(random_state=np.random.RandomState(np.random.PCG64(0)))
    message = "'random_state' must be an int, or a RandomState of numpy's default .* Got one of PCG"
    with pytest.raises(ValueError, match=message):
        sampler.fit(*beats).save(tmp_path / "x")
    sampler.set_params(checkpoint=tmp_path, callbacks=[NoTraining()])
    with pytest.raises(ValueError, match=message):
        sampler.fit(*beats)


class NoTraining(Callback):
    def on_train_begin(self, net, **kwargs):
        raise AssertionError("trained before it was checked what can be written")


class Break(Callback):
    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 2:
            raise RuntimeError("broken off")


class Tied(torch.nn.Module):
    """Layers that share their weights."""

    latent_size = 4

    def __init__(self, n_channels, n_timepoints, n_classes):
        super().__init__()
        self.first = torch.nn.Linear(4, 4)
        self.second = self.first
        self.label = torch.nn.Embedding(n_classes, 4)
        self.last = torch.nn.Linear(4, n_channels * n_timepoints)
        self.shape = n_channels, n_timepoints

    def forward(self, z, y):
        hidden = self.second(torch.tanh(self.first(z))) + self.label(y)
        return self.last(hidden).reshape(len(z), *self.shape)


def test_layers_that_share_weights(quick, beats, tmp_path):
    sampler = quick(generator=Tied).fit(*beats)
    sampler.save(tmp_path / "x")
    loaded = StaGANSampler.load(tmp_path / "x", generator=Tied)
    with pytest.raises(RuntimeError, match="broken off"):
        quick(generator=Tied, checkpoint=tmp_path / "folder", callbacks=[Break()]).fit(*beats)
    again = quick(generator=Tied, checkpoint=tmp_path / "folder").fit(*beats)
    rows = [each.sample(9, random_state=0)[0] for each in (sampler, loaded, again)]
    np.testing.assert_array_equal(rows[1], rows[0])
    np.testing.assert_array_equal(rows[2], rows[0])
    loaded.partial_fit(*beats)
    layers = loaded.net_.module_
    assert layers.first.weight is layers.second.weight


def test_a_long_history(quick, beats, tmp_path, monkeypatch):
    monkeypatch.setattr(_store, "_MAX_HEAD", 1000)
    sampler = quick(max_epochs=9, checkpoint=tmp_path / "runs").fit(*beats)
    sampler.save(tmp_path / "x")
    loaded = StaGANSampler.load(tmp_path / "x")
    assert loaded.history_ == sampler.history_
    again = quick(max_epochs=9, checkpoint=tmp_path / "runs").fit(*beats)
    for each in (loaded, again):
        np.testing.assert_array_equal(*(s.sample(9, random_state=0)[0] for s in (each, sampler)))
    data = (tmp_path / "x").read_bytes()
    assert data.count(b"relativistic") == 1
    (tmp_path / "x").write_bytes(data.replace(b"relativistic", b"relativistix"))
    with pytest.raises(ValueError, match="'path' must be a whole file"):
        StaGANSampler.load(tmp_path / "x")


def test_code_is_given_again(quick, beats, tmp_path):
    build = partial(LSTMGenerator, hidden_size=6)
    sampler = quick(generator=build, callbacks=[]).fit(*beats)
    sampler.save(tmp_path / "x")
    with pytest.raises(ValueError, match=r"'generator' must be given to 'load'.*\(partial\)"):
        StaGANSampler.load(tmp_path / "x")
    loaded = StaGANSampler.load(tmp_path / "x", generator=build)
    np.testing.assert_array_equal(loaded.sample(9)[0], sampler.sample(9)[0])
    with pytest.raises(ValueError, match="^'generator' must be that of the saved sampler"):
        StaGANSampler.load(tmp_path / "x", generator=partial(LSTMGenerator, hidden_size=7))
    with pytest.raises(ValueError, match=r"'generator' must be .* was code .*. Got 'lstm'\.$"):
        StaGANSampler.load(tmp_path / "x", generator="lstm")


def test_a_pipe_is_neither_waited_for_nor_replaced(fitted, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for call in (fitted.save, StaGANSampler.load):
        with pytest.raises(
            ValueError, match=r"'path' must be a file\. .*pipe is a device or a pipe"
        ):
            call(tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo()


def test_a_description_is_text(tmp_path):
    metadata = {"sktsgan": "", "sha256": "x"}
    save_file({"sktsgan": torch.tensor(10**12)}, tmp_path / "x", metadata)  # zeros that fill memory
    with pytest.raises(ValueError, match="damaged or another: its description is no text"):
        StaGANSampler.load(tmp_path / "x")


@pytest.mark.parametrize("head", [b"", (2).to_bytes(8, "little") + b"{}"])
def test_no_foreign_file_is_read_whole(tmp_path, head):
    with (tmp_path / "x").open("wb") as file:
        file.write(head)
        file.truncate(2**40)  # takes no room, but no memory would hold it
    with pytest.raises(ValueError, match="'path' must be a (whole )?file that 'save' wrote"):
        StaGANSampler.load(tmp_path / "x")


def test_no_file_says_where_to_write(quick, beats, tmp_path):
    sampler = quick(checkpoint=tmp_path / "runs").fit(*beats)
    sampler.save(tmp_path / "x")
    assert StaGANSampler.load(tmp_path / "x").checkpoint is None
    forge(tmp_path / "x", parameter("checkpoint", "/etc/cron.d"))
    assert StaGANSampler.load(tmp_path / "x").checkpoint is None
    assert StaGANSampler.load(tmp_path / "x", checkpoint="runs").checkpoint == "runs"


def test_a_class_that_a_warm_start_had_no_rows_of(quick, beats, tmp_path):
    X, y = beats
    sampler = quick(warm_start=True).fit(X, y).fit(X[y != "F"], y[y != "F"])
    sampler.save(tmp_path / "x")
    np.testing.assert_array_equal(
        StaGANSampler.load(tmp_path / "x").sample(30)[0], sampler.sample(30)[0]
    )


def test_a_file_is_whole_or_as_it_was(fitted, path, monkeypatch):
    before = path.read_bytes()

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        fitted.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("name", [255 * "n", 63 * "\N{SMILING FACE WITH OPEN MOUTH}"])
def test_a_name_may_be_as_long_as_the_system_lets_it(fitted, tmp_path, name):
    fitted.save(tmp_path / name)
    StaGANSampler.load(tmp_path / name)
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.skipif(os.name == "nt", reason="no modes, and links only for some")
def test_a_file_has_the_mode_of_others_and_a_link_stays_one(fitted, tmp_path, monkeypatch):
    (tmp_path / "other").touch()
    fitted.save(tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "other").stat().st_mode
    (tmp_path / "new").chmod(0o640)
    (tmp_path / "link").symlink_to("new")
    meanwhile, sync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda n: meanwhile.append(os.fstat(n).st_mode) or sync(n))
    fitted.save(tmp_path / "link")
    assert [mode & 0o777 for mode in meanwhile] == [0o640]
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640
    with pytest.raises(FileNotFoundError, match="'path' must be in a folder that is there. Got"):
        fitted.save(tmp_path / "nowhere" / "new")
    assert len(list(tmp_path.iterdir())) == 3


def test_what_callbacks_wrote_down_is_kept(quick, beats, tmp_path):
    class Notes(Callback):
        def on_epoch_end(self, net, **kwargs):
            for name, value in {"a": np.arange(3), "b": torch.ones(2), "c": object}.items():
                net.history.record(name, value)

    quick(callbacks=[Notes()]).fit(*beats).save(tmp_path / "x")
    row = StaGANSampler.load(tmp_path / "x").history_[-1]
    assert (row["a"], row["b"], row["c"]) == ([0, 1, 2], [1, 1], "<class 'object'>")


def test_a_loaded_sampler_lives_without_its_file(path):
    loaded = StaGANSampler.load(path)
    expected, _ = loaded.sample(20)
    path.write_bytes(b"?" * path.stat().st_size)  # in place, as cp does
    np.testing.assert_array_equal(loaded.sample(20)[0], expected)
    os.truncate(path, 0)
    np.testing.assert_array_equal(loaded.sample(20)[0], expected)


def test_callbacks_are_left_out_or_given_again(quick, beats, tmp_path):
    sampler = quick(callbacks=[Callback()]).fit(*beats)
    sampler.save(tmp_path / "s")
    loaded = StaGANSampler.load(tmp_path / "s")
    assert loaded.callbacks is None
    again = StaGANSampler.load(tmp_path / "s", **sampler.get_params())
    assert again.callbacks is sampler.callbacks
    np.testing.assert_array_equal(loaded.fit(*beats).sample(9)[0], sampler.sample(9)[0])


def test_a_list_is_what_a_tuple_is(quick, beats, tmp_path):
    quick().fit(*beats).save(tmp_path / "s")
    loaded = StaGANSampler.load(tmp_path / "s", betas=[0.0, 0.99], discriminator_channels=[8, 8])
    assert loaded.betas == [0.0, 0.99]
    with pytest.raises(ValueError, match="'discriminator_channels' must be that of the saved"):
        StaGANSampler.load(tmp_path / "s", discriminator_channels=[8, 9])


def test_small_classes_alone(quick, beats, tmp_path):
    rows = np.concatenate([np.flatnonzero(beats[1] == label)[:9] for label in "NV"])
    sampler = quick(n_layers=6, discriminator_channels=(8,) * 7)
    with pytest.warns(UserWarning, match="fewer than the 20"):
        sampler.fit(beats[0][rows], beats[1][rows])
    sampler.save(tmp_path / "s")
    loaded = StaGANSampler.load(tmp_path / "s")
    np.testing.assert_array_equal(loaded.sample(9)[0], sampler.sample(9)[0])


def test_a_parameter_that_was_set_since_is_checked(quick, beats, tmp_path):
    sampler = quick().fit(*beats).set_params(lr=-1)
    with pytest.raises(ValueError, match="The 'lr' parameter"):
        sampler.save(tmp_path / "s")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process")
def test_a_full_disk_is_an_error_of_the_system(fitted, path):
    import resource
    import signal

    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            fitted.save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_loading_beside_saving(fitted, quick, beats, path):
    """What is read is the one file or the other, never a part of each."""
    other, over = quick(random_state=1).fit(*beats), threading.Event()

    def replace():
        while not over.is_set():
            other.save(path)
            fitted.save(path)

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        seeds = {StaGANSampler.load(path).random_state for _ in range(30)}
    finally:
        over.set()
        writer.join()
    assert seeds <= {0, 1}


def test_no_network_is_run_on_rows_of_a_length_that_a_file_claims(path, monkeypatch):
    for network in (LSTMGenerator, ConvDiscriminator):
        monkeypatch.setattr(network, "forward", lambda *args: pytest.fail("it was run"))
    StaGANSampler.load(path)


def test_no_such_parameter(path):
    with pytest.raises(TypeError, match="'hidden_sise' must be a parameter of StaGANSampler"):
        StaGANSampler.load(path, hidden_sise=8)


def test_a_class_with_fewer_parameters(beats, tmp_path):
    from tests.conftest import QUICK

    class Few(StaGANSampler):
        def __init__(self, sampling_strategy="auto", *, random_state=None):
            super().__init__(sampling_strategy, **{**QUICK, "random_state": random_state})

    with pytest.raises(TypeError, match="Few does not take 'generator'; pickle it"):
        Few().fit(*beats).save(tmp_path / "x")


def test_not_fitted(tmp_path):
    with pytest.raises(ValueError, match="not fitted"):
        StaGANSampler().save(tmp_path / "x")


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        StaGANSampler.load(tmp_path / "none")


def deep(manifest):
    return '{"list": [' * 100_000 + "]}" * 100_000


def parameter(name, value):
    def change(manifest):
        entry(manifest, "parameters", name)[1] = value

    return change


def top(name, value):
    def change(manifest):
        entry(manifest, name)[1] = value

    return change


def state(name, value):
    def change(manifest):
        entry(manifest, "states")[1]["dict"][0][1]["dict"].append([name, value])

    return change


HOSTILE = {
    "newer": (top("format", _store.FORMAT + 1), "of format 2; upgrade"),
    "no number of a format": (top("format", "x"), "of format 'x'"),
    "deep JSON": (deep, "cannot be read"),
    "no JSON": (lambda manifest: "import os", "cannot be read"),
    "another JSON": (lambda manifest: "[1, 2]", "cannot be read"),
    "an unknown kind": (top("classes", {"pickle": "gASV"}), "cannot be read"),
    "records as labels": (top("classes", {"labels": ["V8", []]}), "cannot be read"),
    "labels of 4 GB": (top("classes", {"labels": ["<U1000000000", ["N"]]}), "cannot be read"),
    "many wide labels": (top("classes", {"labels": ["<U9000", ["N"] * 9000]}), "cannot be read"),
    "labels of any width": (
        top("feature_names_in", {"labels": ["<U", ["x" * 2000] + ["a"] * 20_000]}),
        "more labels than",
    ),
    "labels within a label": (
        top("feature_names_in", {"labels": ["<U9999", [{"list": ["a"] * 2000}]]}),
        "no scalars",
    ),
    "a huge network": (parameter("hidden_size", 10**7), "sizes that the parameters say"),
    "a network beyond numbers": (parameter("hidden_size", 10**30), "does not describe a sampler"),
    "a million layers": (parameter("n_layers", 10**6), "fewer weights than layers"),
    "endless channels": (
        parameter("discriminator_channels", {"tuple": [8] * 100_000}),
        "fewer weights than layers",
    ),
    "huge rows": (top("signal_shape", {"list": [1, 10**12]}), "parts are of different sizes"),
    "rows of no size": (top("signal_shape", {"list": [1, -64]}), "parts are of different sizes"),
    "rows of a negative length": (
        top("row_shape", {"list": [-1, -64]}),
        "parts are of different sizes",
    ),
    "rows of half a length": (top("row_shape", {"list": [64.0]}), "parts are of different sizes"),
    "steps that are no number": (state("n_iter", "x"), "figures are of another kind"),
    "a score that is no number": (state("score", "x"), "figures are of another kind"),
    **{
        f"a history of {history}": (state("history", history), "does not describe a sampler")
        for history in ("[1, 2]", '{"a": 1}', '[{"a": 1}]', '[{"batches": 1}]')
    },
    "more features than rows have": (top("n_features_in", 10**30), "parts are of different sizes"),
    "a name for all features": (
        top("feature_names_in", {"labels": ["O", ["t"]]}),
        "parts are of different sizes",
    ),
    "another type of rows": (top("dtype", {"dtype": "O"}), "parts are of different sizes"),
    "a path as a generator": (parameter("generator", "../../etc/passwd"), "'generator'"),
    "code as a generator": (parameter("generator", {"custom": "os.system"}), "must be given"),
    "an unknown parameter": (
        lambda manifest: entry(manifest, "parameters")[1]["dict"].append(["evil", 1]),
        "does not describe a sampler",
    ),
    "a parameter out of range": (parameter("lr", -1), "'lr'"),
    "no device": (parameter("device", "cuda:99"), "'device'"),
    "no classes": (top("classes", {"labels": ["<U1", []]}), "parts are of different sizes"),
    "nets of nobody": (top("nets", {"dict": []}), "parts are of different sizes"),
    "no states": (top("states", {"dict": []}), "does not describe a sampler"),
    "classes of no state": (state("classes", {"list": [-9, -8, -7]}), "have other classes"),
    "classes that come twice": (state("classes", {"list": [0, 1, 1]}), "have other classes"),
    **{
        f"a random state {what}": (
            parameter("random_state", {"random": ["MT19937", [1] * 624, *rest]}),
            "cannot be read",
        )
        for what, rest in {
            "beyond its words": (2**30, 0, 0.0),
            "before its words": (-1, 0, 0.0),
            "without a number": (0, 1, float("nan")),
            "between its words": (0.5, 0, 0.0),
        }.items()
    },
    "a random state of too many words": (
        parameter("random_state", {"random": ["MT19937", [1] * 5000, 5000, 0, 0.0]}),
        "cannot be read",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_at_once(path, name):
    change, message = HOSTILE[name]
    forge(path, change)
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(ValueError, match=message):
        StaGANSampler.load(path)
    seconds, peak = time.process_time() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e7
    assert seconds < 30  # no hang; without tracing it is milliseconds


@pytest.mark.parametrize(
    "tensors",
    [
        {"center": torch.zeros(7, 1)},
        {"center": torch.full((1, 1), torch.inf)},
        {"scale": torch.full((1, 1), torch.nan)},
        {"scale": torch.full((1, 1), -1.0)},
        {"few0": torch.zeros(5, 1, 63)},
        {"net0.rng_": torch.zeros(3, dtype=torch.uint8)},
        {"net0.optimizer_.x.step": torch.zeros(1)},
        {"net0.optimizer_.0.exp_avg": torch.zeros(0)},
        {"net0.discriminator_optimizer_.1.exp_avg_sq": torch.zeros(1)},
        {"net0.optimizer_.0.step": torch.zeros(1)},
        {"net0.optimizer_.0.evil": torch.zeros(1)},
        {"net0.optimizer_.99.step": torch.zeros(())},
        {"net0.average_.lstm.bias_hh_l0": torch.full((32,), torch.nan)},
        {"counts": torch.zeros(3, dtype=torch.long)},
        {"counts": torch.ones(3, dtype=torch.double)},
        {"few0": torch.full((5, 1, 64), torch.nan)},
        {"few0": torch.linspace(-3e38, 3e38, 320).reshape(5, 1, 64)},
        {"few0": torch.zeros(0, 1, 64)},
        {"synthetic_mask": torch.ones(9)},
        {"net0.module_.evil": torch.zeros(1)},
    ],
)
def test_other_tensors_are_refused(path, tensors):
    forge(path, tensors=tensors)
    with pytest.raises(ValueError, match="does not describe a sampler"):
        StaGANSampler.load(path)


def test_finite_weights_that_give_nan(path):
    weights = {name: value for name, value in contents(path)[1].items() if "average_." in name}
    forge(path, tensors={name: value.sign() * 3e38 for name, value in weights.items()})
    loaded = StaGANSampler.load(path)
    with pytest.raises(RuntimeError, match="'generator' must give finite rows"):
        loaded.sample(9)


def test_foreign_files(path, tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "a")
    with pytest.raises(ValueError, match="must be a file that 'save' wrote"):
        StaGANSampler.load(tmp_path / "a")
    for content in (b"", b"hello", b"\x80\x04K\x01." * 99, b"\xff" * 8 + b"{}", os.urandom(999)):
        (tmp_path / "b").write_bytes(content)
        with pytest.raises(ValueError, match="damaged or another"):
            StaGANSampler.load(tmp_path / "b")
    header = b'{"__metadata__":null}'
    (tmp_path / "b").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(ValueError, match="'path' must be"):
        StaGANSampler.load(tmp_path / "b")


def test_every_flipped_bit_is_found(path):
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    places = np.r_[0:200, rng.integers(0, len(content), 300)]
    for place in places:
        flipped = content.copy()
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        with pytest.raises(ValueError, match="'path' must be"):
            StaGANSampler.load(path)


def test_every_truncation_is_found(path):
    content = path.read_bytes()
    for size in np.linspace(0, len(content) - 1, 60).astype(int):
        path.write_bytes(content[:size])
        with pytest.raises(ValueError, match="'path' must be"):
            StaGANSampler.load(path)


LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
KINDS = st.sampled_from(["list", "tuple", "dict", "dtype", "labels", "random", "custom", "x"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(KINDS, inner, min_size=1, max_size=2)
    ),
    max_leaves=8,
)
ENTRIES = st.sampled_from(
    [
        "parameters",
        "classes",
        "dtype",
        "row_shape",
        "signal_shape",
        "sampling_strategy",
        "nets",
        "n_features_in",
        "feature_names_in",
        "states",
        "format",
    ]
)


@settings(
    max_examples=int(os.environ.get("SKTSGAN_FUZZ", "150")),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(name=ENTRIES, value=VALUES)
def test_whatever_a_file_says_it_is_an_error_or_a_sampler(fitted, path, name, value):
    fitted.save(path)
    forge(path, top(name, value))
    with contextlib.suppress(ValueError):
        StaGANSampler.load(path).sample(2, random_state=0)


@pytest.mark.parametrize("options", [{"lr": -1}, {"replicate_fraction": 0.5}, {"callbacks": [3]}])
def test_a_file_is_not_blamed_for_what_the_caller_gives(path, options):
    with pytest.raises(ValueError, match="must") as error:
        StaGANSampler.load(path, **options)
    assert "'path'" not in str(error.value)


def within(steps, value):
    """Walk down the description, and put a value where the walk ends."""

    def change(manifest):
        node = manifest
        for step in steps:
            keys = list(node) if isinstance(node, dict) else range(len(node))
            holder, key = node, keys[step % len(keys)]
            node = holder[key]
            if not isinstance(node, dict | list) or not node:
                break
        holder[key] = value

    return change


@settings(
    max_examples=int(os.environ.get("SKTSGAN_FUZZ", "150")),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(st.integers(0, 1000), min_size=1, max_size=14), value=LEAVES | VALUES)
def test_whatever_is_changed_within_it_is_an_error_or_a_sampler(fitted, path, steps, value):
    fitted.save(path)
    forge(path, within(steps, value))
    with contextlib.suppress(ValueError):
        X, _ = StaGANSampler.load(path).sample(2, random_state=0)
        assert np.isfinite(X).all()


def test_a_path_may_begin_at_home(fitted, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    fitted.save("~/sampler.safetensors")
    monkeypatch.chdir(tmp_path)
    fitted.save("~name")  # nobody's home
    assert (tmp_path / "~name").is_file()
    assert (tmp_path / "sampler.safetensors").is_file()
    loaded = StaGANSampler.load("~/sampler.safetensors")
    np.testing.assert_array_equal(loaded.sample(3)[0], fitted.sample(3)[0])


def test_a_folder_is_no_file(fitted, tmp_path):
    with pytest.raises(IsADirectoryError, match="'path' must name a file. .* is a folder"):
        fitted.save(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_files_are_read_where_gradients_are_off(fitted, path, beats, mode):
    with mode():
        loaded = StaGANSampler.load(path)
    with pytest.warns(UserWarning, match="but fewer at first"):
        loaded.set_params(warm_start=True).fit(*beats)
