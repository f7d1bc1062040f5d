"""Grids of toy cells, what they made, and the processes that run them."""

import json
import os
import re
from concurrent.futures import Future
from pathlib import Path, PurePosixPath

from conftest import wait_until

from grid.cells import Cell, CellFailed
from grid.cells import run as run_cell


def toy(key, needs=(), **flags):
    """A toy cell: `toy("sums/a", ["numbers/b"], add=1)`."""
    line = ["--out", PurePosixPath(key)]
    for name, value in flags.items():
        line += [f"--{name.replace('_', '-')}", value]
    if needs:
        line += ["--needs", *map(PurePosixPath, needs)]
    return Cell(key, "toy", tuple(line), tuple(needs), work=1.0)


def grid_of(*cells_):
    return {cell.key: cell for cell in cells_}


def chain(width=4, **flags):
    """`width` numbers, a sum of each two neighbours, and a sum of all sums."""
    numbers = [toy(f"numbers/{k}", add=k, **flags) for k in range(width)]
    sums = [toy(f"sums/{k}", [f"numbers/{k}", f"numbers/{k + 1}"], add=100, **flags) for k in range(width - 1)]
    return grid_of(*numbers, *sums, toy("total/all", [cell.key for cell in sums], **flags))


def numbers(root):
    """What every finished cell made: {key: number}."""
    paths = sorted(Path(root).glob("*/*/number.json"))
    return {path.parent.relative_to(root).as_posix(): json.loads(path.read_text()) for path in paths}


# By hand: the numbers 0 to 3, 100 and each two neighbours, and the sum of 101, 103 and 105.
CHAIN = {f"numbers/{k}": k for k in range(4)} | {"sums/0": 101, "sums/1": 103, "sums/2": 105, "total/all": 309}


def wait_for_worker(trace, word=""):
    """The process that runs a cell, as its trace says."""
    wait_until(lambda: trace.exists() and any(word in line for line in trace.read_text().splitlines()))
    return int(next(line for line in trace.read_text().splitlines() if word in line).split()[1])


def parent_of(pid):
    """The Dask worker whose process runs a cell."""
    return int(re.search(r"PPid:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "zombie" not in Path(f"/proc/{pid}/status").read_text() if Path(f"/proc/{pid}").exists() else True


class InThisProcess:
    """A pool that runs each cell in this process, where the libraries are loaded already."""

    slots = 1

    def __init__(self, root):
        self.root = root

    def submit(self, cell):
        future = Future()
        try:
            future.set_result(run_cell(cell, self.root))
        except CellFailed as error:
            future.set_exception(error)
        return future

    def collect(self, cell, future):
        future.result()

    def tend(self):
        pass

    def close(self, kill=False):
        pass
