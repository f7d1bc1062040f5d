"""train_cglo.py on real digits; generate.py and train_cnn.py -cglo after it; their bad input."""

import json
import shutil

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import kill_while_it_trains, write_digits

import generate
import train_cglo
import train_cnn
from arms import replacement
from common import archives, runs
from images import albums, codec, folders
from vae_aug import cglo

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, as it saves
FEW = ["-limtr", "4", "-limte", "2", "-b", "4", "--steps", "6", "-e", "6", "--model", "fc1"]


@pytest.fixture(scope="module", autouse=True)
def small():
    """Networks of few units, to build and trace quickly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cglo, "UNITS", 16)
        patch.setattr(cglo, "FILTERS", (4, 4))
        patch.setattr(cglo, "WEAK_FILTERS", 4)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_digits(tmp_path_factory.mktemp("cglo") / "data", side=8)


def learn(data, out, *flags):
    flags = ["-path", data, "--images", 4, "--epochs", 2, "--latent", 5, "--out", out, *flags]
    train_cglo.main([str(flag) for flag in flags])


@pytest.fixture(scope="module")
def model(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "cglo"
    learn(data, out)
    return out


def config(folder):
    return json.loads((folder / "config.json").read_text(), parse_constant=pytest.fail)


def classify(data, model, out, *flags):
    train_cnn.main([str(flag) for flag in ["-path", data, *FEW, "-cglo", model, "--out", out, *flags]])
    return json.loads((out / "result.json").read_text())


# train_cglo.py


def test_a_training_leaves_all_its_files(model, data):
    pictures = {"losses.png", "reconstructions.png", "interpolations.png"}
    others = {"generator.keras", "codes.npz", "losses.csv", "subset.json", "config.json"}
    assert {path.name for path in model.iterdir()} == pictures | others
    assert albums.read_images([model / "reconstructions.png"]).shape == (1, 6 * 58 + 2, 10 * 58 + 2, 1)
    assert albums.read_images([model / "interpolations.png"]).shape == (1, 3 * 58 + 2, 7 * 58 + 2, 1)
    losses = pd.read_csv(model / "losses.csv")
    assert losses["epoch"].tolist() == [1, 2]
    assert losses[["loss", "reconstruction_loss", "label_loss", "label_accuracy"]].notna().all(axis=None)
    assert losses["angle_within"].iloc[-1] == pytest.approx(90, abs=60)
    facts = config(model)["facts"]
    assert (facts["kind"], facts["unlabelled"], facts["last"]["epoch"]) == ("cglo", 0, 2)


def test_codes_know_their_images(model, data):
    table = archives.load_arrays(model / "codes.npz")
    assert (table["codes"].shape, table["unlabelled"].shape) == ((12, 5), (0, 5))
    np.testing.assert_allclose(np.linalg.norm(table["codes"], axis=1), 1, atol=1e-5)
    images = albums.read_images([data / "train" / file for file in table["files"]])
    assert albums.ArrayAlbum(images).digests() == [bytes(digest) for digest in table["digests"]]
    assert [file.split("/")[0] for file in table["files"]] == [str(label) for label in table["labels"]]
    assert json.loads((model / "subset.json").read_text())["subset"]["0"] == [
        file.split("/")[1] for file in table["files"][:4]
    ]


def test_a_finished_training_is_left_alone_and_another_refused(model, data, capsys):
    learn(data, model)
    assert "is done already" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"made with settings gamma=1\.0, now gamma=0\.5"):
        learn(data, model, "--gamma", 0.5)


def test_presets_and_single_flags_over_them():
    paper, released = (train_cglo.parse_args(["--preset", name]) for name in ("paper", "released"))
    names = ("latent", "gamma", "project_noise", "reset_moments", "vgg_levels")
    assert [getattr(paper, name) for name in names] == [128, 1.0, False, False, "5"]
    assert [getattr(released, name) for name in names] == [512, 0.5, True, True, "3+pixels"]
    mixed = train_cglo.parse_args(["--preset", "released", "--latent", "64", "--no-reset-moments"])
    assert (mixed.latent, mixed.gamma, mixed.reset_moments) == (64, 0.5, False)


def test_test_images_are_read_for_transductive_alone(data, tmp_path, capsys):
    shutil.copytree(data / "train", tmp_path / "data" / "train")
    test = tmp_path / "data" / "test"
    for name in "012":
        test.joinpath(name).mkdir(parents=True)
        test.joinpath(name, "broken.png").write_bytes(b"no image")
    learn(tmp_path / "data", tmp_path / "without")
    with pytest.raises(ValueError, match="data/test: 3 of 3 files are not readable"):
        learn(tmp_path / "data", tmp_path / "with", "--transductive")
    shutil.rmtree(test)
    shutil.copytree(data / "test", test)
    capsys.readouterr()
    flags = ["--transductive", "--label-loss", "latent", "--noise", "none", "--images", 3]
    learn(tmp_path / "data", tmp_path / "with", *flags)
    assert "the generator learns from the 12 test images" in capsys.readouterr().out
    table = archives.load_arrays(tmp_path / "with" / "codes.npz")
    assert (len(table["codes"]), len(table["unlabelled"])) == (9, 12)  # rows that interpolate, and rows that do not


def test_unlabelled_images_are_others_than_the_labelled(data, tmp_path):
    learn(data, tmp_path / "all", "--unlabelled", data / "train", "--label-loss", "none", "--loss", "l1")
    assert config(tmp_path / "all")["facts"]["unlabelled"] == 12  # 24, but for the 12 that have labels
    shutil.copytree(data / "train", tmp_path / "copy")
    learn(data, tmp_path / "few", "--unlabelled", tmp_path / "copy", "--unlabelled-images", 2, "--renormalise", "no")
    assert config(tmp_path / "few")["facts"]["unlabelled"] == 0  # the two drawn first are copies of labelled ones


def test_unlabelled_images_are_not_test_images_and_there_are_some(data, tmp_path, capsys):
    with pytest.raises(SystemExit):
        learn(data / "train", tmp_path / "out", "--unlabelled", data / "test")
    assert f"say -path {data} --transductive" in capsys.readouterr().err
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/train").symlink_to(data / "train")
    (tmp_path / "linked/test").symlink_to(data / "test")  # on another disk, say
    for place in (tmp_path / "linked/test", data / "test"):
        with pytest.raises(SystemExit):
            learn(tmp_path / "linked", tmp_path / "out", "--unlabelled", place)
        assert "these are the test images" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty: no images in it"):
        learn(data, tmp_path / "out", "--unlabelled", tmp_path / "empty")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--unlabelled-images", "2"], "goes with --unlabelled FOLDER"),
        (["--vgg-weights", "x"], "goes with --loss vgg or --init features"),
        (["--gamma", "2", "--label-loss", "none"], "goes with --label-loss image or latent"),
        (["--noise", "add", "--project-noise"], "goes with --noise concat"),
        (["--noise", "none", "--noise-std", "0.3"], "goes with --noise concat or add"),
        (["--loss", "vgg", "--vgg-weights", "absent.h5"], "absent.h5: no such file"),
        (["--batch", "1"], "a whole number from 2"),
        (["-path", "d", "--unlabelled", "d/test"], "say --transductive"),
        (["-path", "d", "--unlabelled", "d/test/3"], "say --transductive"),
        (["--latent", "1"], "--latent 1: codes lie on a sphere"),
    ],
)
def test_flags_that_do_not_go_together_are_one_line(flags, words, capsys):
    with pytest.raises(SystemExit) as ended:
        train_cglo.parse_args(flags)
    err = capsys.readouterr().err
    assert (ended.value.code, err.count("\n")) == (2, 1)
    assert words in err


def test_bad_images_leave_nothing(data, tmp_path):
    with pytest.raises(ValueError, match=r"multiples of 4\. Received: 10x12; .* --size 12 12"):
        learn(data, tmp_path / "out", "--size", 10, 12)
    with pytest.raises(ValueError, match="8 images, at least 9 are needed"):
        learn(data, tmp_path / "out", "--images", 9)
    larger = write_digits(tmp_path / "larger", num_train=2, num_test=1)
    with pytest.raises(ValueError, match=r"12x12 grey, but .* is 8x8 grey"):
        learn(data, tmp_path / "out", "--unlabelled", larger / "train")
    with pytest.raises(ValueError, match=r"8x8 grey; VGG-16 takes sides from 16 pixels"):
        learn(data, tmp_path / "out", "--loss", "vgg")
    (tmp_path / "weights.h5").write_bytes(b"of another network")
    with pytest.raises(ValueError, match=r"--vgg-weights .*weights\.h5: not weights of VGG-16"):
        learn(data, tmp_path / "out", "--loss", "vgg", "--vgg-weights", tmp_path / "weights.h5", "--size", 16, 16)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("levels", ["5", "3+pixels"])
def test_features_of_a_vgg_of_random_weights(data, tmp_path, capsys, levels):
    weights = tmp_path / "vgg.weights.h5"
    keras.applications.VGG16(include_top=False, weights=None, input_shape=(None, None, 3)).save_weights(weights)
    flags = ["--size", 16, 16, "--loss", "vgg", "--vgg-levels", levels, "--init", "features", "--vgg-weights", weights]
    learn(data, tmp_path / "out", *flags)
    assert "the generator learns from outside data, too" in capsys.readouterr().out
    assert config(tmp_path / "out")["facts"]["last"]["reconstruction_loss"] > 0
    assert len(config(tmp_path / "out")["data"]["vgg"]) == 64


@pytest.mark.slow
def test_a_killed_training_leaves_nothing_and_the_next_gives_the_same(data, tmp_path):
    flags = ["-path", data, "--images", 4, "--latent", 5, "--seed", 7, "--size", 8, 8]
    kill_while_it_trains("train_cglo.py", tmp_path / "out", *flags)
    learn(data, tmp_path / "out", "--seed", 7)
    learn(data, tmp_path / "again", "--seed", 7)
    assert {path.name for path in tmp_path.iterdir()} == {"out", "again"}  # what the killed one left is gone
    files = [tmp_path / name / "codes.npz" for name in ("out", "again")]
    assert archives.fingerprint(files[0]) == archives.fingerprint(files[1])


# generate.py


@pytest.mark.parametrize("way", ["slerp", "lerp", "none"])
def test_generate_writes_every_class_and_the_same_again(model, tmp_path, way):
    for name in ("a", "b"):
        flags = ["-models", model, "-out", tmp_path / name, "--count", 6, "--interpolation", way]
        generate.main([str(flag) for flag in flags])
    first, second = (folders.list_images(tmp_path / name) for name in "ab")
    assert {name: len(paths) for name, paths in first.items()} == {"0": 6, "1": 6, "2": 6}
    images, _ = albums.read_classes(first)
    np.testing.assert_array_equal(images, albums.read_classes(second)[0])


def test_a_way_of_a_vae_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match="takes slerp, lerp, none"):
        generate.main(["-models", str(model), "-out", str(tmp_path / "gen"), "--sampler", "posterior"])
    with pytest.raises(ValueError, match="--range 3: goes with --sampler uniform"):
        generate.main(["-models", str(model), "-out", str(tmp_path / "gen"), "--range", "3"])


# train_cnn.py -cglo


def test_images_are_replaced_and_counted(data, model, tmp_path):
    found = classify(data, model, tmp_path / "half")
    assert (found["arm"], found["steps"]) == ("CGLO", 6)
    assert found["cglo"] | {"replaced": 0} == {
        "replace": 0.5,
        "interpolation": "slerp",
        "coin": "example",
        "replaced": 0,
        "of": 24,
    }
    assert 0 < found["cglo"]["replaced"] < 24
    both = classify(data, model, tmp_path / "two", "--networks", 2)  # the first one tosses the same coins
    assert (both["steps"], both["cglo"]["of"]) == (12, 48)
    assert found["cglo"]["replaced"] < both["cglo"]["replaced"] < 48
    found = classify(data, model, tmp_path / "all", "--replace", 1, "--interpolation", "none", "--aug")
    assert (found["arm"], found["cglo"]["replaced"]) == ("AUG+CGLO", 24)
    assert classify(data, model, tmp_path / "none", "--replace", 0)["cglo"]["replaced"] == 0
    with pytest.raises(ValueError, match=r"made with settings cglo\.replace=0\.5, now cglo\.replace=0\.25"):
        classify(data, model, tmp_path / "half", "--replace", 0.25)


class Source:
    """Draws images of the class's number alone, and remembers which rows it was asked for."""

    def __init__(self):
        self.rows = {}

    def draw(self, labels, rows):
        for label, row in zip(labels, rows, strict=True):
            self.rows.setdefault(int(label), []).append(int(row))
        return np.ones((len(labels), 2, 2, 1), np.float32) * (1 + np.asarray(labels))[:, None, None, None]


class Schedule:
    steps_per_epoch = 10


def replace(model, share=0.5, coin="example", steps=100, batch=20):
    from common import saved

    arm = replacement.Replacement(saved.find_generator([model]), share, "slerp", coin, Schedule())
    source, labels = Source(), np.eye(3, dtype=np.float32)[np.arange(batch) % 3]
    batches = [(np.zeros((batch, 2, 2, 1), np.float32), labels)] * steps
    return arm, source, list(arm.replaced(iter(batches), source, np.random.default_rng(0))), batches


def test_each_image_has_a_coin_of_its_own_and_keeps_its_label(model):
    arm, source, made, batches = replace(model)
    images, labels = map(np.concatenate, zip(*made, strict=True))
    replaced = images[:, 0, 0, 0] > 0
    assert abs(replaced.mean() - 0.5) < 4 * np.sqrt(0.25 / 2000)
    np.testing.assert_array_equal(images[replaced, 0, 0, 0], 1 + labels[replaced].argmax(axis=1))
    assert not batches[0][0].any()  # what came in is left as it was
    per_batch = replaced.reshape(100, 20).mean(axis=1)
    assert 0 < per_batch.std() < 0.2  # that of a coin per batch would be 0.5
    for rows in source.rows.values():
        assert rows == list(range(len(rows)))  # codes take turns
    arm.epochs = 2
    assert arm.facts()["cglo"]["replaced"] == replaced[:400].sum()
    assert arm.facts()["cglo"]["of"] == 400


def test_the_released_coin_is_tossed_per_batch(model):
    _, _, made, _ = replace(model, coin="batch")
    per_batch = np.array([(images > 0).mean() for images, _ in made])
    assert set(per_batch) == {0, 1}
    assert 0.3 < per_batch.mean() < 0.7


def test_codes_of_other_images_are_refused(data, model, tmp_path):
    with pytest.raises(ValueError, match=r"train/0/example\d+\.png: .* has no code of this training image"):
        classify(data, model, tmp_path / "out", "-limtr", 5)
    with pytest.raises(ValueError, match=r"learned from 0/example\d+\.png, which is not among the training images"):
        classify(data, model, tmp_path / "out", "-limtr", 3)
    other = tmp_path / "other"
    shutil.copytree(data, other)
    first = archives.load_arrays(model / "codes.npz")["files"][0]
    image = albums.read_images([other / "train" / first])[0]
    codec.write_image(other / "train" / first, 255 - image)
    with pytest.raises(ValueError, match=f"{first}: .* has no code"):
        classify(other, model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--replace", "0.5"], "--replace: goes with -cglo"),
        (["-cglo", "m", "--replace", "1.5"], "expected a number from 0 to 1"),
        (["-cglo", "m", "--replace", "-0.1"], "expected a number from 0 to 1"),
        (["-cglo", "m", "-vae", "g"], "goes with none of -vae"),
        (["-cglo", "m", "--binarise"], "not the black and white"),
    ],
)
def test_flags_of_the_arm_that_do_not_go_together(flags, words, capsys):
    with pytest.raises(SystemExit):
        train_cnn.parse_args(flags)
    assert words in capsys.readouterr().err


def test_a_folder_of_another_kind_is_refused(data, tmp_path):
    with runs.writing(tmp_path / "m", {"classes": ["0"], "image_shape": [8, 8, 1]}, {}, facts={"kind": "cdcgan"}):
        pass
    with pytest.raises(ValueError, match=r"not a model of train_cglo\.py"):
        classify(data, tmp_path / "m", tmp_path / "out")


def test_an_image_alone_in_its_class_is_reconstructed(data, tmp_path):
    learn(data, tmp_path / "cglo", "--images", 1)
    generate.main(["-models", str(tmp_path / "cglo"), "-out", str(tmp_path / "gen"), "--count", "2"])
    found = classify(data, tmp_path / "cglo", tmp_path / "out", "-limtr", 1, "-b", 3)
    assert found["cglo"]["of"] == 18
