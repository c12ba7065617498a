"""Judges of synthetic signals beside the MMD: neighbours, classifiers, copies."""

import numbers
from typing import NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import get_scorer, pairwise_distances_chunked, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import check_random_state

from sktsgan._arrays import first_of_each
from sktsgan._signals import check_whole
from sktsgan.metrics._rows import check_arrays, check_common_class, check_groups, check_row_labels


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
    from the real distribution it comes near :math:`1 - 2^{-k}`, 0.97 with k = 5.

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
    if not (isinstance(n_neighbors, numbers.Integral) and 1 <= n_neighbors < len(X_real)):
        raise ValueError(
            "'n_neighbors' must be a whole number of at least 1 and below the "
            f"{len(X_real)} real rows. Got {n_neighbors!r}."
        )
    X_real, X_synthetic = centred(X_real, X_synthetic)
    # the first is the row itself; a row on the edge of a ball, as a copy may be, lies in it
    index = NearestNeighbors(n_neighbors=n_neighbors + 1).fit(X_real)
    radii = index.kneighbors(X_real)[0][:, -1] * (1 + 1e-6)
    # found by products, the squared distance of equal rows is not quite 0
    rounding = 4 * np.finfo(np.float64).eps * X_real.shape[1] ** 0.5
    radii = np.sqrt(radii**2 + rounding * np.square(X_real).sum(axis=1))

    def _count(distances, start):
        inside = distances <= radii[start : start + len(distances), None]
        return inside.sum(axis=1)

    counts = np.concatenate(
        list(pairwise_distances_chunked(X_real, X_synthetic, reduce_func=_count))
    )
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
    scoring : str or callable, default="f1_macro"
        Scorer, as in scikit-learn; higher is better.
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
    scorer = get_scorer(scoring) if isinstance(scoring, str) else scoring
    return float(scorer(estimator.fit(X_train, y_train), X_test, y_test))


def memorization_ratio(X_real, X_synthetic, *, X_held_out, random_state=0):
    """Nearest-neighbour distance of synthetic signals to training rows over that to held-out ones.

    Near 1 for synthetic rows that are as far from the rows that the generator has seen as from
    those that it has not; 0 for copies. Higher is better up to 1; a little above 1 is chance. The
    nearest of more rows is nearer: distances to the larger set are enlarged by as much as others
    grow when it is thinned to as many rows as the smaller has. All rows can have been copied, so
    that none is left out of the search itself. Rows that a set has twice count once. Where one set
    has ten times the rows of the other, and rows differ in one or two ways alone, as sines do, the
    ratio may be off by a tenth.

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
    X_real, X_synthetic = check_arrays(X_real, X_synthetic)
    X_held_out, _ = check_arrays(X_held_out, X_synthetic, names=("X_held_out", "X_synthetic"))
    X_real, X_held_out = (X[first_of_each(X)] for X in (X_real, X_held_out))
    X_real, X_held_out, X_synthetic = centred(X_real, X_held_out, X_synthetic)
    rng = check_random_state(random_state)
    sizes = len(X_real), len(X_held_out)
    to_train = _usual_distance(X_real, X_synthetic, X_held_out, sizes, rng)
    to_held_out = _usual_distance(X_held_out, X_synthetic, X_real, sizes, rng)
    if to_held_out == 0:
        return 1.0 if to_train == 0 else float("inf")
    return float(to_train / to_held_out)


def _usual_distance(X, queries, others, sizes, rng):
    """Median distance of queries to their nearest row, as if `X` had no more than the least size.

    How it grows with fewer rows is seen by leaving some out, but not where queries are copies of
    rows that are left out. Then it can be seen at the second nearest row, or at the nearest one of
    other real rows. The least of the three is taken.
    """
    k = min(2, *sizes)
    full = np.median(_exact_distances(X, queries, k), axis=0)
    if not full[0] or len(X) == min(sizes):
        return full[0]
    thinned = X[rng.permutation(len(X))[: min(sizes)]]
    growths = np.median(_exact_distances(thinned, queries, k), axis=0) / full
    before, after = (np.median(_exact_distances(part, others, 1)) for part in (X, thinned))
    return full[0] * min(*growths, after / before if before else np.inf)


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
    if (groups_members is None) != (groups_non_members is None):
        raise ValueError(
            "'groups_members' and 'groups_non_members' must both be given or neither. Got one."
        )
    if groups_members is not None:
        groups = check_groups(groups_members, len(X_members), "X_members", "groups_members")
        others = check_groups(
            groups_non_members, len(X_non_members), "X_non_members", "groups_non_members"
        )
        shared = np.intersect1d(groups, others)
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
    X_synthetic, X = centred(X_synthetic, X)
    # equal distances, as between whole numbers in some unit, differ by their rounding
    digits, exponent = np.frexp(_exact_distances(X_synthetic, X, 1)[:, 0])
    return -np.ldexp(np.round(digits, 12), exponent)


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
    X_members, X_synthetic = check_arrays(X_members, X_synthetic, names=(names[0], names[2]))
    X_non_members, _ = check_arrays(X_non_members, X_synthetic, names=(names[1], names[2]))
    return X_members, X_non_members, X_synthetic


def centred(*sets):
    """Move rows to around 0 and near 1, so that rounding is far below what distances differ by.

    Parameters
    ----------
    *sets : ndarray of shape (n, n_features)
        Sets of rows, checked.

    Returns
    -------
    list of ndarray of float64
        The rows, all moved by the median of the first set, which no far-off row moves away, and in
        units of the largest value left.
    """
    largest = max(float(np.abs(X.astype(np.float64)).max()) for X in sets) or 1.0
    sets = [X / np.float64(largest) for X in sets]
    center = np.median(sets[0], axis=0)
    sets = [X - center for X in sets]
    largest = max(np.abs(X).max() for X in sets) or 1.0
    return [X / largest for X in sets]


def _exact_distances(X, queries, n_neighbors):
    """Distances from each query to its nearest rows of `X`, by subtraction.

    A search by products leaves a rounded zero between equal rows.
    """
    index = NearestNeighbors(n_neighbors=n_neighbors).fit(X)
    nearest = index.kneighbors(queries, return_distance=False)
    differences = (queries - X[places] for places in nearest.T)
    return np.stack([np.linalg.norm(part, axis=1) for part in differences], axis=1)


def _forest(rng):
    seed = rng.randint(2**31 - 1)
    # trees hold differences below 1e-7 for none, in whatever unit, and take no more than 1e38
    return make_pipeline(
        FunctionTransformer(np.asarray, kw_args={"dtype": np.float64}),
        StandardScaler(),
        FunctionTransformer(np.clip, kw_args={"a_min": -1e30, "a_max": 1e30}),
        RandomForestClassifier(class_weight="balanced", random_state=seed),
    )
