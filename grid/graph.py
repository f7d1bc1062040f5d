"""A grid's cells as a graph: keys, command lines, needs and facts, one method per script."""

from pathlib import PurePosixPath

from grid.cells import Cell

FIRST_SEED = 42
PRESETS = {"b-rbm": "bad", "g-rbm": "good"}  # of train_rbm.py
DATA = PurePosixPath("data")


class Graph:
    """Cells that may need one another: `cells` is a dict from key to `Cell`, in the order in which they run.

    Args:
        args: a paper's flags.
        classes: dict from class name to its number of training images.
    """

    def __init__(self, args, classes):
        self.args, self.num_classes, self.cells = args, len(classes), {}
        self.seeds = range(FIRST_SEED, FIRST_SEED + args.seeds)
        self.protocols = ("fair", "published") if args.protocol == "both" else (args.protocol,)

    def add(self, key, script, flags, needs, work, disk, **facts):
        """Adds a cell, once for all that need it; returns its key."""
        self.cells.setdefault(key, Cell(key, script, tuple(flags), tuple(needs), work, disk, facts))
        return key

    def common(self, seed, images=True):
        """The flags that all scripts have; without `images` those of scripts that read no images."""
        args = self.args
        shape = {"size": args.size, "color": args.color} if images else {}
        return given(**shape, seed=seed, devices=args.devices, deterministic=args.deterministic)


def given(**flags):
    """Flags that were given, as a command line: `given(steps=500, e=None)` is `["--steps", 500]`."""
    line = []
    for name, value in flags.items():
        flag = f"-{name}" if name in ("e", "b", "limte") else f"--{name}"
        if value is True:
            line.append(flag)
        elif value not in (None, False):
            line += [flag, *value] if isinstance(value, list) else [flag, value]
    return line
