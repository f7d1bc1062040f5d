"""The networks layer by layer, against shapes and parameter counts worked out by hand."""

import keras
import numpy as np
import pytest

from cnn import thesis_cnn
from vae_aug import conv, dense
from vae_aug.autoencoder import build_autoencoder

CONV3 = 3 * 3 * 64 * 64 + 64  # a 3x3 convolution from 64 to 64 channels, with biases

CONV_ENCODER = [  # 28x28x1, latent 3
    ((28, 28, 1), 0),
    ((28, 28, 1), 2 * 2 * 1 * 1 + 1),  # = 5
    ((14, 14, 64), 2 * 2 * 1 * 64 + 64),  # = 320
    ((14, 14, 64), CONV3),  # = 36,928
    ((14, 14, 64), CONV3),
    ((12544,), 0),  # 14 * 14 * 64
    ((128,), 12544 * 128 + 128),  # = 1,605,760
    ((3,), 128 * 3 + 3),  # = 387
    ((3,), 128 * 3 + 3),
]
CONV_DECODER = [
    ((3,), 0),
    ((128,), 3 * 128 + 128),  # = 512
    ((12544,), 128 * 12544 + 12544),  # = 1,618,176
    ((14, 14, 64), 0),
    ((14, 14, 64), CONV3),
    ((14, 14, 64), CONV3),
    ((29, 29, 64), CONV3),  # (14 - 1) * 2 + 3 = 29
    ((28, 28, 1), 2 * 2 * 64 * 1 + 1),  # = 257
]
DENSE_ENCODER = [
    ((28, 28, 1), 0),
    ((784,), 0),
    ((256,), 784 * 256 + 256),  # = 200,960
    ((3,), 256 * 3 + 3),  # = 771
    ((3,), 256 * 3 + 3),
]
DENSE_DECODER = [
    ((3,), 0),
    ((256,), 3 * 256 + 256),  # = 1,024
    ((784,), 256 * 784 + 784),  # = 201,488
    ((28, 28, 1), 0),
]
AUTOENCODER_ENCODER = [((28, 28, 1), 0), ((784,), 0), ((32,), 784 * 32 + 32)]  # 25,120
AUTOENCODER_DECODER = [((32,), 0), ((784,), 32 * 784 + 784), ((28, 28, 1), 0)]  # 25,872
CNN_GREY = [  # 28x28x1, 10 classes
    ((28, 28, 64), 3 * 3 * 1 * 64 + 64),  # = 640
    ((28, 28, 128), 3 * 3 * 64 * 128 + 128),  # = 73,856
    ((14, 14, 128), 0),
    ((14, 14, 128), 0),
    ((14, 14, 128), 3 * 3 * 128 * 128 + 128),  # = 147,584
    ((14, 14, 128), 3 * 3 * 128 * 128 + 128),
    ((7, 7, 128), 0),
    ((7, 7, 128), 0),
    ((6272,), 0),  # 7 * 7 * 128
    ((128,), 6272 * 128 + 128),  # = 802,944
    ((128,), 0),
    ((10,), 128 * 10 + 10),  # = 1,290
]
CNN_RGB = [  # 32x32x3, 100 classes
    ((32, 32, 64), 3 * 3 * 3 * 64 + 64),  # = 1,792
    ((32, 32, 128), 3 * 3 * 64 * 128 + 128),
    ((16, 16, 128), 0),
    ((16, 16, 128), 0),
    ((16, 16, 128), 3 * 3 * 128 * 128 + 128),
    ((16, 16, 128), 3 * 3 * 128 * 128 + 128),
    ((8, 8, 128), 0),
    ((8, 8, 128), 0),
    ((8192,), 0),  # 8 * 8 * 128
    ((128,), 8192 * 128 + 128),  # = 1,048,704
    ((128,), 0),
    ((100,), 128 * 100 + 100),  # = 12,900
]


def layer_table(model):
    """Output shape, without the batch, and parameter count of every layer."""
    return [(tuple(layer.output.shape[1:]), layer.count_params()) for layer in model.layers]


def activations(model):
    return [layer.activation.__name__ for layer in model.layers if hasattr(layer, "activation")]


@pytest.mark.parametrize(
    ("build", "table", "total"),
    [
        (lambda: conv.build_encoder((28, 28, 1), 3), CONV_ENCODER, 1_680_715),
        (lambda: conv.build_decoder((28, 28, 1), 3), CONV_DECODER, 1_729_729),
        (lambda: dense.build_encoder((28, 28, 1), 3), DENSE_ENCODER, 202_502),
        (lambda: dense.build_decoder((28, 28, 1), 3), DENSE_DECODER, 202_512),
        (lambda: build_autoencoder((28, 28, 1)).get_layer("encoder"), AUTOENCODER_ENCODER, 25_120),
        (lambda: build_autoencoder((28, 28, 1)).get_layer("decoder"), AUTOENCODER_DECODER, 25_872),
        (lambda: thesis_cnn.build((28, 28, 1), 10), CNN_GREY, 1_173_898),
        (lambda: thesis_cnn.build((32, 32, 3), 100), CNN_RGB, 1_432_420),
    ],
    ids="conv-encoder conv-decoder dense-encoder dense-decoder ae-encoder ae-decoder cnn-grey cnn-rgb".split(),
)
def test_layers_have_the_published_shapes_and_parameters(build, table, total):
    model = build()
    assert layer_table(model) == table
    assert model.count_params() == total
    assert all(variable.trainable for variable in model.weights)


def test_autoencoder_holds_its_two_halves_and_nothing_else():
    assert build_autoencoder((28, 28, 1)).count_params() == 25_120 + 25_872


@pytest.mark.parametrize("build", [conv.build_encoder, dense.build_encoder])
def test_encoder_is_relu_with_two_linear_outputs(build):
    found = activations(build((8, 8, 1), 3))
    assert found[-2:] == ["linear", "linear"]
    assert set(found[:-2]) == {"relu"}


@pytest.mark.parametrize("build", [conv.build_decoder, dense.build_decoder])
def test_decoder_is_relu_with_a_sigmoid_output(build):
    found = activations(build((8, 8, 1), 3))
    assert found[-1] == "sigmoid"
    assert set(found[:-1]) == {"relu"}


def test_cnn_is_relu_with_a_softmax_output_and_half_dropped_out():
    model = thesis_cnn.build((8, 8, 1), 3)
    assert activations(model) == ["relu"] * 5 + ["softmax"]
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.5] * 3


@pytest.mark.parametrize(
    ("image_shape", "half", "plus_one"),
    [
        ((64, 64, 3), (32, 32, 64), (65, 65, 64)),
        ((10, 6, 1), (5, 3, 64), (11, 7, 64)),
        ((4, 4, 1), (2, 2, 64), (5, 5, 64)),
    ],
)
def test_any_even_size_follows_the_same_rule(image_shape, half, plus_one):
    channels, flat = image_shape[-1], half[0] * half[1] * 64
    encoder, decoder = conv.build_encoder(image_shape, 3), conv.build_decoder(image_shape, 3)
    assert layer_table(encoder) == [
        (image_shape, 0),
        (image_shape, 2 * 2 * channels * channels + channels),
        (half, 2 * 2 * channels * 64 + 64),
        (half, CONV3),
        (half, CONV3),
        ((flat,), 0),
        ((128,), flat * 128 + 128),
        ((3,), 387),
        ((3,), 387),
    ]
    assert layer_table(decoder) == [
        ((3,), 0),
        ((128,), 512),
        ((flat,), 128 * flat + flat),
        (half, 0),
        (half, CONV3),
        (half, CONV3),
        (plus_one, CONV3),
        (image_shape, 2 * 2 * 64 * channels + channels),
    ]


@pytest.mark.parametrize("networks", [conv, dense])
@pytest.mark.parametrize("latent_dim", [2, 4, 8])
def test_latent_dim_sets_both_ends(networks, latent_dim):
    images = np.random.default_rng(0).random((5, 10, 6, 1), dtype=np.float32)
    z_mean, z_log_var = networks.build_encoder((10, 6, 1), latent_dim)(images)
    assert z_mean.shape == z_log_var.shape == (5, latent_dim)
    assert networks.build_decoder((10, 6, 1), latent_dim)(z_mean).shape == (5, 10, 6, 1)


@pytest.mark.parametrize("build", [conv.build_encoder, conv.build_decoder])
@pytest.mark.parametrize(
    ("image_shape", "suggestion"),
    [
        ((29, 28, 1), "--size 30 28"),
        ((28, 29, 1), "--size 28 30"),
        ((7, 5, 3), "--size 8 6"),
        ((2, 2, 1), "--size 4 4"),
        ((1, 28, 1), "--size 4 28"),
    ],
)
def test_odd_and_tiny_sizes_are_refused_with_a_size_that_works(build, image_shape, suggestion):
    with pytest.raises(ValueError, match=f"Received: {image_shape[0]}x{image_shape[1]};.*{suggestion}$"):
        build(image_shape, 3)
    height, width = map(int, suggestion.split()[1:])
    conv.check_image_shape((height, width, 1))


def test_dense_vae_takes_odd_sizes():
    assert dense.build_decoder((7, 5, 3), 2).output.shape == (None, 7, 5, 3)


@pytest.mark.parametrize(("image_shape", "num_classes"), [((3, 28, 1), 10), ((28, 3, 1), 10), ((28, 28, 1), 1)])
def test_cnn_refuses_what_it_cannot_classify(image_shape, num_classes):
    height, width, _ = image_shape
    with pytest.raises(
        ValueError, match=f"at least 4x4 pixels and 2 classes. Received: {height}x{width}, {num_classes}"
    ):
        thesis_cnn.build(image_shape, num_classes)


def test_smallest_cnn_gives_probabilities():
    probabilities = thesis_cnn.build((4, 4, 1), 2).predict(np.zeros((3, 4, 4, 1), np.float32), verbose=0)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


@pytest.fixture
def mixed_bfloat16():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.usefixtures("mixed_bfloat16")
def test_mixed_precision_keeps_probabilities_and_variables_in_float32():
    model = thesis_cnn.build((8, 8, 1), 10)
    assert [layer.compute_dtype for layer in model.layers] == ["bfloat16"] * 11 + ["float32"]
    assert {variable.dtype for variable in model.weights} == {"float32"}
    probabilities = model(np.random.default_rng(0).random((5, 8, 8, 1), dtype=np.float32))
    assert keras.backend.standardize_dtype(probabilities.dtype) == "float32"
    # bfloat16 has 8 bits, so a softmax in it would be off by about 1e-2
    np.testing.assert_allclose(keras.ops.convert_to_numpy(probabilities).sum(axis=1), 1, rtol=1e-5)
