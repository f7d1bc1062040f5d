"""Runs the cells of a grid in worker processes of this machine, or in whatever other pool it is given.

A pool has `slots`, how many cells it takes at a time; `submit(cell)`, which returns a `concurrent.futures.Future`;
`collect(cell, future)`, which raises what became of the cell (`CellFailed`, `WorkerDied`, `WorkerUnfit`) if it has not
left its folder; `tend()`, called every few seconds; and `close(kill)`. See `machine.Machine` and `cluster.Cluster`.
"""

import contextlib
import fcntl
import glob
import os
import shutil
import sys
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, wait
from pathlib import Path

from common import cli
from grid import cost
from grid.cells import CellFailed, WorkerDied, WorkerUnfit, is_done, log_path, read_record, record_path

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
    Classifiers are results, whoever reads them too, but for those in whose space others are measured.
    """
    read = {need for cell in grid.values() for need in cell.needs}
    read -= {key for key, cell in grid.items() if cell.script == "train_cnn" and cell.facts.get("variant") != "pool"}
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


def run(grid, root, pool):
    """Runs what is not done.

    Args:
        grid: dict from key to `Cell`.
        root: the grid's folder.
        pool: a `Machine` or a `Cluster`.

    Returns:
        dict from the key of each cell that failed to its one-line error.
    """
    work = _Work(grid, Path(root), pool)
    try:
        work.run()
    except BaseException:
        pool.close(kill=True)
        for key in work.running.values():
            remove_partial(root, key)
        raise
    pool.close()
    return work.failed


def remove_partial(root, key):
    """Removes what the killed worker of a cell left beside its folder; see `runs.writing`."""
    folder = Path(root) / key
    for partial in folder.parent.glob(f".{glob.escape(folder.name)}.partial-*"):
        shutil.rmtree(partial, ignore_errors=True)


class _Work:
    """The cells of one run: which wait, which are at work, which have failed.

    A cell whose worker died may be the cause (it always needs too much memory) or a victim (the system ended it for
    the memory of its neighbour). Such a cell is a suspect: it runs again when nothing else can, with nothing beside it.
    Only deaths of a cell that ran alone count against it.
    """

    def __init__(self, grid, root, pool):
        self.grid, self.root, self.pool = grid, root, pool
        self.waiting = plan(grid, root)  # {key: cell}
        for key in self.waiting:
            if record_path(root, key).exists() and not read_record(root, key):
                print(f"{record_path(root, key)}: not a whole record; the cell runs again", flush=True)
        self.suspects = {}  # {key: cell}
        self.running = {}  # {future: key}
        self.failed = {}  # {key: one-line error}
        self.started = {}  # {key: seconds of the clock}
        self.beside = set()  # keys of cells at work that have not been alone all the time
        self.deaths = Counter()
        self.seconds = cost.recorded(grid, root)  # {key: seconds that the done cell took}
        self.bar = None

    def run(self):
        with cli.progress(total=len(self.waiting), unit="cell", desc="cells") as self.bar:
            while self.waiting or self.running or self.suspects:
                self.submit()
                self.bar.set_postfix_str(self.state(), refresh=False)
                self.bar.keep_alive()
                wait(self.running, timeout=5, return_when=FIRST_COMPLETED)
                self.pool.tend()
                for future in [future for future in self.running if future.done()]:
                    self.collect(future)
                self.drop_what_needs_failed_cells()

    def submit(self):
        """Gives the pool the first cells whose needs are met, as many as it has room for; or else one suspect."""
        unmet = {*self.waiting, *self.suspects, *self.running.values()}
        room = self.pool.slots - len(self.running)
        ready = (key for key, cell in self.waiting.items() if unmet.isdisjoint(cell.needs))
        for key in [key for key, _ in zip(ready, range(room), strict=False)]:
            self.start(key, self.waiting.pop(key))
        if not self.running and self.suspects:
            key = next(iter(self.suspects))
            self.start(key, self.suspects.pop(key))

    def start(self, key, cell):
        if self.running:
            self.beside.update([key, *self.running.values()])
        self.running[self.pool.submit(cell)] = key
        self.started[key] = time.monotonic()

    def collect(self, future):
        """Notes what became of a cell."""
        key = self.running[future]
        try:
            self.pool.collect(self.grid[key], future)
        except CellFailed as error:
            self.fail(key, str(error))
        except WorkerDied:
            self.suspect(key)
        except WorkerUnfit:
            self.waiting = {key: self.grid[key], **self.waiting}
        else:
            self.seconds[key] = read_record(self.root, key)["seconds"]
            self.bar.update()
        del self.running[future]
        self.beside.discard(key)

    def suspect(self, key):
        self.deaths[key] += key not in self.beside
        if self.deaths[key] < ATTEMPTS:
            self.suspects[key] = self.grid[key]
        else:
            self.fail(key, DIED)

    def fail(self, key, error):
        self.failed[key] = error
        self.bar.write(f"failed: {key}: {error}; {log_path(self.root, key)}", file=sys.stderr)
        self.bar.update()

    def drop_what_needs_failed_cells(self):
        """Takes out of `waiting` what needs a failed cell, and what needs that."""
        for key, cell in list(self.waiting.items()):  # needs stand before what needs them
            if need := next((need for need in cell.needs if need in self.failed), None):
                del self.waiting[key]
                self.failed[key] = f"needs {need}, which failed"
                self.bar.write(f"not run: {key}: {self.failed[key]}", file=sys.stderr)
                self.bar.update()

    def state(self):
        """What the progress line says beside the count: failures, cells at work, time left."""
        factors, now = cost.scales(self.grid, self.seconds), time.monotonic()
        left = cost.estimate([*self.waiting.values(), *self.suspects.values()], factors)
        for key in self.running.values():
            left += max(0, cost.estimate([self.grid[key]], factors) - (now - self.started[key]))
        left = cost.words(left / max(len(self.running), 1))
        return f"{len(self.failed)} failed, {len(self.running)} at work, about {left} left"
