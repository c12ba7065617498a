"""Train and test sets of the benchmarks, each a function of a seed."""

import numpy as np

from sktsgan.datasets import fetch_mitbih

CLASSES = ("N", "S", "V", "F")


def scarce(seed):
    """Real beats, patients mixed, minorities of 1 to 7 %: 4000/120/300/40 beats for training.

    Returns
    -------
    X_train, X_test, y_train, y_test : ndarray
        Beats of 128 samples at 180 Hz around R in mV, each beat's mean removed. The test set
        holds 4000/600/1500/300 other beats of N/S/V/F, as far as there are.
    """
    X, y = fetch_mitbih(return_X_y=True)
    X = X - X.mean(axis=1, keepdims=True)
    rng = np.random.default_rng(seed)
    train, test = [], []
    for label, n_train, n_test in zip(
        CLASSES, (4000, 120, 300, 40), (4000, 600, 1500, 300), strict=True
    ):
        rows = rng.permutation(np.flatnonzero(y == label))
        train.append(rows[:n_train])
        test.append(rows[n_train : n_train + n_test])
    train, test = (rng.permutation(np.concatenate(part)) for part in (train, test))
    return X[train], X[test], y[train], y[test]
