"""All judges at once, a row for each class."""

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from sktsgan.metrics._judges import (
    classifier_two_sample_score,
    density_coverage,
    memorization_ratio,
)
from sktsgan.metrics._mmd import maximum_mean_discrepancy, mmd_permutation_test
from sktsgan.metrics._rows import as_sampled, check_common_class, check_groups

# The p-value and the classifier take time with the square or the size of the sets.
_MAX_TESTED = 500


def evaluate_sampler(
    sampler, X, y, *, X_train=None, y_train=None, groups=None, n_permutations=500, random_state=0
):
    """Judge the rows that a fitted sampler draws, class by class.

    For each class as many rows are drawn as `X` has of it, and compared with these.

    Parameters
    ----------
    sampler : sampler, Pipeline or search
        Fitted. In a Pipeline, rows go through the transformers before the sampler.
    X : array-like of shape (n_samples, ...)
        Real rows that it was not fitted on.
    y : array-like of shape (n_samples,)
        Their labels.
    X_train : array-like of shape (n_train, ...), default=None
        The rows that it was fitted on, for the memorization ratio.
    y_train : array-like of shape (n_train,), default=None
        Their labels.
    groups : array-like of shape (n_samples,), default=None
        Patients of the rows in `X`. Where given, real rows change sides by patient in the
        permutation test, and synthetic rows, which belong to nobody, in groups of the same
        sizes.
    n_permutations : int, default=500
        Permutations behind the p-value.
    random_state : int or RandomState instance, default=0
        Seeds draws, permutations and classifiers.

    Returns
    -------
    DataFrame
        A row for each class, by label, with the columns

        - ``n``: real rows of the class;
        - ``mmd``: :func:`maximum_mean_discrepancy` (MMD^2, 0 is best);
        - ``p``: :func:`mmd_permutation_test`, of at most 500 rows a side;
        - ``density``, ``coverage``: :func:`density_coverage`;
        - ``two_sample_auc``: :func:`classifier_two_sample_score`, of at most 500 rows a side (0.5
          is best);
        - ``memorization_ratio``: :func:`memorization_ratio` (1 is best), NaN for a class that has
          no row in `X_train`.

        Figures that need more rows than a class has are NaN: density, coverage and
        `two_sample_auc` for five rows or fewer, `mmd` and `p` for one, and `p` where all rows of a
        class are of one patient.

    Raises
    ------
    ValueError
        If a label was not seen in ``fit``, or arguments do not match.

    Examples
    --------
    >>> from sktsgan import StaGANSampler
    >>> from sktsgan.datasets import make_heartbeats
    >>> from sktsgan.metrics import evaluate_sampler
    >>> X, y = make_heartbeats(300, classes="NV", weights=[1, 1], random_state=0)
    >>> sampler = StaGANSampler(max_epochs=1, steps_per_epoch=2, random_state=0)
    >>> table = evaluate_sampler(sampler.fit(X[:200], y[:200]), X[200:], y[200:])
    >>> table.index.tolist(), table.columns.tolist()[:3]
    (['N', 'V'], ['n', 'mmd', 'p'])
    """
    if (X_train is None) != (y_train is None):
        raise ValueError("'X_train' and 'y_train' must both be given or neither. Got one.")
    if X_train is not None:
        _, X_train, y_train = as_sampled(sampler, X_train, y_train, ("X_train", "y_train"))
    sampler, X, y = as_sampled(sampler, X, y)
    if X_train is not None:
        check_common_class(y, y_train, ("y", "y_train"))
    groups = None if groups is None else check_groups(groups, len(X), "X")
    rng = check_random_state(random_state)
    rows = {}
    for label in np.unique(y).tolist():
        own = np.flatnonzero(y == label)
        X_synthetic, _ = sampler.sample(y=np.full(len(own), label), random_state=rng)
        own_groups = None if groups is None else groups[own]
        rows[label] = _judge(X[own], X_synthetic, own_groups, n_permutations, rng)
        if X_train is not None and label in y_train:
            X_seen = X_train[y_train == label]
            rows[label]["memorization_ratio"] = memorization_ratio(
                X_seen, X_synthetic, X_held_out=X[own], random_state=rng
            )
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("class")


def _judge(X_real, X_synthetic, groups, n_permutations, rng):
    """Judge the rows of one class."""
    row = dict.fromkeys(
        ["n", "mmd", "p", "density", "coverage", "two_sample_auc", "memorization_ratio"], np.nan
    )
    row["n"] = len(X_real)
    if len(X_real) < 2:
        return row
    row["mmd"] = maximum_mean_discrepancy(X_real, X_synthetic)
    some = rng.permutation(len(X_real))[:_MAX_TESTED]
    if groups is None or len(np.unique(groups[some])) > 1:
        row["p"] = mmd_permutation_test(
            X_real[some],
            X_synthetic[some],
            groups=None if groups is None else _groups_of_both(groups[some]),
            n_permutations=n_permutations,
            random_state=rng,
        ).p_value
    if len(X_real) > 5:
        row["density"], row["coverage"] = density_coverage(X_real, X_synthetic)
        row["two_sample_auc"] = classifier_two_sample_score(
            X_real[some], X_synthetic[some], random_state=rng
        )
    return row


def _groups_of_both(groups):
    """Put synthetic rows into groups of the sizes that patients have among the real ones."""
    _, members = np.unique(groups, return_inverse=True)
    return np.concatenate([members, members.max() + 1 + members])
