"""Many fits at once, many in a row, fits that are interrupted, and no word to the network."""

import gc
import signal
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.exceptions import NotFittedError

trust = pytest.mark.trust


def fit(sampler, X, y):
    return sampler.fit_resample(X, y)[0]


@pytest.mark.parametrize("n_fits", [4, pytest.param(8, marks=trust)])
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_many_fits_at_once(quick, beats, backend, n_fits):
    samplers = [quick(random_state=i) for i in range(n_fits)]
    expected = [fit(sampler, *beats) for sampler in samplers]
    at_once = Parallel(n_jobs=n_fits, backend=backend)(delayed(fit)(s, *beats) for s in samplers)
    for ours, theirs in zip(at_once, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_four_threads_draw_from_one(trained):
    expected = [trained.sample(300, random_state=i)[0] for i in range(8)]
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda i: trained.sample(300, random_state=i)[0], range(8)))
    for ours, theirs in zip(drawn, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def megabytes():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("n_fits", [8, pytest.param(50, marks=trust)])
def test_memory_stays(quick, beats, n_fits):
    for _ in range(3):  # what libraries take once
        quick().fit_resample(*beats)
    before = megabytes()
    for _ in range(n_fits):
        quick().fit_resample(*beats)
    assert megabytes() < 1.05 * before


@pytest.mark.parametrize("n_times", [3, pytest.param(10, marks=trust)])
@pytest.mark.parametrize("fitted_before", [False, True])
def test_ctrl_c(quick, beats, n_times, fitted_before):
    """At random moments: what is left can be used, or says that it is not fitted."""
    X, y = beats
    # a shell that starts the tests in the background lets them ignore it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rng = np.random.default_rng(n_times)
    for _ in range(n_times):
        sampler = quick(max_epochs=100_000, steps_per_epoch=4, patience=None)
        if fitted_before:
            sampler.set_params(max_epochs=1).fit(X, y).set_params(max_epochs=100_000)
        over = threading.Event()
        user = threading.Thread(target=interrupt, args=(rng.uniform(0, 1.5), over))
        user.start()
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                sampler.fit(X, y)
            assert any("interrupted" in str(warning.message) for warning in caught)
        except KeyboardInterrupt:
            pass
        finally:
            over.set()
            user.join()
        try:
            X_new, _ = sampler.sample(20, random_state=0)
        except NotFittedError:
            continue
        assert np.isfinite(X_new).all()
        assert np.ptp(X_new) > 0


def interrupt(seconds, over):
    import _thread

    while not over.wait(seconds):
        _thread.interrupt_main()
        seconds = 20  # Python drops an interruption that meets a destructor: press again


OFFLINE = """
import socket

def refuse(*args, **kwargs):
    raise AssertionError("a connection was opened")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
import sktsgan, sktsgan.datasets, sktsgan.plotting
X, y = sktsgan.datasets.make_heartbeats(100, classes="NV", weights=[2, 1], random_state=0)
sampler = sktsgan.StaGANSampler(max_epochs=1, steps_per_epoch=2, selection=None, random_state=0)
sampler.fit_resample(X, y)
sampler.sample(3)
try:
    sktsgan.datasets.fetch_mitbih(data_home="nowhere")
except AssertionError:
    print("only this")
"""


def test_nothing_but_fetch_mitbih_opens_a_connection(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", OFFLINE],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.stdout == "only this\n", done.stderr
