"""Runs a paper's grid and writes its report: `python reproduce.py thesis --help`, or `--quick` for a small one."""

import common.interrupts  # noqa: F401  first: Ctrl-C while the rest is imported ends in one line

# isort: split

import importlib
import sys

from common import cli

PAPERS = ("thesis", "scarce")


def main(argv=None):
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = cli.ArgumentParser(__doc__)
    parser.prog = "reproduce.sh"
    parser.add_argument("paper", choices=PAPERS, nargs="?" if "--quick" in argv else None, help="whose grid")
    parser.add_argument("--quick", action="store_true", help="the thesis, small: digits, 50 images, 500 steps, 7 min")
    first = [argv.pop(0)] if argv and not argv[0].startswith("-") else []
    args = parser.parse_args(first or [flag for flag in argv if flag in ("-h", "--help", "--quick")])
    importlib.import_module(f"experiments.{args.paper or 'thesis'}").main(argv)


if __name__ == "__main__":
    cli.run(main)
