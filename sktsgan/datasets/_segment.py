"""Cutting a recording into beats."""

import numbers
from fractions import Fraction

import numpy as np
from scipy.signal import resample_poly


def segment_beats(signal, peaks, *, fs, target_fs=None, window=(0.3, 0.41)):
    """Cut one window around each peak out of a recording.

    Parameters
    ----------
    signal : array-like of shape (n_samples,) or (n_channels, n_samples)
        The recording, in mV.
    peaks : array-like of int of shape (n_peaks,)
        Positions of the peaks (R waves), counted in samples of `signal` from 0.
    fs : float
        Sampling frequency of `signal`, in Hz.
    target_fs : float, default=None
        Sampling frequency of the beats, in Hz; by default that of `signal`. The recording is
        low-pass filtered before it is thinned. Of frequencies without a ratio of whole numbers
        below 10,000 the nearest with one is taken.
    window : tuple of float, default=(0.3, 0.41)
        Seconds before and after the peak. The sample at the peak counts to the second part.

    Returns
    -------
    beats : ndarray of float32
        Of shape (n_beats, n_timepoints), or (n_beats, n_channels, n_timepoints) where
        `signal` has two axes.
    kept : ndarray of int of shape (n_beats,)
        Which of `peaks` the beats belong to: windows that reach beyond the recording are left
        out.

    Raises
    ------
    ValueError
        If the recording is not finite, a peak lies outside it, or the window is shorter than
        two time points.

    See Also
    --------
    fetch_mitbih : The same for the records of the MIT-BIH Arrhythmia Database.

    Examples
    --------
    >>> import numpy as np
    >>> from sktsgan.datasets import segment_beats
    >>> signal = np.sin(np.arange(3600) / 20)
    >>> beats, kept = segment_beats(signal, [10, 500, 900], fs=360, target_fs=180)
    >>> beats.shape, kept
    ((2, 128), array([1, 2]))
    """
    signal = np.asarray(signal, dtype=np.float64)
    if signal.ndim not in (1, 2):
        raise ValueError(
            "'signal' must be of shape (n_samples,) or (n_channels, n_samples). "
            f"Got {signal.shape}."
        )
    if not np.isfinite(signal).all():
        raise ValueError("'signal' must be finite. Got NaN or infinity; cut such parts out.")
    peaks = _check_peaks(peaks, signal.shape[-1])
    check_frequency(fs, "fs")
    target_fs = fs if target_fs is None else check_frequency(target_fs, "target_fs")
    before, after = (round(x * target_fs) if np.isfinite(x) else -1 for x in window)
    if before < 0 or after < 0 or before + after < 2:
        raise ValueError(
            "'window' must be two lengths in seconds of at least two time points together. "
            f"Got {window!r} at {target_fs} Hz."
        )
    ratio = Fraction(target_fs / fs).limit_denominator(10_000)
    if ratio != 1:
        # a line through both ends is taken off meanwhile, as the filter sees zeros beyond them
        signal = resample_poly(signal, ratio.numerator, ratio.denominator, axis=-1, padtype="line")
    # the ratio that was taken: over an hour the least difference would be many beats
    centers = np.rint(peaks * float(ratio)).astype(int)
    kept = np.flatnonzero((centers >= before) & (centers + after <= signal.shape[-1]))
    places = centers[kept][:, None] + np.arange(-before, after)
    beats = signal[..., places].astype(np.float32)
    return (beats if signal.ndim == 1 else np.moveaxis(beats, 0, 1).copy()), kept


def check_frequency(value, name):
    """Return a sampling frequency, or say that it is none.

    Parameters
    ----------
    value : float
        In Hz.
    name : str
        The argument's name.

    Returns
    -------
    float
        The same.

    Raises
    ------
    ValueError
        If it is not a number above 0.
    """
    if not (isinstance(value, numbers.Real) and 0 < value < np.inf):
        raise ValueError(f"'{name}' must be a frequency above 0 in Hz. Got {value!r}.")
    return value


def _check_peaks(peaks, n_samples):
    peaks = np.asarray(peaks)
    if peaks.ndim != 1 or (len(peaks) and peaks.dtype.kind not in "iu"):
        raise ValueError(
            "'peaks' must be a list of whole numbers, positions in samples. "
            f"Got {peaks.dtype} of shape {peaks.shape}."
        )
    outside = (peaks < 0) | (peaks >= n_samples)
    if outside.any():
        raise ValueError(
            f"'peaks' must lie between 0 and {n_samples - 1}, inside the recording. "
            f"Got {peaks[outside][0]}."
        )
    return peaks.astype(int)
