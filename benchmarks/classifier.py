"""The thesis' CNN at its batch of 32: training and evaluation against the machine's peak, and against PyTorch.

Example python -m benchmarks.classifier mixed_bfloat16
        prints images a second of one precision as JSON; a process has one precision
"""

import importlib.util
import json
import sys

import numpy as np

from benchmarks.measure import Line, best, child, last_json, operations, peak

STEPS, TEST = 40, 1400
TARGETS = {"float32": ">= 0.90", "mixed_bfloat16": ">= 0.75"}


def rates(precision):
    """Images a second: as train_cnn.py trains and evaluates, and the peak."""
    import runtime

    runtime.configure(42, precision=precision)
    from cnn import injection, models, protocols, training

    rng = np.random.default_rng(0)
    images = rng.random((TEST, 28, 28, 1), dtype=np.float32)
    labels = np.eye(10, dtype=np.float32)[rng.integers(10, size=TEST)]
    model = models.build_thesis_cnn((28, 28, 1), 10)
    training.compile_classifier(model)
    seconds = {}

    def train(steps):
        schedule = protocols.fair("CNN", epochs=1, steps=steps)
        training.train(model, injection.batches((images, labels), None, schedule, 0), schedule)

    train(4)
    fastest = [peak(precision.removeprefix("mixed_"))]
    # The difference of two trainings: what starts and ends one is no step.
    seconds["train"] = min(best(lambda: train(STEPS), 1) - best(lambda: train(4), 1) for _ in range(4)) / (
        32 * (STEPS - 4)
    )
    model.evaluate(images, labels, batch_size=training.EVALUATION_BATCH, verbose=0)
    for batch in (training.EVALUATION_BATCH, 500):
        seconds[f"evaluate {batch}"] = best(lambda b=batch: model.evaluate(images, labels, b, 0), 4) / TEST
    fastest.append(peak(precision.removeprefix("mixed_")))
    forward = operations(model)
    rate = {name: 1 / value for name, value in seconds.items()}
    return {"rates": rate, "operations": {"train": 3 * forward, "evaluate": forward}, "peak": max(fastest)}


def torch_rates(precision):
    """The same network and batch in PyTorch: images a second."""
    import torch
    from torch import nn

    def block(inputs, outputs):
        convolutions = (nn.Conv2d(inputs, 64 if inputs == 1 else outputs, 3, padding=1), nn.ReLU())
        inner = 64 if inputs == 1 else outputs
        return [*convolutions, nn.Conv2d(inner, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.5)]

    dense = [nn.Flatten(), nn.Linear(128 * 49, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)]
    layers = [*block(1, 128), *block(128, 128), *dense]
    model = nn.Sequential(*layers).to(memory_format=torch.channels_last)
    optimiser, loss = torch.optim.Adam(model.parameters()), nn.CrossEntropyLoss()
    bfloat16 = torch.autocast("cpu", torch.bfloat16, enabled=precision != "float32")
    images = torch.rand(32, 1, 28, 28).to(memory_format=torch.channels_last)
    labels = torch.randint(10, (32,))

    def train():
        model.train()
        for _ in range(20):
            optimiser.zero_grad()
            with bfloat16:
                value = loss(model(images), labels)
            value.backward()
            optimiser.step()

    def evaluate():
        model.eval()
        batch = images.repeat(3, 1, 1, 1)
        with torch.no_grad(), bfloat16:
            for _ in range(10):
                model(batch)

    train(), evaluate()
    return {"train": 640 / best(train, 4), "evaluate": 960 / best(evaluate, 4)}


def measure():
    for precision in TARGETS:
        found = last_json(child("-m", "benchmarks.classifier", precision)[2])
        theirs = None
        if importlib.util.find_spec("torch"):
            theirs = last_json(child("-m", "benchmarks.classifier", precision, "torch")[2])
        best_batch = next(name for name in found["rates"] if name.startswith("evaluate"))
        for what, name in (("train", "train"), ("evaluate", best_batch)):
            rate, work = found["rates"][name], found["operations"][what]
            detail = f"{rate:.0f} images/s of {work / 1e9:.2f} GFLOP; peak {found['peak'] / 1e9:.0f} GFLOP/s"
            yield Line(
                "CNN", f"{what}, {precision}", rate * work / found["peak"], "of peak", TARGETS[precision], detail
            )
            if theirs:
                detail = f"{rate:.0f} against {theirs[what]:.0f} images/s"
                yield Line("CNN", f"{what}, {precision}, / PyTorch", rate / theirs[what], "times", ">= 1.1", detail)
        faster = found["rates"][best_batch] / found["rates"]["evaluate 500"]
        detail = "the test set of every epoch of the published protocol"
        yield Line("CNN", f"{best_batch} images a batch / 500, {precision}", faster, "times", "", detail)


if __name__ == "__main__":
    print(json.dumps(torch_rates(sys.argv[1]) if "torch" in sys.argv else rates(sys.argv[1])))
