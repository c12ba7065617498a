"""Class-balancing of time series with a GAN that behaves like any scikit-learn estimator."""

from sktsgan._sampler import StaGANSampler
from sktsgan._version import __version__
from sktsgan.metrics import MMDScorer

__all__ = ["MMDScorer", "StaGANSampler", "__version__"]
