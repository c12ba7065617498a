"""Networks of the user's own: what they hold, how they are built, and what is refused."""

import copy
import pickle
from functools import partial

import numpy as np
import pytest
import torch
from skorch.callbacks import Freezer, LRScheduler
from torch import nn
from torch.nn.utils import parametrizations
from torch.optim.lr_scheduler import OneCycleLR

from sktsgan import StaGANSampler, _net
from tests.test_checkpoint import BreakError, breaking


class Generator(nn.Module):
    """Two layers, with a place for something between them."""

    latent_size = 4

    def __init__(self, n_channels, n_timepoints, n_classes):
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, n_timepoints)
        self.classes = nn.Embedding(n_classes, 8)

    def forward(self, z, y):
        return self.last(torch.tanh(self.between(self.first(z) + self.classes(y))))[:, None]

    def between(self, hidden):
        return hidden


class Spectral(Generator):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.first = parametrizations.spectral_norm(self.first)
        self.last = parametrizations.weight_norm(self.last)


class Transposed(Generator):
    """Has weights that do not lie in memory as they are read."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.first.weight = nn.Parameter(torch.randn(4, 8).t())


class Drawn(Generator):
    """Holds random numbers of which no file knows."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.order = torch.randperm(8)
        self.register_buffer("gains", torch.rand(8), persistent=False)

    def between(self, hidden):
        return self.gains * hidden[:, self.order]


class Remembering(Generator):
    """Has a buffer that comes, and changes its shape, with the rows."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.register_buffer("hidden", None)

    def between(self, hidden):
        if self.training:
            self.hidden = hidden.detach()
        return hidden


class InPlace(Generator):
    def forward(self, z, y):
        z *= 1.5
        return super().forward(z, y)


class OutOfPlace(Generator):
    def forward(self, z, y):
        return super().forward(1.5 * z, y)


class Discriminator(nn.Module):
    def __init__(self, n_channels, n_timepoints, n_classes):
        super().__init__()
        self.first, self.last = nn.Linear(n_timepoints, 8), nn.Linear(8, 1)

    def forward(self, X, y):
        return self.last(torch.tanh(self.first(X[:, 0]))).squeeze(1)


class Attending(Discriminator):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, X, y):
        parts = X[:, 0].unfold(1, 8, 8)
        return self.last(self.attend(parts, parts, parts, need_weights=False)[0].mean(1)).squeeze(1)


class Recurrent(Discriminator):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.recur = nn.LSTM(8, 8, batch_first=True)

    def forward(self, X, y):
        return self.last(self.recur(X[:, 0].unfold(1, 8, 8))[0].mean(1)).squeeze(1)


class WeightNorm(Discriminator):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.first = nn.utils.weight_norm(self.first)


def rows(sampler):
    return sampler.sample(20, random_state=0)[0]


def gone_on(sampler, beats):
    """Train one step more with what was learned."""
    return rows(sampler.set_params(warm_start=True, max_epochs=1, steps_per_epoch=1).fit(*beats))


def saved(sampler, path, **custom):
    sampler.save(path)
    return StaGANSampler.load(path, **custom)


def test_vectors_of_spectral_norm_are_not_averaged(quick, beats):
    average = quick(generator=Spectral, steps_per_epoch=30).fit(*beats).net_.average_
    (norm,) = average.first.parametrizations.weight
    assert norm._u.norm() == pytest.approx(1, abs=1e-5)
    assert torch.linalg.matrix_norm(average.first.weight, 2) == pytest.approx(1, abs=0.1)


def test_layers_that_torch_does_not_pickle(quick, beats, tmp_path, monkeypatch):
    sampler = quick(generator=Spectral).fit(*beats)
    with monkeypatch.context() as patch:
        patch.setattr(_net, "is_cpu", lambda device: False)
        of_a_card = pickle.dumps(sampler)
    others = [
        pickle.loads(of_a_card),
        pickle.loads(pickle.dumps(sampler)),
        copy.deepcopy(sampler),
        saved(sampler, tmp_path / "file", generator=Spectral),
    ]
    expected, later = rows(sampler), gone_on(sampler, beats)
    for other in others:
        np.testing.assert_array_equal(rows(other), expected)
        np.testing.assert_array_equal(gone_on(other, beats), later)
    apart = [
        quick(generator=Spectral, conditioning="per_class", n_jobs=n_jobs) for n_jobs in (None, 2)
    ]
    np.testing.assert_array_equal(*(rows(one.fit(*beats)) for one in apart))


@pytest.mark.parametrize("generator", [Transposed, Drawn])
def test_a_file_and_a_failure_change_nothing(quick, beats, tmp_path, generator):
    sampler = quick(generator=generator, steps_per_epoch=20).fit(*beats)
    loaded = saved(sampler, tmp_path / "file", generator=generator)
    failed = copy.deepcopy(sampler).set_params(warm_start=True, callbacks=[breaking(0)])
    with pytest.raises(BreakError):
        failed.fit(*beats)
    failed.set_params(callbacks=None)
    np.testing.assert_array_equal(rows(loaded), rows(sampler))
    later = gone_on(sampler, beats)
    for other in (loaded, failed):
        np.testing.assert_array_equal(gone_on(other, beats), later)


@pytest.mark.parametrize("generator", [Transposed, Drawn, Spectral])
def test_a_break_changes_nothing(quick, beats, tmp_path, generator):
    build = partial(quick, generator=generator, max_epochs=3)
    expected = rows(build().fit(*beats))
    with pytest.raises(BreakError):
        build(checkpoint=tmp_path, callbacks=[breaking(1)]).fit(*beats)
    np.testing.assert_array_equal(rows(build(checkpoint=tmp_path).fit(*beats)), expected)


def test_frozen_layers_stay_frozen(quick, beats, tmp_path):
    build = partial(quick, generator=Generator, max_epochs=4)
    freezer = Freezer("first*")
    expected = build(callbacks=[freezer]).fit(*beats)
    with pytest.raises(BreakError):
        build(callbacks=[freezer, breaking(2)], checkpoint=tmp_path).fit(*beats)
    resumed = build(callbacks=[freezer], checkpoint=tmp_path).fit(*beats)
    np.testing.assert_array_equal(rows(resumed), rows(expected))
    loaded = saved(expected, tmp_path / "file", generator=Generator)
    before = loaded.net_.module_.first.weight.clone()
    gone_on(loaded, beats)
    assert torch.equal(loaded.net_.module_.first.weight, before)


def test_buffers_of_any_shape(quick, beats):
    net = quick(generator=Remembering).fit(*beats).net_
    assert torch.equal(net.average_.hidden, net.module_.hidden)


def test_noise_that_is_changed_in_place(quick, beats):
    ours, expected = (quick(generator=own).fit(*beats) for own in (InPlace, OutOfPlace))
    assert ours.best_score_ == expected.best_score_
    assert ours.history_[-1]["valid_mmd"] == expected.history_[-1]["valid_mmd"]


@pytest.mark.parametrize("discriminator", [Attending, Recurrent])
def test_there_is_a_penalty(quick, beats, discriminator):
    ways = torch.backends.cuda.flash_sdp_enabled, lambda: torch.backends.cudnn.enabled
    before = [way() for way in ways]
    quick(discriminator=discriminator).fit(*beats)
    assert [way() for way in ways] == before


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
def test_layers_that_cannot_be_copied(quick, beats):
    assert np.isfinite(rows(quick(discriminator=WeightNorm).fit(*beats))).all()


def test_a_scheduler_leaves_the_moments_as_they_were(quick, beats):
    scheduler = LRScheduler(OneCycleLR, max_lr=1e-3, total_steps=9)
    sampler = quick(callbacks=[scheduler], warm_start=True).fit(*beats)
    sampler.set_params(callbacks=None).fit(*beats)
    for name in sampler.net_._both_optimizers:
        (group,) = getattr(sampler.net_, name).param_groups
        assert group["betas"] == sampler.betas


def test_small_numbers_of_numpy(quick, beats):
    numbers = {"n_discriminator_steps": 20, "batch_size": 20, "penalty_interval": 3}
    small = {name: np.uint8(value) for name, value in numbers.items()}
    build = partial(quick, max_epochs=1, steps_per_epoch=2)
    np.testing.assert_array_equal(*(rows(build(**own).fit(*beats)) for own in (numbers, small)))


def changed(network, change):
    """Build a network that returns something else."""

    class Changed(network):
        def forward(self, *args):
            return change(super().forward(*args))

    return Changed


class Deaf(Discriminator):
    def forward(self, X, y):
        return super().forward(0 * X.detach(), y)


class Weightless(nn.Module):
    latent_size = 64

    def __init__(self, **kwargs):
        super().__init__()

    def forward(self, z, y):
        return z[:, None]


WRONG = {
    "tuple": lambda values: (values, values),
    "NoneType": lambda values: None,
    "ndarray": lambda values: values.detach().numpy(),
    "of torch.int64": lambda values: values.long(),
    "values without a gradient": lambda values: values.detach(),
    "NaN or infinite values": lambda values: values / 0,
}


@pytest.mark.parametrize("got", WRONG)
def test_what_networks_return(quick, beats, got):
    with pytest.raises(
        ValueError, match=f"'generator' must return signals of shape .* Got .*{got}"
    ):
        quick(generator=changed(Generator, WRONG[got])).fit(*beats)
    with pytest.raises(ValueError, match=f"'discriminator' must return scores .* Got .*{got}"):
        quick(discriminator=changed(Discriminator, WRONG[got])).fit(*beats)


def test_networks_from_which_nothing_is_learned(quick, beats):
    for change in (torch.Tensor.double, torch.Tensor.bfloat16):
        with pytest.raises(ValueError, match="and torch.float32 for two rows.* Got .* of torch."):
            quick(generator=changed(Generator, change)).fit(*beats)
    with pytest.raises(ValueError, match="Got a module without any"):
        quick(generator=Weightless).fit(*beats)
    with pytest.raises(ValueError, match="'discriminator' must score signals. Got scores without"):
        quick(discriminator=Deaf).fit(*beats)
    with pytest.raises(TypeError, match="an attribute 'latent_size', .* Got Negative with -1"):
        quick(generator=type("Negative", (Generator,), {"latent_size": -1})).fit(*beats)
