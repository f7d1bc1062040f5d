"""docs/extending.md: the code that it shows is put into the project's packages and runs."""

import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import arms
import generate
import reproduce
import train_cnn
from common import saved
from experiments import study

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"^```python\n# (\S+)\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL))


@pytest.fixture
def example(tmp_path, monkeypatch):
    """Imports an example as the module of the project that its first line names."""
    loaded = []

    def load(path):
        file = tmp_path / path
        file.parent.mkdir(parents=True)
        file.write_text(EXAMPLES[path], encoding="utf-8")
        package = importlib.import_module(path.split("/")[0])
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / path.split("/")[0])])
        loaded.append(path.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
        return importlib.import_module(loaded[-1])

    yield load
    for name in loaded:
        sys.modules.pop(name, None)


def line_of(table, name, **names):
    """Evaluates the line that the page shows for a table: `"name": Thing(...),`."""
    (line,) = re.findall(rf'^    ("{name}": {table}\(.*\),)$', PAGE, flags=re.MULTILINE)
    return eval(f"{{{line}}}", names)


def test_every_example_is_tried():
    assert set(EXAMPLES) == {
        "cnn/mlp.py",
        "arms/smoothing.py",
        "vae_aug/pixels.py",
        "train_pixels.py",
        "experiments/curve/__init__.py",
    }


def test_the_classifier_is_built_from_the_table(example, monkeypatch):
    from cnn import models

    example("cnn/mlp.py")
    monkeypatch.setattr(models, "TABLE", models.TABLE | line_of("Classifier", "mlp", Classifier=models.Classifier))
    network = models.build("mlp", (4, 4, 1), 3)
    probabilities = network.predict(np.zeros((2, 4, 4, 1), np.float32), verbose=0)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert network.count_params() == (16 + 1) * 256 + (256 + 1) * 3
    assert network.layers[0].stddev == models.TABLE["mlp"].noise


def test_the_arm_smooths_labels_and_its_flag_is_checked(example, monkeypatch):
    module = example("arms/smoothing.py")
    monkeypatch.setattr(arms, "MODULES", (*arms.MODULES, module))
    args = train_cnn.parse_args(["-path", "data", "--smoothing", "0.3"])
    (arm,) = arms.read(args, None)
    images, labels = np.zeros((1, 4, 4, 1), np.float32), np.eye(3, dtype=np.float32)[[1]]
    ((joined, smoothed),) = arm.join([(images, labels)], None)
    assert joined is images
    np.testing.assert_allclose(smoothed, [[0.1, 0.8, 0.1]], rtol=1e-6)
    assert (arm.settings, arms.names(args)) == ({"smoothing": 0.3}, ["SMOOTH"])
    with pytest.raises(SystemExit):
        train_cnn.parse_args(["-path", "data", "--smoothing", "0.3", "-chain", "rbm"])


def test_the_generator_is_trained_found_and_drawn_from(example, digits, tmp_path, monkeypatch):
    example("vae_aug/pixels.py")
    monkeypatch.setattr(saved, "KINDS", saved.KINDS | line_of("Kind", "pixels", Kind=saved.Kind))
    monkeypatch.chdir(tmp_path)
    exec(compile(EXAMPLES["train_pixels.py"], "train_pixels.py", "exec"), {})
    generate.main(["-models", "models-pixels", "-out", "gen", "--count", "2"])
    assert sorted(path.relative_to(tmp_path / "gen").as_posix() for path in tmp_path.glob("gen/*/*.png")) == [
        f"{label}/{number}.png" for label in (0, 1, 2) for number in (1, 2)
    ]


def test_the_study_plans_its_cells_and_makes_its_table(example, digits, tmp_path, capsys):
    module = example("experiments/curve/__init__.py")
    assert "curve" in study.names()
    line = ["curve", "-path", str(digits), "--sizes", "1", "5", "--seeds", "2", "--out", str(tmp_path / "grid")]
    reproduce.main([*line, "--dry-run"])
    shown = capsys.readouterr().out.splitlines()
    assert [text.split()[-1] for text in shown[:-1]] == [
        f"classifiers/cnn-{size}-seed{seed}" for seed in (42, 43) for size in (1, 5)
    ]
    frame = pd.DataFrame({"size": [3, 3, 15], "accuracy": [0.25, 0.75, 1.0]})
    (table,) = module.STUDY.report(None, frame, None).tables
    assert table.frame.to_dict("list") == {"size": [3, 15], "accuracy": [0.5, 1.0]}
