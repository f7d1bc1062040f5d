"""Measures the thesis' CNN at its batch of 32 against the machine's peak and against PyTorch.

Example python -m benchmarks.classifier mixed_bfloat16 keras
        prints images per second in one precision as JSON; one process can have one precision only
"""

import importlib.util
import json
import sys
import time

import numpy as np

from benchmarks.measure import Line, best, child, last_json, operations, peak, steps_per_second
from common import backend

STEPS, TEST = 240, 500
FEW, PUBLISHED_TEST = 50, 7000
TARGETS = {"float32": ">= 0.90", "mixed_bfloat16": ">= 0.75"}


def rates(precision):
    """Measures images per second in training and evaluation as train_cnn.py does them, and the machine's peak."""
    backend.configure(42, precision=precision)
    from cnn import evaluation, injection, protocols, thesis_cnn, training

    rng = np.random.default_rng(0)
    images = rng.random((TEST, 28, 28, 1), dtype=np.float32)
    labels = np.eye(10, dtype=np.float32)[rng.integers(10, size=TEST)]
    model = thesis_cnn.build((28, 28, 1), 10)
    schedule = protocols.fair("CNN", epochs=1, steps=STEPS)
    training.compile_classifier(model, schedule.steps_per_epoch)
    fastest = [peak(precision.removeprefix("mixed_"))]

    def train(on_step):
        training.train(
            model,
            injection.batches((images, labels), None, schedule, 0),
            schedule,
            on_step=on_step,
            as_dataset=backend.as_dataset,
        )

    rate = {"train": 32 * steps_per_second(train)}
    model.evaluate(images, labels, evaluation.BATCH, 0)
    rate["evaluate"] = TEST / best(lambda: model.evaluate(images, labels, evaluation.BATCH, 0), 8)
    rate["published epoch"] = 1 / published_epoch("CNN", (images[:FEW], labels[:FEW]), PUBLISHED_TEST)
    fastest.append(peak(precision.removeprefix("mixed_")))
    forward = operations(model)
    work = {"train": 3 * forward, "evaluate": forward, "published epoch": (3 * FEW + PUBLISHED_TEST) * forward}
    return {"rates": rate, "operations": work, "peak": max(fastest)}


def published_epoch(arm, train, num_test):
    """Measures the fastest epoch (seconds), the first left out, of a published arm that evaluates `num_test` images."""
    import keras

    from cnn import augmentation, injection, protocols, thesis_cnn, training

    model, ends = thesis_cnn.build(train[0].shape[1:], 10), []
    schedule = protocols.published(arm, len(train[0]), epochs=4)
    training.compile_classifier(model, schedule.steps_per_epoch)
    augment = augmentation.Augmentation(train[0], 0) if schedule.augmented else None
    batches = injection.batches(train, None, schedule, 0, augment)
    test = [np.resize(array, (num_test, *array.shape[1:])) for array in train]
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ends.append(time.perf_counter()))
    training.train(model, batches, schedule, test, [clock], as_dataset=backend.as_dataset)
    return np.diff(ends).min()


def torch_rates(precision, layout):
    """Measures images per second of the same network and batch in PyTorch.

    `layout` says how images lie in memory: `"torch"`, PyTorch's own way, or `"torch-channels-last"`, Keras' way.
    """
    import torch
    from torch import nn

    def block(inputs, outputs):
        convolutions = (nn.Conv2d(inputs, 64 if inputs == 1 else outputs, 3, padding=1), nn.ReLU())
        inner = 64 if inputs == 1 else outputs
        return [*convolutions, nn.Conv2d(inner, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.5)]

    dense = [nn.Flatten(), nn.Linear(128 * 49, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)]
    layers = [*block(1, 128), *block(128, 128), *dense]
    memory = torch.channels_last if layout.endswith("last") else torch.contiguous_format
    model = nn.Sequential(*layers).to(memory_format=memory)
    optimiser, loss = torch.optim.Adam(model.parameters()), nn.CrossEntropyLoss()
    bfloat16 = torch.autocast("cpu", torch.bfloat16, enabled=precision != "float32")
    images = torch.rand(32, 1, 28, 28).to(memory_format=memory)
    labels = torch.randint(10, (32,))

    def train():
        model.train()
        for _ in range(8):
            optimiser.zero_grad()
            with bfloat16:
                value = loss(model(images), labels)
            value.backward()
            optimiser.step()

    def evaluate():
        model.eval()
        batch = images.repeat(3, 1, 1, 1)
        with torch.no_grad(), bfloat16:
            for _ in range(5):
                model(batch)

    train(), evaluate()
    return {"train": 256 / best(train, 15), "evaluate": 480 / best(evaluate, 15)}


def measure():
    layouts = ["torch", "torch-channels-last"] if importlib.util.find_spec("torch") else []
    for precision in TARGETS:
        found = {name: [] for name in ("keras", *layouts)}
        for _ in range(2):  # in turn, so that other load of the machine slows all of them alike
            for name, runs in found.items():
                runs.append(last_json(child("-m", "benchmarks.classifier", precision, name)[2]))
        ours = max(found["keras"], key=lambda run: run["rates"]["train"] / run["peak"])
        for what, rate in ours["rates"].items():
            work, fastest = ours["operations"][what], ours["peak"]
            one = "epochs" if what == "published epoch" else "images"
            detail = f"{rate:.3g} {one}/s of {work / 1e9:.3g} GFLOP; peak {fastest / 1e9:.0f} GFLOP/s"
            target = TARGETS[precision] if one == "images" else ""
            yield Line("CNN", f"{what}, {precision}", rate * work / fastest, "of peak", target, detail)
            for name in layouts if one == "images" else ():
                theirs = max(run["rates"][what] for run in found[name])
                detail = f"{rate:.0f} against {theirs:.0f} images/s"
                target = ">= 1.1" if name == "torch" else ""
                yield Line("CNN", f"{what}, {precision}, / {name}", rate / theirs, "times", target, detail)


if __name__ == "__main__":
    precision, name = sys.argv[1:]
    print(json.dumps(rates(precision) if name == "keras" else {"rates": torch_rates(precision, name)}))
