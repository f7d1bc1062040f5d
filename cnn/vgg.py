"""The VGG-Net of Eduardo & Kazi 2018, section 4: three blocks of two convolutions."""

from keras import Input, Sequential, layers

FILTERS = (64, 128, 256)
SLOPE = 0.2  # of the leaky ReLU, which the paper leaves open: TensorFlow's of 2018
DROPOUT = 0.6
LEAST_SIDE = 2 ** len(FILTERS)  # pixels: each block halves the image


def build(image_shape, num_classes, noise=0.0, width=1.0):
    """Builds the network: probabilities `(batch, num_classes)` from images `(batch, height, width, channels)`.

    A block is twice a 3x3 convolution with padding, batch norm for colour images only, and leaky ReLU; then max-pooling
    by 2 and dropout. One dense softmax layer follows.

    Args:
        image_shape: `(height, width, channels)`, at least 8x8.
        num_classes: at least 2.
        noise: standard deviation of Gaussian noise on the input while training; 0 for none, as published.
        width: factor of the numbers of filters, 1 for the published 64, 128 and 256.
    """
    if min(image_shape[:2]) < LEAST_SIDE:
        raise ValueError(
            f"VGG-Net needs images of at least {LEAST_SIDE}x{LEAST_SIDE} pixels. "
            f"Received: {image_shape[0]}x{image_shape[1]}"
        )
    counts = [int(width * count) for count in FILTERS]
    if min(counts) < 1:
        raise ValueError(f"--width {width:g}: leaves no filter of the first block's {FILTERS[0]}")
    stack = [Input(image_shape)]
    if noise:
        stack.append(layers.GaussianNoise(noise))
    for count in counts:
        for _ in range(2):
            stack.append(layers.Conv2D(count, 3, padding="same"))
            if image_shape[-1] == 3:
                stack.append(layers.BatchNormalization())
            stack.append(layers.LeakyReLU(negative_slope=SLOPE))
        stack += [layers.MaxPooling2D(2), layers.Dropout(DROPOUT)]
    stack += [layers.Flatten(), layers.Dense(num_classes, activation="softmax", dtype="float32")]
    return Sequential(stack, name="vgg")
