"""The door to the back end: seeds, precision and devices, set in one place before Keras is used.

TensorFlow is the default; `KERAS_BACKEND=jax` or `torch` runs the same scripts on the others.
"""

import contextlib
import ctypes
import importlib.util
import itertools
import logging
import os
import re
import sys
import tempfile
import zlib
from pathlib import Path

from common.errors import BadInput

log = logging.getLogger(__name__)
BACKENDS = ("tensorflow", "jax", "torch")
PRECISIONS = ("float32", "mixed_bfloat16")
MALLOC = {-4: 0, -1: -1, -8: 1}  # M_MMAP_MAX: no block of its own; M_TRIM_THRESHOLD: never; M_ARENA_MAX: shared


def add_arguments(parser):
    """`--seed`, `--devices`, `--deterministic`: the flags that `configure` reads."""
    from common.cli import whole

    parser.add_argument("--seed", type=whole, default=42, help="seed of subsets, weights, noise and shuffling")
    parser.add_argument(
        "--devices",
        type=devices,
        default="auto",
        metavar="auto|cpu|gpu|N|cpu:N",
        help="auto: all GPUs found, else the CPU; N: the first N GPUs; cpu:N: N logical CPU devices (a rehearsal)",
    )
    parser.add_argument("--deterministic", action="store_true", help="bit-equal reruns, where the back end can")


def devices(text):
    """Checks a `--devices` value."""
    if not re.fullmatch(r"auto|cpu|gpu|[1-9]\d*|cpu:[1-9]\d?", text):
        from argparse import ArgumentTypeError

        raise ArgumentTypeError(
            f"expected auto, cpu, gpu, a number above 0 or cpu:N with N at most 99, received {text!r}"
        )
    return text


def configure(seed=42, devices="auto", deterministic=False, precision="float32"):
    """Sets up the back end. Call it once, before anything imports Keras.

    Args:
        seed: seeds Python, NumPy and Keras.
        devices: see `add_arguments`.
        deterministic: asks TensorFlow or PyTorch for deterministic kernels.
        precision: Keras dtype policy, `float32` or `mixed_bfloat16` (float32 variables, bfloat16 arithmetic).

    Returns:
        A function that makes the context in which models are built that all devices train: `with scope(): model =
        build(...)`. With several devices it is the scope of a `tf.distribute.MirroredStrategy`, or on JAX distributes
        what comes after it. A script that never enters it trains on one device.

    Raises:
        BadInput: the devices are not there, or `TF_CONFIG` asks for several machines.
    """
    if os.environ.get("TF_CONFIG"):
        raise BadInput(
            "TF_CONFIG is set: one training cannot span several machines, because Keras 3 does not work with "
            "MultiWorkerMirroredStrategy (keras issue 20585). Unset it and give each machine its own runs, by --seed "
            "and --out; the GPUs of one machine are shared by --devices"
        )
    _check_backend()
    if devices.startswith("cpu"):
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    _keep_memory()
    with _quiet_stderr():
        import keras

        backend = keras.backend.backend()
        os.environ["KERAS_BACKEND"] = backend  # which may come from Keras' own file: for records, and workers
        scope = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[backend](devices, deterministic)
    if precision == "mixed_bfloat16" and not _has_bfloat16():
        log.info(
            "--precision %s: this processor has no bfloat16 instructions; they are emulated, slower than", precision
        )
        log.info("  --precision float32, which is the one to use here")
    keras.config.set_dtype_policy(precision)
    set_seeds(seed)
    return scope


def _keep_memory():
    """Lets glibc keep memory that is freed, for what comes next.

    By itself it gives blocks above 32 MiB back to the system at once, which then clears each of their pages anew: in
    steps with large activations that is up to a third of the time.
    """
    with contextlib.suppress(AttributeError, TypeError, OSError):  # no glibc: then nothing is done
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, value in MALLOC.items():
            mallopt(parameter, value)


def _check_backend():
    """Refuses a `KERAS_BACKEND` that Keras does not know, or that is not installed."""
    name = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if name not in BACKENDS:
        raise BadInput(f"KERAS_BACKEND={name}: expected {', '.join(BACKENDS)}")
    if importlib.util.find_spec(name) is None:
        raise BadInput(f"KERAS_BACKEND={name}: not installed; pip install {name}, or unset KERAS_BACKEND")


def _has_bfloat16():
    """Whether bfloat16 is computed by instructions of its own: on any GPU, and on processors that say so."""
    flags = _processor_flags()
    return not flags or bool(flags & {"avx512_bf16", "amx_bf16", "bf16"}) or _gpu_is_used()


def _processor_flags():
    """Lists what the processor can do; empty where the system does not tell."""
    try:
        return set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        return set()


def _gpu_is_used():
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.get_visible_devices("GPU"))
    if keras.backend.backend() == "jax":
        import jax

        return jax.default_backend() != "cpu"
    import torch

    return torch.cuda.is_available()


def check_one_device(model, words):
    """Refuses a model that several devices share.

    Args:
        model: a Keras model.
        words: how the error begins: the flag, and what does not go with it.

    Raises:
        BadInput: there are several.
    """
    import keras

    strategy = getattr(model, "distribute_strategy", None)
    if (strategy and strategy.num_replicas_in_sync > 1) or keras.distribution.distribution():
        raise BadInput(f"{words} one training uses one device")


def set_seeds(seed):
    """Seeds Python, NumPy and Keras."""
    import keras

    keras.utils.set_random_seed(seed)


def in_graph(function, inputs):
    """Compiles a function of tensors that may change variables, as a training step does, loops of steps included.

    Args:
        function: of one positional tensor an input; loops as `keras.ops` has them.
        inputs: list of `keras.InputSpec`, shape (None: any) and dtype. It is traced once, for them all.

    Returns:
        The compiled function, or None where one cannot change variables (JAX) or none is made (PyTorch).
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    return tf.function(function, input_signature=[tf.TensorSpec(spec.shape, spec.dtype) for spec in inputs])


def as_dataset(batches):
    """What TensorFlow's `fit` reads from an endless generator of (images, labels), eight batches ahead.

    Keras would make such a data set itself, but one that tunes itself in a thread of its own, which at the training's
    end sometimes sleeps on, up to a minute, while `fit` waits for it. This one has nothing to tune.
    """
    import tensorflow as tf

    first = next(batches)
    specs = tf.nest.map_structure(lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype), first)
    dataset = tf.data.Dataset.from_generator(lambda: itertools.chain([first], batches), output_signature=specs)
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.prefetch(8).with_options(options)


def derive_seed(seed, name):
    """A seed for one class: from the run's seed and the class name, so that classes can be run in any order.

    31 bits, which is what every back end takes.
    """
    key = f"{seed} {name}".encode("utf-8", "surrogateescape")  # a folder name may be no UTF-8
    return zlib.crc32(key) % 2**31


def _count(devices, found):
    """How many of `found` GPUs to use; 0 means the CPU."""
    if devices.startswith("cpu"):
        return 0
    wanted = {"auto": found, "gpu": max(found, 1)}.get(devices) if devices in ("auto", "gpu") else int(devices)
    if wanted > found:
        raise BadInput(f"--devices {devices}: {wanted} GPU wanted, {found} found")
    return wanted


def _logical_cpus(devices):
    return int(devices.partition(":")[2] or 1) if devices.startswith("cpu") else 1


def _tensorflow(devices, deterministic):
    import tensorflow as tf

    gpus, num_cpus = tf.config.list_physical_devices("GPU"), _logical_cpus(devices)
    num_gpus = _count(devices, len(gpus))
    tf.config.set_visible_devices(gpus[:num_gpus], "GPU")
    for gpu in gpus[:num_gpus]:
        tf.config.experimental.set_memory_growth(gpu, True)
    if num_cpus > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * num_cpus)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    if max(num_gpus, num_cpus) == 1 or num_gpus == num_cpus == 0:
        return contextlib.nullcontext
    kind = "GPU" if num_gpus else "CPU"
    strategy = tf.distribute.MirroredStrategy([f"{kind}:{i}" for i in range(num_gpus or num_cpus)])
    return strategy.scope


def _jax(devices, deterministic):
    del deterministic  # JAX's kernels are deterministic where XLA's are; XLA_FLAGS decides
    num_cpus = _logical_cpus(devices)
    if num_cpus > 1:
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={num_cpus}"
    import jax
    import keras

    num_gpus = _count(devices, sum(device.platform == "gpu" for device in jax.devices()))
    if max(num_gpus, num_cpus) > 1:
        names = [f"{'gpu' if num_gpus else 'cpu'}:{i}" for i in range(num_gpus or num_cpus)]
        return lambda: _distributed(keras.distribution.DataParallel(devices=names))
    return contextlib.nullcontext


def _distributed(distribution):
    """Distributes over JAX's devices what comes from now on, training after the scope included."""
    import keras

    keras.distribution.set_distribution(distribution)
    return contextlib.nullcontext()


def _torch(devices, deterministic):
    import torch

    num_gpus = _count(devices, torch.cuda.device_count())
    if devices not in ("auto", "gpu") and max(num_gpus, _logical_cpus(devices)) > 1:
        raise BadInput(f"--devices {devices}: with KERAS_BACKEND=torch one training uses one device")
    torch.use_deterministic_algorithms(deterministic)
    return contextlib.nullcontext


@contextlib.contextmanager
def _quiet_stderr():
    """Holds back what native libraries write to standard error while they load; shows it if loading fails."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException as error:
            if not isinstance(error, ValueError):
                held.seek(0)
                os.write(saved, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)


def load_keras_dataset(name):
    """`((x_train, y_train), (x_test, y_test))` from Keras' own loader, which downloads it once.

    Raises:
        BadInput: the download failed.
    """
    with _quiet_stderr():
        import keras
    try:
        return getattr(keras.datasets, name).load_data()
    except Exception as error:  # Keras wraps a failed download in a plain Exception
        raise BadInput(f"--dataset {name}: the download failed ({error}); give the file with --source") from None
