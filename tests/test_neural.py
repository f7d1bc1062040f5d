"""The study of Eduardo and Kazi: its cells, tables, fits and claims, and every cell of a tiny grid run for real."""

import json
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
import pytest

import assess
import generate
import train_cdc
import train_cnn
from experiments import neural, study
from experiments.neural import claims, published, tables
from experiments.neural.grid import ARMS, TWICE, Grid

DIGITS = {str(digit): 150 for digit in range(10)}
MNIST = dict.fromkeys(DIGITS, 5421)
SCRIPTS = {"train_cdc": train_cdc, "generate": generate, "train_cnn": train_cnn, "assess": assess}


def cells_of(*flags, classes=MNIST):
    return Grid(study.parse_args(neural.STUDY, ["--dataset", "mnist", *flags]), classes).cells


def flag(cell, name):
    return cell.flags[cell.flags.index(name) + 1]


def test_one_size_and_seed_is_seven_arms_and_a_control():
    cells = cells_of("--alpha", "1", "--seeds", "1")
    assert [key for key in cells if key.startswith("classifiers/")] == [
        f"classifiers/validated-{arm.lower()}-42-seed42" for arm in (*ARMS, TWICE)
    ]
    assert sum(key.startswith("gen/") for key in cells) == 6
    assert sum(key.startswith("assess/") for key in cells) == 5
    assert sum(key.startswith("cdc/") for key in cells) == 2
    assert sum(key.startswith("pool/") for key in cells) == 1
    gan = cells["classifiers/validated-cdcgan-42-seed42"]
    assert flag(gan, "-vae") == PurePosixPath("gen/cdcgan-42-seed42")
    assert (flag(gan, "--injection"), flag(gan, "-e"), flag(gan, "-limtr")) == ("all", 200, 42)
    assert "--steps" not in gan.flags
    assert gan.facts == {"source": "CDCGAN", "alpha": 1}
    assert "-vae" not in cells["classifiers/validated-orig-42-seed42"].flags
    twice = cells["classifiers/validated-orig-2x-42-seed42"]
    assert ("-vae" in twice.flags, flag(twice, "-e")) == (False, 400)
    assert cells["assess/rot-42-seed42"].needs == ("data", "gen/rot-42-seed42", "pool/vgg")
    assert flag(cells["gen/cdcvae-42-seed42"], "--count") == 42


def test_the_fair_protocol_takes_the_steps_of_augorig_in_every_arm():
    cells = cells_of("--alpha", "1", "--seeds", "1", "--protocol", "fair")
    steps = {
        flag(cell, "--steps") for key, cell in cells.items() if key.startswith("classifiers/")
    }  # 840 images are 27 steps of 32, 200 times
    assert steps == {5400}
    assert "classifiers/fair-orig-2x-42-seed42" not in cells
    assert "-e" not in cells["classifiers/fair-orig-42-seed42"].flags


@pytest.mark.parametrize(
    "flags", [(), ("--protocol", "both", "--width", "0.5", "--deterministic"), ("--size", "8", "8")]
)
def test_every_command_line_parses(flags):
    for cell in cells_of("--alpha", "1", "2", *flags).values():
        SCRIPTS[cell.script].parse_args([str(item) for item in cell.flags])
        reads_images = cell.script != "generate" or "--sampler" in cell.flags  # copies, at the size of the others
        assert ("--size" in cell.flags) == ("--size" in flags and reads_images)


def test_more_images_than_there_are_are_refused():
    with pytest.raises(ValueError, match=r"--alpha 100: 4250 training images per class, but class 0 has 3839"):
        cells_of("--alpha", "1", "100")


def test_published_tables_are_whole():
    accuracies, distances = published.read("neural_2"), published.read("neural_1")
    assert len(accuracies) == 13 * 7 * 2
    assert len(distances) == 13 * 5 * 2
    means = accuracies.groupby(["dataset", "arm"])["value"].mean()
    assert means["cifar10", "CDCVAE"] == pytest.approx(73.78, abs=0.005)
    assert means["mnist", "ROT"] == pytest.approx(98.98, abs=0.005)
    blur = distances[distances["arm"] == "BLUR"]
    assert (blur["value"] == 0).all()
    wide = distances.pivot_table(index=["dataset", "alpha"], columns="arm", values="value")
    assert (wide["ROT"] == wide["ROTBLUR"]).all()


def test_logarithmic_fits():
    assert tables.log_fit([1, 10, 100], 2 + 3 * np.log([1, 10, 100])) == pytest.approx((2, 3, 1))
    # values 0, 1, 0 at 1, e, e^2: flat line at 1/3, so nothing is explained
    assert tables.log_fit(np.exp([0, 1, 2]), [0, 1, 0]) == pytest.approx((1 / 3, 0, 0))
    orig = tables.numbers("neural_2", "cifar10").query("arm == 'ORIG'")
    assert tables.log_fit(orig["alpha"], orig["value"]) == pytest.approx((45.64, 9.816, 0.980), abs=0.005)


def scores(**arms):
    """Rows as `results.collect` gives them: per arm a list of accuracies, one per alpha 1, 2, 5."""
    return pd.DataFrame(
        [
            {"protocol": "validated", "variant": "", "source": arm, "alpha": alpha, "seed": 42, "accuracy": value}
            for arm, values in arms.items()
            for alpha, value in zip((1, 2, 5), values, strict=True)
        ]
    )


def test_sizes_that_were_not_published_have_no_published_curve():
    rows = scores(ORIG=[0.5, 0.6, 0.7])
    fits = tables.fits(rows.assign(alpha=rows["alpha"] + 2), "mnist").frame  # 3, 4 and 7 percent
    assert fits.loc[fits["arm"] == "ORIG", "obtained"].iloc[0].startswith("26.29 + 22.821 ln(alpha)")
    assert "published, our sizes" not in fits
    fits = tables.fits(rows, "mnist").frame
    assert (fits["published, our sizes"] != "").all()


def test_trends_are_read_off_the_curves():
    rising, falling = [0.5, 0.6, 0.5 + 0.1 * np.log2(5)], [0.9, 0.6, 0.7]
    fit, rise = claims.trends(scores(ORIG=rising), "validated")
    assert (fit.verdict, rise.verdict) == ("holds", "holds")
    fit, rise = claims.trends(scores(ORIG=rising, ROT=falling), "validated")
    assert (fit.verdict, rise.verdict) == ("does not hold", "does not hold")
    assert "1 of 2 curves" in rise.evidence
    with_control = claims.trends(scores(**{"ORIG": rising, TWICE: falling}), "validated")
    assert [claim.verdict for claim in with_control] == ["holds", "holds"]  # the paper has no such curve
    few = scores(ORIG=rising).query("alpha < 5")
    assert {claim.verdict for claim in claims.trends(few, "validated")} == {"not decided"}


def test_a_blur_that_leaves_a_distance_refutes_the_published_zero():
    made = pd.DataFrame({"arm": ["BLUR", "BLUR", "ROT"], "space": ["pixels"] * 3, "frechet": [9.5, 10.25, 0.0]})
    found = claims.blur(made, "mnist", "fair")
    assert (found.protocol, found.verdict) == ("fair", "does not hold")
    assert "published 0.00 in 13 of 13 sizes of MNIST" in found.evidence
    assert "pixels: 9.50 to 10.25 in 2 sets" in found.evidence
    assert claims.blur(made.iloc[:0], "mnist", "fair").verdict == "not decided"
    assert claims.blur(made.assign(frechet=0.0), "mnist", "fair").verdict == "holds"


def made(space="classifier", **arms):
    """Distances as `tables.assessments` gives them: per arm a list, one per alpha 1, 2, 5."""
    return pd.DataFrame(
        [
            {"arm": arm, "alpha": alpha, "seed": 42, "space": space, "frechet": value, "kid": 0.0, "command": ""}
            for arm, values in arms.items()
            for alpha, value in zip((1, 2, 5), values, strict=True)
        ]
    )


def test_a_distance_ranks_accuracies_or_does_not():
    near = made(BLUR=[1, 1, 1], ROT=[2, 2, 2], CDCVAE=[3, 3, 3])
    ranked = scores(BLUR=[0.9, 0.9, 0.9], ROT=[0.8, 0.8, 0.8], CDCVAE=[0.7, 0.7, 0.7])
    ranked["arm"] = "VAE"  # what `results.collect` calls them: arms of the paper are sources
    claim = claims.ranking(near, ranked, "mnist", "fair")
    assert (claim.verdict, "-1.00 (95 % interval -1.00 to -1.00, n = 3" in claim.evidence) == ("does not hold", True)
    # The pairs of arms: BLUR and ROT in order, BLUR and CDCVAE not, ROT and CDCVAE not; tau is (2 - 1) / 3.
    turned = scores(BLUR=[0.8, 0.8, 0.8], ROT=[0.7, 0.7, 0.7], CDCVAE=[0.95, 0.95, 0.95])
    assert claims.ranking(near, turned, "mnist", "fair").verdict == "holds"
    rows = near.merge(turned.rename(columns={"source": "arm"}), on=["alpha", "arm", "seed"])
    assert claims.taus(rows, ["alpha"], "frechet", "accuracy").tolist() == pytest.approx([1 / 3] * 3)
    one = claims.ranking(near.query("alpha == 1"), ranked, "mnist", "fair")
    assert (one.verdict, "no interval" in one.evidence) == ("not decided", True)
    two_arms = claims.ranking(near.query("arm != 'ROT'"), ranked, "mnist", "fair")
    assert (two_arms.verdict, two_arms.evidence) == ("not decided", "not run")
    assert claims.ranking(made(space="pixels", ROT=[1, 2, 3]), ranked, "mnist", "fair").evidence == "not run"


def test_generated_images_come_nearer_or_do_not():
    vae, gan = claims.nearing(made(CDCVAE=[9, 5, 4], CDCGAN=[9, 5, 6]), "mnist", "fair")
    assert (vae.verdict, gan.verdict) == ("holds", "does not hold")
    assert "9.0 at 1 %, 5.0 at 2 %, 4.0 at 5 %" in vae.evidence
    (gan,) = claims.nearing(made(CDCGAN=[9, 5, 4]).query("alpha < 5"), "cifar10", "fair")
    assert gan.verdict == "not decided"


def test_copies_stand_beside_as_many_updates():
    rows = scores(ORIG=[0.5, 0.6, 0.7], **{TWICE: [0.55, 0.6, 0.7]}, ROT=[0, 0, 0])
    table = tables.updates(rows.assign(command="python train_cnn.py"))
    assert table.frame.to_dict("records")[0] == {
        "protocol": "validated",
        "alpha": 1,
        "ORIG": "50.00 (1)",
        "ORIG-2x": "55.00 (1)",
        "AUGORIG": "",
    }


@pytest.mark.slow
def test_a_small_grid_runs_to_its_report(tmp_path, monkeypatch):
    root = tmp_path / "grid"
    line = "--quick --e 1 --cdc-epochs 1 --width 0.05 --steps 5 --jobs 1 --arms ORIG BLUR CDCVAE --out"
    study.main(neural.STUDY, [*line.replace("--e ", "-e ").split(), str(root)])
    page = (root / "report" / "report.html").read_text()
    assert "almost surely never applied" in page
    config = json.loads((root / "cdc" / "cdcvae-42-seed42" / "config.json").read_text())
    assert config["facts"]["kind"] == "cdcvae"
    table = (root / "report" / "tables" / "neural-2.md").read_text()
    assert "95.52" in table  # published, of MNIST
    drawn = {path.name for path in (root / "report" / "figures").iterdir()}
    assert drawn == {f"neural-{name}.{kind}" for name in ("samples", "curves") for kind in ("png", "pdf")}
