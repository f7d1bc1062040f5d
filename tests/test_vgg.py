"""VGG-Net, layer by layer by hand, and as train_cnn.py trains it."""

import json
import shutil

import keras
import numpy as np
import pytest
from keras import layers

import train_cnn
from cnn import models, vgg


def trainable(model):
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


def kinds(model):
    return "".join(
        {"Conv2D": "C", "BatchNormalization": "N", "LeakyReLU": "R", "MaxPooling2D": "P", "Dropout": "d"}.get(
            type(layer).__name__, "."
        )
        for layer in model.layers
    )


def test_grey_images():
    model = vgg.build((28, 28, 1), 10)
    assert kinds(model) == 3 * "CRCRPd" + ".."  # no batch norm; flatten and dense
    convolutions = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    assert [layer.count_params() for layer in convolutions] == [
        3 * 3 * 1 * 64 + 64,  # = 640
        3 * 3 * 64 * 64 + 64,  # = 36,928
        3 * 3 * 64 * 128 + 128,  # = 73,856
        3 * 3 * 128 * 128 + 128,  # = 147,584
        3 * 3 * 128 * 256 + 256,  # = 295,168
        3 * 3 * 256 * 256 + 256,  # = 590,080
    ]
    pools = [layer.output.shape[1:] for layer in model.layers if isinstance(layer, layers.MaxPooling2D)]
    assert pools == [(14, 14, 64), (7, 7, 128), (3, 3, 256)]
    assert trainable(model) == 1_167_306  # the convolutions and 3 * 3 * 256 * 10 + 10 = 23,050
    assert [layer.rate for layer in model.layers if isinstance(layer, layers.Dropout)] == 3 * [0.6]
    assert {layer.negative_slope for layer in model.layers if isinstance(layer, layers.LeakyReLU)} == {0.2}
    assert {type(layer.kernel_initializer).__name__ for layer in convolutions} == {"GlorotUniform"}


def test_colour_images_are_batch_normalised():
    model = vgg.build((32, 32, 3), 10)
    assert kinds(model) == 3 * "CNRCNRPd" + ".."
    # 64 filters of 3 channels for 1 are 1,152 more; 2 * 2 * (64 + 128 + 256) of the batch norms = 1,792; the dense
    # layer has 4 * 4 * 256 * 10 + 10 = 40,970
    assert trainable(model) == 1_167_306 + 1_152 + 1_792 + 40_970 - 23_050 == 1_188_170


def test_width_scales_the_filters():
    model = vgg.build((8, 8, 1), 3, width=0.5)
    assert [layer.filters for layer in model.layers if isinstance(layer, layers.Conv2D)] == [32, 32, 64, 64, 128, 128]
    assert model.output_shape == (None, 3)
    with pytest.raises(ValueError, match=r"--width 0\.01: leaves no filter of the first block's 64"):
        vgg.build((8, 8, 1), 3, width=0.01)


def test_noise_is_in_training_alone():
    images = np.ones((2, 8, 8, 1), np.float32)
    noisy = vgg.build((8, 8, 1), 2, noise=0.5, width=0.1)
    assert isinstance(noisy.layers[0], layers.GaussianNoise)
    assert noisy.layers[0].stddev == 0.5
    assert np.array(noisy.layers[0](np.zeros((40, 8, 8, 1)), training=True)).std() == pytest.approx(0.5, rel=0.1)
    assert np.array_equal(noisy(images), noisy(images))
    assert np.array(noisy(images)).sum(1) == pytest.approx([1, 1])


def test_small_images_are_refused():
    with pytest.raises(ValueError, match=r"at least 8x8 pixels\. Received: 7x8"):
        vgg.build((7, 8, 1), 2)


def test_the_table_takes_a_width_where_a_classifier_has_one():
    model = models.build("vgg", (8, 8, 1), 3, width=1 / 64)
    assert [layer.filters for layer in model.layers if isinstance(layer, layers.Conv2D)] == [1, 1, 2, 2, 4, 4]
    assert models.build("vgg", (8, 8, 1), 3).count_params() == vgg.build((8, 8, 1), 3).count_params()
    with pytest.raises(ValueError, match=r"FC1 has one width\. Received: 0\.5"):
        models.build("fc1", (8, 8, 1), 3, width=0.5)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--model", "fc1", "--width", "0.5"], "--width: --model fc1 has one width; it goes with --model vgg"),
        (["--model", "vgg", "--width", "0.01"], "--width 0.01: leaves no filter, the smallest is 0.015625"),
        (["--model", "vgg", "--protocol", "published"], "--model vgg has --protocol validated -e 200; or give --paper"),
    ],
)
def test_flags_of_train_cnn_that_do_not_go_with_it_are_refused(capsys, flags, words):
    with pytest.raises(SystemExit) as ended:
        train_cnn.parse_args(flags)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_trained_by_its_published_rule(digits, tmp_path):
    shutil.copytree(digits / "test", digits / "validation")
    flags = ["--model", "vgg", "--width", 0.05, "--protocol", "validated", "-e", 2, "-limtr", 8]
    train_cnn.main([str(flag) for flag in ("-path", digits, "--out", tmp_path / "run", *flags)])
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["model"], result["steps"], result["epochs"]) == ("vgg", 2, 2)  # 24 images, a step per pass
    assert json.loads((tmp_path / "run" / "config.json").read_text())["settings"]["width"] == 0.05
    model = keras.saving.load_model(tmp_path / "run" / "model.keras")
    assert [layer.filters for layer in model.layers if isinstance(layer, layers.Conv2D)] == [3, 3, 6, 6, 12, 12]
