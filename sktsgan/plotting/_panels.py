"""What all displays share: colours, rows by class, and where to draw."""

import numpy as np

from sktsgan._arguments import check_whole
from sktsgan.metrics._rows import as_sampled, check_arrays, check_common_class, check_row_labels

# Okabe and Ito's blue and vermilion: told apart by the colour-blind. Of one lightness nearly, so
# that marks and dashes tell them apart in grey.
REAL, SYNTHETIC = "#0072B2", "#D55E00"


class PairDisplay:
    """Base of displays that show real beside synthetic signals, class by class."""

    @classmethod
    def from_estimator(cls, sampler, X, y, *, random_state=0, **kwargs):
        """Draw given real signals and as many of a fitted sampler.

        Parameters
        ----------
        sampler : sampler, Pipeline or search
            Fitted. In a Pipeline, rows go through the transformers before the sampler.
        X : array-like of shape (n_samples, n_features) or (n_samples, n_channels, n_timepoints)
            Real signals, best such that the sampler was not fitted on.
        y : array-like of shape (n_samples,)
            Their labels, seen in ``fit``.
        random_state : int or RandomState instance, default=0
            Seeds the draw.
        **kwargs : dict
            Passed to ``from_arrays``.

        Returns
        -------
        display
            The display, drawn.
        """
        sampler, X, y = as_sampled(sampler, X, y)
        X_synthetic, y_synthetic = sampler.sample(y=y, random_state=random_state)
        kwargs = cls._options_of(sampler) | kwargs
        return cls.from_arrays(X, y, X_synthetic, y_synthetic, **kwargs)

    @staticmethod
    def _options_of(sampler):  # noqa: ARG004
        """Say what ``from_arrays`` is to be told that the sampler knows."""
        return {}


def check_sets(X_real, y_real, X_synthetic, y_synthetic):
    """Return both sets of rows and their labels as arrays that fit together.

    Classes that no real row has are not drawn.

    Parameters
    ----------
    X_real : array-like of shape (n_samples, n_features) or (n_samples, n_channels, n_timepoints)
        Real rows.
    y_real : array-like of shape (n_samples,)
        Their labels.
    X_synthetic : array-like of shape (n_samples, ...)
        Synthetic rows.
    y_synthetic : array-like of shape (n_samples,)
        Their labels.

    Returns
    -------
    tuple of ndarray
        The four of them.

    Raises
    ------
    ValueError
        If rows and labels do not match in number, real and synthetic rows in shape, a label is
        missing, or they have no class in common.
    """
    real, synthetic = check_arrays(X_real, X_synthetic)
    X_real, X_synthetic = real.reshape(np.shape(X_real)), synthetic.reshape(np.shape(X_synthetic))
    y_real = check_row_labels(y_real, X_real, ("X_real", "y_real"))
    y_synthetic = check_row_labels(y_synthetic, X_synthetic, ("X_synthetic", "y_synthetic"))
    check_common_class(y_real, y_synthetic)
    return X_real, y_real, X_synthetic, y_synthetic


def sets_by_class(X_real, y_real, X_synthetic, y_synthetic, max_samples, rng):
    """Go through the classes of the real rows, with the rows of both kinds.

    Parameters
    ----------
    X_real, y_real, X_synthetic, y_synthetic : array-like
        As in :func:`check_sets`, which checks them.
    max_samples : int
        Rows of a class and kind at most, chosen at random.
    rng : numpy.random.RandomState
        Chooses.

    Yields
    ------
    label : object
        The class.
    X_real, X_synthetic : ndarray of shape (n_chosen, n_features)
        Its rows, in their order.

    Raises
    ------
    ValueError
        If the arrays do not fit together.
    """
    check_whole("max_samples", max_samples)
    X_real, y_real, X_synthetic, y_synthetic = check_sets(X_real, y_real, X_synthetic, y_synthetic)

    def _choose(X, is_member):
        rows = rng.permutation(np.flatnonzero(is_member))[:max_samples]
        return X.reshape(len(X), -1)[np.sort(rows)]

    for label in np.unique(y_real).tolist():
        yield label, _choose(X_real, y_real == label), _choose(X_synthetic, y_synthetic == label)


def width_of(titles, least):
    """Return a width at which titles above axes neither touch nor are cut off.

    Parameters
    ----------
    titles : iterable of str
        The titles.
    least : float
        The least width, in inches.

    Returns
    -------
    float
        Width of a panel in inches.
    """
    return max(least, 0.4 + 0.085 * max(map(len, titles)))


def make_panels(ax, n_rows, n_columns, size, **sharing):
    """Return axes to draw on: a new figure's, those given, or a grid in the place of one.

    Parameters
    ----------
    ax : Axes, array of Axes or None
        Where to draw; None makes a figure.
    n_rows, n_columns : int
        Shape of the grid.
    size : tuple of two floats
        Width and height of a new figure, in inches.
    **sharing : dict
        Passed to ``subplots``.

    Returns
    -------
    ndarray of Axes of shape (n_rows, n_columns)
        The axes.

    Raises
    ------
    ValueError
        If another number of axes was given than is needed, or one that has no place in a grid.
    TypeError
        If something else than axes was given.
    """
    import matplotlib.pyplot as plt

    if ax is None:
        figure = plt.figure(figsize=size, layout="constrained")
        return figure.subplots(n_rows, n_columns, squeeze=False, **sharing)
    given = np.ravel(ax)
    for one in given:
        if not isinstance(one, plt.Axes):
            raise TypeError(
                f"'ax' must be Axes of matplotlib. Got a {type(one).__name__}; "
                "those of a figure come from its 'subplots'."
            )
    if given.size == n_rows * n_columns:
        return given.reshape(n_rows, n_columns)
    if given.size != 1:
        raise ValueError(
            f"'ax' must be one Axes or {n_rows * n_columns}, {n_rows} x {n_columns}. "
            f"Got {given.size}."
        )
    (outer,) = given
    if outer.get_subplotspec() is None:
        raise ValueError("'ax' must be made by 'subplots', to be split. Got one without a grid.")
    outer.set_axis_off()
    grid = outer.get_subplotspec().subgridspec(n_rows, n_columns)
    return grid.subplots(squeeze=False, **sharing)


def legend_above(ax, entry=0.93, **kwargs):
    """Put the legend above the axes and their title, where it hides no data.

    It has as many columns as the axes' width has room for.

    Parameters
    ----------
    ax : Axes
        The axes.
    entry : float, default=0.93
        Inches that an entry takes.
    **kwargs : dict
        Passed to ``legend``.
    """
    kwargs = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 2.2} | kwargs
    width = ax.figure.bbox.width / ax.figure.dpi * ax.get_position(original=True).width
    n_columns = int(np.clip(width / entry, 1, 4))
    compact = {"columnspacing": 1.2, "handlelength": 1.6, "borderpad": 0, "frameon": False}
    ax.legend(**kwargs, **compact, ncols=n_columns, fontsize="small")
