"""assess.py on real digits: copies are found out, distances are those of their spaces, bad input is one line."""

import json
import shutil

import keras
import numpy as np
import pytest
from conftest import run_here, write_digits

import assess
from cnn import cas, evaluation, features, fid, models, recipes
from common import trained
from images import albums, codec, folders, selection


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three classes of 8 training and 4 test digits, 12x12 grey."""
    return write_digits(tmp_path_factory.mktemp("assess") / "data")


def write(root, images, labels):
    for name in np.unique(labels):
        chosen = images[labels == name]
        codec.write_images(root / str(name), range(1, len(chosen) + 1), chosen)
    return root


@pytest.fixture(scope="module")
def gen(data, tmp_path_factory):
    """Generated images: of each class four copies of training images and four of noise."""
    images, labels = albums.read_classes(folders.list_images(data / "train"))
    rng = np.random.default_rng(0)
    made = rng.integers(0, 256, images.shape, np.uint8)
    for k in range(3):
        first = np.flatnonzero(labels == k)[:4]
        made[first] = images[first]
    return write(tmp_path_factory.mktemp("gen") / "gen", made, labels)


def run(real, gen, out, *flags):
    assess.main([str(flag) for flag in ("-real", real, "-gen", gen, "--out", out, "--steps", 0, *flags)])
    return json.loads((out / "assessment.json").read_text())


def test_copies_are_found_out(data, gen, tmp_path):
    result = run(data, gen, tmp_path / "out")
    assert result["images"] == {"real": 24, "generated": 24, "test": 12}
    copies = result["copies"]
    assert copies["exact"] == 12
    assert copies["nearer_than_95_percent_of_real"] == 0.5
    assert copies["real_are"] == "test images"
    sheet = albums.read_images([tmp_path / "out" / "copies.png"])[0]
    above, below = sheet[2 : 2 + 48], sheet[2 + 50 : 2 + 50 + 48]
    np.testing.assert_array_equal(above, below)  # the ten nearest pairs are copies
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"assessment.json", "copies.png", "config.json"}


def test_distances_of_pixels_are_those_of_the_arrays(data, gen, tmp_path):
    result = run(data / "train", gen, tmp_path / "out")
    real, generated = (
        codec.to_float(albums.read_classes(folders.list_images(root))[0]).reshape(24, -1)
        for root in (data / "train", gen)
    )
    row = result["features"]["pixels"]
    assert row["frechet"] == pytest.approx(fid.frechet(real, generated))
    assert row["kid"] == pytest.approx(fid.kernel_distance(real, generated))
    assert row["dimensions"] == 144
    assert "test" not in result["images"]
    assert result["copies"]["real_are"] == "the real images, to one another"
    assert result["accuracy"] is None


def test_real_images_against_themselves(data, tmp_path, capsys):
    result = run(data, data / "train", tmp_path / "out", "--json")
    assert json.loads(capsys.readouterr().out) == result
    assert result["features"]["pixels"]["frechet"] == 0
    assert result["copies"]["exact"] == 24
    assert result["copies"]["ratio"] == 0
    (note,) = result["warnings"]  # equally many
    assert "fewer than 10,000 images (24 real, 24 generated)" in note
    run(data, data / "train", tmp_path / "out", "--json")  # done already: printed again
    assert json.loads(capsys.readouterr().out) == result


def test_the_images_of_the_generator_alone(data, tmp_path):
    names = {name: [path.name for path in paths[:3]] for name, paths in folders.list_images(data / "train").items()}
    (tmp_path / "subset.json").write_text(json.dumps({"subset": names}))
    result = run(data, data / "train", tmp_path / "out", "--subset", tmp_path / "subset.json")
    assert result["images"]["real"] == 9
    assert run(data, data / "train", tmp_path / "drawn", "--images", 3)["images"]["real"] == 9
    with pytest.raises(ValueError, match="8 images, at least 9 are needed"):
        run(data, data / "train", tmp_path / "nine", "--images", 9)
    assert len(result["warnings"]) == 2
    assert "9 real and 24 generated images: Frechet distances differ in bias" in result["warnings"][1]


@pytest.fixture
def classifier(tmp_path):
    """A run folder with an untrained classifier of 12x12 grey images, five features before its last layer."""
    keras.utils.set_random_seed(0)
    stack = [keras.Input((12, 12, 1)), keras.layers.Flatten(), keras.layers.Dense(5), keras.layers.Dense(3)]
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text('{"settings": {}}')
    (tmp_path / "run" / "result.json").write_text('{"classes": ["0", "1", "2"]}')
    model = keras.Sequential(stack)
    model.save(tmp_path / "run" / "model.keras")
    return tmp_path / "run", model


def test_features_of_a_classifier_are_those_before_its_last_layer(data, gen, classifier, tmp_path):
    folder, model = classifier
    flags = ["--features", "classifier", "--classifier", folder]
    row = run(data, gen, tmp_path / "out", *flags)["features"]["classifier"]
    kernel, bias = model.layers[-2].get_weights()
    real, generated = (
        codec.to_float(albums.read_classes(folders.list_images(root))[0]).reshape(24, -1) @ kernel + bias
        for root in (data / "train", gen)
    )
    assert (row["dimensions"], row["space"]) == (5, "layer before the last of run")
    assert row["frechet"] == pytest.approx(fid.frechet(real, generated), rel=1e-3)
    with pytest.raises(ValueError, match="of images 12x12 grey, these are 8x8 grey"):
        run(data, gen, tmp_path / "other", *flags, "--size", 8, 8)


def test_a_network_that_is_no_chain_of_layers_cannot_be_cut(monkeypatch):
    monkeypatch.setattr("cnn.scarce_nets.FC2", (4, 3))
    with pytest.raises(ValueError, match="the network ladder cannot be cut"):
        features.penultimate(models.build("ladder", (4, 4, 1), 2))


def test_what_a_classifier_learns_from_generated_images(data, tmp_path, monkeypatch):
    monkeypatch.setattr(cas, "MODEL", "fc1")
    monkeypatch.setattr("cnn.scarce_nets.FC1", (16,))
    row = run(data, data / "train", tmp_path / "out", "--steps", 60)["accuracy"]
    assert row["generated"] == row["real"]  # from the same images with the same seed
    assert row["tested_on"] == "test"
    for name, wrong in (("0", "1"), ("1", "2"), ("2", "0")):  # what learns from them gives wrong classes
        shutil.copytree(data / "train" / name, tmp_path / "turned" / wrong)
    turned = run(data, tmp_path / "turned", tmp_path / "of-turned", "--steps", 60)["accuracy"]
    assert turned["real"] == row["real"] > 0.6
    assert turned["generated"] < 0.4


def test_what_the_network_of_a_run_learns_from_generated_images(data, gen, classifier, tmp_path):
    folder, model = classifier
    before = model.get_weights()
    flags = ["--features", "classifier", "--classifier", folder, "--steps", 40]
    row = run(data, data / "train", tmp_path / "out", *flags)["accuracy"]
    assert row["model"] == f"the network of {folder.name}"
    images = albums.read_classes(folders.list_images(data / "test"))
    guesses = model.predict(codec.to_float(images[0]), verbose=0).argmax(1)
    assert row["real"] == pytest.approx(np.mean(guesses == images[1]))  # what the run knows: it is not trained again
    learner = cas.learn(albums.ArrayAlbum(images[0]), images[1], 3, steps=1, seed=0, network=model)
    assert [weights.shape for weights in learner.get_weights()] == [weights.shape for weights in before]
    assert not np.allclose(learner.get_weights()[0], before[0])  # new weights
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_the_network_of_a_run_learns_as_the_run_did_and_a_fitted_one_does_not(data, gen, classifier, tmp_path):
    folder, _ = classifier
    assert assess.recipe_of(trained.read(folder)) == recipes.ADAM  # nothing says which network it is
    (folder / "result.json").write_text('{"model": "wrn-10-2", "classes": ["0", "1", "2"]}')
    (folder / "config.json").write_text('{"settings": {"rate": 0.05}}')
    assert assess.recipe_of(trained.read(folder)) == recipes.WRN.changed(0.05)
    (folder / "result.json").write_text('{"model": "neighbours", "classes": ["0", "1", "2"]}')
    flags = ["--features", "classifier", "--classifier", folder]
    with pytest.raises(ValueError, match="was fitted in one go, its network learns nothing in steps"):
        run(data, gen, tmp_path / "out", *flags, "--steps", 1)
    assert run(data, gen, tmp_path / "out", *flags)["accuracy"] is None


def test_a_classifier_of_other_classes_says_nothing_of_accuracy(data, gen, classifier, tmp_path):
    folder, _ = classifier
    flags = ["--features", "classifier", "--classifier", folder]
    for classes in (["0", "1", "2", "3"], ["2", "1", "0"]):
        (folder / "result.json").write_text(json.dumps({"classes": classes}))
        words = rf"run: knows the classes {', '.join(classes)}, these are 0, 1, 2 \(--steps 0 measures"
        with pytest.raises(ValueError, match=words):
            run(data, gen, tmp_path / "out", *flags, "--steps", 1)
        assert not (tmp_path / "out").exists()
    run(data, gen, tmp_path / "out", *flags)  # its features serve all the same
    (folder / "result.json").write_text("[]")
    with pytest.raises(ValueError, match=r"result\.json: does not say which classes"):
        run(data, gen, tmp_path / "broken", *flags, "--steps", 1)
    (folder / "result.json").unlink()  # a model alone is taken at its word
    run(data, gen, tmp_path / "none", *flags, "--steps", 1)


def test_a_classifier_of_broken_weights_is_one_line(data, gen, classifier, tmp_path):
    folder, model = classifier
    model.layers[-2].set_weights([np.full_like(weights, np.nan) for weights in model.layers[-2].get_weights()])
    model.save(folder / "model.keras")
    flags = ["--features", "classifier", "--classifier", folder, "--steps", 0, "--out", tmp_path / "out"]
    ended = run_here("assess.py", "-real", data, "-gen", gen, *flags)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "features should be finite numbers; those of 24 of 24 images" in ended.stderr
    assert not (tmp_path / "out").exists()


def test_grey_images_are_three_equal_channels_for_inception():
    seen = []

    class Network:
        def predict_on_batch(self, images):
            seen.append(np.array(images))
            return images[:, 0, 0]

    images = np.full((33, 4, 4, 1), 255, np.uint8)
    done = []
    found = features.of_inception(Network(), images, done.append)
    assert [batch.shape for batch in seen] == [(32, 299, 299, 3), (1, 299, 299, 3)]
    np.testing.assert_allclose(found, np.ones((33, 3)))  # 255 becomes 1
    assert done == [32, 1]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--features", "classifier"], "--features classifier: needs --classifier RUN"),
        (["--classifier", "runs/x"], "--classifier: goes with --features classifier"),
        (["--inception-weights", "x.h5"], "--inception-weights: goes with --features inception"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(capsys, flags, words):
    with pytest.raises(SystemExit) as ended:
        assess.parse_args(["-real", "a", "-gen", "b", *flags])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_bad_input_is_one_line(data, gen, tmp_path):
    out = tmp_path / "out"
    other = write_digits(tmp_path / "other", side=8) / "train"
    with pytest.raises(ValueError, match=r"8x8 grey, but .* is 12x12 grey"):
        run(data, other, out)
    with pytest.raises(ValueError, match="class '2' is missing"):
        run(data, write_digits(tmp_path / "two", classes=(0, 1)) / "train", out)
    one = write_digits(tmp_path / "one", classes=(0,), num_train=1)
    with pytest.raises(ValueError, match="1 image in all, at least 2 are needed"):
        run(one / "train", one / "train", out)
    (tmp_path / "weights.h5").write_bytes(b"none")
    with pytest.raises(ValueError, match=r"--inception-weights .*none\.h5: no such file"):
        run(data, gen, out, "--features", "inception", "--inception-weights", tmp_path / "none.h5")
    assert not out.exists()


@pytest.mark.slow
def test_weights_of_another_network_are_refused(data, gen, classifier, tmp_path):
    classifier[1].save_weights(tmp_path / "x.weights.h5")
    flags = ["--features", "inception", "--inception-weights", tmp_path / "x.weights.h5"]
    with pytest.raises(ValueError, match=r"--inception-weights .*x\.weights\.h5: not weights of InceptionV3"):
        run(data, gen, tmp_path / "out", *flags)
    assert not (tmp_path / "out").exists()


def test_no_network_to_download_inception_from_is_one_line(data, gen, tmp_path, monkeypatch):
    def offline(_):
        raise Exception("URL fetch failure on https://storage.googleapis.com: None -- timed out")

    monkeypatch.setattr(features, "inception", offline)
    with pytest.raises(
        ValueError, match=r"could not download the weights of InceptionV3 .*give the file with --inception-weights"
    ):
        run(data, gen, tmp_path / "out", "--features", "inception")


def test_a_classifier_of_binary_images_is_given_such():
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 1)).astype(np.uint8)
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])

    def seen(binarise):
        return evaluation.probabilities(model, assess.as_album(images, binarise))

    np.testing.assert_array_equal(seen(True), (images.reshape(5, 16) > 127).astype(np.float32))
    np.testing.assert_allclose(seen(False), images.reshape(5, 16) / 255, atol=1e-6)


def test_of_many_images_so_many_of_each_part_are_compared(data, gen, tmp_path):
    result = run(data, gen, tmp_path / "out", "--most", 10)
    assert result["images"] == {"real": 9, "generated": 9, "test": 9}  # three of each class
    assert json.loads((tmp_path / "out/config.json").read_text())["settings"]["most"] == 10
    assert run(data, gen, tmp_path / "few", "--most", 1)["images"]["real"] == 3


def test_a_folder_made_without_a_most_stays_valid_where_it_changes_nothing(data, gen, tmp_path):
    first = run(data, gen, tmp_path / "out")
    assert "most" not in json.loads((tmp_path / "out/config.json").read_text())["settings"]
    assert run(data, gen, tmp_path / "out", "--most", 24) == first
    with pytest.raises(ValueError, match=r"made with .*now"):
        run(data, gen, tmp_path / "out", "--most", 23)


@pytest.mark.parametrize(
    ("counts", "most", "drawn"),
    [
        ((4, 400, 400), 300, [4, 148, 148]),
        ((50, 50, 50), 100, [33, 33, 33]),
        ((3, 2, 1), 6, [3, 2, 1]),
        ((3, 2, 1), 5, [2, 2, 1]),
        ((9, 9, 9), 2, [1, 1, 1]),
    ],
)
def test_classes_give_alike_and_small_ones_all(counts, most, drawn):
    files = {name: [f"{name}{k}" for k in range(count)] for name, count in zip("abc", counts, strict=True)}
    found = selection.draw_at_most(files, most, 1)
    assert [len(paths) for paths in found.values()] == drawn
    assert all(set(found[name]) <= set(files[name]) for name in files)
    assert (found is files) == (sum(counts) <= most)
