"""Pictures of real and synthetic signals."""

import numpy as np

from sktsgan._signals import as_signals

__all__ = ["SignalDisplay"]

# Okabe and Ito's blue and vermilion: told apart by the colour-blind, and in grey.
_REAL, _SYNTHETIC = "#0072B2", "#D55E00"


class SignalDisplay:
    """Real and synthetic signals of each class, one above the other.

    Make it with :meth:`from_arrays` or :meth:`from_estimator`. Each row of axes shows a class
    (and lead); the left column has real signals, the right one synthetic signals: their median,
    the band between the 5th and the 95th percentile, and some single traces.

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
        Time of each point.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_classes * n_channels, 2)
        Where it is drawn, after ``plot``.
    figure_ : Figure
        The figure of the axes.

    See Also
    --------
    sktsgan.MMDScorer : What a picture cannot show, as a number.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sktsgan.datasets import make_heartbeats
    >>> from sktsgan.plotting import SignalDisplay
    >>> X, y = make_heartbeats(200, random_state=0)
    >>> display = SignalDisplay.from_arrays(X, y, X[::2], y[::2], fs=180)
    >>> display.axes_.shape
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
        """
        X_real, X_synthetic = (as_signals(np.asarray(X), n_channels) for X in (X_real, X_synthetic))
        if X_real.shape[1:] != X_synthetic.shape[1:]:
            raise ValueError(
                "'X_real' and 'X_synthetic' must have the same number of channels and "
                f"timepoints. Got {X_real.shape[1:]} and {X_synthetic.shape[1:]}."
            )
        time = start + np.arange(X_real.shape[2]) / fs
        display = cls(X_real, np.asarray(y_real), X_synthetic, np.asarray(y_synthetic), time=time)
        return display.plot(**kwargs)

    @classmethod
    def from_estimator(cls, sampler, X, y, *, random_state=0, **kwargs):
        """Draw given real signals beside as many of a fitted sampler.

        Parameters
        ----------
        sampler : StaGANSampler
            Fitted.
        X : array-like
            Real signals, best such that the sampler was not fitted on.
        y : array-like of shape (n_samples,)
            Their labels.
        random_state : int or RandomState instance, default=0
            Seeds the draw.
        **kwargs : dict
            Passed to :meth:`from_arrays`.

        Returns
        -------
        SignalDisplay
            The display, drawn.
        """
        X_synthetic, y_synthetic = sampler.sample(y=y, random_state=random_state)
        return cls.from_arrays(X, y, X_synthetic, y_synthetic, **kwargs)

    def plot(self, *, n_traces=8, unit="mV", figure=None):
        """Draw on a figure.

        Parameters
        ----------
        n_traces : int, default=8
            Single traces in each axes.
        unit : str, default="mV"
            Unit of the amplitudes.
        figure : Figure, default=None
            Empty figure to draw on; by default a new one.

        Returns
        -------
        SignalDisplay
            The display itself.
        """
        import matplotlib.pyplot as plt

        labels, n_channels = np.unique(self.y_real), self.X_real.shape[1]
        panels = [(label, channel) for label in labels for channel in range(n_channels)]
        if figure is None:
            figure = plt.figure(figsize=(8, 1 + 1.8 * len(panels)), layout="constrained")
        self.figure_ = figure
        self.axes_ = figure.subplots(len(panels), 2, sharex=True, sharey="row", squeeze=False)
        sets = (
            ("real", self.X_real, self.y_real, _REAL),
            ("synthetic", self.X_synthetic, self.y_synthetic, _SYNTHETIC),
        )
        for (label, channel), axes in zip(panels, self.axes_, strict=True):
            lead = f", lead {channel + 1}" if n_channels > 1 else ""
            for ax, (kind, X, y, color) in zip(axes, sets, strict=True):
                self._draw_signals(ax, X[y == label, channel], color, n_traces)
                ax.set_title(f"class {label}{lead}, {kind}", fontsize="medium")
            axes[0].set_ylabel(f"amplitude ({unit})")
        for ax in self.axes_[-1]:
            ax.set_xlabel("time (s)")
        handles, names = self.axes_[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=3, frameon=False)
        return self

    def _draw_signals(self, ax, X, color, n_traces):
        ax.grid(alpha=0.3)
        if not len(X):
            ax.text(0.5, 0.5, "none", ha="center", va="center", transform=ax.transAxes)
            return
        low, median, high = np.percentile(X, [5, 50, 95], axis=0)
        ax.fill_between(
            self.time, low, high, color=color, alpha=0.2, linewidth=0, label="5 % to 95 %"
        )
        for trace in X[:n_traces]:
            (line,) = ax.plot(self.time, trace, color=color, alpha=0.45, linewidth=0.7)
        line.set_label("single signals")
        ax.plot(self.time, median, color="black", linewidth=1.5, label="median")
