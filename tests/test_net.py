"""One step of training against its plain form; the average; networks of users."""

import copy
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, Freezer, PrintLog
from torch import nn
from torch.utils import backend_registration

from sktsgan import StaGANSampler, _batches, _net
from sktsgan._callbacks import BestByMMD
from sktsgan._net import AdversarialNet
from sktsgan._recording import RecordedSteps
from sktsgan._threads import fixed_order, seeded
from sktsgan.losses import relativistic, wasserstein
from sktsgan.metrics import maximum_mean_discrepancy
from sktsgan.networks import ConvDiscriminator, LSTMGenerator


@pytest.fixture
def net():
    """Return an initialized net without augmentation, in float64, and a batch."""

    def build(**options):
        options = {"criterion": relativistic, "augmentation": 0.0, "lr": 1e-2, **options}
        net = AdversarialNet(
            partial(LSTMGenerator, n_channels=1, n_timepoints=16, n_classes=2, hidden_size=6),
            discriminator=partial(
                ConvDiscriminator, n_channels=1, n_timepoints=16, n_classes=2, channels=(4, 4)
            ),
            batch_size=8,
            verbose=0,
            **options,
        )
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net.initialize()
            X = torch.randn(8, 1, 16)
        net.history.new_epoch()
        net.history.new_batch()
        return net, (X, torch.arange(8) % 2)

    return build


def plain_step(net, X, y, penalty_weight):
    """Write one step down: both passes in one loss, torch's own backward."""
    generator, discriminator = copy.deepcopy(net.module_), copy.deepcopy(net.discriminator_)
    options = {"lr": net.lr, "betas": net.betas}
    of_discriminator = torch.optim.Adam(discriminator.parameters(), **options)
    rng = torch.Generator().manual_seed(net.seed)
    z = torch.randn(len(y), generator.latent_size, generator=rng)
    X_fake = generator(z, y).detach()
    penalty, scores = 0.0, []
    for signals in (X.clone().requires_grad_(), X_fake.requires_grad_()):
        scores.append(discriminator(signals, y))
        (slope,) = torch.autograd.grad(scores[-1].sum(), signals, create_graph=True)
        penalty = penalty + slope.square().sum((1, 2)).mean()
    (net.criterion(*scores)[0] + penalty_weight / 2 * penalty).backward()
    gradients = [parameter.grad.clone() for parameter in discriminator.parameters()]
    of_discriminator.step()
    _, loss = net.criterion(discriminator(X, y), discriminator(generator(z, y), y))
    generator.zero_grad()
    loss.backward()
    return gradients, [parameter.grad for parameter in generator.parameters()]


@pytest.mark.parametrize("criterion", [relativistic, wasserstein])
@pytest.mark.parametrize(
    ("gradient_penalty", "n_steps_before", "penalty_weight"),
    [(0.0, 0, 0), (2.0, 0, 6), (2.0, 1, 0), (2.0, 2, 0), (2.0, 3, 6)],
)
@pytest.mark.parametrize("in_order", [False, True])
def test_a_step_is_the_plain_one(
    net, criterion, gradient_penalty, n_steps_before, penalty_weight, in_order
):
    ours, (X, y) = net(
        criterion=criterion, gradient_penalty=gradient_penalty, penalty_interval=3, lr=1e-7
    )
    ours.n_iter_ = n_steps_before
    expected = plain_step(ours, X, y, penalty_weight)
    if in_order:
        with fixed_order():
            ours.train_step((X, y))
    else:
        ours.train_step((X, y))
    # Adam's first step is the gradient's sign, so gradients are what can be compared
    for gradients, network in zip(expected, (ours.discriminator_, ours.module_), strict=True):
        for gradient, parameter in zip(gradients, network.parameters(), strict=True):
            torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)


def test_optimizers_step_by_the_gradients(net):
    """Fused ones read gradients as they lie in memory, and those of penalties may lie otherwise."""
    ours, batch = net(gradient_penalty=2.0, lr=1e-3)
    before = copy.deepcopy([ours.discriminator_, ours.module_])
    ours.train_step(batch)
    for network, plain in zip([ours.discriminator_, ours.module_], before, strict=True):
        optimizer = torch.optim.Adam(plain.parameters(), lr=ours.lr, betas=ours.betas)
        for parameter, its_own in zip(plain.parameters(), network.parameters(), strict=True):
            parameter.grad = its_own.grad
        optimizer.step()
        for parameter, its_own in zip(plain.parameters(), network.parameters(), strict=True):
            torch.testing.assert_close(its_own, parameter, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("n_steps_before", "decay"), [(0, 0.1), (1000, 0.5)])
def test_the_average_follows(net, n_steps_before, decay):
    ours, batch = net(ema_decay=0.5)
    ours.n_iter_ = n_steps_before  # the first decay is the warm-up's, 1/10
    start = copy.deepcopy(ours.average_)
    ours.train_step(batch)
    for before, now, average in zip(
        start.parameters(), ours.module_.parameters(), ours.average_.parameters(), strict=True
    ):
        torch.testing.assert_close(average, decay * before + (1 - decay) * now)
    assert not any(p.requires_grad for p in ours.average_.parameters())


def test_augmentation_keeps_the_shape_of_a_signal(net):
    ours, (X, _) = net(augmentation=1.0)
    jittered = ours._augmented(X)
    assert not torch.equal(jittered, X)
    for before, after in zip(X[:, 0].numpy(), jittered[:, 0].numpy(), strict=True):
        assert np.corrcoef(before, after)[0, 1] == pytest.approx(1, abs=1e-5)
    ours.augmentation = 0.5
    unchanged = [torch.equal(a, b) for a, b in zip(X, ours._augmented(X), strict=True)]
    assert 0 < sum(unchanged) < 8


class Plain(torch.nn.Module):
    """A discriminator of which a layer stays as it is."""

    def __init__(self, n_channels, n_timepoints, n_classes):
        super().__init__()
        self.fixed = torch.nn.Linear(n_timepoints, 4).requires_grad_(False)
        self.score = torch.nn.Linear(4, 1)

    def forward(self, X, y):
        return self.score(torch.tanh(self.fixed(X[:, 0]))).squeeze(1)


class Column(Plain):
    def forward(self, X, y):
        return super().forward(X, y)[:, None]


def test_frozen_layers_stay_as_they_are(quick, beats):
    sampler = quick(discriminator=Plain, validation_fraction=0).fit(*beats)
    fixed = sampler.net_.discriminator_.fixed.weight
    assert not fixed.requires_grad
    before, score = fixed.clone(), sampler.net_.discriminator_.score.weight.clone()
    sampler.partial_fit(*beats)
    assert torch.equal(fixed, before)
    assert not torch.equal(sampler.net_.discriminator_.score.weight, score)


class Kept(Callback):
    def __init__(self):
        self.weights = []

    def on_epoch_end(self, net, **kwargs):
        self.weights.append(net.module_.lstm.weight_hh_l0.detach().clone())


def test_layers_that_are_frozen_in_mid_training_stay(quick, beats):
    kept = Kept()
    freezer = Freezer(lambda name: "lstm" in name, at=2)
    quick(max_epochs=3, validation_fraction=0, callbacks=[freezer, kept]).fit(*beats)
    assert torch.equal(kept.weights[0], kept.weights[1])
    assert torch.equal(kept.weights[0], kept.weights[2])


@pytest.mark.parametrize("names", [("module_", "discriminator_"), ("discriminator_", "module_")])
def test_a_network_may_be_frozen_whole(quick, beats, names):
    sampler = quick(warm_start=True, validation_fraction=0).fit(*beats)
    frozen, other = (getattr(sampler.net_, name) for name in names)
    before = [copy.deepcopy(network).state_dict() for network in (frozen, other)]
    frozen.requires_grad_(False)
    sampler.fit(*beats)
    torch.testing.assert_close(frozen.state_dict(), before[0], rtol=0, atol=0)
    assert not all(map(torch.equal, other.state_dict().values(), before[1].values()))


@pytest.mark.filterwarnings("ignore:Training was interrupted:UserWarning")
def test_an_interrupt_freezes_nothing(quick, beats, monkeypatch):
    """Should a step freeze and free parameters again, an interrupt may come between."""
    sampler = quick(warm_start=True).fit(*beats)
    plain = torch.Tensor.requires_grad_

    def interrupt(self, flag=True):
        plain(self, flag)
        if isinstance(self, nn.Parameter):
            raise KeyboardInterrupt
        return self

    monkeypatch.setattr(nn.Parameter, "requires_grad_", interrupt, raising=False)
    sampler.fit(*beats)
    monkeypatch.undo()
    assert all(p.requires_grad for p in sampler.net_.discriminator_.parameters())


@pytest.mark.filterwarnings("ignore:Only .* passed the selection:UserWarning")
def test_another_default_device(quick, beats, tmp_path):
    expected = quick().fit_resample(*beats)[0]
    quick().fit(*beats).save(tmp_path / "sampler")
    drawn = StaGANSampler.load(tmp_path / "sampler").sample(9)[0]
    torch.set_default_device("meta")
    try:
        np.testing.assert_array_equal(quick().fit_resample(*beats)[0], expected)
        np.testing.assert_array_equal(StaGANSampler.load(tmp_path / "sampler").sample(9)[0], drawn)
    finally:
        torch.set_default_device(None)


def test_callbacks_print_what_they_print(quick, beats, capsys):
    quick(callbacks=[PrintLog()]).fit(*beats)
    assert "valid_mmd" in capsys.readouterr().out
    quick(callbacks=[Kept()]).fit(*beats)
    assert not capsys.readouterr().out


def test_a_network_may_train_a_sampler_of_its_own(quick, beats):
    def build(**shape):
        quick(max_epochs=1, steps_per_epoch=1).fit(*beats)
        return LSTMGenerator(hidden_size=8, **shape)

    process = threading.Thread(target=lambda: quick(generator=build).fit(*beats), daemon=True)
    process.start()
    process.join(60)
    assert not process.is_alive()


class Watched(Plain):
    """A discriminator that keeps a state: which threads have called it."""

    callers: ClassVar = set()

    def forward(self, X, y):
        self.callers.add(threading.get_ident())
        scores = super().forward(X, y)
        if scores.requires_grad:
            scores.register_hook(lambda _: self.callers.add(threading.get_ident()))
        return scores


class WatchedGenerator(LSTMGenerator):
    callers: ClassVar = set()

    def forward(self, z, y):
        self.callers.add(threading.get_ident())
        return super().forward(z, y)


def test_networks_with_a_state_are_called_one_after_the_other(quick, beats):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    Watched.callers.clear(), WatchedGenerator.callers.clear()
    try:
        sampler = quick(discriminator=Watched, generator=WatchedGenerator).fit(*beats)
        sampler.sample(300)
    finally:
        torch.set_num_threads(before)
    assert Watched.callers == WatchedGenerator.callers == {threading.get_ident()}


class Normalised(torch.nn.Module):
    """A generator with statistics of its batches, and a layer that is used twice."""

    def __init__(self, n_channels, n_timepoints, n_classes):
        super().__init__()
        self.latent_size = 4
        self.first, self.norm = torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4)
        self.again = self.first
        self.out = torch.nn.Linear(4, n_timepoints)

    def forward(self, z, y):
        return self.out(self.norm(self.again(self.first(z))))[:, None]


def test_statistics_follow_rows_of_training_alone(quick, beats):
    sampler = quick(generator=Normalised, max_epochs=1).fit(*beats)
    assert sampler.net_.module_.norm.num_batches_tracked == sampler.n_iter_


def test_layers_that_are_used_twice_are_averaged_once(quick, beats):
    net = quick(generator=Normalised, validation_fraction=0).fit(*beats).net_
    before = net.average_.first.weight.clone()
    with torch.no_grad():
        net.module_.first.weight += 1
    net._update_average()
    decay = min(net.ema_decay, (1 + net.n_iter_) / (10 + net.n_iter_))
    expected = decay * before + (1 - decay) * net.module_.first.weight
    torch.testing.assert_close(net.average_.first.weight, expected)


@pytest.mark.filterwarnings("ignore:A private training reads:UserWarning")
@pytest.mark.filterwarnings("ignore:Whoever knows 'random_state':UserWarning")
def test_another_default_type(quick, beats):
    private = {"dp_epsilon": 3.0, "dp_bounds": (-5, 5), "random_state": 0}
    for params in ({}, private):
        expected = quick(**params).fit(*beats).sample(100)[0]
        torch.set_default_dtype(torch.float64)
        try:
            np.testing.assert_array_equal(quick(**params).fit(*beats).sample(100)[0], expected)
        finally:
            torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_training_where_gradients_are_off(quick, beats, mode):
    expected = quick().fit(*beats).sample(10)[0]
    with mode():
        np.testing.assert_array_equal(quick().fit(*beats).sample(10)[0], expected)


def test_scores_of_another_shape(quick, beats):
    with pytest.raises(ValueError, match=r"'discriminator' must return scores.* Got \(2, 1\)"):
        quick(discriminator=Column).fit(*beats)


@pytest.fixture
def as_on_a_card(monkeypatch):
    """Take the ways of a card on the CPU; two steps' losses are left unread."""
    for module in (_batches, _net):
        monkeypatch.setattr(module, "is_cpu", lambda device: False)
    monkeypatch.setattr(_net, "_MAX_UNREAD", 2)


@pytest.mark.parametrize("max_on_card", [0, 2**31])
def test_a_card_learns_the_same(quick, beats, monkeypatch, request, max_on_card):
    options = {"steps_per_epoch": 5, "validation_fraction": 0.2}
    on_cpu = quick(**options).fit(*beats)
    request.getfixturevalue("as_on_a_card")
    monkeypatch.setattr(_batches, "_MAX_ON_CARD", max_on_card)
    on_card = quick(**options).fit(*beats)
    names = ("discriminator_loss", "generator_loss")
    for keys in ((slice(None), names), (slice(None), "batches", slice(None), names)):
        np.testing.assert_allclose(on_card.history_[keys], on_cpu.history_[keys], rtol=1e-3)
    X, Y = (sampler.sample(y=beats[1], random_state=0)[0] for sampler in (on_card, on_cpu))
    np.testing.assert_allclose(X, Y, atol=1e-3)


@pytest.mark.usefixtures("as_on_a_card")
def test_a_card_notices_divergence(quick, beats):
    with pytest.raises(RuntimeError, match="diverged at iteration [24],"):
        quick(lr=1e20, steps_per_epoch=9).fit(*beats)


class Interrupts(Callback):
    def on_batch_begin(self, net, **kwargs):
        if net.n_iter_ == 13:
            raise KeyboardInterrupt


@pytest.mark.usefixtures("as_on_a_card")
def test_an_interrupted_card_has_read_all_losses(quick, beats):
    with pytest.warns(UserWarning, match="Training was interrupted after 13 iterations"):
        sampler = quick(steps_per_epoch=10, callbacks=[Interrupts()]).fit(*beats)
    assert not sampler.net_.unread_
    *steps, begun = sampler.history_[-1]["batches"]
    assert len(steps) == 3
    assert all("generator_loss" in step for step in steps)
    assert not begun


def test_a_step_is_recorded_on_the_card_of_its_rows(monkeypatch):
    asked, cuda = [], torch.cuda
    monkeypatch.setattr(cuda, "CUDAGraph", lambda: None)
    monkeypatch.setattr(cuda, "Stream", lambda device: f"stream of {device}")
    for name in ("device", "graph"):
        monkeypatch.setattr(
            cuda,
            name,
            lambda *args, **options: nullcontext(asked.append((*args, *options.values()))),
        )
    recorder = RecordedSteps(lambda X, y, kind: X.sum(), "cpu")
    for _ in range(3):
        recorder(torch.ones(3), torch.ones(3), "a kind")
    assert asked == [(torch.device("cpu"),), (None, "stream of cpu")]


def test_threads_record_no_steps(quick, beats, monkeypatch):
    net = quick().fit(*beats).net_
    monkeypatch.setattr(_net, "is_cuda", lambda device: True)
    assert net._can_be_recorded
    with ThreadPoolExecutor(1) as pool:
        assert not pool.submit(lambda: net._can_be_recorded).result()


def test_no_card_is_begun_with_for_a_seed(monkeypatch):
    for name in ("current_device", "manual_seed_all", "_lazy_init"):
        monkeypatch.setattr(torch.cuda, name, lambda *args: pytest.fail("asks a card"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    before = torch.get_rng_state()
    with seeded(7):
        assert torch.initial_seed() == 7
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.skipif(
    not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"),
    reason="torch cannot pretend to have a card",
)
def test_a_step_waits_for_no_card():
    script = Path(__file__).parent / "scripts" / "card.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_real_and_synthetic_rows_are_jittered_alike(net):
    ours, batch = net(augmentation=1.0)
    ours._augmented = lambda X: X + 100
    seen = []
    ours.discriminator_.register_forward_pre_hook(lambda _, args: seen.append(args[0].min().item()))
    ours.train_step(batch)
    assert len(seen) == 4  # real and synthetic, in the step of each network
    assert min(seen) > 50


def test_amplitude_and_offset_are_jittered_each_by_itself(net):
    ours, _ = net(augmentation=0.5)
    low, high = ours._augmented(torch.tensor([[[0.0, 1.0]]]).repeat(4000, 1, 1)).squeeze(1).T
    offset, gain = low.abs() > 0, (high - low - 1).abs() > 1e-6
    for chosen, share in ((offset, 0.5), (gain, 0.5), (offset & gain, 0.25)):
        assert chosen.float().mean().item() == pytest.approx(share, abs=0.04)


def test_rows_are_drawn_from_the_average(net):
    ours, (_, y) = net()
    z = ours.noise(8)
    before = ours.generate(z, y)
    for parameter in ours.module_.parameters():
        parameter.data.fill_(np.nan)
    np.testing.assert_array_equal(ours.generate(z, y), before)


def test_held_out_mmd_is_the_mean_weighted_by_the_root_of_the_rows(net, rng):
    ours, _ = net()
    held_out = {0: rng.normal(size=(4, 1, 16)), 1: 2 + rng.normal(size=(64, 1, 16))}
    best = BestByMMD(held_out)
    best.on_train_begin(ours)
    values = [
        maximum_mean_discrepancy(X, ours.generate(best.noise_, torch.full((500,), label)))
        for label, X in held_out.items()
    ]
    for _ in range(2):  # the same noise in each epoch
        assert best._measure(ours) == pytest.approx((2 * values[0] + 8 * values[1]) / 10)


def test_dropout_is_off_where_rows_are_drawn(net):
    ours, (_, y) = net()
    ours.average_.head = torch.nn.Sequential(torch.nn.Dropout(0.5), ours.average_.head).train()
    z = ours.noise(8)
    np.testing.assert_array_equal(ours.generate(z, y), ours.generate(z, y))


def test_seeds_reach_the_weights_and_the_batches(quick, beats):
    options = {"max_epochs": 1, "steps_per_epoch": 1}
    one, other = (quick(random_state=seed, **options).fit(*beats).net_ for seed in (0, 1))
    assert one.seed != other.seed
    assert not torch.equal(one.rng_.get_state(), other.rng_.get_state())


def test_the_size_of_the_jitter(quick, beats):
    net = quick(max_epochs=1, steps_per_epoch=1, augmentation=1).fit(*beats).net_
    low, high = net._augmented(torch.tensor([[[0.0, 1.0]]]).repeat(4000, 1, 1)).squeeze(1).T
    assert [float(part.std()) for part in (low, high - low)] == pytest.approx([0.1, 0.1], rel=0.1)
