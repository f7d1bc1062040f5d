"""Who may import whom: the rooms of the project and the arrows between them."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Arrows: who imports whom. Every file is parsed, so an import inside a function counts too.

SCRIPTS = {path.stem for path in ROOT.glob("*.py")}
OURS = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"benchmarks", "tests"}  # the rooms
ALLOWED = {  # for each room, the others that its files may import
    "vae_aug": set(),
    "cnn": set(),
    "images": set(),
    "common": {"images"},
    "arms": {"cnn", "vae_aug", "images", "common"},
    "grid": {"common", "images", "prepare_data"},  # the data's classes are counted, and it is prepared, by the grid
    "report": {"grid", "common", "images"},
    "experiments": {"grid", "report", "common", "cnn", "vae_aug", "prepare_data"},
}
KERAS_FREE = {"cnn": {"protocols", "presets"}, "vae_aug": {"sampling"}}  # what experiments may import of these rooms
# train_vae.py --gen generates at once; train_cnn.py's flags have a file of their own.
BETWEEN_SCRIPTS = {"train_vae.py": {"generate"}, "train_cnn.py": {"train_cnn_flags"}}
DISK = {"pathlib", "json", "zipfile", "os", "shutil", "tempfile", "glob", "io", "pickle", "csv", "h5py", "cv2"}
WRITING = {"open", "save", "savez", "savetxt", "tofile", "to_csv", "save_weights", "load_weights"}
TENSORFLOW = {"common/backend.py", "cnn/augmentation.py"}
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.py", *(f"{room}/**/*.py" for room in OURS))
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


def ours(file):
    """What a file imports of this project, but for its own room."""
    return packages(file) & (OURS | SCRIPTS) - {file.split("/")[0]}


def calls(file):
    """The functions and methods that a file calls, as they are written, e.g. `"np.load"`."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def test_every_room_has_its_arrows():
    assert set(ALLOWED) == OURS
    assert all(files_of(room) for room in OURS)
    assert {"prepare_data", "train_vae", "generate", "train_cnn"} <= SCRIPTS


@pytest.mark.parametrize("file", [file for file in FILES if "/" in file])
def test_a_room_imports_only_the_rooms_that_it_may(file):
    assert ours(file) <= ALLOWED[file.split("/")[0]]


@pytest.mark.parametrize("file", [file for file in FILES if "/" not in file])
def test_scripts_import_no_other_script(file):
    assert packages(file) & SCRIPTS <= BETWEEN_SCRIPTS.get(file, set())


@pytest.mark.parametrize("file", [*files_of("vae_aug"), *files_of("cnn")])
def test_generators_and_classifiers_touch_no_disk(file):
    assert not packages(file) & DISK
    called = calls(file)
    assert not called & {"open", "np.load", "np.fromfile", "keras.models.load_model", "keras.saving.load_model"}
    assert not {name.rpartition(".")[2] for name in called if "." in name} & WRITING


@pytest.mark.parametrize("file", files_of("images"))
def test_images_knows_no_back_end(file):
    assert not packages(file) & {"keras", "tensorflow", "jax", "torch"}


@pytest.mark.parametrize("file", files_of("experiments"))
def test_a_study_knows_no_other_study_and_nothing_that_needs_keras(file):
    own = file.split("/")[1]
    names = imported(file)
    others = {name.split(".")[1] for name in names if name.startswith("experiments.")} - {own, "study"}
    assert not others & {path.parent.name for path in ROOT.glob("experiments/*/__init__.py")}
    for room, free in KERAS_FREE.items():
        assert {name.split(".")[1] for name in names if name.startswith(f"{room}.")} <= free


@pytest.mark.parametrize("file", files_of("report"))
def test_the_report_knows_the_grids_records_alone(file):
    assert {name.split(".")[1] for name in imported(file) if name.startswith("grid.")} <= {"cells"}


@pytest.mark.parametrize("file", files_of("arms"))
def test_arms_never_import_each_other(file):
    of_arms = {name.split(".")[1] for name in imported(file) if name.startswith("arms.")}
    assert of_arms <= {"arm"} or file == "arms/__init__.py"


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
    assert packages(file) <= {"numpy", "collections", "concurrent", "math"}


def test_models_are_found_without_keras():
    code = "import sys, common.saved, generate; print({'keras', 'vae_aug'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert run.stdout.strip() == "set()"
