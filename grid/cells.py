"""Cells: the steps of a grid, each one command line of one script, each leaving one folder.

A cell is done when its record lies beside its log, `<root>/cells/<key>.json`, and its folder is there. The record is
written last, so a cell that was killed is simply run again, and the scripts' own run folders are whole or absent.
"""

import contextlib
import importlib
import logging
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from common import runs


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
        """The command line as a reader types it."""
        return " ".join(["python", f"{self.script}.py", *self.argv(root)])


class CellFailed(Exception):
    """A cell ended with an error; its text is one line, the rest stands in the log."""


def record_path(root, key):
    return Path(root) / "cells" / f"{key}.json"


def log_path(root, key):
    return Path(root) / "cells" / f"{key}.log"


def is_done(root, key):
    return record_path(root, key).is_file() and (Path(root) / key).is_dir()


def run(cell, root):
    """Runs a cell in this process, its output going to its log.

    Returns:
        Seconds that it took.

    Raises:
        CellFailed: the script raised; the log holds the traceback.
    """
    module = importlib.import_module(cell.script)
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
            module.main(cell.argv(root))
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            text = " ".join(str(error).split()) or type(error).__name__
            raise CellFailed(text if len(text) <= 300 else text[:297] + "...") from None
        finally:
            sys.argv = argv
            logging.getLogger().removeHandler(handler)
    seconds = round(time.perf_counter() - started, 1)
    write_record(root, cell, seconds)
    return seconds


def write_record(root, cell, seconds):
    environment = runs.environment()
    record = {"command": cell.command("."), "seconds": seconds, "facts": cell.facts}
    record |= {key: environment[key] for key in ("backend", "versions", "machine", "finished")}
    path = record_path(root, cell.key)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    runs.write_json(partial, record)
    partial.replace(path)
