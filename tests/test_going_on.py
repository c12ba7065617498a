"""Training that goes on: ``partial_fit`` and ``warm_start``."""

import pickle
import re
from collections import Counter
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from skorch.callbacks import Callback, LRScheduler

from sktsgan import StaGANSampler
from sktsgan._arrays import put_before
from sktsgan._callbacks import BestByMMD
from sktsgan.losses import relativistic
from sktsgan.metrics import maximum_mean_discrepancy
from tests.conftest import LEARNING, scaled


def weights(sampler):
    return torch.cat([p.flatten() for p in sampler.net_.module_.state_dict().values()])


def test_partial_fit_goes_on(quick, beats):
    sampler = quick(patience=None).partial_fit(*beats)
    first, net, best_iter = weights(sampler), sampler.net_, sampler.best_iter_
    assert sampler.n_iter_ == 6
    sampler.partial_fit(*beats)
    assert sampler.net_ is net
    assert sampler.n_iter_ == 12
    assert len(sampler.history_) == 4
    assert sampler.best_iter_ in (best_iter, 9, 12)
    assert torch.equal(weights(sampler), first) == (sampler.best_iter_ == best_iter)
    assert sum(sampler.sampling_strategy_.values()) == 2 * sum(
        quick().fit(*beats).sampling_strategy_.values()
    )


@pytest.mark.parametrize(
    "wrong",
    [{"penalty_interval": 0}, {"lr": float("nan")}, {"batch_size": 2.7}, {"selection": "x"}],
)
def test_parameters_that_changed_are_checked(quick, beats, wrong):
    (name,) = wrong
    sampler = quick().fit(*beats)
    with pytest.raises(ValueError, match=f"The '{name}' parameter of StaGANSampler must be"):
        sampler.set_params(**wrong).partial_fit(*beats)
    assert sampler.n_iter_ == 6


def test_a_first_call_that_fails_is_none(quick, beats):
    sampler = quick()
    with pytest.raises(ValueError, match="'y' must hold classes of the first call"):
        sampler.partial_fit(*beats, classes=["N"])
    with pytest.raises(ValueError, match="'kernel_size' must be odd"):
        sampler.set_params(kernel_size=4).partial_fit(beats[0][:, :30], beats[1])
    sampler.set_params(kernel_size=5).partial_fit(*beats, classes=["F", "N", "V"])
    assert sampler.n_iter_ == 6
    assert sampler._counts.sum() == len(beats[0])


def test_a_call_that_fails_changes_nothing(quick, beats):
    X, y = beats
    sampler = quick(warm_start=True).fit(X, y)
    before = sampler.sample(5, random_state=0)[0]
    with pytest.raises(ValueError, match="is expecting 64 features"):
        sampler.fit(X[:, :16], y)
    frame = pd.DataFrame(np.rint(X).astype(int))
    frame[0] += 0.5
    with pytest.raises(ValueError, match="'Z'"):
        sampler.set_params(warm_start=False, sampling_strategy={"Z": 9}).fit(frame, y)
    sampler.set_params(sampling_strategy="auto")
    np.testing.assert_array_equal(sampler.sample(5, random_state=0)[0], before)
    with pytest.raises(ValueError, match="'kernel_size' must be odd"):
        sampler.set_params(kernel_size=4).fit(X, y)
    np.testing.assert_array_equal(sampler.sample(5, random_state=0)[0], before)
    with pytest.raises(ValueError, match="'betas' must be"):
        sampler.set_params(betas=(0, 1), kernel_size=5).partial_fit(X, y)
    sampler.set_params(betas=(0, 0.99)).partial_fit(X, y)
    assert sampler._counts.sum() == 2 * len(X)


@pytest.mark.filterwarnings("ignore:Class 'V' has 10 rows:UserWarning")
def test_whole_numbers_of_small_classes_stay(quick, one_class_short):
    (X, y), _ = one_class_short
    X = np.rint(60 * X + 1000).astype(np.int16)
    sampler = quick().partial_fit(X, y)
    for _ in range(3):
        sampler.partial_fit(X[y == "N"], y[y == "N"])
    (few,) = sampler._few_rows.values()
    np.testing.assert_allclose(sampler._scaler.restored(few)[:, 0], X[y == "V"], atol=1e-3)


def test_types_are_those_of_the_last_rows(quick, beats):
    X, y = beats
    sampler = quick(warm_start=True).fit(np.rint(X).astype(np.int16), y)
    resampled, _ = sampler.fit_resample(X, y)
    assert resampled.dtype == X.dtype
    assert (resampled[len(X) :] % 1 != 0).any()


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor])
def test_an_equal_partial_function_goes_on(quick, beats, kind):
    one, equal, other = (
        partial(scaled, scales=kind(scales)) for scales in ([1, 2], [1, 2], [2, 2])
    )
    sampler = quick(warm_start=True, loss=one).fit(*beats)
    sampler.set_params(loss=equal).fit(*beats)
    with pytest.raises(ValueError, match="'loss' must stay as it was"):
        sampler.set_params(loss=other).fit(*beats)


def test_what_a_partial_function_is_loaded_with(quick, beats, tmp_path):
    loss = partial(scaled, scales=[1, 2])
    sampler = quick(loss=loss).fit(*beats)
    sampler.set_params(dp_epsilon=1.0, dp_bounds=(-3, 3)).save(tmp_path / "sampler")
    again = StaGANSampler.load(tmp_path / "sampler", loss=loss)
    assert again.dp_epsilon is None
    with pytest.raises(ValueError, match="'conditioning' must be that of the saved sampler"):
        StaGANSampler.load(tmp_path / "sampler", loss=loss, conditioning="per_class")
    with pytest.raises(ValueError, match="'betas' must be that of the saved sampler"):
        StaGANSampler.load(tmp_path / "sampler", loss=loss, betas=np.array([0.5, 0.99]))


@pytest.mark.parametrize("strategy", [{"V": 100}, 0.5])
def test_partial_fit_may_outgrow_the_strategy(quick, beats, strategy):
    sampler = quick(sampling_strategy=strategy).partial_fit(beats[0][:460], beats[1][:460])
    rare = np.flatnonzero(beats[1] != "N")
    sampler.partial_fit(beats[0], beats[1])
    for _ in range(4):
        sampler.partial_fit(beats[0][rare], beats[1][rare])
    assert sampler.n_iter_ == 36
    assert sampler.sampling_strategy_ == {}


@pytest.fixture
def one_class_short(beats):
    """Return beats of which V has 10 rows, and as many of V as there are."""
    X, y = beats
    keep = np.r_[np.flatnonzero(y != "V"), np.flatnonzero(y == "V")[:10]]
    return (X[keep], y[keep]), (X[y == "V"], y[y == "V"])


@pytest.mark.parametrize("loaded", [False, True])
def test_a_class_that_comes_later_is_interpolated(quick, one_class_short, tmp_path, loaded):
    few, more = one_class_short
    with pytest.warns(UserWarning, match="Class 'V' has 10 rows, fewer than the 20"):
        sampler = quick().fit(*few)
    if loaded:
        sampler.save(tmp_path / "sampler")
        sampler = StaGANSampler.load(tmp_path / "sampler")
    with pytest.warns(UserWarning, match="Class 'V' has 90 rows, but fewer at first"):
        sampler.partial_fit(*more)
    X, _ = sampler.sample(y=["V"] * 50, random_state=0)
    assert np.abs(X).max() < 10
    sampler.save(tmp_path / "again")
    again = StaGANSampler.load(tmp_path / "again").sample(y=["V"] * 50, random_state=0)[0]
    np.testing.assert_array_equal(again, X)


def test_warm_start_with_a_class_that_comes_later(quick, one_class_short, beats):
    with pytest.warns(UserWarning, match="Class 'V' has 10 rows"):
        sampler = quick().fit(*one_class_short[0]).set_params(warm_start=True)
    with pytest.warns(UserWarning, match="Class 'V' has 80 rows, but fewer at first"):
        X, _ = sampler.fit_resample(*beats)
    assert np.isfinite(X).all()


@pytest.mark.parametrize(
    ("first", "then", "expected"), [("int8", "int16", "int16"), ("int64", "float32", "float64")]
)
def test_columns_hold_the_numbers_of_all_calls(quick, first, then, expected):
    rng = np.random.default_rng(0)
    X, y = pd.DataFrame(rng.normal(0, 30, size=(70, 16)).astype(first)), ["N"] * 35 + ["V"] * 35
    sampler = quick().partial_fit(X, y, classes=["N", "S", "V"])
    X_rare = pd.DataFrame(rng.normal(1000, 100, size=(5, 16)).astype(then))
    for rows, labels in ((X_rare, ["S"] * 5), (X, y)):
        with pytest.warns(UserWarning, match="Class 'S' has 5 rows"):
            sampler.partial_fit(rows, labels)
    X_new, _ = sampler.sample(y=["S"] * 50, random_state=0)
    assert X_new.dtype == expected
    assert 400 < X_new.min() < X_new.max() < 1600
    assert (X_new == np.rint(X_new)).all() == (then != "float32")


@pytest.mark.parametrize(
    "change",
    [{"hidden_size": 9}, {"loss": "hinge"}, {"conditioning": "per_class"}, {"betas": (0, 0.9)}],
)
def test_what_must_stay_while_training_goes_on(quick, beats, tmp_path, change):
    sampler = quick(warm_start=True).fit(*beats)
    ((name, value),) = change.items()
    sampler.set_params(**change)
    message = re.escape(f"'{name}' must stay as it was while training goes on")
    with pytest.raises(ValueError, match=message):
        sampler.fit(*beats)
    sampler.save(tmp_path / "sampler")
    again = StaGANSampler.load(tmp_path / "sampler")
    assert getattr(again, name) != value
    np.testing.assert_array_equal(*(s.sample(3, random_state=0)[0] for s in (again, sampler)))
    sampler.set_params(warm_start=False).fit(*beats)


def test_partial_fit_learns(beats):
    X, y = beats
    sampler = StaGANSampler(max_epochs=1, steps_per_epoch=60, **LEARNING)
    figures = []
    for part in (np.arange(i, len(X), 2) for i in (0, 1, 0, 1)):
        sampler.partial_fit(X[part], y[part], classes=["F", "N", "V"])
        new, _ = sampler.sample(y=["N"] * 300, random_state=0)
        figures.append(maximum_mean_discrepancy(X[y == "N"], new))
    assert figures[-1] < figures[0] / 2


def test_training_that_goes_on_has_to_beat_what_there_was(quick, beats):
    net = quick(max_epochs=1).fit(*beats).net_
    best = BestByMMD({0: beats[0][:40, None]}, iter_before=2)
    best.on_train_begin(net)
    assert (best.best_score_, best.best_iter_) == (best._measure(net), 2)


def test_weights_that_nothing_beats_are_those_of_their_step(quick, beats, tmp_path):
    sampler = quick(max_epochs=6, ema_decay=0, lr=0.005, patience=None).fit(*beats)
    assert sampler.best_iter_ < sampler.n_iter_ == 18
    sampler.save(tmp_path / "x")
    for own in (sampler, StaGANSampler.load(tmp_path / "x")):
        before, best_iter = weights(own), own.best_iter_
        own.set_params(lr=1e-30, warm_start=True, max_epochs=1).fit(*beats)
        assert (own.n_iter_, own.best_iter_) == (21, best_iter)
        assert torch.equal(weights(own), before)


@pytest.mark.parametrize("lr", [1e6, 1e20])
def test_what_diverges_without_held_out_rows_changes_nothing(quick, beats, lr):
    sampler = quick(validation_fraction=0).partial_fit(*beats)
    before = weights(sampler)
    sampler.set_params(lr=lr, max_epochs=20)
    with pytest.warns(UserWarning, match="The weights of iteration 6 are kept"):
        sampler.partial_fit(*beats)
    assert torch.equal(weights(sampler), before)
    sampler.set_params(lr=1e-3, validation_fraction=0.2, max_epochs=2).partial_fit(*beats)
    assert np.isfinite(sampler.best_score_)


@pytest.mark.parametrize("call", [10, 11])
def test_an_interrupted_step_goes_on(quick, beats, call):
    """A loss is tried once, then asked by the discriminator's steps and the generator's in turn."""
    calls = []

    def loss(real, fake):
        calls.append(call)
        if len(calls) == call:
            raise KeyboardInterrupt
        return relativistic(real, fake)

    sampler = quick(loss=loss, warm_start=True, max_epochs=4)
    with pytest.warns(UserWarning, match="Training was interrupted after 4 iterations"):
        sampler.fit(*beats)
    sampler.fit(*beats)
    assert sampler.n_iter_ == 16


def test_a_class_that_comes_later(quick, beats):
    X, y = beats
    first = y != "F"
    sampler = quick().partial_fit(X[first], y[first], classes=["F", "N", "V"])
    assert sampler.classes_.tolist() == ["F", "N", "V"]
    assert set(sampler.sample(50, random_state=0)[1]) == {"N", "V"}
    with pytest.raises(ValueError, match=r"seen in 'fit', \['N', 'V'\]. Got 'F'"):
        sampler.sample(y=["F"])
    F = np.flatnonzero(y == "F")
    with pytest.warns(UserWarning, match="Class 'F' has 15 rows"):
        sampler.partial_fit(X[F[:15]], y[F[:15]])
    assert sampler.sample(y=["F"])[0].shape == (1, 64)
    sampler.partial_fit(X[F[15:25]], y[F[15:25]])  # 25 together are learned
    assert not sampler._few_rows
    X_new, y_new = sampler.sample(90, random_state=0)
    assert np.isfinite(X_new).all()
    assert set(y_new) == {"F", "N", "V"}


def test_classes_by_themselves(quick, beats):
    X, y = beats
    sampler = quick(conditioning="per_class").partial_fit(
        X[y == "N"], y[y == "N"], classes=["F", "N", "V"]
    )
    assert set(sampler.net_) == {"N"}
    sampler.partial_fit(X[y == "V"], y[y == "V"])
    assert set(sampler.net_) == {"N", "V"}
    assert sampler.net_["N"].n_iter_ == sampler.net_["V"].n_iter_ == 6


def test_a_strategy_that_fails_leaves_nothing(quick, beats):
    X, y = beats
    late = y != "F"
    sampler = quick(sampling_strategy=lambda y: {"F": 2 * Counter(y.tolist()).get("F")})
    with pytest.raises(TypeError):
        sampler.partial_fit(X[late], y[late], classes=["F", "N", "V"])
    assert not hasattr(sampler, "net_")


def test_what_does_not_fit_is_refused(quick, beats):
    X, y = beats
    sampler = quick().partial_fit(X[y != "F"], y[y != "F"])
    sampler.set_params(warm_start=True)  # not what `partial_fit` goes by
    with pytest.raises(ValueError, match=r"classes of the first call.*Got 'F'; begin .* a clone"):
        sampler.partial_fit(X, y)
    with pytest.raises(ValueError, match=r"'classes' must be those of the first call.* a clone"):
        sampler.partial_fit(X[y != "F"], y[y != "F"], classes=["N", "V", "S"])
    with pytest.raises(ValueError, match="63 features"):
        sampler.partial_fit(X[:, 1:], y)
    with pytest.raises(ValueError, match="shape of the first call"):
        sampler.partial_fit(X[y != "F"].reshape(-1, 64, 1, order="C").repeat(2, 2), y[y != "F"])
    with pytest.raises(ValueError, match=r"'y' must hold classes of the first call.*Got 'F'"):
        quick().partial_fit(X, y, classes=["N", "V"])


def test_warm_start(quick, beats):
    X, y = beats
    cold = quick().fit(X, y).fit(X, y)
    assert cold.n_iter_ == 6
    warm = quick(warm_start=True, patience=None).fit(X, y)
    net = warm.net_
    warm.set_params(max_epochs=3)
    X_resampled, _ = warm.fit_resample(X, y)
    assert len(X_resampled) == 1200
    assert warm.net_ is net
    assert warm.n_iter_ == 6 + 9
    assert (warm._counts == np.unique(y, return_counts=True)[1]).all()  # not added up
    with pytest.raises(ValueError, match="classes of the first call.*Got 'S'; set 'warm_start=F"):
        warm.fit(X, np.where(y == "F", "S", y))
    assert quick().fit(X, np.where(y == "F", "S", y)).classes_.tolist() == ["N", "S", "V"]


def test_a_loaded_sampler_goes_on_like_the_saved_one(quick, beats, tmp_path):
    sampler = quick(patience=None).partial_fit(*beats)
    sampler.save(tmp_path / "x")
    loaded = StaGANSampler.load(tmp_path / "x")
    for each in (sampler, loaded):
        each.partial_fit(*beats)
    assert torch.equal(weights(sampler), weights(loaded))
    assert loaded.n_iter_ == 12
    for ours, theirs in zip(loaded.sample(40), sampler.sample(40), strict=True):
        np.testing.assert_array_equal(ours, theirs)


class FailingError(Exception):
    pass


class Failing(Callback):
    def on_epoch_end(self, net, **kwargs):
        raise FailingError


@pytest.mark.parametrize("conditioning", ["shared", "per_class"])
@pytest.mark.parametrize("call", ["fit", "fit_resample", "partial_fit"])
def test_a_training_that_fails_changes_nothing(quick, beats, call, conditioning):
    """In its second epoch, or of the second class, when weights and moments are others."""

    class FailingLater(Callback):
        n_epochs = 0

        def on_epoch_end(self, net, **kwargs):
            FailingLater.n_epochs += 1
            net.module_.requires_grad_(False)
            if FailingLater.n_epochs == 2:
                raise FailingError

    sampler, other = (
        quick(conditioning=conditioning, warm_start=True, max_epochs=2).fit(*beats)
        for _ in range(2)
    )
    n_epochs = [len(net.history) for net in sampler._nets.values()]
    with pytest.raises(FailingError):
        getattr(sampler.set_params(callbacks=[FailingLater]), call)(*beats)
    assert [len(net.history) for net in sampler._nets.values()] == n_epochs
    assert [net.n_iter_ for net in sampler._nets.values()] == [
        net.n_iter_ for net in other._nets.values()
    ]
    for one in (sampler, other):
        one.set_params(callbacks=None)
    np.testing.assert_array_equal(
        sampler.sample(9, random_state=0)[0], other.sample(9, random_state=0)[0]
    )
    np.testing.assert_array_equal(  # and goes on as if nothing had been
        sampler.partial_fit(*beats).sample(9, random_state=0)[0],
        other.partial_fit(*beats).sample(9, random_state=0)[0],
    )


def test_another_device_takes_over(quick, beats):
    stays, moves = (quick(warm_start=True).fit(*beats) for _ in range(2))
    with pytest.raises(FailingError):
        moves.set_params(device="cpu:0", callbacks=[Failing()]).fit(*beats)
    assert moves.net_.device == stays.net_.device == "cpu"
    moves.set_params(callbacks=None).fit(*beats)
    assert moves.net_.device == "cpu:0"
    rows = [
        sampler.fit(*beats).sample(9, random_state=0)[0] for sampler in (moves, stays.fit(*beats))
    ]
    np.testing.assert_array_equal(*rows)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_real_rows_are_let_go_where_a_callback_fails(quick, beats, tmp_path, n_jobs):
    sampler = quick(conditioning="per_class", n_jobs=n_jobs).partial_fit(*beats)
    with pytest.raises(FailingError):
        sampler.set_params(callbacks=[Failing()]).partial_fit(*beats)
    X, y = beats
    pickled = pickle.dumps(sampler)
    assert not any(row.tobytes() in pickled for row in sampler._scaler.scaled(X[:, None]))
    scores = sampler.best_score_
    sampler.set_params(callbacks=None, n_jobs=None).partial_fit(X[y != "F"], y[y != "F"])
    assert sampler.best_score_["F"] == scores["F"]
    sampler.save(tmp_path / "sampler")


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([], "'classes' must hold all labels that will ever come. Got none"),
        (["N", "V", "F", None], "'classes' must hold labels. Got a missing one"),
        (["N", 1], "labels of one kind"),
    ],
)
def test_classes_are_labels(quick, beats, classes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        quick().partial_fit(*beats, classes=classes)


def test_classes_may_be_a_set(quick, beats):
    sampler = quick().partial_fit(*beats, classes={"N", "V", "F", "S"})
    assert sampler.classes_.tolist() == ["F", "N", "S", "V"]


@pytest.mark.filterwarnings("ignore:Class 'V' has 10 rows:UserWarning")
def test_kept_rows_are_not_rounded_to_the_next_ones(quick, one_class_short):
    (X, y), _ = one_class_short
    sampler = quick().partial_fit(X, y)
    (before,) = sampler._few_rows.values()
    sampler.partial_fit(np.zeros((30, X.shape[1]), dtype=int), ["N"] * 30)
    (after,) = sampler._few_rows.values()
    np.testing.assert_allclose(after, before, atol=1e-6)


def test_a_dead_lead_that_comes_alive(quick, beats):
    X, y = beats
    dead = np.concatenate([X, np.full_like(X, 0.1)], axis=1)
    sampler = quick(n_channels=2).partial_fit(dead, y).partial_fit(dead.astype(np.float16), y)
    dead[0, -1] += 1e-12
    sampler.partial_fit(dead, y)
    with pytest.raises(ValueError, match="constant in the channels that were so in the first call"):
        sampler.partial_fit(np.concatenate([X, X], axis=1), y)


@pytest.mark.parametrize("going_on", ["partial_fit", "warm_start"])
def test_a_dead_lead_of_whole_numbers_that_comes_alive(quick, beats, going_on):
    """A thousandth of the offset of a converter's numbers is a signal."""
    X, y = beats
    dead, alive = (
        np.rint(32768 + np.concatenate([400 * X, gain * X], axis=1)).astype(np.uint16)
        for gain in (0, 12)
    )
    sampler = quick(n_channels=2, warm_start=going_on == "warm_start")
    go_on = sampler.fit if sampler.warm_start else sampler.partial_fit
    go_on(dead, y)
    go_on(dead.astype(np.float32), y)
    with pytest.raises(ValueError, match="constant in the channels that were so in the first call"):
        go_on(alive, y)


@pytest.mark.filterwarnings("ignore:Class 'V' has 10 rows:UserWarning")
@pytest.mark.parametrize("narrow", [int, np.float16, np.int8])
def test_kept_rows_keep_their_numbers_after_narrow_ones(quick, one_class_short, narrow):
    (X, y), _ = one_class_short
    is_few = y == "V"
    sampler = quick().partial_fit(np.rint(9 * X[~is_few]).astype(narrow), y[~is_few], list("FNV"))
    few = 1e5 + X[is_few]
    sampler.partial_fit(few, y[is_few])
    for _ in range(2):
        sampler.partial_fit(X[~is_few], y[~is_few])
    (kept,) = sampler._few_rows.values()
    np.testing.assert_allclose(sampler._scaler.restored(kept)[:, 0], few, atol=0.02)
    assert sampler.sample(5)[0].dtype == np.result_type(narrow, X.dtype)


@pytest.mark.filterwarnings("ignore:Class 'V' has 10 rows:UserWarning")
def test_mapped_rows_after_kept_ones(quick, one_class_short, tmp_path):
    """They are put together in another file, not in memory."""
    (X, y), (more, labels) = one_class_short
    np.save(tmp_path / "rows.npy", more)
    drawn = []
    for rows in (more, np.load(tmp_path / "rows.npy", mmap_mode="r")):
        sampler = quick().partial_fit(X, y).partial_fit(rows, labels)
        drawn.append(sampler.sample(9, random_state=0)[0])
    np.testing.assert_array_equal(*drawn)
    joined = put_before(np.load(tmp_path / "rows.npy", mmap_mode="r"), [X[:2], X[2:5]])
    assert isinstance(joined, np.memmap)
    np.testing.assert_array_equal(joined, np.concatenate([X[:5], more]))


def test_steps_of_earlier_calls_do_not_pile_up(quick, beats):
    sampler = quick(patience=None).partial_fit(*beats)
    losses = sampler.history_[:, "discriminator_loss"]
    sampler.partial_fit(*beats)
    assert [len(epoch["batches"]) for epoch in sampler.history_] == [3, 3, 3, 3]
    assert [any(epoch["batches"]) for epoch in sampler.history_] == [False, False, True, True]
    assert sampler.history_[:2, "discriminator_loss"] == losses


def test_a_scheduler_in_one_training_and_not_in_the_other(quick, beats):
    scheduler = LRScheduler("StepLR", step_size=1, gamma=0.1)
    sampler = quick().partial_fit(*beats).set_params(callbacks=[scheduler])
    sampler.partial_fit(*beats)
    assert sampler.net_.optimizer_.param_groups[0]["lr"] < 1e-3
    same = LRScheduler("LambdaLR", lr_lambda=lambda epoch: 1.0)
    sampler.set_params(callbacks=[same], lr=1e-5).partial_fit(*beats)
    for optimizer in (sampler.net_.optimizer_, sampler.net_.discriminator_optimizer_):
        assert optimizer.param_groups[0]["lr"] == 1e-5
