"""One file for a fitted sampler: tensors by safetensors, all else as JSON, and no code."""

import glob
import hashlib
import json
import math
import os
import re
import secrets
import stat
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import sklearn
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from sktsgan._arrays import in_parts
from sktsgan._version import __version__

# Raised when files change so that older versions cannot read them.
FORMAT = 1
# What a description that is none makes of the code that reads it.
UNREADABLE = (
    *(AttributeError, IndexError, KeyError, TypeError, ValueError, SyntaxError),
    *(RecursionError, RuntimeError, ArithmeticError, MemoryError),
)
# What labels may take: short text that claims to be long must not fill the memory.
_MAX_BYTES = 2**27
# Characters, of four bytes at most, that leave a temporary name of 255 bytes room for its number.
_MAX_NAME = 60
_MANIFEST, _DIGEST = "sktsgan", "sha256"
# Of the state of a Mersenne twister.
_N_WORDS = 624
# A longer description, of a long training, is a tensor: safetensors bounds what a head may hold.
_MAX_HEAD = 2**22


class Custom:
    """Stands for a parameter that no file holds, as it is code.

    Parameters
    ----------
    name : str
        What it was called.
    """

    def __init__(self, name):
        self.name = name


def write(path, manifest, tensors):
    """Write a file, whole or not at all.

    Parameters
    ----------
    path : str or path-like
        Where to.
    manifest : dict
        What :func:`encode` takes.
    tensors : dict of str to Tensor
        On the CPU, contiguous.
    """
    path = Path(os.path.realpath(at_home(path)))  # a link stays one
    if path.is_dir():
        raise IsADirectoryError(f"'path' must name a file. {path} is a folder.")
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(f"'path' must be a file that may be replaced. {path} is read-only.")
    versions = {"torch": str(torch.__version__), "numpy": np.__version__}
    versions |= {"scikit-learn": sklearn.__version__, "sktsgan": __version__}
    text = json.dumps(encode(manifest | {"format": FORMAT, "versions": versions}))
    metadata = {_MANIFEST: text, _DIGEST: _digest(text, tensors)}
    if len(text) > _MAX_HEAD:
        characters = torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)
        metadata[_MANIFEST], tensors = "", tensors | {_MANIFEST: characters}
    _check_file(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"'path' must be in a folder that is there. Got {path}.")
    # layers may share their weights, which have a place of their own in the file
    write_whole(path, save({name: value.clone() for name, value in tensors.items()}, metadata))


def write_whole(path, data):
    """Write bytes to a file that is there, under its name, only once it is whole.

    Parameters
    ----------
    path : Path
        The file; one that is there is replaced, and keeps its mode.
    data : bytes
        What it is to hold.
    """
    temporary = path.with_name(f".{path.name[:_MAX_NAME]}.{secrets.token_hex(4)}")
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    opener = partial(os.open, mode=0o666 if mode is None else mode)
    try:  # nobody is to read meanwhile who may not read the file
        with open(temporary, "xb", opener=opener) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_remains(path):
    """Remove what a writer of a file left that was killed at it.

    Parameters
    ----------
    path : Path
        The file.
    """
    number = "[0-9a-f]" * 8
    for temporary in path.parent.glob(f".{glob.escape(path.name[:_MAX_NAME])}.{number}"):
        if temporary.is_file():
            temporary.unlink(missing_ok=True)


@contextmanager
def whole_checkpoint(what):
    """Say how to go on where a checkpoint, or a part of it, cannot be read.

    Parameters
    ----------
    what : str or Path
        What is read.

    Raises
    ------
    ValueError
        If it cannot be.
    """
    try:
        yield
    except UNREADABLE as error:
        raise ValueError(
            f"'checkpoint' must be a folder of whole checkpoints. {what} cannot be read "
            f"({str(error).rstrip('.')}). Remove it to begin anew."
        ) from error


def read(path):
    """Read a file and check that it is what was written.

    Parameters
    ----------
    path : str or path-like
        Where from.

    Returns
    -------
    manifest : dict
        As it was given to :func:`write`.
    tensors : dict of str to Tensor
        The tensors.

    Raises
    ------
    ValueError
        If it is no such file, damaged, or from a newer version.
    OSError
        If it cannot be read.
    """
    path = Path(at_home(path))
    _check_file(path)
    # once, and not mapped: a file may be replaced meanwhile, and changed or cut off afterwards
    with path.open("rb") as file:
        try:
            metadata = _read_head(file)
            tensors = load(file.read()) if _MANIFEST in metadata else {}
            if metadata.get(_MANIFEST) == "":
                metadata[_MANIFEST] = _text_of(tensors.pop(_MANIFEST))
        except (SafetensorError, *UNREADABLE) as error:
            raise ValueError(
                f"'path' must be a whole file that 'save' wrote. {path} is damaged or another: "
                f"{error}."
            ) from error
    if _MANIFEST not in metadata:
        raise ValueError(f"'path' must be a file that 'save' wrote. {path} is another.")
    manifest = _parse(metadata[_MANIFEST], path)
    if _digest(metadata[_MANIFEST], tensors) != metadata.get(_DIGEST):
        raise ValueError(f"'path' must be a whole file. {path} was changed since it was saved.")
    return manifest, tensors


def at_home(path):
    """Read ~ as the home folder, where there is one; pathlib would fail where there is none.

    Parameters
    ----------
    path : str or path-like
        A path.

    Returns
    -------
    str
        The path, from the home folder where it began with ~.
    """
    return os.path.expanduser(path)  # noqa: PTH111


def _check_file(path):
    """Refuse what would be waited for, or replaced; a folder is an OSError by itself."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ValueError(f"'path' must be a file. {path} is a device or a pipe.")


def _read_head(file):
    """Read what a file says of itself, and go back: foreign files may be huge."""
    n_bytes = int.from_bytes(file.read(8), "little")
    head = file.read(min(n_bytes, _MAX_BYTES))
    if len(head) < n_bytes:
        raise ValueError("its head is not as long as it says")
    file.seek(0)
    return json.loads(head).get("__metadata__") or {}


def _text_of(characters):
    if characters.dtype != torch.uint8 or characters.ndim != 1:
        raise ValueError("its description is no text")
    return characters.numpy().tobytes().decode()


def _parse(text, path):
    try:
        manifest = decode(json.loads(text))
        number = manifest["format"]
    except UNREADABLE as error:
        raise ValueError(
            f"'path' must be a file that 'save' wrote. What describes {path} cannot be read "
            f"({str(error).rstrip('.')})."
        ) from error
    if not isinstance(number, int) or number > FORMAT:
        raise ValueError(
            f"'path' must be of format {FORMAT} or older. {path} is of format {number!r}; "
            "upgrade sktsgan."
        )
    return manifest


def part_of(tensors, name):
    """Choose the tensors of one network or optimizer.

    Parameters
    ----------
    tensors : dict of str to Tensor
        Of several.
    name : str
        Its name, with which theirs begin.

    Returns
    -------
    dict of str to Tensor
        Its own, by the rest of their names.
    """
    prefix = f"{name}."
    return {
        key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)
    }


def digest_rows(X):
    """Hash an array, which may be memory-mapped, a part at a time.

    Parameters
    ----------
    X : ndarray
        Rows, or labels.

    Returns
    -------
    str
        The hash, of type, shape and values.
    """
    digest = hashlib.sha256(f"{X.dtype} {X.shape}".encode())
    for _, part in in_parts(X):
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


def _digest(text, tensors):
    """Hash the manifest, and names, types, shapes and bytes of all tensors."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        values = tensor.flatten().clone(memory_format=torch.contiguous_format)
        digest.update(values.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def encode(value):
    """Turn a value into what JSON knows; what cannot be kept becomes a name.

    Parameters
    ----------
    value : object
        Numbers, strings, None, lists, tuples, dicts, numpy arrays of labels, numpy types,
        RandomState; all else is code.

    Returns
    -------
    object
        Made of dicts, lists, strings and numbers.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):  # of which longdouble is an item of its own
        return encode(float(value) if isinstance(value, np.longdouble) else value.item())
    for kind, encoder in _ENCODERS.items():
        if isinstance(value, kind):
            return encoder(value)
    return {"custom": getattr(value, "__qualname__", type(value).__qualname__)}


def _encode_labels(labels):
    return {"labels": [encode(labels.dtype)["dtype"], [encode(part) for part in labels]]}


def _encode_random(rng):
    kind = rng.get_state(legacy=False)["bit_generator"]
    if kind != "MT19937":
        raise ValueError(
            "'random_state' must be an int, or a RandomState of numpy's default MT19937, where it "
            f"is written down. Got one of {kind}."
        )
    name, key, *rest = rng.get_state()
    return {"random": [name, key.tolist(), *rest]}


_ENCODERS = {
    list: lambda parts: {"list": [encode(part) for part in parts]},
    tuple: lambda parts: {"tuple": [encode(part) for part in parts]},
    dict: lambda pairs: {"dict": [[encode(key), encode(part)] for key, part in pairs.items()]},
    np.dtype: lambda dtype: {"dtype": "O" if dtype.kind == "O" else dtype.str},
    np.ndarray: _encode_labels,
    np.random.RandomState: _encode_random,
    torch.device: str,
}


def decode(value):
    """Turn what :func:`encode` gave back.

    Parameters
    ----------
    value : object
        Made of dicts, lists, strings and numbers.

    Returns
    -------
    object
        The value; :class:`Custom` for code.

    Raises
    ------
    ValueError
        If it is nothing that :func:`encode` gives.
    """
    if not isinstance(value, dict | list):
        return value
    if isinstance(value, list) or len(value) != 1:
        raise ValueError("not one kind of value")
    ((kind, parts),) = value.items()
    if kind not in _DECODERS:
        raise ValueError(f"an unknown kind {kind!r}")
    return _DECODERS[kind](parts)


def _decode_dtype(text):
    # what labels and rows may have: no objects but strings, no records
    if not (isinstance(text, str) and re.fullmatch("[<>|=]?[biufUO][0-9]{0,5}", text)):
        raise ValueError("a type that no label has")
    return np.dtype(text)


def _decode_labels(parts):
    dtype, values = _decode_dtype(parts[0]), parts[1]
    if not dtype.itemsize or len(values) * dtype.itemsize > _MAX_BYTES:
        raise ValueError("more labels than a sampler has")
    if any(isinstance(part, dict | list) for part in values):
        raise ValueError("labels that are no scalars")
    return np.array(values, dtype=dtype)


def _decode_random(parts):
    name, key, place, has_gauss, gauss = parts
    # numpy takes places beyond its words for words, and draws what is no number
    is_state = len(key) == _N_WORDS and isinstance(place, int) and 0 <= place <= _N_WORDS
    if not (is_state and has_gauss in (0, 1) and math.isfinite(gauss)):
        raise ValueError("a random state that no generator has")
    rng = np.random.RandomState()
    rng.set_state((name, np.array(key, dtype=np.uint32), place, has_gauss, gauss))
    return rng


_DECODERS = {
    "list": lambda parts: [decode(part) for part in parts],
    "tuple": lambda parts: tuple(decode(part) for part in parts),
    "dict": lambda parts: {decode(key): decode(part) for key, part in parts},
    "dtype": _decode_dtype,
    "labels": _decode_labels,
    "random": _decode_random,
    "custom": lambda name: Custom(str(name)),
}
