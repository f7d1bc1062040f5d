"""Runs the cells of a grid in worker processes of this machine, or in whatever other pool it is given.

A pool has `slots`, `submit(cell)`, which returns a `concurrent.futures.Future`, `collect`, `renew` and `close`; see
`Machine` here and `cluster.Cluster`.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from joblib.externals import loky

from common import cli
from grid import cells as steps
from grid import cost
from grid.cells import CellFailed, is_done, log_path

WORKER_MEMORY = 2e9  # bytes, generously: one on MNIST was seen to take 1.2e9
ATTEMPTS = 3  # of a cell whose worker died under it
DIED = f"its worker died {ATTEMPTS} times (out of memory?)"


@contextlib.contextmanager
def locked(root):
    """Holds the grid's folder for one run; a second one says so and waits. The system frees it when a run dies."""
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            print(f"{root}: another run works on it (process {file.read().strip() or '?'}); waiting for it", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        with (root / ".workers").open("a") as workers:  # those of a run that was killed end within a second
            fcntl.flock(workers, fcntl.LOCK_EX)
        yield


def plan(grid, root):
    """The cells that have to run, in the grid's order: those not done that are wanted, and what they need.

    A cell whose folder only other cells read (models, generated images) is wanted only if one of those is not done.
    """
    read = {need for cell in grid.values() for need in cell.needs}
    todo = {}

    def want(key):
        if key in grid and key not in todo and not is_done(root, key):
            for need in grid[key].needs:
                want(need)
            todo[key] = grid[key]

    for key in grid:
        if key not in read:
            want(key)
    return todo


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


# loky replaces a worker whose memory has grown, as TensorFlow's does, and says so; nothing is lost by it.
warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given to the executor")


class Machine:
    """Worker processes on this machine: joblib's loky, each with one thread."""

    def __init__(self, root, jobs):
        self.root, self.slots = Path(root), jobs
        self.executor = None

    def submit(self, cell):
        if self.executor is None:
            self.executor = loky.ProcessPoolExecutor(
                self.slots,
                env=one_thread(),
                initializer=start_worker,
                initargs=(os.getpid(), self.root),
            )
        return self.executor.submit(steps.run, cell, self.root)

    def collect(self, cell, future):
        """Seconds that the cell took; raises `CellFailed`, or `BrokenProcessPool` if a worker died."""
        return future.result()

    def renew(self):
        """After a worker died: loky gives such an executor up, so the next cell gets a new one."""
        self.close(kill=True)

    def close(self, kill=False):
        if self.executor is not None:
            self.executor.shutdown(wait=True, kill_workers=kill)
        self.executor = None


def _state(grid, factors, waiting, running, failed):
    """What the progress bar says beside the count: failures, cells at work, time left."""
    left = [*waiting.values(), *(grid[key] for key in running.values())]
    seconds = cost.estimate(left, factors) / max(len(running), 1)
    return f"{len(failed)} failed, {len(running)} at work, about {cost.words(seconds)} left"


def run(grid, root, pool):
    """Runs what is not done.

    Args:
        grid: dict from key to `Cell`.
        root: the grid's folder.
        pool: a `Machine` or a `Cluster`.

    Returns:
        dict from the key of each cell that failed to its one-line error.
    """
    try:
        failed = _loop(grid, root, pool)
    except BaseException:
        pool.close(kill=True)
        raise
    pool.close()
    return failed


def _loop(grid, root, pool):
    waiting, running, failed, strikes = plan(grid, root), {}, {}, Counter()
    factors = cost.scales(grid, root)
    with cli.progress(total=len(waiting), unit="cell", desc="cells") as bar:

        def fail(key, error):
            failed[key] = error
            bar.write(f"failed: {key}: {error}; {log_path(root, key)}", file=sys.stderr)

        while waiting or running:
            _submit_ready(pool, waiting, running)
            bar.set_postfix_str(_state(grid, factors, waiting, running, failed), refresh=sys.stderr.isatty())
            broken, done = False, wait(running, timeout=5, return_when=FIRST_COMPLETED).done
            for future in done:
                key = running.pop(future)
                try:
                    pool.collect(grid[key], future)
                except CellFailed as error:
                    fail(key, str(error))
                except BrokenProcessPool:
                    broken, strikes[key] = True, strikes[key] + 1
                    if strikes[key] < ATTEMPTS:
                        waiting = {key: grid[key], **waiting}
                        continue
                    fail(key, DIED)
                bar.update()
            if done:
                factors = cost.scales(grid, root)
            if broken:  # and with it every other cell at work
                waiting = {**{key: grid[key] for key in running.values()}, **waiting}
                running.clear()
                pool.renew()
            for key in [key for key, cell in waiting.items() if any(need in failed for need in cell.needs)]:
                need = next(need for need in waiting.pop(key).needs if need in failed)
                failed[key] = f"needs {need}, which failed"
                bar.write(f"not run: {key}: {failed[key]}", file=sys.stderr)
                bar.update()
    return failed


def _submit_ready(pool, waiting, running):
    """Gives the pool the first cells whose needs are met, as many as it has room for."""
    for key, cell in list(waiting.items()):
        if len(running) >= pool.slots:
            return
        if not any(need in waiting or need in running.values() for need in cell.needs):
            running[pool.submit(cell)] = key
            del waiting[key]
