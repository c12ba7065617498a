"""The loader: the published counts on real records, and downloads that fail in every way."""

import contextlib
import http.server
import os
import shutil
import sys
import threading
import time
from collections import Counter
from pathlib import Path, PureWindowsPath

import numpy as np
import pandas as pd
import pytest

from sktsgan.datasets import _mitbih, fetch_mitbih, segment_beats

pytestmark = pytest.mark.records

# Annotated beats by AAMI class, as the database's annotations count them.
ALL = {"N": 90631, "S": 2781, "V": 7236, "F": 803, "Q": 8043}
NOT_PACED = {"N": 90125, "S": 2781, "V": 7009, "F": 803, "Q": 15}
SYMBOLS = {
    "N": 75052, "L": 8075, "R": 7259, "V": 7130, "/": 7028, "A": 2546, "f": 982, "F": 803,
    "j": 229, "a": 150, "E": 106, "J": 83, "Q": 33, "e": 16, "S": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def every_beat(records):
    return fetch_mitbih(records, paced=True, download_if_missing=False)


def assert_counts(labels, expected, n_records):
    """Check counts up to the beats whose windows reach beyond their recording."""
    counts = Counter(labels.tolist())
    assert counts.keys() == expected.keys()
    lost = {label: expected[label] - counts[label] for label in expected}
    assert all(count >= 0 for count in lost.values()), lost
    assert sum(lost.values()) <= 2 * n_records


def test_annotations_are_counted_as_published(records):
    symbols = np.concatenate(
        [_mitbih._read_record(records / "mitdb", name, 1)[3] for name in _mitbih._SUBSETS["all"]]
    )
    assert Counter(symbols.tolist()) == SYMBOLS
    classes = Counter(_mitbih._AAMI[symbol] for symbol in symbols)
    assert classes == ALL


def test_counts_of_all_records(every_beat):
    assert len(np.unique(every_beat.record)) == 48
    assert_counts(every_beat.target, ALL, 48)
    assert every_beat.data.shape == (len(every_beat.target), 128)
    assert every_beat.data.dtype == np.float32
    assert every_beat.target_names == ["N", "S", "V", "F", "Q"]


def test_paced_records_can_be_left_out(every_beat):
    paced = np.isin(every_beat.record, ["102", "104", "107", "217"])
    assert_counts(every_beat.target[~paced], NOT_PACED, 44)


def test_paced_records_are_left_out(records, monkeypatch):
    monkeypatch.setitem(_mitbih._SUBSETS, "all", ["100", "102", "104"])
    assert np.unique(fetch_mitbih(records).record).tolist() == ["100"]
    with_paced = fetch_mitbih(records, paced=True)
    assert np.unique(with_paced.record).tolist() == ["100", "102", "104"]


def test_what_is_known_of_a_beat_goes_with_it_where_others_are_lost(records):
    beats = fetch_mitbih(records, subset=["100", "208"], window=(3.0, 1.0))
    for name in ("100", "208"):
        own = beats.record == name
        _, _, peaks, symbols = _mitbih._read_record(records / "mitdb", name, 1)
        place = np.searchsorted(peaks, beats.peak[own])
        assert place[0] > 0  # the first beats are too near to the recording's begin
        np.testing.assert_array_equal(peaks[place], beats.peak[own])
        np.testing.assert_array_equal(symbols[place], beats.symbol[own])
        expected = [_mitbih._AAMI[symbol] for symbol in symbols[place]]
        np.testing.assert_array_equal(expected, beats.target[own])
        np.testing.assert_allclose(np.diff(peaks)[place - 1] / 360, beats.rr[own, 0])


def test_inter_patient_halves(records):
    halves = {name: fetch_mitbih(records, subset=name) for name in ("DS1", "DS2")}
    assert not set(halves["DS1"].record) & set(halves["DS2"].record)
    assert all(len(set(half.record)) == 22 for half in halves.values())
    counts = Counter(halves["DS1"].target.tolist())
    assert abs(counts["N"] - 45846) <= 30
    assert [counts[name] for name in "SVF"] == pytest.approx([944, 3788, 414], abs=3)


def test_beats_are_where_the_annotations_are(every_beat):
    # the steepest part of an annotated normal beat is near its R wave, 0.3 s into the window
    normal = every_beat.data[(every_beat.symbol == "N") & (every_beat.record == "100")]
    assert normal.argmax(axis=1).mean() == pytest.approx(0.3 * 180, abs=2)
    assert 0.5 < np.median(normal.max(axis=1)) < 1.5  # mV


def test_rr_intervals(every_beat):
    one = every_beat.record == "100"
    rr = every_beat.rr[one]
    np.testing.assert_allclose(rr[:-1, 1], rr[1:, 0])
    assert np.nanmedian(rr) == pytest.approx(0.795, abs=0.01)  # 75.5 beats a minute
    premature = every_beat.symbol[one] == "A"
    assert np.median(rr[premature, 0]) < 0.8 * np.nanmedian(rr)


def test_peaks_are_places_in_the_recording(records):
    import wfdb

    beats = fetch_mitbih(records, subset=["100", "114"], fs=360, window=(0.1, 0.1))
    for name in ("100", "114"):
        own = beats.record == name
        published = wfdb.rdrecord(str(records / "mitdb" / name))
        lead = published.p_signal[:, published.sig_name.index("MLII")]
        np.testing.assert_array_equal(lead[beats.peak[own]].astype(np.float32), beats.data[own, 36])
        rr = np.diff(beats.peak[own]) / 360
        np.testing.assert_allclose(rr, beats.rr[own][1:, 0])
    assert beats.peak.dtype.kind == "i"


def test_the_lead_by_name(records):
    # in record 114 MLII is the second channel; the two leads differ clearly
    one = fetch_mitbih(records, subset=["114"])
    both = fetch_mitbih(records, subset=["114"], n_leads=2)
    assert both.data.shape == (len(one.data), 2, 128)
    np.testing.assert_array_equal(both.data[:, 0], one.data)
    import wfdb

    published = wfdb.rdrecord(str(records / "mitdb" / "114"))
    second = published.p_signal[:, published.sig_name.index("MLII")]
    peaks = _mitbih._read_record(records / "mitdb", "114", 1)[2]
    beats, _ = segment_beats(second, peaks, fs=360, target_fs=180)
    np.testing.assert_array_equal(beats, one.data)


def test_the_first_lead_where_none_is_called_so(records):
    import wfdb

    for name in ("102", "104"):
        published = wfdb.rdrecord(str(records / "mitdb" / name))
        assert "MLII" not in published.sig_name
        signal = _mitbih._read_record(records / "mitdb", name, 1)[0]
        np.testing.assert_array_equal(signal[0], published.p_signal[:, 0])


def test_frames_windows_and_tuples(records):
    bunch = fetch_mitbih(records, subset=["100"], as_frame=True, fs=360, window=(0.1, 0.2))
    assert bunch.data.shape[1] == 108
    assert isinstance(bunch.target, pd.Series)
    assert list(bunch.frame.columns) == [*bunch.feature_names, "target"]
    assert bunch.feature_names[36] == "0.0000 s"
    X, y = fetch_mitbih(records, subset=["100"], return_X_y=True)
    assert len(X) == len(y) == 2271


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"subset": "DS3"}, "'subset' must be 'all', 'DS1', 'DS2' .* Got 'DS3'"),
        ({"subset": ["100", "999"]}, r"'subset' must be a list of names .* Got \['999'\]"),
        ({"subset": []}, r"'subset' must be a list of names .* Got \[\]"),
        ({"subset": None}, "'subset' must be a list of names .* Got None"),
        ({"subset": ["100", "100"]}, "'subset' must be a list of names .* each once"),
        ({"window": 0.3}, "'window' must be two lengths .* Got 0.3"),
        ({"window": (0.1, 0.2, 0.3)}, "'window' must be two lengths"),
        ({"n_leads": 3}, "'n_leads' must be 1 or 2. Got 3"),
        ({"n_leads": 2, "as_frame": True}, "'as_frame' must be False"),
    ],
)
def test_bad_arguments(records, arguments, message):
    with pytest.raises(ValueError, match=message):
        fetch_mitbih(records, **arguments)


def test_files_are_known_by_name_on_any_system(records):
    content = (records / "mitdb" / "100.hea").read_bytes()
    _mitbih._check_content("100.hea", PureWindowsPath(r"C:\data\mitdb\100.hea"), content)
    with pytest.raises(OSError, match="is not the published file"):
        _mitbih._check_content("100.hea", "somewhere", content[1:])


def test_nothing_is_downloaded_for_a_wrong_call(monkeypatch, tmp_path):
    monkeypatch.setattr(_mitbih, "_download", lambda *_: pytest.fail("something was downloaded"))
    with pytest.raises(ValueError, match="'window' must be two lengths"):
        fetch_mitbih(tmp_path, window=(-1, 0))
    monkeypatch.setitem(sys.modules, "wfdb", None)
    with pytest.raises(ImportError, match="fetch_mitbih needs wfdb"):
        fetch_mitbih(tmp_path)


def test_without_wfdb(records, monkeypatch):
    monkeypatch.setitem(sys.modules, "wfdb", None)
    with pytest.raises(ImportError, match=r"fetch_mitbih needs wfdb.*'sktsgan\[ecg\]'"):
        fetch_mitbih(records, subset=["100"])


def test_missing_files_without_download(tmp_path):
    with pytest.raises(FileNotFoundError, match="3 files are missing, the first is 100.hea"):
        fetch_mitbih(tmp_path, subset=["100"], download_if_missing=False)


def test_the_environment_names_the_folder(records, monkeypatch):
    monkeypatch.setenv("SKTSGAN_DATA", str(records))
    beats = fetch_mitbih(subset=["100"], download_if_missing=False)
    assert len(beats.data) > 2000


# Downloads, from a server that has its moods


class Server(http.server.BaseHTTPRequestHandler):
    """Serve the records; `mood` says how."""

    mood, folder, asked = "well", None, []

    def do_GET(self):
        name = self.path.rsplit("/", 1)[-1]
        self.asked.append(name)
        content = (self.folder / name).read_bytes()
        mood = self.mood if name.endswith(".dat") else "well"
        self.send_response(404 if mood == "missing" else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if mood == "cut":
            content = content[: len(content) // 2]
        elif mood == "corrupt":
            content = content[:1000] + bytes([content[1000] ^ 1]) + content[1001:]
        elif mood == "huge":
            content = bytes(8 * 2**20)
        elif mood == "silent":
            time.sleep(3)
        with contextlib.suppress(OSError):
            self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(records, monkeypatch):
    handler = type("Handler", (Server,), {"folder": records / "mitdb", "asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        monkeypatch.setattr(_mitbih, "_URL", f"http://127.0.0.1:{running.server_port}/mitdb/")
        monkeypatch.setattr(_mitbih, "_TIMEOUT", 1)
        yield handler
        running.shutdown()


def test_download(server, tmp_path, records):
    beats = fetch_mitbih(tmp_path / "new", subset=["100"])
    expected = fetch_mitbih(records, subset=["100"])
    np.testing.assert_array_equal(beats.data, expected.data)
    assert sorted(server.asked) == ["100.atr", "100.dat", "100.hea"]
    files = sorted(path.name for path in (tmp_path / "new" / "mitdb").iterdir())
    assert files == ["100.atr", "100.dat", "100.hea"]
    (tmp_path / "any").touch()  # others may read them as any file
    paths = [tmp_path / "any", *(tmp_path / "new" / "mitdb").iterdir()]
    assert len({path.stat().st_mode for path in paths}) == 1
    fetch_mitbih(tmp_path / "new", subset=["100"])  # once is enough
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("mood", "message"),
    [
        ("cut", "100.dat is not the published file: its SHA-256 differs"),
        ("corrupt", "100.dat is not the published file: its SHA-256 differs"),
        ("huge", "100.dat is not the published file"),
        ("missing", "100.dat could not be downloaded .*404"),
        ("silent", "100.dat could not be downloaded .*timed out"),
    ],
)
def test_nothing_half_written_is_taken_for_whole(server, tmp_path, mood, message):
    server.mood = mood
    with pytest.raises(OSError, match=message):
        fetch_mitbih(tmp_path, subset=["100"])
    assert [path.name for path in (tmp_path / "mitdb").iterdir()] == ["100.hea"]
    server.mood = "well"
    assert len(fetch_mitbih(tmp_path, subset=["100"]).data) > 2000


def test_a_local_file_that_was_changed(tmp_path, records):
    (tmp_path / "mitdb").mkdir()
    for suffix in ("hea", "dat", "atr"):
        shutil.copy(records / "mitdb" / f"100.{suffix}", tmp_path / "mitdb")
    data = Path(tmp_path / "mitdb" / "100.dat")
    data.chmod(0o644)
    data.write_bytes(data.read_bytes()[:-10])
    with pytest.raises(OSError, match="100.dat is not the published file"):
        fetch_mitbih(tmp_path, subset=["100"])


def test_what_is_no_record_is_neither_waited_for_nor_read_whole(tmp_path, records):
    folder = tmp_path / "mitdb"
    folder.mkdir()
    os.mkfifo(folder / "100.hea")
    with pytest.raises(FileNotFoundError, match="3 files are missing, the first is 100.hea"):
        fetch_mitbih(tmp_path, subset=["100"], download_if_missing=False)
    (folder / "100.hea").unlink()
    for suffix in ("hea", "dat", "atr"):
        shutil.copy(records / "mitdb" / f"100.{suffix}", folder)
        (folder / f"100.{suffix}").chmod(0o644)
    os.truncate(folder / "100.atr", 2**40)  # takes no room, but no memory would hold it
    with pytest.raises(OSError, match="100.atr is not the published file"):
        fetch_mitbih(tmp_path, subset=["100"])


def test_who_has_no_home_looks_beside_where_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("SKTSGAN_DATA", raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    with pytest.raises(FileNotFoundError, match="^~/sktsgan_data/mitdb must hold"):
        fetch_mitbih(subset=["100"], download_if_missing=False)


def test_two_records_of_one_person(records):
    beats = fetch_mitbih(records, subset=["200", "201", "202"])
    assert np.unique(beats.record).tolist() == ["200", "201", "202"]
    assert np.unique(beats.patient).tolist() == ["200", "201"]
    assert (beats.patient[beats.record == "202"] == "201").all()


def test_the_other_lead(records):
    import wfdb

    published = wfdb.rdrecord(str(records / "mitdb" / "114"))
    other = 1 - published.sig_name.index("MLII")
    signal = _mitbih._read_record(records / "mitdb", "114", 2)[0]
    np.testing.assert_array_equal(signal[1], published.p_signal[:, other])
