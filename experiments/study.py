"""What a study must give, and what all studies share: flags, plan, the locked run, the report, the way through them.

A folder of `experiments/` whose `__init__` gives a `STUDY` is a study; `python reproduce.py NAME` finds it there.
"""

import argparse
import importlib
import pkgutil
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import experiments
import prepare_data
from common import backend, cli, runs
from grid import cost, dataset, machine, preview, schedule
from grid.graph import FIRST_SEED
from report import page, results
from report.tables import has_numbers

QUICK = {"seeds": 1, "steps": 200, "e": 10}  # of every study's --quick: one seed, 200 optimiser steps, 10 epochs
OWN = "own_data"  # the study of one's own images, which compare.py runs and reproduce.py does not
# Flags that all cells of a folder share, whatever the study.
SHARED = ("steps", "e", "limte", "precision", "deterministic", "size", "color")


@dataclass(frozen=True)
class Study:
    """What one study gives; the engine does the rest.

    Attributes:
        name: its folder's name in `experiments/`, as the command line says it, e.g. `"thesis"`.
        about: text of `--help`.
        data: what the published numbers are of, e.g. `"MNIST's"`.
        add_arguments: (parser, group of the flags that are passed on to the scripts) adds the study's own flags.
        cells: (flags, dict from class name to its number of training images) to a dict from key to `Cell`.
        report: (folder of the grid, `results.collect` of it, folder for figures) to `Report`.
        axes: columns of the score table beyond protocol, arm, size and seed, taken from the cells' facts: dict from
            name to what holds where the facts do not say it, `""` for text and None for whole numbers.
        defaults: values of shared flags, {name: value}, e.g. `{"seeds": 10}`.
        quick: what --quick sets, {name: value}; any flag on the command line wins.
        shared: own flags that all cells of a folder share: a grid may grow by everything else.
        files: own flags that name files whose content all cells of a folder share.
        settle: (flags) fills in, once they are parsed, those whose default follows from others.
    """

    name: str
    about: str
    data: str
    add_arguments: Callable
    cells: Callable
    report: Callable
    axes: dict = field(default_factory=dict)
    defaults: dict = field(default_factory=dict)
    quick: dict = field(default_factory=dict)
    shared: tuple = ()
    files: tuple = ()
    settle: Callable = lambda args: None


@dataclass
class Report:
    """What a study's page shows, as `page.write_page` takes it."""

    headline: dict
    claims: list
    tables: list
    figures: list
    protocols: dict = field(default_factory=dict)


def names():
    """The papers' studies: the folders of `experiments/`, the thesis, which came first, before the others."""
    found = [module.name for module in pkgutil.iter_modules(experiments.__path__) if module.ispkg]
    return sorted(set(found) - {OWN}, key=lambda name: (name != dataset.UNNAMED, name))


def load(name):
    """The `Study` of a name."""
    return importlib.import_module(f"experiments.{name}").STUDY


def make_parser(study):
    """The command line of a study: source, run, the study's own flags, those passed on."""
    parser = cli.ArgumentParser(study.about)
    parser.prog = f"reproduce.sh {study.name}"
    parser.add_argument("--quick", action="store_true", help=f"small defaults: {quick_words(study)}")
    add_source(parser)
    parser.add_argument("--seeds", type=cli.positive, default=5, help=f"how many, from {FIRST_SEED} on")
    out, quick_out = default_out(study)
    parser.add_argument("--out", default=out, help=f"folder of the grid (--quick: {quick_out})")
    add_run(parser)
    passed = add_passed_on(parser)
    study.add_arguments(parser, passed)
    parser.set_defaults(**study.defaults)
    return parser


def parse_args(study, argv=None):
    """The flags of a study. --quick changes defaults, so what is typed wins over it."""
    parser = make_parser(study)
    args = parser.parse_args(argv)
    if args.quick:
        parser.set_defaults(out=default_out(study)[1], **{**QUICK, **study.quick})
        args = parser.parse_args(argv)
    args.dataset = None if args.source or args.path else args.dataset or "mnist"
    study.settle(args)
    return args


def default_out(study):
    """A study's folder, and that of its --quick."""
    quick = "runs/quick" if study.name == dataset.UNNAMED else f"runs/quick-{study.name}"
    return f"runs/{study.name}", quick


def quick_words(study):
    """What --quick sets, as its help says it: "dataset digits, seeds 1, ..."."""
    quick = {**QUICK, **study.quick}
    shown = {name: " ".join(map(str, value)) if isinstance(value, list) else value for name, value in quick.items()}
    return ", ".join(f"{name.replace('_', '-')} {value}" for name, value in shown.items())


def settings(study, args):
    """What all cells of one folder share: a grid may grow by every other flag."""
    named = {} if study.name == dataset.UNNAMED else {"paper": study.name}
    given = {name: Path(getattr(args, name)) for name in study.files if getattr(args, name)}
    named |= {name: dataset.digest([path]) for name, path in given.items()}
    return named | {name: getattr(args, name) for name in (*SHARED, *study.shared)}


def add_source(parser):
    """Adds the flags that name the data."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--dataset", choices=prepare_data.DATASETS, help="default: mnist")
    source.add_argument("--source", metavar="FILE.npz", help="a data set as prepare_data.py takes it")
    source.add_argument("-path", "--path", metavar="FOLDER", help="folder with train/<class>/ and test/<class>/")
    parser.add_argument("--protocol", choices=("fair", "published", "both"), default="fair", help="see train_cnn.py")


def add_run(parser):
    """Adds the flags that say where and whether the cells run."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--jobs", type=cli.positive, help="worker processes (default: one per core; on GPUs one)")
    where.add_argument(
        "--scheduler",
        type=address,
        metavar="tcp://HOST:PORT",
        help="run the cells on this Dask cluster, or tls://HOST:PORT",
    )
    parser.add_argument("--dry-run", action="store_true", help="print cells, what is done, time and disk; run nothing")
    parser.add_argument("--report", action="store_true", help="write the report of what --out holds; run nothing")


def add_passed_on(parser):
    """Adds the flags that go to the scripts as they are; returns their group."""
    passed = parser.add_argument_group("passed on to the scripts")
    passed.add_argument("--steps", type=cli.positive, help="train_cnn.py, fair protocol (default: 3000)")
    passed.add_argument("-e", type=cli.positive, help="train_cnn.py (default: 60)")
    passed.add_argument("-limte", "--limte", type=cli.limit, default=-1, help="train_cnn.py: test images per class")
    passed.add_argument("--precision", choices=("float32", "mixed_bfloat16"), default="float32", help="train_cnn.py")
    passed.add_argument("--deterministic", action="store_true", help="bit-equal reruns, where the back end can")
    passed.add_argument("--devices", type=backend.devices, default="auto", help="see train_cnn.py")
    cli.add_image_arguments(passed)
    return passed


def address(text):
    """Checks a `--scheduler` value."""
    if not re.fullmatch(r"(tcp|tls)://[^\s/]+:\d+", text):
        raise argparse.ArgumentTypeError(f"expected tcp://HOST:PORT or tls://HOST:PORT, received {text!r}")
    return text


def make_pool(args, root):
    """The worker processes, here or elsewhere, that run the cells."""
    if not args.scheduler:
        return machine.Machine(root, args.jobs or machine.default_jobs(args.devices))
    try:
        from grid.cluster import Cluster
    except ImportError:
        raise ValueError("--scheduler: needs Dask; pip install -r requirements-cluster.txt") from None
    return Cluster(root, args.scheduler)


def show(study, root):
    """Writes the report, prints the scores and names the page."""
    frame = results.collect(root, study.axes)
    page = write_report(study, root, frame)
    results.show(frame)
    print(f"Tables, figures and the page: {page}")


def write_report(study, root, frame):
    """Writes tables, figures and the page of what is done so far; returns the page's path."""
    folder, partial = root / "report", root / ".report.partial"
    shutil.rmtree(partial, ignore_errors=True)
    made = study.report(root, frame, partial / "figures")
    for table in made.tables:
        page.write_table(table, partial / "tables")
    tables = sorted(made.tables, key=lambda table: not has_numbers(table))  # first what was run, then the rest
    parts = made.claims, tables, made.figures, partial / "tables", made.protocols
    page.write_page(partial / "report.html", made.headline, facts(root, study.data), *parts)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder / "report.html"


def facts(root, published):
    """What made the numbers: commands, versions, hardware, time.

    `published` says what the published numbers are of; empty where there are none.
    """
    records = [record for _, record in results.records(root, whole=False)]
    finished = sorted(record["finished"] for record in records)
    versions = sorted({f"{name} {number}" for record in records for name, number in record["versions"].items()})
    return {
        "data": dataset.read(root)["name"] + (f"; published numbers are {published}" if published else ""),
        "commands": "\n".join(dict.fromkeys((root / "commands.txt").read_text(encoding="utf-8").splitlines())),
        "cells": f"{len(records)} trainings and generations",
        "time": f"{cost.words(sum(record['seconds'] for record in records))}, added up over the workers",
        "hardware": "; ".join(sorted({record["machine"] for record in records})),
        "back end": ", ".join(sorted({record["backend"] for record in records})),
        "versions": ", ".join(versions),
        "finished": f"{finished[0]} to {finished[-1]}" if finished else "",
    }


def main(study, argv=None):
    """Runs what the flags ask for: a report, a dry run, or the cells that are not done and then the report."""
    args = parse_args(study, argv)
    root = Path(args.out)
    if args.report:
        dataset.check(root, study.name)
        with schedule.locked(root):
            show(study, root)
        return
    if args.path:
        runs.refuse_overlap(root, args.path)
    cells = study.cells(args, dataset.count_images(args))
    if args.dry_run:
        preview.show(cells, root)
        return
    with schedule.locked(root):
        dataset.claim(root, args, settings(study, args))
        line = shlex.join(["./reproduce.sh", study.name, *(sys.argv[1:] if argv is None else argv)])
        with (root / "commands.txt").open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        dataset.prepare(args, root)
        failed = schedule.run(cells, root, make_pool(args, root))
        show(study, root)
    if failed:
        print(f"{len(failed)} of {len(cells)} cells failed; the same command tries them again")
        sys.exit(1)
