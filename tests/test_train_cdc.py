"""train_cdc.py on real digits, generate.py after it, and their bad input."""

import json
import os
import shutil

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import kill_while_it_trains, write_digits

import generate
import train_cdc
from images import albums, folders
from vae_aug import cdcgan, conditional

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, as it saves

NETWORKS = {"cdcgan": ("generator", "discriminator"), "cdcvae": ("decoder", "encoder")}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_digits(tmp_path_factory.mktemp("cdc") / "data")


@pytest.fixture(scope="module", autouse=True)
def small():
    """Networks of few units, to build and trace quickly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cdcgan, "UNITS", 16)
        patch.setattr(cdcgan, "FILTERS", (4, 6))
        yield


def learn(data, out, *flags):
    flags = ["-path", data, "--images", 4, "--epochs", 3, "--latent", 5, "--out", out, *flags]
    train_cdc.main([str(flag) for flag in flags])


@pytest.fixture(scope="module", params=NETWORKS)
def trained(request, data, tmp_path_factory):
    """The run folder of each model."""
    out = tmp_path_factory.mktemp(request.param) / "models"
    learn(data, out, "--model", request.param)
    return request.param, out


def test_a_training_leaves_all_its_files(trained):
    kind, out = trained
    networks = {f"{name}.keras" for name in NETWORKS[kind]}
    pictures = {"losses.png", "samples.png"}
    assert {path.name for path in out.iterdir()} == networks | pictures | {"losses.csv", "subset.json", "config.json"}
    assert albums.read_images([out / "samples.png"]).shape == (1, 3 * (48 + 2) + 2, 10 * (48 + 2) + 2, 1)
    losses = pd.read_csv(out / "losses.csv")
    assert losses["epoch"].tolist() == [1, 2, 3]
    assert set(conditional.MODELS[kind].history_names) < set(losses)
    measured = ["label_fidelity", "copy_ratio", "diversity 0", "diversity 1", "diversity 2"]
    assert np.isfinite(losses[measured].iloc[-1]).all()
    assert losses[measured].iloc[:-1].isna().all(axis=None)
    assert losses["label_fidelity"].iloc[-1] <= 1


def test_names_that_are_not_utf_8_survive(data, tmp_path):
    shutil.copytree(data / "train" / "0", tmp_path / "odd" / os.fsdecode(b"caf\xe9"))
    shutil.copytree(data / "train" / "1", tmp_path / "odd" / "1")
    learn(tmp_path / "odd", tmp_path / "models", "--model", "cdcvae")
    assert (tmp_path / "models" / "losses.csv").exists()
    generate.main([str(flag) for flag in ("-models", tmp_path / "models", "-out", tmp_path / "gen", "--count", 2)])
    assert {os.fsencode(path.name) for path in (tmp_path / "gen").iterdir() if path.is_dir()} == {b"caf\xe9", b"1"}


def test_what_it_found_is_in_its_facts_and_no_part_of_its_identity(trained, data, capsys):
    kind, out = trained
    config = json.loads((out / "config.json").read_text(), parse_constant=pytest.fail)
    facts = config["facts"]
    assert (facts["kind"], facts["latent_dim"], facts["last"]["epoch"]) == (kind, 5, 3)
    assert set(facts["real_spreads"]) == set(config["settings"]["classes"]) == {"0", "1", "2"}
    assert "collapse" in facts["flags"]  # after three steps
    learn(data, out, "--model", kind)
    assert "is done already" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"made with settings epochs=3, now epochs=4"):
        learn(data, out, "--model", kind, "--epochs", 4)


def test_generate_writes_every_class_and_the_same_again(trained, tmp_path):
    _, out = trained
    for name in ("a", "b"):
        generate.main(["-models", str(out), "-out", str(tmp_path / name), "--count", "3"])
    first, second = (folders.list_images(tmp_path / name) for name in "ab")
    assert {name: len(paths) for name, paths in first.items()} == {"0": 3, "1": 3, "2": 3}
    images, _ = albums.read_classes(first)
    assert images.shape == (9, 12, 12, 1)
    np.testing.assert_array_equal(images, albums.read_classes(second)[0])


def test_a_source_draws_what_was_asked_for_whatever_the_other_classes(trained):
    kind, out = trained
    generator = keras.saving.load_model(out / f"{NETWORKS[kind][0]}.keras", compile=False)

    def draw(labels):
        source = conditional.Drawing(generator, conditional.MODELS[kind].prior, [7, 8, 9])
        return source.draw(labels, None)

    mixed, alone = draw([2, 0, 2, 1]), draw([2, 2])
    np.testing.assert_allclose(mixed[[0, 2]], alone, atol=1e-6)
    same_z = conditional.Drawing(generator, "normal", [7, 7, 7]).draw([0, 1], None)
    assert not np.array_equal(*same_z)  # the label reaches the network
    assert not np.array_equal(*alone)  # and so does z
    with pytest.raises(ValueError, match=r"draws 3 classes\. Received: 2"):
        conditional.Drawing(generator, "normal", [7, 8])


def test_a_sampler_is_refused(trained, tmp_path):
    with pytest.raises(ValueError, match="takes no --sampler"):
        generate.main(["-models", str(trained[1]), "-out", str(tmp_path / "gen"), "--sampler", "posterior"])


def test_a_loss_that_is_no_number_ends_the_training_and_leaves_nothing(data, tmp_path, monkeypatch):
    def run_epochs(*_):
        yield {"loss": 3.0}
        yield {"loss": np.nan}

    monkeypatch.setattr(conditional, "epochs_in_graph", lambda *_: run_epochs)
    with pytest.raises(FloatingPointError, match="loss became nan in epoch 2"):
        learn(data, tmp_path / "models")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("trained", ["cdcvae"], indirect=True)
def test_a_killed_training_leaves_nothing_and_the_next_gives_the_same(trained, data, tmp_path):
    kind, never_killed = trained
    flags = ["--model", kind, "-path", data, "--images", 4, "--latent", 5]
    kill_while_it_trains("train_cdc.py", tmp_path / "out", *flags)
    learn(data, tmp_path / "out", "--model", kind)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]  # what the killed one left is gone
    for network in NETWORKS[kind]:
        first, second = (
            keras.saving.load_model(folder / f"{network}.keras", compile=False).get_weights()
            for folder in (tmp_path / "out", never_killed)
        )
        assert all(map(np.array_equal, first, second))


def test_bad_input_is_one_line(data, tmp_path, capsys):
    with pytest.raises(ValueError, match=r"multiples of 4\. Received: 10x12; .* --size 12 12"):
        learn(data, tmp_path / "models", "--size", 10, 12)
    with pytest.raises(ValueError, match=r"8 images, at least 9 are needed"):
        learn(data, tmp_path / "models", "--images", 9)
    one = write_digits(tmp_path / "one", classes=(0,), num_train=1)
    with pytest.raises(ValueError, match="1 image in all, at least 2 are needed"):
        learn(one, tmp_path / "models", "--images", 1)
    with pytest.raises(SystemExit):
        learn(data, tmp_path / "models", "--model", "cdcgan", "--objective", "elbo")
    assert "--objective: goes with --model cdcvae" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()


def test_an_empty_cell_is_what_a_class_of_one_image_has(data, tmp_path):
    measure = train_cdc.make_measure(np.zeros((2, 8, 8, 1), np.float32), np.array([0, 1]), 2, seed=0)
    model = conditional.build("cdcvae", (8, 8, 1), 2, 3)
    found = measure(model)
    assert found["diversity"] == [None, None]
    assert found.keys() == {"diversity", "label_fidelity"}  # equal training images give no yardstick
