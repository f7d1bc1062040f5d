"""Measures the training of a VAE, with its validation curve, against its bare step in a loop of one graph."""

import numpy as np

from benchmarks.measure import Line, best, operations, peak
from common import backend
from images import codec, sources


def bare_loop(model, image_shape):
    """Makes a function of (images, number) that takes `number` steps on all images in one graph, nothing else."""
    import keras
    from keras import ops

    def loop(images, number):
        ops.fori_loop(0, number, lambda k, unused: (model.train_step((images,)), unused)[1], 0)
        return model.metrics[0].result()

    images = keras.InputSpec(shape=(None, *image_shape), dtype="float32")
    return backend.in_graph(loop, [images, keras.InputSpec(shape=(), dtype="int32")])


def compare(images, validation, epochs, fastest):
    """Compares the seconds of an epoch, as `training.train` runs it, with those of the bare step: a `Line`."""
    from vae_aug import training

    model = training.build("conv", images.shape[1:], 3)
    run_epochs = training.epochs_in_graph(model, backend.in_graph)
    bare = bare_loop(model, images.shape[1:])
    training.train(model, images, validation, 2, 0, run_epochs=run_epochs)
    bare(images, np.int32(2))
    ours, alone = [], []
    for _ in range(4):  # in turn, so that other load of the machine slows both alike
        ours.append(best(lambda: training.train(model, images, validation, epochs, 0, run_epochs=run_epochs), 1))
        alone.append(best(lambda: np.array(bare(images, np.int32(epochs))), 1))
    ours, alone = min(ours) / epochs, min(alone) / epochs
    work = 3 * (operations(model.encoder) + operations(model.decoder)) * len(images)
    detail = (
        f"{1000 * ours:.1f} ms per epoch, {1000 * alone:.1f} the step, {work / alone / fastest:.2f} of the float32 peak"
    )
    return Line("VAE training", f"epoch / bare step, {len(images)} images", ours / alone, "times", "<= 1.3", detail)


def measure():
    backend.configure(42)
    data = sources.digits(seed=0)
    digits = codec.to_float(data.x_train[data.y_train == 3][..., None])
    fastest = peak("float32")
    for count, held_out, epochs in ((4, 1, 100), (21, 4, 40), (84, 16, 12)):  # 84 % of 5, 25 and 100
        yield compare(digits[:count], digits[count : count + held_out], epochs, fastest)
