"""Training of a VAE, validation curve kept, against nothing but its step in a loop of one graph."""

import numpy as np

from benchmarks.measure import Line, best, operations, peak
from common import backend
from images import codec, sources


def bare_loop(model, image_shape):
    """A function of images and a number that takes so many steps on all of them, in one graph, and no more."""
    import keras
    from keras import ops

    def loop(images, number):
        ops.fori_loop(0, number, lambda k, unused: (model.train_step((images,)), unused)[1], 0)
        return model.metrics[0].result()

    images = keras.InputSpec(shape=(None, *image_shape), dtype="float32")
    return backend.in_graph(loop, [images, keras.InputSpec(shape=(), dtype="int32")])


def compare(images, validation, epochs, fastest):
    """Seconds of an epoch as `training.train` runs it, and of the bare step, as a line."""
    from vae_aug import training

    model = training.build("conv", images.shape[1:], 3)
    run_epochs = training.epochs_in_graph(model, backend.in_graph)
    bare = bare_loop(model, images.shape[1:])
    training.train(model, images, validation, 2, 0, run_epochs=run_epochs)
    bare(images, np.int32(2))
    ours, alone = [], []
    for _ in range(4):  # in turn, so that what else the machine does meets both
        ours.append(best(lambda: training.train(model, images, validation, epochs, 0, run_epochs=run_epochs), 1))
        alone.append(best(lambda: np.array(bare(images, np.int32(epochs))), 1))
    ours, alone = min(ours) / epochs, min(alone) / epochs
    work = 3 * (operations(model.encoder) + operations(model.decoder)) * len(images)
    detail = (
        f"{1000 * ours:.1f} ms an epoch, {1000 * alone:.1f} the step, {work / alone / fastest:.2f} of the float32 peak"
    )
    return Line("VAE training", f"epoch / bare step, {len(images)} images", ours / alone, "times", "<= 1.3", detail)


def measure():
    backend.configure(42)
    data = sources.digits(seed=0)
    digits = codec.to_float(data.x_train[data.y_train == 3][..., None])
    fastest = peak("float32")
    for count, held_out, epochs in ((4, 1, 100), (21, 4, 40), (84, 16, 12)):  # 84 % of 5, 25 and 100
        yield compare(digits[:count], digits[count : count + held_out], epochs, fastest)
