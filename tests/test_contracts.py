"""The estimator checks of scikit-learn and imbalanced-learn."""

import imblearn.utils.estimator_checks as imblearn_checks
import pytest
from imblearn.utils.estimator_checks import parametrize_with_checks as with_imblearn_checks
from sklearn.utils.estimator_checks import parametrize_with_checks as with_sklearn_checks

from sktsgan import StaGANSampler
from tests.conftest import QUICK

SAMPLER = StaGANSampler(**{**QUICK, "max_epochs": 1})

# The checks train on sets with few rows and on constant ones, where a warning is right.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Class .* has .* row:UserWarning"),
    pytest.mark.filterwarnings("ignore:Only .* of the .* rows drawn:UserWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning"),
]


@with_sklearn_checks([SAMPLER])
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


@pytest.mark.parametrize(
    "name", ["check_param_validation", "check_dataframe_column_names_consistency"]
)
def test_imbalanced_learn_by_name(name):
    getattr(imblearn_checks, name)("StaGANSampler", SAMPLER)
