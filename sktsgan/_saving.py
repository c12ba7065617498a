"""Saving and loading a sampler, and finding the checkpoint of a run."""

import copy
import math
import os
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sktsgan import _store
from sktsgan._callbacks import BestByMMD
from sktsgan._devices import check_device
from sktsgan._parameters import check_parameters
from sktsgan._processes import Processes
from sktsgan._signals import BOUNDED_REACH, SignalScaler
from sktsgan._threads import fixed_order, seeded
from sktsgan._types import is_narrow, rounding_of

# Values in a row; what claims to have more is no file of ours.
_MAX_VALUES = 2**24


# Where someone else writes is not for a file to say, and callbacks are code.
_NOT_KEPT = {"checkpoint": None, "callbacks": None}
# What comes out does not depend on these ...
_OF_A_CALL = ("callbacks", "checkpoint", "n_jobs", "verbose")
# ... nor does a training on these.
_OF_NEW_ROWS = (
    "sampling_strategy",
    "selection",
    "interpolation_fraction",
    "max_shift",
    "variation",
    "detail_fraction",
    "replicate_fraction",
)


class _CallerError(Exception):
    """What the caller has to change, where the file is as it should be."""


def _are_narrow(types):
    return all(is_narrow(np.dtype(name)) for name in types[types != ""].tolist())


def are_same(one, other):
    """Compare two values of a parameter; arrays and partial functions have no ``==`` for that.

    Parameters
    ----------
    one, other : object
        The values. Partial functions are the same when what they hold is.

    Returns
    -------
    bool
        Whether they are; a list and a tuple of the same values are.
    """
    one, other = _taken_apart(one), _taken_apart(other)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(are_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(are_same(one[key], other[key]) for key in one)
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    return one == other


def _taken_apart(value):
    return [value.func, value.args, value.keywords] if isinstance(value, partial) else value


def _differences(before, now):
    """Name what a run differs in from the one before."""
    old, new = before["parameters"], now["parameters"]
    different = [f"'{name}'" for name in new if old.get(name) != new[name]]
    names = {"rows": "rows", "labels": "labels", "processes": "number of processes"}
    return different + [f"the {names[name]}" for name in names if before[name] != now[name]]


def _another_run(folder, different):
    return ValueError(
        f"'checkpoint' must be a folder of the same run. That in {folder} differs in "
        f"{', '.join(different)}; name another folder, or remove this one."
    )


def _read_whole(path):
    with _store.whole_checkpoint(path):
        return _store.read(path)


def _said(error):
    """Return the first line of an error, or its kind where it says nothing."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


class SavingMixin:
    """What a sampler does with files."""

    def save(self, path):
        """Write the fitted sampler to one file, whole or not at all.

        The file holds tensors (safetensors) and a description in JSON, and no code: networks and
        losses of your own, a function for `sampling_strategy`, all callbacks and `checkpoint` are
        left out, and given to :meth:`load` again.

        Parameters
        ----------
        path : str or path-like
            Where to; a file that is there is replaced.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the sampler has not been fitted.
        TypeError
            If it is of a class of your own that takes fewer parameters.
        ValueError
            If a parameter that was set since has no such value.
        OSError
            If the file cannot be written.
        """
        check_is_fitted(self, "net_")
        for name in self._fixed:
            if name not in self._get_param_names():
                raise TypeError(
                    "A sampler that is saved must take all parameters on which weights depend. "
                    f"{type(self).__name__} does not take {name!r}; pickle it."
                )
        self._validate_params()
        check_parameters(self)
        if not Processes.is_first():
            return
        places = {net: str(i) for i, net in enumerate(dict.fromkeys(self._nets.values()))}
        tensors = {
            f"net{place}.{name}": value
            for net, place in places.items()
            for name, value in net.tensors().items()
        }
        arrays = {f"few{i}": X for i, X in self._few_rows.items()} | {"counts": self._counts}
        arrays |= {"center": self._scaler.center, "scale": self._scaler.scale}
        if hasattr(self, "synthetic_mask_"):
            arrays["synthetic_mask"] = self.synthetic_mask_
        # copied, as joblib may have mapped them, to be read alone
        tensors |= {name: torch.from_numpy(value.copy()) for name, value in arrays.items()}
        manifest = {
            "parameters": self.get_params(deep=False) | self._built_with | _NOT_KEPT,
            "classes": self.classes_,
            "dtype": self._dtype,
            "whole": self._narrow,
            "row_shape": list(self._row_shape),
            "signal_shape": list(self._signal_shape),
            "sampling_strategy": dict(self.sampling_strategy_),
            "n_features_in": self.n_features_in_,
            "feature_names_in": getattr(self, "feature_names_in_", None),
            "nets": {int(label): places[net] for label, net in self._nets.items()},
            "states": {place: net.description() for net, place in places.items()},
        }
        _store.write(path, manifest, tensors)

    @classmethod
    @torch.inference_mode(mode=False)  # training goes on with what is read
    def load(cls, path, **custom):
        """Read a sampler that :meth:`save` wrote.

        Nothing in the file is executed. A loaded sampler draws the rows that the saved one would.

        Parameters
        ----------
        path : str or path-like
            Where from.
        **custom : dict
            Parameters that were code when the sampler was saved, such as ``generator``, by name;
            `callbacks` and `checkpoint` are None if they are not given again. Others replace those
            in the file, but for those on which the weights depend.

        Returns
        -------
        StaGANSampler
            The fitted sampler.

        Raises
        ------
        ValueError
            If the file is damaged, of another kind or from a newer version, a parameter that
            was code is not given, or one on which the weights depend is another.
        TypeError
            If a name in `custom` is no parameter.
        OSError
            If the file cannot be read.
        """
        for name in custom:
            if name not in cls._get_param_names():
                raise TypeError(f"'{name}' must be a parameter of {cls.__name__}. It is none.")
        manifest, tensors = _store.read(path)
        try:
            return cls._restored(manifest, tensors, custom)
        except _CallerError as error:
            raise ValueError(str(error)) from None
        except _store.UNREADABLE as error:
            raise ValueError(
                f"'path' must be a file that 'save' wrote. {path} does not describe a sampler: "
                f"{_said(error).rstrip('.')}."
            ) from error

    @classmethod
    def _restored(cls, manifest, tensors, custom):
        parameters = manifest["parameters"] | _NOT_KEPT | custom
        for name, value in parameters.items():
            if isinstance(value, _store.Custom):
                raise _CallerError(
                    f"'{name}' must be given to 'load', as it was code ({value.name}) when the "
                    f"sampler was saved; no file holds that."
                )
        for name in (name for name in cls._fixed if name in custom):
            saved, given = manifest["parameters"][name], custom[name]
            is_code = isinstance(saved, _store.Custom)
            if not (callable(given) if is_code else are_same(given, saved)):
                what = f"which was code ({saved.name})" if is_code else repr(saved)
                raise _CallerError(
                    f"'{name}' must be that of the saved sampler, {what}. Got {given!r}."
                )
        sampler = cls(**parameters)
        try:
            sampler._validate_params()
            check_parameters(sampler)
        except (TypeError, ValueError) as error:
            if not custom:
                raise
            raise _CallerError(str(error)) from error
        sampler._built_with = sampler._fixed_parameters()
        sampler._set_description(manifest, tensors)
        sampler._set_results(sampler._restored_nets(manifest, tensors))
        return sampler

    def _set_description(self, manifest, tensors):
        """Set what is known of the rows."""
        kinds = {"classes": np.ndarray, "dtype": np.dtype, "sampling_strategy": dict}
        kinds |= {"n_features_in": int, "feature_names_in": np.ndarray | None, "nets": dict}
        kinds |= {"whole": np.ndarray | None}
        for name, kind in kinds.items():
            if not isinstance(manifest[name], kind):
                raise ValueError(f"its {name} is of another kind")
        self.classes_ = manifest["classes"]
        self._dtype, self._narrow = manifest["dtype"], manifest["whole"]
        self._row_shape = tuple(manifest["row_shape"])
        self._signal_shape = tuple(manifest["signal_shape"])
        self.sampling_strategy_ = manifest["sampling_strategy"]
        self.n_features_in_ = manifest["n_features_in"]
        if manifest["feature_names_in"] is not None:
            self.feature_names_in_ = manifest["feature_names_in"]
        self._counts = tensors["counts"].numpy()
        center, scale = (tensors[name].numpy() for name in ("center", "scale"))
        reach = BOUNDED_REACH if self._is_private else np.inf
        self._scaler = SignalScaler(center, scale, rounding_of(self._dtype), reach)
        if "synthetic_mask" in tensors:
            self.synthetic_mask_ = tensors["synthetic_mask"].numpy()
        labels = range(len(self.classes_))
        self._few_rows = {i: tensors[f"few{i}"].numpy() for i in labels if f"few{i}" in tensors}
        self._check_sizes(manifest["nets"].keys())

    def _check_sizes(self, learned):
        """Refuse sizes other than those of the tensors, and tensors that no rows can have left."""
        n_classes, n_channels = len(self.classes_), self._signal_shape[0]
        size = math.prod(self._signal_shape)
        if not (
            0 < size == math.prod(self._row_shape) <= _MAX_VALUES
            and all(type(n) is int and n > 0 for n in self._signal_shape + self._row_shape)
            and self.n_features_in_ == self._row_shape[0]
            and np.shape(getattr(self, "feature_names_in_", [0] * self.n_features_in_))
            == self._row_shape[:1]
            and getattr(self, "synthetic_mask_", np.zeros(1, dtype=bool)).dtype == bool
            and self._dtype.kind in "fiu"
            and (
                self._narrow is None
                or (self._narrow.shape == self._row_shape and _are_narrow(self._narrow))
            )
            and self._counts.shape == (n_classes,)
            and self._counts.dtype == np.int64
            and self._counts.min() >= 0
            and self._counts.sum() > 0
            and self._scaler.center.shape == self._scaler.scale.shape == (n_channels, 1)
            and np.isfinite(self._scaler.center).all()
            and np.isfinite(self._scaler.scale).all()
            and self._scaler.scale.min() >= 0
            and all(X.shape[1:] == self._signal_shape for X in self._few_rows.values())
            and all(len(X) and self._are_finite(X) for X in self._few_rows.values())
            and set(np.flatnonzero(self._counts).tolist())
            <= self._few_rows.keys() | learned
            <= set(range(n_classes))
            and np.array_equal(np.unique(self.classes_), self.classes_)
        ):
            raise ValueError("its parts are of different sizes")

    def _are_finite(self, X):
        """Say whether rows are in any unit; they may be too large for that of the training rows."""
        with np.errstate(over="ignore"):
            return np.isfinite(X).all() and np.isfinite(self._scaler.restored(X)).all()

    def _restored_nets(self, manifest, tensors):
        """Build the nets, by class, and refuse a device that is not there."""
        n_layers = max(self.n_layers, len(self.discriminator_channels))
        if manifest["states"] and n_layers > len(tensors):
            raise ValueError("it has fewer weights than layers")
        try:
            nets, device = {}, check_device(self.device)
        except ValueError as error:
            raise _CallerError(
                f"'device' must be one that is there. Got {self.device!r}; call "
                "load(path, device='auto')."
            ) from error
        for place, description in manifest["states"].items():
            owners = [label for label, other in manifest["nets"].items() if other == place]
            own = _store.part_of(tensors, f"net{place}")
            nets[place] = self._restored_net(description, own, owners, device)
        return {label: nets[place] for label, place in manifest["nets"].items()}

    def _restored_net(self, description, tensors, owners, device):
        """Build a net, once the sizes of its networks are known to be those of the weights."""
        names = {"module_": "generator", "discriminator_": "discriminator"}
        known = [part for part, name in names.items() if not callable(getattr(self, name))]
        code = [f"'{name}'" for part, name in names.items() if part not in known]
        group = np.array(description["classes"])
        there = np.intersect1d(group, np.arange(len(self.classes_)))
        if not (np.array_equal(group, there) and np.isin(owners, group).all()):
            raise ValueError("its networks have other classes")
        net = self._build_net(self._signal_shape, len(group), device, check_random_state(0))
        net.classes_, net.best_ = group, BestByMMD({})
        net.check_fits(tensors, known)
        weights = _store.part_of(tensors, "average_").values()
        if "module_" in known and not all(value.isfinite().all() for value in weights):
            raise ValueError("its weights are not finite")
        seed = int(description["seed"])  # networks of one's own may draw what no file holds
        try:
            with fixed_order(), seeded(seed):
                net.initialize()
            net.load_tensors(tensors)
        except _store.UNREADABLE as error:
            if not code:
                raise
            raise _CallerError(
                f"{' and '.join(code)} must be that of the saved sampler. It does not take the "
                f"weights: {_said(error)}"
            ) from error
        net.set_description(description)
        return net

    def _open_checkpoint(self, signals, labels, own, rng, processes):
        """Return a checkpoint's path, the run, and what was saved, as whose run `rng` is set."""
        if self.checkpoint is None:
            return None, None, None
        if not os.fspath(self.checkpoint):
            raise ValueError("'checkpoint' must name a folder. Got ''; '.' is where you are.")
        _store.encode(rng)  # before training, not after its first epoch
        # workers that are there already may be in another folder
        folder = Path(_store.at_home(self.checkpoint)).absolute()
        name = "all" if self.conditioning == "shared" else own[0]
        path = folder / f"{name}.safetensors"
        processes.agree(lambda: processes.rank or self._make_folder(path))
        run = {
            "parameters": self._encoded_parameters(leave_out=_OF_NEW_ROWS),
            "processes": processes.n,
            "rows": _store.digest_rows(signals),
            "labels": _store.digest_rows(labels),
        }
        saved = self._find_saved(path, run, rng, processes)
        return path, {"run": run, "rng": copy.deepcopy(rng)}, saved

    def _make_folder(self, path):
        """Make the folder of a checkpoint, where no file or other run is in its place."""
        folder = path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise ValueError(
                f"'checkpoint' must be a folder. {folder} is a file; name another place."
            ) from error
        _store.remove_remains(path)
        is_shared = self.conditioning == "shared"
        others = folder.glob("[0-9]*.safetensors") if is_shared else [path.with_stem("all")]
        if any(other.exists() for other in others):
            raise _another_run(folder, ["'conditioning'"])

    def _encoded_parameters(self, leave_out):
        """Encode the parameters on which rows depend, to compare them."""
        return {
            name: _store.encode(_taken_apart(value))
            for name, value in (self.get_params(deep=False) | self._fixed_parameters()).items()
            if name not in {*_OF_A_CALL, *leave_out}
            and not isinstance(value, np.random.RandomState)
        }

    def _find_saved(self, path, run, rng, processes):
        """Return what a checkpoint has of the same run, as whose `rng` is set, or None."""
        # the first process's file counts: others may be on machines without it
        found = processes.of_first(
            processes.agree(lambda: not processes.rank and path.exists() and _read_whole(path))
        )
        if not found:
            return None
        manifest, tensors = found
        if not {"run", "net"} <= manifest.keys():
            raise ValueError(
                f"'checkpoint' must be a folder of checkpoints. {path} is a file of 'save'; "
                "name another folder."
            )
        with _store.whole_checkpoint(path):
            before, state = manifest["run"]["run"], manifest["run"]["rng"].get_state()
            different = _differences(before, run)
        if different:
            raise _another_run(path.parent, different)
        rng.set_state(state)
        return manifest["net"], tensors
