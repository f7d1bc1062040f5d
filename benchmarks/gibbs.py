"""Measures Gibbs steps of an RBM at batch 1,000: the rate of their two matrix products against the machine's peak.

The products of a step are batch x 784 by 784 x hidden and back; random numbers, sigmoids and comparisons do not count.
"""

import numpy as np

from benchmarks.measure import Line, best, peak
from common import backend

BATCH, STEPS, REPEATS = 1000, 5, 25
HIDDEN = (500, 1000)


def measure():
    backend.configure(42)
    from vae_aug.chains import Steps
    from vae_aug.rbm import RBM

    images = (np.random.default_rng(0).random((BATCH, 28, 28, 1)) < 0.5).astype(np.float32)
    for hidden in HIDDEN:
        before = peak("float32")
        steps = Steps(RBM((28, 28, 1), hidden), STEPS, seed=0)
        steps.predict_on_batch(images)  # traces it
        rate = STEPS / best(lambda s=steps: s.predict_on_batch(images), REPEATS)
        work, fastest = 4 * BATCH * 784 * hidden, max(before, peak("float32"))
        detail = f"{rate:.0f} steps/s of {work / 1e9:.2f} GFLOP; peak {fastest / 1e9:.0f} GFLOP/s"
        yield Line("gibbs", f"Gibbs steps, {hidden} hidden units", rate * work / fastest, "of peak", ">= 0.5", detail)
