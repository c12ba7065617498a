"""Cutting a recording into beats."""

import math
from fractions import Fraction

import numpy as np
from scipy.signal import resample_poly

from sktsgan._arguments import check_frequency, numbers_of


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
    signal = numbers_of("signal", signal)
    if signal.ndim not in (1, 2):
        raise ValueError(
            "'signal' must be of shape (n_samples,) or (n_channels, n_samples). "
            f"Got {signal.shape}."
        )
    if not np.isfinite(signal).all():
        raise ValueError("'signal' must be finite. Got NaN or infinity; cut such parts out.")
    peaks = _check_peaks(peaks, signal.shape)
    fs = check_frequency("fs", fs)
    target_fs = fs if target_fs is None else check_frequency("target_fs", target_fs)
    before, after = check_window(window, target_fs)
    ratio = Fraction(target_fs / fs).limit_denominator(10_000)
    if not ratio:
        raise ValueError(
            f"'target_fs' must be at least a 20,000th of 'fs'. Got {target_fs:g} Hz of {fs:g} Hz; "
            "resample in steps."
        )
    # the ratio that was taken: over an hour the least difference would be many beats
    centers = np.rint(peaks * float(ratio)).astype(int)
    n_samples = math.ceil(signal.shape[-1] * ratio)
    kept = np.flatnonzero((centers >= before) & (centers + after <= n_samples))
    places = centers[kept][:, None] + np.arange(-before, after)
    leads = np.atleast_2d(signal)
    beats = np.empty((len(kept), len(leads), before + after), dtype=np.float32)
    for i, lead in enumerate(leads):  # a day of twelve would take much memory at once
        cut = (lead if ratio == 1 else _resample(lead, ratio))[places]
        if np.abs(cut).max(initial=0) > np.finfo(np.float32).max:
            raise ValueError(
                "'signal' must hold numbers of float32, below 3.4e38. Got larger ones; give it in "
                "another unit."
            )
        beats[:, i] = cut
    return (beats[:, 0] if signal.ndim == 1 else beats), kept


def _resample(signal, ratio):
    """Resample one lead without the line through both ends, which is put back after.

    The filter sees zeros beyond the ends, and each of its phases has a sum of its own, so that an
    offset would come out as a ripple.
    """
    first, steps = signal[:1], max(len(signal) - 1, 1)
    slope = (signal[-1:] - first) / steps
    rest = signal - first - slope * np.arange(len(signal))
    rest = resample_poly(rest, ratio.numerator, ratio.denominator)
    return rest + first + slope * np.arange(len(rest)) / float(ratio)


def check_window(window, fs):
    """Return a window in time points, or say that it is none.

    Parameters
    ----------
    window : tuple of float
        Seconds before and after the peak.
    fs : float
        Sampling frequency in Hz.

    Returns
    -------
    before, after : int
        Time points.

    Raises
    ------
    ValueError
        If it is not two lengths, or shorter than two time points.
    """
    lengths = numbers_of("window", window)
    if lengths.shape == (2,) and np.isfinite(lengths).all():
        before, after = (round(length * fs) for length in lengths.tolist())
        if min(before, after) >= 0 and before + after >= 2:
            return before, after
    raise ValueError(
        "'window' must be two lengths in seconds of at least two time points together. "
        f"Got {window!r} at {fs} Hz."
    )


def _check_peaks(peaks, shape):
    if np.ma.is_masked(peaks):
        raise ValueError("'peaks' must be there. Got masked ones; call compressed().")
    peaks = np.asarray(peaks)
    if peaks.ndim != 1 or (len(peaks) and peaks.dtype.kind not in "iu"):
        raise ValueError(
            "'peaks' must be a list of whole numbers, positions in samples. "
            f"Got {peaks.dtype} of shape {peaks.shape}."
        )
    outside = (peaks < 0) | (peaks >= shape[-1])
    if outside.any():
        raise ValueError(
            f"'peaks' must lie between 0 and {shape[-1] - 1}, inside the recording of shape "
            f"{shape}, whose last axis is time. Got {peaks[outside][0]}."
        )
    return peaks.astype(int)
