"""Measures a training step of the CDCVAE and of the CDCGAN against the machine's peak and against PyTorch.

Example python -m benchmarks.conditional cdcgan torch
        prints the seconds of a step of PyTorch's as JSON
"""

import importlib.util
import json
import sys

import numpy as np

from benchmarks.measure import Line, best, child, last_json, operations, peak
from common import backend

SHAPE, NUM_CLASSES, BATCH, STEPS = (28, 28, 1), 10, 64, 10
EPOCHS, REPEATS = 2, 4  # of STEPS steps: a CDCGAN's takes up to half a second
MODELS = ("cdcvae", "cdcgan")


def ours(kind):
    """Measures the seconds of a step as train_cdc.py takes it, its operations, and the machine's peak."""
    backend.configure(42)
    from vae_aug import conditional

    rng = np.random.default_rng(0)
    images = rng.random((BATCH * STEPS, *SHAPE), dtype=np.float32)
    labels = rng.integers(NUM_CLASSES, size=len(images))
    model = conditional.build(kind, SHAPE, NUM_CLASSES)
    run_epochs = conditional.epochs_in_graph(model, backend.in_graph)
    fastest = [peak("float32")]
    conditional.train(model, images, labels, 1, 0, run_epochs=run_epochs)
    seconds = best(lambda: conditional.train(model, images, labels, EPOCHS, 0, run_epochs=run_epochs), REPEATS)
    seconds /= EPOCHS * STEPS
    fastest.append(peak("float32"))
    generator = operations(model.generator)
    if kind == "cdcvae":
        work = 3 * (generator + operations(model.encoder))
    else:  # 1 and 3 passes of the generator, 6 and 2 of the discriminator, in the two halves of an iteration
        work = 4 * generator + 8 * operations(model.discriminator)
    return {"seconds": seconds, "operations": BATCH * work, "peak": max(fastest)}


def torch_networks(latent_dim, num_outputs):
    """Builds the same generator and trunk in PyTorch, each a function of its input and the labels, and its module."""
    import torch
    from torch import nn

    generator = nn.Sequential(
        *(nn.Linear(latent_dim + NUM_CLASSES, 1024), nn.BatchNorm1d(1024), nn.ReLU()),
        *(nn.Linear(1024, 128 * 49), nn.BatchNorm1d(128 * 49), nn.ReLU(), nn.Unflatten(1, (128, 7, 7))),
        *(nn.ConvTranspose2d(128, 64, 4, 2, 1), nn.BatchNorm2d(64), nn.ReLU()),
        *(nn.ConvTranspose2d(64, 1, 4, 2, 1), nn.Sigmoid()),
    )
    trunk = nn.Sequential(
        *(nn.Conv2d(1 + NUM_CLASSES, 64, 4, 2, 1), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(64, 128, 4, 2, 1), nn.BatchNorm2d(128), nn.LeakyReLU(0.2), nn.Flatten()),
        *(nn.Linear(128 * 49, 1024), nn.BatchNorm1d(1024), nn.LeakyReLU(0.2), nn.Linear(1024, num_outputs)),
    )

    def judge(images, labels):
        maps = labels[:, :, None, None].expand(-1, -1, *images.shape[2:])
        return trunk(torch.cat([images, maps], 1))

    return lambda z, labels: generator(torch.cat([z, labels], 1)), generator, judge, trunk


def theirs(kind):
    """Measures the seconds of the same step in PyTorch."""
    import torch
    from torch.nn import functional

    latent_dim = 62
    generate, generator, judge, trunk = torch_networks(latent_dim, 2 * latent_dim if kind == "cdcvae" else 1)
    images, z = torch.rand(BATCH, 1, 28, 28), torch.rand(BATCH, latent_dim)
    labels = functional.one_hot(torch.randint(NUM_CLASSES, (BATCH,)), NUM_CLASSES).float()

    def train_vae():
        adam.zero_grad()
        z_mean, raw = judge(images, labels).chunk(2, 1)
        deviation = functional.softplus(raw) + 1e-6
        made = generate(z_mean + deviation * torch.randn_like(z_mean), labels)
        kl = 0.5 * (z_mean**2 + deviation**2 - 2 * deviation.log() - 1).sum(1).mean()
        (functional.binary_cross_entropy(made, images, reduction="sum") / BATCH + kl).backward()
        adam.step()

    def train_gan():
        d_adam.zero_grad()
        real, made = judge(images, labels), judge(generate(z, labels).detach(), labels)
        (functional.softplus(-real).mean() + functional.softplus(made).mean()).backward()
        d_adam.step()
        g_adam.zero_grad()
        trunk.requires_grad_(False)  # no gradient of its weights, as ours takes none
        functional.softplus(-judge(generate(z, labels), labels)).mean().backward()
        trunk.requires_grad_(True)
        g_adam.step()

    rates = {"betas": (0.5, 0.999)}
    adam = torch.optim.Adam([*generator.parameters(), *trunk.parameters()], 1e-3, **rates)
    d_adam = torch.optim.Adam(trunk.parameters(), 2e-4, **rates)
    g_adam = torch.optim.Adam(generator.parameters(), 1e-3, **rates)
    step = train_vae if kind == "cdcvae" else train_gan
    step()
    return {"seconds": best(lambda: [step() for _ in range(STEPS)], EPOCHS * REPEATS) / STEPS}


def measure():
    with_torch = importlib.util.find_spec("torch") is not None
    for kind in MODELS:
        found = {"ours": [], "torch": []} if with_torch else {"ours": []}
        for _ in range(2):  # in turn, so that other load of the machine slows both alike
            for name, runs in found.items():
                runs.append(last_json(child("-m", "benchmarks.conditional", kind, name)[2]))
        run = min(found["ours"], key=lambda run: run["seconds"] * run["peak"])
        rate = run["operations"] / run["seconds"]
        detail = f"{1000 * run['seconds']:.0f} ms a step of {run['operations'] / 1e9:.3g} GFLOP; "
        detail += f"peak {run['peak'] / 1e9:.0f} GFLOP/s"
        yield Line(kind.upper(), "training step", rate / run["peak"], "of peak", ">= 0.5", detail)
        if with_torch:
            mine, other = (min(run["seconds"] for run in found[name]) for name in ("ours", "torch"))
            detail = f"{1000 * mine:.0f} against {1000 * other:.0f} ms a step"
            yield Line(kind.upper(), "training step, / torch", other / mine, "times", ">= 1.1", detail)


if __name__ == "__main__":
    kind, name = sys.argv[1:]
    print(json.dumps(ours(kind) if name == "ours" else theirs(kind)))
