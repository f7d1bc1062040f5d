"""A Dask scheduler and workers as processes of this machine, each with a disk of its own."""

import contextlib
import json
import subprocess
import sys
from types import SimpleNamespace

from conftest import ENVIRONMENT, wait_until


@contextlib.contextmanager
def running(folder, workers=2, flags=(), env=ENVIRONMENT):
    """Starts a cluster in `folder`.

    Args:
        folder: it gets `scheduler/` and `worker0/`, ..., the processes' working directories with their `log`.
        workers: how many.
        flags: of scheduler and workers.
        env: of the workers.

    Yields:
        `address`, `scheduler` (process) and `workers` (processes).
    """
    processes, address_file = [], folder / "scheduler.json"

    def launch(command, *more, cwd, env):
        cwd.mkdir()
        with (cwd / "log").open("w") as log:
            line = [sys.executable, "-m", f"distributed.cli.dask_{command}", "--no-dashboard", *flags, *more]
            processes.append(subprocess.Popen(line, cwd=cwd, env=env, stdout=log, stderr=log))
        return processes[-1]

    try:
        where = ["--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(address_file)]
        scheduler = launch("scheduler", *where, cwd=folder / "scheduler", env=ENVIRONMENT)
        wait_until(lambda: address_file.exists() and address_file.read_text().endswith("}"))
        how = ["--scheduler-file", str(address_file), "--nthreads", "1", "--no-nanny", "--local-directory", "."]
        started = [launch("worker", *how, cwd=folder / f"worker{k}", env=env) for k in range(workers)]
        address = json.loads(address_file.read_text())["address"]
        yield SimpleNamespace(address=address, scheduler=scheduler, workers=started)
    finally:
        for process in processes:
            process.kill()
            process.wait()
