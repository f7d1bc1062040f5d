#!/usr/bin/env bash
# Sets up JAX for an NVIDIA GPU, without TensorFlow, measures the GPU, and runs as much of CIARP's Table 2 as fits.
#
#   benchmarks/gpu.sh [--minutes 8] [--out runs/gpu] [--source mnist.npz] [other flags of ./reproduce.sh thesis]
#
# With a Python that has what requirements-gpu.txt lists: GPU_PYTHON=/path/to/python benchmarks/gpu.sh sets up nothing.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
python=${GPU_PYTHON:-$here/.venv/bin/python}
if [ -z "${GPU_PYTHON:-}" ]; then
    (cd "$here" && source ./setup.sh requirements-gpu.txt)
fi
# JAX would reserve three quarters of the GPU's memory in this process, while the grid's worker needs it.
export XLA_PYTHON_CLIENT_PREALLOCATE=false
export KERAS_BACKEND=jax PYTHONPATH=$here
exec "$python" -m benchmarks.gpu "$@"
