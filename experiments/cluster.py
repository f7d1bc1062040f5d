"""An existing Dask cluster as a pool of workers that need share no disk with the grid's folder, nor with each other.

The data goes to every worker once, also to those that join later. What else a cell needs goes with it, and its folder
comes back as its result. Dask gives the cell of a worker that died to another one.
"""

import hashlib
import tempfile
from pathlib import Path

from distributed import Client, WorkerPlugin, get_worker

from experiments import cells
from experiments.cells import CellFailed

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
                cells.unpack(self.content, partial)
                (Path(partial) / "data").rename(folder)


def run_on_worker(cell, inputs, data, code):
    """`cells.run_away` with the data that `Data` put there."""
    return cells.run_away(cell, inputs, Path(get_worker().local_directory) / data, code)


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
        data = Data(cells.pack(self.root, ["data"]))
        self.client.register_plugin(data)
        self.data = data.name
        if not self.client.nthreads():
            print(f"--scheduler {address}: no workers yet; waiting for them", flush=True)

    @property
    def slots(self):
        """Two cells a worker, so that none waits for its next one."""
        return 2 * max(1, len(self.client.nthreads()))

    def submit(self, cell):
        inputs = cells.pack(self.root, [need for need in cell.needs if need != "data"])
        return self.executor.submit(run_on_worker, cell, inputs, self.data, cells.code_fingerprint())

    def collect(self, cell, future):
        try:
            error, output = future.result()
        except Exception as failure:  # a worker killed again and again, code missing there, the scheduler gone
            raise CellFailed(f"{type(failure).__name__}: {' '.join(str(failure).split())}") from None
        if output:
            cells.bring_home(cell, output, self.root)
        if error:
            raise CellFailed(error)

    def renew(self):
        """Nothing to do: Dask replaces its workers itself."""

    def close(self, kill=False):
        """Cells at work are given up, killed or not: they belong to this client."""
        self.executor.shutdown(wait=False)
        self.client.close()
