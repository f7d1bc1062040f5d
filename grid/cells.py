"""Cells: the steps of a grid, each one command line of one script, each leaving one folder.

A cell is done when its record lies beside its log, `<root>/cells/<key>.json`, and its folder is there. The record is
written last, so a cell that was killed is simply run again, and the scripts' own run folders are whole or absent. A
record that cannot be read, as a power failure leaves it, counts as none.
"""

import contextlib
import errno
import importlib
import logging
import math
import os
import shlex
import shutil
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from common import runs

# Errors of a machine, not of what runs on it: no space, over quota, input or output failed, read-only.
OF_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
RECORD = {"command": str, "seconds": (int, float), "facts": dict, "backend": str}  # what a record must hold
RECORD |= {"versions": dict, "machine": str, "finished": str}


@dataclass(frozen=True)
class Cell:
    """One training or one generation, with all its settings.

    Attributes:
        key: the folder that it makes, below the grid's root, e.g. `"gen/50-latent3-seed42"`.
        script: module whose `main(argv)` it calls, e.g. `"generate"`.
        flags: its command line; a `PurePosixPath` among them is a path below the grid's root.
        needs: keys of the cells whose folders it reads.
        work: seconds that it took on the machine that README names; see `cost.py`.
        disk: bytes that it leaves.
        facts: what tables and figures have to know of it and cannot read from its folder, e.g. `{"latent": 3}`.
    """

    key: str
    script: str
    flags: tuple
    needs: tuple = ()
    work: float = 0.0
    disk: float = 0.0
    facts: dict = field(default_factory=dict, compare=False)

    def argv(self, root):
        return [str(Path(root) / flag) if isinstance(flag, PurePosixPath) else str(flag) for flag in self.flags]

    def command(self, root):
        """The command line as a reader types it, quoted for a shell."""
        return shlex.join(["python", f"{self.script}.py", *self.argv(root)])


class CellFailed(Exception):
    """A cell ended with an error; its text is one line, the rest stands in the log.

    Args:
        text: that line.
        of_machine: the machine is to blame (its disk is full, or fails), so that the cell may succeed on another.
    """

    def __init__(self, text, of_machine=False):
        super().__init__(text, of_machine)
        self.of_machine = of_machine

    def __str__(self):
        return self.args[0]


class WorkerDied(Exception):
    """The process that ran a cell died under it."""


class WorkerUnfit(Exception):
    """A worker cannot run cells (its disk is full, it has other code); the cell goes to another one."""


def is_of_machine(error):
    """Whether an exception, or one that it came from, says that the machine's disk is full or fails."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in OF_MACHINE:
            return True
        # HDF5 raises an OSError whose number is in its text only.
        if isinstance(error, OSError) and any(os.strerror(number) in str(error) for number in OF_MACHINE):
            return True
        error = error.__cause__ or error.__context__
    return False


def one_line(error):
    """What an exception says, or else its type, as one line of at most 300 characters."""
    text = " ".join(getattr(error, "words", str(error)).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."


def record_path(root, key):
    return Path(root) / "cells" / f"{key}.json"


def log_path(root, key):
    return Path(root) / "cells" / f"{key}.log"


def read_record(root, key):
    """A cell's record, or None where there is none, or none that can be read: empty, cut, of another program."""
    try:
        record = runs.read_json(record_path(root, key))
    except (ValueError, OSError):
        return None
    whole = isinstance(record, dict) and all(isinstance(record.get(name), kind) for name, kind in RECORD.items())
    return record if whole and math.isfinite(record["seconds"]) else None


def is_done(root, key):
    return (Path(root) / key).is_dir() and read_record(root, key) is not None


def run(cell, root):
    """Runs a cell in this process, its output going to its log, and writes its record.

    Returns:
        Seconds that it took.

    Raises:
        CellFailed: the script raised, and the log holds the traceback; or log or record could not be written.
    """
    try:
        remove_broken(Path(root) / cell.key)
        seconds = _run_logged(cell, root)
        write_record(root, cell, seconds)
    except OSError as error:
        raise CellFailed(one_line(error), is_of_machine(error)) from None
    return seconds


def remove_broken(folder):
    """Removes run folders whose `config.json` cannot be read, as a power failure leaves them: they are made again.

    A folder of models, one per class, has no such file of its own: those of its models that are whole stay.
    """
    if folder.is_dir():
        models = [path for path in folder.iterdir() if (path / "config.json").is_file()]
        for run in [folder] if (folder / "config.json").exists() or not models else models:
            try:
                runs.read_json(run / "config.json")
            except ValueError:
                shutil.rmtree(run)


def _run_logged(cell, root):
    path = log_path(root, cell.key)
    path.parent.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    with path.open("w", encoding="utf-8") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        print(f"$ {cell.command(root)}", flush=True)
        handler = logging.StreamHandler(log)
        logging.getLogger().addHandler(handler)
        logging.getLogger().setLevel(logging.INFO)
        argv, sys.argv = sys.argv, [f"{cell.script}.py", *cell.argv(".")]  # which config.json notes
        try:
            importlib.import_module(cell.script).main(cell.argv(root))
        except (Exception, SystemExit) as error:
            with contextlib.suppress(OSError):  # the log's disk may be the one that is full
                traceback.print_exc()
            raise CellFailed(one_line(error), is_of_machine(error)) from None
        finally:
            sys.argv = argv
            logging.getLogger().removeHandler(handler)
    return round(time.perf_counter() - started, 1)


def write_record(root, cell, seconds):
    environment = runs.environment()
    record = {"command": cell.command("."), "seconds": seconds, "facts": cell.facts}
    record |= {key: environment[key] for key in ("backend", "versions", "machine", "finished")}
    write_durably(record_path(root, cell.key), record)


def write_durably(path, content):
    """Writes a JSON file whole or not at all, after a power failure too: it is on the disk before it has its name."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")  # hidden: a folder with nothing else in it counts as empty
    try:
        runs.write_json(partial, content)
        flush(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    flush(path.parent)


def flush(path):
    """Waits until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
