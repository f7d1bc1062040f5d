"""Measures classic augmentation: whether training waits for it, and how fast the layer is beside the generator."""

import itertools

import numpy as np

from benchmarks.measure import Line, best, steps_per_second
from common import backend
from images import codec, sources


def measure():
    backend.configure(42)
    import keras

    from cnn import augmentation, injection, protocols, thesis_cnn, training
    from cnn.affine import RandomAffine
    from cnn.presets import SUITABLE

    data = sources.digits(seed=0)
    images = codec.to_float(data.x_train[:320, ..., None])
    real = images, np.eye(10, dtype=np.float32)[data.y_train[:320]]
    generator = augmentation.Augmentation(images, 0)
    model = thesis_cnn.build(images.shape[1:], 10)
    training.compile_classifier(model)

    def train(augment, on_step):
        schedule = protocols.fair("AUG", epochs=1, steps=80)
        stream = injection.batches(real, None, schedule, 0, generator)
        if not augment:  # the same work for the network, and none for the generator
            stream = (batch for batch in itertools.cycle(list(itertools.islice(stream, 8))))
        training.train(model, stream, schedule, on_step=on_step, as_dataset=backend.as_dataset)

    with_it, without = (32 * steps_per_second(lambda on_step, a=a: train(a, on_step)) for a in (True, False))
    detail = f"{with_it:.0f} against {without:.0f} images/s"
    yield Line(
        "augmentation", "training on ready batches / with the generator", without / with_it, "times", "~ 1", detail
    )

    layer = RandomAffine(**SUITABLE, seed=0)
    network = keras.Sequential([keras.Input(images.shape[1:]), layer])
    step = keras.Function(network.inputs, layer(network.inputs[0], training=True))
    augmented = keras.Model(network.inputs, step.outputs)
    augmented.predict_on_batch(images)
    fast = len(images) / best(lambda: augmented.predict_on_batch(images), 20)
    slow = len(images) / best(lambda: generator(images), 3)
    detail = f"{fast:.0f} against {slow:.0f} images/s, {keras.backend.backend()}"
    yield Line("augmentation", "layer / generator, images per second", fast / slow, "times", ">= 10", detail)
