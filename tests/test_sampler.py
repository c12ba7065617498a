"""What StaGANSampler promises, on real training."""

import pickle
import random
import re
import warnings
from collections import Counter
from functools import partial

import cloudpickle
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from imblearn.pipeline import Pipeline
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import MinMaxScaler
from skorch.callbacks import Callback, EarlyStopping

from sktsgan import MMDScorer, StaGANSampler
from sktsgan._callbacks import BestByMMD
from sktsgan._net import AdversarialNet
from sktsgan._parameters import rows_of_a_batch
from sktsgan._selection import NeighborSelection
from sktsgan.datasets import make_heartbeats
from sktsgan.losses import relativistic
from sktsgan.metrics import maximum_mean_discrepancy
from sktsgan.networks import ConvDiscriminator, LSTMGenerator
from sktsgan.plotting import SignalDisplay

THREE_FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)
ignore_short_selection = pytest.mark.filterwarnings(
    "ignore:Only .* passed the selection:UserWarning"
)
ignore_few_rows = pytest.mark.filterwarnings("ignore:Class .* has .* row:UserWarning")


# What training brings


def test_training_lowers_the_mmd(trained, beats):
    X, y = beats
    history = np.array(trained.history_[:, "valid_mmd"])
    assert -trained.best_score_ == history.min()
    assert history.min() < 0.5 * history[0]
    new, labels = trained.sample(y=y, random_state=1)
    untrained = clone(trained).set_params(max_epochs=1, steps_per_epoch=1, lr=1e-8).fit(X, y)
    old, _ = untrained.sample(y=y, random_state=1)
    for label in trained.classes_:
        real, rows = X[y == label], labels == label
        learned = maximum_mean_discrepancy(real, new[rows])
        assert learned < 0.1
        assert learned < maximum_mean_discrepancy(real, old[rows]) / 3


def test_classes_differ(trained, beats):
    X, y = beats
    for label in ("N", "V"):
        rows, _ = trained.sample(y=[label] * 100, random_state=0)
        own = maximum_mean_discrepancy(X[y == label], rows)
        other = maximum_mean_discrepancy(X[y == ("V" if label == "N" else "N")], rows)
        assert own < other / 3


def test_best_weights_are_kept(quick, beats):
    sampler = quick(max_epochs=6, lr=0.01).fit(*beats)
    history = sampler.history_[:, "valid_mmd"]
    best = int(np.argmin(history))
    assert sampler.best_iter_ == 3 * (best + 1)
    assert sampler.best_score_ == -history[best]
    # the same steps, stopped there, end with the same weights
    stopped = quick(max_epochs=best + 1, lr=0.01).fit(*beats)
    for kept, last in zip(
        sampler.net_.average_.parameters(), stopped.net_.average_.parameters(), strict=True
    ):
        torch.testing.assert_close(kept, last, rtol=0, atol=0)


def test_the_callers_autocast_changes_nothing(quick, beats):
    expected = quick().fit_resample(*beats)[0]
    score = maximum_mean_discrepancy(beats[0][:200], beats[0][200:])
    with torch.autocast("cpu"):
        sampler = quick()
        np.testing.assert_array_equal(sampler.fit_resample(*beats)[0], expected)
        assert len(sampler.sample(5)[0]) == 5
        assert maximum_mean_discrepancy(beats[0][:200], beats[0][200:]) == score


def test_callbacks_see_the_epoch_in_which_patience_ends(quick, beats):
    class Records(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.history.record("mine", net.history[-1]["valid_mmd"])

    history = quick(max_epochs=40, patience=1, lr=0.02, callbacks=[Records]).fit(*beats).history_
    assert len(history) < 40
    assert history[:, "mine"] == history[:, "valid_mmd"]


def test_patience_stops_training(quick, beats):
    sampler = quick(max_epochs=50, patience=2, lr=1e-30, ema_decay=0).fit(*beats)
    assert sampler.best_iter_ == 3
    assert sampler.n_iter_ == 9


def test_without_held_out_rows_the_last_weights_are_kept(quick, beats):
    sampler = quick(validation_fraction=0).fit(*beats)
    assert sampler.best_score_ is None
    assert sampler.best_iter_ == sampler.n_iter_ == 6


# What fit_resample returns


def test_originals_come_first_untouched(quick, beats):
    X, y = beats
    before = X.copy(), y.copy()
    sampler = quick()
    X_resampled, y_resampled = sampler.fit_resample(X, y)
    for now, then in ((X, before[0]), (y, before[1])):
        np.testing.assert_array_equal(now, then)
    np.testing.assert_array_equal(X_resampled[: len(X)], X)
    np.testing.assert_array_equal(y_resampled[: len(y)], y)
    assert Counter(y_resampled.tolist()) == {"N": 400, "V": 400, "F": 400}
    np.testing.assert_array_equal(sampler.synthetic_mask_, np.arange(1200) >= 520)
    assert sampler.sampling_strategy_ == {"V": 320, "F": 360}


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ({"V": 90, "F": 41}, {"N": 400, "V": 90, "F": 41}),
        ("minority", {"N": 400, "V": 80, "F": 400}),
        (lambda y: {"F": 50}, {"N": 400, "V": 80, "F": 50}),
        ("all", {"N": 400, "V": 400, "F": 400}),
        ({"V": 80}, {"N": 400, "V": 80, "F": 40}),
    ],
)
def test_exactly_the_rows_asked_for(quick, beats, strategy, expected):
    _, y_resampled = quick(sampling_strategy=strategy).fit_resample(*beats)
    assert Counter(y_resampled.tolist()) == expected


def test_float_strategy(quick):
    X, y = make_heartbeats(120, classes=("N", "V"), weights=[5, 1], n_timepoints=32, random_state=0)
    _, y_resampled = quick(sampling_strategy=0.5).fit_resample(X, y)
    assert Counter(y_resampled.tolist()) == {"N": 100, "V": 50}


@pytest.mark.parametrize("n_rows", [1, 5, 19])
def test_few_rows(quick, n_rows):
    X, y = make_heartbeats(200, classes=("N", "V"), weights=[1, 1], n_timepoints=32, random_state=0)
    keep = np.sort(np.r_[np.flatnonzero(y == "N"), np.flatnonzero(y == "V")[:n_rows]])
    X, y = X[keep], y[keep]
    sampler = quick(selection="neighbors", replicate_fraction=0)
    with pytest.warns(UserWarning, match=f"Class 'V' has {n_rows} row.* made between its own"):
        X_resampled, y_resampled = sampler.fit_resample(X, y)
    assert Counter(y_resampled.tolist()) == {"N": 100, "V": 100}
    new = X_resampled[sampler.synthetic_mask_]
    assert np.isfinite(new).all()
    assert_no_copies(X, new)
    # they stay with the class
    assert maximum_mean_discrepancy(X[y == "N"], new) > 0.1
    X_new, _ = sampler.sample(y=["V"] * 3)
    assert X_new.shape == (3, 32)


@ignore_few_rows
def test_few_rows_in_every_class(quick, rng):
    sampler = quick().fit(rng.normal(size=(9, 6)), [0] * 6 + [1] * 3)
    assert sampler.net_ is None
    assert sampler.n_iter_ == 0
    assert sampler.sample(5)[0].shape == (5, 6)


def assert_no_copies(X, new):
    neighbors = NearestNeighbors(n_neighbors=1).fit(X.reshape(len(X), -1))
    assert neighbors.kneighbors(new.reshape(len(new), -1))[0].min() > 0
    assert len(np.unique(new, axis=0)) == len(new)


@ignore_short_selection
@pytest.mark.parametrize("selection", ["neighbors", None])
def test_no_copies(beats, trained, selection):
    X, y = beats
    sampler = clone(trained).set_params(selection=selection, max_epochs=1)
    X_resampled, _ = sampler.fit_resample(X, y)
    assert_no_copies(X, X_resampled[sampler.synthetic_mask_])


def test_no_copies_of_rows_that_are_there_again(quick, beats):
    X, y = beats
    sampler = quick()
    X_resampled, _ = sampler.fit_resample(np.repeat(X, 7, axis=0), np.repeat(y, 7))
    assert_no_copies(X, X_resampled[sampler.synthetic_mask_])


def test_copies_that_could_not_be_avoided_are_counted(quick):
    X = np.repeat([[0, 3, 1, 0, 2], [0, 0, 2, 1, 0]], [60, 30], axis=0)
    with pytest.warns(UserWarning, match="made for class 1 are near-copies of real rows"):
        quick().fit_resample(X, np.repeat([0, 1], [60, 30]))


@pytest.mark.parametrize("n_rows", [1, 25])
def test_new_rows_of_one_scaled_row_are_no_copies_of_it(quick, beats, n_rows):
    X = (beats[0] - beats[0].min(axis=1, keepdims=True)) / np.ptp(beats[0], axis=1, keepdims=True)
    others = X[beats[1] == "N"]
    X = np.concatenate([others, np.repeat(X[beats[1] == "V"][:1], n_rows, axis=0)])
    y = np.repeat(["N", "V"], [len(others), n_rows])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Class 'V' has|.* of the .* rows for class 'V' passed")
        warnings.filterwarnings("ignore", ".* weighted sums for class 'V' passed")
        sampler = quick(selection="neighbors")
        new = sampler.fit_resample(X, y)[0][sampler.synthetic_mask_]
    usual = NearestNeighbors(n_neighbors=2).fit(others).kneighbors(others)[0][:, 1]
    assert np.linalg.norm(new - X[-1], axis=1).min() > 0.09 * np.median(usual)


def test_copies_of_one_scaled_row_are_counted(quick, beats):
    """What varies a row is scaled away again."""
    X, y = beats
    rows = np.append(np.flatnonzero(y == "N"), np.flatnonzero(y == "V")[:1])
    X = (X - X.min(axis=1, keepdims=True)) / np.ptp(X, axis=1, keepdims=True)
    copies = "399 of the 399 rows made for class 'V' are near-copies"
    with pytest.warns(UserWarning, match="has 1 row"), pytest.warns(UserWarning, match=copies):
        quick(variation=0).fit_resample(X[rows], y[rows])


def test_whole_columns_of_a_frame_are_rounded(quick, beats, tmp_path):
    frame = pd.DataFrame(np.rint(100 * beats[0]).astype(int))
    frame[5] = frame[5].astype("Int64")
    frame[6] += 0.25
    sampler = quick()
    X_resampled, _ = sampler.fit_resample(frame, beats[1])
    assert (X_resampled.dtypes == frame.dtypes).all()
    new, _ = sampler.sample(300, random_state=0)
    assert (np.delete(new, 6, axis=1) % 1 == 0).all()
    assert (new[:, 6] % 1 != 0).any()
    # to the nearest number, not the one nearer to 0
    whole = quick(random_state=0).fit(frame.astype(float), beats[1]).sample(300, random_state=0)[0]
    np.testing.assert_array_equal(np.delete(new - np.rint(whole), 6, axis=1), 0)
    sampler.save(tmp_path / "sampler")
    again = StaGANSampler.load(tmp_path / "sampler").sample(300, random_state=0)[0]
    np.testing.assert_array_equal(again, new)


def test_small_columns_keep_to_their_range(quick, beats):
    """In float32, as which mixed columns are computed, there are numbers beyond float16."""
    rows = np.r_[np.flatnonzero(beats[1] == "N")[:50], np.flatnonzero(beats[1] == "V")[:5]]
    frame = pd.DataFrame(beats[0][rows].astype(np.float32))
    frame[[3, 5]] = np.clip(60000 + 8000 * np.abs(frame[[3, 5]]), 0, 65500).astype(np.float16)
    with pytest.warns(UserWarning, match="Class 'V' has 5 rows"):
        X_resampled, _ = quick().fit_resample(frame, beats[1][rows])
    assert (X_resampled.dtypes == frame.dtypes).all()
    assert np.isfinite(X_resampled.to_numpy(np.float64)).all()


class Lazy(torch.nn.Module):
    """Whose size is that of the first rows it sees."""

    def __init__(self, n_channels, n_timepoints, n_classes):
        super().__init__()
        self.layer = torch.nn.LazyLinear(1)

    def forward(self, X, y):
        return self.layer(X.flatten(1)).squeeze(1)


def test_a_seed_holds_for_networks_that_are_built_by_their_first_rows(quick, beats):
    drawn = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        drawn.append(quick(discriminator=Lazy).fit(*beats).sample(9, random_state=0)[0])
        assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(*drawn)


def test_whole_columns_keep_to_their_type(quick, beats):
    high = np.random.default_rng(0).integers(200, 255, size=(len(beats[0]), 1))
    frame = pd.DataFrame(np.where(beats[0] > 0.3, high, 5).astype(np.uint8))
    frame[28] = frame[28].astype("Int16")
    frame[5] = 100 * beats[0][:, 5]  # so much that rows do not share their smallest value
    X_resampled, _ = quick(variation=0, interpolation_fraction=1).fit_resample(frame, beats[1])
    assert (X_resampled.dtypes == frame.dtypes).all()
    new = X_resampled[len(frame) :]
    assert new[28].min() < 0
    new = new.drop(columns=[28, 5])
    assert (new.min().min(), new.max().max()) == (0, 255)


@pytest.mark.parametrize("dtype", ["bool", "boolean", "category"])
def test_columns_that_hold_no_numbers(quick, beats, dtype):
    frame = pd.DataFrame(np.rint(beats[0]))
    frame[3] = (frame[3] > 0).astype(dtype)
    with pytest.raises(TypeError, match=r"must have columns of numbers. Got .* in column 3;"):
        quick().fit_resample(frame, beats[1])


def test_numbers_of_numpy_are_numbers(quick, beats, tmp_path):
    names = "latent_dim noise_dim hidden_size n_layers samples_per_step head_channels batch_size"
    names = [*names.split(), "minibatch_features", "max_epochs", "steps_per_epoch", "n_channels"]
    sampler = quick(n_layers=1, samples_per_step=8, n_channels=1)
    sampler.set_params(**{name: np.int64(getattr(sampler, name)) for name in names})
    sampler.set_params(kernel_size=np.int64(3), lr=np.float32(1e-3)).fit(*beats)
    sampler.save(tmp_path / "sampler")
    X, _ = StaGANSampler.load(tmp_path / "sampler").sample(5, random_state=0)
    np.testing.assert_array_equal(X, sampler.sample(5, random_state=0)[0])


def test_labels_may_be_strings_of_python_and_numpy(quick, beats):
    y = beats[1].astype(object)
    for i in range(0, len(y), 2):
        y[i] = np.str_(y[i])
    assert {type(label) for label in y} == {str, np.str_}
    assert quick().fit(beats[0], y).classes_.tolist() == ["F", "N", "V"]


def test_interpolated_rows_without_variation_are_jittered(quick, beats):
    X, y = beats
    options = {"interpolation_fraction": 1, "max_shift": 0, "sampling_strategy": {"F": 140}}
    sampler = quick(variation=0, **options)
    X_resampled, _ = sampler.fit_resample(X, y)
    new, real = X_resampled[sampler.synthetic_mask_], X[y == "F"].astype(float)
    assert len(new) == 100
    nearest = NearestNeighbors(n_neighbors=6).fit(real).kneighbors(real, return_distance=False)
    # gain and offset leave a row in what is spanned by its parents and the constant
    spanned = [np.vstack([real[rows], np.ones_like(real[:1])]) for rows in nearest]
    for row in new[:10].astype(float):
        left = [row - row @ np.linalg.pinv(bases) @ bases for bases in spanned]
        assert np.abs(left).max(axis=1).min() < 1e-5


def test_variation_is_that_of_the_largest_class(quick, beats):
    """Interpolated rows are a mean of neighbours and a part of a difference of two rows of N."""
    X, y = beats
    options = {"interpolation_fraction": 1, "max_shift": 0, "sampling_strategy": {"F": 140}}
    sampler = quick(variation=0.5, **options)
    X_resampled, _ = sampler.fit_resample(X, y)
    new, real, donors = X_resampled[sampler.synthetic_mask_], X[y == "F"].astype(float), X[y == "N"]
    own = NearestNeighbors(n_neighbors=6).fit(real).kneighbors(real, return_distance=False)
    nearest = NearestNeighbors(n_neighbors=6).fit(donors).kneighbors(return_distance=False)
    differences = (donors[:, None] - donors[nearest]).reshape(-1, X.shape[1]).astype(float)
    for row in new[:3].astype(float):
        found = np.inf
        for first, *others in real[own]:
            # what the parents' differences leave of it is a part of a difference of N
            ways = np.array(others) - first
            apart = np.eye(len(row)) - np.linalg.pinv(ways) @ ways
            left, rest = (row - first) @ apart, differences @ apart
            step = np.clip(rest @ left / (rest**2).sum(axis=1), -0.5, 0.5)
            found = min(found, np.abs(left - step[:, None] * rest).max(axis=1).min())
        assert found < 1e-5


@pytest.mark.parametrize("n_channels", [1, 2])
def test_rows_are_moved_in_time_before_they_are_summed(quick, n_channels):
    """Spikes of one height, up to four points apart: a sum of them is as high, or blunt."""
    rng = np.random.default_rng(0)
    places = rng.integers(18, 23, size=100)
    spikes = np.exp(-((np.arange(40) - places[:, None]) ** 2) / 2)
    spikes *= 1 + 0.1 * rng.integers(2, size=(100, 1)) * np.linspace(-1, 1, 40)
    spikes *= np.cos((np.arange(40) - places[:, None]) / 5)  # no lead is above 0 or below alone
    X = np.column_stack([spikes, -2 * spikes])[:, : 40 * n_channels]
    options = {"interpolation_fraction": 1, "variation": 0, "n_channels": n_channels}
    lowest = {}
    for max_shift in (0.1, 0):
        sampler = quick(max_shift=max_shift, sampling_strategy={"F": 140}, **options)
        X_resampled, _ = sampler.fit_resample(X, np.repeat(["N", "F"], [60, 40]))
        new = X_resampled[sampler.synthetic_mask_].reshape(100, n_channels, 40)
        lowest[max_shift] = np.ptp(new[:, 0], axis=1).min()
        if n_channels == 2:  # what is left of this sum is the jitter's offset
            assert np.ptp(2 * new[:, 0] + new[:, 1], axis=1).max() < 1e-5
    assert lowest[0] < 0.6
    assert lowest[0.1] > 0.65  # 10 % of jitter in amplitude


def test_generated_rows_take_fine_detail_from_real_ones(quick, beats):
    X, y = beats
    options = {"interpolation_fraction": 0, "variation": 0, "sampling_strategy": {"F": 140}}
    _, singular, directions = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)
    shares = np.cumsum(singular**2) / (singular**2).sum()
    fine = directions[1:][shares[:-1] > 0.97]  # without the component in which 3 % begin
    real = X[y == "F"] @ fine.T
    nearest = {}
    for detail_fraction in (0.03, 0):
        sampler = quick(detail_fraction=detail_fraction, **options)
        X_resampled, _ = sampler.fit_resample(X, y)
        new = X_resampled[sampler.synthetic_mask_] @ fine.T
        nearest[detail_fraction] = NearestNeighbors(n_neighbors=1).fit(real).kneighbors(new)[0]
    assert nearest[0.03].max() < 1e-4 < nearest[0].min()


def test_replicates_where_asked_for(quick, beats):
    X, y = beats
    sampler = quick(replicate_fraction=0.25)
    X_resampled, y_resampled = sampler.fit_resample(X, y)
    for label, n_rows in sampler.sampling_strategy_.items():
        new = X_resampled[sampler.synthetic_mask_ & (y_resampled == label)]
        real = {row.tobytes() for row in X[y == label]}
        assert sum(row.tobytes() in real for row in new) == n_rows / 4


@pytest.mark.parametrize(("selection", "fewest_votes"), [("neighbors", 1), ("unanimous", 3)])
def test_selection_keeps_rows_among_their_own(trained, beats, selection, fewest_votes):
    X, y = beats
    options = {"interpolation_fraction": 0, "max_shift": 0}  # rows vote where they are
    sampler = clone(trained).set_params(max_epochs=1, selection=selection, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        X_resampled, y_resampled = sampler.fit_resample(X, y)
    new = sampler.synthetic_mask_
    _, nearest = NearestNeighbors(n_neighbors=3).fit(X).kneighbors(X_resampled[new])
    votes = (y[nearest] == y_resampled[new][:, None]).sum(axis=1)
    assert votes.min() == fewest_votes


@pytest.mark.parametrize(
    ("selection", "fraction", "advice"),
    [
        ("unanimous", 0, "generated rows .* Train longer, or set selection='neighbors'"),
        ("neighbors", 0, "generated rows .* Train longer, or set selection=None"),
        ("unanimous", 1, "weighted sums .* Look at the labels, or set selection='neighbors'"),
    ],
)
def test_what_to_do_where_few_rows_pass(quick, rng, selection, fraction, advice):
    X = rng.normal(size=(5025, 32))
    y = np.repeat(["N", "S"], [5000, 25])  # no row of S is among its own
    options = {"interpolation_fraction": fraction, "sampling_strategy": {"S": 125}}
    sampler = quick(selection=selection, **options)
    with pytest.warns(UserWarning, match=f"Only .* {advice}"):
        sampler.fit_resample(X, y)


def test_new_rows_are_no_higher_than_real_ones(quick, beats):
    X, y = beats
    X = np.stack([X, 0.2 * X[:, ::-1]], axis=1)
    sampler = quick(selection="neighbors", interpolation_fraction=1, variation=10)
    X_resampled, _ = sampler.fit_resample(X, y)
    highest = np.ptp(X, axis=2).max(axis=0)
    new = np.ptp(X_resampled[sampler.synthetic_mask_], axis=2).max(axis=0)
    assert (new <= 1.0001 * highest).all()
    X_resampled, _ = sampler.set_params(selection=None).fit_resample(X, y)
    new = np.ptp(X_resampled[sampler.synthetic_mask_], axis=2).max(axis=0)
    assert (new > 1.1 * highest).all()


# Containers, types, shapes


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("container", [np.asarray, pd.DataFrame, np.ndarray.tolist])
def test_one_hot_labels_in_and_out(quick, beats, n_classes, container):
    X, y = beats
    X, y = X[y <= "NV"[n_classes - 2]], y[y <= "NV"[n_classes - 2]]
    places = np.unique(y, return_inverse=True)[1]
    y = container(np.eye(n_classes, dtype=bool)[places])
    sampler = quick()
    X_resampled, y_resampled = sampler.fit_resample(X, y)
    expected_X, expected_y = quick().fit_resample(X, places)
    np.testing.assert_array_equal(X_resampled, expected_X)
    np.testing.assert_array_equal(np.asarray(y_resampled), np.eye(n_classes)[expected_y])
    drawn = sampler.sample(y=y[:4], random_state=0)[0]
    for labels in (places[:4], places[:4, None]):
        np.testing.assert_array_equal(sampler.sample(y=labels, random_state=0)[0], drawn)
    display = SignalDisplay.from_arrays(X, y, X_resampled, y_resampled)
    assert len(display.ax_) == n_classes
    plt.close(display.figure_)
    assert type(y_resampled) is type(y)
    if container is pd.DataFrame:
        assert list(y_resampled.dtypes) == list(y.dtypes)
        assert list(y_resampled.columns) == list(y.columns)


def test_labels_of_several_outputs(quick, beats):
    y = np.unique(beats[1], return_inverse=True)[1]
    with pytest.raises(ValueError, match=r"'y' must hold one label for each row.* \(520, 2\)"):
        quick().fit(beats[0], np.column_stack([y, y]))


@ignore_short_selection
def test_data_frame_in_and_out(quick, beats):
    X, y = beats
    frame = pd.DataFrame(X, columns=[f"t{i}" for i in range(X.shape[1])])
    series = pd.Series(y, name="class")
    sampler = quick(selection="neighbors")
    X_resampled, y_resampled = sampler.fit_resample(frame, series)
    assert list(X_resampled.columns) == list(frame.columns)
    assert (X_resampled.dtypes == frame.dtypes).all()
    assert y_resampled.name == "class"
    np.testing.assert_array_equal(sampler.feature_names_in_, frame.columns)
    expected, _ = quick(selection="neighbors").fit_resample(X, y)
    np.testing.assert_array_equal(X_resampled.to_numpy(), expected)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int16", "int64", "uint8"])
def test_types_are_kept(quick, beats, dtype):
    X, y = beats
    X = (100 + 20 * X).clip(0, 255).astype(dtype)
    sampler = quick()
    X_resampled, _ = sampler.fit_resample(X, y)
    assert X_resampled.dtype == dtype
    assert sampler.sample(2)[0].dtype == dtype
    assert X_resampled.min() >= 0 or dtype != "uint8"


@pytest.mark.parametrize(
    "labels", [["a", "bb", "ccc"], [1, 2, 7], [-1.0, 0.0, 1.0]], ids=["str", "int", "float"]
)
def test_labels_of_any_kind(quick, beats, labels):
    X, y = beats
    y = np.array(labels)[np.unique(y, return_inverse=True)[1]]
    sampler = quick()
    _, y_resampled = sampler.fit_resample(X, y)
    assert y_resampled.dtype == y.dtype
    _, drawn = sampler.sample(y=[labels[2], labels[0]])
    assert drawn.tolist() == [labels[2], labels[0]]


def test_object_labels_and_lists(quick, beats):
    X, y = beats
    X_resampled, y_resampled = quick().fit_resample(X.tolist(), y.tolist())
    assert isinstance(X_resampled, list)
    assert isinstance(y_resampled, list)
    assert len(X_resampled) == len(y_resampled) == 1200


def test_three_axes_and_n_channels_are_the_same(quick):
    X, y = make_heartbeats(
        200, classes=("N", "V"), weights=[3, 1], n_channels=2, n_timepoints=40, random_state=0
    )
    deep, _ = quick().fit_resample(X, y)
    flat, _ = quick(n_channels=2).fit_resample(X.reshape(len(X), -1), y)
    assert deep.shape == (300, 2, 40)
    assert flat.shape == (300, 80)
    np.testing.assert_array_equal(deep.reshape(300, 80), flat)


def test_memory_mapped_input(quick, beats, tmp_path):
    X, y = beats
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    ours, _ = quick().fit_resample(mapped, y)
    np.testing.assert_array_equal(ours, quick().fit_resample(X, y)[0])


@ignore_few_rows
@pytest.mark.parametrize("n_timepoints", [2, 3, 2000])
def test_any_length(quick, rng, n_timepoints):
    X = rng.normal(size=(60, n_timepoints))
    X_resampled, _ = quick(samples_per_step=16).fit_resample(X, [0] * 40 + [1] * 20)
    assert X_resampled.shape == (80, n_timepoints)
    assert np.isfinite(X_resampled).all()


# Randomness


def rows_of(sampler, beats):
    return sampler.fit_resample(*beats)[0]


@ignore_short_selection
def test_the_same_seed_gives_the_same_rows(quick, beats):
    first = rows_of(quick(selection="neighbors"), beats)
    np.testing.assert_array_equal(first, rows_of(quick(selection="neighbors"), beats))
    assert not np.array_equal(first, rows_of(quick(random_state=1), beats))


def test_threads_do_not_change_the_rows(quick, beats):
    n_threads = torch.get_num_threads()
    rows = []
    try:
        for n in (1, 2):
            torch.set_num_threads(n)
            rows.append(rows_of(quick(batch_size=64, hidden_size=64), beats))
            assert torch.get_num_threads() == n
    finally:
        torch.set_num_threads(n_threads)
    np.testing.assert_array_equal(*rows)


@pytest.mark.parametrize("random_state", [None, 3])
def test_global_generators_are_left_alone(quick, beats, random_state):
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    sampler = quick(random_state=random_state)
    sampler.fit_resample(*beats)
    sampler.sample(5)
    assert random.getstate() == before[0]
    for part, other in zip(np.random.get_state(), before[1], strict=True):
        np.testing.assert_array_equal(part, other)
    assert torch.equal(torch.get_rng_state(), before[2])


def test_sample_draws_like_training(trained, beats):
    _, y = trained.sample(2000, random_state=0)
    counts = Counter(y.tolist())
    expected = Counter(beats[1].tolist())
    for label, count in expected.items():
        assert counts[label] / 2000 == pytest.approx(count / 520, abs=0.05)


def test_sample_is_repeatable_and_moves_on(trained):
    first, second = (trained.sample(3)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)  # random_state=0 of the sampler
    rng = np.random.RandomState(0)
    first, second = (trained.sample(3, random_state=rng)[0] for _ in range(2))
    assert not np.array_equal(first, second)


# A citizen of scikit-learn


def test_clone_and_pickle(trained):
    copy = pickle.loads(pickle.dumps(trained))
    np.testing.assert_array_equal(copy.sample(4)[0], trained.sample(4)[0])
    fresh = clone(trained)
    assert fresh.get_params() == trained.get_params()
    assert not hasattr(fresh, "net_")


def test_real_rows_are_not_kept(trained, beats):
    stored = pickle.dumps(trained)
    assert len(stored) < 3_000_000
    scaled = trained._scaler.scaled(beats[0][:, None])
    assert not any(row.tobytes() in stored for row in scaled)


def test_cross_val_score(quick, beats):
    scores = cross_val_score(quick(), *beats, cv=THREE_FOLDS, scoring=MMDScorer())
    assert scores.shape == (3,)
    assert ((scores < 0) & (scores > -2)).all()


def test_grid_search_in_a_pipeline_with_memory(quick, beats, tmp_path):
    pipeline = Pipeline(
        [
            ("scale", MinMaxScaler()),
            ("gan", quick()),
            ("clf", LogisticRegression(max_iter=500)),
        ],
        memory=str(tmp_path),
    )
    grid = {"gan__lr": [1e-3, 3e-3], "clf__C": [0.1, 1.0]}  # rows serve two classifiers
    options = {"cv": StratifiedKFold(2), "scoring": "f1_macro"}
    search = GridSearchCV(pipeline, grid, n_jobs=2, **options)
    search.fit(*beats)
    assert search.best_params_.keys() == grid.keys()
    assert search.best_score_ > 0.5
    alone = GridSearchCV(pipeline, grid, n_jobs=1, **options)
    alone.fit(*beats)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )


def test_networks_of_a_notebook_come_back_from_other_processes(quick, beats):
    """By loky's pickler, which takes classes that no module has."""

    class Generator(LSTMGenerator):
        pass

    sampler = quick(generator=Generator).fit(*beats)
    again = cloudpickle.loads(cloudpickle.dumps(sampler))
    for ours, theirs in zip(*(s.sample(5, random_state=0) for s in (again, sampler)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_callbacks_and_progress(quick, beats, capsys):
    class Count(Callback):
        epochs, gradients = 0, 0

        def on_epoch_end(self, net, **kwargs):
            self.epochs += 1

        def on_grad_computed(self, net, named_parameters, **kwargs):
            self.gradients += bool([value.grad for _, value in named_parameters])

    counts = [Count(), Count()]  # the second has the parameters too
    quick(callbacks=counts, verbose=1).fit(*beats)
    for count in counts:
        assert count.epochs == 2
        assert count.gradients == 12  # both networks in each of six steps
    shown = capsys.readouterr()
    assert not shown.out
    assert "6/6" in shown.err
    assert "MMD^2" in shown.err
    with pytest.raises(RuntimeError, match="diverged"):
        quick(lr=1e4, verbose=1).fit(*beats)
    assert capsys.readouterr().err.endswith("\n")  # the bar is closed
    quick().fit(*beats)
    shown = capsys.readouterr()
    assert not shown.out + shown.err


# Networks and losses by choice


def test_the_original_recipe(beats):
    sampler = StaGANSampler(
        generator="lstm",
        latent_dim=0,
        noise_dim=1,
        hidden_size=50,
        n_layers=2,
        samples_per_step=1,
        head_channels=0,
        discriminator="max_pooling",
        discriminator_channels=(10, 10),
        kernel_size=3,
        minibatch_features=5,
        conditioning="per_class",
        loss="bce",
        gradient_penalty=0,
        n_discriminator_steps=3,
        batch_size=50,
        lr=2e-4,
        betas=(0.9, 0.999),
        augmentation=0,
        ema_decay=0,
        max_epochs=1,
        steps_per_epoch=2,
        selection=None,
        random_state=0,
    )
    X_resampled, _ = sampler.fit_resample(*beats)
    assert X_resampled.shape == (1200, 64)
    net = sampler.net_["V"]
    assert net.module_.latent_size == 64
    assert net.module_.position.numel() == 0
    assert len(net.discriminator_.blocks) == 2


def test_per_class(quick, beats):
    sampler = quick(conditioning="per_class").fit(*beats)
    assert set(sampler.net_) == set(sampler.best_iter_) == {"N", "V", "F"}
    assert sampler.n_iter_ == 6
    X, y = sampler.sample(y=["F", "N", "F"], random_state=0)
    assert X.shape == (3, 64)
    assert y.tolist() == ["F", "N", "F"]


@pytest.mark.parametrize("loss", ["relativistic", "bce", "hinge", "wasserstein", "least_squares"])
def test_every_loss_trains(quick, beats, loss):
    sampler = quick(loss=loss).fit(*beats)
    assert np.isfinite(sampler.sample(10)[0]).all()
    assert np.isfinite(sampler.history_[:, "discriminator_loss"]).all()


def test_networks_and_loss_of_the_user(quick, beats):
    from sktsgan.losses import hinge

    sampler = quick(
        generator=partial(LSTMGenerator, hidden_size=5, samples_per_step=4),
        discriminator=partial(ConvDiscriminator, channels=(4,), minibatch_features=0),
        loss=hinge,
    ).fit(*beats)
    assert sampler.net_.module_.lstm.hidden_size == 5
    assert sampler.net_.discriminator_.minibatch is None


def test_a_card_has_larger_batches_by_default(quick, beats):
    assert quick(batch_size=None).fit(*beats).net_.batch_size == 64
    expected = [({}, 256), ({"dp_epsilon": 1.0}, 64), ({"batch_size": np.int64(5)}, 5)]
    for params, n_rows in expected:
        assert rows_of_a_batch(StaGANSampler(**params), "cuda:0") == n_rows


@pytest.mark.parametrize("batch_size", [1, 2, 1000])
def test_any_batch_size(quick, beats, batch_size):
    sampler = quick(batch_size=batch_size, steps_per_epoch=None if batch_size > 2 else 2)
    assert np.isfinite(sampler.fit(*beats).sample(3)[0]).all()


# When things go wrong


def test_divergence_goes_back_to_the_best_weights(quick, beats):
    class Explode(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 3:
                for parameter in net.module_.parameters():
                    parameter.data.fill_(np.nan)

    sampler = quick(max_epochs=5, callbacks=[Explode()])
    with pytest.warns(UserWarning, match=r"diverged at iteration 7. The weights of iteration [36]"):
        sampler.fit(*beats)
    assert np.isfinite(sampler.sample(20)[0]).all()


def test_divergence_from_the_start_is_an_error(quick, beats):
    with pytest.raises(RuntimeError, match=r"diverged at iteration .* Lower 'lr' \(now 1e\+30\)"):
        quick(lr=1e30, gradient_penalty=0.0).fit(*beats)


def test_ctrl_c_keeps_what_was_learned(quick, beats):
    class Interrupt(Callback):
        def on_batch_end(self, net, **kwargs):
            if net.n_iter_ == 5:
                raise KeyboardInterrupt

    sampler = quick(max_epochs=9, callbacks=[Interrupt()])
    with pytest.warns(UserWarning, match="interrupted after 5 iterations.*weights of iteration 3"):
        X_resampled, _ = sampler.fit_resample(*beats)
    assert len(X_resampled) == 1200
    assert sampler.best_iter_ == 3


def test_ctrl_c_while_rows_are_made(quick, beats, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(NeighborSelection, "judge", interrupted)
    sampler = quick()
    with (
        pytest.warns(UserWarning, match="there are none. What was learned is kept: 'sample'"),
        pytest.raises(KeyboardInterrupt),
    ):
        sampler.fit_resample(*beats)
    X_new, _ = sampler.sample(5, random_state=0)
    np.testing.assert_array_equal(X_new, quick().fit(*beats).sample(5, random_state=0)[0])


def test_ctrl_c_while_the_best_weights_are_copied(quick, beats, monkeypatch):
    scores, copied, snapshot = iter([3.0, 2.0]), [], AdversarialNet.snapshot

    def interrupted(net):
        copied.append(snapshot(net))
        if len(copied) == 2:
            raise KeyboardInterrupt
        return copied[0]

    monkeypatch.setattr(AdversarialNet, "snapshot", interrupted)
    monkeypatch.setattr(BestByMMD, "_measure", lambda self, net: next(scores))
    with pytest.warns(UserWarning, match="interrupted after 6 iterations.*weights of iteration 3"):
        sampler = quick(max_epochs=9).fit(*beats)
    assert sampler.best_iter_ == 3
    assert sampler.best_score_ == -3.0


X_GOOD, Y_GOOD = np.random.default_rng(0).normal(size=(60, 8)), np.repeat([0, 1], [40, 20])


def with_value(value):
    X = X_GOOD.copy()
    X[17, 3] = value
    return X


@pytest.mark.parametrize(
    ("X", "y", "params", "error", "message"),
    [
        (with_value(np.nan), Y_GOOD, {}, ValueError, "X must be finite. Row 17 .* NaN, at value 3"),
        (with_value(np.inf), Y_GOOD, {}, ValueError, "X must be finite. Row 17 .* inf, at value 3"),
        (X_GOOD[:, :1], Y_GOOD, {}, ValueError, "at least 2 time points .* Got 1"),
        (X_GOOD, np.zeros(60), {}, ValueError, "more than 1 class"),
        ([*X_GOOD[:-1].tolist(), [1.0] * 7], Y_GOOD, {}, ValueError, r"Row 59 is of shape \(7,\) and row 0 of"),
        ([[[1.0, 2.0], [3.0]]] * 60, Y_GOOD, {}, ValueError, "channels of one length. Those of row 0"),
        (sparse.csr_array(X_GOOD), Y_GOOD, {}, TypeError, "X must be dense.*sparse"),
        (pd.DataFrame(X_GOOD).astype(pd.SparseDtype(float)), Y_GOOD, {}, TypeError, "X.sparse.to_dense"),
        (X_GOOD + 1j, Y_GOOD, {}, ValueError, "Complex data not supported"),
        (X_GOOD[:, :, None, None], Y_GOOD, {}, ValueError, "X must have 2 or 3 axes.* Got 4"),
        (X_GOOD, Y_GOOD[:-1], {}, ValueError, "inconsistent numbers of samples"),
        (X_GOOD, np.arange(180).reshape(60, 3) % 5 % 2, {}, ValueError, "must hold one label .* one of which"),
        (X_GOOD, np.eye(3, dtype=int)[np.arange(60) % 3][:, :2], {}, ValueError, "give their class a column"),
        (X_GOOD, np.linspace(0, 1, 60), {}, ValueError, "Unknown label type"),
        (X_GOOD, Y_GOOD, {"n_channels": 3}, ValueError, "'n_channels' must divide .* Got 3"),
        (X_GOOD.reshape(60, 2, 4), Y_GOOD, {"n_channels": 4}, ValueError, "'n_channels' must be 2"),
        (X_GOOD, Y_GOOD, {"device": "cuda:7"}, ValueError, "'device' must be 'auto' .* Got 'cuda:7'"),
        (X_GOOD, Y_GOOD, {"device": "toaster"}, ValueError, "'device' must be .* Got 'toaster'"),
        (X_GOOD, Y_GOOD, {"lr": -1}, ValueError, "The 'lr' parameter of StaGANSampler must be"),
        (X_GOOD, Y_GOOD, {"loss": "gan"}, ValueError, "The 'loss' parameter of StaGANSampler"),
        (X_GOOD, Y_GOOD, {"replicate_fraction": 0.7}, ValueError, "'interpolation_fraction' and 'rep"),
        (X_GOOD, Y_GOOD, {"kernel_size": 4}, ValueError, "'kernel_size' must be odd. Got 4"),
        (X_GOOD, Y_GOOD, {"betas": (0.5,)}, ValueError, "'betas' must be two numbers"),
        (X_GOOD, Y_GOOD, {"discriminator_channels": (8, 0)}, ValueError, "'discriminator_channels'"),
        (X_GOOD, Y_GOOD, {"latent_dim": 0, "noise_dim": 0}, ValueError, "'latent_dim' and 'noise_dim'"),
        (X_GOOD, Y_GOOD, {"sampling_strategy": {5: 9}}, ValueError, "is/are not present"),
        (X_GOOD, Y_GOOD, {"sampling_strategy": {1: 3}}, ValueError, "number of samples"),
        (X_GOOD, Y_GOOD, {"generator": torch.nn.Identity}, TypeError, "'generator' must"),
    ],
)  # fmt: skip
def test_bad_input(quick, X, y, params, error, message):
    for method in ("fit", "fit_resample"):
        with pytest.raises(error, match=message):
            getattr(quick(**params), method)(X, y)


def test_sample_before_fit(quick):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        quick().sample()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": ["N", "Z"]}, "'y' must hold labels seen in 'fit', ['F', 'N', 'V']. Got 'Z'"),
        ({"y": []}, "'y' must be a list of labels"),
        ({"y": [["N", "V"]]}, "'y' must hold one label for each row"),
        ({"n_samples": 0}, "'n_samples' must be a whole number of at least 1. Got 0"),
        ({"n_samples": 2.5}, "'n_samples' must be a whole number of at least 1. Got 2.5"),
    ],
)
def test_bad_arguments_of_sample(trained, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        trained.sample(**arguments)


def test_labels_of_another_kind_are_unknown(quick, rng):
    X, y = rng.normal(size=(240, 8)), np.repeat(np.arange(12), 20)
    sampler = quick(validation_fraction=0).fit(X, y)
    for label in ("1", "10"):  # numpy compares as numbers where there are many
        with pytest.raises(ValueError, match=f"labels seen in 'fit'.* Got '{label}'"):
            sampler.sample(y=[label])
    assert sampler.sample(y=np.array([10, 3], dtype=object))[1].tolist() == [10, 3]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("container", ["Int64", "boolean", sparse.csr_array])
def test_one_hot_labels_of_other_kinds(quick, beats, n_classes, container):
    X, y = beats
    X, y = X[y <= "NV"[n_classes - 2]], y[y <= "NV"[n_classes - 2]]
    places = np.unique(y, return_inverse=True)[1]
    table = np.eye(n_classes, dtype=int)[places]
    is_frame = isinstance(container, str)
    given = pd.DataFrame(table).astype(container) if is_frame else container(table)
    resampled = quick().fit_resample(X, given)[1]
    assert type(resampled) is type(given)
    expected = np.eye(n_classes)[quick().fit_resample(X, places)[1]]
    np.testing.assert_array_equal(resampled if is_frame else resampled.toarray(), expected)
    assert quick().fit(X, given).classes_.tolist() == list(range(n_classes))
    assert (resampled.dtypes == container).all() if is_frame else resampled.dtype == table.dtype


@pytest.mark.parametrize("dtype", ["u1", "f4", "?"])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_the_type_of_a_one_hot_table_stays(quick, beats, container, dtype):
    X, y = beats
    table = (y[:, None] == np.unique(y)).astype(dtype)
    assert quick().fit_resample(X, container(table))[1].dtype == dtype


def test_a_table_of_labels_with_one_missing(quick, beats):
    X, y = beats
    table = (y[:, None] == np.unique(y)).astype(float)
    table[7, 0] = np.nan
    with pytest.raises(ValueError, match="'y' must have a label for each row.* missing in row 7"):
        quick().fit(X, table)
    table[7] = 1, 1, 0
    with pytest.raises(ValueError, match="'y' must hold one label for each row"):
        quick().fit(X, table)


@pytest.mark.parametrize("container", ["Int64", "int64[pyarrow]", "UInt64", "Sparse[int64]"])
def test_large_labels_of_other_types_stay_apart(quick, beats, container):
    X, y = beats
    ids = 2**53 + np.searchsorted(["N", "V"], y)
    given = pd.Series(ids, dtype=container)
    sampler = quick()
    resampled = sampler.fit_resample(X, given)[1]
    assert sampler.classes_.tolist() == [2**53, 2**53 + 1]
    assert resampled.dtype == container
    np.testing.assert_array_equal(resampled.to_numpy("int64")[: len(y)], ids)
    assert sampler.sample(y=ids[:1])[1].dtype.kind in "iu"


def test_truth_values_that_may_be_missing_stay_so(quick, beats):
    X, y = beats
    sampler = quick().fit(X, pd.Series(y == "N", dtype="boolean"))
    assert sampler.classes_.tolist() == [False, True]
    assert sampler.classes_.dtype == bool
    assert sampler.sample(3)[1].dtype == bool


def test_rows_of_other_axes_than_at_first(quick, beats):
    X, y = beats
    leads = np.stack([X, X], axis=1)
    sampler = quick(warm_start=True).fit(leads, y)
    for others in (leads.reshape(len(X), -1), leads.swapaxes(1, 2)):
        got = re.escape(f"first call, {leads.shape[1:]}. Got {others.shape[1:]}")
        with pytest.raises(ValueError, match=f"X must have rows of the shape of the {got}"):
            sampler.partial_fit(others, y)
        with pytest.raises(ValueError, match=f"X must have rows of the shape of the {got}"):
            sampler.fit(others, y)
        with pytest.raises(ValueError, match=f"X must have rows of the shape of the {got}"):
            MMDScorer()(sampler, others, y)


def test_a_generator_of_the_wrong_shape(quick, beats):
    class Short(LSTMGenerator):
        def forward(self, z, y):
            return super().forward(z, y)[..., 1:]

    with pytest.raises(ValueError, match=r"'generator' must .*\(2, 1, 64\) .* Got \(2, 1, 63\)"):
        quick(generator=Short).fit(*beats)


@ignore_short_selection
@pytest.mark.parametrize(
    "params", [{}, {"interpolation_fraction": 0}, {"interpolation_fraction": 1}]
)
def test_new_rows_are_padded_and_scaled_as_real_ones(quick, params):
    X, y = make_heartbeats(300, classes="NVF", weights=[30, 10, 2], random_state=0)
    X = X - X.min(axis=1, keepdims=True)
    X /= X.max(axis=1, keepdims=True)
    n_padded = np.random.default_rng(0).integers(5, 40, size=300)
    X[np.arange(128)[::-1] < n_padded[:, None]] = 0
    with pytest.warns(UserWarning, match="Class 'F' has 14 rows"):
        X_resampled, y_resampled = quick(**params).fit_resample(X, y)
    np.testing.assert_array_equal(X_resampled[:300], X)
    new = X_resampled[300:]
    assert (new.min(), new.max()) == (0, 1)
    runs = np.logical_and.accumulate(new[:, ::-1] == 0, axis=1).sum(axis=1)
    assert (runs >= 5).all()
    for label in "VF":  # as long as rows of the class
        assert set(runs[y_resampled[300:] == label] - 1) <= set(
            range(4, n_padded[y == label].max())
        )


def prepared(quick, monkeypatch, X, y, **options):
    """Fit and return the places of the rows that the net learned from, and those held out."""
    sampler, seen = quick(**options), {}

    def run(trainings):
        ((net, dataset, _),) = trainings
        seen.update(rows=dataset.rows, held_out=net.best_.held_out, classes=net.classes_)
        return [net.train(dataset)]

    monkeypatch.setattr(sampler, "_run", run)
    sampler.fit(X, y)
    return sampler, seen


def test_rows_are_held_out_at_random_and_not_learned(quick, beats, monkeypatch):
    X, y = beats
    X, y = np.concatenate([X, X[:200] + 0.01]), np.concatenate([y, y[:200]])
    order = np.argsort(y, kind="stable")
    X, y = X[order], y[order]
    sampler, seen = prepared(quick, monkeypatch, X, y, max_epochs=1)
    scaled = {row.tobytes(): i for i, row in enumerate(sampler._scaled(X))}
    counts = np.unique(y, return_counts=True)[1]
    for label, rows in seen["held_out"].items():
        places = np.array([scaled[row.tobytes()] for row in rows])
        assert len(places) == int(0.1 * counts[label])
        assert set(y[places]) == {sampler.classes_[label]}
        assert not set(places) & set(seen["rows"].tolist())
        assert places.max() - places.min() > len(places) * 2  # not the first ones
    assert len(seen["rows"]) + sum(map(len, seen["held_out"].values())) == len(y)


def test_generated_rows_are_varied(quick, beats):
    X, y = beats
    options = {"interpolation_fraction": 0, "sampling_strategy": {"F": 140}}
    still, varied = (quick(variation=v, **options).fit_resample(X, y)[0][520:] for v in (1e-9, 4.0))
    moved = np.linalg.norm(varied - still, axis=1)
    assert (moved > 1e-3).mean() > 0.8


def test_fractions_are_of_all_new_rows(quick):
    sampler = quick(interpolation_fraction=0.5, replicate_fraction=0.25)
    sampler._few_rows = {1: None}
    assert sampler._share_out(0, 80) == (20, 40, 20)
    assert sampler._share_out(1, 80) == (20, 60, 0)


def test_parameters_reach_the_networks(quick, beats):
    net = quick(generator="lstm", discriminator="max_pooling", kernel_size=3).fit(*beats).net_
    assert not net.module_.lstm.bidirectional
    assert isinstance(net.discriminator_.blocks[0][-1], torch.nn.MaxPool1d)
    assert net.discriminator_.blocks[0][0].kernel_size == (3,)
    net = quick().fit(*beats).net_
    assert net.module_.lstm.bidirectional
    assert net.discriminator_.blocks[0][0].kernel_size == (5,)
    assert net.discriminator_.blocks[0][0].stride == (2,)


def test_replicates_are_drawn_at_random(quick, beats):
    X, y = beats
    sampler = quick(interpolation_fraction=0, replicate_fraction=1.0, sampling_strategy={"F": 80})
    new = sampler.fit_resample(X, y)[0][520:]
    real = [row.tobytes() for row in X[y == "F"]]
    places = [real.index(row.tobytes()) for row in new]
    assert len(set(places)) < 35  # of 40, with replacement


def test_twenty_rows_are_enough(quick, rng):
    X = rng.normal(size=(60, 8))
    sampler = quick().fit(X, np.repeat([0, 1], [40, 20]))
    assert sampler.net_.classes_.tolist() == [0, 1]
    with pytest.warns(UserWarning, match="Class 1 has 19 rows"):
        quick().fit(X[:59], np.repeat([0, 1], [40, 19]))


def test_one_row_is_not_held_out(quick, beats):
    sampler = quick(validation_fraction=0.04).fit(*beats)  # 16 of N, 3 of V, 1 of F
    assert np.isfinite(sampler.best_score_)


class CountSteps(Callback):
    n = 0

    def on_grad_computed(self, net, **kwargs):
        self.n += 1


def test_steps_of_the_discriminator_and_moments_of_adam(quick, beats):
    count = CountSteps()
    sampler = quick(n_discriminator_steps=3, betas=(0.3, 0.7), callbacks=[count]).fit(*beats)
    assert (sampler.n_iter_, count.n) == (6, 6 * (3 + 1))
    for optimizer in (sampler.net_.optimizer_, sampler.net_.discriminator_optimizer_):
        assert optimizer.param_groups[0]["betas"] == (0.3, 0.7)


class GradientNorms(Callback):
    def on_train_begin(self, net, **kwargs):
        self.norms = []

    def on_grad_computed(self, net, named_parameters, **kwargs):
        gradients = [value.grad.ravel() for _, value in named_parameters if value.grad is not None]
        self.norms.append(float(torch.linalg.vector_norm(torch.cat(gradients))))


@pytest.mark.parametrize("factor", [1e-3, 1e4])
def test_gradients_are_clipped_where_they_are_large(quick, beats, factor):
    def loss(real, fake):
        return tuple(factor * value for value in relativistic(real, fake))

    norms = GradientNorms()
    quick(loss=loss, gradient_penalty=0, callbacks=[norms]).fit(*beats)
    assert len(norms.norms) == 12
    assert np.isclose(norms.norms, 10, rtol=1e-4).all() == (factor > 1)
    assert (np.array(norms.norms) < 10.001).all()


def test_an_early_stop_of_skorch_is_no_interruption(quick, beats):
    """Warnings are errors."""
    stop = EarlyStopping(monitor="generator_loss", patience=1, lower_is_better=False, threshold=9)
    assert quick(max_epochs=9, callbacks=[stop]).fit(*beats).n_iter_ == 6


@pytest.mark.parametrize("name", ["best", "clipping", "progress", "checkpoint"])
def test_callbacks_may_have_any_name(quick, beats, tmp_path, capsys, name):
    norms = GradientNorms()
    quick(callbacks=[(name, norms)], verbose=1, checkpoint=tmp_path / "folder").fit(*beats)
    assert norms.norms


def one_loss(real, fake):
    return (real - fake).mean()


def losses_of_real_rows(real, fake):
    return (fake - real).mean(), -real.mean()


def losses_without_gradient(real, fake):
    return (fake - real).mean().detach(), -fake.mean()


def losses_of_rows(real, fake):
    return real - fake, fake - real


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"generator": LSTMGenerator(1, 64, 3)}, "'generator' must be .* Got a LSTMGenerator that"),
        ({"discriminator": ConvDiscriminator(1, 64, 3)}, "'discriminator' must be .* its class"),
        ({"loss": torch.nn.BCEWithLogitsLoss()}, "'loss' must return .* Got tensor"),
        ({"loss": one_loss}, "'loss' must return the losses of discriminator and generator"),
        ({"loss": losses_of_rows}, "'loss' must return .* two tensors without axes"),
        ({"loss": losses_of_real_rows}, "'loss' must return .* Got one without a gradient"),
        ({"loss": losses_without_gradient}, "'loss' must return .* Got one without a gradient"),
        (
            {"callbacks": ["progress"]},
            "'callbacks' must be a list of skorch callbacks.* 'progress'",
        ),
        ({"callbacks": [("a", 1, 2)]}, "'callbacks' must be a list of skorch callbacks"),
    ],
)
def test_parts_of_ones_own_that_cannot_work(quick, beats, params, message):
    with pytest.raises(TypeError, match=message):
        quick(**params).fit(*beats)


def test_rows_that_were_scaled_one_by_one_are_varied_by_once_at_most(quick, beats):
    X, y = beats
    scaled = (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)
    once, often = (quick(variation=v).fit_resample(scaled, y)[0] for v in (1.0, 4.0))
    np.testing.assert_array_equal(once, often)
    new = once[len(X) :]
    np.testing.assert_allclose(new.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(new.std(axis=1), 1, atol=1e-6)
    once, often = (quick(variation=v).fit_resample(X, y)[0] for v in (1.0, 4.0))
    assert not np.array_equal(once, often)


@pytest.mark.parametrize("params", [{}, {"variation": 0}, {"detail_fraction": 0}])
@pytest.mark.parametrize("n_rare", [10, 80])
def test_a_dead_lead_stays_dead(quick, beats, tmp_path, params, n_rare):
    X, y = beats
    y = np.where(np.arange(len(y)) < n_rare, "S", "N")
    X = np.concatenate([1e-3 * X, np.full_like(X, 0.1)], axis=1)  # in V
    sampler = quick(n_channels=2, **params)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Class 'S' has 10 rows")
        X_resampled, _ = sampler.fit_resample(X, y)
    assert (X_resampled[:, X.shape[1] // 2 :] == 0.1).all()
    sampler.save(tmp_path / "sampler")
    X_new, _ = StaGANSampler.load(tmp_path / "sampler").sample(50)
    assert (X_new[:, X.shape[1] // 2 :] == 0.1).all()
    np.testing.assert_array_equal(X_new, sampler.sample(50)[0])


class DataFrame:
    """A table of polars, as far as it counts here."""

    __module__ = "polars.dataframe.frame"

    def __init__(self, X):
        self.X, self.shape, self.columns = X, X.shape, [*map(str, range(X.shape[1]))]

    def __len__(self):
        return len(self.X)

    def __array__(self, dtype=None, copy=None):
        return self.X


def test_tables_of_other_libraries(quick, beats):
    X, y = beats
    with pytest.raises(TypeError, match="'X' must be an array, .* Got one of polars; call its"):
        quick().fit_resample(DataFrame(X), y)
    table = pa.table({f"t{i}": X[:, i] for i in range(X.shape[1])})
    expected = quick().fit(X, y).sample(5)[0]
    for given in (DataFrame(X), table):
        np.testing.assert_array_equal(quick().fit(given, y).sample(5)[0], expected)


def test_weights_are_chosen_in_one_way(quick, beats):
    stop = EarlyStopping(monitor="valid_mmd", load_best=True)
    with pytest.raises(ValueError, match="EarlyStopping with load_best=True; set it to False"):
        quick(callbacks=[stop]).fit(*beats)


def test_workers_are_heard_where_training_diverges(quick, beats):
    sampler = quick(conditioning="per_class", n_jobs=2, validation_fraction=0).fit(*beats)
    sampler.set_params(warm_start=True, max_epochs=20, lr=1e6)
    with pytest.warns(UserWarning, match="Training of class '[FNV]' diverged") as record:
        sampler.fit(*beats)
    assert sum("diverged" in str(warning.message) for warning in record) == 3


def test_halves_of_an_odd_number_are_no_more_than_all(quick, beats):
    options = {"interpolation_fraction": 0.5, "replicate_fraction": 0.5}
    sampler = quick(sampling_strategy={"F": 43}, **options)
    X_resampled, y_resampled = sampler.fit_resample(*beats)
    assert len(X_resampled) == len(y_resampled) == 523


def test_too_few_rows_do_not_vote(quick, beats):
    X, y = beats
    keep = np.r_[np.flatnonzero(y == "N"), np.flatnonzero(y == "V")[:2]]
    with pytest.warns(UserWarning, match="Class 'V' has 2 rows"):  # and no other
        quick(selection="unanimous").fit_resample(X[keep], y[keep])


def test_rows_made_of_a_single_one_are_varied(quick, beats):
    X, y = beats
    keep = np.r_[np.flatnonzero(y == "N"), np.flatnonzero(y == "V")[:1]]
    sampler = quick(variation=1e-9)
    with pytest.warns(UserWarning, match="Class 'V' has 1 row"):  # and no other, as of copies
        sampler.fit_resample(X[keep], y[keep])
    new, _ = sampler.sample(y=["V"] * 50, random_state=0)
    assert np.abs(new - X[keep[-1]]).max(axis=1).min() > 0
    assert len(np.unique(new, axis=0)) == 50


def test_rows_are_of_the_seed_where_labels_are_given(quick, beats):
    sampler = quick(max_epochs=1, steps_per_epoch=1).fit(*beats)
    one, other = (sampler.sample(y=["N"] * 3, random_state=seed)[0] for seed in (0, 1))
    assert not np.array_equal(one, other)
