"""What several test files share."""

import os
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # before numpy and torch count the cores, which are shared
    os.environ["OMP_NUM_THREADS"] = "1"

import matplotlib
import numpy as np
import pytest
from hypothesis import settings

from sktsgan import StaGANSampler
from sktsgan.datasets import make_heartbeats
from sktsgan.losses import relativistic

matplotlib.use("Agg")
# machines are busy
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

# Networks and training so small that a fit takes a fraction of a second.
QUICK = {
    "max_epochs": 2,
    "steps_per_epoch": 3,
    "batch_size": 16,
    "hidden_size": 8,
    "latent_dim": 4,
    "noise_dim": 1,
    "head_channels": 4,
    "discriminator_channels": (8, 8),
    "minibatch_features": 2,
    "selection": None,
    "random_state": 0,
}


# Networks that learn something in a few hundred steps.
LEARNING = {
    "batch_size": 48,
    "hidden_size": 32,
    "discriminator_channels": (16, 32, 32, 64),
    "minibatch_features": 8,
    "random_state": 0,
}


def scaled(real_scores, fake_scores, scales):
    """Scale both losses: a partial function of it is one of the user's own."""
    losses = relativistic(real_scores, fake_scores)
    return tuple(scale * loss for scale, loss in zip(scales, losses, strict=True))


@pytest.fixture
def quick():
    """Return a function that builds a sampler which trains in no time and learns nothing."""
    return lambda **params: StaGANSampler(**{**QUICK, **params})


@pytest.fixture(scope="session")
def beats():
    """Return simulated beats: 400 N, 80 V, 40 F."""
    X, y = make_heartbeats(
        520, classes=("N", "V", "F"), weights=[400, 80, 40], n_timepoints=64, fs=90, random_state=0
    )
    return X, y


@pytest.fixture(scope="session")
def trained(beats):
    """Return a sampler that was really trained, for a short while."""
    return StaGANSampler(max_epochs=4, steps_per_epoch=100, **LEARNING).fit(*beats)


@pytest.fixture(scope="session")
def records():
    """Return the folder that holds ``mitdb/``, or skip."""
    folder = Path(os.environ.get("SKTSGAN_DATA", ""))
    if not (folder / "mitdb" / "100.dat").exists():
        pytest.skip("the MIT-BIH records are not at hand (set SKTSGAN_DATA)")
    return folder


@pytest.fixture
def rng():
    """Return a seeded generator."""
    return np.random.default_rng(0)
