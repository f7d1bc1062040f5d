"""What a cell costs: seconds and bytes, estimated before it runs.

The constants were measured on a 2-core AMD EPYC (TensorFlow 2.21, one thread a worker, 28x28 grey images). Cells that
are done correct them: every estimate is scaled by how long the done cells of the same script took.
"""

import math

from common import runs
from grid.cells import is_done, record_path

START = 3.0  # seconds to build and trace a model in a worker that has imported Keras
TRAIN = {"float32": 0.0072, "mixed_bfloat16": 0.0042}  # a classifier's seconds an image
PREDICT = {"float32": 0.0022, "mixed_bfloat16": 0.0011}
VAE_STEP, VAE_IMAGE = 0.015, 0.0018  # a VAE's seconds a step and an image
RBM_EPOCHS = {"bad": 50, "good": 300}  # of the presets; ten steps each
RBM_STEP, RBM_IMAGE = 0.003, 0.00003  # an RBM's seconds a step and an image
FIT = {"fc1": 0.0001, "fc2": 0.0001, "conv1": 0.0006, "ladder": 0.0004}  # of the scarce paper's models, an image
FIT_STEP = 0.01  # and a step
STATES = 96  # of chains, that join a step of 32 images
STATE = {"b-rbm": 0.00005, "g-rbm": 0.00005, "vae": 0.002}  # a state, by generator
DECODE = 0.0011  # seconds an image, PNG included


def models(num_classes, num_per_class, epochs):
    """(seconds, bytes) of one VAE a class."""
    return num_classes * (START + epochs * (VAE_STEP + VAE_IMAGE * num_per_class)), num_classes * 26e6


def generation(num_classes, count):
    """(seconds, bytes) of generating `count` images a class."""
    return num_classes * (1 + DECODE * count), num_classes * count * 600


def classifier(steps, looks, num_test, precision):
    """(seconds, bytes) of a classifier trained with batches of 32, which looks at the test set `looks` times."""
    return START + steps * 32 * TRAIN[precision] + looks * num_test * PREDICT[precision], 15e6


def rbm(num_images, epochs):
    """(seconds, bytes) of one RBM."""
    return START + epochs * (10 * RBM_STEP + num_images * RBM_IMAGE), 8e6


def joint_vae(num_images, epochs):
    """(seconds, bytes) of one VAE of all classes, trained with batches of 100."""
    return START + epochs * (math.ceil(num_images / 100) * VAE_STEP + num_images * VAE_IMAGE), 26e6


def chains(num_classes, length, generator):
    """(seconds, bytes) of a chain of `length` states from an image of each class."""
    return START + num_classes * length * STATE[generator], num_classes * 20 * 600


def scarce_classifier(model, steps, looks, num_test, precision, generator="", labels=""):
    """`classifier` for the scarce paper's models; with labels `"y"` it also looks at every state that it draws."""
    states = STATES if generator else 0
    fit, predict = FIT.get(model, TRAIN[precision]), FIT.get(model, 3 * PREDICT[precision]) / 3
    step = FIT_STEP + (32 + states) * fit + states * (STATE.get(generator, 0) + predict * (labels == "y"))
    return START + steps * step + looks * num_test * predict, 25e6


def scales(grid, root):
    """How much longer than estimated the done cells of each script took: {script: factor}."""
    took, expected = {}, {}
    for key, cell in grid.items():
        if cell.work and is_done(root, key):
            record = runs.read_json(record_path(root, key))
            took[cell.script] = took.get(cell.script, 0) + record["seconds"]
            expected[cell.script] = expected.get(cell.script, 0) + cell.work
    return {script: took[script] / expected[script] for script in took}


def estimate(cells, factors):
    """Seconds that cells take one after another."""
    return sum(cell.work * factors.get(cell.script, 1) for cell in cells)


def words(seconds):
    """A duration for people: `"40 s"`, `"12 min"`, `"3.5 h"`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
