"""Reads what a run folder of train_cnn.py tells of its classifier, without Keras."""

from pathlib import Path
from typing import Any, NamedTuple

from common import archives, runs
from common.errors import BadInput


class Trained(NamedTuple):
    """A saved classifier.

    Attributes:
        path: its model.keras, which `archives.check_model` has read.
        model: its name in `cnn.models.TABLE`, or None where no result.json gives one, as of a model from elsewhere.
        classes: the names of its classes, in the order of its outputs; None where there is no result.json.
        settings: those of its training.
        levels: the level of 16-bit files that was white in the training, or None.
        black_and_white: whether files of the levels 0 and 1 alone are black and white; None: the files have to tell.
    """

    path: Path
    model: str | None
    classes: list | None
    settings: dict
    levels: int | None
    black_and_white: Any

    @property
    def binarise(self):
        """Whether it learned from binarised images."""
        return bool(self.settings.get("binarise"))


def read(run):
    """Reads a run folder; gives `Trained`.

    Raises:
        BadInput: model.keras or config.json is not there or not readable, or result.json does not name the classes.
    """
    run = Path(run)
    archives.check_model(run / "model.keras")
    config, result = runs.read_json(run / "config.json"), {}
    if not isinstance(config, dict) or not isinstance(config.get("settings"), dict):
        raise BadInput(f"{run / 'config.json'}: does not say how the classifier was trained")
    if (run / "result.json").exists():
        result = runs.read_json(run / "result.json")
        if not isinstance(result, dict) or not isinstance(result.get("classes"), list):
            raise BadInput(f"{run / 'result.json'}: does not say which classes the model knows")
    return Trained(
        path=run / "model.keras",
        model=result["model"] if isinstance(result.get("model"), str) else None,
        classes=list(map(str, result["classes"])) if result else None,
        settings=config["settings"],
        levels=result.get("levels"),
        black_and_white=result.get("black_and_white"),
    )
