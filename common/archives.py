"""Saved models and arrays, `.keras` and `.npz`: checked and hashed without Keras, and loaded.

A model from a stranger is code: Keras' loader has guards, and versions before 3.12.4 lack some of them. What is checked
here comes before it: that a file is whole, of a reasonable size when unpacked, and built from Keras' own layers or
ours.
"""

import contextlib
import hashlib
import importlib
import io
import json
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np

from common import cli
from common.errors import BadInput

MOST_BYTES = 2**31  # that a file may unpack to; the largest classifier here, WRN-28-10, takes 150 MB
WEIGHTS = "model.weights.h5"
PACKAGES = ("vae_aug", "cnn")  # whose own layers and models a file may name


class Fingerprint(str):
    """A fingerprint in hexadecimal; `earlier` has those that earlier versions gave to the same input."""

    earlier = ()


def read_parts(path, names=None):
    """The parts of a `.keras` or `.npz` archive, {name: bytes}: all of them, or those of `names`.

    Raises:
        BadInput: it is no whole archive, lacks a part, or would unpack to more than `MOST_BYTES`.
    """
    try:
        with ZipFile(path) as archive:
            size = sum(part.file_size for part in archive.infolist())
            if size > MOST_BYTES:
                raise BadInput(f"{path}: would unpack to {size / 1e9:.1f} GB, at most {MOST_BYTES / 1e9:.1f} are taken")
            return {name: archive.read(name) for name in (archive.namelist() if names is None else names)}
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except (BadZipFile, KeyError, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise BadInput(f"{path}: not a readable {_kind(path)}") from error


def _kind(path):
    return "model" if Path(path).suffix == ".keras" else "file of arrays"


def fingerprint(*paths):
    """SHA-256 of the names, types, shapes and values of all arrays in saved models and `.npz` files.

    Keras names the layers of a model by a counter, and the file holds these names; they are no part of it.

    Raises:
        BadInput: a file is not readable.
    """
    digest, earlier = hashlib.sha256(), hashlib.sha256()
    for path in paths:
        if Path(path).suffix == ".keras":
            packed = read_parts(path, [WEIGHTS])[WEIGHTS]
            arrays = _weights(path, packed)
        else:
            packed = Path(path).read_bytes()
            arrays = sorted(load_arrays(path).items())
        earlier.update(packed)
        for name, array in arrays:
            digest.update(f"{name} {array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array))
    found = Fingerprint(digest.hexdigest())
    found.earlier = (earlier.hexdigest(),)
    return found


def _weights(path, packed):
    """The arrays of a file of weights in order of their names, one at a time."""
    import h5py  # comes with Keras

    try:
        with h5py.File(io.BytesIO(packed)) as file:
            found = {}
            file.visititems(lambda name, item: found.update({name: item} if isinstance(item, h5py.Dataset) else {}))
            size = sum(item.nbytes for item in found.values())
            if size > MOST_BYTES:
                raise BadInput(
                    f"{path}: holds weights of {size / 1e9:.1f} GB, at most {MOST_BYTES / 1e9:.1f} are taken"
                )
            for name in sorted(found):
                yield name, np.asarray(found[name])
    except (OSError, KeyError, TypeError, RuntimeError) as error:
        raise BadInput(f"{path}: not a readable model") from error


def load_arrays(path):
    """Loads a `.npz` file as {name: array}; no pickled objects.

    Raises:
        BadInput: it is not readable, or would unpack to more than `MOST_BYTES`.
    """
    parts = read_parts(path)
    try:
        return {
            name.removesuffix(".npy"): np.lib.format.read_array(io.BytesIO(part), allow_pickle=False)
            for name, part in parts.items()
        }
    except (ValueError, EOFError, OSError, MemoryError) as error:
        raise BadInput(f"{path}: not a readable file of arrays") from error


def check_model(path):
    """Checks a `.keras` file without Keras: whole, of a size to load, and of Keras' layers or ours.

    Raises:
        BadInput: it is not.
    """
    parts = read_parts(path, ["config.json", WEIGHTS])
    try:
        config = json.loads(parts["config.json"])
        wrong = not isinstance(config, dict) or not isinstance(config.get("class_name"), str)
    except (ValueError, RecursionError):
        wrong = True
    if wrong:
        raise BadInput(f"{path}: its config.json describes no model")
    for item in _walk(config):
        registered, mark, _ = str(item.get("registered_name")).partition(">")
        for package in (str(item.get("module") or "keras").split(".")[0], registered if mark else "keras"):
            if package not in ("keras", "builtins", *PACKAGES):
                raise BadInput(f"{path}: built from {package!r}, which is neither Keras' nor ours; it is not loaded")
    for _ in _weights(path, parts[WEIGHTS]):
        pass


def _walk(config):
    """All dicts inside a value read from JSON; without recursion, for it may be nested as deep as one likes."""
    waiting = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            item = item.values()
        if not isinstance(item, str | int | float | None):
            waiting.extend(item)


def load_model(path):
    """Loads a `.keras` file, not compiled; the back end must have been configured.

    Raises:
        BadInput: it is not such as `check_model` wants, or Keras cannot load it.
    """
    check_model(path)
    import keras

    for package in PACKAGES:
        importlib.import_module(f"{package}.registered")
    model = _with_reason(path, lambda: keras.saving.load_model(path, compile=False, safe_mode=True))
    if not model.weights:  # of an empty description some versions of Keras make an empty model
        raise BadInput(f"{path}: its config.json describes no model")
    return model


def save_model(model, path):
    """Writes a trained model to a `.keras` file as if not compiled: an optimizer's state is half of a file or more.

    (Keras' own `include_optimizer=False` is for HDF5 files and does nothing for a `.keras` file.)
    """
    compiled = [part for part in (model, *model.layers) if getattr(part, "compiled", False)]  # networks of an average
    optimizers = [part.optimizer for part in compiled]
    try:
        for part in compiled:
            part.optimizer, part.compiled = None, False
        model.save(path)
    finally:
        for part, optimizer in zip(compiled, optimizers, strict=True):
            part.optimizer, part.compiled = optimizer, True


def load_weights(model, path):
    """Loads the weights of a `.keras` file into a model of the same kind, whose traced graph stays.

    Raises:
        BadInput: the file is not readable, or not of such a model.
    """
    check_model(path)
    _with_reason(path, lambda: model.load_weights(path))


def _with_reason(path, load):
    try:
        return load()
    except Exception as error:  # Keras and its back ends raise what they like
        reason = " ".join(str(error).split())
        reason = reason if len(reason) <= 150 else f"{reason[:147]}..."
        raise BadInput(f"{path}: not a model that Keras can load ({type(error).__name__}: {reason})") from error


@contextlib.contextmanager
def loading_weights(network, asked, flag, file=None):
    """Makes one line of whatever goes wrong while Keras loads or downloads trained weights.

    Args:
        network: whose weights they are, e.g. `"InceptionV3"`.
        asked: the flag that asked for the network, e.g. `"--features inception"`.
        flag: the flag that names a file of weights, e.g. `"--inception-weights"`.
        file: that file, or None where Keras downloads them.

    Raises:
        BadInput: the file holds no such weights, or the download failed.
    """
    try:
        yield
    except Exception as error:  # Keras wraps a failed download in a plain Exception, and h5py raises what it likes
        if cli.is_plain(error) and not isinstance(error, OSError):
            raise
        reason = " ".join(str(error).split())[:150]
        if file:
            raise BadInput(f"{flag} {file}: not weights of {network} ({reason})") from None
        raise BadInput(
            f"{asked}: Keras could not download the weights of {network} ({reason}); give the file with {flag}"
        ) from None
