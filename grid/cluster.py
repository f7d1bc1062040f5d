"""An existing Dask cluster as a pool of workers that need share no disk with the grid's folder, nor with each other.

The data goes to every worker once, also to those that join later. What else a cell needs goes with it, and its folder
comes back as its result. Dask gives the cell of a worker that died to another one.
"""

import hashlib
import os
import pickle
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

from distributed import Client, WorkerPlugin, get_worker

from grid import remote
from grid.cells import CellFailed
from grid.schedule import ATTEMPTS, DIED, one_thread

TIMEOUT = 30  # seconds for the scheduler to answer


class Data(WorkerPlugin):
    """Unpacks the data, once, where a worker keeps its files."""

    def __init__(self, content):
        self.content = content
        self.name = f"data-{hashlib.sha256(content).hexdigest()[:16]}"

    def setup(self, worker):
        folder = Path(worker.local_directory) / self.name
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=worker.local_directory) as partial:
                remote.unpack(self.content, partial)
                (Path(partial) / "data").rename(folder)


def run_on_worker(cell, inputs, data, code):
    """`remote.run_away` on a Dask worker, in a process of its own, with the data that `Data` put there.

    Not in the worker itself: Dask's threads draw from Python's random numbers, from which Keras seeds its weights, so
    that the same cell would not give the same numbers twice.
    """
    worker = get_worker()
    with tempfile.TemporaryDirectory(dir=worker.local_directory) as folder:
        task, result = Path(folder) / "task", Path(folder) / "result"
        task.write_bytes(pickle.dumps((cell, inputs, Path(worker.local_directory).resolve() / data, code)))
        command = [sys.executable, "-m", "grid.remote", *map(str, (task.resolve(), result.resolve(), os.getpid()))]
        for _ in range(ATTEMPTS):
            subprocess.run(command, cwd=remote.REPOSITORY, env=os.environ | one_thread(), check=False)
            if result.exists():
                return pickle.loads(result.read_bytes())
    return DIED, b""


class Cluster:
    """A pool, as `schedule.run` wants it.

    Args:
        root: the grid's folder, on this machine alone.
        address: the scheduler's, `tcp://HOST:PORT`.

    Raises:
        ValueError: nobody answers there.
    """

    def __init__(self, root, address):
        self.root = Path(root)
        try:
            self.client = Client(address, timeout=TIMEOUT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ValueError(f"--scheduler {address}: no Dask scheduler answers there ({error})") from None
        self.executor = self.client.get_executor(pure=False)
        data = Data(remote.pack(self.root, ["data"]))
        self.client.register_plugin(data)
        self.data = data.name
        if not self.client.nthreads():
            print(f"--scheduler {address}: no workers yet; waiting for them", flush=True)

    @property
    def slots(self):
        """Two cells a thread of a worker, so that none waits for its next one."""
        return 2 * max(1, sum(self.client.nthreads().values()))

    def submit(self, cell):
        inputs = remote.pack(self.root, [need for need in cell.needs if need != "data"])
        # What a cell needs is bytes, megabytes of them, that one task reads once: Dask's advice does not fit.
        warnings.filterwarnings("ignore", message="Sending large graph")
        return self.executor.submit(run_on_worker, cell, inputs, self.data, remote.code_fingerprint())

    def collect(self, cell, future):
        try:
            error, output = future.result()
        except Exception as failure:  # a worker killed again and again, code missing there, the scheduler gone
            raise CellFailed(f"{type(failure).__name__}: {' '.join(str(failure).split())}") from None
        if output:
            remote.bring_home(cell, output, self.root)
        if error:
            raise CellFailed(error)

    def renew(self):
        """Nothing to do: Dask replaces its workers itself."""

    def close(self, kill=False):
        """Cells at work are given up, killed or not: they belong to this client."""
        self.executor.shutdown(wait=False)
        self.client.close()
