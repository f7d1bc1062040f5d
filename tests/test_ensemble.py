"""Averages of networks (train_cnn.py --networks), and the mean over views of a test image (--views)."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import run_here, write_digits

import train_cnn
from cnn import ensemble, evaluation, features, models
from images import albums, folders

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, as it saves
FLAGS = ["-path", "data", "-limtr", "4", "-limte", "-1", "--model", "fc1", "--steps", "2", "-e", "2", "-b", "8"]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder with digits and three runs: one network, one with its views, and three with theirs."""
    root = tmp_path_factory.mktemp("ensemble")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        write_digits("data", side=8)
        train_cnn.main([*FLAGS, "--aug", "mild", "--out", "one"])
        train_cnn.main([*FLAGS, "--aug", "mild", "--views", "4", "--out", "viewed"])
        train_cnn.main([*FLAGS, "--aug", "mild", "--networks", "3", "--views", "4", "--out", "three"])
    return root


@pytest.fixture(autouse=True)
def there(here, monkeypatch):
    monkeypatch.chdir(here)


def read(folder):
    return json.loads((folder / "result.json").read_text())


def test_the_mean_of_three_networks_is_that_of_their_probabilities():
    networks = [models.build("fc1", (8, 8, 1), 3) for _ in range(3)]
    images = np.random.default_rng(0).random((5, 8, 8, 1), dtype=np.float32)
    expected = np.mean([network.predict(images, verbose=0) for network in networks], axis=0)
    joined = ensemble.average(networks)
    np.testing.assert_allclose(joined.predict(images, verbose=0), expected, atol=1e-6)
    with pytest.raises(ValueError, match="average cannot be cut before its last layer"):
        features.penultimate(joined)


def test_the_first_network_is_the_one_that_trains_alone_and_the_others_differ(here):
    alone, joined = (keras.saving.load_model(here / name / "model.keras") for name in ("one", "three"))
    networks = [joined.get_layer(f"network{k}") for k in (1, 2, 3)]
    for weight, other in zip(alone.get_weights(), networks[0].get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)
    first, second, third = (network.get_weights()[0] for network in networks)
    assert not np.allclose(first, second)
    assert not np.allclose(second, third)


def test_steps_of_all_networks_are_counted_and_their_curves_kept(here):
    one, three = read(here / "one"), read(here / "three")
    assert "networks" not in one
    assert (one["steps"], three["steps"], three["epochs"], three["networks"]) == (2, 6, 2, 3)
    history = pd.read_csv(here / "three" / "history.csv")
    assert history[["network", "epoch"]].to_numpy().tolist() == [[1, 1], [1, 2], [2, 1], [2, 2], [3, 1], [3, 2]]


def test_the_averaged_network_predicts_what_was_tested(here):
    with np.load(here / "three" / "predictions.npz") as kept:
        tested = dict(zip(kept["files"], kept["probabilities"], strict=True))
    done = run_here("predict.py", "-model", here / "three", here / "data/test", "--csv", here / "p.csv")
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(here / "p.csv").set_index("file")
    for name, row in table.iterrows():
        of_file = tested["/".join(str(name).split("/")[-2:])]
        np.testing.assert_allclose(
            row[["probability 0", "probability 1", "probability 2"]].to_numpy(float), of_file, atol=1e-5
        )


def test_views_are_the_mean_of_each_image_and_its_copies():
    model = models.build("fc1", (8, 8, 1), 3)
    images = np.random.default_rng(0).random((5, 8, 8, 1), dtype=np.float32)
    shifts = iter([0.1, 0.2])
    found = evaluation.averaged(model, images, lambda some: some + next(shifts), 2)
    expected = np.mean([model.predict(images + shift, verbose=0) for shift in (0, 0.1, 0.2)], axis=0)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_views_take_large_parts_piece_by_piece(monkeypatch):
    monkeypatch.setattr(evaluation, "VIEWED", 2)
    model, sizes = models.build("fc1", (8, 8, 1), 3), []
    images = np.random.default_rng(0).random((5, 8, 8, 1), dtype=np.float32)

    def augment(some):
        sizes.append(len(some))
        return some

    found = evaluation.averaged(model, images, augment, 1)
    assert sizes == [2, 2, 1]
    np.testing.assert_allclose(found, model.predict(images, verbose=0), atol=1e-6)


def test_views_are_a_second_score_of_the_same_network(here):
    assert read(here / "viewed")["scores"] == read(here / "one")["scores"]
    result = read(here / "three")
    assert result["views"]["count"] == 4
    assert set(result["views"]["scores"]) == set(result["scores"])
    assert result["views"]["scores"]["loss"] != result["scores"]["loss"]
    test = albums.open_album([path for paths in folders.list_images(here / "data/test").values() for path in paths])
    assert len(test) == result["views"]["scores"]["support"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--networks", "2", "--protocol", "published"], "--networks: goes with --protocol fair"),
        (["--networks", "2", "--model", "neighbours"], "--networks: goes with --protocol fair"),
        (["--networks", "2", "-chain", "rbm"], "--networks: goes with --protocol fair"),
        (["--networks", "0"], "a whole number above 0"),
        (["--views", "2"], "--views: goes with --aug"),
        (["--views", "2", "--aug", "--no-test"], "--views: goes with --aug"),
    ],
)
def test_what_does_not_go_together_is_refused(flags, words, capsys):
    with pytest.raises(SystemExit):
        train_cnn.parse_args(flags)
    assert words in capsys.readouterr().err


def test_the_run_folder_is_named_after_them():
    import train_cnn_flags

    args = train_cnn.parse_args(["--networks", "3", "--aug", "--views", "8"])
    assert train_cnn_flags.default_out(args) == "runs/aug-3networks-8views-fair-100-seed42"
