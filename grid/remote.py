"""Cells on machines that share no disk with the grid's folder: what travels, and a process of its own for each.

Example python -m grid.remote TASK RESULT PARENT
        runs the pickled task, arguments of `run_away`, and pickles what it returns; `cluster.py` calls it
"""

import functools
import hashlib
import io
import pickle
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

from grid.cells import CellFailed, flush, is_of_machine, log_path, one_line, record_path, run
from grid.machine import end_with_parent

REPOSITORY = Path(__file__).resolve().parent.parent


@functools.cache
def code_fingerprint():
    """SHA-256 of this project's source: a worker with other code would give other numbers."""
    digest = hashlib.sha256()
    rooms = (folder.parent for folder in REPOSITORY.glob("*/__init__.py"))
    for path in sorted([*REPOSITORY.glob("*.py"), *(path for room in rooms for path in room.rglob("*.py"))]):
        digest.update(path.relative_to(REPOSITORY).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


class Outcome(NamedTuple):
    """What became of a cell elsewhere.

    Attributes:
        error: the one-line error, or None.
        output: what the cell left, with its record and its log, as `pack` makes it.
        unfit: the error is the worker's, not the cell's: it has no disk left, or other code.
    """

    error: str | None
    output: bytes
    unfit: bool = False


def run_away(cell, inputs, data, code):
    """Runs a cell on a machine that shares no disk with the grid's folder.

    Args:
        cell: the `Cell`.
        inputs: what it needs beside the data: a sequence of what `pack` made.
        data: this machine's folder that stands for `<root>/data`.
        code: `code_fingerprint` of the machine that asks.

    Returns:
        An `Outcome`.
    """
    if code != code_fingerprint():
        return Outcome("this worker has other source files; check out the same commit there", b"", unfit=True)
    try:
        with tempfile.TemporaryDirectory() as root:
            root, error, unfit = Path(root), None, False
            (root / "data").symlink_to(data, target_is_directory=True)
            for content in inputs:
                unpack(content, root)
            try:
                run(cell, root)
            except CellFailed as failure:
                error, unfit = str(failure), failure.of_machine
            left = [f"cells/{cell.key}.log"] + ([] if error else [cell.key, f"cells/{cell.key}.json"])
            return Outcome(error, pack(root, left), unfit)
    except OSError as error:
        return Outcome(one_line(error), b"", is_of_machine(error))


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
                if source.is_file():
                    flush(source)
                source.replace(target)


def pack(root, keys):
    """The named folders and files below `root` as the bytes of a tar archive, hidden ones left out, links followed."""
    root, buffer = Path(root), io.BytesIO()
    # GNU's format takes names that are not UTF-8 as they are.
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT, dereference=True) as archive:
        for key in keys:
            entries = sorted((root / key).rglob("*")) if (root / key).is_dir() else [root / key]
            for path in entries:
                name = path.relative_to(root)
                if path.is_file() and not any(part.startswith(".") for part in name.parts):
                    archive.add(path, name.as_posix())
    return buffer.getvalue()


def unpack(content, root):
    """Writes what `pack` made below `root`."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        # Refuses names that lead out of `root`, where this Python has it (3.10.12, 3.11.4 and later).
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(root)


def main(task, result, parent):
    """Runs a pickled task; `run_away` works in the task's folder, which the worker removes."""
    end_with_parent(int(parent))
    tempfile.tempdir = str(Path(task).parent)
    outcome = run_away(*pickle.loads(Path(task).read_bytes()))
    partial = Path(result).with_suffix(".partial")
    try:
        partial.write_bytes(pickle.dumps(outcome))
    except OSError as error:
        partial.unlink(missing_ok=True)
        partial.write_bytes(pickle.dumps(Outcome(one_line(error), b"", is_of_machine(error))))
    partial.replace(result)


if __name__ == "__main__":
    from grid import remote  # so that an `Outcome` is pickled as that of this module, not of `__main__`

    remote.main(*sys.argv[1:])
