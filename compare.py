"""Answers on your own images: does a classifier get better with generated images, and what should you use?

Reads   <path>/<class>/*.jpg, images of any size and colour, or a split, <path>/train/<class>/ and <path>/test/<class>/
Writes  <out>/: look (what lies in the folder, a contact sheet per class), data (the images at one size), splits,
        models, gen, classifiers, assess (a folder per cell), cells (a record and a log each), report/report.html

First it looks at the images, then it measures a few steps of each arm here and plans what fits into the budget, then it
trains all arms on the same splits with equally many steps, and says what came out. Run it again and it goes on.

Example python compare.py -path photographs --look
        python compare.py -path photographs --budget 2h
"""

import common.interrupts  # noqa: F401  first: Ctrl-C while the rest is imported ends in one line

# isort: split

import hashlib
import json
import os
import shlex
import shutil
import sys
import time
import urllib.request
from pathlib import Path

from common import backend, cli, plots, runs
from common.errors import BadInput, some
from experiments import own_data, study
from experiments.own_data import answer, budget, grid, keep, looked, planning
from grid import cost, preview, schedule
from grid.cells import write_durably
from grid.graph import FIRST_SEED
from images import codec, look, reading
from report import results

IMAGENET = (
    "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/"
    "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
)
SHARED = ("model", "width", "augmentation", "balance", "test_fraction", "draw", "precision", "deterministic", "b")


def parse_args(argv=None):
    parser = cli.ArgumentParser(__doc__)
    add = parser.add_argument
    add(
        "-path", "--path", required=True, metavar="FOLDER", help="class folders, or train/ and test/ with class folders"
    )
    add("--look", action="store_true", help="look at the images, say what is there, and train nothing")
    add("--out", default="runs/compare", help="folder of the comparison")
    cli.add_image_arguments(parser)
    add("--allow-leakage", action="store_true", help="go on although a given split has images on both sides")
    words = "time for the comparison, without --keep: 30m, 2h, 8h, ..."
    add("--budget", type=budget.seconds, default="1h", metavar="TIME", help=words)
    add("--seeds", type=cli.positive, help="splits, in place of what fits the budget")
    add("--steps", type=cli.positive, help="optimiser steps, in place of what fits the budget")
    add("--keep", metavar="DIR", help="train what is recommended on all images, and put it here with its images")
    study.add_run(parser)
    add_arms(parser.add_argument_group("what is compared"))
    add_passed_on(parser.add_argument_group("passed on to the scripts"))
    args = parser.parse_args(argv)
    if args.pretrained and not Path(args.pretrained).is_file():
        parser.error(f"--pretrained {args.pretrained}: no such file")
    args.width = args.width or (0.25 if args.model == "vgg" else 1)
    args.is_free = not args.arms  # to leave out arms that the budget does not hold
    args.arms = [name for name in grid.ARMS if name in (args.arms or grid.ARMS)]  # in the table's order, once
    # What the scripts' flags are called in every grid; images are at one size when a cell reads them.
    args.protocol, args.limte, args.e, args.b, args.dataset, args.source = "fair", -1, None, None, None, None
    return args


def add_arms(group):
    add = group.add_argument
    words = "of the comparison (default: as many as the budget holds)"
    add("--arms", nargs="+", choices=tuple(grid.ARMS), help=words)
    add(
        "--augmentation",
        choices=tuple(grid.AUGMENTATIONS),
        help="classic augmentation that suits digits, or photographs (default: by the images' colour)",
    )
    add("--balance", action="store_true", help="generate more images of the classes that have fewer")
    add("--pretrained", metavar="FILE", help="MobileNetV2's ImageNet weights without top (default: downloaded)")
    add("--test-fraction", type=cli.fraction, default=0.25, help="of each class, for the test part of every split")
    add("--draw", type=cli.fraction, default=0.8, help="of a given split: share of training images that a seed draws")


def add_passed_on(group):
    add = group.add_argument
    add("--model", default="conv1", help="train_cnn.py: the classifier, without --noise")
    add("--width", type=cli.positive_float, help="train_cnn.py: of --model vgg (default: 0.25)")
    add("--precision", choices=backend.PRECISIONS, default="float32", help="train_cnn.py")
    add("--deterministic", action="store_true", help="bit-equal reruns, where the back end can")
    add("--devices", type=backend.devices, default="auto", help="see train_cnn.py")


def listing(path):
    """SHA-256 of parts, classes, names, sizes and times of change of all images in a folder."""
    parts, _ = look.survey(path)
    digest = hashlib.sha256()
    for part, classes in parts.items():
        for name, paths in classes.items():
            for file in paths:
                status = os.stat(file)
                entry = f"{part}/{name}/{os.path.basename(file)} {status.st_size} {status.st_mtime_ns}\n"
                digest.update(entry.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def look_at(args, root):
    """Looks at the images, or reads what an earlier look found; returns what look.json says."""
    folder, data = root / "look", {"listing": listing(args.path)}
    known = runs.read_json(folder / "config.json")["data"] if (folder / "config.json").exists() else None
    if known and known != data:
        if (root / "data").exists():
            raise BadInput(f"{args.path}: its images have changed since {root} was begun; give another --out")
        shutil.rmtree(folder)
    if known != data:
        with runs.writing(folder, {}, data) as partial:

            def write_sheet(part, name, thumbs):
                (partial / part).mkdir(exist_ok=True)
                plots.contact_sheet(partial / part / f"{name}.png", thumbs, columns=10)

            total = sum(len(paths) for classes in look.survey(args.path)[0].values() for paths in classes.values())
            with cli.progress(total=total, unit="image", desc="looking") as bar:
                found = look.look(args.path, write_sheet, bar.update)
            runs.write_json(partial / "look.json", looked.describe(found, args.path))
    return runs.read_json(folder / "look.json")


def check(args, found):
    """Refuses what no comparison can be made of."""
    if found["problems"]:
        raise BadInput(f"{args.path}: {some(found['problems'], 3)}")
    if found["shared"] and not args.allow_leakage:
        first = found["shared"][0]
        raise BadInput(
            f"{args.path}: {len(found['shared'])} images lie in train/ and in test/ ({first[0]} = {first[1]}), scores "
            "would be too good; remove them, or go on with --allow-leakage"
        )


def settle(args, found):
    """Fills in the flags that follow from the images."""
    args.size = args.size or found["size"]
    args.color = args.color or found["color"]
    if not args.augmentation:
        args.augmentation = "photographs" if args.color == "rgb" else "digits"
        print(f"Classic augmentation: that of {args.augmentation}, because the images are {args.color}")
    if "imagenet" in args.arms and not args.pretrained and not can_download():
        args.arms.remove("imagenet")
        print(
            "Left out: frozen ImageNet features, whose weights cannot be downloaded here; --pretrained FILE gives them"
        )


def can_download():
    """Whether MobileNetV2's weights are there or can be fetched."""
    if (Path.home() / ".keras" / "models" / IMAGENET.rpartition("/")[2]).is_file():
        return True
    try:
        with urllib.request.urlopen(urllib.request.Request(IMAGENET, method="HEAD"), timeout=5):
            return True
    except OSError:
        return False


def prepare(args, root, found):
    """Writes the images at one size and colour to `<root>/data`, the same folders as they came in."""
    settings, data = {"size": list(args.size), "color": args.color}, {"usable": digest(found["usable"])}
    if runs.finished(root / "data", settings, data):
        return
    total = sum(len(paths) for classes in found["usable"].values() for paths in classes.values())
    facts, bar = {}, cli.progress(total=total, unit="image")
    everything = (
        Path(args.path) / file for part in found["usable"].values() for names in part.values() for file in names
    )
    binary = reading.is_black_and_white(list(everything))  # of all classes alike
    facts["black_and_white"] = binary
    with runs.writing(root / "data", settings, data, facts=facts) as folder, bar:
        for part, classes in found["usable"].items():
            for name, names in classes.items():
                paths = [Path(args.path) / file for file in names]
                stems_differ = len({path.stem for path in paths}) == len(paths)
                (folder / part / name).mkdir(parents=True)
                if levels := reading.white_level(paths):
                    facts["levels"] = levels
                for place, image in reading.Reader(paths, args.size, args.color, binary=binary):
                    stem = paths[place].stem if stems_differ else paths[place].name
                    codec.write_image(folder / part / name / f"{stem}.png", image)
                    bar.update()


def digest(content):
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def claim(args, root, found, plan, counts):
    """Notes what the folder is bound to, or checks it, and what the report has to know."""
    settings = {"paper": own_data.STUDY.name} | {name: getattr(args, name) for name in SHARED}
    settings |= {"size": list(args.size), "color": args.color, "plan": list(plan[1:])}
    data = {"usable": digest(found["usable"])}
    data |= {"pretrained": hashlib.sha256(Path(args.pretrained).read_bytes()).hexdigest()} if args.pretrained else {}
    path, made = root / "grid.json", None
    if path.exists():
        made = runs.read_json(path)
        # Weights may join a folder that was begun without them, as long as nothing there was made with others.
        joins = "pretrained" in data and "pretrained" not in made["data"]
        joins = joins and not any(root.glob("classifiers/imagenet-*"))
        runs.finished(root, settings, {"usable": data["usable"]} if joins else data, "grid.json")
    if made is None or joins:
        name = Path(args.path).resolve().name
        write_durably(path, (made or {"name": name}) | {"settings": settings, "data": data})
    told = {"overlap": grid.overlap(counts, args, found["is_split"]), "arms": args.arms, "plan": plan._asdict()}
    told["steps"] = args.steps
    told["learned_from"] = grid.Grid(args, counts, plan, found["is_split"], seeds=[]).limit()  # None: from all
    write_durably(root / "comparison.json", told)


def show(root):
    """Writes the report, and prints the answer."""
    frame = results.collect(root, own_data.STUDY.axes)
    if frame.empty:
        print("No classifier is finished yet.")
        return
    page = study.write_report(own_data.STUDY, root, frame)
    print("\n".join(answer.lines(root, frame)))
    print(f"Tables, figures and the page: {page}")


def run(args, root, cells_of, plan, begun):
    """Runs the splits, as long as the budget lasts where it is the budget that set their number."""

    def of(seeds):
        return schedule.run(cells_of(plan, seeds), root, study.make_pool(args, root))

    seeds = range(FIRST_SEED, FIRST_SEED + plan.seeds)
    if args.scheduler:  # whose workers one split would not fill
        return of(seeds)
    spent = sum(cost.recorded(cells_of(plan), root).values()) / planning.count_slots(args, root)
    limit = None if args.seeds else args.budget - (time.monotonic() - begun)
    expected = runs.read_json(root / "plan.json")["split_seconds"]
    return budget.run_splits(seeds, lambda seed: of([seed]), limit, time.monotonic, expected, spent)[0]


def main(argv=None):
    args, begun = parse_args(argv), time.monotonic()
    root = Path(args.out)
    if args.report:
        with schedule.locked(root):
            show(root)
        return
    for folder in filter(None, (args.out, args.keep)):
        runs.refuse_overlap(folder, args.path)
    with schedule.locked(root):
        found = look_at(args, root)
        for what, text in found["lines"]:
            print(f"{what}: {text}")
        if args.look:
            print("\n".join(looked.of_classes(found["counts"])))
            print(f"{root / 'look'}: look.json, and a contact sheet per class")
            return
        check(args, found)
        settle(args, found)
        prepare(args, root, found)
        counts = {name: len(paths) for name, paths in found["usable"]["train" if found["is_split"] else ""].items()}

        def cells_of(plan, seeds=None):
            return grid.Grid(args, counts, plan, found["is_split"], seeds).cells

        plan, noted = planning.make_plan(args, root, cells_of, begun)
        if args.dry_run:
            preview.show(cells_of(plan), root)
            return
        claim(args, root, found, plan, counts)
        write_durably(root / "plan.json", noted)
        with (root / "commands.txt").open("a", encoding="utf-8") as file:
            file.write(shlex.join(["python", "compare.py", *(sys.argv[1:] if argv is None else argv)]) + "\n")
        failed = run(args, root, cells_of, plan, begun)
        show(root)
        if args.keep and not failed:
            keep.keep(args, root, grid.Grid(args, counts, plan, found["is_split"], seeds=[]))
    if failed:
        print(f"{len(failed)} cells failed; the same command tries them again")
        sys.exit(1)


if __name__ == "__main__":
    cli.run(main)
