"""The estimator checks of scikit-learn and imbalanced-learn."""

import imblearn.utils.estimator_checks as imblearn_checks
import pandas as pd
import pytest
import sklearn.utils.estimator_checks as sklearn_checks
from imblearn.utils.estimator_checks import parametrize_with_checks as with_imblearn_checks
from sklearn.base import clone

from sktsgan import StaGANSampler
from tests.conftest import QUICK

SAMPLER = StaGANSampler(**{**QUICK, "max_epochs": 1})

# The checks train on sets with few rows and on constant ones, where a warning is right.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Class .* has .* row:UserWarning"),
    pytest.mark.filterwarnings("ignore:Only .* passed the selection:UserWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning"),
]


@sklearn_checks.parametrize_with_checks([SAMPLER])
def test_scikit_learn(estimator, check):
    check(estimator)


@with_imblearn_checks(
    [SAMPLER],
    expected_failed_checks=lambda _: {
        "check_samplers_pandas_sparse": "signals are dense; sparse input is refused"
    },
)
def test_imbalanced_learn(estimator, check):
    check(estimator)


def test_imbalanced_learn_checks_parameters():
    imblearn_checks.check_param_validation("StaGANSampler", SAMPLER)


def test_names_of_columns_stay():
    """Of scikit-learn, as imbalanced-learn's stumbles over samplers with ``partial_fit``."""
    sklearn_checks.check_dataframe_column_names_consistency("StaGANSampler", SAMPLER)


def test_names_of_columns_stay_where_training_goes_on(beats):
    X, y = beats
    X = pd.DataFrame(X, columns=[f"t{i}" for i in range(X.shape[1])])
    sampler = clone(SAMPLER).partial_fit(X, y)
    assert sampler.feature_names_in_.tolist() == X.columns.tolist()
    with pytest.raises(ValueError, match="must be in the same order"):
        sampler.partial_fit(X.iloc[:, ::-1], y)
