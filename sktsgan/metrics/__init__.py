"""Figures that tell how good synthetic signals are."""

from sktsgan.metrics._attacks import (
    discriminator_scores,
    privacy_report,
    train_shadows,
)
from sktsgan.metrics._evaluate import evaluate_sampler
from sktsgan.metrics._judges import (
    classifier_two_sample_score,
    density_coverage,
    membership_inference_auc,
    memorization_ratio,
    train_synthetic_test_real_score,
)
from sktsgan.metrics._mmd import maximum_mean_discrepancy, mmd_permutation_test
from sktsgan.metrics._scorer import MMDScorer

__all__ = [
    "MMDScorer",
    "classifier_two_sample_score",
    "density_coverage",
    "discriminator_scores",
    "evaluate_sampler",
    "maximum_mean_discrepancy",
    "membership_inference_auc",
    "memorization_ratio",
    "mmd_permutation_test",
    "privacy_report",
    "train_shadows",
    "train_synthetic_test_real_score",
]
