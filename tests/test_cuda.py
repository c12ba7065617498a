"""Training, sampling and MMD on a CUDA card, where there is one."""

import pickle

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from sktsgan import StaGANSampler, _net
from sktsgan.metrics import maximum_mean_discrepancy
from tests.test_own_networks import Attending, Recurrent

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
    sampler = quick(device="auto", batch_size=None).fit(*beats)
    assert sampler.net_.batch_size == 256
    assert next(sampler.net_.module_.parameters()).is_cuda


def test_the_same_seed_gives_the_same_rows(on_card, beats):
    draws = [on_card.sample(y=beats[1], random_state=1)[0] for _ in range(2)]
    np.testing.assert_array_equal(*draws)


@pytest.mark.parametrize("discriminator", [Attending, Recurrent])
def test_there_is_a_penalty(quick, beats, discriminator):
    quick(device="cuda", discriminator=discriminator).fit(*beats)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="no second CUDA card")
def test_another_card_learns_too(beats):
    sampler = StaGANSampler(device="cuda:1", max_epochs=1, random_state=0).fit(*beats)
    losses = sampler.history_[-1, "batches", :, "generator_loss"]
    assert len(set(losses)) == len(losses)


def test_a_step_waits_for_nothing(on_card):
    net = on_card.net_
    batch = torch.zeros(48, 1, 64, device="cuda"), torch.zeros(48, dtype=torch.long, device="cuda")
    net.train_step(batch)  # what is set up at first may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        net.train_step(batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_recorded_step_is_the_plain_one(quick, beats):
    options = {"device": "cuda", "max_epochs": 1, "steps_per_epoch": 12, "penalty_interval": 2}
    recorded = quick(**options).fit(*beats)
    plain = quick(**options, callbacks=[Callback()]).fit(*beats)
    for name in ("discriminator_loss", "generator_loss"):
        ours, theirs = (s.history_[-1, "batches", :, name] for s in (recorded, plain))
        np.testing.assert_allclose(ours, theirs, rtol=0.02)
    assert recorded.net_.recorder is None  # a graph cannot be pickled
    pickle.loads(pickle.dumps(recorded)).partial_fit(*beats)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int16])
def test_chunks_are_rows_one_after_the_other(quick, beats, monkeypatch, dtype):
    X, y = np.rint(1000 * beats[0]).astype(dtype), beats[1]
    sampler = quick(device="cuda").fit(X, y)
    at_once, _ = sampler.sample(y=["V"] * 500, random_state=0)
    assert at_once.dtype == dtype
    monkeypatch.setattr(_net, "_CHUNK_ON_CARD", 100)
    in_chunks, _ = sampler.sample(y=["V"] * 500, random_state=0)
    assert abs(at_once[:100].astype(float) - in_chunks[:100]).max() <= 1
    assert len(np.unique(in_chunks, axis=0)) == 500
    assert abs(in_chunks.mean() - at_once.mean()) < 0.1 * at_once.std()


def test_training_goes_on_where_it_is_asked_to(quick, beats):
    sampler = quick(device="cpu", warm_start=True).fit(*beats)
    weights = sampler.net_.average_.state_dict()
    before = {name: value.clone() for name, value in weights.items()}
    for device in ("cuda", "cpu"):
        sampler.set_params(device=device, lr=1e-12).fit(*beats)
        for network in ("module_", "discriminator_", "average_"):
            assert next(getattr(sampler.net_, network).parameters()).device.type == device
        for name, value in sampler.net_.average_.state_dict().items():
            torch.testing.assert_close(value.cpu(), before[name], atol=1e-2, rtol=1e-2)


def test_mmd_as_on_the_cpu(rng):
    X, Y = (torch.from_numpy(rng.normal(size=(3000, 20))) for _ in range(2))
    on_cpu = maximum_mean_discrepancy(X, Y)
    assert maximum_mean_discrepancy(X.cuda(), Y.cuda()) == pytest.approx(on_cpu, abs=1e-5)
