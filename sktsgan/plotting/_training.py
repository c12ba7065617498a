"""TrainingCurveDisplay: how training went."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sktsgan.metrics._rows import find_sampler
from sktsgan.plotting._panels import REAL, SYNTHETIC, legend_above, make_panels


class TrainingCurveDisplay:
    r"""Losses and held-out MMD during training, with the iteration that was kept.

    Make it with :meth:`from_estimator`, or :meth:`from_arrays`. The upper axes have the losses of
    discriminator and generator, which tell whether training is stable, not whether the signals
    are good; the lower ones have the MMD\ :sup:`2` to held-out rows, which does.

    Parameters
    ----------
    iterations : ndarray of shape (n_epochs,)
        Generator steps done at the end of each epoch.
    discriminator_loss : ndarray of shape (n_epochs,)
        Mean loss of the discriminator in the epoch.
    generator_loss : ndarray of shape (n_epochs,)
        Mean loss of the generator.
    mmd : ndarray of shape (n_epochs,), default=None
        Held-out MMD^2 at the end of the epoch; None where nothing was held out.
    best_iter : int, default=None
        The iteration of which the weights were kept.

    Attributes
    ----------
    ax_ : ndarray of Axes of shape (2, 1) or (1, 1)
        Where it is drawn, after ``plot``; one only without MMD.
    figure_ : Figure
        The figure of the axes.

    See Also
    --------
    MMDDisplay : The MMD of each class, after training.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sktsgan import StaGANSampler
    >>> from sktsgan.datasets import make_heartbeats
    >>> from sktsgan.plotting import TrainingCurveDisplay
    >>> X, y = make_heartbeats(300, weights=[1, 1], classes="NV", random_state=0)
    >>> sampler = StaGANSampler(max_epochs=3, steps_per_epoch=2, random_state=0).fit(X, y)
    >>> display = TrainingCurveDisplay.from_estimator(sampler)
    >>> display.iterations.tolist()
    [2, 4, 6]
    >>> plt.close(display.figure_)
    """

    def __init__(self, iterations, discriminator_loss, generator_loss, *, mmd=None, best_iter=None):
        self.iterations = iterations
        self.discriminator_loss = discriminator_loss
        self.generator_loss = generator_loss
        self.mmd = mmd
        self.best_iter = best_iter

    @classmethod
    def from_estimator(cls, sampler, *, label=None, **kwargs):
        """Draw the training of a fitted sampler.

        Parameters
        ----------
        sampler : StaGANSampler, or Pipeline or search with one
            Fitted.
        label : str or int, default=None
            With ``conditioning="per_class"``, the class whose training is drawn.
        **kwargs : dict
            Passed to ``plot``.

        Returns
        -------
        TrainingCurveDisplay
            The display, drawn.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the sampler has not been fitted.
        ValueError
            If no net was trained, as every class has few rows, or `label` does not name one.
        """
        sampler, _ = find_sampler(sampler)
        check_is_fitted(sampler, "history_")
        history, best_iter = sampler.history_, sampler.best_iter_
        if not history:
            raise ValueError(
                "'sampler' must have trained a net. It has none, as each class has too few rows."
            )
        if isinstance(history, dict):
            if label not in history:
                labels = np.array(list(history)).tolist()
                raise ValueError(
                    f"'label' must be one of {labels}, which have a net of their own. "
                    f"Got {label!r}."
                )
            history, best_iter = history[label], best_iter[label]
        # an epoch that was cut short has neither losses nor an MMD
        ends = np.cumsum([len(epoch["batches"]) for epoch in history])
        whole = [i for i, epoch in enumerate(history) if "generator_loss" in epoch]
        epochs = [history[i] for i in whole]
        names = ["discriminator_loss", "generator_loss"]
        losses = ([epoch[name] for epoch in epochs] for name in names)
        mmd = [epoch.get("valid_mmd", np.nan) for epoch in epochs]
        return cls.from_arrays(ends[whole], *losses, mmd=mmd, best_iter=best_iter, **kwargs)

    @classmethod
    def from_arrays(
        cls, iterations, discriminator_loss, generator_loss, *, mmd=None, best_iter=None, **kwargs
    ):
        """Draw given figures.

        Parameters
        ----------
        iterations : array-like of shape (n_epochs,)
            Generator steps done at the end of each epoch.
        discriminator_loss : array-like of shape (n_epochs,)
            Mean loss of the discriminator in the epoch.
        generator_loss : array-like of shape (n_epochs,)
            Mean loss of the generator.
        mmd : array-like of shape (n_epochs,), default=None
            Held-out MMD^2 at the end of the epoch; NaN where nothing was held out.
        best_iter : int, default=None
            The iteration of which the weights were kept.
        **kwargs : dict
            Passed to ``plot``.

        Returns
        -------
        TrainingCurveDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the arrays differ in length.
        """
        curves = [np.asarray(own) for own in (iterations, discriminator_loss, generator_loss)]
        if mmd is not None:
            curves.append(np.asarray(mmd, dtype=float))  # None where none was measured
        lengths = [len(curve) for curve in curves]
        if len(set(lengths)) > 1:
            raise ValueError(f"All curves must have one value for each epoch. Got {lengths}.")
        mmd = curves[3] if mmd is not None and not np.isnan(curves[3]).all() else None
        return cls(*curves[:3], mmd=mmd, best_iter=best_iter).plot(**kwargs)

    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : Axes or array of Axes of shape (2, 1), default=None
            Where to draw; one Axes gives its place to both. By default a new figure is made.

        Returns
        -------
        TrainingCurveDisplay
            The display itself.
        """
        n_rows = 1 if self.mmd is None else 2
        self.ax_ = make_panels(ax, n_rows, 1, (7, 1 + 2.2 * n_rows), sharex=True)
        self.figure_ = self.ax_[0, 0].figure
        losses = self.ax_[0, 0]
        losses.plot(
            self.iterations, self.discriminator_loss, ".-", color=REAL, label="discriminator"
        )
        losses.plot(self.iterations, self.generator_loss, ".--", color=SYNTHETIC, label="generator")
        losses.set_ylabel("loss")
        if self.mmd is not None:
            self._draw_mmd(self.ax_[1, 0])
        for axis in self.ax_.flat:
            axis.grid(alpha=0.3)
            if self.best_iter is not None:
                name = f"kept: iteration {self.best_iter}"
                axis.axvline(self.best_iter, color="black", linestyle=":", label=name)
        self.ax_[-1, 0].set_xlabel("iteration (generator steps)")
        legend_above(losses, borderaxespad=0.4)
        return self

    def _draw_mmd(self, ax):
        ax.plot(self.iterations, self.mmd, "o-", color="black", markersize=3)
        ax.set_ylabel("held-out MMD$^2$")
        # it falls by powers of ten, and may end a little below 0
        if np.nanmin(self.mmd) > 0:
            ax.set_yscale("log")
        else:
            ax.set_yscale("symlog", linthresh=0.01)
