"""Class-balancing of time series with a GAN that behaves like any scikit-learn estimator."""

from sktsgan._sampler import StaGANSampler
from sktsgan.metrics import MMDScorer

__all__ = ["MMDScorer", "StaGANSampler", "__version__"]

__version__ = "0.1.0"
