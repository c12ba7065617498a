"""Pictures of real and synthetic signals, of training, and of how near the two come."""

from sktsgan.plotting._embedding import EmbeddingDisplay
from sktsgan.plotting._mmd import MMDDisplay
from sktsgan.plotting._signals import SignalDisplay
from sktsgan.plotting._training import TrainingCurveDisplay

__all__ = ["EmbeddingDisplay", "MMDDisplay", "SignalDisplay", "TrainingCurveDisplay"]
