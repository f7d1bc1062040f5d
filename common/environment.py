"""What made a result: the versions of what it ran on, and the machine."""

import contextlib
import os
import platform
import shlex
import sys
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    *("keras", "tensorflow", "jax", "torch", "numpy", "scipy"),
    *("opencv-python-headless", "simplejpeg", "pillow", "scikit-learn"),
)


def environment():
    """What made a result: command, versions, machine and time (UTC)."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
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
