"""The MIT-BIH Arrhythmia Database as labelled beats."""

import hashlib
import os
import urllib.request
from functools import cache
from http.client import HTTPException
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from sktsgan._arguments import check_frequency, check_whole
from sktsgan._extras import import_extra
from sktsgan._store import at_home, write_whole
from sktsgan.datasets._segment import check_window, segment_beats

_URL = "https://physionet.org/files/mitdb/1.0.0/"
_TIMEOUT = 30  # seconds without an answer
_SIZE_LIMIT = 4 * 2**20  # bytes; the largest published file has 1,950,000

# Inter-patient halves of de Chazal et al., IEEE Trans. Biomed. Eng. 51(7):1196-1206 (2004).
# fmt: off
_DS1 = [
    "101", "106", "108", "109", "112", "114", "115", "116", "118", "119", "122",
    "124", "201", "203", "205", "207", "208", "209", "215", "220", "223", "230",
]
_DS2 = [
    "100", "103", "105", "111", "113", "117", "121", "123", "200", "202", "210",
    "212", "213", "214", "219", "221", "222", "228", "231", "232", "233", "234",
]
# fmt: on
_PACED = ["102", "104", "107", "217"]
_SUBSETS = {"all": sorted(_DS1 + _DS2 + _PACED), "DS1": _DS1, "DS2": _DS2}

# ANSI/AAMI EC57 classes of the annotation symbols. Flutter waves (!) are no beats.
_AAMI = {
    symbol: name
    for name, symbols in {"N": "NLRej", "S": "AaJS", "V": "VE", "F": "F", "Q": "/fQ"}.items()
    for symbol in symbols
}

_DESCR = """\
MIT-BIH Arrhythmia Database 1.0.0, cut into beats
=================================================
48 half-hour recordings of two leads at 360 Hz from 47 persons (201 and 202 are the same one),
every beat annotated by cardiologists. Classes follow ANSI/AAMI EC57: N (normal and bundle
branch block), S (supraventricular ectopic), V (ventricular ectopic), F (fusion), Q (paced and
unclassifiable). Amplitudes in mV.

Split by `patient`, or a classifier is tested on persons that it has learned from. The halves DS1
and DS2 have one in both, records 201 and 202.

Licence: Open Data Commons Attribution License v1.0.
G. B. Moody, R. G. Mark, "The impact of the MIT-BIH Arrhythmia Database", IEEE Eng. in Med. and
Biol. 20(3):45-50 (2001); A. L. Goldberger et al., "PhysioBank, PhysioToolkit, and PhysioNet",
Circulation 101(23):e215-e220 (2000).
"""


def fetch_mitbih(
    data_home=None,
    *,
    subset="all",
    paced=False,
    n_leads=1,
    fs=180,
    window=(0.3, 0.41),
    download_if_missing=True,
    return_X_y=False,
    as_frame=False,
):
    """Load labelled beats of the MIT-BIH Arrhythmia Database.

    The published files are read where they are, and downloaded from PhysioNet where they are
    not (about 90 MB, once). Each file is compared with its published content before it is used.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder that holds ``mitdb/``, or that is to hold it. By default the environment variable
        ``SKTSGAN_DATA``, and ``~/sktsgan_data`` where that is not set.
    subset : {"all", "DS1", "DS2"} or list of str, default="all"
        Records to read: all, the training or the test half of the inter-patient protocol, or
        record names.
    paced : bool, default=False
        Whether "all" includes the four records of paced hearts (102, 104, 107, 217), as AAMI
        advises against. DS1 and DS2 have none.
    n_leads : {1, 2}, default=1
        1 gives lead MLII (the first lead in 102 and 104, which have no MLII); 2 gives that
        and the other one.
    fs : float, default=180
        Sampling frequency of the beats in Hz. The recordings have 360.
    window : tuple of float, default=(0.3, 0.41)
        Seconds before and after the annotated peak; with 180 Hz, 128 time points.
    download_if_missing : bool, default=True
        False raises an error instead of opening a connection.
    return_X_y : bool, default=False
        Return only data and target.
    as_frame : bool, default=False
        Return data as DataFrame and target as Series, with `n_leads=1`.

    Returns
    -------
    data : :class:`sklearn.utils.Bunch`
        With the attributes

        data : ndarray of float32
            Beats in mV, of shape (n_beats, n_timepoints), or (n_beats, 2, n_timepoints) with
            two leads.
        target : ndarray of str of shape (n_beats,)
            AAMI class.
        target_names : list of str
            The classes: N, S, V, F, Q.
        record : ndarray of str of shape (n_beats,)
            Record name.
        patient : ndarray of str of shape (n_beats,)
            The same, but 201 for record 202, of the same person: groups for
            :class:`sklearn.model_selection.StratifiedGroupKFold`.
        symbol : ndarray of str of shape (n_beats,)
            The database's own annotation.
        peak : ndarray of int of shape (n_beats,)
            Place of the annotated peak in its recording, in samples at 360 Hz. Windows overlap
            where peaks of a record are closer than these are long.
        rr : ndarray of float of shape (n_beats, 2)
            Seconds from the beat before and to the beat after; NaN at a recording's ends. Flutter
            waves are no beats, so that in record 207 up to 100 s lie between two.
        fs : float
            Sampling frequency of `data`.
        feature_names : list of str
            Seconds from the peak, for one lead.
        frame : DataFrame
            Only with `as_frame=True`: data and target.
        DESCR : str
            About the data set.
    (data, target) : tuple
        With `return_X_y=True`.

    Raises
    ------
    ImportError
        If wfdb is missing (extra ``ecg``).
    FileNotFoundError
        If files are missing and `download_if_missing` is False.
    OSError
        If a file cannot be downloaded, or is not what was published.
    ValueError
        If an argument has no such value.

    See Also
    --------
    make_heartbeats : Simulated beats that need no download.
    segment_beats : Cuts your own recording into beats.

    Examples
    --------
    >>> from sktsgan.datasets import fetch_mitbih
    >>> beats = fetch_mitbih(subset=["100"])  # doctest: +SKIP
    >>> beats.data.shape  # doctest: +SKIP
    (2271, 128)
    """
    check_whole("n_leads", n_leads)
    if n_leads > 2:
        raise ValueError(f"'n_leads' must be 1 or 2. Got {n_leads!r}.")
    if as_frame and n_leads != 1:
        raise ValueError("'as_frame' must be False with 'n_leads=2'. Got True.")
    fs = check_frequency("fs", fs)
    before, _ = check_window(window, fs)
    records = _check_records(subset, paced)
    import_extra("wfdb", "ecg", "fetch_mitbih")  # before anything is downloaded
    folder = _find_records(data_home, records, download_if_missing)
    parts = [_read_beats(folder, name, n_leads, fs, window) for name in records]
    bunch = Bunch(**{key: np.concatenate([part[key] for part in parts]) for key in parts[0]})
    bunch.update(
        patient=np.where(bunch.record == "202", "201", bunch.record),
        target_names=["N", "S", "V", "F", "Q"],
        fs=fs,
        feature_names=[f"{(i - before) / fs:.4f} s" for i in range(bunch.data.shape[-1])],
        frame=None,
        DESCR=_DESCR,
    )
    if as_frame:
        bunch.data = pd.DataFrame(bunch.data, columns=bunch.feature_names)
        bunch.target = pd.Series(bunch.target, name="target")
        bunch.frame = bunch.data.assign(target=bunch.target)
    return (bunch.data, bunch.target) if return_X_y else bunch


def _check_records(subset, paced):
    if isinstance(subset, str):
        if subset not in _SUBSETS:
            raise ValueError(
                f"'subset' must be 'all', 'DS1', 'DS2' or a list of record names. Got {subset!r}."
            )
        return [name for name in _SUBSETS[subset] if paced or name not in _PACED]
    records = [str(name) for name in subset] if np.iterable(subset) else []
    unknown = sorted(set(records) - set(_SUBSETS["all"]))
    if unknown or not records or len(set(records)) < len(records):
        raise ValueError(
            "'subset' must be a list of names of records of the database, such as '100', each "
            f"once. Got {unknown or subset!r}."
        )
    return records


def _read_beats(folder, name, n_leads, fs, window):
    """Read one record: its beats and what is known of each."""
    signal, record_fs, peaks, symbols = _read_record(folder, name, n_leads)
    rr = np.diff(peaks, prepend=np.nan, append=np.nan) / record_fs
    beats, kept = segment_beats(signal, peaks, fs=record_fs, target_fs=fs, window=window)
    return {
        "data": beats[:, 0] if n_leads == 1 else beats,
        "target": np.array([_AAMI[symbol] for symbol in symbols])[kept],
        "record": np.full(len(kept), name),
        "symbol": symbols[kept],
        "peak": peaks[kept],
        "rr": np.column_stack([rr[:-1], rr[1:]])[kept],
    }


def _read_record(folder, name, n_leads):
    """Read signal (n_leads, n_samples) in mV, sampling frequency, peaks and symbols."""
    wfdb = import_extra("wfdb", "ecg", "fetch_mitbih")
    record = wfdb.rdrecord(str(folder / name))
    annotation = wfdb.rdann(str(folder / name), "atr")
    first = record.sig_name.index("MLII") if "MLII" in record.sig_name else 0
    order = [first, 1 - first][:n_leads]
    symbols = np.array(annotation.symbol)
    beats = np.isin(symbols, list(_AAMI))
    return record.p_signal.T[order], record.fs, annotation.sample[beats], symbols[beats]


def _find_records(data_home, records, download_if_missing):
    """Return the folder with the records' files, whole and checked."""
    home = data_home or os.environ.get("SKTSGAN_DATA") or "~/sktsgan_data"
    folder = Path(at_home(home)) / "mitdb"
    names = [f"{record}.{suffix}" for record in records for suffix in ("hea", "dat", "atr")]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing and not download_if_missing:
        raise FileNotFoundError(
            f"{folder} must hold the MIT-BIH records. {len(missing)} files are missing, the "
            f"first is {missing[0]}; set 'data_home' or 'download_if_missing=True'."
        )
    for name in missing:
        _download(name, folder)
    for name in sorted(set(names) - set(missing)):
        with (folder / name).open("rb") as file:
            _check_content(name, folder / name, file.read(_SIZE_LIMIT))
    return folder


def _download(name, folder):
    """Fetch one file; it appears under its name only once it is whole and checked."""
    url = _URL + name
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:  # noqa: S310 (https)
            content = answer.read(_SIZE_LIMIT)
    except (OSError, HTTPException) as error:
        raise OSError(
            f"{url} could not be downloaded ({error}). Try again; what has arrived whole is kept."
        ) from error
    _check_content(name, url, content)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / name, content)


def _check_content(name, source, content):
    if hashlib.sha256(content).hexdigest() != _checksums()[name]:
        raise OSError(
            f"{source} is not the published file: its SHA-256 differs ({len(content)} bytes). "
            "It was cut off or changed; delete it if it is a file, and try again."
        )


@cache
def _checksums():
    """SHA-256 of every published file by name."""
    text = resources.files("sktsgan.datasets").joinpath("mitdb-1.0.0.sha256").read_text()
    return {name: digest for digest, name in (line.split() for line in text.splitlines())}
