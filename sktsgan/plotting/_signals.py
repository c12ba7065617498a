"""SignalDisplay: the signals themselves."""

import numpy as np

from sktsgan._arguments import check_frequency, check_whole
from sktsgan._arrays import spread_places
from sktsgan._signals import as_signals
from sktsgan.plotting._panels import (
    REAL,
    SYNTHETIC,
    PairDisplay,
    check_sets,
    legend_above,
    make_panels,
    width_of,
)


class SignalDisplay(PairDisplay):
    """Real and synthetic signals of each class, side by side.

    Make it with :meth:`from_arrays` or :meth:`from_estimator`. Each row of axes shows a class
    (and lead); the left column has real signals, the right one synthetic signals: their median,
    the band between the 5th and the 95th percentile, and some single traces, from all over the
    rows. Both columns have one scale.

    Parameters
    ----------
    X_real : ndarray of shape (n_samples, n_channels, n_timepoints)
        Real signals.
    y_real : ndarray of shape (n_samples,)
        Their labels.
    X_synthetic : ndarray of shape (n_samples, n_channels, n_timepoints)
        Synthetic signals.
    y_synthetic : ndarray of shape (n_samples,)
        Their labels.
    time : ndarray of shape (n_timepoints,)
        Time of each point in s.

    Attributes
    ----------
    ax_ : ndarray of Axes of shape (n_classes * n_channels, 2)
        Where it is drawn, after ``plot``.
    figure_ : Figure
        The figure of the axes.

    See Also
    --------
    EmbeddingDisplay : All signals at once, as points.
    MMDDisplay : What a picture cannot show, as a number.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sktsgan.datasets import make_heartbeats
    >>> from sktsgan.plotting import SignalDisplay
    >>> X, y = make_heartbeats(200, random_state=0)
    >>> display = SignalDisplay.from_arrays(X, y, X[::2], y[::2], fs=180)
    >>> display.ax_.shape
    (4, 2)
    >>> plt.close(display.figure_)
    """

    def __init__(self, X_real, y_real, X_synthetic, y_synthetic, *, time):
        self.X_real = X_real
        self.y_real = y_real
        self.X_synthetic = X_synthetic
        self.y_synthetic = y_synthetic
        self.time = time

    @classmethod
    def from_arrays(
        cls,
        X_real,
        y_real,
        X_synthetic,
        y_synthetic,
        *,
        fs=1.0,
        start=0.0,
        n_channels=1,
        **kwargs,
    ):
        """Draw given signals.

        Parameters
        ----------
        X_real : array-like of shape (n_samples, n_features) or \
                (n_samples, n_channels, n_timepoints)
            Real signals in mV.
        y_real : array-like of shape (n_samples,)
            Their labels.
        X_synthetic : array-like of shape (n_samples, ...)
            Synthetic signals in mV.
        y_synthetic : array-like of shape (n_samples,)
            Their labels.
        fs : float, default=1.0
            Sampling frequency in Hz.
        start : float, default=0.0
            Time of the first point in s, such as -0.3.
        n_channels : int, default=1
            Channels of a 2-D row.
        **kwargs : dict
            Passed to ``plot``.

        Returns
        -------
        SignalDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the arrays do not fit together, or `fs` or `n_channels` has no such value.
        """
        check_whole("n_channels", n_channels)
        fs = check_frequency("fs", fs)
        X_real, y_real, X_synthetic, y_synthetic = check_sets(
            X_real, y_real, X_synthetic, y_synthetic
        )
        X_real, X_synthetic = (as_signals(X, n_channels) for X in (X_real, X_synthetic))
        if X_real.shape[1:] != X_synthetic.shape[1:]:
            raise ValueError(
                "'X_real' and 'X_synthetic' must have the same number of channels and "
                f"timepoints. Got {X_real.shape[1:]} and {X_synthetic.shape[1:]}."
            )
        time = start + np.arange(X_real.shape[2]) / fs
        return cls(X_real, y_real, X_synthetic, y_synthetic, time=time).plot(**kwargs)

    def plot(self, ax=None, *, n_traces=8, unit="mV"):
        """Draw.

        Parameters
        ----------
        ax : Axes or array of Axes of shape (n_classes * n_channels, 2), default=None
            Where to draw; one Axes gives its place to all. By default a new figure is made.
        n_traces : int, default=8
            Single traces in each axes.
        unit : str, default="mV"
            Unit of the amplitudes.

        Returns
        -------
        SignalDisplay
            The display itself.
        """
        check_whole("n_traces", n_traces, 0)
        labels, n_channels = np.unique(self.y_real), self.X_real.shape[1]
        panels = [(label, channel) for label in labels for channel in range(n_channels)]
        suffix = f", lead {n_channels}, synthetic" if n_channels > 1 else ", synthetic"
        width = width_of((f"class {label}{suffix}" for label in labels), 3.5)
        size = (1 + 2 * width, 1 + 1.8 * len(panels))
        self.ax_ = make_panels(ax, len(panels), 2, size, sharex=True, sharey="row")
        self.figure_ = self.ax_[0, 0].figure
        sets = (
            ("real", self.X_real, self.y_real, REAL),
            ("synthetic", self.X_synthetic, self.y_synthetic, SYNTHETIC),
        )
        for (label, channel), axes in zip(panels, self.ax_, strict=True):
            lead = f", lead {channel + 1}" if n_channels > 1 else ""
            for axis, (kind, X, y, color) in zip(axes, sets, strict=True):
                self._draw_signals(axis, X[y == label, channel], color, n_traces)
                title = f"class {label}{lead}, {kind}"
                axis.set_title(title, fontsize="medium", parse_math=False)
            limits = np.array([axis.get_ylim() for axis in axes])
            for axis in axes:  # axes that were given may have scales of their own
                axis.set_ylim(limits[:, 0].min(), limits[:, 1].max())
            axes[0].set_ylabel(f"amplitude ({unit})", fontsize="small")
        for axis in self.ax_[-1]:
            axis.set_xlabel("time (s)")
        legend_above(self.ax_[0, 0])
        return self

    @staticmethod
    def _options_of(sampler):
        return {"n_channels": getattr(sampler, "n_channels", 1)}

    def _draw_signals(self, ax, X, color, n_traces):
        ax.grid(alpha=0.3)
        if not len(X):
            ax.text(0.5, 0.5, "none", ha="center", va="center", transform=ax.transAxes)
            return
        X = X.astype(np.float64)  # what lies between two whole numbers may be none of their type
        low, median, high = np.percentile(X, [5, 50, 95], axis=0)
        ax.fill_between(
            self.time, low, high, color=color, alpha=0.2, linewidth=0, label="5 % to 95 %"
        )
        if n_traces:
            traces = X[spread_places(len(X), n_traces)].T
            lines = ax.plot(self.time, traces, color=color, alpha=0.45, linewidth=0.7)
            lines[0].set_label("single signals")
        ax.plot(self.time, median, color="black", linewidth=1.5, label="median")
