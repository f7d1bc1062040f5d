"""A cell's script that needs no Keras: adds numbers, slowly if told so. `grid.cells` calls its `main`."""

import argparse
import errno
import os
import signal
import time
from pathlib import Path

from common import runs

kept = []


def main(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--add", type=float, default=0)
    parser.add_argument("--needs", nargs="*", default=[])
    parser.add_argument("--sleep", type=float, default=0)
    parser.add_argument("--wait-for", help="goes on only when this file is there")
    parser.add_argument("--trace", help="file that gets a line, with the process, each time this runs")
    parser.add_argument("--unless", help="fails unless this file is there")
    parser.add_argument("--die-unless", help="dies unless this file is there, which it makes; or always")
    parser.add_argument("--die-without", help="dies unless this file is there")
    parser.add_argument("--keep", type=int, default=0, help="bytes that its process keeps")
    parser.add_argument("--full", help="finds its disk full if the folder's path has this in it")
    args = parser.parse_args(argv)
    total = args.add + sum(runs.read_json(Path(need) / "number.json") for need in args.needs)
    if runs.finished(args.out, {"add": args.add}, {}):
        return
    with runs.writing(args.out, {"add": args.add}, {}) as folder:
        kept.append(b"x" * args.keep)
        if args.trace:
            with open(args.trace, "a") as trace:
                trace.write(f"{Path(args.out).name} {os.getpid()}\n")
        print(f"adding {args.add}")
        if args.unless and not Path(args.unless).exists():
            raise ValueError(f"{args.unless} is\nnot there")
        if args.die_unless and not Path(args.die_unless).exists():
            if args.die_unless != "always":
                Path(args.die_unless).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if args.die_without and not Path(args.die_without).exists():
            os.kill(os.getpid(), signal.SIGKILL)
        if args.full and args.full in args.out:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), args.out)
        while args.wait_for and not Path(args.wait_for).exists():
            time.sleep(0.05)
        time.sleep(args.sleep)
        runs.write_json(folder / "number.json", total)
