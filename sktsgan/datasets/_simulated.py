"""Simulated signals: heartbeats after McSharry et al., and sine waves."""

import numbers

import numpy as np
from scipy.signal import lfilter
from sklearn.utils import check_random_state

from sktsgan._arguments import check_frequency, check_whole, numbers_of

# Waves P, Q, R, S, T and a late half of T: time after the R wave in s at a heart period of
# 0.85 s, amplitude in mV, width (standard deviation) in s.
_TIMES = np.array([-0.165, -0.032, 0.0, 0.034, 0.245, 0.285])
_NORMAL = np.array([0.13, -0.11, 1.15, -0.24, 0.12, 0.24])
_NORMAL_WIDTHS = np.array([0.021, 0.009, 0.011, 0.011, 0.042, 0.030])
# A ventricular beat has no P wave, a wide QRS complex and a T wave against it.
_VENTRICULAR = np.array([0.0, -0.15, 1.35, -0.75, -0.22, -0.26])
_VENTRICULAR_TIMES = np.array([-0.165, -0.07, 0.0, 0.085, 0.26, 0.31])
_VENTRICULAR_WIDTHS = np.array([0.021, 0.024, 0.032, 0.040, 0.055, 0.045])
_TAU = 1.0  # s, time constant with which the model returns to the baseline
_FS = 720  # Hz, at least, of the integration
_REACH = 39.0  # widths from a wave beyond which its exponential is 0 to the last digit
_N_AT_ONCE = 32  # beats that are integrated together: with so few the core's cache holds them
_LEAD_IN = 1.4  # s simulated before the window, so that no wave of the beat before is cut in two

# Share of the classes by default, near those of the MIT-BIH database, and the heart period
# before and after a beat as multiples of the patient's own.
_SHARES = {"N": 0.89, "S": 0.03, "V": 0.07, "F": 0.01, "Q": 0.01}
_PERIODS = {
    "N": ((0.96, 1.04), (0.96, 1.04)),
    "S": ((0.58, 0.78), (1.02, 1.20)),
    "V": ((0.52, 0.75), (1.15, 1.40)),
    "F": ((0.78, 0.95), (1.00, 1.15)),
    "Q": ((0.98, 1.02), (0.98, 1.02)),
}


def make_heartbeats(
    n_samples=1000,
    *,
    classes=("N", "S", "V", "F"),
    weights=None,
    n_patients=20,
    n_timepoints=128,
    fs=180,
    before=0.3,
    n_channels=1,
    noise=0.015,
    return_groups=False,
    random_state=None,
):
    """Simulate labelled heartbeats with the dynamical model of McSharry et al. [1]_.

    The electrocardiogram is the height z of a point that circles once a heartbeat and is
    pushed up and down where it passes the P, Q, R, S and T wave,

        dz/dt = - sum_i a_i dtheta_i exp(-dtheta_i^2 / (2 b_i^2)) - (z - z_0),

    with phase distances dtheta_i to the waves and a baseline z_0 that breathing moves. Each
    patient has a heart rate, amplitudes, widths and an ectopic focus of their own; each beat
    varies a little more. A window holds the ends of the beats before and after too.

    Classes are those of AAMI: N normal; S premature, with a changed P wave before a normal
    QRS complex; V premature, wide, without P wave, its T wave turned against the QRS complex,
    which points down in two of five patients; F a fusion of N and V; Q paced, with a spike
    before a wide complex.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of beats.
    classes : sequence of {"N", "S", "V", "F", "Q"}, default=("N", "S", "V", "F")
        Classes to simulate.
    weights : sequence of float, default=None
        Share of each class; by default near those of the MIT-BIH database (89, 3, 7, 1 and 1
        parts). Each class has at least one beat.
    n_patients : int, default=20
        Number of patients, of whom each may have beats of each class.
    n_timepoints : int, default=128
        Time points of a beat. Three beats are simulated, so that a window of nearly two seconds
        or more ends in a flat line.
    fs : float, default=180
        Sampling frequency in Hz.
    before : float, default=0.3
        Seconds of the window before the R wave.
    n_channels : int, default=1
        Leads. Each further lead sees the waves at other heights.
    noise : float, default=0.015
        Standard deviation of the measurement noise in mV.
    return_groups : bool, default=False
        Whether to return each beat's patient as well.
    random_state : int, RandomState instance or None, default=None
        Seeds the simulation.

    Returns
    -------
    X : ndarray of float32
        Beats in mV, of shape (n_samples, n_timepoints), or
        (n_samples, n_channels, n_timepoints) with several leads.
    y : ndarray of str of shape (n_samples,)
        Classes, in random order.
    groups : ndarray of int of shape (n_samples,)
        Patients, with `return_groups=True`.

    Raises
    ------
    ValueError
        If a class is not known, or an argument is out of range.

    See Also
    --------
    fetch_mitbih : Real beats.

    References
    ----------
    .. [1] P. E. McSharry, G. D. Clifford, L. Tarassenko, L. A. Smith, "A dynamical model for
       generating synthetic electrocardiogram signals", IEEE Trans. Biomed. Eng.
       50(3):289-294, 2003.

    Examples
    --------
    >>> from sktsgan.datasets import make_heartbeats
    >>> X, y = make_heartbeats(100, random_state=0)
    >>> X.shape, sorted(set(y.tolist()))
    ((100, 128), ['F', 'N', 'S', 'V'])
    """
    known = list(_SHARES)
    given, classes = classes, list(classes) if np.iterable(classes) else []
    if not (
        classes and all(name in known for name in classes) and len(set(classes)) == len(classes)
    ):
        raise ValueError(f"'classes' must be some of {known}, each once. Got {given!r}.")
    for name, value, least in (
        ("n_samples", n_samples, len(classes)),
        ("n_patients", n_patients, 1),
        ("n_timepoints", n_timepoints, 2),
        ("n_channels", n_channels, 1),
    ):
        check_whole(name, value, least)
    check_frequency("fs", fs)
    for name, value in (("before", before), ("noise", noise)):
        if not (isinstance(value, numbers.Real) and 0 <= value < np.inf):
            raise ValueError(f"'{name}' must be a number of at least 0. Got {value!r}.")
    rng = check_random_state(random_state)
    if weights is None:
        weights = [_SHARES[name] for name in classes]
    counts = _share_out(n_samples, weights, len(classes))
    labels = rng.permutation(np.repeat(np.arange(len(classes)), counts))
    groups = rng.randint(n_patients, size=n_samples)
    patients = [_draw_patient(rng, n_channels) for _ in range(n_patients)]
    y = np.array(classes)[labels]
    X = np.empty((n_samples, n_channels, n_timepoints), dtype=np.float32)
    for patient in range(n_patients):
        for name in classes:
            rows = np.flatnonzero((groups == patient) & (y == name))
            waves = _draw_beats(patients[patient], name, len(rows), rng)
            X[rows] = _integrate(waves, n_timepoints, fs, before)
    X += _wander(X.shape, fs, rng) + noise * rng.standard_normal(X.shape)
    if n_channels == 1:
        X = X[:, 0]
    return (X, y, groups) if return_groups else (X, y)


def make_sines(
    n_samples=1000,
    *,
    bands=((1.0, 3.0), (4.0, 6.0)),
    weights=None,
    n_timepoints=128,
    amplitude=(0.3, 0.9),
    random_state=None,
):
    """Make sine waves of random frequency, amplitude and phase, a class for each band.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of waves.
    bands : sequence of (float, float), default=((1.0, 3.0), (4.0, 6.0))
        Lowest and highest frequency of each class, in periods per signal.
    weights : sequence of float, default=None
        Share of each class; equal by default.
    n_timepoints : int, default=128
        Time points of a wave.
    amplitude : (float, float), default=(0.3, 0.9)
        Least and greatest amplitude.
    random_state : int, RandomState instance or None, default=None
        Seeds the set.

    Returns
    -------
    X : ndarray of float32 of shape (n_samples, n_timepoints)
        The waves.
    y : ndarray of int of shape (n_samples,)
        The band, from 0, in random order.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> from sktsgan.datasets import make_sines
    >>> X, y = make_sines(10, weights=[0.8, 0.2], random_state=0)
    >>> X.shape, int(y.sum())
    ((10, 128), 2)
    """
    bands = numbers_of("bands", bands)
    if bands.ndim != 2 or bands.shape[1] != 2 or not len(bands):
        raise ValueError(
            f"'bands' must be pairs of frequencies, one pair for each class. Got {bands.tolist()}."
        )
    check_whole("n_samples", n_samples, len(bands))
    check_whole("n_timepoints", n_timepoints, 2)
    rising = (bands[:, 0] >= 0) & (bands[:, 0] <= bands[:, 1])
    if not (rising & (bands[:, 1] <= n_timepoints / 2)).all():
        raise ValueError(
            f"'bands' must be pairs that rise, from 0 to half of the {n_timepoints} time points. "
            f"Got {bands.tolist()}."
        )
    amplitude = numbers_of("amplitude", amplitude)
    if amplitude.shape != (2,) or not 0 <= amplitude[0] <= amplitude[1] < np.inf:
        raise ValueError(f"'amplitude' must be two numbers that rise from 0. Got {amplitude}.")
    rng = check_random_state(random_state)
    counts = _share_out(n_samples, [1.0] * len(bands) if weights is None else weights, len(bands))
    y = rng.permutation(np.repeat(np.arange(len(bands)), counts))
    low, high = bands[y].T
    frequency = rng.uniform(low, high)[:, None]
    heights = rng.uniform(*amplitude, size=(n_samples, 1))
    phase = rng.uniform(0, 2 * np.pi, size=(n_samples, 1))
    time = np.arange(n_timepoints) / n_timepoints
    return (heights * np.sin(2 * np.pi * frequency * time + phase)).astype(np.float32), y


def _share_out(n_samples, weights, n_classes):
    """Split n_samples by weights into whole numbers of at least 1."""
    weights = numbers_of("weights", weights)
    if weights.shape != (n_classes,) or not ((weights > 0) & (weights < np.inf)).all():
        raise ValueError(
            f"'weights' must be {n_classes} numbers above 0, one for each class. "
            f"Got {weights.tolist()}."
        )
    exact = n_samples * weights / weights.sum()
    counts = np.maximum(exact.astype(int), 1)
    while counts.sum() < n_samples:
        counts[np.argmax(exact - counts)] += 1
    while counts.sum() > n_samples:
        counts[np.argmax(counts)] -= 1
    return counts


def _draw_patient(rng, n_channels):
    """Draw what is a patient's own: heart, waves, ectopic focus and leads."""
    leads = np.ones((n_channels, 6))
    # a further lead looks at the heart from elsewhere: other heights, some of them turned
    leads[1:] = rng.uniform(-0.5, 1.1, size=(n_channels - 1, 6)) * [1, 1, 0.8, 1.8, 0.9, 0.9]
    normal = _NORMAL * rng.lognormal(0, [0.3, 0.4, 0.25, 0.4, 0.25, 0.25])
    ventricular = _VENTRICULAR * rng.lognormal(0, 0.25, size=6)
    if rng.uniform() < 0.41:  # the share of V beats in the MIT-BIH database that point down
        ventricular = -ventricular
    return {
        "period": rng.uniform(0.65, 1.0),
        "leads": leads,
        "normal": (_TIMES, normal, _NORMAL_WIDTHS * rng.lognormal(0, 0.1, size=6)),
        "ventricular": (
            _VENTRICULAR_TIMES,
            ventricular,
            _VENTRICULAR_WIDTHS * rng.lognormal(0, 0.15, size=6),
        ),
        "atrial": (rng.uniform(-0.9, 0.7), rng.uniform(-0.02, 0.04)),
        "fusion": rng.uniform(0.3, 0.65),
    }


def _draw_beats(patient, name, n_beats, rng):
    """Draw the waves of beats and of their neighbours: times, heights by lead, widths."""
    before, after = (
        patient["period"] * rng.uniform(*span, size=(n_beats, 1)) for span in _PERIODS[name]
    )
    parts = []
    for shift, waves, period in (
        (-before, patient["normal"], before),
        (np.zeros((n_beats, 1)), _waves_of(patient, name, rng, n_beats), after),
        (after, patient["normal"], after),
    ):
        times, heights, widths = (
            np.broadcast_to(part, (n_beats, part.shape[-1])) for part in waves
        )
        jitter = rng.standard_normal((2, *times.shape))
        # repolarisation takes longer at low rates, in proportion to the root of the period
        stretch = np.where(times > 0.15, np.sqrt(np.clip(period, 0.4, 1.1) / 0.85), 1.0)
        times = shift + times * stretch + 0.002 * jitter[0]
        heights = heights * (1 + 0.06 * jitter[1]) * (1 + 0.05 * rng.standard_normal((n_beats, 1)))
        leads = patient["leads"][:, np.arange(times.shape[1]) % 6]
        parts.append((times, heights[:, None] * leads, widths))
    return [np.concatenate(part, axis=-1) for part in zip(*parts, strict=True)]


def _waves_of(patient, name, rng, n_beats):
    """Return times, heights and widths of one class's own waves."""
    times, heights, widths = patient["normal"]
    if name == "S":
        height, delay = patient["atrial"]
        times, heights = times.copy(), heights.copy()
        times[0] += delay
        heights[0] *= height
    elif name in ("V", "Q"):
        times, heights, widths = patient["ventricular"]
    if name == "F":  # both wave fronts meet: a mixture that differs from beat to beat
        share = np.clip(patient["fusion"] + 0.1 * rng.standard_normal((n_beats, 1)), 0.1, 0.9)
        other = patient["ventricular"]
        heights = np.concatenate([(1 - share) * heights, share * other[1]], axis=1)
        times, widths = np.concatenate([times, other[0]]), np.concatenate([widths, other[2]])
    elif name == "Q":  # the pacemaker's spike
        times, widths = np.append(times, -0.11), np.append(widths, 0.003)
        heights = np.append(heights, 0.9)
    return times, heights, widths


def _integrate(waves, n_timepoints, fs, before):
    """Solve the model for beats of given waves, (n_beats, n_channels, n_timepoints) in mV."""
    times, heights, widths = waves
    oversampling = int(np.ceil(_FS / fs))
    step = 1 / (fs * oversampling)
    n_lead_in = round(_LEAD_IN / step)
    time = np.arange(-n_lead_in, n_timepoints * oversampling) * step - before
    beats = np.empty((*heights.shape[:2], n_timepoints))
    for start in range(0, len(times), _N_AT_ONCE):
        own = slice(start, start + _N_AT_ONCE)
        push = _push(time, times[own], heights[own], widths[own])
        z = lfilter([step], [1, -np.exp(-step / _TAU)], push, axis=-1)
        beats[own] = z[..., n_lead_in::oversampling]
    return beats


def _push(time, times, heights, widths):
    """Return by how much waves push beats up or down at each time, by lead."""
    push = np.zeros((*heights.shape[:2], len(time)))
    for i in range(times.shape[1]):
        center, width = times[:, [i]], widths[:, [i]]
        ends = (center - _REACH * width).min(), (center + _REACH * width).max()
        near = slice(*np.searchsorted(time, ends))
        # in units of the wave's width; phases and amplitudes a_i follow from the heart period
        distance = (time[near] - center) / width
        slope = -distance * np.exp(-(distance**2) / 2) / width
        push[:, :, near] += heights[:, :, i, None] * slope[:, None]
    return push


def _wander(shape, fs, rng):
    """Draw the baseline that breathing moves: slow sine waves in mV, alike in all leads."""
    n_samples, n_channels, n_timepoints = shape
    rate = rng.uniform(0.15, 0.4, size=(n_samples, 1, 1))  # Hz
    phase = rng.uniform(0, 2 * np.pi, size=(n_samples, 1, 1))
    height = np.abs(0.06 * rng.standard_normal((n_samples, 1, 1)))
    gain = rng.uniform(0.7, 1.3, size=(1, n_channels, 1))
    return gain * height * np.sin(2 * np.pi * rate * np.arange(n_timepoints) / fs + phase)
