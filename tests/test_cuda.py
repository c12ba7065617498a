"""Training, sampling and MMD on a CUDA card, where there is one."""

import numpy as np
import pytest
import torch

from sktsgan import StaGANSampler
from sktsgan.metrics import maximum_mean_discrepancy

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA card"),
]


@pytest.fixture(scope="module")
def on_card(beats):
    options = {"max_epochs": 4, "steps_per_epoch": 100, "batch_size": 48, "hidden_size": 32}
    return StaGANSampler(device="cuda", random_state=0, **options).fit(*beats)


def test_it_learns(on_card, beats):
    assert next(on_card.net_.module_.parameters()).is_cuda
    assert on_card.best_score_ > -0.1
    X, _ = on_card.sample(y=beats[1], random_state=0)
    assert np.isfinite(X).all()


def test_auto_takes_the_card(quick, beats):
    sampler = quick(device="auto").fit(*beats)
    assert next(sampler.net_.module_.parameters()).is_cuda


def test_the_same_seed_gives_the_same_rows(on_card, beats):
    draws = [on_card.sample(y=beats[1], random_state=1)[0] for _ in range(2)]
    np.testing.assert_array_equal(*draws)


def test_a_step_waits_for_nothing(on_card):
    net = on_card.net_
    batch = torch.zeros(48, 1, 64, device="cuda"), torch.zeros(48, dtype=torch.long, device="cuda")
    net.train_step(batch)  # what is set up at first may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        net.train_step(batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_mmd_as_on_the_cpu(rng):
    X, Y = (torch.from_numpy(rng.normal(size=(3000, 20))) for _ in range(2))
    on_cpu = maximum_mean_discrepancy(X, Y)
    assert maximum_mean_discrepancy(X.cuda(), Y.cuda()) == pytest.approx(on_cpu, abs=1e-5)
