"""predict.py: what it says is what train_cnn.py found, whatever the image; and classifiers that are fitted at once."""

import csv
import json
import shutil

import cv2
import keras
import numpy as np
import pytest
from conftest import run_here, write_digits
from PIL import Image

from cnn import fitted, models
from images import albums, reading


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_digits(tmp_path_factory.mktemp("predict") / "data", num_train=6, num_test=4, side=8)


@pytest.fixture(scope="module")
def run(data):
    """A run folder of the nearest neighbour, which is fitted in a moment."""
    out = data.parent / "run"
    made = run_here("train_cnn.py", "-path", data, "--model", "neighbours", "-limtr", -1, "-limte", -1, "--out", out)
    assert made.returncode == 0, made.stderr
    return out


def predict(run, *flags):
    return run_here("predict.py", "-model", run, *flags)


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("model", ["neighbours", "conv1"])
def test_predictions_are_those_of_the_training(data, tmp_path, model):
    steps = [] if model == "neighbours" else ["--steps", 3, "-b", 4]
    flags = ["-path", data, "--model", model, "-limtr", -1, "-limte", -1, "--out", tmp_path / "run", *steps]
    assert run_here("train_cnn.py", *flags).returncode == 0
    assert predict(tmp_path / "run", data / "test", "--csv", tmp_path / "p.csv").returncode == 0
    with np.load(tmp_path / "run" / "predictions.npz") as found:
        wanted = dict(zip(found["files"].tolist(), found["probabilities"], strict=True))
    made = rows(tmp_path / "p.csv")
    assert len(made) == len(wanted) == 12
    for row in made:
        name = "/".join(row["file"].split("/")[-2:])
        values = [float(row[f"probability {k}"]) for k in range(3)]
        assert values == pytest.approx(wanted[name].tolist(), abs=2e-6)
        assert row["class"] == str(wanted[name].argmax())


def test_a_neighbour_is_the_nearest_in_pixels(data, run):
    train = [path for k in range(3) for path in sorted((data / f"train/{k}").iterdir())]
    test = sorted((data / "test/1").iterdir())
    images, queries = (albums.read_images(paths).reshape(len(paths), -1).astype(float) for paths in (train, test))
    nearest = np.square(queries[:, None] - images[None]).sum(-1).argmin(1)
    said = predict(run, *test).stdout.splitlines()
    assert [line.split(": ")[1] for line in said] == [f"{train[k].parent.name} 1.0000" for k in nearest]


def test_any_readable_image_is_prepared_as_in_training(data, run, tmp_path):
    source = sorted((data / "test/2").iterdir())[0]
    image = cv2.imread(str(source), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(tmp_path / "colour.png"), np.repeat(image[..., None], 3, -1))
    cv2.imwrite(str(tmp_path / "large.bmp"), image.repeat(5, 0).repeat(5, 1))
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned: it is shown right when turned a quarter clockwise
    Image.fromarray(np.rot90(image)).save(tmp_path / "turned.png", exif=exif)
    said = predict(run, source, *(tmp_path / name for name in ("colour.png", "large.bmp", "turned.png")))
    answers = [line.split(": ")[1] for line in said.stdout.splitlines()]
    assert len(answers) == 4
    assert len(set(answers)) == 1


def test_damaged_files_are_named_or_passed_over(data, run, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    shutil.copy(sorted((data / "test/0").iterdir())[0], folder / "good.png")
    (folder / "bad.png").write_bytes(b"no image")
    found = predict(run, folder, "--csv", tmp_path / "p.csv")
    assert found.returncode == 2
    assert f"{folder / 'bad.png'}: not a readable image" in found.stderr
    assert not list(tmp_path.glob("p.csv*"))
    found = predict(run, folder, "--skip-unreadable", "--csv", tmp_path / "p.csv")
    assert found.returncode == 0
    assert [row["file"] for row in rows(tmp_path / "p.csv")] == [str(folder / "good.png")]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda run: shutil.rmtree(run), "no such folder"),
        (lambda run: (run / "model.keras").unlink(), "model.keras: no such file"),
        (lambda run: (run / "model.keras").write_bytes(b"PK"), "model.keras: not a readable model"),
        (lambda run: (run / "result.json").write_text("{}"), "does not say which classes"),
        (lambda run: (run / "config.json").unlink(), "config.json: no such file"),
    ],
)
def test_what_is_no_run_folder_is_refused(data, run, tmp_path, spoil, words):
    shutil.copytree(run, tmp_path / "run")
    spoil(tmp_path / "run")
    found = predict(tmp_path / "run", data / "test")
    assert (found.returncode, words in found.stderr) == (2, True), found.stderr


def test_what_is_no_image_is_refused_before_a_model_is_loaded(run, tmp_path):
    (tmp_path / "empty").mkdir()
    for given, words in ((tmp_path / "none.png", "no such file"), (tmp_path / "empty", "no images in it")):
        found = predict(run, given)
        assert (found.returncode, words in found.stderr) == (2, True)


def test_fitted_classifiers_take_no_steps_and_nothing_joins_them(data, run):
    result = json.loads((run / "result.json").read_text())
    assert (result["arm"], result["steps"], result["epochs"]) == ("NEIGHBOURS", 0, 0)
    for flags in (["--aug"], ["--mixup", 0.2], ["--protocol", "validated"]):
        found = run_here("train_cnn.py", "-path", data, "--model", "neighbours", *flags)
        assert (found.returncode, "is fitted to the real images in one go" in found.stderr) == (2, True)


@pytest.mark.parametrize("flags", [["--loss", "cosine"], ["--noise", 0.1], ["--steps", 5], ["-e", 2]])
def test_flags_that_mean_nothing_to_a_fitted_classifier_are_refused(data, flags):
    found = run_here("train_cnn.py", "-path", data, "--model", "neighbours", *flags)
    assert (found.returncode, "is fitted in one go, without steps, noise or a loss" in found.stderr) == (2, True)


def test_another_file_of_weights_is_another_run(data, monkeypatch, tmp_path):
    def fit(name, images, labels, num_classes, pretrained):
        return keras.Sequential([keras.Input(images.shape[1:]), keras.layers.Flatten(), keras.layers.Dense(3)])

    monkeypatch.setattr(models, "fit", fit)
    flags = ["-path", data, "--model", "imagenet", "--pretrained", tmp_path / "weights.h5", "--out", tmp_path / "run"]
    (tmp_path / "weights.h5").write_bytes(b"one")
    assert [run_here("train_cnn.py", *flags).returncode for _ in range(2)] == [0, 0]
    (tmp_path / "weights.h5").write_bytes(b"two")
    found = run_here("train_cnn.py", *flags)
    assert (found.returncode, "made with data pretrained=" in found.stderr) == (2, True), found.stderr


def test_files_of_16_bits_are_as_bright_as_in_training(data, tmp_path, caplog):
    for path in sorted((data / "train").glob("*/*.png")) + sorted((data / "test").glob("*/*.png")):
        copy = tmp_path / "data" / path.relative_to(data)
        copy.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(copy), cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(np.uint16) * 16)
    flags = ["-path", tmp_path / "data", "--model", "neighbours", "-limtr", -1, "-limte", -1, "--out", tmp_path / "run"]
    assert run_here("train_cnn.py", *flags).returncode == 0
    assert json.loads((tmp_path / "run/result.json").read_text())["levels"] == 4095
    one = sorted((tmp_path / "data/test/1").iterdir())[0]  # alone, it does not tell what is white
    (tmp_path / "alone").mkdir()
    shutil.copy(one, tmp_path / "alone/one.png")
    said = [predict(tmp_path / "run", path).stdout.split(": ")[1] for path in (one, tmp_path / "alone/one.png")]
    eight = predict(tmp_path / "run", data / one.relative_to(tmp_path / "data")).stdout.split(": ")[1]
    assert said == [eight] * 2
    assert "dark" not in caplog.text
    predict(tmp_path / "run", one, "--levels", 65535)
    assert "all images are dark: the brightest level is 15 of 255" in caplog.text


def test_without_a_test_part_there_are_no_scores(data, tmp_path):
    flags = ["--model", "neighbours", "-limtr", -1, "--no-test", "--out", tmp_path / "run"]
    assert run_here("train_cnn.py", "-path", data / "train", *flags).returncode == 0
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert (result["scores"], result["images"]) == (None, {"train": 18, "test": 0, "generated": 0})
    assert not (tmp_path / "run/predictions.npz").exists()
    assert predict(tmp_path / "run", data / "test").returncode == 0


@pytest.mark.parametrize("num_classes", [2, 3])
def test_imagenet_features_are_standardised_and_weighed_as_scikit_learn_does(num_classes, monkeypatch, tmp_path):
    from sklearn.linear_model import LogisticRegression

    def network(input_shape, include_top, pooling, weights):
        assert (input_shape, include_top, pooling, weights) == ((224, 224, 3), False, "avg", "file")
        stack = [keras.Input(input_shape), keras.layers.AveragePooling2D(56), keras.layers.Flatten()]
        return keras.Sequential(stack)

    monkeypatch.setattr(keras.applications, "MobileNetV2", network)
    rng = np.random.default_rng(0)
    images, labels = rng.random((12, 4, 4, 1), np.float32), np.arange(12) % num_classes
    model = fitted.fit_imagenet(images, labels, num_classes, "file")
    found = np.array(model(images))
    features = np.array(keras.Model(model.inputs, model.layers[-1].input)(images))
    scaled = (features - features.mean(0)) / features.std(0)
    wanted = LogisticRegression(max_iter=1000).fit(scaled, labels).predict_proba(scaled)
    assert found == pytest.approx(wanted, abs=1e-4)
    assert features.min() < 0  # from -1 on, as MobileNetV2 wants its pixels


def test_weights_that_are_none_are_refused(data, tmp_path):
    (tmp_path / "weights.h5").write_bytes(b"none")
    flags = ["-path", data, "--model", "imagenet", "--pretrained", tmp_path / "weights.h5", "--out", tmp_path / "run"]
    found = run_here("train_cnn.py", *flags)
    assert (found.returncode, "not weights of MobileNetV2" in found.stderr) == (2, True), found.stderr
    assert not (tmp_path / "run").exists()


def recorded(run, black_and_white):
    """A copy of a run folder that says of masks what is given."""
    copy = run.parent / f"says-{black_and_white}"
    if not copy.exists():
        shutil.copytree(run, copy)
        result = json.loads((copy / "result.json").read_text())
        (copy / "result.json").write_text(json.dumps(result | {"black_and_white": black_and_white}))
    return copy


def probabilities(run, tmp_path, *files):
    """What a model says of the first of the files."""
    made = predict(run, *files, "--csv", tmp_path / "p.csv")
    assert made.returncode == 0, made.stderr
    return {name: value for name, value in rows(tmp_path / "p.csv")[0].items() if name != "file"}


def test_what_a_mask_is_does_not_depend_on_the_other_files(data, tmp_path):
    for path in sorted(data.glob("*/*/*.png")):
        copy = tmp_path / "data" / path.relative_to(data)
        copy.parent.mkdir(parents=True, exist_ok=True)
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert cv2.imwrite(str(copy), (image > 127).astype(np.uint8))
    flags = ["-path", tmp_path / "data", "--model", "neighbours", "-limtr", -1, "-limte", -1, "--out", tmp_path / "run"]
    assert run_here("train_cnn.py", *flags).returncode == 0
    assert json.loads((tmp_path / "run/result.json").read_text())["black_and_white"] is True
    mask = sorted((tmp_path / "data/train/2").iterdir())[0]
    photo = sorted((data / "test/0").iterdir())[0]
    alone, beside = (probabilities(tmp_path / "run", tmp_path, *files) for files in ((mask,), (mask, photo)))
    assert alone == beside
    assert alone["class"] == "2"


def test_an_almost_black_image_is_none_of_black_and_white_to_a_model_of_photographs(data, run, tmp_path):
    assert json.loads((run / "result.json").read_text())["black_and_white"] is False
    source = cv2.imread(str(sorted((data / "test/1").iterdir())[0]), cv2.IMREAD_GRAYSCALE)
    for name, image in (("dark", (source > 127).astype(np.uint8)), ("black", np.zeros_like(source))):
        assert cv2.imwrite(str(tmp_path / f"{name}.png"), image)
    dark, black = (probabilities(run, tmp_path, tmp_path / f"{name}.png") for name in ("dark", "black"))
    assert dark == black  # 1 of 255 turns no nearest neighbour
    older = recorded(run, None)  # has to guess
    assert probabilities(older, tmp_path, tmp_path / "dark.png") != black


@pytest.mark.parametrize(
    ("levels", "found"), [((0, 1), True), ((0, 255), None), ((0, 7), False), ((0, 254), False), ((0, 0), None)]
)
def test_which_files_are_black_and_white(tmp_path, levels, found):
    for k in range(2):
        assert cv2.imwrite(str(tmp_path / f"{k}.png"), np.array([[0, levels[k]]], np.uint8))
    assert reading.has_black_and_white([tmp_path / "0.png", tmp_path / "1.png"]) is found
