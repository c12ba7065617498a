"""Computing in a fixed order on the CPU, on two cores where they are free."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import cache
from importlib import import_module

import numpy as np
import torch
from threadpoolctl import ThreadpoolController

# Rows of a block at most; what is made of more on the way would fill memory, and take no less time.
_BLOCK = 2000

_lock = threading.RLock()
_limits_lock, _limits = threading.Lock(), []
# Numbers of torch's threads that those inside of `fixed_order` had before.
_numbers, _own = [], threading.local()
_worker = ContextVar("worker", default=None)


def import_whole(name):
    """Import a module in a thread of its own, where Ctrl-C does not reach it.

    One that was imported by half may stay broken until Python ends, as ``torch._dynamo`` does.

    Parameters
    ----------
    name : str
        Name of the module.
    """
    failures = []

    def _import():
        try:
            import_module(name)
        except Exception as error:  # noqa: BLE001 (it is raised below)
            failures.append(error)

    if name not in sys.modules:
        thread = threading.Thread(target=_import)
        thread.start()
        thread.join()
    for error in failures:
        raise error


@contextmanager
def fixed_order(alone=False):
    """Let torch compute each operation with one thread while inside.

    Sums are then taken in the same order, and rows come out the same, whatever else runs and
    however many threads torch may use. Where it may use several, a second worker serves
    :func:`side_by_side` instead. Torch counts threads for each Python thread apart, so several
    of them may be inside at a time. What is made without a device is on the CPU, as generators of
    random numbers are, whatever torch's default device is.

    Parameters
    ----------
    alone : bool, default=False
        True leaves the second worker out: two threads would wait for the same card.

    Yields
    ------
    None
        Nothing.
    """
    if getattr(_own, "is_inside", False):
        yield
        return
    n_threads = _enter()
    try:
        pool = None
        if n_threads > 1 and not alone:
            pool = ThreadPoolExecutor(1, initializer=_use_one_thread)
        with pool or nullcontext(), _default_device():
            token = _worker.set(pool)
            try:
                yield
            finally:
                _worker.reset(token)
    finally:
        _leave(n_threads)


def _default_device():
    """Make the CPU torch's default device; to do it where it is so anyway would slow each call."""
    # older torch cannot say which it is once it was taken back
    return nullcontext() if torch.empty(0).device.type == "cpu" else torch.device("cpu")


def _use_one_thread():
    """Set this thread's number and return the one before."""
    n_threads = torch.get_num_threads()  # the first call in a thread sets a number too
    torch.set_num_threads(1)
    return n_threads


def _enter():
    """Take one thread, and return how many there will be afterwards.

    A thread that is new takes the number that was set last in any other, which is the 1 of those
    inside. One that comes with 1 while there are some gets theirs, as it cannot be told whether it
    is new or was to have no more.
    """
    with _limits_lock:
        n_threads = _use_one_thread()
        if n_threads == 1 and _numbers:
            n_threads = max(_numbers)
        _numbers.append(n_threads)
        _own.is_inside = True
    return n_threads


def _leave(n_threads):
    with _limits_lock:
        _own.is_inside = False
        _numbers.remove(n_threads)
        torch.set_num_threads(n_threads)


def _begin_anew():
    """Forget what a forked process has of the threads that it was forked from."""
    global _lock, _limits_lock  # another thread may have held them
    _lock, _limits_lock = threading.RLock(), threading.Lock()
    _limits.clear()
    _numbers.clear()
    _own.is_inside = False
    _worker.set(None)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def one_by_one(function, *arguments):
    """Map a function over one or two calls, one after the other.

    Parameters
    ----------
    function : callable
        Any.
    *arguments : sequences of one or two
        Values of each argument, as for ``map``.

    Returns
    -------
    list
        What the calls returned.
    """
    return [function(*call) for call in zip(*arguments, strict=True)]


def side_by_side(function, *arguments):
    """Map a function over one or two calls, two of them at once inside of :func:`fixed_order`.

    Parameters
    ----------
    function : callable
        Draws nothing at random and changes nothing that the other call reads.
    *arguments : sequences of one or two
        Values of each argument, as for ``map``.

    Returns
    -------
    list
        What the calls returned.
    """
    worker = _worker.get()
    if worker is None or len(arguments[0]) < 2:
        return one_by_one(function, *arguments)
    first, second = zip(*arguments, strict=True)
    try:
        result = worker.submit(function, *first)
    except RuntimeError:  # Python ends, and this thread outlives the main one
        return one_by_one(function, *arguments)
    other = function(*second)
    return [result.result(), other]


def by_blocks(function, *arrays):
    """Call a function of rows on blocks of them, two side by side, and join what it returns.

    Parameters
    ----------
    function : callable
        Takes rows of each array and returns an array, or a tuple of arrays, with as many. What it
        says of a row does not depend on the others.
    *arrays : ndarray of shape (n_rows, ...)
        Of one length.

    Returns
    -------
    ndarray or tuple of ndarray
        What one call with all rows would return.
    """
    n_pairs = max(-(-len(arrays[0]) // (2 * _BLOCK)), 1)
    blocks = zip(*(np.array_split(array, 2 * n_pairs) for array in arrays), strict=True)
    # one row makes one block, and no rows make one too
    blocks = [block for block in blocks if len(block[0])] or [arrays]
    results = []
    with _one_blas_thread():
        for i in range(0, len(blocks), 2):
            results += side_by_side(function, *zip(*blocks[i : i + 2], strict=True))
    if isinstance(results[0], tuple):
        return tuple(np.concatenate(parts) for parts in zip(*results, strict=True))
    return np.concatenate(results)


@contextmanager
def _one_blas_thread():
    """Let numpy and scipy multiply with one thread while inside, as scikit-learn's searches do.

    Each search sets this limit and then puts back what it found, so that two at once may leave it
    behind for good. Here whoever leaves puts back what the last one to come has found.
    """
    with _limits_lock:
        _limits.append(_libraries().limit(limits=1, user_api="blas"))
    try:
        yield
    finally:
        with _limits_lock:
            _limits.pop().restore_original_limits()


@cache
def _libraries():
    """Find the loaded libraries once: that takes longer than many a search."""
    return ThreadpoolController()


@contextmanager
def seeded(seed):
    """Seed torch's global generator, and leave it as it was.

    Modules draw their first weights from it. One thread at a time may be inside.

    Parameters
    ----------
    seed : int
        The seed.

    Yields
    ------
    None
        Nothing.
    """
    # of cards that nobody uses nothing is asked, which would begin to use them
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    with _lock, torch.random.fork_rng(devices):
        (torch.manual_seed if devices else torch.default_generator.manual_seed)(seed)
        yield
