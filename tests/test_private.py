"""Private training: gradients by row, noise, chance, what real rows reach, what is refused."""

import copy
import pickle
import sys
from collections import deque
from functools import partial

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from sktsgan import StaGANSampler
from sktsgan._batches import ScaledRows
from sktsgan._private import (
    _SWITCHED_OFF,
    PoissonBatches,
    PrivateNet,
    PrivateSteps,
    _moved,
    check_rows_apart,
    find_noise,
    secret_generator,
)
from sktsgan._signals import SignalScaler
from sktsgan._store import read
from sktsgan._threads import fixed_order
from sktsgan.metrics import discriminator_scores
from sktsgan.networks import ConvDiscriminator

pytest.importorskip("opacus")

PRIVATE = {**_SWITCHED_OFF, "loss": "bce", "dp_epsilon": 5.0, "dp_bounds": (-2, 2)}
pytestmark = pytest.mark.filterwarnings("ignore:Whoever knows 'random_state'")


@pytest.fixture
def private(quick):
    """Return a function that builds a private sampler which trains in no time."""
    return lambda **params: quick(**{**PRIVATE, **params})


def plain(n_timepoints=16, seed=0):
    """Build a small discriminator."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        shape = {"n_channels": 1, "n_timepoints": n_timepoints, "n_classes": 2}
        return ConvDiscriminator(**shape, channels=(4, 4), minibatch_features=0)


def build(n_timepoints=16, seed=0, lr=1.0, **options):
    """Build the same with Opacus around it."""
    discriminator = plain(n_timepoints, seed)
    options = {"noise_multiplier": 0.0, "max_grad_norm": 1.0, "batch_size": 10, **options}
    steps = PrivateSteps(
        discriminator,
        torch.optim.SGD(discriminator.parameters(), lr=lr),
        rng=torch.Generator().manual_seed(seed),
        **{"sample_rate": 0.1, **options},
    )
    return discriminator, steps


def batch(n_rows=7, n_timepoints=16, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(n_rows, 1, n_timepoints, generator=rng), torch.arange(n_rows) % 2


def slow_gradients(X, y, slopes):
    """Go through the rows one by one, with torch's own backward."""
    discriminator = plain()
    parameters = list(discriminator.parameters())
    return [
        torch.autograd.grad(slope * discriminator(row[None], label[None])[0], parameters)
        for row, label, slope in zip(X, y, slopes, strict=True)
    ]


def test_gradients_by_row_against_a_slow_loop():
    discriminator, steps = build()
    X, y = batch()
    slopes = torch.linspace(-2, 3, 7)
    expected = slow_gradients(X, y, slopes)
    steps.find_gradients(X.clone(), y, lambda scores: slopes)
    for parameter, *rows in zip(discriminator.parameters(), *expected, strict=True):
        torch.testing.assert_close(parameter.grad_sample, torch.stack(rows), rtol=1e-4, atol=1e-6)


def test_a_step_is_the_clipped_sum():
    discriminator, steps = build(max_grad_norm=0.5)
    X, y = batch()
    slopes = torch.tensor([0.01, 100, -3, 1, 1e4, 0, 1])
    expected = 0
    for row in slow_gradients(X, y, slopes):
        flat = torch.cat([part.ravel() for part in row])
        expected = expected + flat * min(1.0, 0.5 / (flat.norm().item() + 1e-6))
    steps.find_gradients(X.clone(), y, lambda scores: slopes)
    steps.step()
    grad = torch.cat([parameter.grad.ravel() for parameter in discriminator.parameters()])
    # divided by the rows of a batch in the mean, not by those there are
    torch.testing.assert_close(grad, expected / 10, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("slope", [1.0, 1e6])
def test_no_row_moves_the_sum_by_more_than_the_norm(slope):
    sums = []
    for n_rows in (6, 7):
        discriminator, steps = build(max_grad_norm=0.3)
        X, y = batch()
        steps.find_gradients(
            X[:n_rows].clone(), y[:n_rows], lambda scores: torch.full_like(scores, slope)
        )
        steps.step()
        sums.append(torch.cat([p.grad.ravel() for p in discriminator.parameters()]) * 10)
    assert (sums[1] - sums[0]).norm() <= 0.3 * (1 + 1e-4)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_row_without_a_finite_gradient_adds_nothing(value):
    X, y = batch()
    X[3] = value
    sums = []
    for rows in ([0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 4, 5, 6]):
        discriminator, steps = build()
        steps.find_gradients(X[rows], y[rows], torch.ones_like)
        steps.step()
        sums.append(torch.cat([p.grad.ravel() for p in discriminator.parameters()]))
    assert sums[0].isfinite().all()
    torch.testing.assert_close(*sums)


def test_noise_has_the_scale_that_the_accountant_counts():
    discriminator, steps = build(noise_multiplier=3.0, max_grad_norm=0.5, batch_size=10)
    X, y = batch()
    draws = []
    for _ in range(4):
        steps.find_gradients(X.clone(), y, torch.zeros_like)
        steps.step()
        draws.append(torch.cat([p.grad.ravel() for p in discriminator.parameters()]))
    noise = torch.stack(draws)
    # 3 * 0.5 / 10, each of thousands of numbers anew
    assert noise.numel() > 8000
    assert noise.std().item() == pytest.approx(0.15, rel=5 / noise.numel() ** 0.5)
    assert abs(noise.mean().item()) < 5 * 0.15 / noise.numel() ** 0.5
    correlation = torch.corrcoef(noise) - torch.eye(4)
    assert correlation.abs().max() < 5 / noise.shape[1] ** 0.5
    assert steps.accountant.history == [(3.0, 0.1, 4)]


def batches(n_rows=200, batch_size=20, **options):
    signals = np.arange(n_rows, dtype=np.float64)[:, None, None].repeat(3, axis=2)
    rows = ScaledRows(
        signals, np.arange(n_rows), np.arange(n_rows) % 2, SignalScaler.from_bounds((0, 8 * 1e9), 1)
    )
    rngs = [torch.Generator().manual_seed(i) for i in range(2)]
    options = {"n_batches": 50, "n_draws": 4, "n_classes": 3, **options}
    return PoissonBatches(rows, batch_size=batch_size, rng=rngs[0], secret_rng=rngs[1], **options)


def test_rows_are_drawn_each_on_its_own():
    drawn = [draw for _, draws in batches() for draw in draws]
    sizes = np.array([len(y) for _, y in drawn])
    assert len(sizes) == 200
    # binomial: mean n q, variance n q (1 - q)
    assert sizes.mean() == pytest.approx(20, abs=5 * (18 / 200) ** 0.5)
    assert sizes.var() == pytest.approx(18, rel=0.5)
    assert len(np.unique(sizes)) > 10
    labels = next(iter(batches()))[0]
    assert np.ptp(torch.bincount(labels).numpy()) <= 1  # of synthetic rows


def test_rows_are_clipped_to_the_bounds():
    scaler = SignalScaler.from_bounds((-2, 2), 1)
    signals = np.array([[[1e300, -1e45, 0.5]]])
    X, _ = ScaledRows(signals, np.array([0]), np.array([0]), scaler)[torch.tensor([0])]
    assert X.tolist() == [[[4.0, -4.0, 1.0]]]
    assert scaler.restored(X.numpy()).tolist() == [[[2.0, -2.0, 0.5]]]


def test_an_attack_sees_rows_as_the_discriminator_did(private, beats, tmp_path):
    X, y = beats
    sampler = private(dp_bounds=(-0.1, 0.2)).fit(X, y)
    scores = discriminator_scores(sampler, np.clip(X, -0.1, 0.2), y)
    np.testing.assert_array_equal(discriminator_scores(sampler, X, y), scores)
    sampler.save(tmp_path / "private")
    loaded = StaGANSampler.load(tmp_path / "private")
    np.testing.assert_array_equal(discriminator_scores(loaded, X, y), scores)


class DeafDiscriminator(Callback):
    """Keep the discriminator as it is, so that nothing of real rows can reach the generator."""

    def on_batch_begin(self, net, **kwargs):
        for group in net.discriminator_optimizer_.param_groups:
            group["lr"] = 0.0


def test_real_rows_reach_the_generator_through_the_discriminator_alone(private, beats):
    X, y = beats
    options = {"n_discriminator_steps": 2, "augmentation": 0.5}
    samplers = [
        private(callbacks=[DeafDiscriminator()], **options).fit(rows, labels)
        for rows, labels in ((X, y), (np.zeros_like(X), np.sort(y)))
    ]
    first, second = (sampler.sample(20) for sampler in samplers)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    histories = [
        [{name: row[name] for name in row if name != "dur"} for row in sampler.history_]
        for sampler in samplers
    ]
    assert histories[0] == histories[1]
    # while they do reach it where it learns
    heard = [private(lr=0.05, **options).fit(*rows) for rows in ((X, y), (0 * X, np.sort(y)))]
    assert not np.array_equal(heard[0].sample(20)[0], heard[1].sample(20)[0])


def test_fit_resample_adds_what_the_generator_draws(private, beats):
    X, y = beats
    samplers = [private(callbacks=[DeafDiscriminator()]) for _ in range(2)]
    (X_first, y_first), (X_second, _) = (
        sampler.fit_resample(rows, y) for sampler, rows in zip(samplers, (X, -X), strict=True)
    )
    np.testing.assert_array_equal(X_first[:520], X)
    np.testing.assert_array_equal(X_first[520:], X_second[520:])
    assert sorted(np.unique(y_first, return_counts=True)[1].tolist()) == [400, 400, 400]
    assert samplers[0].synthetic_mask_.sum() == 680


def test_the_budget_is_kept_and_what_was_not_spent_is_not_counted(private, beats):
    from opacus.accountants import RDPAccountant

    sampler = private(n_discriminator_steps=2).fit(*beats)
    accountant = RDPAccountant()
    accountant.history = [(sampler.net_.noise_multiplier_, 16 / 520, 2 * 3 * 2)]
    assert sampler.epsilon_ == pytest.approx(accountant.get_epsilon(1e-5))
    assert 4.9 < sampler.epsilon_ <= 5

    class Interrupt(Callback):
        def on_batch_begin(self, net, **kwargs):
            if net.n_iter_ == 2:
                raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="Training was interrupted after 2 iterations"):
        less = private(n_discriminator_steps=2, callbacks=[Interrupt()]).fit(*beats)
    assert 0 < less.epsilon_ < sampler.epsilon_


def test_nothing_of_real_rows_is_left(private, beats, tmp_path):
    X, y = beats
    sampler = private(dp_bounds=[-2, 2]).fit(X, y)
    for parameter in sampler.net_.discriminator_.parameters():
        assert not vars(parameter)
    assert sampler.sampling_strategy_ == {}
    labels = sampler.sample(600)[1]  # 400 N, 80 V and 40 F were there
    assert all(150 < count < 250 for count in np.unique(labels, return_counts=True)[1])
    sampler.save(tmp_path / "sampler")
    manifest, tensors = read(tmp_path / "sampler")
    assert tensors["counts"].tolist() == [1, 1, 1]
    assert tensors["scale"].tolist() == [[0.5]]
    assert manifest["sampling_strategy"] == {}
    assert "synthetic_mask" not in tensors
    again = StaGANSampler.load(tmp_path / "sampler", dp_bounds=[-2, 2])
    assert again.epsilon_ == sampler.epsilon_
    np.testing.assert_array_equal(again.sample(5)[0], sampler.sample(5)[0])
    unpickled = pickle.loads(pickle.dumps(sampler))
    np.testing.assert_array_equal(unpickled.sample(5)[0], sampler.sample(5)[0])


def test_the_random_state_does_not_tell_how_many_rows_were_drawn(private, beats):
    X, y = beats
    samplers = [private().fit(X[::step], y[::step]) for step in (1, 2)]
    states = [sampler.net_.tensors()["rng_"] for sampler in samplers]
    assert torch.equal(*states)


@pytest.mark.parametrize("where", ["_slopes", "add_noise"])
def test_nothing_of_real_rows_is_left_by_an_interrupted_step(private, beats, monkeypatch, where):
    from opacus.optimizers import DPOptimizer

    holder, calls = DPOptimizer if where == "add_noise" else PrivateNet, []
    whole = getattr(holder, where)

    def interrupt(*args):
        calls.append(where)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return whole(*args)

    monkeypatch.setattr(holder, where, interrupt)
    with pytest.warns(UserWarning, match="Training was interrupted"):
        sampler = private().fit(*beats)
    monkeypatch.undo()
    for module in sampler.net_.discriminator_.modules():
        assert not hasattr(module, "activations")
    for parameter in sampler.net_.discriminator_.parameters():
        assert parameter.grad is None
        assert not vars(parameter)
    pickle.dumps(sampler)


def test_a_fit_does_not_fail_by_the_size_of_a_class(private, beats):
    X, y = beats
    sampler = private(sampling_strategy={"V": (y == "V").sum() - 1}).fit(X, y)
    assert sampler.sampling_strategy_ == {}
    with pytest.raises(ValueError, match="Originally, there is"):
        sampler.fit_resample(X, y)


def test_after_fit_resample_a_fit_tells_nothing(private, beats):
    sampler = private()
    sampler.fit_resample(*beats)
    sampler.fit(*beats)
    assert not hasattr(sampler, "synthetic_mask_")


def test_a_training_without_a_budget_is_not_called_private(private, beats):
    sampler = private(max_epochs=1).fit(*beats)
    sampler.set_params(dp_epsilon=None, dp_bounds=None)
    with pytest.raises(ValueError, match="'dp_epsilon' must not become None"):
        sampler.partial_fit(*beats)
    sampler.set_params(warm_start=True)
    with pytest.raises(ValueError, match="'dp_epsilon' must not become None"):
        sampler.fit(*beats)
    sampler.set_params(warm_start=False).fit(*beats)
    assert not hasattr(sampler, "epsilon_")


class Pooled(torch.nn.Module):
    """Scores a row by how it differs from the mean of the batch."""

    def __init__(self, n_channels, n_timepoints, n_classes):
        super().__init__()
        self.score = torch.nn.Linear(n_channels * n_timepoints, 1)

    def forward(self, X, y):
        X = X.flatten(1)
        return self.score(X - X.mean(dim=0)).squeeze(1)


class PooledInTraining(Pooled):
    def forward(self, X, y):
        return super().forward(X, y) if self.training else self.score(X.flatten(1)).squeeze(1)


class Following(PooledInTraining):
    """Keeps a mean of the rows that it has seen."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.dropout = torch.nn.Dropout(0.5)
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, X, y):
        self.mean += X.mean()
        return self.score(self.dropout(X.flatten(1))).squeeze(1)


class FollowingBeside(Following):
    """Keeps it where no state has it."""

    def __init__(self, *args, keep, **kwargs):
        super().__init__(*args, **kwargs)
        del self.mean
        self.keep = keep
        if keep == "buffer":
            self.register_buffer("seen", torch.zeros(()), persistent=False)
        self.all_seen, self.queue, self.set, self.n_seen = [], deque(maxlen=1), set(), 0

    def forward(self, X, y):
        if self.training:
            mean = X.detach().mean()
            if self.keep == "buffer":
                self.seen = self.seen + mean
            elif self.keep == "list":
                self.all_seen.append(mean.item())
            elif self.keep == "queue":
                self.queue.append(mean.numpy()[()])
            elif self.keep == "set":
                self.set.add(str(mean))
            elif self.keep == "number":
                self.n_seen += len(X)
            else:
                self.last_seen = {"array": mean.numpy()}
        return self.score(X.flatten(1)).squeeze(1)


@pytest.mark.parametrize(
    ("discriminator", "message"),
    [
        (PooledInTraining, "Got scores that differ with the other rows of a batch"),
        (Following, "Got a buffer or a counter that follows the rows"),
        *(
            (partial(FollowingBeside, keep=keep), "Got a buffer or a counter that follows the rows")
            for keep in ("buffer", "list", "queue", "set", "number", "array")
        ),
        (partial(ConvDiscriminator, channels=(4, 4)), "Got MinibatchDiscrimination"),
        (Pooled, "Got scores that differ with the other rows of a batch"),
    ],
)
def test_discriminators_that_tie_rows_together_are_refused(private, beats, discriminator, message):
    with pytest.raises(ValueError, match=f"'discriminator' must score each row.*{message}"):
        private(discriminator=discriminator).fit(*beats)


class WithPositions(Pooled):
    """Puts by what is the same for all rows."""

    positions = None

    def forward(self, X, y):
        if self.positions is None:
            self.positions = torch.linspace(0, 1, X[0].numel())
        return self.score(X.flatten(1) + self.positions).squeeze(1)


def test_what_does_not_depend_on_rows_may_be_put_by():
    check_rows_apart(WithPositions(1, 16, 2), (1, 16), 2)


class Hidden(torch.nn.Module):
    """Takes a mean over the rows, behind weights that are nothing, or next to it, at first."""

    def __init__(self, n_channels, n_timepoints, n_classes, scale=0.0):
        super().__init__()
        self.first, self.last = torch.nn.Linear(n_channels * n_timepoints, 8), torch.nn.Linear(8, 1)
        with torch.no_grad():
            self.last.weight *= scale

    def forward(self, X, y):
        X = X.flatten(1)
        return self.last(torch.tanh(self.first(X - 5 * X.mean(0)))).squeeze(1)


class OfOwnClass(Pooled):
    """Adds the other rows of the same class to each row."""

    def forward(self, X, y):
        X = X.flatten(1)
        return self.score(X + (y[:, None] == y).to(X) @ X).squeeze(1)


@pytest.mark.parametrize(
    ("discriminator", "n_classes"),
    [(Hidden, 2), (partial(Hidden, scale=1e-5), 2), (OfOwnClass, 2), (OfOwnClass, 8)],
)
def test_ties_that_do_not_show_at_once_are_refused(private, discriminator, n_classes):
    X = np.random.default_rng(0).normal(size=(240, 16))
    with pytest.raises(ValueError, match="Got scores that differ with the other rows of a batch"):
        private(discriminator=discriminator).fit(X, np.arange(240) % n_classes)


def test_weights_are_as_they_were_after_they_were_moved():
    net = Hidden(1, 16, 2, scale=1.0)
    before = copy.deepcopy(net.state_dict())
    with _moved(net):
        assert not any(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize("epsilon", [1e6, 1e15, 1e17, 1e300])
def test_a_huge_budget_is_no_endless_search(private, beats, epsilon):
    sampler = private(dp_epsilon=epsilon).fit(*beats)
    assert 0 < sampler.epsilon_ <= epsilon


def test_advice_is_of_what_matters(private, beats):
    with pytest.raises(RuntimeError, match=r"diverged .* Lower 'lr' \(now 1000000000.0\)\.$"):
        private(lr=1e9, max_epochs=9).fit(*beats)


class ByTime(torch.nn.Module):
    """Scores each row for itself, by its time points."""

    def __init__(self, n_channels, n_timepoints, n_classes):
        super().__init__()
        self.first, self.last = torch.nn.Linear(n_channels, 4), torch.nn.Linear(4, 1)

    def forward(self, X, y):
        return self.score(X.transpose(1, 2))

    def score(self, X):
        return self.last(torch.relu(self.first(X))).squeeze(2).sum(1)


class ByTimeMerged(ByTime):
    def score(self, X):
        hidden = torch.relu(self.first(X.flatten(0, 1)))
        return self.last(hidden).view(X.shape[:2]).sum(1)


class ByTimeFirst(ByTime):
    def score(self, X):
        return self.last(torch.relu(self.first(X.transpose(0, 1)))).squeeze(2).sum(0)


class BothWays(ByTime):
    def score(self, X):
        return super().score(torch.cat([X, X.flip(1)])).view(2, -1).sum(0)


class TiedBackwards(ByTime):
    def score(self, X):
        hidden = torch.relu(self.first(X))
        if hidden.requires_grad:
            hidden.register_hook(lambda gradients: gradients / gradients.norm())
        return self.last(hidden).squeeze(2).sum(1)


class Dropping(ByTime):
    def score(self, X):
        return super().score(torch.nn.functional.dropout(X, training=self.training))


class Bare(ByTime):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.gain = torch.nn.Parameter(torch.ones(()))

    def forward(self, X, y):
        return self.gain * super().forward(X, y)


class Unused(ByTime):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.more = torch.nn.Linear(3, 3)


class Spectral(ByTime):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.first = torch.nn.utils.parametrizations.spectral_norm(self.first)


@pytest.mark.parametrize(
    ("discriminator", "message"),
    [
        (ByTimeMerged, "a layer whose first axis is not that of the rows"),
        (ByTimeFirst, "a layer whose first axis is not that of the rows"),
        (BothWays, "a layer whose first axis is not that of the rows"),
        (TiedBackwards, "a layer .* that of the rows, or ties them"),
        (Bare, "missing 1 required positional argument"),
        (Unused, "a parameter that scores do not depend on"),
        (Spectral, "a layer or a buffer that it does not know"),
    ],
)
def test_layers_in_which_rows_would_not_be_clipped_are_refused(
    private, beats, discriminator, message
):
    with pytest.raises(ValueError, match=f"'discriminator' must be made of layers.*{message}"):
        private(discriminator=discriminator).fit(*beats)


def test_dropout_does_not_tell_how_many_rows_were_drawn(private, beats):
    X, y = beats
    states = []
    for step in (1, 2):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            private(discriminator=Dropping).fit(X[::step], y[::step])
            states.append(torch.get_rng_state())
    assert torch.equal(*states)


def test_a_layer_that_keeps_rows_on_the_first_axis_is_taken(private, beats):
    assert private(discriminator=ByTime).fit(*beats).epsilon_ > 0


def test_rows_dropped_out_at_random_are_no_tie():
    discriminator = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))
    discriminator.forward = lambda X, y: discriminator[1](discriminator[0](X[:, 0])).squeeze(1)
    check_rows_apart(discriminator, (1, 8), 2)
    assert discriminator.training


def test_the_secret_is_longer_than_a_seed():
    """Torch's generator on the CPU takes 32 bits of a seed, which can be gone through."""
    first, second = (secret_generator("cpu") for _ in range(2))
    assert (first.get_state() != second.get_state()).sum() > 2000
    seeded = torch.Generator().manual_seed(first.initial_seed())
    noise = torch.randn(10_000, generator=first)
    assert not torch.equal(noise, torch.randn(10_000, generator=seeded))
    assert abs(noise.mean()) < 0.05
    assert noise.std() == pytest.approx(1, abs=0.05)
    draws = [torch.rand(4, generator=secret_generator("cpu", 7)) for _ in range(2)]
    assert torch.equal(*draws)


def test_small_classes_are_learned_like_others_and_not_kept(private, beats):
    X, y = beats
    keep = np.r_[np.flatnonzero(y == "N"), np.flatnonzero(y == "F")[:3]]
    sampler = private().fit(X[keep], y[keep])
    assert sampler._few_rows == {}
    assert sampler.sample(y=["F"] * 4)[0].shape == (4, 64)


def test_without_a_seed_the_noise_is_another_each_time(private, beats):
    first, second = (private(random_state=None, max_epochs=1).fit(*beats) for _ in range(2))
    assert first.net_.noise_seed is None
    assert not torch.equal(
        first.net_.discriminator_.score.weight, second.net_.discriminator_.score.weight
    )
    assert not hasattr(first.net_, "secret_rng_")


def test_what_is_done_otherwise_is_said(quick, beats):
    with pytest.warns(UserWarning, match="goes on with minibatch_features=0, gradient_pen.*'bce'"):
        quick(dp_epsilon=5.0, dp_bounds=(-2, 2), max_epochs=1).fit(*beats)
    sampler = quick(**PRIVATE, max_epochs=1)
    with pytest.warns(UserWarning, match="'random_state'") as caught:
        sampler.fit(*beats)
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"dp_epsilon": 1e-3}, "'dp_epsilon' must be a budget that 6 steps can keep"),
        ({"dp_epsilon": 0}, "'dp_epsilon' parameter of StaGANSampler must be"),
        ({"dp_delta": 0.01}, "'dp_delta' must be below 1 / 520"),
        ({"dp_bounds": None}, "'dp_bounds' must be two rising numbers"),
        ({"dp_bounds": ("a", "b")}, "'dp_bounds' must be two rising numbers"),
        ({"dp_bounds": (2, -2)}, r"'dp_bounds' must be two rising numbers.*Got \(2, -2\)"),
        ({"batch_size": 600}, "'batch_size' must not exceed the 520 rows"),
        ({"conditioning": "per_class"}, "'conditioning' must be 'shared' with 'dp_epsilon'"),
        ({"loss": lambda real, fake: (real, fake)}, "'loss' must be the name of one"),
        ({"warm_start": True}, "'dp_epsilon' must be None with 'warm_start'"),
        ({"checkpoint": "folder"}, "'dp_epsilon' must be None with 'warm_start', 'checkpoint'"),
    ],
)
def test_refused_before_training(private, beats, params, message):
    sampler = private(**params)
    with pytest.raises(ValueError, match=message):
        sampler.fit(*beats)
    assert not hasattr(sampler, "net_")


def test_partial_fit_is_refused(private, beats):
    with pytest.raises(ValueError, match="'dp_epsilon' must be None with .* 'partial_fit'"):
        private().partial_fit(*beats)


def test_a_missing_extra_is_named(private, beats, monkeypatch):
    monkeypatch.setitem(sys.modules, "opacus", None)
    with pytest.raises(ImportError, match=r"'dp_epsilon' needs opacus.*'sktsgan\[privacy\]'"):
        private().fit(*beats)


def exposure(epsilon, n_steps, n_seeds):
    """Mean exposure, in bits, of rows that a discriminator learns to tell from fresh ones.

    Secret and other rows are noise, so there is nothing to learn but the secret rows themselves.
    """
    bits = []
    for seed in range(n_seeds):
        noise_multiplier = find_noise(epsilon, 1e-3, 0.5, n_steps) if epsilon else 0.0
        discriminator, steps = build(
            32, seed, noise_multiplier=noise_multiplier, batch_size=15, sample_rate=0.5, lr=1.0
        )
        rng = torch.Generator().manual_seed(seed)
        canaries = torch.randn(30, 1, 32, generator=rng)
        for _ in range(n_steps):
            chosen = canaries[torch.rand(30, generator=rng) < 0.5]
            X = torch.cat([chosen, torch.randn(15, 1, 32, generator=rng)])
            sign = torch.where(torch.arange(len(X)) < len(chosen), -1.0, 1.0)
            y = torch.zeros(len(X), dtype=torch.long)
            steps.find_gradients(X, y, partial(slope_of_bce, sign))
            steps.step()
        steps.close()
        with torch.no_grad():
            fresh = torch.randn(500, 1, 32, generator=rng)
            score = [
                discriminator(X, torch.zeros(len(X), dtype=torch.long)) for X in (canaries, fresh)
            ]
        ranks = 1 + (score[1][None] > score[0][:, None]).sum(1)
        bits.append((np.log2(501) - np.log2(ranks.numpy())).mean())
    return np.mean(bits)


def slope_of_bce(sign, scores):
    return sign * torch.sigmoid(sign * scores)


def test_what_is_given_away_falls_with_epsilon():
    with fixed_order():
        bits = [exposure(epsilon, 80, 2) for epsilon in (None, 0.5)]
    # a row that was not in has log2(501) - E log2(rank), 1.4 bits
    assert bits[0] > 3
    assert bits[1] < 2.2


@pytest.mark.trust
def test_what_is_given_away_falls_with_epsilon_step_by_step():
    with fixed_order():
        bits = [exposure(epsilon, 300, 4) for epsilon in (None, 100, 10, 1, 0.3)]
    assert bits == sorted(bits, reverse=True)
    assert bits[0] > 5
    assert bits[-1] < 1.8
