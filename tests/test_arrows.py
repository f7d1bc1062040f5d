"""Who may import whom: the rooms of the project and the arrows between them."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Arrows: who imports whom. Every file is parsed, so an import inside a function counts too.

SCRIPTS = {path.stem for path in ROOT.glob("*.py")} | {"arms", "common", "experiments", "grid", "report"}
ROOMS = ("vae_aug", "cnn", "images", "common", "grid", "report", "experiments")
TENSORFLOW = {"common/backend.py", "cnn/augmentation.py"}
FILES = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.py", *(f"{room}/**/*.py" for room in ROOMS))
    for path in ROOT.glob(pattern)
)


def imported(file):
    """The dotted names of all modules that a file imports; `from a import b` counts as `a` and `a.b`."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports would pass these tests by"
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def packages(file):
    return {name.split(".")[0] for name in imported(file)}


def files_of(room):
    return [file for file in FILES if file.startswith(f"{room}/")]


def test_every_room_has_files():
    assert all(files_of(room) for room in ROOMS)
    assert {"prepare_data", "train_vae", "generate", "train_cnn"} <= SCRIPTS


@pytest.mark.parametrize("file", files_of("vae_aug"))
def test_vae_aug_knows_neither_classifier_nor_folders_nor_scripts(file):
    assert not packages(file) & ({"cnn", "images"} | SCRIPTS)


@pytest.mark.parametrize("file", files_of("cnn"))
def test_cnn_knows_neither_generators_nor_folders_nor_scripts(file):
    assert not packages(file) & ({"vae_aug", "images"} | SCRIPTS)


@pytest.mark.parametrize("file", files_of("images"))
def test_images_knows_no_back_end_and_no_other_room(file):
    assert not packages(file) & ({"keras", "tensorflow", "jax", "torch", "vae_aug", "cnn"} | SCRIPTS)


@pytest.mark.parametrize("file", FILES)
def test_tensorflow_comes_in_by_two_doors(file):
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    uses = any(isinstance(node, ast.Name) and node.id in ("tf", "tensorflow") for node in ast.walk(tree))
    assert ("tensorflow" in packages(file), uses) == (file in TENSORFLOW,) * 2


@pytest.mark.parametrize("model", ["conv", "dense", "vae", "autoencoder", "rbm"])
def test_model_files_share_layers_and_losses_only(model):
    names = {name for name in imported(f"vae_aug/{model}.py") if name.startswith("vae_aug.")}
    assert {name.split(".")[1] for name in names} <= {"layers", "losses"}


@pytest.mark.parametrize("file", ["vae_aug/sampling.py", "cnn/injection.py"])
def test_latents_and_pages_need_no_keras(file):
    assert packages(file) <= {"numpy", "collections", "concurrent"}


def test_models_are_found_without_keras():
    code = "import sys, common.saved, generate; print({'keras', 'vae_aug'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert run.stdout.strip() == "set()"
