"""Judges of synthetic signals beside the MMD: neighbours, classifiers, copies."""

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import check_scoring, pairwise_distances_chunked, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_sample_weight

from sktsgan._arguments import check_whole
from sktsgan._arrays import first_of_each
from sktsgan.metrics._rows import check_arrays, check_common_class, check_groups, check_row_labels

# Of the size of a row: distances below are too inexact where products were subtracted.
_LEAST_FOUND = 1e-5
# Of the squared sizes of two rows: what products may change of their squared distance.
_ROUNDING = 1e-11
# Rows of all thinned sets, of which the mean says how distances grow, and how many sets these are.
_N_THINNED, _N_THINNINGS = 2000, (2, 20)
# Columns of which medians are taken at once.
_N_COLUMNS = 16


class DensityCoverage(NamedTuple):
    """Density and coverage of synthetic rows."""

    density: float
    coverage: float


def density_coverage(X_real, X_synthetic, *, n_neighbors=5):
    r"""Density and coverage of synthetic signals among real ones.

    Around each of the N real rows lies a ball that reaches to its k-th nearest real neighbour.
    Density is the number of balls that a synthetic row lies in, divided by k, in the mean over
    the M synthetic rows: fidelity. Coverage is the share of balls that hold at least one
    synthetic row: diversity [1]_.

    .. math:: \mathrm{density} = \frac{1}{kM} \sum_{j=1}^{M} \sum_{i=1}^{N} 1_{y_j \in B_i}
              \qquad \mathrm{coverage} = \frac{1}{N} \sum_{i=1}^{N} 1_{\exists j:\, y_j \in B_i}

    Density is at least 0, near 1 for synthetic rows from the real distribution, and above 1 for
    rows that keep to where real ones are dense. Coverage lies between 0 and 1; for as many rows
    from the real distribution it comes near :math:`1 - 2^{-k}`, 0.97 with k = 5. All pairs are
    looked at, in parts of scikit-learn's ``working_memory``.

    Parameters
    ----------
    X_real : array-like of shape (n_real, n_features) or (n_real, n_channels, n_timepoints)
        Real rows.
    X_synthetic : array-like of shape (n_synthetic, ...)
        Synthetic rows, in the same unit and of the same shape.
    n_neighbors : int, default=5
        Neighbours k.

    Returns
    -------
    DensityCoverage
        Named tuple ``(density, coverage)``; higher is better.

    Raises
    ------
    ValueError
        If there are not more than `n_neighbors` real rows, or rows differ in shape or are not
        finite.

    References
    ----------
    .. [1] M. F. Naeem et al., "Reliable fidelity and diversity metrics for generative models",
       ICML 2020, arXiv:2002.09797.

    Examples
    --------
    >>> import numpy as np
    >>> from sktsgan.metrics import density_coverage
    >>> rng = np.random.default_rng(0)
    >>> X_real, X_synthetic = rng.normal(size=(2, 500, 16))
    >>> density, coverage = density_coverage(X_real, X_synthetic)
    >>> 0.9 < density < 1.2, coverage > 0.9
    (True, True)
    >>> density_coverage(X_real, X_synthetic[:1].repeat(500, axis=0)).coverage < 0.1
    True
    """
    X_real, X_synthetic = check_arrays(X_real, X_synthetic)
    check_whole("n_neighbors", n_neighbors)
    if n_neighbors >= len(X_real):
        raise ValueError(
            f"'n_neighbors' must be below the {len(X_real)} real rows. Got {n_neighbors!r}."
        )
    X_real, X_synthetic = in_unit(X_real, X_synthetic)
    # the first is the row itself; a row on the edge of a ball, as a copy may be, lies in it
    edges = (nearest_rows(X_real, X_real, n_neighbors + 1)[0][:, -1] * (1 + 1e-6)) ** 2
    center = _medians(X_real)
    real, synthetic = X_real - center, X_synthetic - center
    rounding = _ROUNDING * ((real**2).sum(axis=1) + (synthetic**2).sum(axis=1).max())

    def _count(distances, start):
        rows = np.arange(start, start + len(distances))
        limits = edges[rows] - rounding[rows], edges[rows] + rounding[rows]
        counts, most = ((distances <= limit[:, None]).sum(axis=1) for limit in limits)
        unsure = np.flatnonzero(counts < most)
        if len(unsure):
            exact = cdist(X_real[rows[unsure]], X_synthetic, "sqeuclidean")  # by subtraction
            counts[unsure] = (exact <= edges[rows[unsure], None]).sum(axis=1)
        return counts

    chunks = pairwise_distances_chunked(  # by products, which are fast
        real, synthetic, metric="euclidean", squared=True, reduce_func=_count
    )
    counts = np.concatenate(list(chunks))
    density = counts.sum() / (n_neighbors * len(X_synthetic))
    return DensityCoverage(float(density), float((counts > 0).mean()))


def classifier_two_sample_score(X_real, X_synthetic, *, estimator=None, cv=5, random_state=0):
    """Area under the ROC curve of a classifier that tells real from synthetic signals.

    0.5 means that it cannot, 1 that it always can; lower is better, and values a little below
    0.5 are chance [1]_. Values far below 0.5 mean copies: a row of the other side that equals
    the one to be judged is learned with the wrong label.

    Parameters
    ----------
    X_real : array-like of shape (n_real, ...)
        Real rows, best such that no generator was trained on.
    X_synthetic : array-like of shape (n_synthetic, ...)
        Synthetic rows.
    estimator : classifier, default=None
        By default a random forest of 100 trees with balanced class weights.
    cv : int, default=5
        Stratified folds; the score is the mean over them.
    random_state : int or RandomState instance, default=0
        Seeds the folds and the default classifier.

    Returns
    -------
    float
        Mean area under the curve, from 0 to 1.

    Raises
    ------
    ValueError
        If a set has fewer than `cv` rows, or rows differ in shape or are not finite.

    References
    ----------
    .. [1] D. Lopez-Paz and M. Oquab, "Revisiting classifier two-sample tests", ICLR 2017,
       arXiv:1610.06545.

    Examples
    --------
    >>> import numpy as np
    >>> from sktsgan.metrics import classifier_two_sample_score
    >>> rng = np.random.default_rng(0)
    >>> X_real, X_same = rng.normal(size=(2, 100, 8))
    >>> 0.35 < classifier_two_sample_score(X_real, X_same) < 0.65
    True
    >>> classifier_two_sample_score(X_real, X_same + 2) > 0.95
    True
    """
    check_whole("cv", cv, 2)
    X_real, X_synthetic = check_arrays(X_real, X_synthetic, min_rows=cv)
    rng = check_random_state(random_state)
    if estimator is None:
        estimator = _forest(rng)
    folds = StratifiedKFold(cv, shuffle=True, random_state=rng.randint(2**31 - 1))
    X = np.concatenate([X_real, X_synthetic])
    y = np.arange(len(X)) >= len(X_real)
    scores = cross_val_score(estimator, X, y, scoring="roc_auc", cv=folds, error_score="raise")
    return float(scores.mean())


def train_synthetic_test_real_score(
    X_real,
    y_real,
    X_synthetic,
    y_synthetic,
    *,
    estimator=None,
    scoring="f1_macro",
    reverse=False,
    random_state=0,
):
    """Score on real signals of a classifier that was trained on synthetic ones only.

    What synthetic rows are worth on their own: compare with the same classifier trained on real
    rows [1]_. The reverse, trained on real and tested on synthetic rows, says whether synthetic
    rows carry their labels rightly; but rows that are all typical make it too high.

    Parameters
    ----------
    X_real : array-like of shape (n_real, ...)
        Real rows, held out from the generator's training.
    y_real : array-like of shape (n_real,)
        Their labels.
    X_synthetic : array-like of shape (n_synthetic, ...)
        Synthetic rows.
    y_synthetic : array-like of shape (n_synthetic,)
        Their labels.
    estimator : classifier, default=None
        By default a random forest of 100 trees with balanced class weights.
    scoring : str, callable or None, default="f1_macro"
        Scorer, as in scikit-learn; higher is better. None takes the classifier's own score.
    reverse : bool, default=False
        Whether to train on real and test on synthetic rows instead.
    random_state : int or RandomState instance, default=0
        Seeds the default classifier.

    Returns
    -------
    float
        The score.

    Raises
    ------
    ValueError
        If rows differ in shape or are not finite, labels do not match rows, or both sides have no
        class in common.

    References
    ----------
    .. [1] C. Esteban, S. L. Hyland, G. Raetsch, "Real-valued (medical) time series generation
       with recurrent conditional GANs", 2017, arXiv:1706.02633.

    Examples
    --------
    >>> from sktsgan.datasets import make_heartbeats
    >>> from sktsgan.metrics import train_synthetic_test_real_score
    >>> X, y = make_heartbeats(400, classes="NV", weights=[1, 1], random_state=0)
    >>> train_synthetic_test_real_score(X[:200], y[:200], X[200:], y[200:]) > 0.9
    True
    """
    X_real, X_synthetic = check_arrays(X_real, X_synthetic)
    sides = [
        (X_synthetic, check_row_labels(y_synthetic, X_synthetic, ("X_synthetic", "y_synthetic"))),
        (X_real, check_row_labels(y_real, X_real, ("X_real", "y_real"))),
    ]
    check_common_class(sides[1][1], sides[0][1])
    (X_train, y_train), (X_test, y_test) = sides[::-1] if reverse else sides
    estimator = _forest(check_random_state(random_state)) if estimator is None else clone(estimator)
    scorer = check_scoring(estimator, scoring)
    return float(scorer(estimator.fit(X_train, y_train), X_test, y_test))


def memorization_ratio(X_real, X_synthetic, *, X_held_out, random_state=0):
    """Nearest-neighbour distance of synthetic signals to training rows over that to held-out ones.

    Near 1 for synthetic rows that are as far from the rows that the generator has seen as from
    those that it has not; 0 for copies. Higher is better up to 1; a little above 1 is chance. The
    nearest of more rows is nearer: distances to the larger set are enlarged by as much as others
    grow when it is thinned to as many rows as the smaller has. All rows can have been copied, so
    that none is left out of the search itself. Rows that a set has twice count once. Where one set
    has four times the rows of the other or more, the ratio may be off by a fifth where rows differ
    in one way alone, as waves of one frequency do, by a tenth where they do in two, and by a third
    where the smaller set has 15 rows; for simulated heartbeats it was off by 0.03 in the mean.

    Parameters
    ----------
    X_real : array-like of shape (n_real, ...)
        Real rows that the generator was trained on.
    X_synthetic : array-like of shape (n_synthetic, ...)
        Synthetic rows.
    X_held_out : array-like of shape (n_held_out, ...)
        Real rows that it was not trained on, of the same kind.
    random_state : int or RandomState instance, default=0
        Seeds the thinning.

    Returns
    -------
    float
        Ratio of the median distances; infinity where synthetic rows are copies of held-out rows
        and not of training rows, and 1 where they are copies of both.

    Raises
    ------
    ValueError
        If rows differ in shape or are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from sktsgan.metrics import memorization_ratio
    >>> X_real, X_held_out, X_synthetic = np.random.default_rng(0).normal(size=(3, 200, 8))
    >>> 0.9 < memorization_ratio(X_real, X_synthetic, X_held_out=X_held_out) < 1.1
    True
    >>> memorization_ratio(X_real, X_real[:50], X_held_out=X_held_out)
    0.0
    """
    X_held_out, _ = check_arrays(X_held_out, X_synthetic, names=("X_held_out", "X_synthetic"))
    X_real, X_synthetic = check_arrays(X_real, X_synthetic)
    X_real, X_held_out = (X[first_of_each(X)] for X in (X_real, X_held_out))
    X_real, X_held_out, X_synthetic = in_unit(X_real, X_held_out, X_synthetic)
    rng = check_random_state(random_state)
    n_least = min(len(X_real), len(X_held_out))
    to_train = _usual_distance(X_real, X_synthetic, X_held_out, n_least, rng)
    to_held_out = _usual_distance(X_held_out, X_synthetic, X_real, n_least, rng)
    if to_held_out == 0:
        return 1.0 if to_train == 0 else float("inf")
    return float(to_train / to_held_out)


def _usual_distance(X, queries, others, n_least, rng):
    """Median distance of queries to their nearest row, as if `X` had no more than `n_least` rows.

    How it grows with fewer rows is seen by leaving some out, but not where queries are copies of
    rows that are left out. Then it can be seen at the second nearest row, or at the nearest one of
    other real rows. The least of the three is taken.
    """
    k = min(2, n_least)

    def _measure(X):
        ways = (queries, k), (others, 1)
        return np.concatenate([np.median(nearest_rows(X, *way)[0], axis=0) for way in ways])

    full = _measure(X)
    if not full[0] or len(X) == n_least:
        return full[0]
    # the least of three that are due to chance would be too low, where they are of few rows
    n_thinnings = int(np.clip(_N_THINNED / n_least, *_N_THINNINGS))
    thinned = [_measure(X[rng.permutation(len(X))[:n_least]]) for _ in range(n_thinnings)]
    return full[0] * (np.mean(thinned, axis=0)[full > 0] / full[full > 0]).min()


def membership_inference_auc(
    X_members, X_non_members, X_synthetic, *, groups_members=None, groups_non_members=None
):
    """Area under the ROC curve of a distance attack on who was in the training set.

    The attacker holds a row and guesses that it was trained on if a synthetic row is near. 0.5
    means that he learns nothing, 1 that he is always right; lower is better. Members and
    non-members should differ in membership alone, so beats of the same patients are best, without
    groups. Where groups are given, the two sides must have none in common, and the area mixes
    membership with what patients differ in.

    This is the weakest of attacks. A value near 0.5 is no proof of privacy [1]_;
    :func:`privacy_report` has stronger ones, and intervals.

    Parameters
    ----------
    X_members : array-like of shape (n_members, ...)
        Real rows that the generator was trained on.
    X_non_members : array-like of shape (n_non_members, ...)
        Real rows that it was not trained on.
    X_synthetic : array-like of shape (n_synthetic, ...)
        Synthetic rows.
    groups_members : array-like of shape (n_members,), default=None
        Patients of the members.
    groups_non_members : array-like of shape (n_non_members,), default=None
        Patients of the non-members.

    Returns
    -------
    float
        Area under the curve, from 0 to 1.

    Raises
    ------
    ValueError
        If rows differ in shape or are not finite, or a group is on both sides.
    TypeError
        If some groups are numbers and others strings.

    References
    ----------
    .. [1] Z. Yao et al., "The DCR delusion: measuring the privacy risk of synthetic data", 2025,
       arXiv:2505.01524.

    Examples
    --------
    >>> import numpy as np
    >>> from sktsgan.metrics import membership_inference_auc
    >>> members, others, synthetic = np.random.default_rng(0).normal(size=(3, 200, 8))
    >>> 0.4 < membership_inference_auc(members, others, synthetic) < 0.6
    True
    >>> membership_inference_auc(members, others, members)
    1.0
    """
    X_members, X_non_members, X_synthetic = check_sides(X_members, X_non_members, X_synthetic)
    sizes = len(X_members), len(X_non_members)
    groups = check_both_groups(groups_members, groups_non_members, *sizes)
    if groups:
        shared = np.intersect1d(*groups)
        if len(shared):
            raise ValueError(
                "'groups_members' and 'groups_non_members' must have no group in common. "
                f"Got {shared.tolist()[0]!r} in both."
            )
    X = np.concatenate([X_members, X_non_members])
    is_member = np.arange(len(X)) < len(X_members)
    return float(roc_auc_score(is_member, distance_scores(X, X_synthetic)))


def distance_scores(X, X_synthetic):
    """Score rows by the distance attack: higher where a synthetic row is nearer.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows, checked.
    X_synthetic : ndarray of shape (n_synthetic, n_features)
        Synthetic rows, checked.

    Returns
    -------
    ndarray of shape (n_samples,)
        Minus the distance to the nearest synthetic row, in no unit.
    """
    X_synthetic, X = in_unit(X_synthetic, X)
    # equal distances, as between whole numbers in some unit, differ by their rounding
    digits, exponent = np.frexp(nearest_rows(X_synthetic, X)[0][:, 0])
    return -np.ldexp(np.round(digits, 12), exponent)


def check_both_groups(members, non_members, n_members, n_non_members):
    """Return the groups of both sides as arrays, or say what is wrong with them.

    Parameters
    ----------
    members : array-like of shape (n_members,) or None
        Groups of the members.
    non_members : array-like of shape (n_non_members,) or None
        Groups of the others.
    n_members, n_non_members : int
        Rows of each side.

    Returns
    -------
    list of two ndarray, or None
        The groups, in numbers or in words; None where there are none.

    Raises
    ------
    ValueError
        If one side has none, one is missing, or their number differs.
    TypeError
        If some are numbers and others strings.
    """
    if (members is None) != (non_members is None):
        raise ValueError(
            "'groups_members' and 'groups_non_members' must both be given or neither. Got one."
        )
    if members is None:
        return None
    groups = [
        check_groups(members, n_members, "X_members", "groups_members"),
        check_groups(non_members, n_non_members, "X_non_members", "groups_non_members"),
    ]
    kinds = [isinstance(part[0], str) for part in groups]
    if kinds[0] != kinds[1]:
        raise TypeError(
            "'groups_members' and 'groups_non_members' must both hold numbers or both strings. "
            "Got one of each; use strings."
        )
    return groups


def check_sides(X_members, X_non_members, X_synthetic, prefix=""):
    """Return members, non-members and synthetic rows as 2-D arrays, or say what is wrong.

    Parameters
    ----------
    X_members, X_non_members, X_synthetic : array-like
        Rows of equal shape.
    prefix : str, default=""
        What stands before the names.

    Returns
    -------
    X_members, X_non_members, X_synthetic : ndarray of shape (n, n_features)
        The same numbers.
    """
    names = [f"{prefix}{name}" for name in ("X_members", "X_non_members", "X_synthetic")]
    X_non_members, _ = check_arrays(X_non_members, X_synthetic, names=names[1:])
    X_members, X_synthetic = check_arrays(X_members, X_synthetic, names=names[::2])
    return X_members, X_non_members, X_synthetic


def in_unit(*sets):
    """Divide rows by the power of two next to the largest value, so that their squares are finite.

    Parameters
    ----------
    *sets : ndarray of shape (n, n_features)
        Sets of rows, checked.

    Returns
    -------
    list of ndarray of float64
        The rows, none rounded.
    """
    sets = [X.astype(np.float64) for X in sets]
    unit = 2.0 ** np.frexp(max(max(X.max(), -X.min()) for X in sets))[1]
    for X in sets:
        X /= unit  # in place, as there may be many
    return sets


def nearest_rows(X, queries, n_neighbors=1):
    """Find the nearest rows of `X` to each query.

    A search by products leaves a rounded zero between equal rows, so that distances are subtracted
    afterwards. Where they are so small that the search may have missed nearer rows, as where a
    value that stands for a missing one is beyond all others, those queries are searched by a tree.

    Parameters
    ----------
    X, queries : ndarray of float64 of shape (n, n_features)
        Rows, of :func:`in_unit`.
    n_neighbors : int, default=1
        How many.

    Returns
    -------
    distances : ndarray of shape (n_queries, n_neighbors)
        In ascending order.
    places : ndarray of int of shape (n_queries, n_neighbors)
        Of which rows.
    """
    center = _medians(X)
    index = NearestNeighbors(n_neighbors=n_neighbors, algorithm="brute").fit(X - center)
    centred = queries - center
    places = index.kneighbors(centred, return_distance=False)
    differences = (queries - X[column] for column in places.T)
    distances = np.stack([np.linalg.norm(part, axis=1) for part in differences], axis=1)
    least = _LEAST_FOUND * np.linalg.norm(centred, axis=1)[:, None]
    again = np.flatnonzero(((distances > 0) & (distances < least)).any(axis=1))
    if len(again):
        index = NearestNeighbors(n_neighbors=n_neighbors, algorithm="ball_tree").fit(X)
        distances[again], places[again] = index.kneighbors(queries[again])
    order = np.argsort(distances, axis=1, kind="stable")
    return tuple(np.take_along_axis(part, order, axis=1) for part in (distances, places))


def _medians(X):
    # a few columns at a time, of which it takes copies
    parts = np.split(X, range(_N_COLUMNS, X.shape[1], _N_COLUMNS), axis=1)
    return np.concatenate([np.median(part, axis=0) for part in parts])


def _forest(rng):
    seed = rng.randint(2**31 - 1)
    # trees hold differences below 1e-7 for none, in whatever unit, and take no more than 1e38
    return make_pipeline(
        FunctionTransformer(np.asarray, kw_args={"dtype": np.float64}),
        StandardScaler(),
        FunctionTransformer(np.clip, kw_args={"a_min": -1e30, "a_max": 1e30}),
        _BalancedForest(random_state=seed),
    ).set_output(transform="default")


class _BalancedForest(RandomForestClassifier):
    """A forest with balanced class weights: scikit-learn's own takes words like "1" for numbers."""

    def fit(self, X, y):
        return super().fit(X, y, sample_weight=compute_sample_weight("balanced", y))
