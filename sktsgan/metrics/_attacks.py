"""Attacks on synthetic rows: who was in the training set, and what was as good as copied."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import auc, roc_curve
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sktsgan._arguments import check_whole
from sktsgan.metrics._judges import (
    check_both_groups,
    check_sides,
    distance_scores,
    in_unit,
    memorization_ratio,
    nearest_rows,
)
from sktsgan.metrics._rows import (
    as_array,
    as_sampled,
    check_groups,
    check_one_each,
    check_pair,
    check_row_labels,
    check_rows,
)

# Rates of false positives at which an attack has to name members.
_RATES = {"1%": 0.01, "0.1%": 0.001}
# Nearest synthetic rows whose distances the shadow classifier is told.
_N_NEAREST = 5


class PrivacyReport(NamedTuple):
    """What attacks on synthetic rows found."""

    attacks: pd.DataFrame
    memorization_ratio: float
    closest: pd.DataFrame


class Shadow(NamedTuple):
    """Synthetic rows whose training rows the attacker knows."""

    X_members: np.ndarray
    X_non_members: np.ndarray
    X_synthetic: np.ndarray


def privacy_report(
    X_members,
    X_non_members,
    X_synthetic,
    *,
    groups_members=None,
    groups_non_members=None,
    shadows=None,
    scores=None,
    n_closest=10,
    n_bootstraps=500,
    random_state=0,
):
    """Attack synthetic rows and say how much an attacker learns about who was trained on.

    The attacker holds real rows, of which some are members of the training set, and names those
    that he takes for members. A row of the table for each attack:

    - ``distance``: a row is taken for a member if a synthetic row is near [1]_, as in
      :func:`membership_inference_auc`;
    - ``shadow``: logistic regression on the logarithms of the distances to the five nearest
      synthetic rows, learned where the attacker knows the members: from `shadows` [2]_;
    - ``discriminator``: members are what the discriminator takes for real [3]_, by its `scores`.

    Columns are the area under the ROC curve (``auc``; 0.5 is best) and the share of members that
    are found while 1 % or 0.1 % of the non-members are named falsely (``tpr_at_1%`` and
    ``tpr_at_0.1%``; no more than these rates is best): an attack that is sure about few is worse
    than one that is right about most by a little [4]_. Each has a 95 % interval (``_low``,
    ``_high``) from a bootstrap over groups, or over rows where there are none. A rate for which
    there are too few non-members, fewer than 100 or 1,000, is NaN.

    Parameters
    ----------
    X_members : array-like of shape (n_members, ...)
        Real rows that the sampler was trained on, of the classes that it made rows for.
    X_non_members : array-like of shape (n_non_members, ...)
        Real rows of the same kind that it was not trained on.
    X_synthetic : array-like of shape (n_synthetic, ...)
        Synthetic rows, of any sampler.
    groups_members : array-like of shape (n_members,), default=None
        Patients of the members.
    groups_non_members : array-like of shape (n_non_members,), default=None
        Patients of the non-members. Patients on both sides are drawn with the rows of both.
    shadows : list of Shadow, default=None
        Of :func:`train_shadows`; None leaves this attack out.
    scores : tuple of two array-likes of shapes (n_members,) and (n_non_members,), default=None
        Of :func:`discriminator_scores`; None leaves this attack out.
    n_closest : int, default=10
        Closest pairs of a synthetic row and a member to give.
    n_bootstraps : int, default=500
        Draws of the bootstrap.
    random_state : int or RandomState instance, default=0
        Seeds the bootstrap and the thinning of the memorization ratio.

    Returns
    -------
    PrivacyReport
        Named tuple ``(attacks, memorization_ratio, closest)``: the table described above; the
        figure of :func:`memorization_ratio` (1 is best, 0 for copies); and a table of the pairs
        of a synthetic row and a member that are closest, with their places (``synthetic``,
        ``member``), their ``distance``, and the distance of the same synthetic row to its nearest
        non-member (``to_non_member``), which says what is unremarkable.

    Raises
    ------
    ValueError
        If rows differ in shape or are not finite, groups are given for one side only or there is
        but one on a side, or `n_bootstraps` or `n_closest` is no whole number above 0.
    TypeError
        If some groups are numbers and others strings.

    See Also
    --------
    membership_inference_auc : The distance attack alone.
    train_shadows : Trainings of the attacker's own.
    discriminator_scores : What a GAN's discriminator says.

    Notes
    -----
    Attacks show leaks, not their absence: a better attacker may find what these do not. Where
    members and non-members are of different patients, these differ in more than membership, and
    only intervals over patients are honest. Judge by rows of the same patients too.

    References
    ----------
    .. [1] D. Chen et al., "GAN-Leaks: a taxonomy of membership inference attacks against generative
       models", CCS 2020, arXiv:1909.03935.
    .. [2] R. Shokri et al., "Membership inference attacks against machine learning models", IEEE
       S&P 2017, arXiv:1610.05820; for synthetic rows T. Stadler et al., "Synthetic data:
       anonymisation groundhog day", USENIX Security 2022, arXiv:2011.07018.
    .. [3] J. Hayes et al., "LOGAN: membership inference attacks against generative models",
       PoPETs 2019, arXiv:1705.07663.
    .. [4] N. Carlini et al., "Membership inference attacks from first principles", IEEE S&P 2022,
       arXiv:2112.03570.

    Examples
    --------
    >>> from imblearn.over_sampling import RandomOverSampler
    >>> from sktsgan.datasets import make_heartbeats
    >>> from sktsgan.metrics import privacy_report
    >>> X, y = make_heartbeats(600, classes="NV", weights=[0.9, 0.1], random_state=0)
    >>> X_resampled, _ = RandomOverSampler(random_state=0).fit_resample(X[:300], y[:300])
    >>> members, others = X[:300][y[:300] == "V"], X[300:][y[300:] == "V"]
    >>> report = privacy_report(members, others, X_resampled[300:])
    >>> float(report.attacks.loc["distance", "auc"].round(1)), report.memorization_ratio < 0.01
    (1.0, True)
    """
    X_members, X_non_members, X_synthetic = check_sides(X_members, X_non_members, X_synthetic)
    check_whole("n_bootstraps", n_bootstraps)
    check_whole("n_closest", n_closest)
    sizes = len(X_members), len(X_non_members)
    groups = _groups_of_all(groups_members, groups_non_members, sizes)
    X = np.concatenate([X_members, X_non_members])
    is_member = np.arange(len(X)) < len(X_members)
    results = {"distance": distance_scores(X, X_synthetic)}
    if shadows is not None:
        results["shadow"] = _shadow_scores(X, X_synthetic, shadows)
    if scores is not None:
        results["discriminator"] = _check_scores(scores, sizes)
    rng = check_random_state(random_state)
    counts = _bootstrap_counts(groups, is_member, n_bootstraps, rng)
    attacks = {name: _judge(is_member, values, groups, counts) for name, values in results.items()}
    ratio = memorization_ratio(X_members, X_synthetic, X_held_out=X_non_members, random_state=rng)
    closest = _closest(X_members, X_non_members, X_synthetic, n_closest)
    table = pd.DataFrame.from_dict(attacks, orient="index").rename_axis("attack")
    return PrivacyReport(table, ratio, closest)


def train_shadows(sampler, X, y, *, groups=None, n_shadows=4, random_state=0):
    """Train copies of a sampler on halves of the attacker's own rows.

    In each shadow training the attacker knows which rows were members, so that a classifier can
    learn from it how members differ from others [1]_.

    Parameters
    ----------
    sampler : sampler
        Any imbalanced-learn sampler that puts the original rows first, such as that under attack;
        it is cloned.
    X : array-like of shape (n_samples, ...)
        Real rows that the attacked sampler has nothing to do with.
    y : array-like of shape (n_samples,)
        Their labels.
    groups : array-like of shape (n_samples,), default=None
        Patients. Where given, all rows of one are members or none is.
    n_shadows : int, default=4
        Trainings.
    random_state : int or RandomState instance, default=0
        Seeds the halves, and the copies where they have a `random_state`.

    Returns
    -------
    list of Shadow
        Named tuples ``(X_members, X_non_members, X_synthetic)``, with the real rows of those
        classes for which the sampler made new ones.

    Raises
    ------
    ValueError
        If `n_shadows` is no whole number above 0, lengths differ, or the sampler does not put the
        original rows first or makes no new ones.

    References
    ----------
    .. [1] R. Shokri et al., "Membership inference attacks against machine learning models", IEEE
       S&P 2017, arXiv:1610.05820.

    Examples
    --------
    >>> from imblearn.over_sampling import SMOTE
    >>> from sktsgan.datasets import make_heartbeats
    >>> from sktsgan.metrics import train_shadows
    >>> X, y = make_heartbeats(200, classes="NV", weights=[0.7, 0.3], random_state=0)
    >>> shadows = train_shadows(SMOTE(), X, y, n_shadows=2)
    >>> [len(shadow.X_synthetic) for shadow in shadows]  # to 70 rows of V from 30
    [40, 40]
    """
    X = as_array(check_rows(X, "X")).reshape(np.shape(X))
    y = check_row_labels(y, X, ("X", "y"))
    groups = None if groups is None else check_groups(groups, len(X), "X")
    check_whole("n_shadows", n_shadows)
    rng = check_random_state(random_state)
    folds = StratifiedKFold if groups is None else StratifiedGroupKFold
    shadows = []
    for _ in range(n_shadows):
        halves = folds(2, shuffle=True, random_state=rng.randint(2**31 - 1))
        members, others = next(halves.split(X, y, groups))
        shadows.append(_train_shadow(sampler, X, y, members, others, rng))
    return shadows


def discriminator_scores(sampler, X, y):
    """Score rows with the discriminator of a fitted GAN: how real it takes them to be.

    Each row is scored alone, so that minibatch discrimination ties none to another.

    Parameters
    ----------
    sampler : StaGANSampler, or Pipeline or search with one
        Fitted.
    X : array-like of shape (n_samples, ...)
        Real rows.
    y : array-like of shape (n_samples,)
        Their labels.

    Returns
    -------
    ndarray of shape (n_samples,)
        Scores, higher for what looks real; those of different classes cannot be compared.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the sampler has not been fitted.
    ValueError
        If there is no discriminator for a label, as the class had too few rows, or rows are not
        those of ``fit`` in shape and names.

    Examples
    --------
    >>> from sktsgan import StaGANSampler
    >>> from sktsgan.datasets import make_heartbeats
    >>> from sktsgan.metrics import discriminator_scores
    >>> X, y = make_heartbeats(100, classes="NV", weights=[0.5, 0.5], random_state=0)
    >>> sampler = StaGANSampler(max_epochs=1, steps_per_epoch=1, random_state=0).fit(X, y)
    >>> discriminator_scores(sampler, X[:5], y[:5]).shape
    (5,)
    """
    sampler, X, y = as_sampled(sampler, X, y)
    check_is_fitted(sampler, "net_")
    signals = sampler._scaler.scaled(as_array(X).reshape(-1, *sampler._signal_shape))
    return np.array(
        [_score(sampler, signals[i : i + 1], label) for i, label in enumerate(y.tolist())],
        dtype=np.float64,
    )


def _score(sampler, signal, label):
    place = np.flatnonzero(sampler.classes_ == label)
    net = next((sampler._nets.get(index) for index in place.tolist()), None)
    if net is None:
        raise ValueError(
            f"'y' must hold classes that the discriminator has learned. Got {label!r}; leave its "
            "rows out."
        )
    device = next(net.discriminator_.parameters()).device
    index = torch.from_numpy(np.searchsorted(net.classes_, place)).to(device)
    was_training = net.discriminator_.training
    net.discriminator_.eval()
    try:
        with torch.no_grad(), net.full_precision():
            return net.discriminator_(torch.from_numpy(signal).to(device), index).item()
    finally:
        net.discriminator_.train(was_training)


def _train_shadow(sampler, X, y, members, others, rng):
    copy = clone(sampler)
    if "random_state" in copy.get_params():
        copy.set_params(random_state=rng.randint(2**31 - 1))
    X_resampled, y_resampled = copy.fit_resample(X[members], y[members])
    X_resampled, n_members = np.asarray(X_resampled), len(members)
    if not np.array_equal(X_resampled[:n_members], X[members]):
        raise ValueError(
            f"'sampler' must put the original rows first. {type(sampler).__name__} does not; give "
            "'shadows' of your own, tuples named as those of this function."
        )
    if len(X_resampled) == n_members:
        raise ValueError("'sampler' must make new rows. Got none; set its 'sampling_strategy'.")
    made = np.unique(y_resampled[n_members:])
    sides = (rows[np.isin(y[rows], made)] for rows in (members, others))
    return Shadow(*(X[rows] for rows in sides), X_resampled[n_members:])


def _groups_of_all(members, non_members, sizes):
    """Return the groups of all rows; each row its own where there are none."""
    sides = check_both_groups(members, non_members, *sizes)
    if sides is None:
        return np.arange(sum(sizes))
    for name, groups in zip(("groups_members", "groups_non_members"), sides, strict=True):
        if len(np.unique(groups)) < 2:
            raise ValueError(
                f"'{name}' must have at least 2 groups, as intervals are over groups. Got one; "
                "leave groups out for intervals over rows."
            )
    return np.unique(np.concatenate(sides), return_inverse=True)[1]


def _check_scores(scores, sizes):
    if len(scores) != 2:
        raise ValueError(
            "'scores' must be a pair, of the members and of the non-members. "
            f"Got {len(scores)} parts."
        )
    sides = zip(scores, sizes, ("X_members", "X_non_members"), strict=True)
    parts = [check_one_each(*side, "scores") for side in sides]
    return check_rows(np.concatenate(parts)[:, None], "scores")[:, 0]


def _shadow_scores(X, X_synthetic, shadows):
    """Learn from trainings whose members are known how members lie among synthetic rows."""
    if not shadows:
        raise ValueError("'shadows' must hold at least one training. Got none.")
    features, targets = [], []
    for shadow in shadows:
        if len(shadow) != 3:
            raise ValueError(
                "'shadows' must hold members, non-members and synthetic rows of each training. "
                f"Got {len(shadow)} parts; 'train_shadows' makes them."
            )
        members, others, synthetic = check_sides(*shadow, prefix="shadow.")
        check_pair(X, members, names=("X_members", "shadow.X_members"))
        features.append(_log_distances(np.concatenate([members, others]), synthetic))
        targets.append(np.arange(len(members) + len(others)) < len(members))
    n_nearest = min(part.shape[1] for part in features)
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    model.fit(np.concatenate([part[:, :n_nearest] for part in features]), np.concatenate(targets))
    own = _log_distances(X, X_synthetic)
    # fewer synthetic rows than in the shadows have no further ones
    own = np.pad(own, ((0, 0), (0, max(0, n_nearest - own.shape[1]))), mode="edge")
    return model.decision_function(own[:, :n_nearest])


def _log_distances(X, X_synthetic):
    """Logarithms of the distances to the nearest synthetic rows; copies are very near."""
    n_nearest = min(_N_NEAREST, len(X_synthetic))
    X_synthetic, X = in_unit(X_synthetic, X)
    distances, _ = nearest_rows(X_synthetic, X, n_nearest)
    # against the usual size of a row, so that the unit does not matter
    sizes = np.linalg.norm(X_synthetic - np.median(X_synthetic, axis=0), axis=1)
    size = np.median(sizes) or sizes.max() or 1.0  # most rows may be the same
    return np.log(distances / size + 1e-6)


def _bootstrap_counts(groups, is_member, n_bootstraps, rng):
    """Draw groups with replacement, again and again; return how often each group is in.

    Groups of members and of non-members are drawn apart where they share none, else all together,
    again where one side would be empty.
    """
    sides = [np.unique(groups[is_member]), np.unique(groups[~is_member])]
    pools = [np.union1d(*sides)] if np.intersect1d(*sides).size else sides
    draws = []
    while len(draws) < n_bootstraps:
        drawn = np.concatenate([rng.choice(pool, len(pool)) for pool in pools])
        counts = np.bincount(drawn, minlength=groups.max() + 1)
        if all(counts[side].any() for side in sides):
            draws.append(counts.astype(np.min_scalar_type(counts.max())))  # all are kept
    return draws


def _judge(is_member, scores, groups, counts):
    """Measure one attack, with intervals from how often each group was drawn."""
    figures = _figures(is_member, scores, np.ones(len(scores)))
    draws = pd.DataFrame(
        [_figures(is_member, scores, drawn[groups].astype(np.float64)) for drawn in counts]
    )
    low, high = draws.quantile(0.025), draws.quantile(0.975)
    row = {}
    for name, value in figures.items():
        row |= {name: value, f"{name}_low": low[name], f"{name}_high": high[name]}
    return row


def _figures(is_member, scores, weight):
    false_rate, true_rate, _ = roc_curve(
        is_member, scores, sample_weight=weight, drop_intermediate=False
    )
    figures = {"auc": auc(false_rate, true_rate)}
    n_non_members = (~is_member).sum()
    for name, rate in _RATES.items():
        # rounding must not cost the last false positive that is allowed
        found = true_rate[false_rate <= rate + 1e-12].max()
        figures[f"tpr_at_{name}"] = found if n_non_members >= 1 / rate else np.nan
    return figures


def _closest(X_members, X_non_members, X_synthetic, n_closest):
    """Find the synthetic rows that are closest to a member."""
    members, others, synthetic = in_unit(X_members, X_non_members, X_synthetic)

    def _nearest(X, rows):
        return nearest_rows(X, synthetic[rows])[1][:, 0]

    def _distances(X, places, rows):  # in the rows' own unit
        return np.linalg.norm(
            X[places].astype(np.float64) - X_synthetic[rows].astype(np.float64), axis=1
        )

    nearest = _nearest(members, slice(None))
    distances = _distances(X_members, nearest, slice(None))
    first = np.argsort(distances, kind="stable")[:n_closest]
    return pd.DataFrame(
        {
            "synthetic": first,
            "member": nearest[first],
            "distance": distances[first],
            "to_non_member": _distances(X_non_members, _nearest(others, first), first),
        }
    )
