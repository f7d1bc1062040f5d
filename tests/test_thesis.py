"""The thesis' grid end to end: a real one, tiny, through the command line."""

import json
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import reproduce_here, write_digits
from fake_grid import write_classifier

from experiments import study, thesis
from grid import dataset
from report import results

ROOT = Path(__file__).resolve().parent.parent
TINY = "--per-class --sizes 2 --latent 2 --seeds 1 --parts arms --steps 2 -e 2 --epochs 2 --count 3 --limte 3".split()


def line(*flags):
    return [sys.executable, str(ROOT / "reproduce.py"), "thesis", *map(str, flags)]


def run(*flags, cwd=ROOT):
    return subprocess.run(line(*flags), cwd=cwd, capture_output=True, text=True)


def scores(out):
    """Every number of every classifier, the times left out."""
    found = {}
    for path in sorted(Path(out).glob("classifiers/*/result.json")):
        found[path.parent.name] = json.loads(path.read_text())
        del found[path.parent.name]["seconds"]
    return found


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A finished grid of four arms on a folder of small digits: (folder of images, grid's folder, what it printed)."""
    digits = write_digits(tmp_path_factory.mktemp("digits") / "data")
    out = tmp_path_factory.mktemp("grid") / "grid"
    done = run("-path", digits, *TINY, "--jobs", "2", "--out", out)
    assert done.returncode == 0, done.stderr
    return digits, out, done


def test_a_grid_ends_with_its_scores_and_names_its_page(tiny):
    _, out, done = tiny
    lines = done.stdout.splitlines()
    assert [text.split()[1] for text in lines[-5:-1]] == ["CNN", "VAE", "AUG", "AUG+VAE"]
    assert lines[-1] == f"Tables, figures and the page: {out}/report/report.html"
    assert "6/6" in done.stderr
    names = {path.name for path in (out / "report/tables").iterdir()}
    assert {"ciarp-2.md", "ciarp-2.csv", "ciarp-2.tex", "ciarp-3.md", "thesis-6.39.csv"} <= names
    page = (out / "report/report.html").read_text()
    assert f"./reproduce.sh thesis -path {tiny[0]}" in re.sub("<[^>]*>", "", page)
    assert "data:image/png;base64," in page


def test_arms_of_a_seed_shared_their_images(tiny):
    subsets = {path.read_text() for path in tiny[1].glob("classifiers/*/subset.json")}
    assert len(subsets) == 1
    split = [json.loads(path.read_text())["subset"] for path in tiny[1].glob("models/*/*/split.json")]
    used = {name: sorted(files) for part in split for name, files in part.items()}
    assert used == {name: sorted(files) for name, files in json.loads(subsets.pop())["subset"].items()}


def test_run_again_it_does_nothing_and_says_the_same(tiny):
    digits, out, done = tiny
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.json") if "report" not in path.parts}
    again = reproduce_here("thesis", "-path", digits, *TINY, "--out", out)
    assert again.returncode == 0
    assert again.stdout == done.stdout
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.slow  # 20 s
def test_one_process_after_another_gives_the_numbers_of_two_at_once(tiny, tmp_path):
    # A worker that did other cells before, or none: what a cell finds must not depend on it.
    digits, out, _ = tiny
    arms = ["--arms", "vae", "--jobs", "1"]
    assert run("-path", digits, *TINY, *arms, "--out", tmp_path / "one").returncode == 0
    found, expected = scores(tmp_path / "one"), scores(out)
    assert list(found) == ["fair-vae-6-latent2-seed42"]
    assert found == {key: expected[key] for key in found}


def test_a_grid_grows_but_does_not_change(tiny):
    digits, out, _ = tiny
    preview = reproduce_here(
        "thesis", "-path", digits, *TINY, "--seeds", "2", "--out", out, "--dry-run"
    ).stdout.splitlines()
    assert sum(text.split()[0] == "done" for text in preview[:-1]) == 6
    assert preview[-1].startswith("12 cells: 6 done, 6 to run. About ")
    changed = reproduce_here("thesis", "-path", digits, *TINY, "--steps", "6", "--out", out)
    assert changed.returncode == 2
    assert changed.stderr.splitlines()[-1].endswith(
        f"{out}: made with settings steps=2, now steps=6; give another --out or remove the folder"
    )
    other = reproduce_here("thesis", "--dataset", "digits", *TINY, "--out", out)
    assert other.returncode == 2
    assert "made with data" in other.stderr


@pytest.mark.slow
def test_a_failing_cell_is_reported_and_the_others_go_on(tmp_path):
    digits = write_digits(tmp_path / "odd", side=13)  # a convolutional VAE takes even sides alone
    done = run("-path", digits, *TINY, "--arms", "vae", "cnn", "--out", tmp_path / "grid")
    assert done.returncode == 1
    log = tmp_path / "grid/cells/models/6-latent2-seed42.log"
    assert re.search(rf"failed: models/6-latent2-seed42: .*13.*; {log}", done.stderr)
    assert "Traceback" in log.read_text()
    assert "needs models/6-latent2-seed42, which failed" in done.stderr
    assert done.stdout.splitlines()[-1] == "3 of 4 cells failed; the same command tries them again"
    assert list(scores(tmp_path / "grid")) == ["fair-cnn-6-seed42"]


def test_a_dry_run_leaves_nothing_behind(digits, tmp_path):
    done = reproduce_here("thesis", "-path", digits, *TINY, "--out", tmp_path / "grid", "--dry-run")
    assert done.returncode == 0
    assert "GB of disk" in done.stdout
    assert not (tmp_path / "grid").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--sizes", "7"], "--sizes 7: not a multiple of the"),
        (["--sizes", "300"], "--sizes 300: 100 images a class, but class 0 has 8"),
        (["--arms", "gan"], "argument --arms: invalid choice: 'gan'"),
        (["--latent", "0"], "argument --latent: expected a whole number above 0, received '0'"),
        (["--jobs", "2", "--scheduler", "tcp://x:1"], "not allowed with argument"),
        (["--scheduler", "nonsense"], "--scheduler: expected tcp://HOST:PORT or tls://HOST:PORT, received 'nonsense'"),
        (["--scheduler", "ucx://host:1"], "expected tcp://HOST:PORT or tls://HOST:PORT, received 'ucx://host:1'"),
        (["--scheduler", "ws://host:1"], "expected tcp://HOST:PORT or tls://HOST:PORT, received 'ws://host:1'"),
    ],
)
def test_bad_input_ends_with_one_line_and_nothing_half_written(digits, tmp_path, flags, message):
    done = reproduce_here("thesis", "-path", digits, *flags, "--parts", "arms", "--out", tmp_path / "grid")
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert not (tmp_path / "grid" / "classifiers").exists()


def test_a_folder_that_is_no_grid_is_left_alone(digits, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.doc").write_text("years of work")
    done = reproduce_here("thesis", "-path", digits, *TINY, "--out", tmp_path / "mine")
    assert done.returncode == 2
    assert "exists and is no folder of a grid" in done.stderr
    assert {path.name for path in (tmp_path / "mine").iterdir() if path.name[0] != "."} == {"thesis.doc"}
    done = reproduce_here("thesis", "-path", digits, *TINY, "--out", digits / "grid")
    assert done.returncode == 2
    assert not (digits / "grid").exists()


def test_quick_is_small_and_gives_way_to_flags():
    args = study.parse_args(thesis.STUDY, ["--quick"])
    assert (args.dataset, args.sizes, args.latent, args.seeds, args.steps) == ("digits", [50], [3], 1, 200)
    args = study.parse_args(thesis.STUDY, ["--quick", "--steps", "20", "-path", "photographs", "--seeds", "3"])
    assert (args.dataset, args.path, args.steps, args.seeds, args.sizes) == (None, "photographs", 20, 3, [50])
    args = study.parse_args(thesis.STUDY, ["--quick", "--seeds", "10", "--limte", "700", "--out", "runs/thesis"])
    assert (args.seeds, args.limte, args.out, args.steps) == (10, 700, "runs/thesis", 200)  # typed, though defaults
    args = study.parse_args(thesis.STUDY, [])
    assert (args.dataset, args.sizes, args.latent, args.seeds) == ("mnist", [50, 100, 250, 500, 1000], [2, 3, 4, 8], 10)
    assert args.parts == ["arms", "checks", "vae-loss", "latent-spaces", "augmentation"]


def test_classes_are_counted_before_anything_is_prepared(digits):
    assert dataset.count_images(study.parse_args(thesis.STUDY, ["--dataset", "mnist"]))["5"] == 5421
    counts = dataset.count_images(study.parse_args(thesis.STUDY, ["--dataset", "digits"]))
    assert sum(counts.values()) == 1797 - 292
    assert "T-shirt_top" in dataset.count_images(study.parse_args(thesis.STUDY, ["--dataset", "fashion_mnist"]))
    assert len(dataset.count_images(study.parse_args(thesis.STUDY, ["--dataset", "cifar100"]))) == 100
    assert dataset.count_images(study.parse_args(thesis.STUDY, ["-path", str(digits)])) == {"0": 8, "1": 8, "2": 8}


def test_the_lead_says_what_generated_images_gained(tmp_path):
    for seed, plain, with_images in ((42, 0.70, 0.72), (43, 0.74, 0.80)):
        write_classifier(tmp_path, "cnn", 50, seed, plain)
        write_classifier(tmp_path, "vae", 50, seed, with_images, latent=3)
    frame = results.collect(tmp_path, thesis.AXES)
    assert thesis.lead({"fair": frame}) == [
        "In the fair protocol generated images add +4.0 points of macro F1 to the plain CNN (2 pairs, 95 % interval "
        "+2.0 to +6.0)."
    ]
    assert thesis.lead({}) == ["No classifier is finished yet."]


@pytest.mark.slow
def test_killed_at_three_random_moments_a_real_grid_ends_with_the_same_scores(tiny, tmp_path):
    digits, out, _ = tiny
    rng = random.Random(0)
    command = line("-path", digits, *TINY, "--out", tmp_path / "grid")
    for _ in range(3):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(5, 25))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0
    assert scores(tmp_path / "grid") == scores(out)


@pytest.mark.slow
def test_a_real_grid_on_a_cluster_finds_the_same_scores(tiny, tmp_path, dask):
    digits, out, _ = tiny
    done = run("-path", digits, *TINY, "--out", tmp_path / "grid", "--scheduler", dask[0])
    assert done.returncode == 0, done.stderr
    assert scores(tmp_path / "grid") == scores(out)
