"""The scripts in a row on real digits: what they write, that they can be called again, and that seeds decide all."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import keras
import numpy as np
import pandas as pd
import pytest
from conftest import GUARD, ROOT, wait_until, write_digits

import generate
import train_cnn
import train_vae
from common import drawing
from images import albums, codec, folders

pytestmark = [  # Keras' ImageDataGenerator uses an old name of SciPy's, and its saving an old protocol of NumPy's
    pytest.mark.filterwarnings("ignore:Please (import|use) `affine_transform`:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

CLASSES = ("0", "1", "2")
MODEL_FILES = {
    "config.json",
    "decoder.keras",
    "encoder.keras",
    "latents.npz",
    "loss.csv",
    "loss.png",
    "reconstructions.png",
    "split.json",
}
RUN_FILES = {
    "config.json",
    "confusion.png",
    "curves.png",
    "history.csv",
    "model.keras",
    "predictions.npz",
    "report.txt",
    "result.json",
    "subset.json",
}
ARMS = {"CNN": [], "VAE": ["-vae"], "AUG": ["--aug"], "AUG+VAE": ["-vae", "--aug"]}
PROTOCOLS = {"fair": ["--steps", "3", "-e", "3"], "published": ["--protocol", "published", "-e", "2"]}


def names(folder):
    return {path.name for path in Path(folder).iterdir()}


def snapshot(folder):
    """Bytes and time of change of every file under a folder."""
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def pictures(folder):
    return {name: content for name, (content, _) in snapshot(folder).items() if name.endswith(".png")}


def read_result(out):
    return json.loads((Path(out) / "result.json").read_text())


def numbers(out):
    """All of a run's result but its wall time, and its history."""
    result = read_result(out)
    assert result.pop("seconds") > 0
    return result, (Path(out) / "history.csv").read_text()


def train_vaes(data, out, *flags, which=("--all",)):
    """Trains dense VAEs, which are traced sooner than convolutional ones; test_reference.py trains those."""
    small = ["--images", 4, "--epochs", 2, "--latent", 2, "--architecture", "dense"]
    arguments = [*which, "-path", data, "--out", out, *small, *flags]
    train_vae.main([str(argument) for argument in arguments])


def draw(models, out, *flags):
    models = [str(folder) for folder in ([models] if isinstance(models, Path) else models)]
    generate.main(["-models", *models, "-out", str(out), "--count", "12", *map(str, flags)])


def classify(data, out, *flags):
    train_cnn.main(["-path", str(data), "--out", str(out), "-limtr", "4", "-limte", "4", *map(str, flags)])


def flags_of(arm, gen):
    """The flags that make an arm, with the generated images in `gen`."""
    return [part for flag in ARMS[arm] for part in ((flag, gen) if flag == "-vae" else (flag,))]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("pipeline")


@pytest.fixture(scope="module")
def data(root):
    return write_digits(root / "data")


@pytest.fixture(scope="module")
def models(root, data):
    train_vaes(data, root / "models")
    return root / "models"


@pytest.fixture(scope="module")
def gen(root, models):
    draw(models, root / "gen")
    return root / "gen"


@pytest.fixture(scope="module")
def cnn_runs(root, data, gen):
    """Run folders of the four arms under both protocols, each trained when it is first asked for."""

    def get(arm, protocol):
        out = root / f"{arm}-{protocol}"
        if not out.exists():
            classify(data, out, *flags_of(arm, gen), *PROTOCOLS[protocol])
        return out

    return get


# train_vae.py


def test_a_model_for_every_class_leaves_all_its_files(models):
    assert names(models) == set(CLASSES)
    for name in CLASSES:
        assert names(models / name) == MODEL_FILES | {"vae.keras", "samples.png", "latent.png", "sweep.png"}
        loss = pd.read_csv(models / name / "loss.csv")
        losses = ["loss", "reconstruction_loss", "kl_loss"]
        assert set(loss) == {"epoch", *losses, *(f"val_{name}" for name in losses)}
        assert loss["epoch"].tolist() == [1, 2]
        split = json.loads((models / name / "split.json").read_text())
        assert sorted(split["train"][name] + split["validation"][name]) == sorted(split["subset"][name])
        assert (len(split["train"][name]), len(split["validation"][name])) == (3, 1)
        with np.load(models / name / "latents.npz") as latents:
            assert latents["z_mean"].shape == latents["z_std"].shape == (3, 2)
            assert latents["labels"].tolist() == [0, 0, 0]


def test_pictures_of_a_model_are_pictures(models):
    for path in (models / "1").glob("*.png"):
        image = albums.read_images([path])[0]
        assert min(image.shape[:2]) > 20
        assert image.std() > 0


@pytest.mark.parametrize(
    ("which", "flags", "folder", "extra"),
    [
        (["--digit", "1"], ["--architecture", "conv", "--latent", 3], "1", {"vae.keras", "samples.png", "latent.png"}),
        (["--joint"], ["--latent", 4], "joint", {"vae.keras", "samples.png"}),
        (["--joint"], ["--architecture", "autoencoder"], "joint", {"autoencoder.keras", "latent.png"}),
    ],
    ids=["one-latent-3", "joint-latent-4", "joint-autoencoder"],
)
def test_other_models_leave_the_files_that_go_with_them(root, data, request, which, flags, folder, extra):
    out = root / request.node.callspec.id
    train_vaes(data, out, *flags, which=which)
    assert names(out) == {folder}
    assert names(out / folder) == MODEL_FILES | extra
    if folder == "joint":
        with np.load(out / folder / "latents.npz") as latents:
            assert latents["labels"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        with pytest.raises(ValueError, match=r"cannot be sampled|cannot choose which class"):
            draw(out, root / "refused")
        assert not (root / "refused").exists()


def test_one_class_alone_is_bit_equal_to_the_same_class_among_all(root, data, models):
    part = root / "part"
    shutil.copytree(models, part)
    before = snapshot(part)
    shutil.rmtree(part / "1")
    train_vaes(data, part, which=["--digit", "1"])
    alone, among = (keras.saving.load_model(folder / "1" / "decoder.keras") for folder in (part, models))
    for weight, other in zip(alone.get_weights(), among.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)
    after = snapshot(part)
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == {name for name in after if name.startswith("1/")}
    for name in ("1/loss.csv", "1/split.json", "1/samples.png", "1/reconstructions.png"):
        assert after[name][0] == before[name][0]


@pytest.mark.slow
def test_shares_of_the_classes_make_the_models_and_images_of_all(root, data, models, gen):
    shares = [root / "share1", root / "share2"]
    for number, out in enumerate(shares, 1):
        train_vaes(data, out, "--part", f"{number}/2")
    assert [sorted(path.name for path in out.iterdir()) for out in shares] == [["0", "1"], ["2"]]
    for name in ("0", "1", "2"):
        own = next(out / name for out in shares if (out / name).exists())
        alike, among = (keras.saving.load_model(folder / "decoder.keras") for folder in (own, models / name))
        for weight, other in zip(alike.get_weights(), among.get_weights(), strict=True):
            np.testing.assert_array_equal(weight, other)
    draw(shares[::-1], root / "gen-shares")
    assert pictures(root / "gen-shares") == pictures(gen)
    with pytest.raises(ValueError, match=rf"{models / '0'}: .*{shares[0] / '0'} is of the same class"):
        draw([shares[0], models], root / "refused")


@pytest.mark.slow
def test_models_and_their_images_in_one_command(root, data, models, gen):
    """And again where the models are there and their images are not."""
    for out in (root / "models-and-images", models):
        train_vaes(data, out, "--gen", root / "gen-too", "--count", 12)
        assert pictures(root / "gen-too") == pictures(gen)
        shutil.rmtree(root / "gen-too")


def test_training_again_leaves_finished_models_alone(data, models, capsys):
    before = snapshot(models)
    train_vaes(data, models)
    assert snapshot(models) == before
    assert "3 of 3 models are done already" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "key"),
    [
        (["--latent", 3], "latent_dim"),
        (["--epochs", 3], "epochs"),
        (["--seed", 1], "seed"),
        (["--objective", "elbo"], "objective"),
        (["--architecture", "conv"], "architecture"),
        (["--images", 5], "images"),
    ],
)
def test_models_with_other_settings_are_not_written_over(data, models, flags, key):
    before = snapshot(models)
    with pytest.raises(ValueError, match=f"made with .*{key}=.*another --out"):
        train_vaes(data, models, *flags)
    assert snapshot(models) == before


@pytest.mark.slow
def test_models_reload_in_a_process_of_their_own(root, data, models):
    images = codec.to_float(albums.read_images(sorted((data / "test/1").iterdir())))
    z = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    encoder, decoder = (keras.saving.load_model(models / "1" / f"{name}.keras") for name in ("encoder", "decoder"))
    z_mean, z_log_var = encoder.predict(images, verbose=0)
    np.savez(root / "wanted.npz", images=images, z=z, z_mean=z_mean, z_log_var=z_log_var, decoded=decoder.predict(z))
    code = """
import sys
import keras, numpy as np

models, wanted, root = sys.argv[1:]
wanted = np.load(wanted)
encoder, decoder = (keras.saving.load_model(f"{models}/1/{name}.keras") for name in ("encoder", "decoder"))
assert "vae_aug" not in sys.modules
same = lambda found, name: np.testing.assert_allclose(found, wanted[name], rtol=1e-5, atol=1e-6)
for found, name in zip(encoder.predict(wanted["images"], verbose=0), ("z_mean", "z_log_var")):
    same(found, name)
same(decoder.predict(wanted["z"], verbose=0), "decoded")

sys.path.insert(0, root)
import vae_aug.vae
vae = keras.saving.load_model(f"{models}/1/vae.keras")
assert type(vae) is vae_aug.vae.VariationalAutoencoder and vae.objective == "thesis"
same(vae.decoder.predict(wanted["z"], verbose=0), "decoded")
outputs = vae.predict(wanted["images"], verbose=0)
same(outputs["z_mean"], "z_mean")
same(outputs["z_log_var"], "z_log_var")
assert outputs["reconstruction"].shape == wanted["images"].shape
"""
    arguments = [models, root / "wanted.npz", ROOT]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=root, capture_output=True, text=True, timeout=GUARD
    )
    assert done.returncode == 0, done.stderr


# generate.py


def test_generated_images_are_grey_pngs_numbered_from_one(gen):
    assert names(gen) == {*CLASSES, "config.json", "contact_sheet.png"}
    for name in CLASSES:
        assert names(gen / name) == {f"{k}.png" for k in range(1, 13)}
        for path in (gen / name).iterdir():
            image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            assert (image.shape, image.dtype) == ((12, 12), np.uint8)
    assert len({content for name, content in pictures(gen).items() if "/" in name}) == 36


def test_generated_images_are_the_decoders(models, gen):
    decoder = keras.saving.load_model(models / "2" / "decoder.keras")
    rng = np.random.default_rng(generate.backend.derive_seed(42, "2"))
    z = rng.uniform(-1.5, 1.5, (12, 2)).astype(np.float32)
    expected = decoder.predict(z, verbose=0) * 255
    found = albums.read_images([gen / "2" / f"{k}.png" for k in range(1, 13)])
    assert np.abs(found - expected).max() < 0.51


def test_generating_again_leaves_a_finished_folder_alone(models, gen, capsys):
    before = snapshot(gen)
    draw(models, gen)
    assert snapshot(gen) == before
    assert "done already" in capsys.readouterr().out


def test_images_of_a_model_trained_anew_are_not_taken_for_done(data, models, gen, tmp_path):
    train_vaes(data, tmp_path / "anew", "--epochs", 3)
    with pytest.raises(ValueError, match=r"made with data 0=.*another --out"):
        draw(tmp_path / "anew", gen)


@pytest.mark.parametrize(
    ("flags", "key"), [(["--count", 13], "count"), (["--sampler", "normal"], "sampler"), (["--seed", 1], "seed")]
)
def test_generated_images_with_other_settings_are_not_written_over(models, gen, flags, key):
    before = snapshot(gen)
    with pytest.raises(ValueError, match=f"made with settings {key}=.*another --out"):
        draw(models, gen, *flags)
    assert snapshot(gen) == before


def test_generated_images_follow_from_the_seed_alone(root, models, gen, monkeypatch):
    draw(models, root / "other-seed", "--seed", 1)
    monkeypatch.setattr(drawing, "BATCH_SIZE", 5)  # 5, 5 and 2 instead of 12 at once
    draw(models, root / "again")
    again, other = pictures(root / "again"), pictures(root / "other-seed")
    del again["contact_sheet.png"]  # shows the first ten of a batch
    assert again == {name: content for name, content in pictures(gen).items() if name in again}
    assert all(other[name] != content for name, content in again.items())


@pytest.mark.parametrize("flags", [["--sampler", "normal"], ["--sampler", "posterior"], ["--range", 3]])
def test_other_samplers_draw_other_images(root, models, gen, flags):
    out = root / "-".join(map(str, flags))
    draw(models, out, *flags)
    assert pictures(out).keys() == pictures(gen).keys()
    assert all(content != pictures(gen)[name] for name, content in pictures(out).items())


# train_cnn.py


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("arm", ARMS)
def test_an_arm_leaves_all_its_files_and_counts(cnn_runs, arm, protocol):
    out = cnn_runs(arm, protocol)
    assert names(out) == RUN_FILES
    result = read_result(out)
    assert (result["arm"], result["protocol"]) == (arm, protocol)
    # 12 images: published takes 1 step of them, 12 with augmentation, ceil(112 / 32) = 4 with a page
    steps = {"CNN": 2, "VAE": 8, "AUG": 24, "AUG+VAE": 24}[arm] if protocol == "published" else 3
    assert (result["steps"], result["epochs"]) == (steps, 2 if protocol == "published" else 3)
    generated = 36 if arm == "VAE" or (arm, protocol) == ("AUG+VAE", "fair") else 0
    assert result["images"] == {"train": 12, "test": 12, "generated": generated}
    assert result["classes"] == list(CLASSES)
    assert np.sum(result["confusion"]) == result["scores"]["support"] == 12
    assert result["scores"]["accuracy"] == pytest.approx(np.trace(result["confusion"]) / 12)
    assert 1 <= result["epoch_kept"] <= result["epochs"]
    history = pd.read_csv(out / "history.csv")
    assert history["epoch"].tolist() == list(range(1, result["epochs"] + 1))
    assert ("val_loss" in history) == (protocol == "published")
    assert all(name in (out / "report.txt").read_text() for name in ("precision", "recall", "f1-score"))
    subset = json.loads((out / "subset.json").read_text())["subset"]
    assert {name: len(files) for name, files in subset.items()} == dict.fromkeys(CLASSES, 4)


def test_scores_are_those_of_the_saved_model(data, cnn_runs):
    out = cnn_runs("AUG+VAE", "fair")
    images, labels = albums.read_classes(folders.list_images(data / "test"))
    probabilities = keras.saving.load_model(out / "model.keras").predict(codec.to_float(images), verbose=0)
    matrix = np.zeros((3, 3), int)
    np.add.at(matrix, (labels, probabilities.argmax(axis=1)), 1)
    assert read_result(out)["confusion"] == matrix.tolist()
    loss = -np.log(probabilities[np.arange(12), labels]).mean()
    assert read_result(out)["scores"]["loss"] == pytest.approx(loss, rel=1e-4)


def test_the_arms_are_trained_on_the_same_real_images(cnn_runs):
    subsets = {(cnn_runs(arm, protocol) / "subset.json").read_bytes() for arm in ARMS for protocol in PROTOCOLS}
    assert len(subsets) == 1


@pytest.mark.parametrize("arm", ARMS)
def test_the_last_line_says_what_was_trained(data, gen, cnn_runs, capsys, arm):
    out = cnn_runs(arm, "published")
    before = snapshot(out)
    capsys.readouterr()
    classify(data, out, *flags_of(arm, gen), *PROTOCOLS["published"])
    printed = capsys.readouterr().out
    assert snapshot(out) == before
    assert f"{out} is done already" in printed
    remark = " (as released: no generated image is used)" if arm == "AUG+VAE" else ""
    steps = read_result(out)["steps"]
    assert printed.splitlines()[-1] == f"{arm}, published protocol{remark}: {steps} optimiser steps, {out}"


def test_same_seed_same_numbers(root, data, gen, cnn_runs):
    classify(data, root / "again-cnn", *flags_of("AUG+VAE", gen), *PROTOCOLS["fair"], "--tensorboard", root / "logs")
    assert numbers(root / "again-cnn") == numbers(cnn_runs("AUG+VAE", "fair"))
    again, first = (
        keras.saving.load_model(out / "model.keras") for out in (root / "again-cnn", cnn_runs("AUG+VAE", "fair"))
    )
    for weight, other in zip(again.get_weights(), first.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)
    assert list((root / "logs").rglob("events.out.tfevents.*"))


@pytest.mark.parametrize("protocol", ["fair", pytest.param("published", marks=pytest.mark.slow)])
def test_augmentation_in_the_graph_is_the_same_arm_with_other_numbers(root, data, cnn_runs, protocol):
    out = root / f"graph-{protocol}"
    classify(data, out, "--aug", "--augmenter", "graph", *PROTOCOLS[protocol])
    assert names(out) == RUN_FILES
    (graph, history), (generator, other) = numbers(out), numbers(cnn_runs("AUG", protocol))
    assert history != other
    for part in ("arm", "protocol", "steps", "epochs", "images"):
        assert graph[part] == generator[part]
    model = keras.saving.load_model(out / "model.keras")
    assert model.name == "thesis_cnn"  # the layer that augments is not part of what is saved
    with pytest.raises(ValueError, match=r"augmenter"):
        classify(data, out, "--aug", *PROTOCOLS[protocol])


@pytest.mark.parametrize(
    ("flags", "key"),
    [
        (["--steps", 9, "-e", 3], "settings schedule.steps_per_epoch"),
        (["--steps", 3, "-e", 3, "--seed", 1], "settings seed"),
        (["--steps", 3, "-e", 3, "--aug"], "settings schedule.arm"),
        (["--steps", 3, "-e", 3, "-limtr", 3], "data train"),
    ],
)
def test_a_run_with_other_settings_is_not_written_over(data, cnn_runs, flags, key):
    out = cnn_runs("CNN", "fair")
    before = snapshot(out)
    with pytest.raises(ValueError, match=f"made with {key}=.*another --out"):
        classify(data, out, *flags)
    assert snapshot(out) == before


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_any_class_folders_do_as_generated_images(root, data, cnn_runs, protocol):
    """With noise by hand instead of a VAE's images fair AUG+VAE finds other numbers; as published it does not look."""
    noise, rng = root / f"noise-{protocol}", np.random.default_rng(0)
    for name in CLASSES:
        (noise / name).mkdir(parents=True)
        for k in range(10):
            cv2.imwrite(str(noise / name / f"noise-{k}.jpg"), rng.integers(0, 256, (12, 12), dtype=np.uint8))
    out = root / f"with-noise-{protocol}"
    classify(data, out, "-vae", noise, "--aug", *PROTOCOLS[protocol])
    found, other = numbers(out), numbers(cnn_runs("AUG+VAE", protocol))
    assert found[0]["images"]["generated"] == (30 if protocol == "fair" else 0)
    assert (found[1] == other[1]) == (protocol == "published")


def test_a_killed_run_leaves_nothing_finished_and_the_next_one_clears_up(root, data, cnn_runs):
    parent = root / "killed"
    out = parent / "run"
    flags = ["-path", data, "--out", out, "-limtr", 4, "-limte", 4, "--steps", 1_000_000]
    process = subprocess.Popen([sys.executable, ROOT / "train_cnn.py", *map(str, flags)], stderr=subprocess.DEVNULL)
    wait_until(lambda: process.poll() is not None or list(parent.glob(".run.partial-*")))
    assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    assert len(names(parent)) == 1

    classify(data, out, *PROTOCOLS["fair"])
    assert names(parent) == {"run"}
    assert numbers(out) == numbers(cnn_runs("CNN", "fair"))


# Other images


def write_photographs(root):
    """RGB class folders of different sizes and colours, as cameras leave them."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 4), ("test", 2)):
        for label, name in enumerate(("cat", "dog")):
            (root / part / name).mkdir(parents=True)
            for k in range(count):
                shape = (9 + k, 14 - k, 3) if k % 2 else (11, 8)
                image = rng.integers(0, 128, shape) + 100 * label
                cv2.imwrite(str(root / part / name / f"{k}.png"), image.astype(np.uint8))
    return root


def test_differing_images_go_all_the_way_with_size_and_color(tmp_path):
    data, size = write_photographs(tmp_path / "data"), ["--size", 10, 8]
    train_vaes(data, tmp_path / "models", *size, "--color", "rgb")
    draw(tmp_path / "models", tmp_path / "gen", "--count", 3)
    generated = albums.read_images(sorted((tmp_path / "gen/cat").iterdir()))
    assert generated.shape == (3, 10, 8, 3)
    for color, channels in codec.COLORS.items():
        out = tmp_path / color
        classify(data, out, "-vae", tmp_path / "gen", "--aug", *PROTOCOLS["fair"], *size, "--color", color)
        model = keras.saving.load_model(out / "model.keras")
        assert (model.input_shape, model.output_shape) == ((None, 10, 8, channels), (None, 2))
        assert read_result(out)["images"] == {"train": 8, "test": 4, "generated": 6}


def test_differing_images_without_flags_are_refused(tmp_path):
    data = write_photographs(tmp_path / "data")
    for run in (train_vaes, classify):
        with pytest.raises(ValueError, match=r"--size H W and --color grey\|rgb"):
            run(data, tmp_path / "out")
    assert names(tmp_path) == {"data"}
