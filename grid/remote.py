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
import tempfile
import zipfile
from pathlib import Path

from grid.cells import CellFailed, log_path, record_path, run

REPOSITORY = Path(__file__).resolve().parent.parent


@functools.cache
def code_fingerprint():
    """SHA-256 of this project's source: a worker with other code would give other numbers."""
    digest = hashlib.sha256()
    rooms = (folder.parent for folder in REPOSITORY.glob("*/__init__.py"))
    for path in sorted([*REPOSITORY.glob("*.py"), *(path for room in rooms for path in room.rglob("*.py"))]):
        digest.update(path.relative_to(REPOSITORY).as_posix().encode() + path.read_bytes())
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
    with tempfile.TemporaryDirectory(dir=Path(data).parent) as root:
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


if __name__ == "__main__":
    from grid.schedule import end_with_parent

    task, result, parent = sys.argv[1:]
    end_with_parent(int(parent))
    found = pickle.dumps(run_away(*pickle.loads(Path(task).read_bytes())))
    partial = Path(result).with_suffix(".partial")
    partial.write_bytes(found)
    partial.replace(result)
