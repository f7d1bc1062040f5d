"""Classic augmentation: whether the trainer waits for it, and the layer against the generator."""

import itertools

import numpy as np

import runtime
from benchmarks.measure import Line, best
from images import folders, sources


def measure():
    runtime.configure(42)
    import keras

    from cnn import augmentation, injection, models, protocols, training
    from cnn.affine import RandomAffine
    from cnn.lessons import SUITABLE

    data = sources.digits(seed=0)
    images = folders.to_float(data.x_train[:320, ..., None])
    real = images, np.eye(10, dtype=np.float32)[data.y_train[:320]]
    generator = augmentation.Augmentation(images, 0)
    model = models.build_thesis_cnn(images.shape[1:], 10)
    training.compile_classifier(model)

    def train(steps, augment):
        schedule = protocols.fair("AUG", epochs=1, steps=steps)
        stream = injection.batches(real, None, schedule, 0, augment and generator)
        if not augment:  # the same work for the network, and none for the generator
            stream = itertools.cycle(list(itertools.islice(stream, 8)))
        training.train(model, stream, schedule)

    train(4, True)
    seconds = {True: [], False: []}
    for _ in range(4):
        for augment in seconds:
            seconds[augment].append(best(lambda a=augment: train(40, a), 1) - best(lambda a=augment: train(4, a), 1))
    with_it, without = min(seconds[True]), min(seconds[False])
    detail = f"{36 * 32 / with_it:.0f} against {36 * 32 / without:.0f} images/s"
    yield Line(
        "augmentation", "training with the generator / with ready batches", with_it / without, "times", "~ 1", detail
    )

    layer = RandomAffine(**SUITABLE, seed=0)
    network = keras.Sequential([keras.Input(images.shape[1:]), layer])
    step = keras.Function(network.inputs, layer(network.inputs[0], training=True))
    augmented = keras.Model(network.inputs, step.outputs)
    augmented.predict_on_batch(images)
    fast = len(images) / best(lambda: augmented.predict_on_batch(images), 20)
    slow = len(images) / best(lambda: generator(images), 3)
    detail = f"{fast:.0f} against {slow:.0f} images/s, {keras.backend.backend()}"
    yield Line("augmentation", "layer / generator, images a second", fast / slow, "times", ">= 10", detail)
