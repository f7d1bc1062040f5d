"""Gibbs steps of an RBM against the matrix products that they consist of, and against this machine's peak.

Prints one line a size: GFLOP/s of the two products of a step (batch x 784 by 784 x hidden, and back), alone and within
the step, where random numbers, sigmoids and comparisons come on top; peak is a product of two 2,000 x 2,000 matrices.
By the best of many wall times, and by seconds of the processor, which a busy machine distorts less.

Example python -m benchmarks.gibbs
"""

import time

import numpy as np

import cli
import runtime

BATCH, STEPS, REPEATS = 1000, 5, 25


def parse_args(argv=None):
    parser = cli.ArgumentParser(__doc__)
    parser.add_argument("--hidden", type=cli.positive, nargs="+", default=[500, 1000], help="hidden units")
    runtime.add_arguments(parser)
    return parser.parse_args(argv)


def measure(function, images, flops):
    """GFLOP/s by the best wall time, and GFLOP a second of one core by the median processor time."""
    function(images)  # traces it
    wall, processor = [], []
    for _ in range(REPEATS):
        start = time.perf_counter(), time.process_time()
        function(images)
        wall.append(time.perf_counter() - start[0])
        processor.append(time.process_time() - start[1])
    return flops / min(wall) / 1e9, flops / np.median(processor) / 1e9


def main(argv=None):
    args = parse_args(argv)
    runtime.configure(args.seed, args.devices, args.deterministic)
    import keras
    from keras import ops

    from vae_aug.chains import Steps
    from vae_aug.rbm import RBM

    class Products(keras.Model):
        """The two matrix products of a Gibbs step and nothing else."""

        def __init__(self, kernel, num_steps):
            super().__init__()
            self.kernel, self.num_steps = kernel, num_steps

        def call(self, x):
            for _ in range(self.num_steps):
                x = ops.matmul(ops.matmul(x, self.kernel), ops.transpose(self.kernel))
            return x

    rng = np.random.default_rng(args.seed)
    images = (rng.random((BATCH, 28, 28, 1)) < 0.5).astype(np.float32)
    square = rng.random((2000, 2000)).astype(np.float32)
    peak = measure(Products(ops.convert_to_tensor(square), 1).predict_on_batch, square, 4 * 2000**3)
    for hidden in args.hidden:
        rbm = RBM((28, 28, 1), hidden)
        flops = STEPS * 4 * BATCH * 784 * hidden
        products = measure(Products(rbm.kernel, STEPS).predict_on_batch, images.reshape(BATCH, -1), flops)
        steps = measure(Steps(rbm, STEPS, args.seed).predict_on_batch, images, flops)
        print(
            f"batch {BATCH}, {hidden} hidden: {steps[0] * 1e9 / flops * STEPS:.1f} Gibbs steps/s, "
            f"{steps[0]:.0f} GFLOP/s (products alone {products[0]:.0f}, peak {peak[0]:.0f}); "
            f"a core-second {steps[1]:.0f} (products {products[1]:.0f}, peak {peak[1]:.0f}): "
            f"{steps[1] / peak[1]:.2f} of the peak"
        )


if __name__ == "__main__":
    cli.run(main)
