"""Run folders: whole or absent, skipped when done, refused when made with other settings.

A step writes into a hidden sibling of its folder and renames it last, so a folder with a `config.json` is finished.
`config.json` holds `settings` and `data` (fingerprints), which decide whether a rerun is the same step, and `facts`
(what was measured) and `environment` (command, versions, machine), which do not.
"""

import contextlib
import errno
import fcntl
import glob
import hashlib
import json
import logging
import os
import shutil
import tempfile
from pathlib import Path

from common.environment import environment
from common.errors import BadInput

log = logging.getLogger(__name__)
LOCK = ".lock"  # in a partial folder, locked as long as it is written


def finished(folder, settings, data, marker="config.json", prose=()):
    """Whether `folder` holds this very step, finished.

    Args:
        folder: the step's run folder.
        settings: dict of everything that shapes the result, seed included.
        data: dict from a name to a fingerprint of the input; one with an attribute `earlier`, as `archives.Fingerprint`
            has it, may also have been recorded as one of those.
        marker: the file that holds the configuration.
        prose: keys of old configurations, as in `"schedule.remark"`, that are no part of a step's identity.

    Raises:
        BadInput: the folder holds the step with other settings or data (named), or something that is no step.
    """
    folder = Path(folder)
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    try:
        made = json.loads((folder / marker).read_text(encoding="utf-8"))
        made = {part: {**made[part]} for part in ("settings", "data")}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise BadInput(f"{folder}: exists and is not a finished step of this kind; give another --out") from None
    asked = json.loads(json.dumps({"settings": settings, "data": data}))
    earlier = {key: getattr(value, "earlier", ()) for key, value in leaves(data).items()}
    for part in ("settings", "data"):
        old, new = leaves(made[part]), leaves(asked[part])
        for key in {**new, **old}:
            if part == "data" and old.get(key) in earlier.get(key, ()):
                continue
            if key not in prose and old.get(key) != new.get(key):
                raise BadInput(
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
def writing(folder, settings, data, marker="config.json", facts=None):
    """Yields a temporary sibling of `folder` to write into; renames it to `folder` when the block ends well.

    An exception, Ctrl-C included, removes it; what a killed process left behind is removed by the next run. If another
    run has made this very step meanwhile, its folder is kept. A link is followed: what it points to is made.

    Arguments as of `finished`; `facts` is a dict of what else the configuration is to tell, which the block may fill.

    Raises:
        BadInput: `folder` is a mount point, or meanwhile another step's.
    """
    folder = Path(os.path.realpath(folder))
    _refuse_mount(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _partial(folder.parent, folder.name) as partial:
        yield partial
        _finish(partial, marker, settings, data, facts)
        try:
            partial.rename(folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or not finished(folder, settings, data, marker):
                raise
            log.info("%s: another run has finished this very step meanwhile; its folder is kept", folder)
            shutil.rmtree(partial)
        (folder / LOCK).unlink(missing_ok=True)


def _finish(partial, marker, settings, data, facts=None):
    """Writes the configuration and waits until the folder is on the disk."""
    told = {"facts": facts} if facts else {}
    write_json(partial / marker, {"settings": settings, "data": data, **told, "environment": environment()})
    _flush(partial)


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
            entries = sorted(entry.name for entry in partial.iterdir() if entry.name != LOCK)
            _finish(partial, marker, settings, data)
            for name in (*entries, marker):
                (partial / name).rename(folder / name)
                placed.append(folder / name)
            with contextlib.suppress(OSError):  # all is in place; the next run clears up what a disk still holds
                (partial / LOCK).unlink()
                partial.rmdir()
    except BaseException:
        for path in reversed(placed):  # the marker first, without which the rest is not taken for done
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        if is_new:
            with contextlib.suppress(OSError):  # another run writes into it
                folder.rmdir()
        raise


@contextlib.contextmanager
def _partial(parent, name):
    """Yields a new hidden folder in `parent` and removes it after an exception, and what killed runs left of it."""
    prefix = f".{_short_name(name)}.partial-"
    for other in parent.glob(f"{glob.escape(prefix)}*"):
        if _is_stale(other, other.name.removeprefix(prefix).split("-")[0]):
            shutil.rmtree(other, ignore_errors=True)
        else:
            log.info("%s: another run is writing it; the one that ends first will have made it", parent / name)
    partial = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=parent))
    try:
        with open(partial / LOCK, "wb") as lock:
            with contextlib.suppress(OSError):  # a disk without locks; the process id has to do
                fcntl.flock(lock, fcntl.LOCK_EX)
            partial.chmod(0o777 & ~_umask())
            yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _short_name(name):
    """A name with room for a suffix: most disks take 255 bytes."""
    if len(os.fsencode(name)) <= 200:
        return name
    return f"{name[:40]}-{hashlib.blake2b(os.fsencode(name), digest_size=8).hexdigest()}"


def _refuse_mount(folder):
    """Refuses a folder that is a mount point, which nothing can be renamed to."""
    mounts = set()
    with contextlib.suppress(OSError):  # Linux also tells of folders mounted from the same disk
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        mounts = {line.split()[4].replace("\\040", " ") for line in lines}
    if os.path.ismount(folder) or os.path.realpath(folder) in mounts:
        raise BadInput(
            f"--out {folder}: a mount point, which cannot be made whole in one step; give a folder inside it"
        )


def _flush(folder):
    """Waits until a folder is on the disk, so that a power failure leaves no finished step with empty files."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    if len(files) > 100:
        os.sync()
        return
    for path in files:
        with open(path, "rb") as file:
            os.fsync(file.fileno())


def _is_stale(partial, pid):
    """Whether no process writes a partial folder any more: none holds its lock, here or on another machine."""
    try:
        with open(partial / LOCK, "rb+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except BlockingIOError:
        return False
    except OSError:  # no lock in it, as earlier versions have none, or a disk without locks
        return not _alive(pid)


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


def write_json(path, content):
    """Writes JSON as UTF-8; what is no character in a file name becomes an escape, which JSON reads back."""
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    Path(path).write_text(text, encoding="utf-8", errors="backslashreplace")


def read_json(path):
    """Reads a JSON file; a `BadInput` names it where it is missing or broken."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except (ValueError, RecursionError):
        raise BadInput(f"{path}: not readable as JSON") from None


def refuse_overlap(out, source):
    """Raises a `BadInput` if one of two folders lies inside the other, or they are the same."""
    out, source = Path(out).resolve(), Path(source).resolve()
    if out.is_relative_to(source) or source.is_relative_to(out):
        raise BadInput(f"--out {out}: would write into the input {source}")
