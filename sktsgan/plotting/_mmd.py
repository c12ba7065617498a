"""MMDDisplay: how far synthetic signals are from real ones, and what chance does."""

import numpy as np
from sklearn.utils import check_random_state

from sktsgan.metrics._mmd import median_bandwidth, permuted_discrepancies
from sktsgan.plotting._panels import (
    REAL,
    SYNTHETIC,
    PairDisplay,
    legend_above,
    make_panels,
    sets_by_class,
)


class MMDDisplay(PairDisplay):
    r"""MMD\ :sup:`2` between real and synthetic signals, class by class.

    Make it with :meth:`from_arrays` or :meth:`from_estimator`. For each class it shows

    - the MMD\ :sup:`2` between its real and its synthetic signals, 0 is best;
    - that between two random halves of its real signals, the level at which real signals
      score: median, and 5th to 95th percentile over the ways to halve them;
    - the band between the 5th and the 95th percentile of what
      :func:`~sktsgan.metrics.mmd_permutation_test` gets when "real" and "synthetic" are given out
      by chance, with the bandwidth of the real ones. A figure above it is a difference that is
      hardly chance. The fewer signals, the wider it is.

    Parameters
    ----------
    labels : list
        The classes.
    mmd : ndarray of shape (n_classes,)
        MMD^2 between real and synthetic signals.
    mmd_real : ndarray of shape (n_classes, 3)
        Percentiles 5, 50 and 95 of MMD^2 between two halves of the real signals; NaN where there
        are fewer than four.
    bands : ndarray of shape (n_classes, 2)
        Both ends of the permutation band.

    Attributes
    ----------
    ax_ : Axes
        Where it is drawn, after ``plot``.
    figure_ : Figure
        The figure of the axes.

    See Also
    --------
    sktsgan.metrics.maximum_mean_discrepancy : The figure.
    sktsgan.MMDScorer : The figure in cross-validation.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sktsgan.datasets import make_heartbeats
    >>> from sktsgan.plotting import MMDDisplay
    >>> X, y = make_heartbeats(200, weights=[1, 1, 1, 1], random_state=0)
    >>> display = MMDDisplay.from_arrays(X[::2], y[::2], X[1::2], y[1::2], random_state=0)
    >>> display.labels
    ['F', 'N', 'S', 'V']
    >>> plt.close(display.figure_)
    """

    def __init__(self, labels, mmd, mmd_real, bands):
        self.labels = labels
        self.mmd = mmd
        self.mmd_real = mmd_real
        self.bands = bands

    @classmethod
    def from_arrays(
        cls,
        X_real,
        y_real,
        X_synthetic,
        y_synthetic,
        *,
        n_permutations=500,
        max_samples=500,
        random_state=0,
        **kwargs,
    ):
        """Draw the MMD between given signals.

        Parameters
        ----------
        X_real : array-like of shape (n_samples, n_features) or \
                (n_samples, n_channels, n_timepoints)
            Real signals, best such that the sampler was not fitted on.
        y_real : array-like of shape (n_samples,)
            Their labels, two signals of each class at least.
        X_synthetic : array-like of shape (n_samples, ...)
            Synthetic signals, in the same unit.
        y_synthetic : array-like of shape (n_samples,)
            Their labels.
        n_permutations : int, default=500
            Permutations behind the band.
        max_samples : int, default=500
            Signals of a class and kind that are compared at most, chosen at random.
        random_state : int or RandomState instance, default=0
            Seeds choice and permutations.
        **kwargs : dict
            Passed to ``plot``.

        Returns
        -------
        MMDDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the arrays do not fit together, or a class has fewer than two signals of a kind.
        """
        rng = check_random_state(random_state)
        rows = {}
        for label, real, synthetic in sets_by_class(
            X_real, y_real, X_synthetic, y_synthetic, max_samples, rng
        ):
            if min(len(real), len(synthetic)) < 2:
                raise ValueError(
                    "Each class must have at least 2 real and 2 synthetic signals. Class "
                    f"{label!r} has {len(real)} and {len(synthetic)}."
                )
            rows[label] = _compare(real, synthetic, n_permutations, rng)
        figures = np.array(list(rows.values()))
        return cls(list(rows), figures[:, 0], figures[:, 1:4], figures[:, 4:]).plot(**kwargs)

    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : Axes, default=None
            Where to draw; by default a new figure is made.

        Returns
        -------
        MMDDisplay
            The display itself.
        """
        size = (max(5.6, 2 + 0.9 * len(self.labels)), 3.4)  # the legend takes five inches
        self.ax_ = make_panels(ax, 1, 1, size)[0, 0]
        self.figure_ = self.ax_.figure
        places = np.arange(len(self.labels))
        low, high = self.bands.T
        self.ax_.bar(
            places, high - low, 0.6, low, color="0.85", label="5 % to 95 % of permutations"
        )
        real_low, real, real_high = self.mmd_real.T
        whiskers = np.stack([real - real_low, real_high - real])
        self.ax_.errorbar(
            places - 0.1, real, whiskers, fmt="o", mfc="white", color=REAL, label="real, halves"
        )
        self.ax_.plot(places + 0.1, self.mmd, "X", color=SYNTHETIC, label="synthetic")
        self.ax_.axhline(0, color="black", linewidth=0.7)
        names = [str(label) for label in self.labels]
        # long ones would lie on each other
        slanted = {"rotation": 20, "ha": "right"} if max(map(len, names)) > 8 else {}
        self.ax_.set_xticks(places, names, parse_math=False, **slanted)
        margin = max(0, 2 - len(names) / 2)  # few bars would fill the width
        self.ax_.set_xlim(-0.5 - margin, len(names) - 0.5 + margin)
        self.ax_.set(xlabel="class", ylabel="MMD$^2$ to real signals")
        self.ax_.grid(axis="y", alpha=0.3)
        self.ax_.set_axisbelow(True)
        legend_above(self.ax_, entry=1.4, borderaxespad=0.4)
        return self


def _compare(X_real, X_synthetic, n_permutations, rng):
    """Return MMD^2, three percentiles of that of real rows, and both ends of the band."""
    options = {"bandwidth": median_bandwidth(X_real), "rng": rng}
    values, _ = permuted_discrepancies(X_real, X_synthetic, n_permutations, **options)
    level, half = np.full(3, np.nan), len(X_real) // 2
    if half > 1:
        halved, _ = permuted_discrepancies(X_real[:half], X_real[half:], n_permutations, **options)
        level = np.percentile(halved, [5, 50, 95])
    return values[0], *level, *np.percentile(values[1:], [5, 95])
