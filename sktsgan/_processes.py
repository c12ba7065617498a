"""One training on several processes: who they are, and what they tell each other."""

import atexit
import importlib
import itertools
import multiprocessing
import os
import threading
import traceback
from dataclasses import dataclass

import numpy as np
import torch
from torch import distributed

# Variable with the number of the process that has joined. What it starts inherits its place too.
_JOINED = "SKTSGAN_JOINED"


@dataclass(frozen=True)
class Processes:
    """The processes that train together, one of which this is.

    Attributes
    ----------
    rank : int
        Number of this process; the first, 0, measures and writes.
    n : int
        Number of processes.
    """

    rank: int = 0
    n: int = 1

    @classmethod
    def joined(cls):
        """Join those that ``torchrun`` or ``accelerate launch`` started, or stay alone.

        Workers that a process started for itself (joblib's, Dask's, or, once it has joined, another
        Python) stay alone, and so do its threads: they have work of their own.

        Returns
        -------
        Processes
            Those that take part.
        """
        if threading.current_thread() is not threading.main_thread() or _inherited.is_set():
            return cls()
        if not distributed.is_available():
            return cls()
        if not distributed.is_initialized():
            if not _is_launched():
                return cls()
            if torch.cuda.is_available():
                torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
            # A module that takes the group as a default argument when first imported, and would
            # keep it alive after _leave: a thread of gloo's that then ends last aborts Python.
            importlib.import_module("torch.distributed.nn.functional")
            _connect()
            atexit.register(_leave)
        os.environ[_JOINED] = str(os.getpid())
        return cls(distributed.get_rank(), distributed.get_world_size())

    @classmethod
    def is_first(cls):
        """Say whether this process is the one that writes, without waiting for the others.

        Returns
        -------
        bool
            Whether its rank is 0.
        """
        if distributed.is_available() and distributed.is_initialized():
            return not cls.joined().rank
        return not (_is_launched() and int(os.environ["RANK"]))

    def shard(self, y):
        """Choose this process's rows: of each class every n-th, as many in each process.

        Parameters
        ----------
        y : ndarray of int of shape (n_samples,)
            Classes of all rows.

        Returns
        -------
        ndarray of int
            Places in `y`, in ascending order but for rows that come twice since a class
            cannot be divided by `n`.
        """
        if self.n == 1:
            return np.arange(len(y))
        places = []
        for label in np.unique(y):
            own = np.flatnonzero(y == label)
            n_rows = -(-len(own) // self.n)
            places.append(own[(self.rank + self.n * np.arange(n_rows)) % len(own)])
        return np.concatenate(places)

    def part(self, X):
        """Choose this process's part of rows that are gone through once.

        Parameters
        ----------
        X : ndarray of shape (n_samples, ...)
            All rows.

        Returns
        -------
        start : int
            Index of the first row of the part.
        part : ndarray of shape (n_part, ...)
            Rows that follow one another.
        """
        start, stop = (len(X) * rank // self.n for rank in (self.rank, self.rank + 1))
        return start, X[start:stop]

    def check_same(self, fingerprint):
        """Compare what is known of rows and training with that of the first process.

        Parameters
        ----------
        fingerprint : dict
            What must be equal, by name.

        Raises
        ------
        ValueError
            If it is not, in all processes: one that goes on alone would wait for the others.
        """
        first = self.of_first(fingerprint)

        def _compare():
            different = [name for name in fingerprint if fingerprint[name] != first[name]]
            if different:
                raise ValueError(
                    "X, y, parameters and what training goes on from must be the same in all "
                    "processes, each of which takes its share of the rows. Those of process "
                    f"{self.rank} differ from those of process 0 in {', '.join(different)}."
                )

        self.agree(_compare)

    def average(self, tensors):
        """Average tensors over all processes, in place.

        Parameters
        ----------
        tensors : list of Tensor
            As many and of the same shapes in each process.
        """
        if self.n == 1 or not tensors:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        self._together(distributed.all_reduce, flat)
        flat /= self.n
        for tensor, mean in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(mean.view_as(tensor))

    def sum(self, array):
        """Sum arrays over all processes.

        Parameters
        ----------
        array : ndarray
            Of the same shape in each process.

        Returns
        -------
        ndarray
            The same sum in each process.
        """
        if self.n == 1:
            return array
        total = torch.as_tensor(array)
        self._together(distributed.all_reduce, total)
        return total.numpy()

    def of_first(self, value):
        """Return the first process's value in all of them.

        Parameters
        ----------
        value : object
            Only the first process's counts.

        Returns
        -------
        object
            The first process's own, or a copy.
        """
        if self.n == 1:
            return value
        values = [None if self.rank else value]
        self._together(distributed.broadcast_object_list, values, src=0)
        return values[0] if self.rank else value

    def gather(self, value):
        """Return the values of all processes.

        Parameters
        ----------
        value : object
            One of each process.

        Returns
        -------
        list
            By rank.
        """
        values = [value] * self.n
        if self.n > 1:
            self._together(distributed.all_gather_object, values, value)
        return values

    def agree(self, check):
        """Run a check in each process, and raise in all what one of them raises.

        Parameters
        ----------
        check : callable
            Raises a ValueError, a TypeError or an OSError where something is wrong, and nothing
            else.

        Returns
        -------
        object
            What it returns in this process.
        """
        error = value = None
        try:
            value = check()
        except (TypeError, ValueError, OSError) as caught:
            error = caught
        errors = [error for error in self.gather(error) if error is not None]
        if errors:
            raise error or errors[0]
        return value

    def _together(self, function, *args, **kwargs):
        try:
            function(*args, **kwargs)
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            traceback.clear_frames(error.__traceback__)  # they hold the group, which is to end
            raise RuntimeError(
                f"Process {self.rank} of {self.n} waited in vain for the others, one of which has "
                "ended or been silent for too long. Start all of them again; where 'checkpoint' is "
                f"set, training goes on from there. The error was: {reason}"
            ) from error


ALONE = Processes()


# Counts the groups that this process was in, as all of them do.
_groups = itertools.count()


def _connect():
    """Meet the other processes; where torchrun starts them again, none of those that are gone."""
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        distributed.init_process_group()
        return
    # torchrun keeps its store through restarts, with the addresses of processes that have ended
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    use_libuv = os.environ.get("USE_LIBUV", "1") == "1"  # as torch reads it; Windows may lack it
    store = distributed.TCPStore(address, port, is_master=False, use_libuv=use_libuv)
    # nor of a group that was left by `destroy_process_group`
    restarts = os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)
    attempt = f"attempt {restarts}, group {next(_groups)}"
    rank, n = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    store = distributed.PrefixStore(attempt, store)
    distributed.init_process_group(store=store, rank=rank, world_size=n)


def _is_launched():
    """Say whether a launcher has named this process's place among others."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
    return (
        all(os.environ.get(name) for name in names)
        and int(os.environ["WORLD_SIZE"]) > 1
        and multiprocessing.parent_process() is None
        and os.environ.get(_JOINED) in (None, str(os.getpid()))
    )


def _leave():
    if distributed.is_initialized() and not _inherited.is_set():
        distributed.destroy_process_group()


def _note_fork():
    if distributed.is_available() and distributed.is_initialized():
        _inherited.set()


# Set in a worker that was forked from a process of a group, whose connections are not its own.
_inherited = threading.Event()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)
