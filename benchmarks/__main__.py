"""Prints what a run costs, as ratios to the released way, to the machine's peak, or to another size of run.

Example python -m benchmarks          # all subjects, each in its own process
        python -m benchmarks stage_one memory --json
"""

import dataclasses
import importlib
import json
import sys

from benchmarks.measure import Line, printed
from common import cli, runs

SUBJECTS = (
    "stage_one vae_training conditional cglo classifier augmentation gibbs memory growth precision grid compare assess"
).split()


def main(argv=None):
    parser = cli.ArgumentParser(__doc__)
    parser.prog = "python -m benchmarks"
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=f"of {', '.join(SUBJECTS)} (default: all)")
    parser.add_argument("--json", action="store_true", help="one JSON document, for machines")
    parser.add_argument("--one", choices=SUBJECTS, help="measure in this process and print one JSON line per ratio")
    args = parser.parse_args(argv)
    unknown = [name for name in args.subjects if name not in SUBJECTS]
    if unknown:
        parser.error(f"SUBJECT: there is no {unknown[0]!r}, but {', '.join(SUBJECTS)}")
    if args.one:
        for line in importlib.import_module(f"benchmarks.{args.one}").measure():
            print(json.dumps(dataclasses.asdict(line)), flush=True)
        return
    lines, failed = [], False
    for subject in args.subjects or SUBJECTS:
        try:
            for text in printed("-m", "benchmarks", "--one", subject):
                if text.startswith("{"):
                    lines.append(Line(**json.loads(text)))
                    if not args.json:
                        print(lines[-1], flush=True)
        except RuntimeError as error:
            failed = True
            print(f"{subject}: failed: {error}", file=sys.stderr)
    if args.json:
        print(
            json.dumps(
                {"lines": [dataclasses.asdict(line) for line in lines], "environment": runs.environment()}, indent=1
            )
        )
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    cli.run(main)
