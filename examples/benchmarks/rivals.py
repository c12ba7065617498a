"""What is compared: ways to balance a training set, and classifiers to train on it."""

import time
import warnings
from functools import partial
from importlib.util import find_spec

import numpy as np
import torch
from imblearn.over_sampling import ADASYN, SMOTE, SVMSMOTE, BorderlineSMOTE, RandomOverSampler
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, LRScheduler
from skorch.dataset import Dataset
from torch import nn

from sktsgan import StaGANSampler

STAGAN, ORIGINAL_RECIPE = "StaGANSampler", "original StaGAN recipe"
MOVED, TUNED = "moved scores", "threshold tuning"
# These leave the rows alone; the classifiers do the balancing.
UNCHANGED = ("none", "class weights", MOVED, TUNED)
# The class, and the name of its number of neighbours.
IMBALANCED_LEARN = {
    "RandomOverSampler": (RandomOverSampler, None),
    "RandomOverSampler, shrinkage 0.3": (partial(RandomOverSampler, shrinkage=0.3), None),
    "SMOTE": (SMOTE, "k_neighbors"),
    "BorderlineSMOTE": (BorderlineSMOTE, "k_neighbors"),
    "ADASYN": (ADASYN, "n_neighbors"),
    "SVMSMOTE": (SVMSMOTE, "k_neighbors"),
}
AEON = ("OHIT", "ESMOTE")
ALL = (*UNCHANGED, *IMBALANCED_LEARN, *AEON, STAGAN, ORIGINAL_RECIPE)


def names_of_samplers(split):
    """Samplers for a split; thresholds are tuned where there are two classes."""
    unchanged = UNCHANGED if len(np.unique(split.y_train)) == 2 else UNCHANGED[:3]
    return [*unchanged, *IMBALANCED_LEARN, *(AEON if has_aeon() else ()), STAGAN]


def has_aeon():
    return find_spec("aeon") is not None


def resample(name, split, seed, seconds=None):
    """Balance the training rows of a split; `seconds` limit the original StaGAN recipe."""
    X, y = split.X_train, split.y_train
    if name in UNCHANGED:
        return X, y
    counts = np.sort(np.unique(y, return_counts=True)[1])
    # their default, where the rarest class has as many others
    n_neighbors = min(5, counts[0] - 1)
    if name in AEON:
        _check_possible(name, split.n_channels, n_rare=counts[-2])
        from aeon.transformations.collection import imbalance

        options = {"n_neighbors": n_neighbors} if name == "ESMOTE" else {}
        sampler = getattr(imbalance, name)(random_state=seed, **options)
        X_new, y_new = sampler.fit_transform(X[:, None].astype(float), y)
        return X_new[:, 0], y_new
    if name in IMBALANCED_LEARN:
        build, option = IMBALANCED_LEARN[name]
        options = {option: n_neighbors} if option else {}
        return build(random_state=seed, **options).fit_resample(X, y)
    sampler = StaGANSampler(n_channels=split.n_channels, random_state=seed)
    if name == ORIGINAL_RECIPE:
        sampler.set_params(**recipe(seconds / len(np.unique(y))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sampler.fit_resample(X, y)


def _check_possible(name, n_channels, n_rare):
    """Refuse what aeon's samplers cannot do; it counts as failed."""
    if n_channels > 1:
        raise ValueError("It takes one lead.")
    if name == "ESMOTE" and n_rare > 2000:
        raise ValueError(f"Elastic distances between all pairs of {n_rare} rows would take hours.")


class TimeLimit(Callback):
    """End training after some seconds of a core, as Ctrl-C would: others may keep it busy."""

    def __init__(self, seconds):
        self.seconds = seconds

    def on_train_begin(self, net, **kwargs):
        self.start_ = time.process_time()

    def on_batch_end(self, net, **kwargs):
        if time.process_time() - self.start_ > self.seconds:
            raise KeyboardInterrupt


def recipe(seconds):
    """Parameters of the original StaGAN scripts, for so many seconds a class."""
    return {
        "latent_dim": 0,
        "noise_dim": 1,
        "hidden_size": 50,
        "n_layers": 2,
        "samples_per_step": 1,
        "head_channels": 0,
        "discriminator": "max_pooling",
        "discriminator_channels": (10, 10),
        "kernel_size": 3,
        "minibatch_features": 5,
        "conditioning": "per_class",
        "loss": "bce",
        "gradient_penalty": 0,
        "n_discriminator_steps": 3,
        "lr": 2e-4,
        "betas": (0.9, 0.999),
        "batch_size": 50,
        "max_epochs": 100_000,
        "steps_per_epoch": None,
        "augmentation": 0,
        "ema_decay": 0,
        "validation_fraction": 0,
        "selection": None,
        "interpolation_fraction": 0,
        "variation": 0,
        "detail_fraction": 0,
        "callbacks": [TimeLimit(seconds)],
    }


class CNN(nn.Module):
    """Three strided convolutions and two dense layers."""

    def __init__(self, n_channels, n_timepoints, n_classes):
        super().__init__()
        self.n_channels = n_channels
        layers, width = [], n_channels
        for wider in (16, 32, 32):
            layers += [nn.Conv1d(width, wider, 5, stride=2, padding=2), nn.ReLU()]
            width, n_timepoints = wider, (n_timepoints + 1) // 2
        head = [nn.Linear(width * n_timepoints, 64), nn.ReLU(), nn.Linear(64, n_classes)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), *head)

    def forward(self, X):
        return self.layers(X.view(len(X), self.n_channels, -1))


def classifiers(sampler, n_rows, split, seed):
    """Build the classifiers for a training set of `n_rows` rows, by name."""
    weight = "balanced" if sampler == "class weights" else None
    models = {
        "random forest": RandomForestClassifier(class_weight=weight, random_state=seed),
        "logistic regression": make_pipeline(
            StandardScaler(), LogisticRegression(class_weight=weight, max_iter=1000)
        ),
        "1-NN": KNeighborsClassifier(1),
        "CNN": make_pipeline(
            FunctionTransformer(_as_float32), _build_cnn(sampler, n_rows, split, seed)
        ),
    }
    if has_aeon():
        from aeon.transformations.collection.convolution_based import MiniRocket

        models["MiniRocket"] = make_pipeline(
            FunctionTransformer(_as_leads, kw_args={"n_channels": split.n_channels}),
            MiniRocket(n_kernels=1000, random_state=seed),
            StandardScaler(),
            RidgeClassifierCV(np.logspace(-1, 3, 5), class_weight=weight),
        )
    return models


def _build_cnn(sampler, n_rows, split, seed):
    """Build a CNN that takes 2000 steps of 64 rows, however many rows there are."""
    n_classes = len(np.unique(split.y_train))
    shape = split.n_channels, split.X_train.shape[1] // split.n_channels, n_classes
    n_epochs = max(1, round(2000 * 64 / n_rows))
    weight = None
    if sampler == "class weights":
        counts = np.unique(split.y_train, return_counts=True)[1]
        weight = torch.tensor(n_rows / n_classes / counts, dtype=torch.float32)
    return NeuralNetClassifier(
        partial(_seeded_cnn, seed, *shape),
        criterion=nn.CrossEntropyLoss,
        criterion__weight=weight,
        optimizer=torch.optim.Adam,
        lr=2e-3,
        batch_size=64,
        max_epochs=n_epochs,
        train_split=None,
        dataset=Rows,
        iterator_train__shuffle=True,
        iterator_train__collate_fn=_as_tensors,
        iterator_valid__collate_fn=_as_tensors,
        callbacks=[("decay", LRScheduler("CosineAnnealingLR", T_max=n_epochs))],
        verbose=0,
    )


class Rows(Dataset):
    """A dataset that hands out batches at once, not row by row."""

    def __getitems__(self, places):
        y = np.zeros(len(places)) if self.y is None else self.y[places]
        return self.X[places], y


def _as_tensors(batch):
    return tuple(map(torch.from_numpy, batch))


def _seeded_cnn(seed, *shape):
    torch.manual_seed(seed)  # of the batches too
    return CNN(*shape)


def _as_float32(X):
    return np.asarray(X, dtype=np.float32)


def _as_leads(X, n_channels):
    return np.asarray(X, dtype=np.float64).reshape(len(X), n_channels, -1)
