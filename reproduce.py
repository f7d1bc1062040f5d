"""Runs a study's grid and writes its report: `python reproduce.py thesis --help`, or `--quick` for a small one."""

import common.interrupts  # noqa: F401  first: Ctrl-C while the rest is imported ends in one line

# isort: split

import sys

from common import cli
from experiments import study


def main(argv=None):
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = cli.ArgumentParser(__doc__)
    parser.prog = "reproduce.sh"
    names, quick = study.names(), study.QUICK
    parser.add_argument("paper", choices=names, nargs="?" if "--quick" in argv else None, help="whose grid")
    words = f"the thesis, small: digits, 50 images, {quick['steps']} steps"
    parser.add_argument("--quick", action="store_true", help=words)
    first = [argv.pop(0)] if argv and not argv[0].startswith("-") else []
    args = parser.parse_args(first or [flag for flag in argv if flag in ("-h", "--help", "--quick")])
    study.main(study.load(args.paper or names[0]), argv)


if __name__ == "__main__":
    cli.run(main)
