"""Shapes and scaling of signals: (n_samples, n_channels, n_timepoints) inside, always."""

from dataclasses import dataclass

import numpy as np


def as_signals(X, n_channels=1):
    """View rows as signals of shape (n_samples, n_channels, n_timepoints).

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features) or (n_samples, n_channels, n_timepoints)
        Rows; a 2-D row holds its channels one after the other.
    n_channels : int, default=1
        Channels of a 2-D row.

    Returns
    -------
    ndarray of shape (n_samples, n_channels, n_timepoints)
        The same numbers.

    Raises
    ------
    ValueError
        If the rows cannot hold `n_channels` channels of at least two time points.
    """
    if X.ndim == 3:
        if n_channels not in (1, X.shape[1]):
            raise ValueError(
                f"'n_channels' must be {X.shape[1]}, as X of shape {X.shape} is "
                f"(n_samples, n_channels, n_timepoints). Got {n_channels}."
            )
        signals = X
    elif X.shape[1] % n_channels:
        raise ValueError(
            f"'n_channels' must divide the length of a row, n_features={X.shape[1]}. "
            f"Got {n_channels}; a 2-D row holds its channels one after the other."
        )
    else:
        signals = X.reshape(len(X), n_channels, -1)
    if signals.shape[2] < 2:
        raise ValueError(
            "X must have at least 2 time points in each channel. Got "
            f"{signals.shape[2]} (X.shape={X.shape}, n_features={X.shape[1]}, "
            f"n_channels={signals.shape[1]})."
        )
    return signals


@dataclass(frozen=True)
class SignalScaler:
    """Centre and scale each channel by one number for all rows and time points.

    One scale keeps what amplitudes tell: a beat that is twice as high as another stays so.

    Attributes
    ----------
    center, scale : ndarray of shape (n_channels, 1)
        Mean and standard deviation of the rows that the scaler was made from.
    """

    center: np.ndarray
    scale: np.ndarray

    @classmethod
    def from_signals(cls, signals):
        """Measure the signals, in float64.

        Parameters
        ----------
        signals : ndarray of shape (n_samples, n_channels, n_timepoints)
            Training rows.

        Returns
        -------
        SignalScaler
            The scaler; a constant channel is scaled by 1.
        """
        center = signals.mean(axis=(0, 2), dtype=np.float64)[:, None]
        scale = signals.std(axis=(0, 2), dtype=np.float64)[:, None]
        return cls(center, np.where(scale > 0, scale, 1.0))

    def scaled(self, signals):
        """Return the signals as float32 with mean 0 and standard deviation 1.

        Parameters
        ----------
        signals : ndarray of shape (n_samples, n_channels, n_timepoints)
            Signals in their own unit.

        Returns
        -------
        ndarray of float32
            The scaled signals.
        """
        return ((signals - self.center) / self.scale).astype(np.float32)

    def restored(self, signals):
        """Return scaled signals in their own unit, as float64.

        Parameters
        ----------
        signals : ndarray of shape (n_samples, n_channels, n_timepoints)
            Scaled signals.

        Returns
        -------
        ndarray of float64
            The signals.
        """
        return signals * self.scale + self.center
