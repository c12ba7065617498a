"""MMDScorer: what it computes, and where it works."""

import pickle

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import Pipeline
from scipy.sparse import csr_matrix
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_score,
    cross_validate,
)
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sktsgan import MMDScorer, StaGANSampler
from sktsgan.metrics import maximum_mean_discrepancy

FOLDS = StratifiedKFold(2, shuffle=True, random_state=0)


def by_class(sampler, X, y):
    """Write the definition down, for the scorer's default seed."""
    rng = np.random.RandomState(0)
    values = {}
    for label in np.unique(y):
        real = X[y == label]
        new, _ = sampler.sample(y=[label] * max(100, len(real)), random_state=rng)
        values[label] = maximum_mean_discrepancy(real, new)
    return values


def test_definition(trained, beats):
    X, y = beats
    values = by_class(trained, X, y)
    scorer = MMDScorer()
    assert scorer(trained, X, y) == pytest.approx(-np.mean(list(values.values())))
    assert scorer.discrepancies_ == pytest.approx(values)
    weighted = sum(values[label] * (y == label).mean() for label in values)
    assert MMDScorer("weighted")(trained, X, y) == pytest.approx(-weighted)


def test_same_figure_for_the_same_seed(trained, beats):
    assert MMDScorer()(trained, *beats) == MMDScorer()(trained, *beats)
    assert MMDScorer()(trained, *beats) != MMDScorer(random_state=1)(trained, *beats)


def test_better_training_scores_higher(trained, quick, beats):
    assert MMDScorer()(trained, *beats) > MMDScorer()(quick().fit(*beats), *beats) + 0.05


def test_clones_and_pickles(trained, beats):
    scorer = MMDScorer("weighted", n_samples=50, random_state=3)
    for copy in (clone(scorer), pickle.loads(pickle.dumps(scorer))):
        assert copy.get_params() == scorer.get_params()
        assert copy(trained, *beats) == scorer(trained, *beats)


def test_pipeline_applies_the_steps_before_the_sampler(quick, beats):
    X, y = beats
    pipeline = Pipeline(
        [
            ("halve", FunctionTransformer(lambda X: X[:, ::2])),
            ("skip", "passthrough"),
            ("scale", StandardScaler()),
            ("gan", quick()),
            ("clf", LogisticRegression(max_iter=2000)),
        ]
    ).fit(X, y)
    before = pipeline["scale"].transform(X[:, ::2])
    assert MMDScorer()(pipeline, X, y) == MMDScorer()(pipeline["gan"], before, y)


def test_finds_the_sampler_in_pipelines_within_pipelines_and_in_searches(quick, beats):
    inner = Pipeline([("gan", quick()), ("clf", LogisticRegression(max_iter=2000))])
    outer = Pipeline([("scale", StandardScaler()), ("rest", inner)]).fit(*beats)
    before = outer["scale"].transform(beats[0])
    assert MMDScorer()(outer, *beats) == MMDScorer()(outer["rest"]["gan"], before, beats[1])
    search = GridSearchCV(quick(), {"lr": [1e-3]}, cv=FOLDS, scoring=MMDScorer()).fit(*beats)
    assert MMDScorer()(search, *beats) == MMDScorer()(search.best_estimator_, *beats)
    outer = Pipeline([("scale", outer["scale"]), ("search", search)])
    assert MMDScorer()(outer, *beats) == MMDScorer()(search, before, beats[1])
    with pytest.raises(TypeError, match="a Pipeline or a search with one. Got Pipeline"):
        MMDScorer()(Pipeline([("clf", inner["clf"])]), *beats)


def test_columns_must_be_those_of_fit(quick, beats):
    X = pd.DataFrame(beats[0]).add_prefix("t")
    sampler = quick().fit(X, beats[1])
    with pytest.raises(ValueError, match="Feature names must be in the same order"):
        MMDScorer()(sampler, X.iloc[:, ::-1], beats[1])
    with pytest.raises(ValueError, match="X has 63 features, but StaGANSampler is expecting 64"):
        MMDScorer()(quick().fit(*beats), beats[0][:, 1:], beats[1])


@pytest.mark.parametrize(
    ("change_X", "change_y", "message"),
    [
        (lambda X: X[:0], lambda y: y[:0], "'X' must have at least 1 rows. Got 0"),
        (lambda X: X + 1j, lambda y: y, "'X' must hold real numbers. Got complex"),
        (csr_matrix, lambda y: y, "'X' must be dense. Got a sparse csr_matrix"),
        (lambda X: pd.DataFrame(X, dtype="Float64").mask(X > 1), lambda y: y, "'X' must be finite"),
        (lambda X: X, lambda y: pd.Series(y).mask(y == "F"), "'y' must have a label for each row"),
    ],
)
def test_what_cannot_be_scored(trained, beats, change_X, change_y, message):
    with pytest.raises(ValueError, match=message):
        MMDScorer()(trained, change_X(beats[0]), change_y(beats[1]))


def test_one_column_for_each_class(quick, beats):
    X, y = beats
    columns = pd.get_dummies(pd.Series(y))
    sampler = quick().fit(X, columns)
    assert sampler.classes_.tolist() == [0, 1, 2]
    assert MMDScorer()(sampler, X, columns) == MMDScorer()(sampler, X, columns.to_numpy().argmax(1))
    _, y_resampled = quick().fit_resample(X, columns)
    assert y_resampled.sum().to_dict() == {"F": 400, "N": 400, "V": 400}


@pytest.mark.parametrize("routing", [False, True])
def test_cross_validation_with_several_scorers(quick, beats, routing):
    pipeline = Pipeline([("gan", quick()), ("clf", LogisticRegression(max_iter=500))])
    with config_context(enable_metadata_routing=routing):
        result = cross_validate(
            pipeline, *beats, cv=FOLDS, scoring={"mmd": MMDScorer(), "f1": "f1_macro"}
        )
    assert (result["test_mmd"] < 0).all()
    assert (result["test_f1"] > 0).all()


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.trust)])
def test_grid_search_chooses_by_it(quick, beats, n_jobs):
    search = GridSearchCV(
        quick(steps_per_epoch=20),
        {"lr": [1e-6, 5e-3]},
        cv=FOLDS,
        scoring=MMDScorer(),
        n_jobs=n_jobs,
    ).fit(*beats)
    assert search.best_params_ == {"lr": 5e-3}


def test_halving_search(quick, beats):
    search = HalvingGridSearchCV(
        quick(steps_per_epoch=25),
        {"lr": [1e-6, 5e-3]},
        resource="max_epochs",
        min_resources=2,
        max_resources=4,
        factor=2,
        cv=FOLDS,
        scoring=MMDScorer(),
        random_state=0,
    ).fit(*beats)
    assert search.best_params_["lr"] == 5e-3


def test_labels_in_a_column(trained, beats):
    X, y = beats
    assert MMDScorer()(trained, X, y[:, None]) == MMDScorer()(trained, X, y)
    with pytest.raises(ValueError, match=r"'y' must be one for each row of X, .* Got \(7,\)"):
        MMDScorer()(trained, X, y[:7])


def test_a_class_that_was_not_seen(quick, beats):
    X, y = beats
    sampler = quick().fit(X[y != "F"], y[y != "F"])
    with pytest.raises(ValueError, match="labels seen in 'fit'.*Got 'F'"):
        MMDScorer()(sampler, X, y)
    with pytest.warns(UserWarning, match="Scoring failed"):
        scores = cross_val_score(
            quick(),
            X,
            y,
            cv=[(np.flatnonzero(y != "F"), np.flatnonzero(y == "F"))],
            scoring=MMDScorer(),
            error_score=np.nan,
        )
    assert np.isnan(scores).all()


@pytest.mark.parametrize(
    ("scorer", "error", "message"),
    [
        (MMDScorer("median"), ValueError, "'average' must be .* Got 'median'"),
        (MMDScorer(n_samples=1), ValueError, "'n_samples' must be .* Got 1"),
    ],
)
def test_bad_parameters(trained, beats, scorer, error, message):
    with pytest.raises(error, match=message):
        scorer(trained, *beats)


def test_values_of_a_call_that_fails_are_not_those_of_another(trained, beats):
    scorer = MMDScorer()
    scorer(trained, *beats)
    with pytest.raises(ValueError, match="labels seen in 'fit'"):
        scorer(trained, beats[0], np.full(len(beats[0]), "X"))
    assert not hasattr(scorer, "discrepancies_")
    assert not hasattr(scorer, "standard_errors_")


def test_bad_estimators_and_rows(trained, beats):
    X, y = beats
    with pytest.raises(TypeError, match="a search with one. Got SMOTE"):
        MMDScorer()(SMOTE(), X, y)
    pipeline = Pipeline([("gan", trained), ("clf", LogisticRegression())])
    for search in (GridSearchCV(pipeline, {}), GridSearchCV(pipeline, {}, refit=False)):
        with pytest.raises(NotFittedError, match="has a sampler once it is fitted, with 'refit'"):
            MMDScorer()(search, X, y)
    with pytest.raises(ValueError, match="at least 2 rows of each class. Got 1 of class 'N'"):
        MMDScorer()(trained, X[y == "N"][:1], y[y == "N"][:1])


def test_n_samples_of_the_scorer(rng):
    asked = []

    class Sampler:
        def sample(self, y, random_state):
            asked.append(len(y))
            return rng.normal(size=(len(y), 3)), y

    X, y = rng.normal(size=(30, 3)), np.arange(30) % 2
    MMDScorer(n_samples=7)(Sampler(), X, y)
    MMDScorer()(Sampler(), X, y)
    assert asked == [7, 7, 100, 100]


def test_what_draws_without_labels_is_no_sampler(trained, beats):
    X, y = beats
    for estimator in (GaussianMixture(2).fit(X), StaGANSampler):
        with pytest.raises(
            TypeError, match="'estimator' must be a sampler with a method 'sample' "
        ):
            MMDScorer()(estimator, X, y)
    before = FunctionTransformer().fit(X)
    before.sample, before.refit = lambda n_samples: X[:n_samples], True
    pipeline = Pipeline([("scale", before), ("gan", trained)])
    assert MMDScorer()(pipeline, X, y) == MMDScorer()(trained, X, y)


def test_a_sampler_may_take_its_labels_among_other_options(trained, beats):
    class Sampler:
        def sample(self, n_samples=1, **options):
            return trained.sample(n_samples, **options)

    assert MMDScorer()(Sampler(), *beats) == MMDScorer()(trained, *beats)


def test_a_classifier_with_a_refit_is_no_search(beats):
    X, y = beats[0][:200], np.where(np.arange(200) % 2, "N", "V")
    tuned = TunedThresholdClassifierCV(LogisticRegression(), cv=2).fit(X, y)
    with pytest.raises(TypeError, match="Got TunedThresholdClassifierCV"):
        MMDScorer()(tuned, X, y)
