"""train_rbm.py, train_vae.py --binarise and generate.py --sampler chain in a row on real digits; their bad input."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import write_digits

import generate
import train_rbm
import train_vae
from common import backend
from images import albums, codec, folders, selection
from vae_aug.rbm import RBM

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, as it saves

CLASSES = ("0", "1", "2")
RBM_FILES = {"config.json", "monitors.csv", "monitors.png", "rbm.keras", "samples.png", "split.json"}


def snapshot(root):
    """Bytes and time of change of every file under a folder, hidden leftovers included."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def names(folder):
    return {path.name for path in folder.iterdir()}


def settings_of(folder):
    return json.loads((folder / "config.json").read_text())["settings"]


def learn(data, out, *flags):
    flags = ["-path", data, "--out", out, "--images", 3, "--hidden", 16, "--epochs", 3, *flags]
    train_rbm.main([str(flag) for flag in flags])


def learn_vae(data, out, *flags):
    flags = ["--joint", "-path", data, "--out", out, "--architecture", "dense", "--epochs", 2, "--latent", 2, *flags]
    train_vae.main([str(flag) for flag in flags])


def draw(models, data, out, *flags):
    flags = ["--sampler", "chain", "-models", models, "-path", data, "-out", out, "--count", 7, *flags]
    generate.main([str(flag) for flag in flags])


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("rbm")


@pytest.fixture(scope="module")
def data(root):
    return write_digits(root / "data")


@pytest.fixture(scope="module")
def rbm(root, data):
    learn(data, root / "rbm")
    return root / "rbm"


@pytest.fixture(scope="module")
def vae(root, data):
    learn_vae(data, root / "vae", "--images", 3, "--objective", "elbo", "--binarise", "--train-on-all")
    return root / "vae"


@pytest.fixture(scope="module")
def gen(root, data, rbm):
    draw(rbm, data, root / "gen", "--labelled", 2)
    return root / "gen"


# train_rbm.py


def test_an_rbm_leaves_all_its_files(data, rbm):
    assert names(rbm) == RBM_FILES
    monitors = pd.read_csv(rbm / "monitors.csv")
    expected = "epoch loss reconstruction_error free_energy_train free_energy_heldout free_energy_gap pseudo_likelihood"
    assert list(monitors) == expected.split()
    assert monitors["epoch"].tolist() == [1, 2, 3]
    assert np.isfinite(monitors.to_numpy()).all()
    model = keras.saving.load_model(rbm / "rbm.keras")
    assert (type(model), model.image_shape, model.num_hidden) == (RBM, (12, 12, 1), 16)
    for name in ("monitors.png", "samples.png"):
        image = albums.read_images([rbm / name])[0]
        assert min(image.shape[:2]) > 20
        assert image.std() > 0


def test_its_images_nest_with_all_others_of_the_seed_and_the_next_are_held_out(data, rbm):
    split = json.loads((rbm / "split.json").read_text())
    order = selection.draw_subset(folders.list_images(data / "train"), -1, 42)
    for name in CLASSES:
        assert split["subset"][name] == [path.name for path in order[name][:3]]
        assert split["heldout"][name] == [path.name for path in order[name][3:6]]


@pytest.mark.slow
def test_held_out_images_stop_where_the_data_does(root, data, capsys):
    learn(data, root / "most", "--images", 6)
    split = json.loads((root / "most" / "split.json").read_text())
    assert [len(split["heldout"][name]) for name in CLASSES] == [2, 2, 2]
    learn(data, root / "every", "--images", -1)
    assert "no images are left to watch" in capsys.readouterr().out
    monitors = pd.read_csv(root / "every" / "monitors.csv")
    assert monitors["free_energy_gap"].isna().all()
    assert monitors["free_energy_train"].notna().all()
    assert names(root / "every") == RBM_FILES


def test_presets_set_the_other_flags_and_given_flags_win():
    presets = ("bad", "good", "persistent")
    bad, good, persistent = (train_rbm.parse_args(["--preset", preset]) for preset in presets)
    assert (persistent.persistent, persistent.epochs, bad.persistent) == (True, bad.epochs, False)
    for args in (bad, good, persistent):
        assert {name: getattr(args, name) for name in train_rbm.PRESETS[args.preset]} == train_rbm.PRESETS[args.preset]
    assert train_rbm.parse_args([]).preset == "bad"
    assert good.epochs > bad.epochs
    given = train_rbm.parse_args(["--preset", "good", "--epochs", "7", "--momentum", "0", "--no-persistent"])
    assert (given.epochs, given.momentum, given.persistent, given.hidden) == (7, 0, False, good.hidden)


@pytest.fixture(scope="module")
def persistent(root, data):
    learn(data, root / "persistent", "--persistent", "--batch", 4, "--k", 2)
    return root / "persistent"


def test_persistent_chains_are_as_many_as_a_batch(persistent):
    model = keras.saving.load_model(persistent / "rbm.keras")
    assert (model.num_chains, model.k) == (4, 2)
    assert set(np.unique(model.get_weights()[-1])) == {0, 1}


def test_a_batch_is_a_tenth_of_the_images_unless_given(persistent, rbm):
    assert settings_of(rbm)["batch"] == 1  # of 9
    assert settings_of(persistent)["batch"] == 4


@pytest.mark.slow
def test_grey_levels_are_binarised_and_said(tmp_path, data, caplog):
    with caplog.at_level("INFO", "images"):
        learn(data, tmp_path / "rbm")
    assert caplog.text.count("grey levels binarised at 0.5") == 2  # what it learns from, and what it watches
    binary = write_digits(tmp_path / "data")
    for path in binary.rglob("*.png"):
        codec.write_image(path, (albums.read_images([path])[0] > 127).astype(np.uint8) * 255)
    caplog.clear()
    with caplog.at_level("INFO", "images"):
        learn(binary, tmp_path / "again")
    assert "binarised" not in caplog.text
    for name in ("monitors.csv", "samples.png", "split.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "rbm" / name).read_bytes()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_machine(tmp_path, data, rbm):
    learn(data, tmp_path / "again")
    models = (keras.saving.load_model(folder / "rbm.keras") for folder in (rbm, tmp_path / "again"))
    for weight, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(weight, other)
    assert (tmp_path / "again" / "monitors.csv").read_bytes() == (rbm / "monitors.csv").read_bytes()


def test_a_saved_list_gives_the_same_machine(tmp_path, data, rbm):
    learn(data, tmp_path / "listed", "--images", -1, "--subset", rbm / "split.json")
    assert (tmp_path / "listed" / "monitors.csv").read_bytes() == (rbm / "monitors.csv").read_bytes()


def test_training_again_leaves_a_finished_machine_alone(data, rbm, capsys):
    before = snapshot(rbm)
    learn(data, rbm)
    assert snapshot(rbm) == before
    assert "done already" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "key"),
    [
        (["--hidden", 8], "settings hidden"),
        (["--preset", "good", "--epochs", 3], "settings preset"),
        (["--learning-rate", 0.3], "settings learning_rate"),
        (["--persistent"], "settings persistent"),
        (["--seed", 1], "settings seed"),
        (["--images", 4, "--batch", 1], "data images"),
    ],
)
def test_a_machine_with_other_settings_is_not_written_over(data, rbm, flags, key):
    before = snapshot(rbm)
    with pytest.raises(ValueError, match=f"made with {key}=.*another --out"):
        learn(data, rbm, *flags)
    assert snapshot(rbm) == before


@pytest.mark.slow
def test_colour_images_of_any_size_are_learnt_and_started_from(tmp_path, data):
    learn(data, tmp_path / "rbm", "--size", 6, 8, "--color", "rgb")
    draw(tmp_path / "rbm", data, tmp_path / "gen")
    assert albums.read_images(sorted((tmp_path / "gen" / "1").iterdir())).shape == (7, 6, 8, 3)


# train_vae.py --binarise --train-on-all


def test_a_binary_vae_trains_on_all_it_drew_and_the_next_validate(data, vae):
    split = json.loads((vae / "joint" / "split.json").read_text())
    order = selection.draw_subset(folders.list_images(data / "train"), -1, 42)
    for name in CLASSES:
        assert split["subset"][name] == split["train"][name] == [path.name for path in order[name][:3]]
        assert split["validation"][name] == [order[name][3].name]
    made = settings_of(vae / "joint")
    assert (made["binarise"], made["train_on_all"]) == (True, True)
    assert set(np.unique(albums.read_images([vae / "joint" / "reconstructions.png"])[:, :50])) <= {0, 255}


def test_where_no_images_are_left_the_training_images_validate(tmp_path, data, capsys):
    learn_vae(data, tmp_path / "vae", "--images", -1, "--train-on-all")
    assert "no images are left to validate joint; their training images do" in capsys.readouterr().out
    split = json.loads((tmp_path / "vae" / "joint" / "split.json").read_text())
    assert split["train"] == split["validation"] == split["subset"]


def test_another_share_of_the_same_images_is_another_training(tmp_path, data, capsys):
    learn_vae(data, tmp_path / "vae", "--images", 7, "--train-on-all")  # of 8: one is left to validate
    with pytest.raises(ValueError, match="made with settings validate"):
        learn_vae(data, tmp_path / "vae", "--images", -1, "--train-on-all")


def test_levels_0_and_1_are_black_and_white_where_all_classes_have_them(tmp_path):
    for name, brightest in (("dark", 1), ("light", 200)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for k in range(4):
            image = np.zeros((8, 8, 1), np.uint8)
            image[k : k + 4] = brightest
            codec.write_image(tmp_path / "data" / name / f"{k}.png", image)
    flags = [
        "-path",
        tmp_path / "data",
        "--all",
        "--images",
        -1,
        "--architecture",
        "dense",
        "--epochs",
        1,
        "--latent",
        2,
    ]
    train_vae.main([str(flag) for flag in (*flags, "--out", tmp_path / "vae")])
    spreads = [
        json.loads((tmp_path / "vae" / name / "config.json").read_text())["facts"]["real_spreads"][name]
        for name in ("dark", "light")
    ]
    assert spreads[0] < 1 < 50 < spreads[1]  # in grey levels: the dark ones are not black and white
    dark, light = ({"0": [tmp_path / "data" / name / "0.png"]} for name in ("dark", "light"))
    images, _, watched = train_rbm.read_images(train_rbm.parse_args([]), dark, light)
    assert (images.max(), watched.max()) == (1, 200)


def test_one_image_a_class_is_enough_to_train_on_all(tmp_path, data):
    learn_vae(data, tmp_path / "vae", "--images", 1, "--train-on-all")
    split = json.loads((tmp_path / "vae" / "joint" / "split.json").read_text())
    assert [len(split[part]["0"]) for part in ("train", "validation")] == [1, 1]


def test_without_the_new_flags_no_setting_is_new(tmp_path, data):
    learn_vae(data, tmp_path / "vae", "--images", 3)
    assert list(settings_of(tmp_path / "vae" / "joint")) == (
        "architecture objective latent_dim epochs image_shape size color classes seed deterministic".split()
    )


# generate.py --sampler chain


def test_a_chain_s_images_lie_in_the_folder_of_their_start(gen):
    assert names(gen) == {*CLASSES, "config.json", "contact_sheet.png", "strips.png"}
    for name in CLASSES:
        assert names(gen / name) == {f"{k}.png" for k in range(1, 8)}
        images = albums.read_images(list((gen / name).iterdir()))
        assert images.shape == (7, 12, 12, 1)
        assert set(np.unique(images)) == {0, 255}


def test_images_are_those_of_the_chains_start_after_start(data, rbm, gen):
    """7 images a class from 2 starts: 4 of the first chain, then 3 of the second."""
    from common import saved
    from vae_aug import chains

    chosen = selection.draw_subset(folders.list_images(data / "train"), 2, 42)  # as train_cnn.py -limtr 2 draws
    images, labels = albums.read_classes(chosen)
    walk = chains.Chains(saved.load(rbm), albums.binarise(images, "x"), 7, backend.derive_seed(42, "chains"))
    states, rows = walk.next(6 * 4)
    for label, name in enumerate(CLASSES):
        first, second = np.flatnonzero(labels == label)
        expected = np.concatenate([states[rows == first], states[rows == second][:3]])
        found = albums.read_images([gen / name / f"{k}.png" for k in range(1, 8)])
        np.testing.assert_array_equal(found, codec.to_uint8(expected))


def test_strips_show_the_start_and_then_the_chain(data, gen):
    strips = albums.read_images([gen / "strips.png"])[0]
    scale = 56 // 12
    side, gap = 12 * scale, 2

    def tile(row, column):
        top, left = gap + row * (side + gap), gap + column * (side + gap)
        return strips[top : top + side : scale, left : left + side : scale]

    chosen = selection.draw_subset(folders.list_images(data / "train"), 2, 42)
    for row, name in enumerate(CLASSES):
        start = albums.read_images(chosen[name][:1])
        np.testing.assert_array_equal(tile(row, 0), codec.to_uint8(albums.binarise(start, "x"))[0])
        for column in (1, 2, 3, 4):
            state = albums.read_images([gen / name / f"{column}.png"])[0]
            np.testing.assert_array_equal(tile(row, column), state)
    assert strips.shape[1] == gap + 5 * (side + gap)


def test_a_vae_s_chain_generates_too(tmp_path, data, vae):
    draw(vae, data, tmp_path / "gen", "--labelled", -1)
    images = albums.read_images([path for name in CLASSES for path in (tmp_path / "gen" / name).iterdir()])
    assert images.shape == (21, 12, 12, 1)
    assert set(np.unique(images)) == {0, 255}


def test_expectations_are_grey_and_thinning_skips(tmp_path, data, rbm):
    draw(rbm, data, tmp_path / "grey", "--expectation")
    assert len(np.unique(albums.read_images(list((tmp_path / "grey" / "0").iterdir())))) > 10
    for out, flags in (("all", ("--count", 6)), ("thin", ("--count", 3, "--thin", 2, "--chain-length", 6))):
        draw(rbm, data, tmp_path / out, "--labelled", 1, *flags)
    for k in (1, 2, 3):
        thinned, full = (tmp_path / out / "2" / f"{number}.png" for out, number in (("thin", k), ("all", 2 * k)))
        assert thinned.read_bytes() == full.read_bytes()


def test_generating_again_leaves_finished_chains_alone(data, rbm, gen, capsys):
    before = snapshot(gen)
    draw(rbm, data, gen, "--labelled", 2)
    assert snapshot(gen) == before
    assert "done already" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "key"),
    [
        (["--labelled", 1], "settings labelled"),
        (["--labelled", 2, "--count", 8], "settings count"),
        (["--labelled", 2, "--chain-length", 3], "settings chain_length"),
        (["--labelled", 2, "--thin", 3], "settings thin"),
        (["--labelled", 2, "--expectation"], "settings expectation"),
        (["--labelled", 2, "--seed", 1], "settings seed"),
    ],
)
def test_chains_with_other_settings_are_not_written_over(data, rbm, gen, flags, key):
    before = snapshot(gen)
    with pytest.raises(ValueError, match=f"made with {key}=.*another --out"):
        draw(rbm, data, gen, *flags)
    assert snapshot(gen) == before


def test_chains_of_a_machine_trained_anew_are_not_taken_for_done(tmp_path, data, gen):
    learn(data, tmp_path / "anew", "--seed", 1)
    with pytest.raises(ValueError, match=r"made with data model=.*another --out"):
        draw(tmp_path / "anew", data, gen, "--labelled", 2)


# Bad input: one line that names file or flag, before a back end is loaded, and nothing written


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """`refused(function, *arguments, words=[...])` ends with a ValueError that has all words, and writes nothing."""

    def configure(*_args, **_options):
        raise AssertionError("the back end was started")

    monkeypatch.setattr(backend, "configure", configure)

    def check(function, *arguments, words):
        before = snapshot(tmp_path)
        with pytest.raises(ValueError) as raised:  # noqa: PT011  the words are checked below
            function(*arguments)
        for word in words:
            assert str(word) in str(raised.value)
        assert snapshot(tmp_path) == before
        assert not (tmp_path / "out").exists()

    return check


def test_too_few_images_are_refused(tmp_path, data, refused):
    words = [data / "train" / "0", "8 images, at least 9 are needed"]
    refused(learn, data, tmp_path / "out", "--images", 9, words=words)


def test_more_starts_than_images_are_refused(tmp_path, data, rbm, refused):
    words = ["--labelled 9", data / "train" / "0", "has 8 images"]
    refused(draw, rbm, data, tmp_path / "out", "--labelled", 9, words=words)


def test_starts_of_another_size_are_refused(tmp_path, rbm, refused):
    other = write_digits(tmp_path / "data", side=14)
    words = [other / "train", "14x14 grey", "rbm.keras learned from 12x12 grey"]
    refused(draw, rbm, other, tmp_path / "out", words=words)


def test_mixed_sizes_are_refused(tmp_path, refused):
    data = write_digits(tmp_path / "data")
    codec.write_image(next((data / "train" / "1").iterdir()), np.zeros((14, 12, 1), np.uint8))
    refused(learn, data, tmp_path / "out", "--images", -1, words=["14x12 grey", "--size H W"])


def test_folders_without_a_model_for_chains_are_refused(tmp_path, data, rbm, vae, refused):
    models = tmp_path / "models"
    models.mkdir()
    refused(draw, models, data, tmp_path / "out", words=[models, "no model in it that can run a chain"])
    refused(generate.main, ["-models", str(rbm), "-out", str(tmp_path / "out")], words=[rbm, "--sampler chain"])
    made = json.loads((vae / "joint" / "config.json").read_text())
    del made["settings"]["binarise"]
    (models / "config.json").write_text(json.dumps(made))
    (models / "vae.keras").write_bytes((vae / "joint" / "vae.keras").read_bytes())
    refused(draw, models, data, tmp_path / "out", words=[models / "vae.keras", "--binarise"])


@pytest.mark.parametrize("step", ["train_rbm", "generate"])
def test_output_may_not_touch_the_images(data, rbm, refused, step):
    out = data / "train" / "out"
    arguments = (learn, data, out) if step == "train_rbm" else (draw, rbm, data, out)
    refused(*arguments, words=["--out", "would write into the input"])


@pytest.mark.parametrize(
    ("main", "flags", "named"),
    [
        (train_rbm.main, ["--preset", "best"], "--preset"),
        (train_rbm.main, ["--momentum", "1"], "--momentum"),
        (train_rbm.main, ["--weight-decay", "-0.1"], "--weight-decay"),
        (train_rbm.main, ["--k", "0"], "--k"),
        (train_rbm.main, ["--learning-rate", "0"], "--learning-rate"),
        (train_rbm.main, ["--images", "0"], "--images"),
        (generate.main, ["--sampler", "chain"], "-path"),
        (generate.main, ["--labelled", "1"], "--labelled"),
        (generate.main, ["-path", "data"], "--path"),
        (generate.main, ["--expectation"], "--expectation"),
        (generate.main, ["--thin", "2"], "--thin"),
        (generate.main, ["--sampler", "chain", "-path", "data", "--chain-length", "2", "--thin", "3"], "--thin 3"),
    ],
)
def test_a_wrong_flag_is_named_in_one_line(main, flags, named, capsys):
    with pytest.raises(SystemExit) as ended:
        main(flags)
    printed = capsys.readouterr().err
    assert ended.value.code == 2
    assert len(printed.splitlines()) == 1
    assert named in printed


def test_a_training_that_diverges_leaves_nothing(tmp_path, data):
    with pytest.raises(FloatingPointError, match="smaller learning rate"):
        learn(data, tmp_path / "out", "--learning-rate", "1e38", "--epochs", 20)
    assert names(tmp_path) == set()
