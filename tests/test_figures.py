"""The papers' figures from a made-up grid: drawn when the data is there, left out when not."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pandas as pd
import pytest
from conftest import GUARD
from fake_grid import write_record

from experiments import thesis
from experiments.thesis import figures
from images import codec
from report import results, statistics, style
from vae_aug import sampling

ROOT = Path(__file__).resolve().parent.parent
CLASSES = ["$\\frac$", "2", "_hidden"]
NAMES = {
    "joint": {"latent-spaces", "latent-space", "sweep"},
    "vae-loss": {"vae-loss"},
    "gen": {"generated-6", "generated-150", "generated-by-latent"},
    "models": {"latent-3d"},
}
SCORES = {"f1-by-latent", "f1-aug-vae", "augmentation-steps"}
ALL = SCORES.union(*NAMES.values())


def add_cell(root, key, **facts):
    """The folder of a cell, with its record."""
    write_record(root, key, facts, f"python make.py --out {key}")
    (root / key).mkdir(parents=True)
    return root / key


def save_latents(folder, count, latent_dim, labels):
    folder.mkdir(exist_ok=True)
    z_mean = np.random.default_rng(count).normal(size=(count, latent_dim))
    np.savez(folder / "latents.npz", z_mean=z_mean, z_std=np.ones_like(z_mean), labels=labels)


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """The folder of a small grid with every kind of cell, of 3 classes with awkward names and 8x8 images."""
    root, rng = tmp_path_factory.mktemp("grid"), np.random.default_rng(0)
    for term in figures.TERMS:
        folder = add_cell(root, f"joint/{term}-seed42", term=term) / "joint"
        save_latents(folder, 12, 2, np.arange(12) % 3)
        (folder / "config.json").write_text(json.dumps({"settings": {"classes": CLASSES, "seed": 42}}))
        codec.write_image(folder / "sweep.png", rng.integers(0, 256, (120, 120, 1), np.uint8))
    for size, latent, seed in ((6, 2, 42), (6, 3, 42), (6, 3, 43), (150, 3, 43), (150, 8, 43)):
        name, facts = f"{size}-latent{latent}-seed{seed}", {"size": size, "latent": latent, "seed": seed}
        folder = add_cell(root, f"gen/{name}", **facts)
        for class_name in CLASSES:
            codec.write_images(folder / class_name, range(1, 13), rng.integers(0, 256, (12, 8, 8, 1), np.uint8))
        save_latents(add_cell(root, f"models/{name}", **facts) / CLASSES[0], 5, latent, np.zeros(5, int))
    for images, seed in ((5, 42), (5, 43), (50, 42)):
        folder = add_cell(root, f"vae-loss/{images}-seed{seed}", images=images, seed=seed) / CLASSES[0]
        folder.mkdir()
        table = pd.DataFrame({"epoch": range(1, 9), "val_loss": 3000 / images / np.arange(1, 9) + 10.0 * (seed - 41)})
        table.to_csv(folder / "loss.csv", index=False)
    return root


def make_frame(sizes=(50, 100), seeds=(42, 43), latents=(2, 3), protocols=("fair", "published")):
    """Rows as `results.collect` gives them, F1 near the published numbers."""
    rows, rng = [], np.random.default_rng(0)
    arms = [("CNN", None), ("AUG", None), *[("VAE", latent) for latent in latents]]
    for protocol in protocols:
        mixed = latents if protocol == "fair" else latents[:1]
        cells = [(*arm, "") for arm in [*arms, *[("AUG+VAE", latent) for latent in mixed]]]
        if protocol == "fair":
            cells += [("AUG", None, f"bad{step}") for step in range(6)]
        for arm, latent, variant in cells:
            for size in sizes[:1] if variant else sizes:
                for seed in seeds:
                    facts = {"protocol": protocol, "arm": arm, "latent": latent, "variant": variant, "size": size}
                    facts |= {"seed": seed, "f1": rng.uniform(0.7, 0.9), "injection": "pages" if latent else ""}
                    rows.append({**facts, "command": f"python train_cnn.py {protocol} {arm} {latent} {size} {seed}"})
    frame = pd.DataFrame(rows)
    return frame.astype({"latent": "Int64", "arm": pd.CategoricalDtype(["CNN", "VAE", "AUG", "AUG+VAE"])})


def drawn(root, frame):
    """What `all_figures` draws, by name, without the files."""
    with matplotlib.rc_context(style.STYLE):
        return {name: (canvas, *rest) for canvas, name, *rest in figures.drawings(root, frame)}


@pytest.fixture(scope="session")
def shown(whole):
    return drawn(whole, make_frame())


def test_every_figure_is_a_png_and_a_pdf_that_show_something(whole, tmp_path):
    found = figures.all_figures(whole, make_frame(), tmp_path / "report" / "figures")
    assert {figure.name for figure in found} == ALL
    for figure in found:
        picture = cv2.imread(str(figure.folder / f"{figure.name}.png"))
        assert picture.std() > 5, figure.name
        assert picture[0, 0].tolist() == [255, 255, 255]
        assert picture.shape[1] <= 945  # 16 cm at 150 dpi
        pdf = (figure.folder / f"{figure.name}.pdf").read_bytes()
        assert pdf.startswith(b"%PDF")
        assert b"/Subtype /Type3" not in pdf
        assert b"CreationDate" not in pdf
        assert figure.title
        assert figure.note.endswith(".")
        assert figure.source.startswith(("Thesis, Fig", "As thesis, Fig", "CIARP 2018, Fig"))
        assert figure.commands
        assert len(set(figure.commands)) == len(figure.commands)


def test_drawing_again_gives_the_same_bytes(whole, tmp_path):
    root = tmp_path / "root"
    for part in ("models", "cells/models"):
        shutil.copytree(whole / part, root / part)
    for folder in ("a", "b"):
        figures.all_figures(root, make_frame()[:0], tmp_path / folder)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["latent-3d.pdf", "latent-3d.png"]
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)


@pytest.mark.parametrize("kind", NAMES)
def test_a_part_that_was_not_run_is_left_out(whole, tmp_path, kind):
    shutil.copytree(whole, tmp_path / "root")
    shutil.rmtree(tmp_path / "root" / "cells" / kind)  # folders without a record are unfinished
    assert set(drawn(tmp_path / "root", make_frame())) == ALL - NAMES[kind]


def test_an_empty_grid_has_no_figures(tmp_path):
    assert figures.all_figures(tmp_path, results.collect(tmp_path, thesis.AXES), tmp_path / "figures") == []


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (make_frame(sizes=(50,), seeds=(42,), latents=(3,), protocols=("fair",)), SCORES),
        (make_frame(sizes=(30,), latents=(5,)), SCORES),
        (make_frame(protocols=("published",)), SCORES - {"augmentation-steps"}),
        (make_frame().query("arm == 'VAE'"), {"f1-by-latent"}),
        (make_frame().query("arm == 'AUG+VAE'"), {"f1-aug-vae"}),
        (make_frame().query("variant == 'bad3'"), {"augmentation-steps"}),
        (make_frame().query("arm == 'CNN'"), set()),
    ],
    ids=["one run", "nothing published", "published", "VAE alone", "AUG+VAE alone", "one lesson", "CNN alone"],
)
def test_what_is_missing_among_the_classifiers_does_not_matter(tmp_path, frame, expected):
    shown = drawn(tmp_path, frame)
    assert set(shown) == expected
    for canvas, *_ in shown.values():
        canvas.savefig(tmp_path / "figure.png")


def test_panels_of_the_latent_spaces_are_those_that_are_there(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "root")
    shutil.rmtree(tmp_path / "root" / "joint" / "kl-seed42")
    canvas, _, source, _, commands = drawn(tmp_path / "root", make_frame())["latent-spaces"]
    assert [axes.get_title() for axes in canvas.axes] == ["reconstruction term alone", "both terms"]
    assert source == "Thesis, Figs 2.3.3 and 2.4.6"
    assert [command.split("/")[-1] for command in commands] == ["reconstruction-seed42", "thesis-seed42"]


def test_the_sweep_stands_at_its_latents(shown):
    (picture,) = shown["sweep"][0].axes[0].images
    left, right, bottom, top = picture.get_extent()
    assert picture.origin == "upper"
    step = 3 / 14
    np.testing.assert_allclose([left + step / 2, top - step / 2], sampling.sweep(15)[0], atol=1e-6)
    np.testing.assert_allclose([right - step / 2, bottom + step / 2], sampling.sweep(15)[-1], atol=1e-6)


def test_generated_images_come_from_two_dimensions_or_the_fewest_and_say_so(shown):
    note, commands = shown["generated-6"][3:]
    assert "latent dimension 2, from VAEs given 2 images" in note
    assert note.endswith("seed 42.")
    assert commands == ["python make.py --out gen/6-latent2-seed42"]
    note, commands = shown["generated-150"][3:]
    assert "latent dimension 3, from VAEs given 50 images" in note
    assert note.endswith("seed 43. The thesis shows latent dimension 2, which was not run.")
    note, commands = shown["generated-by-latent"][3:]  # 50 images a class are there
    assert commands == [f"python make.py --out gen/150-latent{latent}-seed43" for latent in (3, 8)]


def test_three_dimensions_are_those_of_the_largest_size(shown):
    assert shown["latent-3d"][4] == ["python make.py --out models/150-latent3-seed43"]


def test_validation_losses_stand_beside_table_6_1(shown):
    (axes,) = shown["vae-loss"][0].axes
    lines = [line.get_xydata() for line in axes.lines]
    np.testing.assert_allclose(lines[0][:, 1], 3000 / 5 / np.arange(1, 9) + 15)  # mean over two seeds
    np.testing.assert_allclose(lines[1], [[5, 135]])  # the only epoch of the table that was reached
    assert lines[2].tolist() == [[5, 416.68], [50, 265], [100, 264], [250, 253.01], [500, 424.05]]


def test_f1_is_drawn_with_its_interval_beside_the_published_number(tmp_path):
    frame = make_frame(sizes=(50,), seeds=(42, 43, 44), latents=(3,), protocols=("fair",))
    (axes,) = drawn(tmp_path, frame)["f1-by-latent"][0].axes
    scores = 100 * frame.query("arm == 'VAE'")["f1"].to_numpy()
    found = statistics.summary(scores)
    (bar,) = axes.containers[1].lines[2]
    np.testing.assert_allclose(bar.get_segments()[0][:, 1], [found.low, found.high])
    assert [axes.containers[k].lines[0].get_color() for k in range(3)] == ["#000000", "#0072B2", "#D55E00"]
    published = [line.get_ydata().tolist() for line in axes.lines if line.get_fillstyle() == "none"]
    assert published == [[76.30], [85.40], [86.10]]
    assert [f"{tick:g}" for tick in axes.get_xticks()] == ["50"]


def test_published_aug_vae_is_shown_whatever_its_latent_dimension(tmp_path):
    frame = make_frame(sizes=(50,), latents=(2, 3))
    canvas, _, _, note, commands = drawn(tmp_path, frame)["f1-aug-vae"]
    assert [axes.get_title() for axes in canvas.axes] == ["protocol: fair", "protocol: published"]
    assert all(len(axes.containers) == 2 for axes in canvas.axes)
    assert "latent dimension 3" in note
    assert sum("published AUG+VAE 2" in command for command in commands) == 2


def test_published_numbers_of_a_published_grid_are_those_of_three_dimensions(tmp_path):
    frame = make_frame(sizes=(50,), latents=(2, 8), protocols=("published",))
    (axes,) = drawn(tmp_path, frame)["f1-aug-vae"][0].axes
    published = [line.get_ydata().tolist() for line in axes.lines if line.get_fillstyle() == "none"]
    assert published == [[86.10], [90.86]]


def test_figures_load_neither_keras_nor_a_window():
    unwanted = "{'keras', 'tensorflow', 'matplotlib.pyplot'}"
    code = f"import sys, experiments.thesis.figures; print({unwanted} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=GUARD)
    assert run.stdout.strip() == "set()", run.stderr
