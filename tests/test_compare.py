"""compare.py from a folder of images to its answer, and what it refuses before anything is trained."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time

import browser
import cv2
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, run_here, wait_until, write_digits
from toy_grid import InThisProcess

import compare
import train_cdc
import train_cglo
from common import runs
from common.errors import BadInput
from experiments import own_data, study
from experiments.own_data import answer, budget, grid, keep, planning, verdict
from grid.graph import FIRST_SEED
from images import albums, codec, folders
from report import results

PLAN = grid.Plan(2, 30, 4, 3, 2)
COUNTS = {"cat": 12, "dog": 8, "eel": 4}


def parse(*flags):
    args = compare.parse_args(["-path", "photographs", *map(str, flags)])
    args.augmentation = args.augmentation or "digits"
    return args


def cells(*flags, counts=COUNTS, plan=PLAN, is_split=False):
    return grid.Grid(parse(*flags), counts, plan, is_split).cells


def value(cell, flag):
    return cell.flags[cell.flags.index(flag) + 1]


def test_all_arms_of_a_split_see_the_same_images_and_take_equal_steps():
    made = cells()
    classifiers = {key: cell for key, cell in made.items() if cell.script == "train_cnn" and key.endswith("seed42")}
    assert {key.partition("/")[2].removesuffix("-seed42") for key in classifiers} == {
        *grid.ARMS,
        "plain-half",
        "plain-quarter",
    }
    for key, cell in classifiers.items():
        assert str(value(cell, "-path")) == "splits/seed42"
        assert value(cell, "-limte") == -1
        if any(name in key for name in grid.FITTED):
            assert "--steps" not in cell.flags
        else:
            assert value(cell, "--steps") == 30
    assert value(made["splits/seed43"], "--test-fraction") == 0.25
    assert value(made["splits/seed43"], "--seed") == 43


def test_the_controls_are_what_they_say():
    made = cells("--arms", "plain", "copies", "noise")
    assert value(made["gen/copies-seed42"], "--sampler") == "copy"
    assert value(made["gen/noise-seed42"], "--sampler") == "noise"
    # 9, 6 and 3 of 12, 8 and 4 are trained on, so that a page has 18 images, as many as there are real ones
    for name in ("copies", "noise"):
        assert value(made[f"classifiers/{name}-seed42"], "--page-size") == 18
    assert value(made["gen/noise-seed42"], "--count") == "cat=36"
    assert "--count" not in made["gen/copies-seed42"].flags


@pytest.mark.parametrize(
    ("flags", "model", "width"),
    [((), "conv1", None), (("--model", "vgg"), "vgg", 0.25), (("--width", 1), "conv1", None)],
)
def test_the_classifier_is_a_small_one_without_noise_unless_another_is_named(flags, model, width):
    made = cells(*flags)
    plain = made["classifiers/plain-seed42"]
    assert (value(plain, "--model"), value(plain, "--noise")) == (model, 0)
    assert (value(plain, "--width") if "--width" in plain.flags else None) == width
    assert "--noise" not in made["classifiers/neighbours-seed42"].flags  # which takes no steps, and none of it


def test_balance_fills_the_smaller_classes_up():
    made = cells("--arms", "plain", "vae", "--balance")
    # With 9, 6 and 3 real ones 9, 12 and 15 generated ones make 18 of each class.
    flags = made["gen/vae-seed42"].flags
    start = flags.index("--count") + 1
    assert flags[start : start + 3] == ("cat=36", "dog=48", "eel=60")
    assert value(made["classifiers/vae-seed42"], "--page-size") == 36


def test_of_a_given_split_the_test_part_stays_and_seeds_draw():
    made = cells("--draw", 0.5, is_split=True)
    assert value(made["splits/seed42"], "--draw") == 0.5
    assert "--test-fraction" not in made["splits/seed42"].flags
    assert grid.overlap(COUNTS, parse("--draw", 0.5), True) == 1.0
    assert grid.overlap(COUNTS, parse("--test-fraction", 0.25), False) == pytest.approx(1 / 3)
    assert grid.overlap({"a": 5, "b": 5}, parse("--test-fraction", 0.25), False) == 4 / 6  # 2 of 5 are for the test
    assert grid.overlap({"a": 2}, parse(), False) == 1.0


def test_what_is_kept_counts_the_images_that_it_learns_from():
    made = grid.Grid(parse(), COUNTS, PLAN, True, [])
    made.add_kept("vae", "all", {"cat": 30, "dog": 30, "eel": 30})
    assert value(made.cells["classifiers/vae-all"], "--page-size") == 90


def test_generators_learn_from_the_split_and_their_images_are_assessed_once():
    made = cells()
    for script, epochs in (("train_vae", 4), ("train_cdc", 3), ("train_cglo", 2)):
        cell = next(cell for cell in made.values() if cell.script == script and cell.key.endswith("seed43"))
        assert str(value(cell, "-path")) == "splits/seed43"
        assert value(cell, "--epochs") == epochs
    assessed = [key for key, cell in made.items() if cell.script == "assess"]
    assert assessed == [f"assess/{name}-seed{FIRST_SEED}" for name in ("vae", "cdcvae", "cglo")]


def test_every_kind_of_cell_is_measured_once():
    measured = budget.of_each_kind(cells())
    trained = [cell.facts["kind"] for cell in measured.values() if cell.script == "train_cnn"]
    assert len(trained) == len(set(trained))
    assert trained == ["plain classifier", "imagenet classifier", "neighbours classifier", "classic classifier"]
    longer = budget.of_each_kind(cells(), {"assessment", "cglo"})
    assert {cell.facts["kind"] for cell in longer.values() if cell.facts["units"]} == {
        *("plain classifier", "vae", "cglo", "assessment")  # an assessment needs a VAE's images and a classifier
    }
    assert all(need in measured for cell in measured.values() for need in cell.needs if need != "data")


def plan_of(root, rates, *flags):
    """The plan of make_plan where every kind of cell takes `rates`: seconds, and seconds per step or epoch."""
    args, asked = parse("--arms", "plain", "classic", *flags), []

    def make_cells(plan, seeds=None):
        return grid.Grid(args, COUNTS, plan, False, seeds).cells

    with pytest.MonkeyPatch.context() as patch:
        kinds = [cell.facts["kind"] for cell in make_cells(PLAN).values()]
        patch.setattr(
            budget, "measure", lambda *found: asked.append(found[-1]) or dict.fromkeys(kinds, budget.Rate(*rates))
        )
        before = dict(vars(args))
        plan, noted = planning.make_plan(args, root, make_cells, time.monotonic())
    assert vars(args) == before  # what was typed stays what it was
    assert asked in ([], [args.budget / 3])  # the seconds for measuring
    runs.write_json(root / "plan.json", noted)  # as compare.py does once the folder is known to take it
    return plan


def test_a_plan_fits_the_budget_and_is_remembered(tmp_path, capsys):
    # A split has 5 cells: the split, two arms, a half and a quarter of the images. 4 take steps, of 0.01 s each.
    assert plan_of(tmp_path, (10, 0.01), "--budget", "15m")[:2] == (5, 3000)  # 170 s a split
    assert "5 splits, 3,000 steps" in " ".join(capsys.readouterr().out.split())
    assert plan_of(tmp_path, (999, 9), "--budget", "15m")[:2] == (5, 3000)  # not measured again
    # 72 s a split: 50 s whatever the steps, and 4 times 550 steps.
    assert plan_of(tmp_path, (10, 0.01), "--budget", "6m").steps == pytest.approx(550, abs=2)
    assert plan_of(tmp_path, (10, 0.01), "--budget", "15m", "--seeds", 3)[:2] == (3, 3000)
    assert plan_of(tmp_path, (10, 0.01), "--steps", 100, "--seeds", 7)[:2] == (7, 100)
    assert plan_of(tmp_path, (10, 0.01), "--budget", "15m")[:2] == (5, 3000)  # not the one that was typed before


def test_arms_that_a_budget_does_not_hold_are_left_out_unless_they_were_asked_for(tmp_path, capsys):
    def planned(root, budget_, *flags, rates=(10, 0)):
        args = parse("--budget", budget_, *flags)

        def make_cells(plan, seeds=None):
            return grid.Grid(args, COUNTS, plan, False, seeds).cells

        def measure(*_):
            return {cell.facts["kind"]: budget.Rate(*rates) for cell in make_cells(PLAN).values()}

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(budget, "measure", measure)
            patch.setattr(planning, "count_slots", lambda *_: 1)
            noted = planning.make_plan(args, root, make_cells, time.monotonic())[1]
        root.mkdir(exist_ok=True)
        runs.write_json(root / "plan.json", noted)
        return args.arms

    # Of all arms a split has 30 cells of 10 s, three assessments among them; of the fewest 11. Three splits fit.
    assert planned(tmp_path / "a", "16m") == list(grid.ARMS)
    assert "Left out" not in capsys.readouterr().out
    fewer = planned(tmp_path / "b", "10m")
    assert "Left out: noise, mixup, cutout" in capsys.readouterr().out
    assert {"plain", "classic", "classic+vae"} < set(fewer) < set(grid.ARMS)
    assert planned(tmp_path / "b", "10m") == fewer  # remembered
    with pytest.raises(BadInput, match="allows no answer"):
        planned(tmp_path / "c", "10m", "--arms", *grid.ARMS)
    # The budget that is said to hold all arms does, and one of a minute less does not, for given splits or steps too.
    for name, little, flags in (
        ("d", "10m", ()),
        ("e", "9m", ("--seeds", 2)),
        ("f", "15m", ("--seeds", 5)),
        ("g", "15m", ("--steps", 1000)),
    ):
        capsys.readouterr()
        planned(tmp_path / name, little, *flags, rates=(10, 0.01))
        minutes = int(re.search(r"--budget (\d+)m holds all", capsys.readouterr().out)[1])
        for more in (0, -1):
            planned(tmp_path / f"{name}{more}", f"{minutes + more}m", *flags, rates=(10, 0.01))
            assert ("Left out" in capsys.readouterr().out) == (more < 0)


def test_a_comparison_that_was_begun_keeps_its_steps(tmp_path):
    first = plan_of(tmp_path, (10, 0.01), "--budget", "10m")
    runs.write_json(tmp_path / "grid.json", {"settings": {"plan": list(first[1:])}})
    later = plan_of(tmp_path, (10, 0.01), "--budget", "20m")
    assert later[1:] == first[1:]
    assert later.seeds > first.seeds or later.seeds == 5
    runs.write_json(tmp_path / "plan.json", {"plan": [1, 2, 2, 2, 2]})  # of whatever was asked for in between
    assert plan_of(tmp_path, (10, 0.01), "--budget", "10m")[1:] == first[1:]


def test_a_dry_run_leaves_no_plan(data, tmp_path):
    run = run_here("compare.py", "-path", data, *TINY, "--dry-run", "--out", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    assert not (tmp_path / "out/plan.json").exists()


def test_masks_of_all_classes_are_scaled_alike(tmp_path):
    for name, most in (("one", 1), ("two", 2)):  # levels 0 and 1 alone, in one class, are no black and white
        image = np.tile(np.array([0, most], np.uint8), (2, 8, 4))[..., None]
        codec.write_images(tmp_path / "photographs" / name, ["a", "b"], image)
    args = compare.parse_args(["-path", str(tmp_path / "photographs"), "--size", "8", "8", "--color", "grey"])
    usable = {"": {name: [f"{name}/a.png", f"{name}/b.png"] for name in ("one", "two")}}
    compare.prepare(args, tmp_path, {"usable": usable})
    brightest = [
        cv2.imread(str(tmp_path / f"data/{name}/a.png"), cv2.IMREAD_UNCHANGED).max() for name in ("one", "two")
    ]
    assert brightest == [1, 2]
    assert runs.read_json(tmp_path / "data/config.json")["facts"] == {"black_and_white": False}


def test_the_white_of_files_of_16_bits_is_noted(tmp_path):
    for k in range(4):
        (tmp_path / f"photographs/{k % 2}").mkdir(parents=True, exist_ok=True)
        image = np.full((8, 8), 4095 if k else 9, np.uint16)
        assert cv2.imwrite(str(tmp_path / f"photographs/{k % 2}/{k}.png"), image)
    args = compare.parse_args(["-path", str(tmp_path / "photographs"), "--size", "8", "8", "--color", "grey"])
    compare.prepare(args, tmp_path, {"usable": {"": {"0": ["0/0.png", "0/2.png"], "1": ["1/1.png", "1/3.png"]}}})
    assert runs.read_json(tmp_path / "data/config.json")["facts"] == {"black_and_white": False, "levels": 4095}
    assert albums.read_images([tmp_path / "data/1/3.png"]).min() == 255


def frame_of(scores, arms=("plain", "classic", "vae")):
    """A frame of scores as `results.collect` gives it: a row of `scores` per split, a column per arm."""
    rows = [
        {"source": name, "seed": 42 + k, "f1": f1, "accuracy": f1, "variant": "", "size": 10, "support": 600}
        for k, row in enumerate(scores)
        for name, f1 in zip(arms, row, strict=True)
    ]
    return pd.DataFrame(rows)


def test_the_best_of_each_kind_are_compared_by_their_means():
    wide = answer.scores(frame_of([(0.5, 0.6, 0.7), (0.5, 0.4, 0.72), (0.5, 0.5, 0.71)], ("plain", "vae", "classic")))
    assert (answer.best(wide, "without"), answer.best(wide, "with")) == ("classic", "vae")
    found = answer.gain(wide, "vae", "classic", 0.25)
    assert found.mean == pytest.approx((-10 - 32 - 21) / 3)
    assert answer.recommended(wide, 0.25) == "classic"
    assert answer.best(wide, "control") is None
    assert answer.recommended(wide[["vae"]], 0.25) is None  # beside nothing, nothing can be said of it


def test_of_a_handful_of_test_images_equal_gains_tell_nothing():
    frame = frame_of([(0.5, 0.6, 0.7)] * 3)
    assert answer.recommended(answer.scores(frame), 0.25) == "vae"
    few = answer.scores(frame.assign(support=6))
    assert answer.gain(few, "vae", "classic", 0.25).sd == pytest.approx(100 / 6)
    assert answer.recommended(few, 0.25) == "classic"
    assert answer.scores(frame.assign(support=[600, 6, 600] * 3)).attrs["image"] == 100 / 6  # the smallest test part


def test_more_images_are_compared_with_the_best_of_all_arms():
    frame = frame_of([(0.5, 0.55, 0.7)] * 2)
    smaller = frame[frame["source"] == "plain"].assign(size=5, variant="half", f1=0.4)
    said = answer.learning(pd.concat([frame, smaller]), answer.scores(frame))
    assert said.endswith("+10.0 points to the classifier of real images alone; VAE is worth +20.0.")
    wide = answer.scores(frame_of([(0.5, 0.8, 0.7)] * 2))
    assert "classic augmentation is worth +30.0" in answer.learning(pd.concat([frame, smaller]), wide)
    alone = answer.scores(frame_of([(0.5,)] * 2, ("plain",)))
    assert answer.learning(pd.concat([frame, smaller]), alone).endswith("alone.")


def test_three_images_of_each_class_make_splits_and_tell_nothing():
    counts = dict.fromkeys(COUNTS, 3)
    assert [grid.num_train(count, parse(), False) for count in (2, 3, 4)] == [1, 2, 3]
    made = cells(counts=counts)
    assert value(made["classifiers/vae-seed42"], "--page-size") == 6
    assert value(made["classifiers/plain-quarter-seed42"], "-limtr") == 1
    few = answer.scores(frame_of([(0.3, 0.4, 0.9)] * 5).assign(support=3))
    found = answer.gain(few, "vae", "classic", grid.overlap(counts, parse(), False))
    assert verdict.judge(found) == verdict.UNKNOWN
    assert "Cannot tell" in verdict.sentence("VAE", "classic", found, 0.5)


@pytest.mark.parametrize(
    ("name", "kept"), [("smote", True), ("classic+vae", True), ("copies", False), ("noise", False), ("plain", False)]
)
def test_images_that_joined_the_training_are_kept_unless_they_are_controls(name, kept):
    assert keep.leaves_images(name) == kept


def test_generators_of_all_classes_learn_from_as_many_images_as_memory_holds():
    few = {"cat": 12000, "dog": 4000}
    size = ("--size", 64, 64, "--color", "rgb")
    for counts, flags, most in ((few, size, 5461), (few, size[:3] + ("--color", "grey"), None), (COUNTS, size, None)):
        made = cells(*flags, counts=counts)
        for name in ("cdcvae", "cglo"):
            cell = made[f"models/{name}-seed42"]
            assert (value(cell, "--most") if "--most" in cell.flags else None) == most
        assert "--most" not in made["models/vae-seed42"].flags  # a class at a time
        assert value(made["assess/cglo-seed42"], "--most") == 1000


def test_weights_may_join_a_comparison_that_was_begun_without_them(tmp_path):
    (tmp_path / "weights.h5").write_bytes(b"one")
    (tmp_path / "others.h5").write_bytes(b"two")
    found, root = {"usable": {}, "is_split": False}, tmp_path / "out"
    root.mkdir()

    def claim(*flags):
        compare.claim(parse("--size", 8, 8, "--color", "grey", *flags), root, found, PLAN, COUNTS)
        return runs.read_json(root / "grid.json")

    first = claim()
    assert "pretrained" not in first["data"]
    with pytest.raises(BadInput, match="made with settings width="):
        claim("--pretrained", tmp_path / "weights.h5", "--width", 2)
    assert runs.read_json(root / "grid.json") == first
    joined = claim("--pretrained", tmp_path / "weights.h5")
    assert joined == first | {"data": first["data"] | {"pretrained": joined["data"]["pretrained"]}}
    assert claim("--pretrained", tmp_path / "weights.h5") == joined
    with pytest.raises(BadInput, match="made with data pretrained="):
        claim("--pretrained", tmp_path / "others.h5")
    runs.write_json(root / "grid.json", first)
    (root / "classifiers/imagenet-seed42").mkdir(parents=True)  # of downloaded weights
    with pytest.raises(BadInput, match="made with data pretrained=null"):
        claim("--pretrained", tmp_path / "weights.h5")


def test_what_helps_is_recommended():
    wide = answer.scores(frame_of([(0.5, 0.6, 0.70), (0.5, 0.6, 0.71), (0.5, 0.6, 0.69)]))
    assert answer.recommended(wide, 0.25) == "vae"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Class folders without a split: 3 classes of 12 digits of 8x8 pixels, one of them twice."""
    root = tmp_path_factory.mktemp("own") / "photographs"
    made = write_digits(root.parent / "made", num_train=12, num_test=1, side=8)
    shutil.move(made / "train", root)
    shutil.copy(root / "1/example1.png", root / "1/twice.png")
    (root / "2/broken.png").write_bytes(b"no image")
    return root


TINY = ["--seeds", 2, "--steps", 1, "--model", "fc1", "--width", 1]
TINY += ["--arms", "plain", "neighbours", "copies", "classic", "cdcvae"]


@pytest.fixture(scope="module", autouse=True)
def here():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "make_pool", lambda args, root: InThisProcess(root))
        yield


@pytest.fixture(scope="module")
def done(data):
    """The folder of a finished comparison and of what it kept, and what it printed."""
    out, kept = data.parent / "comparison", data.parent / "kept"
    run = run_here("compare.py", "-path", data, *TINY, "--out", out, "--keep", kept)
    assert run.returncode == 0, run.stderr
    return out, kept, run.stdout


def test_the_answer_comes_in_about_ten_lines_the_verdict_first(done):
    out, _, said = done
    frame = results.collect(out, own_data.STUDY.axes)
    lines = answer.lines(out, frame)
    assert 8 <= len(lines) <= 12
    assert lines[0].startswith(("Generated images", "Cannot tell"))
    assert "CDCVAE against" in lines[0]
    assert any("short trainings: 1 steps of a classifier and 20 epochs of a generator; with" in line for line in lines)
    assert answer.short_of(budget.FULL._asdict()) == []
    [asked] = answer.short_of(budget.given(500)._asdict(), asked=500)
    assert "without --steps, with time enough (--budget) and another --out they are 3,000 and 200." in asked
    assert all(line in said for line in lines)
    assert "Classic augmentation: that of digits, because the images are grey" in said


def test_what_was_passed_over_is_said_and_left_out(done):
    out, _, said = done
    assert "unreadable: 1, left out" in said
    assert "identical within a class: 1 pairs: 1/example" in said
    files = folders.list_images(out / "data")
    assert {name: len(paths) for name, paths in files.items()} == {"0": 12, "1": 12, "2": 12}
    assert albums.read_images(files["2"]).shape == (12, 8, 8, 1)


def test_splits_differ_and_are_stratified(done):
    out = done[0]
    parts = [folders.list_images(out / f"splits/seed{seed}/test") for seed in (42, 43)]
    assert [{name: len(paths) for name, paths in part.items()} for part in parts] == [{"0": 3, "1": 3, "2": 3}] * 2
    first, second = ({f"{name}/{path.name}" for name, paths in part.items() for path in paths} for part in parts)
    assert first != second
    train = folders.list_images(out / "splits/seed42/train")
    assert not first & {f"{name}/{path.name}" for name, paths in train.items() for path in paths}


def test_the_copies_are_the_training_images(done):
    out = done[0]
    for name, paths in folders.list_images(out / "splits/seed42/train").items():
        copies = folders.list_images(out / "gen/copies-seed42")[name]
        real, made = (sorted(image.tobytes() for image in albums.read_images(files)) for files in (paths, copies))
        assert real == made


def test_images_that_are_always_wrong_are_those_that_no_arm_gets_right(done):
    out = done[0]
    frame = results.collect(out, own_data.STUDY.axes)
    hard, total = answer.hard_images(out, frame)
    wrong, tested = {}, set()
    for key in frame.loc[(frame["variant"] == "") & (frame["source"] != "copies"), "key"]:
        with np.load(out / key / "predictions.npz") as found:
            for name, label, row in zip(found["files"], found["labels"], found["probabilities"], strict=True):
                tested.add(str(name))
                wrong[str(name)] = wrong.get(str(name), True) and row.argmax() != label
    assert total == len(tested)
    assert set(hard) == {name for name in tested if wrong[name]}


def test_the_same_command_goes_on_and_prints_the_same(done, data):
    out, _, said = done
    (out / "cells/classifiers/classic-seed43.json").unlink()  # as if it had been killed before its record was written
    shutil.rmtree(out / "classifiers/classic-seed43")
    run = run_here("compare.py", "-path", data, *TINY, "--out", out)
    assert run.returncode == 0, run.stderr

    def scores(text):
        return [line for line in text.splitlines() if "points" in line and not line.startswith("Cost")]

    assert scores(run.stdout) == scores(said)


def test_other_settings_or_images_are_refused(done, data):
    out = done[0]
    run = run_here("compare.py", "-path", data, *TINY, "--width", 0.5, "--out", out)
    assert (run.returncode, "width=1.0, now" in run.stderr) == (2, True), run.stderr
    codec.write_images(data / "0", ["more"], np.zeros((1, 8, 8, 1), np.uint8))
    run = run_here("compare.py", "-path", data, "--out", out)
    (data / "0/more.png").unlink()
    assert (run.returncode, "its images have changed" in run.stderr) == (2, True), run.stderr


def test_what_is_kept_was_trained_on_all_images_and_predicts(done, data):
    _, kept, said = done
    assert f"{kept}: " in said
    result = json.loads((kept / "result.json").read_text())
    assert result["images"]["train"] == 36
    assert result["scores"] is None
    text = (kept / "README.md").read_text()
    assert "8x8 pixels, grey" in text
    assert "Classes: 0, 1, 2." in text
    run = run_here("predict.py", "-model", kept, data / "0")
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.splitlines()) == 12


def test_the_report_shows_what_lies_in_the_folder_first(done):
    assert (done[0] / "report/figures/folder.png").is_file()
    page = (done[0] / "report/report.html").read_text(encoding="utf-8")
    figures = page[page.index('<h2 id="figures">') :]
    assert figures.index("What lies in the folder") < figures.index("Macro F1 of every arm")
    assert "The first 8 images of each class, as they are trained on." in page


def test_what_is_kept_says_what_masks_were_as_they_came(done):
    assert json.loads((done[1] / "result.json").read_text())["black_and_white"] is False


def test_a_given_split_is_kept_as_one_folder_of_all_images(tmp_path):
    for part in ("train", "test"):
        codec.write_images(tmp_path / "data" / part / "cat", ["1"], np.full((1, 8, 8, 1), len(part), np.uint8))
    runs.write_json(tmp_path / "data/config.json", {"data": {"usable": "x"}})
    assert str(keep.join(tmp_path, True)) == "all"
    assert sorted(path.name for path in (tmp_path / "all/cat").iterdir()) == ["test-1.png", "train-1.png"]
    assert str(keep.join(tmp_path, False)) == "data"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_works_on_a_phone_and_a_desk(done, scheme, tmp_path):
    page = (done[0] / "report/report.html").read_text(encoding="utf-8")
    views = browser.views(page, scheme, tmp_path, (360, 1200))
    assert [view["width"] for view in views] == [360, 360, 1200, 1200]
    for view in views:
        assert view["scroll_width"] <= view["width"]
        assert view["dark"] == (scheme == "dark")
        assert len(view["tables"]) >= 5
        assert len(view["pictures"]) >= 3
        assert all(natural > 0 and right <= view["width"] for natural, right in view["pictures"])
        assert [name for name in view["fetched"] if not name.startswith("data:")] == []


def refused(root, *flags):
    run = run_here("compare.py", "-path", root, "--out", root.parent / "out", *flags)
    assert run.returncode == 2, run.stdout
    assert not (root.parent / "out" / "data").exists()
    return run.stderr


def test_a_given_split_that_shares_images_is_refused_unless_allowed(tmp_path):
    root = write_digits(tmp_path / "data", side=8)
    shutil.copy(sorted((root / "train/0").iterdir())[0], root / "test/0/leak.png")
    assert "1 images lie in train/ and in test/" in refused(root, "--seeds", 1, "--steps", 1)
    found = runs.read_json(tmp_path / "out/look/look.json")
    args = compare.parse_args(["-path", str(root), "--allow-leakage"])
    compare.check(args, found)


def test_one_class_one_image_and_identical_images_are_refused(tmp_path):
    root = tmp_path / "data"
    shutil.move(write_digits(tmp_path / "made", side=8) / "train", root)
    for path in sorted((root / "1").iterdir())[1:]:
        path.unlink()
    assert "class '1': 1 image, at least 2 are needed" in refused(root)
    shutil.rmtree(root / "1")
    shutil.rmtree(root / "2")
    assert "1 class (0), a classifier needs at least 2" in refused(root)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--budget", "0"], "expected a time above 0"),
        (["--budget", "soon"], "expected a time above 0"),
        (["--budget", "1s"], "1 s allow no answer"),
        (["--arms", "magic"], "invalid choice"),
        (["--pretrained", "nowhere.h5"], "no such file"),
    ],
)
def test_absurd_flags_are_refused(tmp_path, flags, words):
    root = write_digits(tmp_path / "data", side=8)
    run = run_here("compare.py", "-path", root, "--out", tmp_path / "out", *flags)
    assert (run.returncode, words in run.stderr) == (2, True), run.stderr


def test_an_output_that_cannot_be_written_is_one_line(tmp_path):
    root = write_digits(tmp_path / "data", side=8)
    (tmp_path / "file").touch()  # a folder below a file can be made by nobody, root included
    run = run_here("compare.py", "-path", root, "--out", tmp_path / "file/out")
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert str(tmp_path / "file") in run.stderr


def test_a_look_trains_nothing_and_may_be_repeated_after_mending(tmp_path):
    root = write_digits(tmp_path / "data", side=8)
    (root / "train/0/broken.png").write_bytes(b"none")
    run = run_here("compare.py", "-path", root, "--out", tmp_path / "out", "--look")
    assert (run.returncode, "unreadable: 1, left out" in run.stdout) == (0, True), run.stderr
    assert "proposed: 8x8 pixels, grey" in run.stdout
    assert "  0: 8 in train/, 4 in test/\n" in run.stdout
    assert (tmp_path / "out/look/train/0.png").is_file()
    (root / "train/0/broken.png").unlink()
    run = run_here("compare.py", "-path", root, "--out", tmp_path / "out", "--look")
    assert (run.returncode, "unreadable" in run.stdout) == (0, False)
    assert {path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")} == {"look"}


@pytest.mark.slow
def test_killed_at_three_moments_a_comparison_ends_with_the_same_scores(done, data, tmp_path):
    command = [sys.executable, str(ROOT / "compare.py"), "-path", str(data), *map(str, TINY), "--jobs", "2"]
    command += ["--out", str(tmp_path / "again")]
    cells_ = tmp_path / "again" / "cells"

    def finished():
        return {path: path.stat().st_mtime_ns for path in cells_.glob("*/*.json")}

    for count in (2, 7, 14):  # of 23 cells
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: len(finished()) >= count or process.poll() is not None)  # noqa: B023
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = finished()
    total = sum(not path.stem.endswith("-all") for path in (done[0] / "cells").glob("*/*.json"))  # kept were others
    assert 14 <= len(before) < total
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0
    after = finished()
    assert len(after) == total
    assert {path: after[path] for path in before} == before  # what was finished is not run again
    frames = [results.collect(root, own_data.STUDY.axes) for root in (done[0], tmp_path / "again")]
    names = ["source", "variant", "seed", "size"]
    first, second = (frame.sort_values(names)[[*names, "f1"]].to_dict("list") for frame in frames)
    assert {name: first[name] for name in names} == {name: second[name] for name in names}
    assert first["f1"] == pytest.approx(second["f1"], abs=0.15)  # the number of threads changes the last bits


def test_the_generators_of_all_classes_learn_from_so_many_images_at_most(tmp_path):
    root = write_digits(tmp_path / "data", num_train=6, side=8)
    for path in sorted((root / "train/1").iterdir())[2:]:
        path.unlink()
    flags = ["-path", str(root), "--most", "10"]
    chosen, images, _ = train_cdc.read_images(train_cdc.parse_args(flags))
    assert ([len(paths) for paths in chosen.values()], len(images)) == ([4, 2, 4], 10)
    chosen, _ = train_cglo.choose_files(train_cglo.parse_args(flags))
    assert [len(paths) for paths in chosen.values()] == [4, 2, 4]
