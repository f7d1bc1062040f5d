"""Wide residual networks and ResNet-50: parameters by hand, layers, normalisation, learning rates, weight decay."""

import json

import keras
import numpy as np
import pytest
from conftest import write_digits
from keras import layers

import train_cnn
from cnn import losses, models, recipes, resnet, training, wrn
from common import archives
from images import albums


def by_hand(depth, widen, channels, num_classes):
    """Trainable parameters, block by block."""
    total, before = 3 * 3 * channels * 16, 16
    for filters in (16 * widen, 32 * widen, 64 * widen):
        for _ in range((depth - 4) // 6):
            total += 2 * before + 9 * before * filters + 2 * filters + 9 * filters * filters
            total += before * filters if before != filters else 0  # the projection
            before = filters
    return total + 2 * before + before * num_classes + num_classes


def trainable(model):
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


@pytest.mark.parametrize(
    ("name", "depth", "widen", "classes", "expected"),
    [
        ("wrn-28-10", 28, 10, 100, 36_536_884),
        ("wrn-16-8", 16, 8, 100, 11_007_540),
        ("wrn-16-4", 16, 4, 100, 2_772_020),
        ("wrn-16-2", 16, 2, 100, 703_284),
        ("wrn-10-2", 10, 2, 100, 315_316),
    ],
)
def test_parameters(name, depth, widen, classes, expected):
    model = models.build(name, (32, 32, 3), classes)
    assert trainable(model) == by_hand(depth, widen, 3, classes) == expected
    assert model.name == name.replace("-", "_")


def test_layers():
    model = wrn.build((32, 32, 3), 10, depth=16, widen=2)
    convolutions = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    assert len([layer for layer in convolutions if layer.kernel_size == (3, 3)]) == 13  # 1 + 3 groups of 2 blocks of 2
    assert len([layer for layer in convolutions if layer.kernel_size == (1, 1)]) == 3  # a projection per group
    assert not any(layer.use_bias for layer in convolutions)
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    assert {(layer.momentum, layer.epsilon) for layer in norms} == {(0.9, 1e-5)}
    assert [layer.rate for layer in model.layers if isinstance(layer, layers.Dropout)] == 6 * [0.3]
    last = next(layer for layer in model.layers if isinstance(layer, layers.GlobalAveragePooling2D))
    assert last.input.shape[1:] == (8, 8, 128)
    with pytest.raises(ValueError, match=r"`depth` should be 10, 16, .* Received: 12"):
        wrn.build((8, 8, 1), 2, depth=12, widen=1)


def test_images_are_normalised_by_the_training_images_and_the_file_keeps_it(tmp_path):
    pixels = [0.5, 0.25, 0.125], [0.1, 0.2, 0.4]
    model = wrn.build((8, 8, 3), 2, depth=10, widen=1, pixels=pixels)
    images = np.random.default_rng(0).random((4, 8, 8, 3), dtype=np.float32)
    shown = keras.Model(model.inputs, model.layers[1].output).predict(images, verbose=0)
    np.testing.assert_allclose(shown, (images - pixels[0]) / pixels[1], rtol=1e-4, atol=1e-5)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(images, verbose=0), model.predict(images, verbose=0))


def test_statistics_of_an_album_are_those_of_its_pixels():
    images = np.random.default_rng(0).integers(256, size=(7, 3, 5, 3)).astype(np.uint8)
    mean, deviation = albums.statistics(albums.ArrayAlbum(images), block=3)
    np.testing.assert_allclose(mean, images.mean(axis=(0, 1, 2)) / 255, rtol=1e-6)
    np.testing.assert_allclose(deviation, images.std(axis=(0, 1, 2)) / 255, rtol=1e-6)


def test_learning_rates_of_the_recipes_by_hand():
    assert recipes.WRN.rates(3000) == ([899, 1799, 2399], pytest.approx([0.1, 0.02, 0.004, 0.0008]))
    rate = keras.optimizers.schedules.PiecewiseConstantDecay(*recipes.WRN.rates(10))
    found = [float(rate(step)) for step in range(10)]  # falls at 3, 6 and 8 of 10 steps
    assert found == pytest.approx(3 * [0.1] + 3 * [0.02] + 2 * [0.004] + 2 * [0.0008])
    last, rates = recipes.RESNET.rates(20_000)
    assert (last[0], last[-1], len(rates)) == (199, 19_799, 100)
    assert rates[:3] == pytest.approx([1e-3, 9e-4, 8.1e-4])


def line(weight, recipe, steps):
    """A dense layer of one weight, compiled by a recipe."""
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, use_bias=False)])
    training.compile_classifier(model, 1, recipe, steps=steps)
    model.set_weights([np.array([[weight]], np.float32)])
    return model


def test_weight_decay_is_pytorchs_which_goes_through_momentum():
    # Two steps from w = 2 on inputs of 0, so that the gradient is g = wd * w alone. PyTorch's SGD with Nesterov:
    # buffer = m buffer + g; w -= lr (g + m buffer)
    recipe = recipes.Recipe("sgd", {"learning_rate": 0.5, **recipes.SGD}, weight_decay=0.1)
    model = line(2.0, recipe, 2)
    model.compile(model.optimizer, loss="mse")
    x, y = np.zeros((2, 1), np.float32), np.zeros((2, 1), np.float32)
    model.train_on_batch(x, y)
    # g = 0.2, buffer = 0.2, w = 2 - 0.5 (0.2 + 0.9 * 0.2) = 1.81
    assert model.get_weights()[0].item() == pytest.approx(1.81)
    model.train_on_batch(x, y)
    # g = 0.181, buffer = 0.9 * 0.2 + 0.181 = 0.361, w = 1.81 - 0.5 (0.181 + 0.9 * 0.361) = 1.55705
    assert model.get_weights()[0].item() == pytest.approx(1.55705)


def test_flags_change_the_rate_and_the_decay_of_a_recipe(tmp_path, capsys, monkeypatch):
    changed = recipes.WRN.changed(0.05, 1e-3)
    assert changed.rates(3000) == ([899, 1799, 2399], pytest.approx([0.05, 0.01, 0.002, 0.0004]))
    assert (changed.weight_decay, changed.options["momentum"]) == (1e-3, 0.9)
    assert recipes.WRN.changed() == recipes.WRN
    assert recipes.ADAM.changed(weight_decay=0.0) == recipes.ADAM
    write_digits(tmp_path / "data", side=8)
    flags = ["-path", str(tmp_path / "data"), "-limtr", "2", "-limte", "2", "--model", "fc1", "--steps", "1", "-b", "2"]
    flags += ["--rate", "0.25", "--weight-decay", "0.01", "--out", str(tmp_path / "run")]
    trained = []
    monkeypatch.setattr(archives, "save_model", lambda model, path: trained.append(model))
    train_cnn.main(flags)
    assert float(trained[0].optimizer.learning_rate) == 0.25
    settings = json.loads((tmp_path / "run" / "config.json").read_text())["settings"]
    assert (settings["rate"], settings["weight_decay"]) == (0.25, 0.01)
    with pytest.raises(SystemExit):
        train_cnn.parse_args(["--model", "neighbours", "--rate", "0.1"])
    assert "--rate: --model neighbours has its own or takes no steps" in capsys.readouterr().err


def test_the_recipe_reaches_all_variables_and_the_optimiser():
    model = models.build("wrn-10-2", (8, 8, 1), 3)
    training.compile_classifier(model, 5, recipes.WRN, steps=20)
    assert {float(variable.regularizer.l2) for variable in model.trainable_variables} == {2.5e-4}
    expected = sum(2.5e-4 * np.square(weight).sum() for weight in map(np.array, model.trainable_variables))
    assert float(sum(np.array(loss) for loss in model.losses)) == pytest.approx(expected, rel=1e-4)
    assert (model.optimizer.momentum, model.optimizer.nesterov) == (0.9, True)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1)
    training.compile_classifier(again := models.build("fc1", (4, 4, 1), 3))
    assert not again.losses


def test_a_plot_says_that_weight_decay_is_a_part_of_the_loss():
    assert losses.title("ce") == "cross-entropy (nats per image)"
    assert losses.title("cosine", recipes.WRN.weight_decay) == "cosine loss and weight decay"


@pytest.mark.slow
def test_resnet_takes_rgb_grey_and_weights(tmp_path):
    trunk = keras.applications.ResNet50(include_top=False, weights=None)
    file = str(tmp_path / "resnet.weights.h5")
    trunk.save_weights(file)
    model = resnet.build((32, 32, 3), 5, weights=file)
    assert trainable(model) == 23_587_712 - 53_120 + 2048 * 5 + 5  # of Keras' page, less moving statistics
    images = np.random.default_rng(0).random((2, 32, 32, 3), dtype=np.float32)
    features = keras.Model(model.inputs, model.layers[-1].input)
    prepared = keras.applications.resnet.preprocess_input(255 * images)  # blue first, less the mean
    expected = trunk.predict(prepared, verbose=0).mean(axis=(1, 2))
    np.testing.assert_allclose(features.predict(images, verbose=0), expected, rtol=1e-3, atol=1e-4)
    assert resnet.build((33, 40, 1), 5).output_shape == (None, 5)
    with pytest.raises(ValueError, match=r"at least 32x32 pixels\. Received: 31x40"):
        resnet.build((31, 40, 1), 5)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--model", "wrn-16-2", "--protocol", "published"], "--model wrn-16-2 has --protocol fair; or give --paper"),
        (["--model", "wrn-16-2", "--width", "0.5"], "--width: --model wrn-16-2 has one width"),
        (["--model", "wrn-16-2", "-b", "1"], "-b 1: batch norm needs at least 2 images per step"),
        (["--weights", "imagenet"], "--weights: --model thesis starts from random ones; it goes with --model resnet50"),
        (["--model", "resnet50", "--weights", "no.h5"], "--weights no.h5: no such file"),
        (["--model", "ladder", "--unlabelled", "x", "--loss", "cosine"], "--loss cosine: --model ladder has its own"),
        (["--loss", "hinge"], "invalid choice: 'hinge'"),
    ],
)
def test_flags_that_do_not_go_together(flags, words, capsys):
    with pytest.raises(SystemExit) as ended:
        train_cnn.parse_args(flags)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_weights_of_another_net_are_refused_by_name(tmp_path):
    from common.errors import BadInput

    write_digits(tmp_path / "data", side=32)
    other = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    other.save_weights(tmp_path / "other.weights.h5")
    for name in ("other.weights.h5", "no-weights.h5"):
        (tmp_path / "no-weights.h5").write_bytes(b"no weights")
        flags = ["-path", tmp_path / "data", "--model", "resnet50", "--weights", tmp_path / name, "--steps", 1]
        with pytest.raises(BadInput, match=rf"--weights .*{name}: not weights of ResNet-50 without top"):
            train_cnn.main([str(flag) for flag in (*flags, "--out", tmp_path / "run")])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "loss", [*(pytest.param(name, marks=pytest.mark.slow) for name in ("ce", "cosine")), "cosine+ce"]
)
def test_trained_by_train_cnn(tmp_path, loss):
    write_digits(tmp_path / "data", side=8)
    flags = ["-path", tmp_path / "data", "--model", "wrn-10-2", "--steps", 60, "-e", 3, "-b", 8, "--loss", loss]
    train_cnn.main([str(flag) for flag in (*flags, "-limtr", 8, "--out", tmp_path / "run")])
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["model"], result["steps"]) == ("wrn-10-2", 60)
    settings = json.loads((tmp_path / "run" / "config.json").read_text())["settings"]
    assert settings.get("loss", "ce") == loss
    model = keras.saving.load_model(tmp_path / "run" / "model.keras")
    images = np.random.default_rng(0).random((4, 8, 8, 1), dtype=np.float32)
    np.testing.assert_allclose(model.predict(images, verbose=0).sum(axis=1), 1, rtol=1e-5)
    assert result["scores"]["accuracy"] > 0.6  # of three digits
