"""The classifiers of the scarce-data paper: layer by layer, and how they treat noise, size, type and precision."""

import keras
import numpy as np
import pytest

from cnn import models, scarce_nets
from cnn.training import compile_classifier

NAMES = ("thesis", "fc1", "fc2", "conv1", "ladder")
# kernels without bias, batch norm of 4 numbers a unit or filter, and a last layer with bias
FC1 = 784 * 1024 + 1024 * 1024 + 1024 * 10 + 10 + 4 * (1024 + 1024)
FC2 = 784 * 1000 + 1000 * 500 + 500 * 250 + 250 * 250 + 250 * 10 + 10 + 4 * (1000 + 500 + 250 + 250)
FILTERS = 3 * 3 * (1 * 32 + 32 * 64 + 64 * 128) + 4 * (32 + 64 + 128)
CONV1 = FILTERS + 4 * 4 * 128 * 512 + 512 * 512 + 512 * 10 + 10 + 4 * (512 + 512)


def weighted(model):
    """Output shapes, without the batch, of the layers that have a kernel."""
    return [layer.output.shape[1:] for layer in model.layers if hasattr(layer, "kernel")]


@pytest.mark.parametrize(
    ("name", "shapes", "total"),
    [
        ("fc1", [(1024,), (1024,), (10,)], FC1),
        ("fc2", [(1000,), (500,), (250,), (250,), (10,)], FC2),
        ("conv1", [(28, 28, 32), (14, 14, 64), (7, 7, 128), (512,), (512,), (10,)], CONV1),
    ],
)
def test_layers_have_the_published_widths(name, shapes, total):
    model = models.build(name, (28, 28, 1), 10)
    assert weighted(model) == shapes
    assert model.count_params() == total


@pytest.mark.parametrize("name", ["fc1", "fc2", "conv1"])
def test_every_hidden_layer_is_normalised_and_rectified_and_every_dense_one_half_dropped_out(name):
    kinds = [type(layer).__name__ for layer in models.build(name, (28, 28, 1), 10).layers]
    convolution = ["Conv2D", "BatchNormalization", "Activation", "MaxPooling2D"] * (3 if name == "conv1" else 0)
    dense = ["Dense", "BatchNormalization", "Activation", "Dropout"] * (4 if name == "fc2" else 2)
    assert kinds == ["GaussianNoise", *convolution, "Flatten", *dense, "Dense"]


@pytest.mark.parametrize(
    ("name", "noise", "found"),
    [("fc1", None, [0.3]), ("conv1", 0.5, [0.5]), ("fc2", 0, []), ("thesis", None, []), ("thesis", 0.1, [0.1])],
)
def test_noise_is_on_the_input_and_in_training_alone(name, noise, found):
    model = models.build(name, (8, 8, 1), 3, noise)
    noisy = [layer for layer in model.layers if isinstance(layer, keras.layers.GaussianNoise)]
    assert [layer.stddev for layer in noisy] == found
    assert noisy == model.layers[: len(found)]
    images = np.zeros((2, 8, 8, 1), np.float32)
    for layer in noisy:
        assert np.std(keras.ops.convert_to_numpy(layer(images, training=True))) == pytest.approx(found[0], rel=0.3)
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(images, training=False)), images)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("image_shape", [(5, 7, 3), (28, 28, 1), (4, 4, 1)], ids=str)
def test_any_size_gives_probabilities(name, image_shape):
    model = models.build(name, image_shape, 4)
    images = np.random.default_rng(0).random((3, *image_shape), dtype=np.float32)
    probabilities = model.predict(images, verbose=0)
    assert probabilities.shape == (3, 4)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES[:-1])  # the ladder's: test_ladder.py
def test_seed_decides_weights_and_noise_and_the_file_keeps_them(name, tmp_path, monkeypatch):
    for narrower, widths in (("FC1", (8, 6)), ("FC2", (8, 7, 6, 5)), ("CONV1", ((2, 3), (8, 6)))):
        monkeypatch.setattr(scarce_nets, narrower, widths)
    rng = np.random.default_rng(0)
    images, labels = rng.random((6, 8, 8, 1), dtype=np.float32), np.eye(3, dtype=np.float32)[np.arange(6) % 3]
    found = []
    for _ in range(2):
        keras.utils.set_random_seed(1)
        model = models.build(name, (8, 8, 1), 3)
        compile_classifier(model)
        model.run_eagerly = True  # two steps are done sooner than a graph of them is traced
        for _ in range(2):
            model.train_on_batch(images, labels)
        found.append(model.predict(images, verbose=0))
    np.testing.assert_array_equal(*found)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    again.run_eagerly = True
    np.testing.assert_array_equal(again.predict(images, verbose=0), found[0])
    again.train_on_batch(images, labels)
    assert again.count_params() == model.count_params()


@pytest.mark.parametrize("name", NAMES)
def test_mixed_precision_keeps_probabilities_and_variables_in_float32(name):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = models.build(name, (8, 8, 1), 3)
    finally:
        keras.config.set_dtype_policy(before)
    kernels = [layer for layer in model._flatten_layers() if hasattr(layer, "kernel")]
    assert {layer.compute_dtype for layer in kernels[: -1 if name != "ladder" else None]} == {"bfloat16"}
    assert {variable.dtype for variable in model.weights} <= {"float32", "uint32"}
    probabilities = model(np.random.default_rng(0).random((5, 8, 8, 1), dtype=np.float32))
    assert keras.backend.standardize_dtype(probabilities.dtype) == "float32"
    np.testing.assert_allclose(keras.ops.convert_to_numpy(probabilities).sum(axis=1), 1, rtol=1e-5)


def test_another_name_or_a_single_class_is_refused():
    with pytest.raises(ValueError, match=r"ladder, wrn-28-10, .*, resnet50\. Received: 'fc3'"):
        models.build("fc3", (8, 8, 1), 3)
    for name in NAMES:
        with pytest.raises(ValueError, match="at least 2 classes"):
            models.build(name, (8, 8, 1), 1)


@pytest.mark.parametrize("name", models.FITTED)
def test_one_class_is_nothing_to_tell_apart(name):
    with pytest.raises(ValueError, match=r"at least 2 classes\. Received: 1"):
        models.fit(name, np.zeros((2, 8, 8, 1), np.float32), np.zeros(2, int), 1)
