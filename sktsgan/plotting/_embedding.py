"""EmbeddingDisplay: all signals as points in a plane."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.utils import check_random_state

from sktsgan.metrics._judges import in_unit
from sktsgan.plotting._panels import (
    REAL,
    SYNTHETIC,
    PairDisplay,
    legend_above,
    make_panels,
    sets_by_class,
    width_of,
)

# Classes beside each other, before a new line begins.
_N_COLUMNS = 4


class EmbeddingDisplay(PairDisplay):
    """Real and synthetic signals as points in a plane, class by class.

    Make it with :meth:`from_arrays` or :meth:`from_estimator`. The plane is found for the real
    and the synthetic signals of a class together. Where the two clouds do not cover each
    other, shapes are missing or wrong; where they do, the finest detail may still differ, as a
    plane shows only the largest differences. The plane is that of the two leading principal
    components, named with their share of the variance, or t-SNE's [1]_.

    Parameters
    ----------
    points_real : dict of ndarray of shape (n_samples, 2)
        Points of the real signals, by label.
    points_synthetic : dict of ndarray of shape (n_samples, 2)
        Points of the synthetic signals.
    names : dict of tuple of two str
        Names of the two directions.

    Attributes
    ----------
    ax_ : ndarray of Axes of shape (n_lines, n_columns)
        Where it is drawn, after ``plot``, four classes to a line.
    figure_ : Figure
        The figure of the axes.

    See Also
    --------
    SignalDisplay : The signals themselves.
    sktsgan.metrics.density_coverage : How far the clouds cover each other, as two numbers.

    References
    ----------
    .. [1] L. van der Maaten, G. Hinton, "Visualizing data using t-SNE", JMLR 9:2579-2605, 2008.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sktsgan.datasets import make_heartbeats
    >>> from sktsgan.plotting import EmbeddingDisplay
    >>> X, y = make_heartbeats(200, random_state=0)
    >>> display = EmbeddingDisplay.from_arrays(X[::2], y[::2], X[1::2], y[1::2])
    >>> display.ax_.shape
    (1, 4)
    >>> plt.close(display.figure_)
    """

    def __init__(self, points_real, points_synthetic, *, names):
        self.points_real = points_real
        self.points_synthetic = points_synthetic
        self.names = names

    @classmethod
    def from_arrays(
        cls,
        X_real,
        y_real,
        X_synthetic,
        y_synthetic,
        *,
        method="pca",
        max_samples=500,
        random_state=0,
        **kwargs,
    ):
        """Draw given signals.

        Parameters
        ----------
        X_real : array-like of shape (n_samples, n_features) or \
                (n_samples, n_channels, n_timepoints)
            Real signals.
        y_real : array-like of shape (n_samples,)
            Their labels.
        X_synthetic : array-like of shape (n_samples, ...)
            Synthetic signals, in the same unit.
        y_synthetic : array-like of shape (n_samples,)
            Their labels.
        method : {"pca", "tsne"}, default="pca"
            Principal components keep distances as far as a plane can; t-SNE keeps neighbours
            together, and distances between groups mean nothing in it.
        max_samples : int, default=500
            Signals of a class and kind that are drawn at most, chosen at random.
        random_state : int or RandomState instance, default=0
            Seeds the choice and t-SNE.
        **kwargs : dict
            Passed to ``plot``.

        Returns
        -------
        EmbeddingDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the arrays do not fit together, or `method` has no such value.
        """
        if method not in _METHODS:
            raise ValueError(f"'method' must be 'pca' or 'tsne'. Got {method!r}.")
        rng = check_random_state(random_state)
        points_real, points_synthetic, names = {}, {}, {}
        for label, real, synthetic in sets_by_class(
            X_real, y_real, X_synthetic, y_synthetic, max_samples, rng
        ):
            points, names[label] = _METHODS[method](np.concatenate([real, synthetic]), rng)
            points_real[label], points_synthetic[label] = np.split(points, [len(real)])
        return cls(points_real, points_synthetic, names=names).plot(**kwargs)

    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : Axes or array of Axes, default=None
            Where to draw: one for each class, or one that gives its place to all, four classes to
            a line. By default a new figure is made.

        Returns
        -------
        EmbeddingDisplay
            The display itself.
        """
        n_columns = min(len(self.names), _N_COLUMNS)
        if ax is not None and np.size(ax) == len(self.names):  # in whatever grid they are
            n_columns = len(self.names)
        n_rows = -(-len(self.names) // n_columns)
        width = width_of((f"class {label}" for label in self.names), 2.6)
        size = (1 + width * n_columns, 0.6 + 2.8 * n_rows)
        self.ax_ = make_panels(ax, n_rows, n_columns, size)
        self.figure_ = self.ax_[0, 0].figure
        for axis in self.ax_.flat[len(self.names) :]:
            axis.set_axis_off()
        for axis, (label, (x_name, y_name)) in zip(self.ax_.flat, self.names.items(), strict=False):
            # open circles below crosses: told apart in grey, and neither hides the other
            axis.scatter(
                *self.points_real[label].T,
                s=14,
                facecolors="none",
                edgecolors=REAL,
                linewidths=0.7,
                label="real",
            )
            axis.scatter(
                *self.points_synthetic[label].T,
                s=14,
                marker="x",
                color=SYNTHETIC,
                linewidths=0.7,
                label="synthetic",
            )
            axis.set_xlabel(x_name, fontsize="small")
            axis.set_ylabel(y_name, fontsize="small")
            axis.set_title(f"class {label}", fontsize="medium", parse_math=False)
        legend_above(self.ax_[0, 0])
        return self


def _principal_components(X, rng):  # noqa: ARG001 (as the others)
    """Project on the plane of the largest variance; a single row, or equal ones, are a point."""
    n_components = min(2, *X.shape)
    if (X[:1] == X).all():
        return np.zeros((len(X), 2)), ("component 1", "component 2")
    X = X.astype(np.float64)  # squared in their own type, rows in a small unit would vanish
    pca = PCA(n_components, svd_solver="full").fit(X)
    points, shares = np.zeros((len(X), 2)), np.zeros(2)
    points[:, :n_components] = pca.transform(X)
    points[np.abs(points) < 1e-12 * np.abs(points).max()] = 0  # rounding, where rows lie on a line
    shares[:n_components] = pca.explained_variance_ratio_
    return points, tuple(
        f"component {i} ({100 * share:.0f} %)" for i, share in enumerate(shares, 1)
    )


def _neighbors_kept(X, rng):
    """Embed by t-SNE, with fewer neighbours where there are few rows."""
    names = "t-SNE 1", "t-SNE 2"
    # no neighbourhoods, or no plane; t-SNE would crash
    if len(X) < 4 or X.shape[1] < 2 or (X[:1] == X).all():
        return _principal_components(X, rng)[0], names
    perplexity = min(30, (len(X) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, init="pca", random_state=rng)
    (X,) = in_unit(X)
    (X,) = in_unit(X - np.median(X, axis=0))  # around 0 and near 1, as it squares in float32
    return tsne.fit_transform(X), names


_METHODS = {"pca": _principal_components, "tsne": _neighbors_kept}
