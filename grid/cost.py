"""What a cell costs: seconds and bytes, estimated from its command line before it runs.

The constants were measured on a 2-core AMD EPYC (TensorFlow 2.21, one thread a worker, 28x28 grey images). Cells that
are done correct them: every estimate is scaled by how long the done cells of the same script took.
"""

import math
from pathlib import Path

from grid.cells import read_record

START = 3.0  # seconds to build and trace a model in a worker that has imported Keras
TRAIN = {"float32": 0.0072, "mixed_bfloat16": 0.0042}  # the thesis' CNN: seconds per image
PREDICT = {"float32": 0.0022, "mixed_bfloat16": 0.0011}
VAE_EPOCHS, VAE_BATCH = 350, 100  # of the smaller scenarios, where no --epochs are given
VAE_STEP, VAE_IMAGE = 0.015, 0.0018  # a VAE's seconds per step and per image
RBM_EPOCHS = {"bad": 50, "good": 300, "persistent": 50}  # of the presets; ten steps each
RBM_STEP, RBM_IMAGE = 0.003, 0.00003  # an RBM's seconds per step and per image
FIT = {"fc1": 0.0001, "fc2": 0.0001, "conv1": 0.0006, "ladder": 0.0004}  # the scarce paper's models, per image
FIT |= {"wrn-10-2": 0.0037, "wrn-16-2": 0.0075, "wrn-16-4": 0.023, "wrn-16-8": 0.083, "wrn-28-10": 0.28}
FIT_STEP = 0.01  # and per step
AT_ONCE = ("neighbours", "imagenet")  # classifiers that take no steps
STATES = 96  # of chains, that join a step of 32 images
STATE = {"train_rbm": 0.00005, "train_vae": 0.002}  # per state, by the script that made the model
CGLO_STEP, CGLO_IMAGE = 0.05, 0.004  # a cGLO's seconds per step and per image
CDC = {"cdcvae": 0.0018, "cdcgan": 0.0036}  # seconds per image and epoch, by their arithmetic beside the thesis' CNN
PAIR = 0.12  # seconds to register a pair of images, on a processor without AVX-512
DECODE = 0.0011  # seconds per image, PNG included
STEPS, EPOCHS = 3000, 60  # of train_cnn.py
PAGE = 100  # generated images per epoch of the published VAE arm
STOPPED = {"": 25, "aug": 25, "vae-all": 15}  # epochs at which the published arms' rule stopped them here, about


def of(script, flags, graph):
    """The cost of a cell.

    Args:
        script: which script it calls.
        flags: its command line, as `graph.given` makes it.
        graph: the `Graph` whose classes it reads; the cells that it needs are there already.

    Returns:
        Seconds on the machine of the constants, and bytes that it leaves; 0 and 0 for a script without an estimate.
    """
    return SCRIPTS[script](read(flags), graph) if script in SCRIPTS else (0.0, 0.0)


def read(flags):
    """A command line as a dict from flag to value: True for a switch, a list where there are several."""
    found, name = {}, None
    for item in flags:
        if isinstance(item, str) and item.startswith("-"):
            name = item
            found[name] = []
        else:
            found[name].append(item)
    return {name: values if len(values) > 1 else values[0] if values else True for name, values in found.items()}


def of_vae(line, graph):
    """train_vae.py: one model per class, or one alone (--digit, --joint)."""
    per_class = line["--images"] if line["--images"] > 0 else sum(graph.classes.values()) / graph.num_classes
    models, count = 1, per_class
    if "--joint" in line:
        count = per_class * graph.num_classes
    elif "--all" in line:
        models = graph.num_classes / int(line.get("--part", "1/1").partition("/")[2])
    step = math.ceil(count / VAE_BATCH) * VAE_STEP + VAE_IMAGE * count
    return models * (START + line.get("--epochs", VAE_EPOCHS) * step), models * 26e6


def of_rbm(line, graph):
    """train_rbm.py: one model of all classes."""
    epochs = line.get("--epochs", RBM_EPOCHS[line["--preset"]])
    return START + epochs * (10 * RBM_STEP + line["--images"] * graph.num_classes * RBM_IMAGE), 8e6


def of_cdc(line, graph):
    """train_cdc.py: one conditional model of all classes."""
    return START + line["--epochs"] * of_all_classes(line, graph) * CDC[line["--model"]], 55e6


def of_all_classes(line, graph):
    """Images that a model of all classes learns from."""
    found = line["--images"] * graph.num_classes if line.get("--images", -1) > 0 else sum(graph.classes.values())
    return min(found, line.get("--most", found))


def of_cglo(line, graph):
    """train_cglo.py: one generator of all classes; the images without labels are not counted."""
    images = of_all_classes(line, graph)
    batch = line.get("--batch", max(2, min(128, images // 8)))
    step = CGLO_STEP + batch * CGLO_IMAGE
    return START + line["--epochs"] * max(1, images // batch) * step, 40e6


def of_deformation(line, graph):
    """train_deformation.py: the ordered pairs of each class, 100 at most."""
    pairs = min(line["--images"] * (line["--images"] - 1), line.get("--pairs", 100))
    return START + graph.num_classes * pairs * PAIR, 3e6


def of_generation(line, graph):
    """generate.py: images from the prior, a chain from one image of each class, or copies."""
    if "--count" not in line:
        return 1.0, graph.num_classes * line.get("--images", 0) * 600
    counts = line["--count"] if isinstance(line["--count"], list) else [line["--count"]]
    if any(isinstance(count, str) for count in counts):  # CLASS=N of every class
        count = sum(int(str(count).rpartition("=")[2]) for count in counts) / graph.num_classes
    else:
        count = counts[0]
    disk = graph.num_classes * count * 600
    if line.get("--sampler") == "chain":
        made_by = graph.cells[str(line["-models"])].script
        return START + graph.num_classes * line["--chain-length"] * STATE[made_by], disk
    return graph.num_classes * (1 + DECODE * count), disk


def of_classifier(line, graph):
    """train_cnn.py: the steps of a training, and its looks at the test set."""
    model, precision = line.get("--model", "thesis"), line["--precision"]
    if model in AT_ONCE:
        return START, 25e6
    fit = FIT.get(model, TRAIN[precision])
    predict = FIT[model] / 3 if model in FIT else PREDICT[precision]
    fit, predict = (seconds * line.get("--width", 1) ** 2 for seconds in (fit, predict))
    steps, looks = length(line, graph)
    seconds = line.get("-b", 32) * fit + FIT_STEP * (model in FIT)
    if "-chain" in line:
        state = STATE[graph.cells[str(line["-chain"])].script]
        seconds += STATES * (fit + state + predict * (line["--labels"] == "y"))
    num_test = graph.num_classes * (line["-limte"] if line["-limte"] > 0 else images_per_test_class(graph))
    networks = line.get("--networks", 1)
    looks += networks * (line["--views"] + 1 if "--views" in line else 0)
    return START + networks * steps * seconds + looks * num_test * predict, networks * (25e6 if model in FIT else 15e6)


def length(line, graph):
    """Optimiser steps of a classifier's training, and how often it looks at the test set."""
    epochs = line.get("-e", EPOCHS)
    if line["--protocol"] == "fair":
        return line.get("--steps", STEPS), 1
    if line["--protocol"] == "validated":
        size = line["-limtr"] * graph.num_classes * (2 if "-vae" in line else 1)
        return epochs * math.ceil(size / 32), 1 + epochs // line.get("--validate-every", 1)
    if line.get("--model", "thesis") != "thesis" or "-chain" in line:
        return line.get("--steps", STEPS), epochs
    augmented, generated = "--aug" in line or "--bad" in line, "-vae" in line
    arm = "+".join(["aug"] * augmented + ["vae"] * generated) + "-all" * ("--injection" in line)
    epochs = epochs if "--select" in line else min(epochs, STOPPED.get(arm, EPOCHS))
    size = line["-limtr"] * graph.num_classes
    if augmented:
        return epochs * size, epochs + 1
    page = PAGE if generated else 0
    if "--injection" in line:
        page = graph.num_classes * read(graph.cells[str(line["-vae"])].flags)["--count"]
    return epochs * math.ceil((size + page) / 32), epochs + 1


def images_per_test_class(graph):
    """Test images of a class, which nobody counted yet: a fifth of its training images, 1,000 at most."""
    return min(1000, max(1, min(graph.classes.values()) // 5))


SCRIPTS = {
    "train_vae": of_vae,
    "train_rbm": of_rbm,
    "train_cdc": of_cdc,
    "train_deformation": of_deformation,
    "train_cglo": of_cglo,
    "generate": of_generation,
    "train_cnn": of_classifier,
}


def recorded(grid, root):
    """How long the cells of a grid that are done took: {key: seconds}."""
    records = {key: read_record(root, key) for key in grid if (Path(root) / key).is_dir()}
    return {key: record["seconds"] for key, record in records.items() if record}


def scales(grid, seconds):
    """How much longer than estimated the done cells of each script took: {script: factor}.

    Args:
        grid: dict from key to `Cell`.
        seconds: what the done ones took, as `recorded` says.
    """
    took, expected = {}, {}
    for key, value in seconds.items():
        cell = grid[key]
        if cell.work:
            took[cell.script] = took.get(cell.script, 0) + value
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
