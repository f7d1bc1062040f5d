"""The fully connected and convolutional classifiers of Maronas 2018, section 3: FC1, FC2 and CONV1."""

from keras import Input, Sequential, layers

FC1 = (1024, 1024)
FC2 = (1000, 500, 250, 250)
CONV1 = ((32, 64, 128), (512, 512))


def build_fc1(image_shape, num_classes, noise):
    """Builds FC1; arguments as of `models.build`."""
    return _build("fc1", image_shape, num_classes, noise, (), FC1)


def build_fc2(image_shape, num_classes, noise):
    """Builds FC2; arguments as of `models.build`."""
    return _build("fc2", image_shape, num_classes, noise, (), FC2)


def build_conv1(image_shape, num_classes, noise):
    """Builds CONV1; arguments as of `models.build`."""
    return _build("conv1", image_shape, num_classes, noise, *CONV1)


def _build(name, image_shape, num_classes, noise, filters, units):
    stack = [Input(image_shape), *([layers.GaussianNoise(noise)] if noise else [])]
    for width in filters:
        stack += [layers.Conv2D(width, 3, padding="same", use_bias=False), *_normalised_relu()]
        stack.append(layers.MaxPooling2D(2, padding="same"))  # Deviation 13: where to pool; padded, for any size
    stack.append(layers.Flatten())
    for width in units:
        stack += [layers.Dense(width, use_bias=False), *_normalised_relu(), layers.Dropout(0.5)]
    stack.append(layers.Dense(num_classes, activation="softmax", dtype="float32"))
    return Sequential(stack, name=name)


def _normalised_relu():
    # Deviation 13: momentum 0.9, so that a training of a few hundred steps has its statistics at its end.
    return [layers.BatchNormalization(momentum=0.9), layers.Activation("relu")]
