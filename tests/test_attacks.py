"""Attacks: slow oracles, what they must catch, what they must not, intervals by patient."""

import numpy as np
import pandas as pd
import pytest
import torch
from imblearn.combine import SMOTEENN
from imblearn.over_sampling import SMOTE, RandomOverSampler
from scipy.sparse import csr_matrix
from scipy.spatial.distance import cdist

from sktsgan.metrics import (
    _attacks,
    discriminator_scores,
    membership_inference_auc,
    memorization_ratio,
    privacy_report,
    train_shadows,
)
from sktsgan.metrics._attacks import _log_distances


@pytest.fixture
def sets(rng):
    """Members, non-members, and fresh rows of the same distribution."""
    return rng.normal(size=(3, 300, 5))


def slow_tpr(members, others, rate):
    """Try every threshold and keep the best that names few enough others."""
    thresholds = np.concatenate([members, others])
    allowed = [t for t in thresholds if (others >= t).mean() <= rate]
    return max([(members >= t).mean() for t in allowed], default=0.0)


def test_figures_against_slow_ones(sets):
    members, others, fresh = sets
    synthetic = np.concatenate([members[:60] + 0.1 * fresh[:60], fresh[60:]])
    report = privacy_report(members, others, synthetic, n_bootstraps=20)
    row = report.attacks.loc["distance"]
    near = -cdist(np.concatenate([members, others]), synthetic).min(axis=1)
    assert row["auc"] == pytest.approx(membership_inference_auc(members, others, synthetic))
    assert row["tpr_at_1%"] == pytest.approx(slow_tpr(near[:300], near[300:], 0.01))
    assert np.isnan(row["tpr_at_0.1%"])  # 300 others cannot tell
    ratio = memorization_ratio(members, synthetic, X_held_out=others)
    assert report.memorization_ratio == pytest.approx(ratio)


def test_ties_are_no_success(sets):
    members, others, fresh = sets
    scores = (np.zeros(300), np.zeros(300))
    row = privacy_report(members, others, fresh, scores=scores).attacks.loc["discriminator"]
    assert row["auc"] == row["auc_low"] == row["auc_high"] == 0.5
    assert row["tpr_at_1%"] == 0


def test_closest_pairs(sets):
    members, others, fresh = sets
    synthetic = fresh.copy()
    synthetic[[7, 3]] = members[[200, 100]] + np.array([[1e-3], [1e-4]])
    closest = privacy_report(members, others, synthetic, n_closest=4, n_bootstraps=1).closest
    assert len(closest) == 4
    assert closest["synthetic"].tolist()[:2] == [3, 7]
    assert closest["member"].tolist()[:2] == [100, 200]
    assert closest["distance"].is_monotonic_increasing
    for pair in closest.itertuples():
        row = synthetic[pair.synthetic]
        expected = [np.linalg.norm(X - row, axis=1).min() for X in (members, others)]
        assert (pair.distance, pair.to_non_member) == pytest.approx(expected, abs=1e-6)


def test_copies_are_the_closest_pairs(rng):
    """Before rows that are nearly copies, though a search by products takes these for as near."""
    members = rng.normal(size=(40, 128)) * np.linspace(0.5, 3, 40)[:, None]
    synthetic = members[::-1] * (1 + 1e-9 * (np.arange(40) % 2))[:, None]
    closest = privacy_report(members, members + 1, synthetic, n_closest=40, n_bootstraps=1).closest
    assert (closest["distance"][:20] == 0).all()
    assert closest["distance"].is_monotonic_increasing
    assert (closest["member"] == 39 - closest["synthetic"]).all()


@pytest.mark.parametrize(("scale", "offset"), [(1e-3, 0), (1.0, 0), (1e3, 0), (1e-3, 1e6)])
def test_shadows_catch_a_copier_in_any_unit(beats, scale, offset):
    X, y = beats[0].astype(np.float64) * scale + offset, beats[1]
    sampler = RandomOverSampler(random_state=0)
    shadows = train_shadows(sampler, X[::2], y[::2], n_shadows=2)
    members, others = np.arange(1, 520, 4), np.arange(3, 520, 4)
    X_resampled, _ = sampler.fit_resample(X[members], y[members])
    rare = [rows[y[rows] != "N"] for rows in (members, others)]
    report = privacy_report(
        X[rare[0]], X[rare[1]], X_resampled[len(members) :], shadows=shadows, n_bootstraps=50
    )
    assert report.attacks.index.tolist() == ["distance", "shadow"]
    assert (report.attacks["auc"] > 0.95).all()
    assert (report.attacks["auc_low"] > 0.9).all()
    assert report.memorization_ratio < 0.01
    assert (report.closest["distance"] < 1e-5 * scale).all()


def test_shadows_find_what_one_distance_cannot(rng):
    """Members lie at a distance that tells, neither the nearest nor the farthest."""

    def draw():
        members, others = 10 * rng.normal(size=(2, 150, 6))
        directions = rng.normal(size=(150, 6))
        near = members + directions / np.linalg.norm(directions, axis=1)[:, None]
        # some others have a copy, the rest have nothing near
        return members, others, np.concatenate([near, others[:75]])

    shadows = [pd.Series(draw(), ["X_members", "X_non_members", "X_synthetic"])]
    row = privacy_report(*draw(), shadows=shadows, n_bootstraps=1).attacks["auc"]
    assert row["distance"] < 0.6
    assert 0.6 < row["shadow"] < 0.8  # linear in the logarithms, so it does not find all


def test_nothing_is_found_in_fresh_rows(sets, rng):
    members, others, fresh = sets
    shadows = [
        pd.Series(
            rng.normal(size=(3, 200, 5)).tolist(), ["X_members", "X_non_members", "X_synthetic"]
        )
    ]
    attacks = privacy_report(members, others, fresh, shadows=shadows).attacks
    assert ((attacks["auc_low"] < 0.5) & (attacks["auc_high"] > 0.5)).all()


def test_intervals_over_patients_hold_what_those_over_rows_miss():
    """Patients who differ, members by chance: rows alone would be far too sure."""
    covered = {"rows": 0, "patients": 0}
    for seed in range(25):
        rng = np.random.default_rng(seed)
        patients = np.repeat(np.arange(16), 20)
        X = rng.normal(size=(16, 4))[patients] + 0.2 * rng.normal(size=(320, 4))
        synthetic = rng.normal(size=(30, 4))
        for kind, groups in (("rows", {}), ("patients", (patients[:160], patients[160:]))):
            names = ("groups_members", "groups_non_members")
            row = privacy_report(
                X[:160],
                X[160:],
                synthetic,
                n_bootstraps=60,
                **dict(zip(names, groups, strict=False)),
            ).attacks.loc["distance"]
            covered[kind] += row["auc_low"] <= 0.5 <= row["auc_high"]
    assert covered["rows"] < 16
    assert covered["patients"] >= 20


def test_patients_on_both_sides_are_drawn_once():
    groups, is_member = np.arange(60) % 10, np.arange(60) < 30
    counts = _attacks._bootstrap_counts(groups, is_member, 20, np.random.RandomState(0))
    assert {int(own.sum()) for own in counts} == {10}


def test_each_shadow_has_halves_of_its_own(beats):
    one, other = train_shadows(SMOTE(), *beats, n_shadows=2)
    assert not np.array_equal(one.X_members, other.X_members)


def test_fewer_synthetic_rows_than_in_the_shadows(rng):
    members, others, synthetic = rng.normal(size=(3, 60, 4))
    shadow = tuple(rng.normal(size=(3, 60, 4)))
    table = privacy_report(members, others, synthetic[:2], shadows=[shadow], n_bootstraps=1).attacks
    assert np.isfinite(table.loc["shadow", "auc"])


def test_the_same_seed_gives_the_same_report(sets):
    first, second = (privacy_report(*sets, random_state=3) for _ in range(2))
    pd.testing.assert_frame_equal(first.attacks, second.attacks)
    assert first.memorization_ratio == second.memorization_ratio


def test_distances_to_rows_of_which_most_are_equal_have_no_unit(rng):
    X, X_synthetic = rng.normal(size=(2, 30, 6))
    X_synthetic[:20] = X_synthetic[0]
    X[:3] = X_synthetic[:3]  # copies, whose distance of 0 is raised by a share of the size
    once, thrice = (_log_distances(unit * X, unit * X_synthetic) for unit in (1, 3))
    np.testing.assert_allclose(once, thrice, atol=1e-6)


def test_shadows_split_by_patient_and_keep_the_classes_that_were_made(beats):
    X, y = beats
    groups = np.arange(len(y)) % 13
    patient = {row.tobytes(): group for row, group in zip(X, groups, strict=True)}
    for shadow in train_shadows(SMOTE(), X, y, groups=groups, n_shadows=3):
        sides = [
            {patient[row.tobytes()] for row in rows}
            for rows in (shadow.X_members, shadow.X_non_members)
        ]
        assert not sides[0] & sides[1]
        assert len(shadow.X_members) + len(shadow.X_non_members) == (y != "N").sum()


def test_discriminator_scores_of_other_rows(quick, beats):
    X, y = beats
    sampler = quick().fit(X, y)
    with pytest.raises(ValueError, match="X has 61 features"):
        discriminator_scores(sampler, X[:, 3:], y)
    bad = X.copy()
    bad[0, 0] = np.nan
    with pytest.raises(ValueError, match="'X' must be finite"):
        discriminator_scores(sampler, bad, y)
    leads = quick().fit(X.reshape(-1, 2, 32), y)
    with pytest.raises(ValueError, match=r"shape of the first call, \(2, 32\). Got \(2, 31\)"):
        discriminator_scores(leads, X[:, 2:].reshape(-1, 2, 31), y)


def test_discriminator_scores(quick, beats):
    X, y = beats
    sampler = quick().fit(X, y)
    scores = discriminator_scores(sampler, X[:8], y[:8])
    assert scores.shape == (8,)
    again = discriminator_scores(sampler, torch.from_numpy(X[:8]), y[:8])
    np.testing.assert_array_equal(again, scores)
    one = discriminator_scores(sampler, X[5:6], y[5:6])  # no row depends on another
    assert one[0] == scores[5]
    each = quick(conditioning="per_class").fit(X, y)
    assert np.isfinite(discriminator_scores(each, X[:8], y[:8])).all()


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_no_scores_of_a_class_that_was_not_learned(quick, beats, method):
    X, y = (np.concatenate([part, part[:10]]) for part in beats)
    y[-10:] = "S"
    with pytest.warns(UserWarning, match="Class 'S' has 10 rows"):
        sampler = getattr(quick(), method)(X, y)
    with pytest.raises(ValueError, match="has learned. Got 'S'; leave its rows out"):
        discriminator_scores(sampler, X[-2:], y[-2:])


def test_discriminator_scores_without_dropout(quick, beats):
    X, y = beats
    sampler = quick().fit(X, y)
    discriminator = sampler.net_.discriminator_
    discriminator.score = torch.nn.Sequential(torch.nn.Dropout(0.5), discriminator.score)
    discriminator.train()
    first, second = (discriminator_scores(sampler, X[:8], y[:8]) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert discriminator.training


@pytest.mark.parametrize("others", [[0, 2], [0, 2, 3], [2, 3]])
def test_intervals_over_few_patients_have_a_width(sets, others):
    members, non_members, _ = sets
    # an attack that finds the first patient's rows alone
    own, other = np.arange(300) % 2, np.array(others)[np.arange(300) % len(others)]
    row = privacy_report(
        members,
        non_members,
        members[own == 0],
        groups_members=own,
        groups_non_members=other,
        n_bootstraps=50,
    ).attacks.loc["distance"]
    assert row["auc_low"] < row["auc"] < row["auc_high"]


def test_discriminator_scores_of_what_was_not_learned(quick, beats):
    X, y = beats
    keep = np.r_[np.flatnonzero(y == "N"), np.flatnonzero(y == "V"), np.flatnonzero(y == "F")[:5]]
    with pytest.warns(UserWarning, match="Class 'F' has 5 rows"):
        sampler = quick().fit(X[keep], y[keep])
    with pytest.raises(ValueError, match="'y' must hold classes that the disc.* Got 'F'"):
        discriminator_scores(sampler, X, y)


GOOD = np.random.default_rng(0).normal(size=(10, 3))
LABELS = np.arange(10) % 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: privacy_report(GOOD, GOOD[:, :2], GOOD), "'X_non_members' and 'X_synthetic' must"),
        (lambda: privacy_report(GOOD, GOOD, GOOD, n_bootstraps=0), "'n_bootstraps' must be"),
        (
            lambda: privacy_report(GOOD, GOOD, GOOD, n_closest=0),
            "'n_closest' must be a whole number of at least 1",
        ),
        (lambda: privacy_report(GOOD, GOOD, GOOD, shadows=[]), "'shadows' must hold at least one"),
        (
            lambda: privacy_report(GOOD, GOOD, GOOD, shadows=(GOOD, GOOD, GOOD)),
            "'shadows' must hold members, non-members and synthetic rows .* Got 10 parts",
        ),
        (lambda: privacy_report(GOOD, GOOD, GOOD, scores=(1, 2, 3)), "'scores' must be a pair"),
        (
            lambda: privacy_report(GOOD, GOOD, GOOD, scores=(LABELS, LABELS[:3])),
            "'scores' must be one for each row of X_non_members",
        ),
        (
            lambda: privacy_report(GOOD, GOOD, GOOD, scores=(LABELS, LABELS * np.nan)),
            "'scores' must be finite",
        ),
        (
            lambda: privacy_report(GOOD, GOOD, GOOD, scores=(np.ma.masked_equal(LABELS, 0),) * 2),
            "'scores' must be finite",
        ),
        (lambda: privacy_report(GOOD, GOOD, GOOD, groups_members=LABELS), "must both be given"),
        (
            lambda: privacy_report(
                GOOD, GOOD, GOOD, groups_members=LABELS, groups_non_members=[7] * 10
            ),
            "'groups_non_members' must have at least 2 groups",
        ),
        (
            lambda: privacy_report(GOOD, GOOD, GOOD, shadows=[(GOOD[:, :2],) * 3]),
            "'X_members' and 'shadow.X_members' must have the same number of timepoints",
        ),
        (
            lambda: train_shadows(SMOTE(), np.ma.masked_equal(GOOD, GOOD[3, 1]), LABELS),
            "'X' must be finite. Got NaN or infinity",
        ),
        (lambda: train_shadows(SMOTE(), csr_matrix(GOOD), LABELS), "'X' must be dense"),
        (lambda: train_shadows(SMOTE(), GOOD, LABELS[:3]), "'y' must be one for each row of X"),
        (lambda: train_shadows(SMOTE(), GOOD, [None] + 9 * ["a"]), "It is missing in row 0"),
        (lambda: train_shadows(SMOTE(), GOOD, LABELS, n_shadows=0), "'n_shadows' must be"),
        (lambda: train_shadows(SMOTE(), GOOD, LABELS, n_shadows=1.5), "'n_shadows' must be"),
        (
            lambda: train_shadows(RandomOverSampler(sampling_strategy={}), GOOD, LABELS),
            "'sampler' must make new rows",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_sampler_that_drops_rows_is_refused(beats):
    with pytest.raises(ValueError, match="'sampler' must put the original rows first. SMOTEENN"):
        train_shadows(SMOTEENN(random_state=0), *beats)


def test_intervals_are_of_95_percent(sets):
    fresh = sets[2]
    is_member = np.arange(100) < 50
    groups = np.arange(100) // 2
    counts = _attacks._bootstrap_counts(groups, is_member, 40, np.random.RandomState(0))
    scores = np.concatenate([fresh[:50, 0] + 0.5, fresh[50:100, 0]])
    row = _attacks._judge(is_member, scores, groups, counts)
    draws = [
        _attacks._figures(is_member, scores, np.repeat(own, 2).astype(float))["auc"]
        for own in counts
    ]
    assert (row["auc_low"], row["auc_high"]) == pytest.approx(np.quantile(draws, [0.025, 0.975]))


@pytest.mark.parametrize("n_others", [99, 100])
def test_a_rate_takes_as_many_non_members_as_it_divides(rng, n_others):
    X = rng.normal(size=(300, 3))
    row = privacy_report(X[:50], X[100 : 100 + n_others], X[:50], n_bootstraps=1).attacks.loc[
        "distance"
    ]
    assert row["tpr_at_1%"] == pytest.approx(1.0 if n_others == 100 else np.nan, nan_ok=True)


def test_rates_are_their_names(rng):
    scores = rng.normal(size=1000), rng.normal(size=2000)
    X = rng.normal(size=(3000, 2))
    row = privacy_report(X[:1000], X[1000:], X[:3], scores=scores, n_bootstraps=1).attacks.loc[
        "discriminator"
    ]
    for name, n_false in (("1%", 20), ("0.1%", 2)):
        limit = np.sort(scores[1])[-n_false - 1]
        assert row[f"tpr_at_{name}"] == pytest.approx((scores[0] > limit).mean())


def test_shadows_leave_the_sampler_alone_and_have_seeds_of_their_own(beats):
    X, y = beats
    sampler = SMOTE(random_state=5)
    first, again, other = (
        train_shadows(sampler, X, y, n_shadows=2, random_state=s) for s in (0, 0, 1)
    )
    assert sampler.random_state == 5
    assert not hasattr(sampler, "sampling_strategy_")
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.X_synthetic, two.X_synthetic)
    assert not np.array_equal(first[0].X_members, other[0].X_members)


def test_copies_are_seeded(beats):
    X, y = beats
    seeds = []

    class Seeded(SMOTE):
        def fit_resample(self, X, y):
            seeds.append(self.random_state)
            return super().fit_resample(X, y)

    train_shadows(Seeded(random_state=5), X, y, n_shadows=2)
    assert len({5, *seeds}) == 3


@pytest.mark.filterwarnings("ignore:Class 'F' has 5 rows")
@pytest.mark.parametrize("conditioning", ["shared", "per_class"])
@pytest.mark.parametrize("n_rare", [5, 40])
def test_discriminator_scores_against_its_output(quick, beats, conditioning, n_rare):
    X, y = 1000 * beats[0].astype(np.float64) + 500, beats[1]
    keep = np.r_[np.flatnonzero(y != "F"), np.flatnonzero(y == "F")[:n_rare]]
    X, y = X[keep], y[keep]
    sampler = quick(conditioning=conditioning).fit(X, y)
    learned = ["N", "V"] if n_rare == 5 else ["F", "N", "V"]
    rows = np.concatenate([np.flatnonzero(y == label)[:3] for label in learned])
    signals = torch.from_numpy((X[rows] - X.mean()) / X.std()).float()[:, None]
    scores = discriminator_scores(sampler, X[rows], y[rows])
    for score, signal, label in zip(scores, signals, y[rows], strict=True):
        net, place = sampler.net_, learned.index(label)
        if conditioning == "per_class":
            net, place = net[label], 0
        expected = net.discriminator_.eval()(signal[None], torch.tensor([place])).item()
        assert score == pytest.approx(expected, rel=1e-3, abs=1e-5)


def test_patients_of_either_side_are_drawn_apart():
    groups, is_member = np.arange(60) // 3, np.arange(60) < 15
    for counts in _attacks._bootstrap_counts(groups, is_member, 20, np.random.RandomState(0)):
        assert (counts[:5].sum(), counts[5:].sum()) == (5, 15)


@pytest.mark.parametrize("offset", [1e3, 1e6])
def test_copies_of_both_sides_tell_nothing_at_any_offset(rng, offset):
    members, others = rng.normal(size=(2, 60, 16))

    def attack(offset):
        rows = [part + offset for part in (members, others)]
        shadow = (*rows, np.concatenate(rows))
        return privacy_report(*shadow, shadows=[shadow], n_bootstraps=1).attacks.loc[
            "shadow", "auc"
        ]

    assert attack(offset) == pytest.approx(attack(0), abs=1e-3)


def test_a_rate_between_ties_of_scores_is_met(rng):
    X, Y, synthetic = rng.normal(size=(200, 3)), rng.normal(size=(200, 3)), rng.normal(size=(20, 3))
    scores = np.arange(200.0), np.arange(200.0)
    attacks = privacy_report(X, Y, synthetic, scores=scores, n_bootstraps=5).attacks
    assert attacks.loc["discriminator", "tpr_at_1%"] == pytest.approx(0.01)


def test_shadows_of_few_synthetic_rows(rng):
    shadows = [tuple(rng.normal(size=(n, 4)) for n in (40, 40, n_new)) for n_new in (30, 2)]
    report = privacy_report(*rng.normal(size=(3, 40, 4)), shadows=shadows, n_bootstraps=1)
    assert 0 <= report.attacks.loc["shadow", "auc"] <= 1
