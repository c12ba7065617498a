"""Figures that tell how good synthetic signals are."""

from sktsgan.metrics._mmd import maximum_mean_discrepancy
from sktsgan.metrics._scorer import MMDScorer

__all__ = ["MMDScorer", "maximum_mean_discrepancy"]
