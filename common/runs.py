"""Run folders: whole or absent, skipped when done, refused when made with other settings.

A step writes into a hidden sibling of its folder and renames it last, so a folder with a `config.json` is finished.
`config.json` holds three parts: `settings` and `data` (fingerprints), which decide whether a rerun is the same step,
and `environment` (command, versions, machine), which does not.
"""

import contextlib
import glob
import json
import logging
import os
import platform
import shutil
import sys
import tempfile
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

log = logging.getLogger(__name__)
PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy", "opencv-python-headless", "scikit-learn", "scipy")


def finished(folder, settings, data, marker="config.json", prose=()):
    """Whether `folder` holds this very step, finished.

    Args:
        folder: the step's run folder.
        settings: dict of everything that shapes the result, seed included.
        data: dict from a name to a fingerprint of the input.
        marker: the file that holds the configuration.
        prose: keys of old configurations, as in `"schedule.remark"`, that are no part of a step's identity.

    Raises:
        ValueError: the folder holds the step with other settings or data (named), or something that is no step.
    """
    folder = Path(folder)
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    try:
        made = json.loads((folder / marker).read_text(encoding="utf-8"))
        made = {part: {**made[part]} for part in ("settings", "data")}
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(f"{folder}: exists and is not a finished step of this kind; give another --out") from None
    asked = json.loads(json.dumps({"settings": settings, "data": data}))
    for part in ("settings", "data"):
        old, new = leaves(made[part]), leaves(asked[part])
        for key in {**new, **old}:
            if key not in prose and old.get(key) != new.get(key):
                raise ValueError(
                    f"{folder}: made with {part} {key}={short(old.get(key))}, now {key}={short(new.get(key))}; "
                    "give another --out or remove the folder"
                )
    return True


def leaves(tree, path=""):
    """A nested dict as a flat one: `{"schedule": {"epochs": 6}}` as `{"schedule.epochs": 6}`."""
    flat = {}
    for key, value in tree.items():
        flat.update(leaves(value, f"{path}{key}.") if isinstance(value, dict) else {f"{path}{key}": value})
    return flat


def short(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "..."


@contextlib.contextmanager
def writing(folder, settings, data, marker="config.json"):
    """Yields a temporary sibling of `folder` to write into; renames it to `folder` when the block ends well.

    An exception, Ctrl-C included, removes it; what a killed process left behind is removed by the next run.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _partial(folder.parent, folder.name) as partial:
        yield partial
        write_json(partial / marker, {"settings": settings, "data": data, "environment": environment()})
        partial.rename(folder)


@contextlib.contextmanager
def adding(folder, settings, data, marker="config.json"):
    """As `writing`, into a folder that may be there and hold other things, a mount point or a link included.

    Yields a hidden folder inside `folder`. What was written there moves up when the block ends well, entry by entry and
    the marker last, so that each entry is whole or absent.
    """
    folder = Path(folder)
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    placed = []
    try:
        with _partial(folder, folder.name) as partial:
            yield partial
            entries = sorted(entry.name for entry in partial.iterdir())
            write_json(partial / marker, {"settings": settings, "data": data, "environment": environment()})
            for name in (*entries, marker):
                (partial / name).rename(folder / name)
                placed.append(folder / name)
            partial.rmdir()
    except BaseException:
        for path in placed:
            shutil.rmtree(path, ignore_errors=True)
        if is_new:
            with contextlib.suppress(OSError):  # another run writes into it
                folder.rmdir()
        raise


@contextlib.contextmanager
def _partial(parent, name):
    """Yields a new hidden folder in `parent` and removes it after an exception, and what killed runs left of it."""
    prefix = f".{name}.partial-"
    for stale in parent.glob(f"{glob.escape(prefix)}*"):
        if not _alive(stale.name.removeprefix(prefix).split("-")[0]):
            shutil.rmtree(stale, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=parent))
    partial.chmod(0o777 & ~_umask())
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _alive(pid):
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    try:  # a process that ended and that nobody has asked about since, as happens in containers, still has its number
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def environment():
    """What made a result: command, versions, machine and time (UTC)."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "backend": os.environ.get("KERAS_BACKEND", "tensorflow"),
        "versions": versions,
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()}",
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def _processor():
    """The processor's name, where the system tells it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()


def write_json(path, content):
    """Writes JSON as UTF-8; what is no character in a file name becomes an escape, which JSON reads back."""
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    Path(path).write_text(text, encoding="utf-8", errors="backslashreplace")


def read_json(path):
    """Reads a JSON file; a `ValueError` names it where it is missing or broken."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except ValueError:
        raise ValueError(f"{path}: not readable as JSON") from None


def refuse_overlap(out, source):
    """Raises a `ValueError` if one of two folders lies inside the other, or they are the same."""
    out, source = Path(out).resolve(), Path(source).resolve()
    if out.is_relative_to(source) or source.is_relative_to(out):
        raise ValueError(f"--out {out}: would write into the input {source}")
