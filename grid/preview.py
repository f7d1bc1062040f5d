"""Says what a grid would run, and how long it would take."""

import os

from grid import cost, schedule
from grid.cells import is_done


def show(cells, root):
    """Prints every cell, whether it is done, and what is left in time and disk."""
    todo, factors = schedule.plan(cells, root), cost.scales(cells, cost.recorded(cells, root))
    for key, cell in cells.items():
        if is_done(root, key):
            state = "done"
        elif key in todo:
            state = cost.words(cost.estimate([cell], factors))
        else:
            state = "not needed"
        print(f"{state:>10}  {key}")
    cores = os.cpu_count() or 1
    seconds, disk = cost.estimate(todo.values(), factors), sum(cell.disk for cell in todo.values())
    done = sum(is_done(root, key) for key in cells)
    print(f"{len(cells)} cells: {done} done, {len(todo)} to run. About {cost.words(seconds)} on one core, ", end="")
    print(f"{cost.words(seconds / cores)} on the {cores} of this machine, and {disk / 1e9:.1f} GB of disk")
