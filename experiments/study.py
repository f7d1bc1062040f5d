"""What the papers' grids share: flags, plan, the locked run, the report, the way through them."""

import argparse
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import prepare_data
from common import backend, cli, runs
from grid import cost, dataset, schedule
from grid.cells import is_done
from report import page, results
from report.tables import has_numbers


@dataclass(frozen=True)
class Paper:
    """One paper, as `main` reproduces it.

    Attributes:
        name: as the command line says it, e.g. `"thesis"`.
        parse_args: command line to flags; see `add_source`, `add_run` and `add_passed_on`.
        settings: flags to a dict of what all cells of one folder share.
        cells: (flags, images a class) to a dict from key to `Cell`.
        report: (folder of the grid, `results.collect` of it, folder for figures) to `Report`.
        data: what the published numbers are of.
    """

    name: str
    parse_args: Callable
    settings: Callable
    cells: Callable
    report: Callable
    data: str


@dataclass
class Report:
    """What a paper's page shows, as `page.write_page` takes it."""

    headline: dict
    claims: list
    tables: list
    figures: list
    protocols: dict = field(default_factory=lambda: page.PROTOCOLS)


def add_source(parser):
    """Adds the flags that name the data."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--dataset", choices=prepare_data.DATASETS, help="default: mnist")
    source.add_argument("--source", metavar="FILE.npz", help="a data set as prepare_data.py takes it")
    source.add_argument("-path", "--path", metavar="FOLDER", help="folder with train/<class>/ and test/<class>/")
    parser.add_argument("--protocol", choices=("fair", "published", "both"), default="fair", help="see train_cnn.py")


def settle(parser, args, quick):
    """Fills in what follows from other flags: the values of `--quick`, if given, and the named data set.

    Args:
        parser, args: the parser and what it found.
        quick: what --quick sets where a flag has its default: {flag's name: value}.
    """
    for name, value in quick.items() if args.quick else ():
        if getattr(args, name) == parser.get_default(name):
            setattr(args, name, value)
    args.dataset = None if args.source or args.path else args.dataset or "mnist"
    return args


def add_run(parser):
    """Adds the flags that say where and whether the cells run."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--jobs", type=cli.positive, help="worker processes (default: one a core, on GPUs one)")
    where.add_argument(
        "--scheduler", type=address, metavar="tcp://HOST:PORT", help="run the cells on this Dask cluster"
    )
    parser.add_argument("--dry-run", action="store_true", help="print cells, what is done, time and disk; run nothing")
    parser.add_argument("--report", action="store_true", help="write the report of what --out holds; run nothing")


def add_passed_on(parser, limte):
    """Adds the flags that go to the steps as they are; returns their group, for what a paper passes on beside them."""
    passed = parser.add_argument_group("passed on to the steps")
    passed.add_argument("--steps", type=cli.positive, help="train_cnn.py, fair protocol (default: 3000)")
    passed.add_argument("-e", type=cli.positive, help="train_cnn.py (default: 60)")
    passed.add_argument("-limte", "--limte", type=cli.limit, default=limte, help="train_cnn.py: test images a class")
    passed.add_argument("--precision", choices=("float32", "mixed_bfloat16"), default="float32", help="train_cnn.py")
    passed.add_argument("--deterministic", action="store_true", help="bit-equal reruns, where the back end can")
    passed.add_argument("--devices", type=backend.devices, default="auto", help="see train_cnn.py")
    cli.add_image_arguments(passed)
    return passed


def address(text):
    """Checks a `--scheduler` value."""
    if not re.fullmatch(r"(tcp|tls|ucx|wss?)://[^\s/]+:\d+", text):
        raise argparse.ArgumentTypeError(f"expected tcp://HOST:PORT, received {text!r}")
    return text


def preview(cells, root):
    """Prints every cell, whether it is done, and what is left in time and disk."""
    todo, factors = schedule.plan(cells, root), cost.scales(cells, root)
    for key, cell in cells.items():
        if is_done(root, key):
            state = "done"
        elif key in todo:
            state = cost.words(cost.estimate([cell], factors))
        else:
            state = "not needed"
        print(f"{state:>10}  {key}")
    cores = os.cpu_count() or 1
    seconds, disk = cost.estimate(todo.values(), factors), sum(cell.disk for cell in todo.values())
    done = sum(is_done(root, key) for key in cells)
    print(f"{len(cells)} cells: {done} done, {len(todo)} to run. About {cost.words(seconds)} on one core, ", end="")
    print(f"{cost.words(seconds / cores)} on the {cores} of this machine, and {disk / 1e9:.1f} GB of disk")


def make_pool(args, root):
    """The worker processes, here or elsewhere, that run the cells."""
    if not args.scheduler:
        return schedule.Machine(root, args.jobs or schedule.default_jobs(args.devices))
    try:
        from grid.cluster import Cluster
    except ImportError:
        raise ValueError("--scheduler: needs Dask; pip install -r requirements-cluster.txt") from None
    return Cluster(root, args.scheduler)


def show(paper, root):
    """Writes the report, prints the scores and names the page."""
    page = write_report(paper, root)
    results.show(results.collect(root))
    print(f"Tables, figures and the page: {page}")


def write_report(paper, root):
    """Writes tables, figures and the page of what is done so far; returns the page's path."""
    folder, partial = root / "report", root / ".report.partial"
    shutil.rmtree(partial, ignore_errors=True)
    made = paper.report(root, results.collect(root), partial / "figures")
    for table in made.tables:
        page.write_table(table, partial / "tables")
    tables = sorted(made.tables, key=lambda table: not has_numbers(table))  # first what was run, then the rest
    parts = made.claims, tables, made.figures, partial / "tables", made.protocols
    page.write_page(partial / "report.html", made.headline, facts(root, paper.data), *parts)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder / "report.html"


def facts(root, published):
    """What made the numbers: commands, versions, hardware, time. `published` says what the published numbers are of."""
    records = [runs.read_json(path) for path in sorted((root / "cells").rglob("*.json"))]
    finished = sorted(record["finished"] for record in records)
    versions = sorted({f"{name} {number}" for record in records for name, number in record["versions"].items()})
    return {
        "data": f"{runs.read_json(root / 'grid.json')['name']}; published numbers are {published}",
        "commands": "\n".join(dict.fromkeys((root / "commands.txt").read_text(encoding="utf-8").splitlines())),
        "cells": f"{len(records)} trainings and generations",
        "time": f"{cost.words(sum(record['seconds'] for record in records))}, added up over the workers",
        "hardware": "; ".join(sorted({record["machine"] for record in records})),
        "back end": ", ".join(sorted({record["backend"] for record in records})),
        "versions": ", ".join(versions),
        "finished": f"{finished[0]} to {finished[-1]}" if finished else "",
    }


def main(paper, argv=None):
    """Runs what the flags ask for: a report, a dry run, or the cells that are not done and then the report."""
    args = paper.parse_args(argv)
    root = Path(args.out)
    if args.report:
        dataset.check(root, paper.name)
        with schedule.locked(root):
            show(paper, root)
        return
    if args.path:
        runs.refuse_overlap(root, args.path)
    cells = paper.cells(args, dataset.count_images(args))
    if args.dry_run:
        preview(cells, root)
        return
    with schedule.locked(root):
        dataset.claim(root, args, paper.settings(args))
        dataset.prepare(args, root)
        line = shlex.join(["./reproduce.sh", paper.name, *(sys.argv[1:] if argv is None else argv)])
        with (root / "commands.txt").open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        failed = schedule.run(cells, root, make_pool(args, root))
        show(paper, root)
    if failed:
        print(f"{len(failed)} of {len(cells)} cells failed; the same command tries them again")
        sys.exit(1)
