"""Finds the model that a chain runs on in a folder, without Keras: what a script checks before it loads one."""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile, ZipFile

PLACES = ("rbm.keras", "vae.keras", "joint/vae.keras")  # train_rbm.py's folder; a VAE's; train_vae.py's with --joint


class Saved(NamedTuple):
    path: Path  # the .keras file
    settings: dict  # that it was made with
    sha256: str  # of its weights: a model trained anew is not taken for the old one


def find(folder):
    """The one model of `folder` that can run a chain: an RBM, or a VAE of binary images.

    Raises:
        ValueError: there is none, it is not readable, or it did not learn from binary images.
    """
    paths = [Path(folder) / place for place in PLACES]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise ValueError(
            f"{folder}: no model in it that can run a chain "
            "(train_rbm.py makes one, and train_vae.py --joint --binarise)"
        )
    try:
        settings = json.loads((path.parent / "config.json").read_text(encoding="utf-8"))["settings"]
        is_binary = path.name == "rbm.keras" or settings.get("binarise", False)
        tuple(settings["image_shape"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{path.parent / 'config.json'}: does not say how {path.name} was made") from None
    if not is_binary:
        raise ValueError(f"{path}: a VAE of grey levels; a chain needs one of binary images, train_vae.py --binarise")
    if settings.get("objective") in ("reconstruction", "kl"):
        raise ValueError(
            f"{path}: trained with --objective {settings['objective']}, one term of a VAE's loss alone; a chain "
            "needs both"
        )
    try:
        with ZipFile(path) as archive:
            weights = archive.read("model.weights.h5")
    except (BadZipFile, KeyError):
        raise ValueError(f"{path}: not a readable model") from None
    return Saved(path, settings, hashlib.sha256(weights).hexdigest())


def load(folder):
    """Loads the model that `find` finds; its class has to be imported first, as `vae_aug.chains` imports both."""
    import keras

    return keras.saving.load_model(find(folder).path, compile=False)
