"""Train and test sets of the benchmarks, each a function of a seed.

python examples/benchmarks/tasks.py   # what tests of real beats hold
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split

from sktsgan.datasets import fetch_mitbih, make_heartbeats, make_sines

CLASSES = ("N", "S", "V", "F")


class Split(NamedTuple):
    """Rows to train on and to test on; several leads of a row follow one another."""

    X_train: np.ndarray
    X_test: np.ndarray
    y_train: np.ndarray
    y_test: np.ndarray
    n_channels: int = 1
    record: np.ndarray | None = None  # whose the test rows are, where patients are apart


_fetch = cache(fetch_mitbih)  # reading and checking all records takes 20 s


def centred(**options):
    """Real beats with each beat's mean removed in each lead, their classes and records."""
    beats = _fetch(**options)
    return beats.data - beats.data.mean(axis=-1, keepdims=True), beats.target, beats.record


def scarce(seed, multiple=1, n_leads=1):
    """Real beats, patients mixed, minorities of 1 to 7 %: 4000/120/300/40 beats for training.

    `multiple` times as many beats of S, V and F hold those of a smaller multiple. The test set
    is the same for all: 4000/600/1500/300 other beats of N/S/V/F. Beats have 128 samples at
    180 Hz around R, in mV, and each beat's mean is removed.
    """
    n_train = {"N": 4000, "S": 120 * multiple, "V": 300 * multiple, "F": 40 * multiple}
    return _mixed(seed, n_train, n_leads)


def many(seed):
    """Ten times as many beats as `scarce` has: 40000/1200/3000/400 of N/S/V/F for training."""
    return _mixed(seed, {"N": 40_000, "S": 1200, "V": 3000, "F": 400})


def _mixed(seed, n_train, n_leads=1):
    X, y, _ = centred(n_leads=n_leads)
    X = X.reshape(len(X), -1)
    n_test = {"N": 4000, "S": 600, "V": 1500, "F": 300}
    train, test = _draw(y, n_train, n_test, seed)
    return Split(X[train], X[test], y[train], y[test], n_leads)


def two_leads(seed):
    """Like `scarce`, with both leads."""
    return scarce(seed, n_leads=2)


def few(seed, n_rare):
    """N against V, 4000 against `n_rare` real beats for training."""
    return _mixed(seed, {"N": 4000, "V": n_rare})


def inter_patient(seed):
    """Other patients for the test: DS1 with N thinned to 8000, then DS2 with N to 8000."""
    parts = []
    for subset in ("DS1", "DS2"):
        X, y, record = centred(subset=subset)
        counts = {label: (y == label).sum() for label in CLASSES} | {"N": 8000}
        _, rows = _draw(y, dict.fromkeys(CLASSES, 0), counts, seed)
        parts.append((X[rows], y[rows], record[rows]))
    (X_train, y_train, _), (X_test, y_test, record) = parts
    return Split(X_train, X_test, y_train, y_test, record=record)


def kaggle(seed, share=0.1):
    """Beats as in the well-known table: five classes, 187 points at 125 Hz, padded, a share of it.

    A row starts at R and ends at 1.2 times the recording's median interval between beats; it is
    scaled to 0 to 1 and filled with zeros. Patients are mixed, paced ones included, and a fifth
    of the rows, drawn at random, is for the test.
    """
    beats = _fetch(paced=True, fs=125, window=(0.0, 187 / 125))
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(beats.target))[: int(share * len(beats.target))]
    X, y, record = beats.data[rows], beats.target[rows], beats.record[rows]
    interval = {name: np.nanmedian(beats.rr[beats.record == name]) for name in np.unique(record)}
    n_kept = np.array([round(1.2 * 125 * interval[name]) for name in record])
    inside = np.arange(X.shape[1]) < n_kept[:, None]
    low = np.where(inside, X, np.inf).min(axis=1, keepdims=True)
    high = np.where(inside, X, -np.inf).max(axis=1, keepdims=True)
    X = np.where(inside, (X - low) / (high - low), 0).astype(np.float32)
    return _split(X, y, seed, test_size=0.2)


def simulated(seed):
    """Simulated beats with 2 % each of S, V and F."""
    X, y = make_heartbeats(6000, weights=(94, 2, 2, 2), random_state=seed)
    return _split(X, y, seed, test_size=0.5)


def sines(seed):
    """Sine waves of two frequency bands that touch, 3 % of the second."""
    X, y = make_sines(4000, bands=((1.0, 4.0), (4.0, 6.0)), weights=(97, 3), random_state=seed)
    return _split(X, y.astype(str), seed, test_size=0.5)


def small(seed, n_rows, n_timepoints, n_rare, noise):
    """Few simulated beats, N against V: easy, or hard by the noise."""
    fs = n_timepoints / 128 * 180
    share = n_rare / n_rows
    X, y = make_heartbeats(
        4 * n_rows,
        classes=("N", "V"),
        weights=(1 - share, share),
        n_patients=20,
        n_timepoints=n_timepoints,
        fs=fs,
        noise=noise,
        random_state=seed,
    )
    return _split(X, y, seed, test_size=0.75)


def _split(X, y, seed, test_size):
    return Split(*train_test_split(X, y, test_size=test_size, stratify=y, random_state=seed))


def _draw(y, n_train, n_test, seed):
    """Draw rows of each class for training, from one end of a shuffle, and for the test."""
    rng = np.random.default_rng(seed)
    train, test = [], []
    for label in n_train:
        rows = rng.permutation(np.flatnonzero(y == label))
        if n_train[label] + n_test[label] > len(rows):
            raise ValueError(f"There are only {len(rows)} rows of class {label!r}.")
        train.append(rows[: n_train[label]])
        test.append(rows[len(rows) - n_test[label] :])
    return (rng.permutation(np.concatenate(part)) for part in (train, test))


def main():
    """Print how far tests of *scarce* overlap, and what that of *inter-patient* holds."""
    tests = [_rows_by_class(scarce(seed)) for seed in range(10)]
    for label in CLASSES[1:]:
        seen = set().union(*(test[label] for test in tests[:5]))
        shares = [len(test[label] & seen) / len(test[label]) for test in tests[5:]]
        print(f"{label} of seeds 5 to 9 in a test of seeds 0 to 4: {np.mean(shares):.0%}")
    split = inter_patient(0)
    is_n = split.y_test == "N"
    rare = [(~is_n[split.record == name]).mean() for name in np.unique(split.record)]
    few = sum(share < 0.02 for share in rare)
    print(f"inter-patient: {is_n.mean():.0%} N, {few} of {len(rare)} records with under 2 % others")


def _rows_by_class(split):
    return {
        label: {row.tobytes() for row in split.X_test[split.y_test == label]} for label in CLASSES
    }


if __name__ == "__main__":
    main()
