"""Worker processes on this machine, each with one thread, as a pool for `schedule.run`."""

import fcntl
import os
import shutil
import subprocess
import threading
import time
import warnings
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import loky

from grid import cells
from grid.cells import WorkerDied

WORKER_MEMORY = 2e9  # bytes, generously: one on MNIST was seen to take 1.2e9

# loky replaces a worker that has grown since its first cell, which may not even have loaded TensorFlow, and says so.
# Nothing is lost by it but the seconds of a new start; a worker keeps the memory that it frees, see common/backend.py.
GROWTH = 0.7e9  # bytes; loky's own limit is 0.3e9; versions that do not read the variable keep to it
warnings.filterwarnings("ignore", message="A worker (stopped|was restarted) while some jobs were given")


def default_jobs(devices):
    """Worker processes that pay on this machine: one a core, as far as memory goes; one alone for trainings on GPUs."""
    if not devices.startswith("cpu") and shutil.which("nvidia-smi"):
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, check=False)
        if listed.returncode == 0 and listed.stdout.strip():
            return 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(os.cpu_count() or 1, int(memory // WORKER_MEMORY)))


def one_thread():
    """The environment of a process that computes with one thread, unless the user has set another number.

    Several at once get more done than one that shares the cores among its threads, and the last bits of numbers depend
    on the number of threads: with one, they are the same whatever `--jobs`, here and on a cluster.
    """
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {name: os.environ.get(name, "1") for name in names}


def end_with_parent(parent):
    """Ends this process within a second after the process `parent`, which started it, was killed."""

    def watch():
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def start_worker(parent, root):
    """A worker's first step: it ends with the run that started it, and until then the next run waits."""
    global _workers
    _workers = (root / ".workers").open("a")  # held open, and so locked, as long as this process lives
    fcntl.flock(_workers, fcntl.LOCK_SH)
    end_with_parent(parent)


class Machine:
    """A pool of `jobs` worker processes.

    Each has a loky executor of its own: when a worker dies, loky gives its executor up with all that it runs, and the
    cells of the other workers must not end with it.
    """

    def __init__(self, root, jobs):
        self.root, self.slots = Path(root), jobs
        self.idle, self.busy = [], {}  # executors; {future: executor}

    def submit(self, cell):
        executor = self.idle.pop() if self.idle else self._new_executor()
        try:
            future = executor.submit(cells.run, cell, self.root)
        except BrokenProcessPool:  # its worker died while it had nothing to do
            executor.shutdown(wait=False, kill_workers=True)
            executor = self._new_executor()
            future = executor.submit(cells.run, cell, self.root)
        self.busy[future] = executor
        return future

    def _new_executor(self):
        initargs = os.getpid(), self.root
        growth = os.environ.get("LOKY_MAX_MEMORY_LEAK_SIZE", str(GROWTH))
        environment = one_thread() | {"LOKY_MAX_MEMORY_LEAK_SIZE": growth}
        return loky.ProcessPoolExecutor(1, env=environment, initializer=start_worker, initargs=initargs)

    def collect(self, cell, future):
        """Returns when the cell has left its folder; raises `CellFailed` or `WorkerDied`."""
        executor = self.busy.pop(future)
        if isinstance(future.exception(), BrokenProcessPool):
            executor.shutdown(wait=True, kill_workers=True)
            raise WorkerDied
        self.idle.append(executor)
        future.result()

    def tend(self):
        """Nothing to do: a dead worker ends its future."""

    def close(self, kill=False):
        """Ends the workers, with `kill` in the middle of their cells."""
        executors = [*self.idle, *self.busy.values()]
        self.idle, self.busy = [], {}
        closing = [threading.Thread(target=end.shutdown, args=(True, kill)) for end in executors]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join()
