"""The grid of Garay-Maestre's thesis and of the CIARP paper: trainings, tables, figures, one page.

Reads   a data set or a folder with train/<class>/ and test/<class>/
Writes  <out>/: data, models, gen, classifiers, ... (a folder a cell), cells/ (a record and a log each), report/

Run it again and it goes on where it was, or grows by seeds, sizes, latents and arms.

Example ./reproduce.sh thesis --sizes 50 --latent 3 --seeds 5 --parts arms --precision mixed_bfloat16
        5 seeds of the four arms in the fair protocol on MNIST: 75 min on 2 cores
"""

import os
import sys
from pathlib import Path

import cli
import prepare_data
import runs
import runtime
from experiments import cost, data, schedule
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
    where.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="run the cells on this Dask cluster")
    parser.add_argument("--dry-run", action="store_true", help="print cells, what is done, time and disk; run nothing")
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
        return schedule.Machine(root, args.jobs)
    try:
        from experiments.cluster import Cluster
    except ImportError:
        raise ValueError("--scheduler: needs Dask; pip install -r requirements-cluster.txt") from None
    return Cluster(root, args.scheduler)


def main(argv=None):
    args = parse_args(argv)
    root = Path(args.out)
    if args.path:
        runs.refuse_overlap(root, args.path)
    cells = Grid(args, data.count_images(args)).cells
    if args.dry_run:
        preview(cells, root)
        return
    with schedule.locked(root):
        data.claim(root, args)
        data.prepare(args, root)
        failed = schedule.run(cells, root, make_pool(args, root))
    if failed:
        print(f"{len(failed)} of {len(cells)} cells failed; the same command tries them again")
        sys.exit(1)


if __name__ == "__main__":
    cli.run(main)
