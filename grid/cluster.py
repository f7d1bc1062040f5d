"""An existing Dask cluster as a pool of workers that need share no disk with the grid's folder, nor with each other.

The data goes to every worker once, also to those that join later. What else a cell needs goes with it, and its folder
comes back as its result. Dask gives the cell of a worker that died to another one; the cell of a worker whose disk is
full, or which has other code, goes to another one too, and that worker gets no more.
"""

import contextlib
import functools
import hashlib
import os
import pickle
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

from distributed import Client, Security, WorkerPlugin, get_worker

from common import cli
from common.errors import BadInput
from grid import remote
from grid.cells import CellFailed, WorkerUnfit, is_of_machine, one_line
from grid.machine import one_thread
from grid.remote import Outcome
from grid.schedule import ATTEMPTS, DIED

TIMEOUT = 30  # seconds for the scheduler to answer
TLS = "DASK_DISTRIBUTED__COMM__TLS__"  # of the environment variables that name the files of a TLS connection
KEPT = 4  # packed folders that are kept for further cells: those that read one folder follow one another


class Data(WorkerPlugin):
    """Unpacks the data, once, where a worker keeps its files."""

    def __init__(self, content):
        self.content, self.error = content, None
        self.name = f"data-{hashlib.sha256(content).hexdigest()[:16]}"

    def setup(self, worker):
        folder = Path(worker.local_directory) / self.name
        try:
            if not folder.exists():
                with tempfile.TemporaryDirectory(dir=worker.local_directory) as partial:
                    (Path(partial) / "data").mkdir()
                    remote.unpack(self.content, partial)
                    (Path(partial) / "data").rename(folder)
        except OSError as error:  # no disk for it: the worker takes no cells, the others do
            self.error = one_line(error)


def run_on_worker(cell, inputs, data, code):
    """Runs a cell on a Dask worker, in a process of its own, with the data that `Data` put there.

    Not in the worker itself: Dask's threads draw from Python's random numbers, from which Keras seeds its weights, so
    that the same cell would not give the same numbers twice.

    Args:
        cell, inputs, code: as `remote.run_away` takes them.
        data: name of the data's folder.

    Returns:
        worker: its address.
        outcome: an `Outcome`.
    """
    worker = get_worker()
    try:
        if error := worker.plugins[data].error:
            return worker.address, Outcome(error, b"", unfit=True)
        with tempfile.TemporaryDirectory(dir=worker.local_directory) as folder:
            task, result = Path(folder).resolve() / "task", Path(folder).resolve() / "result"
            task.write_bytes(pickle.dumps((cell, inputs, Path(worker.local_directory).resolve() / data, code)))
            command = [sys.executable, "-m", "grid.remote", str(task), str(result), str(os.getpid())]
            for _ in range(ATTEMPTS):
                run_while_wanted(command, worker)
                if result.exists():
                    return worker.address, pickle.loads(result.read_bytes())
    except OSError as error:
        return worker.address, Outcome(one_line(error), b"", is_of_machine(error))
    return worker.address, Outcome(DIED, b"")


def run_while_wanted(command, worker):
    """Runs a command of a task to its end, or until the client has given the task up, as when its run was stopped."""
    key = worker.get_current_task()
    with subprocess.Popen(command, cwd=remote.REPOSITORY, env=os.environ | one_thread()) as process:
        while process.poll() is None:
            task = worker.state.tasks.get(key)
            if task is None or task.state == "cancelled":
                process.kill()
                raise RuntimeError("given up")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=1)


def connect(address):
    """A client of the scheduler at `address`; TLS as Dask's own configuration says.

    Raises:
        BadInput: nobody answers there, or the files for TLS are not named or not right.
    """
    try:
        security = Security()
        if address.startswith("tls://") and not security.get_connection_args("client").get("ssl_context"):
            names = ", ".join(TLS + name for name in ("CA_FILE", "CLIENT__CERT", "CLIENT__KEY"))
            raise BadInput(f"--scheduler {address}: TLS needs files; name them in {names} (docs/grid.md)")
        if security.require_encryption and not address.startswith("tls://"):
            raise BadInput(f"--scheduler {address}: Dask's configuration requires encryption; give tls://HOST:PORT")
    except (OSError, TypeError) as error:
        raise BadInput(f"--scheduler {address}: the files that {TLS}* name do not fit: {one_line(error)}") from None
    try:
        return Client(address, timeout=TIMEOUT, set_as_default=False, security=security)
    except Exception as error:  # Dask's are of many kinds
        text = one_line(error)
        raise BadInput(f"--scheduler {address}: no Dask scheduler answers there ({text})") from None


class Cluster:
    """A pool, as `schedule.run` wants it.

    Args:
        root: the grid's folder, on this machine alone.
        address: the scheduler's, `tcp://HOST:PORT` or `tls://HOST:PORT`.

    Raises:
        BadInput: nobody answers there, or a worker does not run in a checkout of this project.
    """

    def __init__(self, root, address):
        self.root, self.address = Path(root), address
        self.unfit = set()  # addresses of workers that cannot run cells
        self.bound = {}  # {future: addresses of the workers that may run it}, where not all may
        self.pack = functools.lru_cache(maxsize=KEPT)(lambda key: remote.pack(self.root, [key]))
        # What a cell needs is bytes, megabytes of them, that one task reads once: Dask's advice does not fit.
        warnings.filterwarnings("ignore", message="Sending large graph")
        self.client = connect(address)
        data = Data(remote.pack(self.root, ["data"]))
        try:
            self.client.register_plugin(data)
        except Exception as error:
            self.client.close()
            text = f"{one_line(error)}; start every worker in a checkout of this commit"
            raise BadInput(f"--scheduler {address}: a worker cannot load this project ({text})") from None
        self.data = data.name
        if not self.threads():
            print(f"--scheduler {address}: no workers yet; waiting for them", flush=True)

    def threads(self):
        """The threads of the workers: {address: number}."""
        self.check_scheduler()
        try:
            return self.client.nthreads()
        except Exception:
            raise self.gone() from None

    def fit(self):
        """As `threads`, without the unfit workers, unless all are."""
        threads = self.threads()
        return {worker: number for worker, number in threads.items() if worker not in self.unfit} or threads

    @property
    def slots(self):
        """Two cells a thread of a worker, so that none waits for its next one."""
        return 2 * max(1, sum(self.fit().values()))

    def submit(self, cell):
        workers = set(self.fit()) if self.unfit else None
        executor = self.client.get_executor(pure=False, **{"workers": sorted(workers)} if workers else {})
        inputs = tuple(self.pack(need) for need in cell.needs if need != "data")
        future = executor.submit(run_on_worker, cell, inputs, self.data, remote.code_fingerprint())
        if workers:
            self.bound[future] = workers
        return future

    def collect(self, cell, future):
        workers = self.bound.pop(future, None)
        self.check_scheduler()
        if future.cancelled():
            raise WorkerUnfit if workers else self.gone()
        if failure := future.exception():  # a worker killed again and again, code missing there
            raise CellFailed(f"{type(failure).__name__}: {one_line(failure)}")
        worker, outcome = future.result()
        if outcome.output:
            remote.bring_home(cell, outcome.output, self.root)
        if outcome.unfit:
            self.unfit.add(worker)
            if set(self.threads()) - self.unfit:
                text = f"{worker}: {outcome.error}; no more cells for it, {cell.key} goes to another worker"
                cli.Progress.write(text, file=sys.stderr)
                raise WorkerUnfit
        if outcome.error:
            raise CellFailed(outcome.error)

    def tend(self):
        """Cancels cells that wait for workers which have all gone; they are submitted again."""
        self.check_scheduler()
        present = set(self.threads()) if self.bound else set()
        for future, workers in self.bound.items():
            if workers.isdisjoint(present):
                future.cancel()

    def check_scheduler(self):
        if self.client.status != "running":
            raise self.gone()

    def gone(self):
        text = "the scheduler has ended or is out of reach; what is done is kept, and the same command goes on"
        return BadInput(f"--scheduler {self.address}: {text}")

    def close(self, kill=False):
        """Cells at work are given up, killed or not: they belong to this client, and their workers end them."""
        self.client.close()
