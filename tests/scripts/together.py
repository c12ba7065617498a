"""Started on several processes by the tests: trains, and writes down what each of them saw."""

import multiprocessing
import os
import signal
import sys
import weakref
from pathlib import Path

import numpy as np
import torch
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import distributed

from sktsgan import StaGANSampler
from sktsgan._processes import Processes, _leave
from sktsgan.datasets import make_heartbeats

RANK = int(os.environ.get("RANK", 0))
X, y = make_heartbeats(301, classes="NV", weights=[2, 1], n_timepoints=32, fs=45, random_state=0)


class Record(Callback):
    """What goes into a step, and what comes out of it."""

    def on_train_begin(self, net, **kwargs):
        self.seen_, noise = {}, net.noise
        net.noise = lambda n, rng=None: self.keep("noise", noise(n, rng))

    def on_grad_computed(self, net, named_parameters, batch, **kwargs):
        for name, value in zip("Xy", batch, strict=True):
            self.keep(name, value)
        for i, (_, parameter) in enumerate(named_parameters):
            self.keep(f"gradient {id(parameter)} {i}", parameter.grad)

    def on_epoch_end(self, net, **kwargs):
        weights = torch.nn.utils.parameters_to_vector(net.module_.parameters())
        self.keep(f"weights {len(net.history)}", weights)
        self.keep("stream", net.rng_.get_state())

    def keep(self, name, value):
        self.seen_[name.split()[0] + str(len(self.seen_))] = value.detach().numpy().copy()
        return value


class Dies(Callback):
    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == self.epoch and RANK == 1:
            os.kill(os.getpid(), signal.SIGKILL)


def build(**params):
    options = {"batch_size": 16, "hidden_size": 8, "discriminator_channels": (8, 8)}
    options |= {"patience": None, "selection": None} | params
    return StaGANSampler(**options)


def step(folder):
    """One step, whose gradients are to be those of the joined batch; then fifty.

    Before that an error, which all must notice though one process alone looks at the row.
    """
    bad = X.copy()
    bad[3, 5] = np.nan
    try:
        build().fit(bad, y)
    except ValueError as error:
        assert "Row 3 is the first with NaN" in str(error)  # noqa: PT017
    else:
        raise AssertionError("NaN was taken")
    record = Record()
    build(
        minibatch_features=0, augmentation=0, max_epochs=1, steps_per_epoch=1,
        validation_fraction=0, random_state=0, callbacks=[record],
    ).fit(X, y)  # fmt: skip
    np.savez(folder / f"step{RANK}.npz", **record.seen_)
    record = Record()
    sampler = build(max_epochs=5, steps_per_epoch=10, callbacks=[record])
    X_new, _ = sampler.fit_resample(X, y)
    ends = {"rows": X_new, "score": sampler.best_score_, **record.seen_}
    np.savez(folder / f"fifty{RANK}.npz", **ends)
    sampler.save(folder / "sampler")
    refuse(folder, build(max_epochs=1, steps_per_epoch=1).fit(X, y))
    build(max_epochs=1, steps_per_epoch=1).fit(X, y)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        (folder / f"forked{RANK}").write_text(str(pool.apply(Processes.joined).n))
    group = weakref.ref(distributed.group.WORLD)
    _leave()
    assert group() is None


def refuse(folder, fitted):
    """Fit what is not the same in all processes, or cannot be done in the first, and go on."""
    shift = int(RANK == 1)
    new = clone(fitted)
    damaged = folder / "damaged"
    if not RANK:
        damaged.mkdir()
        (damaged / "all.safetensors").write_bytes(b"damaged")
    calls = {
        "rows": lambda: clone(fitted).set_params(lr=1e-3 * (1 + (RANK == 2))).fit(
            X + shift, np.roll(y, shift)
        ),
        "number": lambda: build(sampling_strategy={"V": 200 + shift}).fit_resample(X, y),
        "weights": lambda: (new if shift else fitted).partial_fit(X, y),
        "classes": lambda: clone(fitted).partial_fit(X, y, classes=list("NV" + shift * "S")),
        "checkpoint": lambda: build(checkpoint=None if shift else folder).fit(X, y),
        "damaged": lambda: build(checkpoint=damaged).fit(X, y),
        "device": lambda: build(checkpoint="/dev/null/checkpoint").fit(X, y),
    }  # fmt: skip
    for name, call in calls.items():
        try:
            call()
        except (ValueError, OSError) as error:
            (folder / f"{name}{RANK}").write_text(str(error))


def run(folder, dies):
    """A run with a checkpoint, in which the second process may die."""
    callbacks = [Dies(3)] if dies else []
    checkpoint = folder / ("whole" if dies is None else "broken")
    sampler = build(
        max_epochs=6, steps_per_epoch=4, minibatch_features=2, callbacks=callbacks,
        random_state=0, checkpoint=checkpoint,
    ).fit(X, y)  # fmt: skip
    sampler.save(checkpoint.with_suffix(".sampler"))


if __name__ == "__main__":
    what, folder = sys.argv[1], Path(sys.argv[2])
    if what == "step":
        step(folder)
    elif what == "dies and is started again":
        run(folder, dies=os.environ["TORCHELASTIC_RESTART_COUNT"] == "0")
    else:
        run(folder, dies=what == "dies")
        run(folder, dies=None)
