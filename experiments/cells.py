"""Cells: the steps of a grid, each one command line of one script, each leaving one folder.

A cell is done when its record lies beside its log, `<root>/cells/<key>.json`, and its folder is there. The record is
written last, so a cell that was killed is simply run again, and the scripts' own run folders are whole or absent.
"""

import contextlib
import functools
import hashlib
import importlib
import io
import logging
import shutil
import sys
import tempfile
import threading
import time
import traceback
import zipfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import runs

REPOSITORY = Path(__file__).resolve().parent.parent
ROOMS = (".", "images", "vae_aug", "cnn", "experiments")
ONE_AT_A_TIME = threading.Lock()  # seeds, log and back end belong to the process, whatever threads a Dask worker has


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
    with (
        ONE_AT_A_TIME,
        path.open("w", encoding="utf-8") as log,
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
    ):
        print(f"$ {cell.command(root)}", flush=True)
        handler = logging.StreamHandler(log)
        logging.getLogger().addHandler(handler)
        logging.getLogger().setLevel(logging.INFO)
        argv, sys.argv = sys.argv, [f"{cell.script}.py", *cell.argv(root)]  # which config.json notes
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


@functools.cache
def code_fingerprint():
    """SHA-256 of this project's source: a worker with other code would give other numbers."""
    digest = hashlib.sha256()
    for room in ROOMS:
        for path in sorted((REPOSITORY / room).glob("*.py")):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def run_away(cell, inputs, data, code):
    """Runs a cell on a machine that shares no disk with the grid's folder.

    Args:
        cell: the `Cell`.
        inputs: what it needs beside the data, as `pack` made it.
        data: this machine's folder that stands for `<root>/data`.
        code: `code_fingerprint` of the machine that asks.

    Returns:
        error: the one-line error, or None.
        output: what the cell left, with its record and its log, as `pack` makes it.
    """
    if code != code_fingerprint():
        return "this worker has other source files; check out the same commit there", b""
    with tempfile.TemporaryDirectory() as root:
        root, error = Path(root), None
        (root / "data").symlink_to(data, target_is_directory=True)
        unpack(inputs, root)
        try:
            run(cell, root)
        except CellFailed as failure:
            error = str(failure)
        left = [f"cells/{cell.key}.log"] + ([] if error else [cell.key, f"cells/{cell.key}.json"])
        return error, pack(root, left)


def bring_home(cell, output, root):
    """Puts what `run_away` returned into the grid's folder, the cell's folder whole and its record last."""
    root = Path(root)
    with tempfile.TemporaryDirectory(prefix=".home-", dir=root) as home:
        unpack(output, home)
        for source in (Path(home) / cell.key, log_path(home, cell.key), record_path(home, cell.key)):
            target = root / source.relative_to(home)
            if source.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                if target.is_dir():
                    shutil.rmtree(target)  # left by a run that was killed before its record was written
                source.replace(target)


def pack(root, keys):
    """The named folders and files below `root` as the bytes of a zip archive, hidden ones left out."""
    root, buffer = Path(root), io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for key in keys:
            entries = sorted((root / key).rglob("*")) if (root / key).is_dir() else [root / key]
            for path in entries:
                name = path.relative_to(root)
                if path.is_file() and not any(part.startswith(".") for part in name.parts):
                    archive.write(path, name.as_posix())
    return buffer.getvalue()


def unpack(content, root):
    """Writes what `pack` made below `root`."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(root)
