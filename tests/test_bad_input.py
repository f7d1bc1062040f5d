"""Bad input to the scripts: refused with the file or flag named, before any work, and nothing written."""

import contextlib
import io
import json
import re
import shutil
import zipfile

import h5py
import numpy as np
import pytest
from conftest import run_here

import generate
import prepare_data
import train_cnn
import train_rbm
import train_vae
from common import backend, runs, saved
from images import codec


def tree(root):
    """Everything below `root`, hidden leftovers included."""
    return {path: (path.lstat().st_mtime_ns, path.lstat().st_size) for path in root.rglob("*")}


def argv_of(flags):
    return [str(flag) for flag in flags]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Default folders such as `models` lie in the test's own folder, so that whatever is written there is seen."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def no_back_end(monkeypatch):
    """Bad input is found before the seconds that a back end takes to load."""

    def configure(*_args, **_options):
        raise AssertionError("the back end was started")

    monkeypatch.setattr(backend, "configure", configure)


@pytest.fixture
def refused(tmp_path, no_back_end):
    """`refused(main, flags, *words)`: main ends with a ValueError that has all words, and nothing is written."""

    def check(main, flags, *words, error=ValueError):
        before = tree(tmp_path)
        with pytest.raises(error) as raised:
            main(argv_of(flags))
        for word in words:
            assert str(word) in str(raised.value)
        assert tree(tmp_path) == before

    return check


def vae_flags(data, *more):
    return ["--all", "--path", data, "--images", -1, "--out", "out", *more]


def cnn_flags(data, *more):
    return ["-path", data, "-limtr", -1, "-limte", -1, "--out", "out", *more]


TRAININGS = {"train_vae": (train_vae.main, vae_flags), "train_cnn": (train_cnn.main, cnn_flags)}


@pytest.fixture(params=TRAININGS)
def training(request):
    """The main function of a script that trains on real images, and its flags for a data folder."""
    return TRAININGS[request.param]


def write_model(root, name, without=(), **changed):
    """A model's folder as far as generate.py reads it before it loads a back end."""
    settings = {
        "architecture": "conv",
        "objective": "thesis",
        "latent_dim": 3,
        "epochs": 1,
        "image_shape": [12, 12, 1],
        "size": None,
        "color": None,
        "classes": [name],
        "seed": 42,
        "deterministic": False,
        **changed,
    }
    (root / name).mkdir(parents=True)
    settings = {key: value for key, value in settings.items() if key not in without}
    runs.write_json(root / name / "config.json", {"settings": settings, "data": {"images": "0" * 64}})
    np.savez(root / name / "latents.npz", z_mean=np.zeros((2, 3)), z_std=np.ones((2, 3)))
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file["layers/dense/vars/0"] = np.zeros((3, 4))
    with zipfile.ZipFile(root / name / "decoder.keras", "w") as decoder:
        decoder.writestr("config.json", '{"module": "keras", "class_name": "Functional"}')
        decoder.writestr("model.weights.h5", weights.getvalue())
    return root / name


@pytest.fixture
def models(tmp_path):
    for name in "01":
        write_model(tmp_path / "models", name)
    return tmp_path / "models"


def write_generated(root, classes="012", shape=(12, 12, 1), count=3):
    for name in classes:
        codec.write_images(root / name, range(count), np.zeros((count, *shape), np.uint8))
    return root


# Data folders


def remove(data):
    shutil.rmtree(data)
    return data


def empty(data):
    remove(data).mkdir()
    return data


def empty_train(data):
    shutil.rmtree(data / "train")
    (data / "train").mkdir()
    return data / "train"


def file_for_train(data):
    shutil.rmtree(data / "train")
    (data / "train").write_text("text")
    return data


def an_image(data):
    return sorted((data / "train" / "1").iterdir())[3]


def truncated(data):
    content = an_image(data).read_bytes()
    an_image(data).write_bytes(content[: len(content) // 2])
    return an_image(data)


def zero_bytes(data):
    an_image(data).write_bytes(b"")
    return an_image(data)


def text(data):
    an_image(data).write_text("this is no image")
    return an_image(data)


def file_link_out(data):
    (data.parent / "outside.png").write_bytes(an_image(data).read_bytes())
    (data / "train" / "1" / "link.png").symlink_to(data.parent / "outside.png")
    return data / "train" / "1" / "link.png"


def class_link_out(data):
    shutil.copytree(data / "train" / "1", data.parent / "outside")
    (data / "train" / "3").symlink_to(data.parent / "outside")
    return data / "train" / "3"


DAMAGES = (
    *(remove, empty, empty_train, file_for_train),
    *(truncated, zero_bytes, text, file_link_out, class_link_out),
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_broken_data_folder_is_refused_by_name(digits, training, refused, damage):
    main, flags = training
    refused(main, flags(digits), damage(digits), error=(ValueError, OSError))


def replace(path, shape):
    codec.write_image(path, np.zeros(shape, np.uint8))
    return path


MIXED = {"size": ((14, 12, 1), "14x12 grey"), "channels": ((12, 12, 3), "12x12 RGB")}


@pytest.mark.parametrize("kind", MIXED)
def test_mixed_images_in_a_class_are_refused_with_the_flags_that_help(digits, training, refused, kind):
    main, flags = training
    shape, words = MIXED[kind]
    refused(main, flags(digits), replace(an_image(digits), shape), words, "12x12 grey", "--size H W", "--color")


@pytest.mark.parametrize("kind", MIXED)
def test_a_class_unlike_the_others_is_refused(digits, training, refused, kind):
    main, flags = training
    shape, words = MIXED[kind]
    for path in (digits / "train" / "1").iterdir():
        replace(path, shape)
    refused(main, flags(digits), words, "12x12 grey", "--size H W", "--color")


@pytest.mark.parametrize("kind", MIXED)
def test_test_images_unlike_the_training_images_are_refused(digits, refused, kind):
    shape, words = MIXED[kind]
    for path in (digits / "test").rglob("*.png"):
        replace(path, shape)
    refused(train_cnn.main, cnn_flags(digits), f"test: {words}, but", "train is 12x12 grey", "--size")


def test_the_flags_do_what_the_message_promises(digits, no_back_end, training):
    """With it the images are read, and the back end is what comes next."""
    main, flags = training
    replace(an_image(digits), (14, 12, 3))
    with pytest.raises(AssertionError, match="the back end was started"):
        main(argv_of(flags(digits, "--size", 12, 12, "--color", "grey")))


@pytest.mark.parametrize(("part", "other"), [("train", "test"), ("test", "train")])
def test_a_class_that_one_part_lacks_is_named(digits, refused, part, other):
    shutil.rmtree(digits / part / "1")
    assert (digits / other / "1").is_dir()
    refused(train_cnn.main, cnn_flags(digits), digits / part, "class '1' is missing")


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_class_that_is_empty_in_one_part_is_named(digits, refused, part):
    for path in (digits / part / "2").iterdir():
        path.unlink()
    refused(train_cnn.main, cnn_flags(digits), digits / part, "class '2' is missing")


def test_a_missing_data_folder_is_refused_with_the_command_that_makes_one(tmp_path, training, refused):
    main, flags = training
    made = f"python prepare_data.py --dataset digits --out {tmp_path / 'none'} makes"
    refused(main, flags(tmp_path / "none"), "no such folder", made)


def test_too_few_images_name_the_flag_that_takes_all(digits, refused):
    for main in (train_vae.main, train_rbm.main):
        flags = (*(("--all",) if main is train_vae.main else ()), "--path", digits, "--images", 9)
        refused(main, flags, digits / "train" / "0", "8 images, at least 9 are needed (or --images -1: all")


@pytest.mark.parametrize("classes", [("bus", "train"), ("train",)])
def test_a_class_may_be_called_train(tmp_path, no_back_end, classes):
    """The images are read, and the back end is what comes next."""
    for name in classes:
        images = np.random.default_rng(0).integers(0, 256, (4, 12, 12, 1), np.uint8)
        codec.write_images(tmp_path / "vehicles" / name, range(4), images)
    for main, flags in ((train_vae.main, ("--all",)), (train_rbm.main, ())):
        with pytest.raises(AssertionError, match="the back end was started"):
            main(argv_of((*flags, "--path", tmp_path / "vehicles", "--images", 4, "--out", tmp_path / "out")))


def test_a_broken_test_image_is_named(digits, refused):
    broken = next((digits / "test" / "0").iterdir())
    broken.write_bytes(b"")
    refused(train_cnn.main, cnn_flags(digits), broken)


# train_vae.py


@pytest.mark.parametrize("which", [("--all",), ("--joint",), ("--digit", 1)])
def test_fewer_images_than_asked_for_are_refused(digits, refused, which):
    an_image(digits).unlink()
    flags = (*which, "--path", digits, "--images", 8)
    refused(train_vae.main, flags, digits / "train" / "1", "7 images, at least 8 are needed")


@pytest.mark.parametrize("images", [-1, 2])
def test_a_class_with_one_image_cannot_be_learnt(digits, refused, images):
    for path in sorted((digits / "train" / "1").iterdir())[1:]:
        path.unlink()
    flags = ("--all", "--path", digits, "--images", images)
    refused(train_vae.main, flags, digits / "train" / "1", "1 image, at least 2 are needed")


def test_one_image_is_too_few_to_ask_for(digits, refused, capsys):
    refused(train_vae.main, ("--all", "--path", digits, "--images", 1), 2, error=SystemExit)
    assert "--images" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["..", ".", "9", "01", "../1", "1/", ".hidden"])
def test_a_class_that_is_not_there_is_refused(digits, refused, name):
    (digits / "train" / ".hidden").mkdir()
    refused(train_vae.main, ("--digit", name, "--path", digits), f"--digit {name}: no such class", "0, 1, 2")


@pytest.mark.parametrize("flags", [(), ("--all", "--joint"), ("--digit", 1, "--all"), ("--digit", 1, "--joint")])
def test_what_to_learn_is_said_once(refused, capsys, flags):
    refused(train_vae.main, flags, 2, error=SystemExit)
    printed = capsys.readouterr().err
    assert len(printed.splitlines()) == 1
    assert all(flag in printed for flag in argv_of(flags or ("--digit", "--all", "--joint")) if flag.startswith("--"))


# Saved lists


LISTS = {
    "no JSON": "{subset",
    "another part": json.dumps({"train": {"0": []}}),
    "class missing": {"2": None},
    "file unknown": {"1": ["example1.png", "absent.png"]},
    "path in name": {"1": ["../0/example1.png"]},
    "name no text": {"1": [["example1.png"]]},
    "empty class": {"1": []},
}


def write_list(path, data, changed):
    """A good list of the data with some classes changed, None taking one out."""
    names = {folder.name: sorted(p.name for p in folder.iterdir()) for folder in (data / "train").iterdir()}
    kept = {name: files for name, files in {**names, **changed}.items() if files is not None}
    path.write_text(json.dumps({"subset": kept}))
    return path


@pytest.mark.parametrize("kind", LISTS)
def test_a_broken_list_is_refused_by_name(digits, tmp_path, training, refused, kind):
    main, flags = training
    path = tmp_path / "list.json"
    if isinstance(LISTS[kind], str):
        path.write_text(LISTS[kind])
    else:
        write_list(path, digits, LISTS[kind])
    refused(main, flags(digits, "--subset", path), "list.json")


def test_a_list_and_a_number_of_images_are_one_too_many(digits, tmp_path, training, refused):
    main, flags = training
    if main is train_cnn.main:
        pytest.skip("-limtr has a default, which a list replaces")
    path = write_list(tmp_path / "list.json", digits, {})
    refused(main, flags(digits, "--subset", path, "--images", 2), "--images 2: --subset", "list.json")


def test_a_list_that_is_not_there_is_named(digits, training, refused):
    main, flags = training
    refused(main, flags(digits, "--subset", "absent.json"), "absent.json", error=(ValueError, OSError))


@pytest.mark.parametrize("which", ["--all", "--joint"])
def test_a_list_with_one_image_of_a_class_cannot_be_learnt(digits, tmp_path, refused, which):
    path = write_list(tmp_path / "list.json", digits, {"1": [an_image(digits).name]})
    refused(train_vae.main, (which, "--path", digits, "--subset", path), "list.json", "at least 2")


@pytest.mark.parametrize(
    ("main", "flags"),
    [
        (train_vae.main, ("--all", "--latent", 10**12)),
        (train_rbm.main, ("--hidden", 10**12)),
        (train_rbm.main, ("--k", 10**9)),
    ],
)
def test_absurd_sizes_of_a_model_are_refused(digits, refused, capsys, main, flags):
    refused(main, (*flags, "--path", digits), 2, error=SystemExit)
    printed = capsys.readouterr().err
    assert flags[-2] in printed
    assert "expected a whole number from 1 to" in printed


def test_persistent_chains_without_end_are_refused(digits, refused):
    refused(train_rbm.main, ("--path", digits, "--images", 2, "--persistent", "--batch", 10**9), "--batch 1000000000")


def test_a_class_that_is_missing_among_many_is_a_short_line(tmp_path, refused):
    for name in range(300):
        codec.write_images(tmp_path / "data" / f"class{name}", ["a"], np.zeros((1, 4, 4, 1), np.uint8))
    refused(train_vae.main, ("--digit", "cat", "--path", "data"), "class0, class1", "and 290 more")


def test_generated_classes_that_cannot_be_written_are_refused_before_the_training(digits, refused):
    (digits / "train" / "0").rename(digits / "train" / "config.json")
    refused(train_vae.main, vae_flags(digits, "--gen", "gen"), "class config.json", "rename the class")


def test_counts_that_do_not_fit_are_refused_before_the_training(digits, refused):
    refused(train_vae.main, vae_flags(digits, "--gen", "gen", "--count", "cat=3"), "--count: no class cat")


@pytest.mark.parametrize(("classes", "joint"), [(("0", "1"), "joint"), (("0", "joint"), "joint_")])
def test_the_joint_model_has_a_folder_that_no_class_has(tmp_path, classes, joint):
    for name in classes:
        codec.write_images(tmp_path / "data" / name, "ab", np.zeros((2, 4, 4, 1), np.uint8))
    flags = ["--path", "data", "--images", "2"]
    assert list(train_vae.choose_files(train_vae.parse_args(["--joint", *flags]))[0]) == [joint]
    assert list(train_vae.choose_files(train_vae.parse_args(["--all", *flags]))[0]) == list(classes)


@pytest.mark.parametrize(
    ("short", "long"),
    [
        (["--latent", "4"], ["--latent-dim", "4"]),
        (["--images", "7"], ["--images-per-class", "7"]),
        (["--gen", "g", "--count", "3"], ["--generated", "g", "--generated-per-class", "3"]),
    ],
)
def test_short_and_long_names_are_one_flag(short, long):
    assert vars(train_vae.parse_args(["--all", *short])) == vars(train_vae.parse_args(["--all", *long]))


# generate.py


def test_models_that_are_not_there_are_refused(tmp_path, refused):
    refused(generate.main, ("-models", "absent"), "absent: no such folder")
    (tmp_path / "empty").mkdir()
    refused(generate.main, ("-models", "empty"), "empty: no models in it")
    (tmp_path / "file").touch()
    refused(generate.main, ("-models", "file"), "file: no such folder")


def test_folders_of_models_that_do_not_go_together_are_refused(models, tmp_path, refused):
    write_model(tmp_path / "others", "7", latent_dim=5)
    refused(generate.main, ("-models", models, "others"), "others/7", "latent_dim 5", "class 0")


@pytest.mark.parametrize("part", ["", "1", "0/2", "3/2", "1/0", "a/b", "1/2/3", "-1/2"])
def test_a_share_of_the_classes_that_is_none_is_refused(refused, capsys, part):
    refused(train_vae.main, ("--all", f"--part={part}"), error=SystemExit)
    assert "--part" in capsys.readouterr().err


def test_more_shares_than_classes_are_refused(digits, refused):
    refused(train_vae.main, ("--all", "--part", "1/4", "--path", digits), "--part 1/4", "has 3 classes")


def test_a_share_goes_with_all_classes(refused, capsys):
    refused(train_vae.main, ("--digit", "1", "--part", "1/2"), error=SystemExit)
    assert "--part: goes with --all" in capsys.readouterr().err


def test_images_for_models_are_refused(digits, refused):
    refused(generate.main, ("-models", digits / "train"), digits / "train" / "0" / "config.json", "no such file")


@pytest.mark.parametrize("content", ["{", "[]", "null", "{}", '{"settings": {}}', '{"settings": {"schedule": {}}}'])
def test_a_foreign_folder_among_the_models_is_named(models, refused, content):
    (models / "1" / "config.json").write_text(content)
    refused(generate.main, (), models.name, "1")


@pytest.mark.parametrize("key", ["architecture", "classes", "image_shape", "latent_dim", "objective", "seed"])
def test_a_model_that_does_not_say_what_it_is_is_named(tmp_path, refused, key):
    model = write_model(tmp_path / "models", "0", without=(key,))
    refused(generate.main, (), model.relative_to(tmp_path))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("image_shape", [14, 12, 1]),
        ("image_shape", [12, 12, 3]),
        ("latent_dim", 2),
        ("seed", 1),
        ("architecture", "dense"),
    ],
)
def test_models_that_do_not_go_together_are_refused(models, refused, key, value):
    write_model(models, "10", **{key: value})
    refused(generate.main, (), "models/10", key, value, "class 0")


def test_an_autoencoder_cannot_be_sampled(tmp_path, refused):
    write_model(tmp_path / "models", "0", architecture="autoencoder", objective=None)
    refused(generate.main, (), "models/0: an autoencoder cannot be sampled")


def test_a_joint_model_cannot_be_sampled(models, refused):
    write_model(models, "joint", classes=["0", "1"])
    refused(generate.main, (), "models/joint: a joint VAE of 2 classes")


def test_a_model_in_the_folder_of_another_class_is_refused(models, refused):
    (models / "0").rename(models / "2")
    refused(generate.main, (), "models/2")


def test_an_unfinished_model_is_no_model(models, no_back_end):
    (models / ".2.partial-1-abc").mkdir()
    assert saved.find_generator([models]).class_names == ["0", "1"]


def test_a_broken_decoder_is_named_before_anything_is_generated(models, refused):
    (models / "1" / "decoder.keras").write_bytes(b"PK\3\4 cut short")
    refused(generate.main, ("-models", models), models / "1" / "decoder.keras")


# Generated folders


def generated_flags(data, *more):
    return cnn_flags(data, "-vae", "gen", *more)


def test_a_generated_class_that_is_not_in_the_data_is_named(digits, tmp_path, refused):
    write_generated(tmp_path / "gen", "017")
    refused(train_cnn.main, generated_flags(digits), "gen/7", "class '7' is not in the data (there are 0, 1, 2)")


def test_a_folder_of_models_is_not_taken_for_generated_images(digits, tmp_path, refused):
    write_generated(tmp_path / "gen")  # the pictures that lie beside a model
    (tmp_path / "gen" / "1" / "decoder.keras").touch()
    refused(train_cnn.main, generated_flags(digits), "gen/1", "holds a model")


@pytest.mark.parametrize("kind", MIXED)
def test_generated_images_unlike_the_real_ones_are_refused(digits, tmp_path, refused, kind):
    shape, words = MIXED[kind]
    write_generated(tmp_path / "gen", shape=shape)
    refused(train_cnn.main, generated_flags(digits), f"gen: {words}, but", "train is 12x12 grey", "--size")


def test_a_generated_folder_without_images_is_refused(digits, tmp_path, refused):
    write_generated(tmp_path / "gen", count=0)
    refused(train_cnn.main, generated_flags(digits), "gen: no class folders with images in it")


def test_an_empty_generated_folder_is_refused(digits, tmp_path, refused):
    (tmp_path / "gen").mkdir()
    refused(train_cnn.main, generated_flags(digits), "gen: no class folders")


def test_a_missing_generated_folder_is_refused(digits, refused):
    refused(train_cnn.main, generated_flags(digits), "gen: no such folder")


def test_a_broken_generated_image_is_named(digits, tmp_path, refused):
    (write_generated(tmp_path / "gen") / "1" / "2.png").write_bytes(b"no image")
    refused(train_cnn.main, generated_flags(digits), "gen/1/2.png: not a readable image")


# Where the output may lie


def overlaps(tmp_path, data, models):
    """(script, flags without --out, the input)."""
    gen = write_generated(tmp_path / "gen")
    return {
        "prepare_data": (prepare_data.main, ("--folder", data / "train"), data / "train"),
        "train_vae": (train_vae.main, ("--all", "--path", data), data),
        "generate": (generate.main, ("-models", models), models),
        "train_cnn": (train_cnn.main, ("-path", data), data),
        "train_cnn -vae": (train_cnn.main, ("-path", data, "-vae", gen), gen),
    }


@pytest.mark.parametrize("where", ["at", "under", "above"])
@pytest.mark.parametrize("step", ["prepare_data", "train_vae", "generate", "train_cnn", "train_cnn -vae"])
def test_the_output_may_not_touch_the_input(tmp_path, digits, models, refused, step, where):
    main, flags, source = overlaps(tmp_path, digits, models)[step]
    out = {"at": source, "under": source / "deep" / "out", "above": source.parent}[where]
    refused(main, (*flags, "--out", out), "--out", "would write into the input")


@pytest.mark.parametrize("step", ["prepare_data", "train_vae", "generate", "train_cnn"])
def test_an_output_that_cannot_be_written_is_named(tmp_path, digits, models, monkeypatch, step):
    """A folder below a regular file can be made by nobody, root included."""
    monkeypatch.setattr(backend, "configure", lambda *_args, **_options: contextlib.nullcontext)
    main, flags, _ = overlaps(tmp_path, digits, models)[step]
    (tmp_path / "file").touch()
    before = tree(tmp_path)
    with pytest.raises(OSError, match="file"):
        main(argv_of((*flags, "--out", tmp_path / "file" / "out")))
    assert tree(tmp_path) == before


@pytest.mark.parametrize("step", ["prepare_data", "train_vae", "generate", "train_cnn"])
def test_without_permission_one_line_names_the_folder(tmp_path, digits, models, monkeypatch, step):
    """The system's answer is played: for root, who may run the tests, every folder can be written."""

    def refuse(prefix, dir):
        raise PermissionError(13, "Permission denied", str(dir))

    monkeypatch.setattr(backend, "configure", lambda *_args, **_options: contextlib.nullcontext)
    main, flags, _ = overlaps(tmp_path, digits, models)[step]
    (tmp_path / "locked").mkdir()
    before = tree(tmp_path)
    monkeypatch.setattr("common.runs.tempfile.mkdtemp", refuse)
    with pytest.raises(PermissionError, match=r"Permission denied: '.*locked"):
        main(argv_of((*flags, "--out", tmp_path / "locked" / "out")))
    assert set(tree(tmp_path)) - {tmp_path / "locked" / "out"} == set(before)  # an empty folder of models may stay


@pytest.mark.parametrize("step", ["prepare_data", "train_vae", "generate", "train_cnn"])
def test_a_folder_that_holds_something_else_is_never_written_into(tmp_path, digits, models, refused, step):
    main, flags, _ = overlaps(tmp_path, digits, models)[step]
    for folder in (tmp_path / "mine", tmp_path / "mine" / "0"):  # train_vae.py has a folder a class
        folder.mkdir()
        (folder / "precious.txt").write_text("mine")
    refused(main, (*flags, "--out", "mine"), "mine", "is not a finished step")


# Flags

POSITIVE, LIMIT, WHOLE = ("0", "-1", "1.5", "x"), ("0", "-2", "1.5", "x"), ("-1", "x", str(2**31))
FRACTION, FLOAT = ("0", "1", "-0.5", "nan", "x"), ("0", "-1.5", "nan", "inf", "x")
RUNTIME = {"--seed": WHOLE, "--devices": ("0", "-1", "cpu:0", "cpu:999999", "1.5", "tpu")}
IMAGES = {"--size": ("0 12", "12 0", "-1 12", "12 x", "12", "100000 12"), "--color": ("blue",)}
SCRIPTS = {
    "prepare_data": (prepare_data.main, ("--dataset", "digits")),
    "train_vae": (train_vae.main, ("--all",)),
    "generate": (generate.main, ()),
    "train_cnn": (train_cnn.main, ("-path", "data")),
}
WRONG = {
    "prepare_data": {
        "--limit-train": LIMIT,
        "--limit-test": LIMIT,
        "--test-fraction": FRACTION,
        "--seed": WHOLE,
        "--dataset": ("svhn",),
    },
    "train_vae": {
        "--latent": POSITIVE,
        "--images": LIMIT,
        "--epochs": POSITIVE,
        "--architecture": ("gan",),
        "--objective": ("mse",),
        **IMAGES,
        **RUNTIME,
    },
    "generate": {"--count": POSITIVE, "--range": FLOAT, "--sampler": ("sobol",), **RUNTIME},
    "train_cnn": {
        "-limtr": LIMIT,
        "-limte": LIMIT,
        "-e": POSITIVE,
        "-b": POSITIVE,
        "--steps": POSITIVE,
        "--page-size": POSITIVE,
        "--noise": ("-1", "1.5", "nan"),  # Keras takes no more than 1
        "--protocol": ("best",),
        "--injection": ("none",),
        "--precision": ("float16",),
        **IMAGES,
        **RUNTIME,
    },
}


@pytest.mark.parametrize(
    ("name", "flag", "value"),
    [(name, flag, value) for name, flags in WRONG.items() for flag, values in flags.items() for value in values],
)
def test_a_flag_with_a_wrong_value_is_named(refused, capsys, name, flag, value):
    main, flags = SCRIPTS[name]
    refused(main, (*flags, flag, *value.split()), 2, error=SystemExit)
    printed = capsys.readouterr().err
    assert len(printed.splitlines()) == 1
    assert re.search(rf"argument \S*{flag}\b", printed)


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("flag", ["--unknown", "--see", "stray"])
def test_an_unknown_or_shortened_flag_is_named(refused, capsys, name, flag):
    main, flags = SCRIPTS[name]
    refused(main, (*flags, flag), 2, error=SystemExit)
    printed = capsys.readouterr().err
    assert len(printed.splitlines()) == 1
    assert flag in printed


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--protocol", "published", "--steps", 30), "--steps"),
        (("--page-size", 10), "--page-size"),
        (("--page-size", 10, "-vae", "gen", "--injection", "all"), "--page-size"),
        (("--injection", "all"), "--injection"),
        (("-vae", "data/test"), "-vae"),
        (("--tensorboard", __file__), f"--tensorboard {__file__}"),
        (("--augmenter", "graph"), "--augmenter graph"),
        (("--augmenter", "graph", "--bad"), "--augmenter graph"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(refused, capsys, flags, named):
    refused(train_cnn.main, ("-path", "data", *flags), 2, error=SystemExit)
    printed = capsys.readouterr().err
    assert len(printed.splitlines()) == 1
    assert f"error: {named}: " in printed


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--all", "--count", 5), "--count"),
        (("--joint", "--gen", "gen"), "--gen"),
        (("--all", "--gen", "gen", "--architecture", "autoencoder"), "--gen"),
        (("--all", "--gen", "gen", "--objective", "kl"), "--gen"),
    ],
)
def test_images_of_models_that_cannot_be_sampled_are_refused_before_they_are_trained(refused, capsys, flags, named):
    refused(train_vae.main, ("-path", "data", *flags), 2, error=SystemExit)
    printed = capsys.readouterr().err
    assert len(printed.splitlines()) == 1
    assert f"error: {named}: " in printed


@pytest.mark.parametrize("gen", ["out/gen", "data/gen", "."])
def test_generated_images_may_not_touch_models_nor_data(digits, refused, gen):
    refused(train_vae.main, [*vae_flags(digits), "--gen", gen], gen if gen != "." else "input")


@pytest.mark.parametrize("augmented", ["--aug", "--bad"])
def test_the_published_arm_with_both_takes_pages_only(digits, tmp_path, refused, augmented):
    write_generated(tmp_path / "gen")
    flags = generated_flags(digits, augmented, "--protocol", "published", "--injection", "all")
    refused(train_cnn.main, flags, "--injection all")


@pytest.mark.parametrize("flags", [("-e", 7), ("-e", 60, "--steps", 30), ("-e", 4, "--steps", 6)])
def test_steps_that_do_not_divide_into_the_epochs_are_refused(digits, refused, flags):
    refused(train_cnn.main, cnn_flags(digits, *flags), f"{flags[1]} equal epochs", "-e", "--steps")


# Machines and devices


def back_end_steps(data, models):
    return {
        "train_vae": (train_vae.main, vae_flags(data)),
        "generate": (generate.main, ("-models", models, "--out", "out")),
        "train_cnn": (train_cnn.main, cnn_flags(data)),
    }


@pytest.mark.parametrize("step", ["train_vae", "generate", "train_cnn"])
def test_a_cluster_is_refused(tmp_path, digits, models, monkeypatch, step):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": {"worker": ["a:1", "b:1"]}}))
    main, flags = back_end_steps(digits, models)[step]
    before = tree(tmp_path)
    with pytest.raises(ValueError, match=r"TF_CONFIG is set: .*--seed"):
        main(argv_of(flags))
    assert tree(tmp_path) == before


@pytest.mark.parametrize("step", ["train_vae", "generate", "train_cnn"])
def test_more_gpus_than_there_are_are_refused(tmp_path, digits, models, step):
    main, flags = back_end_steps(digits, models)[step]
    before = tree(tmp_path)
    with pytest.raises(ValueError, match=r"--devices 99: 99 GPU wanted, [0-9]+ found"):
        main(argv_of((*flags, "--devices", 99)))
    assert tree(tmp_path) == before


# Through the command line


@pytest.mark.parametrize("name", ["train_vae", "generate", "train_cnn"])
def test_bad_input_ends_with_one_line_and_status_2(digits, tmp_path, script, name):
    broken = truncated(digits)
    write_model(tmp_path / "models", "0", architecture="autoencoder")
    flags, words = {
        "train_vae": (vae_flags(digits), broken),
        "generate": (("-models", "models"), "models/0: an autoencoder"),
        "train_cnn": (cnn_flags(digits), broken),
    }[name]
    before = tree(tmp_path)
    ended = (script if name == "train_cnn" else run_here)(f"{name}.py", *flags)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"{name}.py: error: ")
    assert len(ended.stderr.splitlines()) == 1
    assert str(words) in ended.stderr
    assert tree(tmp_path) == before


def test_missing_gpus_end_with_one_line_although_the_back_end_was_loaded(digits, tmp_path, script):
    before = tree(tmp_path)
    ended = script("train_cnn.py", *cnn_flags(digits, "--devices", 99), cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("train_cnn.py: error: --devices 99: 99 GPU wanted")
    assert len(ended.stderr.splitlines()) == 1
    assert tree(tmp_path) == before
