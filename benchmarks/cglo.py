"""Measures a training step of the cGLO and of WRN-16-2, and what it costs a step of WRN-16-2 to draw images for it.

Example python -m benchmarks.cglo wrn torch
        prints the seconds of a step of PyTorch's WRN-16-2 as JSON
"""

import importlib.util
import json
import sys
from types import SimpleNamespace

import numpy as np

from benchmarks.measure import Line, best, child, last_json, operations, peak, steps_per_second
from common import backend

SHAPE, NUM_CLASSES, PER_CLASS = (32, 32, 3), 10, 50
BATCH, LATENT = 128, 512  # the released ones
STEPS = 40


def draw(count):
    """Draws random images and the places of their classes, equally many of each."""
    images = np.random.default_rng(0).random((count, *SHAPE), dtype=np.float32)
    return images, np.arange(count) % NUM_CLASSES


def build_cglo(images, labels, epochs):
    """Builds a cGLO as train_cglo.py does by default: the model, and the levels of the images."""
    from vae_aug import cglo, perceptual

    loss = perceptual.Loss(perceptual.Laplacian(SHAPE), images, 2**30)
    codes = cglo.first_codes("sphere", labels, LATENT, np.random.default_rng(0))
    return cglo.CGLO(SHAPE, NUM_CLASSES, codes, loss, epochs), loss.targets


def train_cglo():
    """Measures the seconds of a step as train_cglo.py takes it, its operations, and the machine's peak."""
    from vae_aug import cglo_training

    images, labels = draw(4 * BATCH)
    model, targets = build_cglo(images, labels, 60)
    run_epochs = cglo_training.epochs_in_graph(model, backend.in_graph, targets)

    def train():
        cglo_training.train(model, targets, labels, 4, 0, BATCH, run_epochs=run_epochs)

    train()
    work = 3 * (operations(model.generator) + operations(model.steps[0].classifier))
    return {"seconds": best(train, 4) / 16, "operations": BATCH * work}


def train_wrn(drawn=False):
    """Measures the seconds of a step of WRN-16-2 as train_cnn.py takes it, with half of the images drawn by a cGLO."""
    from arms import replacement
    from cnn import injection, models, protocols, training
    from vae_aug.interpolation import Interpolation

    images, labels = draw(PER_CLASS * NUM_CLASSES)
    one_hot = np.eye(NUM_CLASSES, dtype=np.float32)[labels]
    schedule = protocols.fair("CNN", epochs=1, steps=STEPS, batch_size=BATCH)
    recipe = models.find("wrn-16-2").recipe
    model = models.build("wrn-16-2", SHAPE, NUM_CLASSES, pixels=([0.5] * 3, [0.25] * 3))
    training.compile_classifier(model, schedule.steps_per_epoch, recipe, steps=STEPS)
    batches = injection.batches((images, one_hot), None, schedule, 0)
    if drawn:
        model_of_images = build_cglo(images, labels, 1)[0]
        source = Interpolation(model_of_images.generator, model_of_images.codes, labels, range(NUM_CLASSES))
        named = SimpleNamespace(class_names=range(NUM_CLASSES), fingerprints=dict)
        arm = replacement.Replacement(named, 0.5, "slerp", "example", schedule)
        batches = arm.replaced(batches, source, np.random.default_rng(0))

    def run(on_step):
        options = {"on_step": on_step, "as_dataset": backend.as_dataset, "recipe": recipe}
        training.train(model, batches, schedule, **options)

    return {"seconds": 1 / steps_per_second(run), "operations": BATCH * 3 * operations(model)}


def torch_wrn():
    """Measures the seconds of the same step in PyTorch."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.norms = nn.ModuleList([nn.BatchNorm2d(inputs), nn.BatchNorm2d(outputs)])
            self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if inputs != outputs else None

        def forward(self, x):
            h = functional.relu(self.norms[0](x))
            kept = self.shortcut(h) if self.shortcut else x
            h = functional.dropout(functional.relu(self.norms[1](self.first(h))), 0.3)
            return kept + self.second(h)

    widths = [16, 32, 64, 128]
    layers = [nn.Conv2d(3, 16, 3, 1, 1, bias=False)]
    for group in range(3):
        layers.append(Block(widths[group], widths[group + 1], 1 if group == 0 else 2))
        layers.append(Block(widths[group + 1], widths[group + 1], 1))
    layers += [nn.BatchNorm2d(128), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, NUM_CLASSES)]
    model = nn.Sequential(*layers)
    optimiser = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    images, labels = torch.rand(BATCH, 3, 32, 32), torch.randint(NUM_CLASSES, (BATCH,))

    def train():
        for _ in range(4):
            optimiser.zero_grad()
            functional.cross_entropy(model(images), labels).backward()
            optimiser.step()

    train()
    return {"seconds": best(train, 5) / 4}


def ours(what):
    """Measures one of the three in this process, and the peak before and after it."""
    backend.configure(42)
    fastest = [peak("float32")]
    found = {"step": train_cglo, "wrn": train_wrn, "drawn": lambda: train_wrn(drawn=True)}[what]()
    return found | {"peak": max(*fastest, peak("float32"))}


def measure():
    parts = {name: [] for name in ("step", "wrn", "drawn")}
    if importlib.util.find_spec("torch"):
        parts["torch"] = []
    for _ in range(2):  # in turn, so that other load of the machine slows all of them alike
        for name, runs in parts.items():
            command = ("wrn", "torch") if name == "torch" else (name, "keras")
            runs.append(last_json(child("-m", "benchmarks.cglo", *command)[2]))
    for name, subject in (("step", "cGLO"), ("wrn", "WRN-16-2")):
        run = min(parts[name], key=lambda run: run["seconds"] * run["peak"])
        detail = f"{1000 * run['seconds']:.0f} ms a step of {run['operations'] / 1e9:.3g} GFLOP; "
        detail += f"peak {run['peak'] / 1e9:.0f} GFLOP/s"
        of_peak = run["operations"] / run["seconds"] / run["peak"]
        yield Line(subject, "training step", of_peak, "of peak", ">= 0.5", detail)
    seconds = {name: min(run["seconds"] for run in runs) for name, runs in parts.items()}

    def against(name, other):
        return f"{1000 * seconds[name]:.0f} against {1000 * seconds[other]:.0f} ms a step"

    ratio = seconds["drawn"] / seconds["wrn"]
    yield Line("WRN-16-2", "step, half of the images drawn / none", ratio, "times", "< 1.1", against("drawn", "wrn"))
    if "torch" in parts:
        detail = against("wrn", "torch")
        yield Line("WRN-16-2", "training step, / torch", seconds["torch"] / seconds["wrn"], "times", ">= 1.0", detail)


if __name__ == "__main__":
    what, name = sys.argv[1:]
    print(json.dumps(torch_wrn() if name == "torch" else ours(what)))
