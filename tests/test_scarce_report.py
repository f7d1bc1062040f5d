"""The scarce paper's command line, report and figures, from grids written by hand."""

import re

import cv2
import numpy as np
import pandas as pd
import pytest
from conftest import reproduce_here, write_digits
from fake_grid import write_record, write_scarce

from common import runs
from experiments import scarce, study, thesis
from experiments.scarce import figures
from images import codec
from report import results

CLASSES = ["0", "1", "_2$"]


def reproduce(*flags):
    return reproduce_here("scarce", *flags)


def add_cell(root, key, **facts):
    write_record(root, key, facts, f"python make.py --out {key}")
    (root / key).mkdir(parents=True)
    return root / key


def write_pictures(root):
    """What the cells of the figures leave, of 3 classes and 8x8 images."""
    rng = np.random.default_rng(0)

    def noise(path, height, width):
        codec.write_image(path, rng.integers(0, 256, (height, width, 1), np.uint8))

    for preset, name in (("bad", "b-rbm"), ("good", "g-rbm")):
        for available in (30, 300):
            facts = {"generator": name, "available": available, "seed": 42}
            noise(add_cell(root, f"rbm/{preset}-{available}-seed42", **facts) / "samples.png", 60, 60)
    for available, key in ((30, "30"), (30, "30"), (900, "all")):
        for seed in (42, 43):
            key = f"vae/{available if key != 'all' else key}-seed{seed}"
            if (root / key).exists():
                continue
            folder = add_cell(root, key, generator="vae", available=available, seed=seed) / "joint"
            folder.mkdir()
            noise(folder / "samples.png", 80, 80)
            table = pd.DataFrame({"epoch": range(1, 9), "loss": 300.0 / np.arange(1, 9)})
            for column in ("val_loss", "reconstruction_loss", "val_reconstruction_loss", "kl_loss", "val_kl_loss"):
                table[column] = table["loss"] * rng.uniform(0.5, 1)
            table.to_csv(folder / "loss.csv", index=False)
    for generator, available, expectation in (("b-rbm", 30, False), ("vae", 30, False), ("vae", 300, True)):
        facts = {"generator": generator, "available": available, "expectation": expectation, "seed": 42}
        folder = add_cell(root, f"sheets/{generator}-{available}-{expectation}-seed42", **facts)
        for name in CLASSES:
            codec.write_images(folder / name, range(1, 11), rng.integers(0, 256, (10, 8, 8, 1), np.uint8))
    folder = add_cell(root, "strips/vae-all-seed42", generator="vae", available=900, expectation=True, seed=42)
    noise(folder / "strips.png", 30, 200)
    for name in CLASSES:
        codec.write_images(folder / name, [1], rng.integers(0, 256, (1, 8, 8, 1), np.uint8))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A grid's folder with every kind of cell, as if it had been run."""
    root = tmp_path_factory.mktemp("whole") / "grid"
    root.mkdir()
    write_pictures(root)
    for seed in (42, 43):
        write_scarce(root, "fc1", 10, seed, 0.5)
        write_scarce(root, "fc1", 10, seed, 0.4, "b-rbm", 500, "y")
        write_scarce(root, "ladder", 10, seed, 0.45)
    args = study.parse_args(scarce.STUDY, ["--dataset", "digits"])
    grid = {"settings": study.settings(scarce.STUDY, args), "data": {"dataset": "digits"}, "name": "digits"}
    runs.write_json(root / "grid.json", grid)
    (root / "commands.txt").write_text("./reproduce.sh scarce --dataset digits\n")
    return root


def test_every_figure_is_a_png_and_a_pdf_that_show_something(whole, tmp_path):
    found = figures.all_figures(whole, tmp_path)
    assert [figure.name for figure in found] == ["vae-priors", "vae-chains", "rbm-steps", "chains"]
    for number, figure in enumerate(found, 1):
        picture = cv2.imread(str(tmp_path / f"{figure.name}.png"))
        assert picture.std() > 5, figure.name
        assert picture.shape[1] <= 945  # 16 cm at 150 dpi
        assert (tmp_path / f"{figure.name}.pdf").read_bytes().startswith(b"%PDF")
        assert figure.source == f"Maronas et al. 2018, Fig. {number}"
        assert figure.note.endswith(".")
        assert figure.commands
    assert found[0].commands == ["python make.py --out vae/30-seed42", "python make.py --out vae/all-seed42"]
    assert found[2].commands == [f"python make.py --out rbm/{name}-300-seed42" for name in ("bad", "good")]


def test_figures_whose_data_is_missing_are_left_out(tmp_path):
    assert figures.all_figures(tmp_path, tmp_path / "figures") == []
    folder = add_cell(tmp_path, "rbm/bad-30-seed42", generator="b-rbm", available=30, seed=42)
    codec.write_image(folder / "samples.png", np.zeros((60, 60, 1), np.uint8))
    assert [figure.name for figure in figures.all_figures(tmp_path, tmp_path / "figures")] == ["rbm-steps"]


def test_the_report_is_one_page_with_claims_tables_and_figures(whole, capsys):
    study.main(scarce.STUDY, ["--report", "--out", str(whole)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"Tables, figures and the page: {whole}/report/report.html"
    assert lines[0].split()[:5] == ["protocol", "arm", "model", "generator", "chain_length"]
    page = (whole / "report/report.html").read_text(encoding="utf-8")
    text = re.sub(r"\s+", " ", re.sub("<[^>]*>", "", page))
    assert "Do chains from generative models help where labels are very scarce?" in text
    assert "Chains of the bad RBM beat the ladder network" in text
    assert "The paper does not say how long it trained nor how it picked weights." in text
    assert "published numbers are binarised MNIST&#39;s" in text
    assert page.count("data:image/png;base64,") == 4
    names = {path.name for path in (whole / "report/tables").iterdir()}
    assert {f"scarce-{name}.{kind}" for name in "1234" for kind in ("md", "csv", "tex")} < names
    first = page.index("with 10 labelled of 100 images</h3>")
    assert first < page.index("with 100 labelled of 1,000 images</h3>")  # what was run comes first


def test_a_folder_of_another_paper_is_refused(whole, tmp_path):
    with pytest.raises(ValueError, match="holds the grid of the paper 'scarce', not of 'thesis'"):
        study.main(thesis.STUDY, ["--report", "--out", str(whole)])
    with pytest.raises(ValueError, match="no grid's folder"):
        study.main(scarce.STUDY, ["--report", "--out", str(tmp_path)])
    runs.write_json(tmp_path / "grid.json", {"settings": {"steps": None}, "data": {}, "name": "mnist"})
    with pytest.raises(ValueError, match="holds the grid of the paper 'thesis', not of 'scarce'"):
        study.main(scarce.STUDY, ["--report", "--out", str(tmp_path)])


def test_a_dry_run_leaves_nothing_behind(tmp_path):
    digits = write_digits(tmp_path / "data", num_train=20)
    line = ["-path", digits, "--scenario", 3, "--models", "fc1", "--seeds", 1, "--chain-length", 500]
    done = reproduce(*line, "--out", tmp_path / "grid", "--dry-run")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert [text.split()[-1] for text in lines[:3]] == [
        "classifiers/fair-fc1-3-seed42",
        "rbm/bad-30-seed42",
        "classifiers/fair-fc1-3-b-rbm-chain500-y-seed42",
    ]
    assert re.match(r"17 cells: 0 done, 17 to run\. About .* GB of disk", lines[-1])
    assert not (tmp_path / "grid").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--scenario", "7"], "--scenario 7: not a multiple of the 3 classes"),
        (["--scenario", "3"], "--scenario 3: 10 available images a class, but class 0 has 8"),
        (["--models", "fc3"], "argument --models: invalid choice: 'fc3'"),
        (["--chain-length", "0"], "argument --chain-length: expected a whole number above 0, received '0'"),
        (["--rbm-epochs", "5"], "argument --rbm-epochs: expected 2 arguments"),
    ],
)
def test_bad_input_ends_with_one_line(digits, tmp_path, flags, message):
    done = reproduce("-path", digits, *flags, "--out", tmp_path / "grid")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr
    assert not (tmp_path / "grid" / "classifiers").exists()


def test_scores_say_which_chains_they_come_from(whole):
    frame = results.collect(whole, scarce.AXES)
    row = frame[frame["generator"] == "b-rbm"].iloc[0]
    assert (row["model"], row["chain_length"], row["labels"], row["available"]) == ("fc1", 500, "y", 100)
    assert row["error"] == 0.4
    baseline = frame[(frame["arm"] == "CNN")].iloc[0]
    assert (baseline["generator"], baseline["labels"]) == ("", "")
    assert pd.isna(baseline["chain_length"])
