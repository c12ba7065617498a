"""Computing in a fixed order: numbers of threads, work side by side, blocks of rows."""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from sktsgan._threads import _worker, by_blocks, fixed_order, import_whole, side_by_side


def test_every_thread_gets_its_number_back():
    before = torch.get_num_threads()
    inside, leave = threading.Event(), threading.Event()
    numbers = []

    def stay():
        with fixed_order():
            inside.set()
            leave.wait(10)
            numbers.append(torch.get_num_threads())

    other = threading.Thread(target=stay)
    other.start()
    inside.wait(10)
    with fixed_order():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
    leave.set()
    other.join()
    assert numbers == [1]
    with fixed_order():
        numbers = side_by_side(lambda _: torch.get_num_threads(), [0, 1])
    assert numbers == [1, 1]


@pytest.mark.parametrize("first_leaves_first", [True, False])
def test_threads_that_come_later_have_as_many(first_leaves_first):
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    events = [(threading.Event(), threading.Event()) for _ in range(2)]
    numbers = {}

    def stay(name, inside, leave):
        with fixed_order():
            with fixed_order():  # a callback may draw rows
                inside.set()
                leave.wait(10)
            assert torch.get_num_threads() == 1
        numbers[name] = torch.get_num_threads()

    threads = [threading.Thread(target=stay, args=(i, *pair)) for i, pair in enumerate(events)]
    try:
        for thread, (inside, _) in zip(threads, events, strict=True):
            thread.start()
            inside.wait(10)
        for i in (0, 1) if first_leaves_first else (1, 0):
            events[i][1].set()
            threads[i].join()
        last = threading.Thread(target=lambda: numbers.update(new=torch.get_num_threads()))
        last.start()
        last.join()
        assert numbers == {0: 3, 1: 3, "new": 3}
    finally:
        torch.set_num_threads(before)


def test_side_by_side_keeps_the_order_and_raises():
    def divide(a, b):
        return a / b

    for wrapped in (fixed_order(), threading.Lock()):
        with wrapped:
            assert side_by_side(divide, [1, 4], [2, 2]) == [0.5, 2]
            assert side_by_side(divide, [1], [2]) == [0.5]
            with pytest.raises(ZeroDivisionError):
                side_by_side(divide, [1, 1], [0, 1])


def test_a_thread_that_outlives_the_main_one_works_alone():
    with ThreadPoolExecutor(1) as pool:
        pass
    token = _worker.set(pool)  # which Python shuts down when the main thread ends
    try:
        assert side_by_side(divmod, [7, 4], [2, 2]) == [(3, 1), (2, 0)]
    finally:
        _worker.reset(token)


@pytest.mark.parametrize("n_rows", [0, 1, 2, 4000, 4001, 9001])
def test_blocks_give_what_all_rows_at_once_give(n_rows):
    X = np.random.default_rng(0).normal(size=(n_rows, 3))
    sizes = []

    def double(X, other):
        sizes.append(len(X))
        return 2 * X + other

    for wrapped in (fixed_order(), threading.Lock()):
        with wrapped:
            np.testing.assert_array_equal(by_blocks(double, X, X[::-1]), 2 * X + X[::-1])
            pair = by_blocks(lambda X: (X.sum(axis=1), X > 0), X)
    np.testing.assert_array_equal(pair[0], X.sum(axis=1))
    np.testing.assert_array_equal(pair[1], X > 0)
    assert max(sizes) <= min(2000, -(-n_rows // 2))
    assert sum(sizes) == 2 * n_rows


class Limit:
    """A limit as threadpoolctl's, where it is one for all threads of the process."""

    now = 2

    def limit(self, limits, user_api):
        assert user_api == "blas"
        self.before, Limit.now = Limit.now, limits
        return self

    def restore_original_limits(self):
        Limit.now = self.before


def test_the_last_of_several_threads_takes_the_limit_back(monkeypatch):
    monkeypatch.setattr("sktsgan._threads._libraries", Limit)

    def start():
        inside, leave = threading.Event(), threading.Event()

        def stay(X):
            inside.set()
            leave.wait(10)
            return X

        thread = threading.Thread(target=by_blocks, args=(stay, np.zeros(1)))
        thread.start()
        inside.wait(10)
        return thread, leave

    threads = [start(), start()]
    for (thread, leave), limit in zip(threads, (1, 2), strict=True):
        assert Limit.now == 1
        leave.set()
        thread.join()
        assert Limit.now == limit
    with pytest.raises(ZeroDivisionError):
        by_blocks(lambda _: 1 / 0, np.zeros(1))
    assert Limit.now == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_process_waits_for_no_thread_of_another():
    def work():
        with fixed_order():
            assert side_by_side(lambda x: 2 * x, [1, 2]) == [2, 4]

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with fixed_order():
            side_by_side(abs, [1, 2])
            process = multiprocessing.get_context("fork").Process(target=work)
            process.start()
            process.join(30)
    finally:
        torch.set_num_threads(before)
    process.kill()
    assert process.exitcode == 0


def test_an_import_that_fails_says_so(tmp_path, monkeypatch):
    (tmp_path / "fails_to_import.py").write_text("raise FileNotFoundError('no folder')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(FileNotFoundError, match="no folder"):
        import_whole("fails_to_import")


def test_an_import_is_not_interrupted(tmp_path, monkeypatch):
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(1)\nvalue = 3")
    monkeypatch.syspath_prepend(tmp_path)
    # a shell that starts the tests in the background lets them ignore it
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            import_whole("slow_to_import")
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
    import slow_to_import

    assert slow_to_import.value == 3
