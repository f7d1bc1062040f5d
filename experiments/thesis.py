"""The grid of Garay-Maestre's thesis and of the CIARP paper: trainings, tables, figures, one page.

Reads   a data set or a folder with train/<class>/ and test/<class>/
Writes  <out>/: data, models, gen, classifiers, ... (a folder a cell), cells/ (a record and a log each), report/

Run it again and it goes on where it was, or grows by seeds, sizes, latents and arms.

Example ./reproduce.sh thesis --sizes 50 --latent 3 --seeds 5 --parts arms --precision mixed_bfloat16
        5 seeds of the four arms in the fair protocol on MNIST: 95 min on 2 cores busy with other work
"""

import argparse
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import cli
import prepare_data
import runs
import runtime
from experiments import claims, cost, data, figures, report, results, schedule, statistics, tables
from experiments.cells import is_done
from experiments.grid import ARMS, FIRST_SEED, PARTS, Grid

QUICK = {
    "dataset": "digits",
    "sizes": [50],
    "latent": [3],
    "seeds": 1,
    "parts": ["arms"],
    "steps": 500,
    "e": 10,
    "count": 500,
    "limte": -1,
    "out": "runs/quick",
}

PAIRS = (("VAE", "CNN", "the plain CNN"), ("AUG+VAE", "AUG", "classic augmentation"))


def parse_args(argv=None):
    parser = cli.ArgumentParser(__doc__)
    parser.prog = "reproduce.sh thesis"
    parser.add_argument("--quick", action="store_true", help="small defaults: digits, 50 images, one seed, 500 steps")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--dataset", choices=prepare_data.DATASETS, help="default: mnist")
    source.add_argument("--source", metavar="FILE.npz", help="a data set as prepare_data.py takes it")
    source.add_argument("-path", "--path", metavar="FOLDER", help="folder with train/<class>/ and test/<class>/")
    parser.add_argument("--protocol", choices=("fair", "published", "both"), default="fair", help="see train_cnn.py")
    parser.add_argument(
        "--sizes", nargs="+", type=cli.positive, default=[50, 100, 250, 500, 1000], help="training images in all"
    )
    parser.add_argument("--per-class", action="store_true", help="--sizes are images a class")
    parser.add_argument("--latent", nargs="+", type=cli.positive, default=[2, 3, 4, 8], help="latent dimensions")
    parser.add_argument(
        "--arms",
        nargs="+",
        choices=ARMS,
        default=["cnn", "vae", "aug", "aug+vae"],
        help="vae-all: all generated images at once (thesis 6.3)",
    )
    parser.add_argument("--seeds", type=cli.positive, default=10, help=f"how many, from {FIRST_SEED} on")
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=PARTS,
        default=list(PARTS),
        help="arms; checks: the published arms by one selection rule; vae-loss: thesis Table 6.1; latent-spaces: "
        "figs 2.3.3, 2.4.5, 2.4.6, 6.2.1, 6.2.2; augmentation: CIARP fig. 3",
    )
    parser.add_argument(
        "--loss-images", nargs="+", type=cli.positive, default=[5, 50, 500, 5000], help="of vae-loss, of one class"
    )
    parser.add_argument("--out", default="runs/thesis", help="folder of the grid (--quick: runs/quick)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--jobs", type=cli.positive, help="worker processes (default: one a core, on GPUs one)")
    where.add_argument(
        "--scheduler", type=address, metavar="tcp://HOST:PORT", help="run the cells on this Dask cluster"
    )
    parser.add_argument("--dry-run", action="store_true", help="print cells, what is done, time and disk; run nothing")
    parser.add_argument("--report", action="store_true", help="write the report of what --out holds; run nothing")
    passed = parser.add_argument_group("passed on to the steps")
    passed.add_argument("--steps", type=cli.positive, help="train_cnn.py, fair protocol (default: 3000)")
    passed.add_argument("-e", type=cli.positive, help="train_cnn.py (default: 60)")
    passed.add_argument("-limte", "--limte", type=cli.limit, default=700, help="train_cnn.py: test images a class")
    passed.add_argument("--epochs", type=cli.positive, help="train_vae.py (default: as the thesis, by size)")
    passed.add_argument("--count", type=cli.positive, default=2500, help="generate.py: images a class")
    passed.add_argument("--precision", choices=("float32", "mixed_bfloat16"), default="float32", help="train_cnn.py")
    passed.add_argument("--deterministic", action="store_true", help="bit-equal reruns, where the back end can")
    passed.add_argument("--devices", type=runtime.devices, default="auto", help="see train_cnn.py")
    cli.add_image_arguments(passed)
    args = parser.parse_args(argv)
    if args.quick:
        for name, value in QUICK.items():
            if getattr(args, name) == parser.get_default(name):
                setattr(args, name, value)
    if args.source or args.path:
        args.dataset = None
    else:
        args.dataset = args.dataset or "mnist"
    return args


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
        from experiments.cluster import Cluster
    except ImportError:
        raise ValueError("--scheduler: needs Dask; pip install -r requirements-cluster.txt") from None
    return Cluster(root, args.scheduler)


def show(root):
    """Writes the report, prints the scores and names the page."""
    page = write_report(root)
    results.show(results.collect(root))
    print(f"Tables, figures and the page: {page}")


def write_report(root):
    """Writes tables, figures and the page of what is done so far; returns the page's path."""
    frame = results.collect(root)
    by_protocol = {name: frame[frame["protocol"] == name] for name in frame["protocol"].unique()}
    comparison = {name: statistics.compare_arms(rows) for name, rows in by_protocol.items()}
    folder, partial = root / "report", root / ".report.partial"
    shutil.rmtree(partial, ignore_errors=True)
    made = tables.all_tables(root, frame, comparison)
    for table in made:
        report.write_table(table, partial / "tables")
    made.sort(key=lambda table: not tables.has_numbers(table))  # a reader looks at what was run, then at what was not
    drawn = figures.all_figures(root, frame, partial / "figures")
    headline = {"title": "Does generated data help where images are scarce?", "lead": lead(by_protocol)}
    page = partial / "report.html"
    report.write_page(page, headline, facts(root), claims.judge(frame), made, drawn, partial / "tables")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder / "report.html"


def lead(by_protocol):
    """The page's first sentences: what generated images gained, protocol by protocol."""
    if not by_protocol:
        return ["No classifier is finished yet."]
    sentences = []
    for protocol, rows in by_protocol.items():
        scores, parts = statistics.by_pair(rows), []
        for with_images, without, words in PAIRS:
            gains = 100 * statistics.over_latents((scores[with_images] - scores[without]).dropna())
            if len(gains):
                found = statistics.summary(gains)
                spread = f", 95 % interval {found.low:+.1f} to {found.high:+.1f}" if found.n > 1 else ""
                pairs = "1 pair" if found.n == 1 else f"{found.n} pairs"
                parts.append(f"{found.mean:+.1f} points of macro F1 to {words} ({pairs}{spread})")
        if parts:
            images = "the arms with generated images add" if protocol == "published" else "generated images add"
            sentences.append(f"In the {protocol} protocol {images} {' and '.join(parts)}.")
    if "published" in by_protocol:
        sentences.append("The published AUG+VAE arm, as released, is fed no generated image.")
    return sentences or ["No two arms can be compared yet."]


def facts(root):
    """What made the numbers: commands, versions, hardware, time."""
    records = [runs.read_json(path) for path in sorted((root / "cells").rglob("*.json"))]
    finished = sorted(record["finished"] for record in records)
    versions = sorted({f"{name} {number}" for record in records for name, number in record["versions"].items()})
    return {
        "data": f"{runs.read_json(root / 'grid.json')['name']}; published numbers are MNIST's",
        "commands": "\n".join(dict.fromkeys((root / "commands.txt").read_text(encoding="utf-8").splitlines())),
        "cells": f"{len(records)} trainings and generations",
        "time": f"{cost.words(sum(record['seconds'] for record in records))}, added up over the workers",
        "hardware": "; ".join(sorted({record["machine"] for record in records})),
        "back end": ", ".join(sorted({record["backend"] for record in records})),
        "versions": ", ".join(versions),
        "finished": f"{finished[0]} to {finished[-1]}" if finished else "",
    }


def main(argv=None):
    args = parse_args(argv)
    root = Path(args.out)
    if args.report:
        if not (root / "grid.json").exists():
            raise ValueError(f"{root}: no grid's folder")
        with schedule.locked(root):
            show(root)
        return
    if args.path:
        runs.refuse_overlap(root, args.path)
    classes = data.count_images(args)
    cells = Grid(args, classes).cells
    first, most = next(iter(classes.items()))
    if "vae-loss" in args.parts and max(args.loss_images) > most:
        print(f"--loss-images: left out where there are more than the {most} training images of class {first}")
    if args.dry_run:
        preview(cells, root)
        return
    with schedule.locked(root):
        data.claim(root, args)
        data.prepare(args, root)
        line = shlex.join(["./reproduce.sh", "thesis", *(sys.argv[1:] if argv is None else argv)])
        with (root / "commands.txt").open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        failed = schedule.run(cells, root, make_pool(args, root))
        show(root)
    if failed:
        print(f"{len(failed)} of {len(cells)} cells failed; the same command tries them again")
        sys.exit(1)


if __name__ == "__main__":
    cli.run(main)
