"""What a comparison recommends, trained on all images, in one folder to take home."""

import shutil
from pathlib import Path, PurePosixPath

from common import archives, runs
from experiments import own_data, study
from experiments.own_data import answer
from experiments.own_data.grid import ARMS
from grid import schedule
from report import results

FILES = ("model.keras", "result.json", "subset.json", "history.csv", "curves.png")  # of the classifier's run folder


def keep(args, root, cells):
    """Trains the recommended arm on all images and leaves `args.keep`.

    Args:
        args: flags of compare.py.
        root: folder of the comparison, finished.
        cells: a `Grid` without cells, to which those of this training are added.
    """
    frame = results.collect(root, own_data.STUDY.axes)
    wide = answer.scores(frame)
    name = answer.recommended(wide, answer.facts(root)["overlap"])
    if name is None:
        print("Nothing is kept: no arm is finished that could be recommended")
        return
    joined = join(root, cells.is_split)
    counts = {path.name: len(list(path.glob("*.png"))) for path in (root / joined).iterdir() if path.is_dir()}
    key = cells.add_kept(name, joined, counts)
    failed = schedule.run(cells.cells, root, study.make_pool(args, root))
    if failed:
        raise ValueError(f"{args.keep}: nothing is kept, {key}: {failed.get(key, 'failed')}")
    settings = {"arm": name, "steps": cells.plan.steps}
    data = {"model": archives.fingerprint(root / key / "model.keras")}
    if not runs.finished(args.keep, settings, data):
        made = root / f"gen/{ARMS[name].images}-all" if leaves_images(name) else None
        with runs.writing(args.keep, settings, data) as folder:
            for file in FILES:
                shutil.copy(root / key / file, folder / file)
            # Of the images as they came; the training read them at 8 bits, the masks among them in black and white.
            facts = runs.read_json(root / "data" / "config.json").get("facts", {})
            told = {"black_and_white": facts.get("black_and_white")}
            told |= {"levels": facts["levels"]} if facts.get("levels") else {}
            runs.write_json(folder / "result.json", runs.read_json(folder / "result.json") | told)
            if made:
                shutil.copytree(made, folder / "generated")
            (folder / "README.md").write_text(readme(args, root, frame, name), encoding="utf-8", errors="replace")
    print(f"{args.keep}: {ARMS[name].title}, trained on all images; python predict.py -model {args.keep} IMAGE ...")


def leaves_images(name):
    """Whether the images that joined an arm's training are worth keeping: not copies, nor noise."""
    return ARMS[name].images not in ("", "copies", "noise")


def join(root, is_split):
    """The folder of all images as class folders: the data itself, or both parts of a given split together."""
    if not is_split:
        return PurePosixPath("data")
    data = {"images": runs.read_json(root / "data" / "config.json")["data"]["usable"]}
    if not runs.finished(root / "all", {}, data):
        with runs.writing(root / "all", {}, data) as folder:
            for part in ("train", "test"):
                for path in sorted((root / "data" / part).glob("*/*.png")):
                    (folder / path.parent.name).mkdir(exist_ok=True)
                    shutil.copy(path, folder / path.parent.name / f"{part}-{path.name}")
    return PurePosixPath("all")


def readme(args, root, frame, name):
    """What the kept folder says of itself."""
    wide, accuracy = answer.scores(frame), answer.scores(frame, "accuracy")
    settings = runs.read_json(Path(root) / "data" / "config.json")["settings"]
    height, width = settings["size"]
    result = runs.read_json(Path(root) / f"classifiers/{name}-all" / "result.json")
    words = [
        f"# A classifier of {len(result['classes'])} classes",
        f"Arm: {ARMS[name].title}. Trained on all {result['images']['train']} images, at {height}x{width} pixels, "
        f"{settings['color']}, {result['steps']} optimiser steps.",
        f"Classes: {', '.join(result['classes'])}.",
        f"Scores, on {wide[name].count()} splits whose test images the training did not see (this model saw all): "
        f"macro F1 {wide[name].mean():.4f}, accuracy {accuracy[name].mean():.4f}.",
        answer.lines(root, frame)[0],
    ]
    if leaves_images(name):
        words.append("`generated/` holds the generated images that joined the training.")
    words.append("    python predict.py -model FOLDER photograph.jpg more-photographs --csv predictions.csv")
    commands = (Path(root) / "commands.txt").read_text(encoding="utf-8").splitlines()
    return "\n\n".join([*words, f"Made by `{commands[-1]}`."]) + "\n"
