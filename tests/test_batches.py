"""Batches in which every class has its share."""

from collections import Counter

import numpy as np
import torch

from sktsgan._batches import BalancedBatches, ScaledRows
from sktsgan._signals import SignalScaler


def batches(y, **options):
    """Batches of rows that hold their own number."""
    y = np.asarray(y)
    rows = np.arange(len(y))
    options = {
        "batch_size": 12,
        "n_batches": 50,
        "rng": torch.Generator().manual_seed(0),
        **options,
    }
    scaler = SignalScaler(np.zeros((1, 1)), np.ones((1, 1)))
    return BalancedBatches(ScaledRows(rows[:, None, None], rows, y, scaler), **options)


def test_classes_have_equal_shares():
    drawn = list(batches([0] * 900 + [1] * 5 + [2] * 95))
    assert len(drawn) == 50
    for _, y in drawn:
        assert Counter(y.tolist()) == {0: 4, 1: 4, 2: 4}
    rows = torch.cat([X for X, _ in drawn])
    assert set(rows[(rows >= 900) & (rows < 905)].tolist()) == {900, 901, 902, 903, 904}
    assert len(set(rows[rows < 900].tolist())) > 150


def test_odd_rows_go_to_every_class_and_rows_fit_their_class():
    y = torch.tensor([2, 0, 2, 2, 1, 0, 2])
    loader = batches(y, batch_size=4, n_batches=300)
    counts = Counter()
    for X, labels in loader:
        assert torch.equal(y[X.long().ravel()], labels)
        counts.update(labels.tolist())
    assert max(counts.values()) - min(counts.values()) < 100


def test_one_pass_is_as_long_as_the_set():
    assert len(batches([0] * 100 + [1], n_batches=None, batch_size=10)) == 11
