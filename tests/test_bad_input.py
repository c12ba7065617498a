"""Bad and odd input: what each kind ends in is in ``docs/bad_input.csv``, which is shown too."""

import csv
import re
import warnings
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from torch import nn

from sktsgan import StaGANSampler
from sktsgan.datasets import make_heartbeats
from tests.conftest import QUICK

TABLE = Path(__file__).parent.parent / "docs" / "bad_input.csv"
ERRORS = {error.__name__: error for error in (ValueError, TypeError, RuntimeError, NotFittedError)}


class NoNoise(nn.Module):
    """A generator that does not say how much noise it takes."""

    def __init__(self, **shape):
        super().__init__()


class OtherShape(nn.Module):
    """A generator that gives too few time points."""

    latent_size = 3

    def __init__(self, **shape):
        super().__init__()
        self.out = nn.Linear(3, 5)

    def forward(self, z, y):
        return self.out(z)[:, None]


def rows():
    return make_heartbeats(80, classes="NV", weights=[5, 3], n_timepoints=16, fs=22, random_state=0)


def changed(place, value, dtype=np.float64):
    X = rows()[0].astype(dtype)
    X[place] = value
    return X


def frame(column):
    return pd.DataFrame(X0).add_prefix("t").assign(t3=column)


def objects(rows):
    """Put rows into an array of arrays."""
    held = np.empty(len(rows), dtype=object)
    held[:] = rows
    return held


def read_only(tmp_path):
    np.save(tmp_path / "X.npy", rows()[0])
    return np.load(tmp_path / "X.npy", mmap_mode="r")


X0, Y0 = rows()

# kind -> rows, from a temporary folder where they need one
OF_X = {
    "X: list of lists": lambda _: X0.tolist(),
    "X: tuple of arrays": lambda _: tuple(X0),
    "X: DataFrame": lambda _: pd.DataFrame(X0, columns=[f"t{i}" for i in range(16)]),
    "X: DataFrame with equal column names": lambda _: pd.DataFrame(X0, columns=["t"] * 16),
    "X: DataFrame of a nullable type": lambda _: pd.DataFrame(X0).astype("Float64"),
    "X: DataFrame with a sparse column": lambda _: frame(pd.arrays.SparseArray(X0[:, 3])),
    "X: DataFrame with a column of dates": lambda _: frame(pd.Timestamp("2026-01-01", tz="UTC")),
    "X: DataFrame with a column of words": lambda _: frame("beat"),
    "X: torch tensor": lambda _: torch.from_numpy(X0),
    "X: torch tensor with a gradient": lambda _: torch.tensor(X0, requires_grad=True),
    "X: torch tensor of bfloat16": lambda _: torch.tensor(X0, dtype=torch.bfloat16),
    "X: sparse torch tensor": lambda _: torch.from_numpy(X0).to_sparse(),
    "X: masked array without masked values": lambda _: np.ma.masked_invalid(X0),
    "X: masked array with masked values": lambda _: np.ma.masked_greater(X0, 1),
    "X: memory-mapped, read-only": read_only,
    "X: Fortran order": lambda _: np.asfortranarray(X0),
    "X: every other row of an array": lambda _: np.repeat(X0, 2, axis=0)[::2],
    "X: reversed in time": lambda _: X0[:, ::-1],
    "X: big-endian": lambda _: X0.astype(">f8"),
    "X: float16": lambda _: X0.astype(np.float16),
    "X: float32": lambda _: X0.astype(np.float32),
    "X: int8": lambda _: (50 * X0).clip(-128, 127).astype(np.int8),
    "X: uint16": lambda _: (1000 + 100 * X0).astype(np.uint16),
    "X: int64": lambda _: (1000 * X0).astype(np.int64),
    "X: bool": lambda _: X0 > 0,
    "X: objects that are numbers": lambda _: X0.astype(object),
    "X: three axes": lambda _: X0.reshape(80, 2, 8),
    "X: constant rows": lambda _: np.full_like(X0, 0.1),
    "X: all zero": lambda _: np.zeros_like(X0),
    "X: all rows equal": lambda _: np.tile(X0[:1], (80, 1)),
    "X: of 1e30": lambda _: X0 * 1e30,
    "X: of 1e-30": lambda _: X0 * 1e-30,
    "X: of 1e-300": lambda _: X0.astype(np.float64) * 1e-300,
    "X: of 1e300": lambda _: X0.astype(np.float64) * 1e300,
    "X: one value of 1e12": lambda _: changed((3, 5), 1e12),
    "X: an offset of 1e9": lambda _: X0 + 1e9,
    "X: two time points": lambda _: X0[:, :2],
    "X: one time point": lambda _: X0[:, :1],
    "X: no time points": lambda _: X0[:, :0],
    "X: no channels": lambda _: X0[:, None][:, :0],
    "X: no rows": lambda _: X0[:0],
    "X: one axis": lambda _: X0[:, 0],
    "X: four axes": lambda _: X0.reshape(80, 2, 4, 2),
    "X: a number": lambda _: 3.0,
    "X: None": lambda _: None,
    "X: a string": lambda _: "beats",
    "X: a dict": lambda _: {"a": [1, 2]},
    "X: words": lambda _: np.full((80, 16), "beat"),
    "X: bytes": lambda _: np.full((80, 16), b"beat"),
    "X: dates": lambda _: np.full((80, 16), np.datetime64("2026-01-01")),
    "X: complex": lambda _: X0 + 1j,
    "X: objects that are no numbers": lambda _: np.full((80, 16), [None]),
    "X: records": lambda _: np.zeros(80, dtype=[("a", float), ("b", float)]),
    "X: sparse matrix": lambda _: scipy.sparse.csr_matrix(X0),
    "X: sparse array": lambda _: scipy.sparse.csr_array(X0),
    "X: ragged rows": lambda _: [*X0.tolist()[:-1], [1.0, 2.0]],
    "X: an array of arrays": lambda _: objects(list(X0)),
    "X: a Series of ragged arrays": lambda _: pd.Series([*X0[:-1], X0[-1, :2]]),
    "X: ragged channels": lambda _: [[[1.0, 2.0], [1.0]]] * 80,
    "X: NaN": lambda _: changed((7, 2), np.nan),
    "X: infinity": lambda _: changed((7, 2), np.inf),
    "X: minus infinity in float16": lambda _: changed((7, 2), -np.inf, np.float16),
    "X: missing values of pandas": lambda _: pd.DataFrame(X0).astype("Float64").mask(X0 > 1),
}
OF_Y = {
    "y: list": lambda: Y0.tolist(),
    "y: Series": lambda: pd.Series(Y0),
    "y: categories": lambda: pd.Series(Y0, dtype="category"),
    "y: categories of truth values": lambda: pd.Series(Y0 == "V", dtype="category"),
    "y: bool": lambda: Y0 == "V",
    "y: negative and huge integers": lambda: np.where(Y0 == "V", -5, 2**62),
    "y: whole floats": lambda: np.where(Y0 == "V", 1.0, 2.0),
    "y: objects": lambda: Y0.astype(object),
    "y: an empty string as a label": lambda: np.where(Y0 == "V", "", "N"),
    "y: a column": lambda: Y0[:, None],
    "y: one-hot": lambda: np.stack([Y0 == "N", Y0 == "V"], axis=1).astype(int),
    "y: one-hot, a tensor": lambda: torch.tensor(np.stack([Y0 == "N", Y0 == "V"], axis=1) + 0),
    "y: one-hot, sparse": lambda: scipy.sparse.csr_matrix(
        np.stack([Y0 == "N", Y0 == "V"], axis=1) + 0
    ),
    "y: one-hot, of a row without a one": lambda: np.eye(3, dtype=int)[
        np.where(np.arange(80) == 5, 2, Y0 == "V")
    ][:, :2],
    "y: bytes": lambda: Y0.astype("S1"),
    "y: strings of variable width": lambda: Y0.astype(np.dtypes.StringDType()),
    "y: dates": lambda: np.where(
        Y0 == "V", np.datetime64("2026-01-01"), np.datetime64("2026-01-02")
    ),
    "y: one row of a class": lambda: np.where(np.arange(80) == 4, "V", "N"),
    "y: three rows of a class": lambda: np.where(np.arange(80) < 3, "V", "N"),
    "y: a class for each row": lambda: np.arange(80),
    "y: one class": lambda: np.full(80, "N"),
    "y: None": lambda: None,
    "y: too short": lambda: Y0[:-1],
    "y: too long": lambda: np.append(Y0, "N"),
    "y: empty": list,
    "y: numbers with fractions": lambda: np.linspace(0, 1, 80),
    "y: NaN": lambda: np.where(Y0 == "V", np.nan, 1.0),
    "y: strings and numbers": lambda: np.where(np.arange(80) % 2, 1, Y0.astype(object)),
    "y: strings and numbers in a list": lambda: [*Y0[:-1].tolist(), 1],
    "y: strings and NaN in a list": lambda: [*Y0[:-1].tolist(), float("nan")],
    "y: missing labels of pandas": lambda: pd.Series(Y0, dtype="string").mask(Y0 == "V"),
    "y: a missing category": lambda: pd.Series(Y0, dtype="category").mask(np.arange(80) == 5),
    "y: None among labels": lambda: np.where(np.arange(80) == 5, None, Y0.astype(object)),
    "y: several labels in each row": lambda: np.ones((80, 3), dtype=int),
    "y: several labels in each row of a list": lambda: [("N", "V")] * 80,
    "y: a string": lambda: "NV",
}
PARAMETERS = {
    "sampling_strategy: a word": {"sampling_strategy": "most"},
    "sampling_strategy: an unknown class": {"sampling_strategy": {"S": 90}},
    "sampling_strategy: fewer than there are": {"sampling_strategy": {"V": 3}},
    "sampling_strategy: a mapping that is no dict": {
        "sampling_strategy": MappingProxyType({"V": 70})
    },
    "sampling_strategy: a negative number": {"sampling_strategy": {"V": -3}},
    "sampling_strategy: a share above 1": {"sampling_strategy": 1.5},
    "sampling_strategy: a share below what is": {"sampling_strategy": 0.1},
    "sampling_strategy: a number of rows": {"sampling_strategy": {"V": 70}},
    "sampling_strategy: a whole float": {"sampling_strategy": {"V": 45.0}},
    "sampling_strategy: more rows than memory holds": {"sampling_strategy": {"V": 10**13}},
    "sampling_strategy: more rows than numpy counts": {"sampling_strategy": {"V": 10**30}},
    "sampling_strategy: a fraction of a row": {"sampling_strategy": {"V": 45.5}},
    "sampling_strategy: NaN rows": {"sampling_strategy": {"V": float("nan")}},
    "sampling_strategy: infinitely many rows": {"sampling_strategy": {"V": float("inf")}},
    "sampling_strategy: text for a number": {"sampling_strategy": {"V": "70"}},
    "sampling_strategy: None for a number": {"sampling_strategy": {"V": None}},
    "sampling_strategy: a function that returns a Series": {
        "sampling_strategy": lambda y: pd.Series({"V": 70})
    },
    "sampling_strategy: a function that returns nothing": {"sampling_strategy": lambda y: None},
    "sampling_strategy: a function that returns fractions": {
        "sampling_strategy": lambda y: {"V": 70.5}
    },
    "n_channels: 0": {"n_channels": 0},
    "n_channels: true": {"n_channels": True},
    "n_channels: no divisor": {"n_channels": 3},
    "n_channels: so many that one point is left": {"n_channels": 16},
    "lr: 0": {"lr": 0},
    "lr: NaN": {"lr": float("nan")},
    "lr: 10": {"lr": 10.0},
    "lr: 1000": {"lr": 1e3},
    "gradient_penalty: 0": {"gradient_penalty": 0},
    "gradient_penalty: -1": {"gradient_penalty": -1},
    "penalty_interval: 0": {"penalty_interval": 0},
    "penalty_interval: 1.5": {"penalty_interval": 1.5},
    "betas: three": {"betas": (0.1, 0.2, 0.3)},
    "betas: of 1": {"betas": (0.0, 1.0)},
    "betas: a word": {"betas": ("a", 0.9)},
    "device: one that is not there": {"device": "cuda:77"},
    "device: a word": {"device": "laptop"},
    "device: one without values": {"device": "meta"},
    "device: one whose library is missing": {"device": "hpu"},
    "loss: a word": {"loss": "best"},
    "loss: one that gives NaN": {"loss": lambda real, fake: ((real - fake).mean() * np.nan,) * 2},
    "generator: a word": {"generator": "transformer"},
    "generator: without its size": {"generator": NoNoise},
    "generator: of another shape": {"generator": OtherShape},
    "discriminator: a number": {"discriminator": 3},
    "discriminator: a function that returns nothing": {"discriminator": lambda **shape: None},
    "discriminator_channels: none": {"discriminator_channels": ()},
    "discriminator_channels: 0": {"discriminator_channels": (8, 0)},
    "discriminator_channels: true": {"discriminator_channels": (8, True)},
    "kernel_size: even": {"kernel_size": 4},
    "noise: none at all": {"latent_dim": 0, "noise_dim": 0},
    "batch_size: 0": {"batch_size": 0},
    "batch_size: 1": {"batch_size": 1},
    "batch_size: a fraction": {"batch_size": 2.5},
    "max_epochs: 0": {"max_epochs": 0},
    "validation_fraction: 1": {"validation_fraction": 1},
    "fractions: above 1 together": {"interpolation_fraction": 0.7, "replicate_fraction": 0.7},
    "random_state: a word": {"random_state": "seed"},
    "callbacks: a function": {"callbacks": print},
    "checkpoint: a number": {"checkpoint": 3},
    "checkpoint: no name": {"checkpoint": ""},
}
SAMPLE = {
    "sample: before fit": None,
    "sample: 0 rows": {"n_samples": 0},
    "sample: -1 rows": {"n_samples": -1},
    "sample: a fraction of a row": {"n_samples": 1.5},
    "sample: None": {"n_samples": None},
    "sample: an unknown class": {"y": ["N", "Q"]},
    "sample: no labels": {"y": []},
    "sample: one label": {"y": "N"},
    "sample: labels of another kind": {"y": [0, 1]},
    "sample: a missing label": {"y": pd.array(["N", None], dtype="string")},
    "sample: labels in two axes": {"y": [["N", "V"], ["V", "N"]]},
    "sample: a word as a seed": {"random_state": "seed"},
}
KINDS = [*OF_X, *OF_Y, *PARAMETERS, *SAMPLE]


def call(kind, quick, folder):
    """Do it; return what comes out and what went in."""
    sampler = quick(**PARAMETERS.get(kind, {}))
    if kind in SAMPLE:
        if SAMPLE[kind] is None:
            return sampler.sample(), ()
        return sampler.fit(X0, Y0).sample(**SAMPLE[kind]), ()
    X = OF_X[kind](folder) if kind in OF_X else X0
    y = OF_Y[kind]() if kind in OF_Y else Y0
    return sampler.fit_resample(X, y), (X, y)


def read_table():
    with TABLE.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_table_has_every_kind():
    assert [line["what comes in"] for line in read_table()] == KINDS
    assert len(KINDS) >= 60


@pytest.mark.parametrize("line", read_table(), ids=lambda line: line["what comes in"])
@pytest.mark.filterwarnings("ignore")
def test_every_kind_ends_as_the_table_says(line, quick, tmp_path):
    error, _, message = line["what comes out"].partition(": ")
    if error in ERRORS:
        with pytest.raises(ERRORS[error], match=re.escape(message)):
            call(line["what comes in"], quick, tmp_path)
        return
    (X, y), given = call(line["what comes in"], quick, tmp_path)
    assert line["what comes out"] == outcome(X, y)
    assert np.isfinite(np.asarray(X, dtype=np.float64)).all()
    if given:
        rows = given[0]
        rows = rows.detach().float() if isinstance(rows, torch.Tensor) else rows
        first = np.asarray(X)[: len(rows)]
        np.testing.assert_array_equal(first, np.asarray(rows).astype(first.dtype))


def outcome(X, y):
    """Describe what comes out in a few words."""
    name = X.dtype.name if hasattr(X, "dtype") else type(X).__name__
    return f"{len(X)} rows, {name}"


@st.composite
def odd_rows(draw):
    """Draw rows of any shape, type and container, with a bad value or without."""
    n_rows = draw(st.integers(0, 45))
    shape = n_rows, *draw(st.lists(st.integers(0, 12), min_size=1, max_size=2))
    unit = draw(st.sampled_from([1.0, 0.0, 1e-20, 1e3, 1e20]))
    X = unit * np.random.RandomState(draw(st.integers(0, 99))).randn(*shape)
    if X.size:
        X.flat[draw(st.integers(0, X.size - 1))] = draw(
            st.sampled_from([0.0, 1.0, 65504.0, -1e30, 1e308, np.inf, np.nan])
        )
    types = ["f2", "f4", ">f4", "f8", "i1", "u2", "i8", "?", "O"]
    with np.errstate(all="ignore"):
        X = X.astype(draw(st.sampled_from(types)))
    containers = [np.asarray, list, np.ndarray.tolist, *[pd.DataFrame] * (len(shape) == 2)]
    return draw(st.sampled_from(containers))(X)


@st.composite
def odd_labels(draw, n_rows):
    """Draw labels of any kind, about as many as there are rows."""
    kinds = ["ab", "abc", [0, 1], [-1, 1, 7], [True, False], [1.0, 2.0], [0.5, 1.5], [2**63 - 1, 0]]
    kinds += [["a", 1], [None, "a"], [float("nan"), 1.0], [b"a", b"b"], [(1, 2), (3, 4)], "a"]
    labels = st.sampled_from(list(draw(st.sampled_from(kinds))))
    n_rows = max(0, n_rows + draw(st.sampled_from([0, 0, 0, 0, 1, -1])))
    y = draw(st.lists(labels, min_size=n_rows, max_size=n_rows))
    return draw(st.sampled_from([list, np.asarray, pd.Series, objects]))(y)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=60)
@given(st.data())
def test_whatever_comes_in_is_refused_or_balanced(data):
    X = data.draw(odd_rows())
    y = data.draw(odd_labels(len(X)))
    try:
        X_resampled, y_resampled = StaGANSampler(**QUICK).fit_resample(X, y)
    except (ValueError, TypeError):
        return
    assert type(X_resampled) is type(X)
    assert len(set(pd.Series(y_resampled).value_counts())) == 1
    resampled = np.asarray(X_resampled, dtype=np.float64)
    assert np.isfinite(resampled).all()
    np.testing.assert_array_equal(resampled[: len(X)], np.asarray(X, dtype=np.float64))


def write_table(quick, folder):
    lines = []
    for kind in KINDS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                (X, y), _ = call(kind, quick, folder)
                lines.append((kind, outcome(X, y)))
            except tuple(ERRORS.values()) as error:
                # what follows differs between versions, or between runs where it is a set
                message = re.split(r" must be an? |\. Got |; | \(", str(error).splitlines()[0])[0]
                name = type(error).__name__.replace("InvalidParameter", "Value")
                lines.append((kind, f"{name}: {message}"))
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("what comes in", "what comes out"), *lines])


if __name__ == "__main__":  # python -m tests.test_bad_input: read what changed before it is kept
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        write_table(lambda **params: StaGANSampler(**{**QUICK, **params}), Path(name))
