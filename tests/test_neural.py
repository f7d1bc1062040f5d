"""The study of Eduardo and Kazi: its cells, tables, fits and claims, and every cell of a tiny grid run for real."""

import json
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

import assess
import generate
import train_cdc
import train_cnn
from experiments import neural, study
from experiments.neural import claims, published, tables
from experiments.neural.grid import ARMS, TWICE
from grid import dataset

DIGITS = {str(digit): 150 for digit in range(10)}
MNIST = dict.fromkeys(DIGITS, 5421)
SCRIPTS = {"train_cdc": train_cdc, "generate": generate, "train_cnn": train_cnn, "assess": assess}


def cells_of(*flags, classes=MNIST):
    return neural.cells(study.parse_args(neural.STUDY, ["--dataset", "mnist", *flags]), classes)


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


@pytest.mark.parametrize(
    ("flags", "fraction"),
    [
        (["--dataset", "cifar10"], 0.15),
        (["--dataset", "mnist"], 0.2917),
        (["--source", "mnist.npz"], 0.2917),
        (["--dataset", "cifar10", "--validation-fraction", "0.3"], 0.3),
    ],
)
def test_each_data_set_sets_its_published_share_aside(tmp_path, monkeypatch, flags, fraction):
    args = study.parse_args(neural.STUDY, [*flags, "--alpha", "1"])
    neural.cells(args, MNIST)
    assert study.settings(neural.STUDY, args)["validation_fraction"] == fraction
    given = []
    monkeypatch.setattr(dataset.prepare_data, "main", given.extend)
    dataset.prepare(args, tmp_path)
    assert given[given.index("--validation-fraction") + 1] == str(fraction)


def test_all_sizes_of_cifar10_are_there_and_the_help_names_both_shares(capsys):
    every = ["--dataset", "cifar10", "--alpha", "1", "100"]
    assert "classifiers/validated-orig-4250-seed42" in cells_of(*every, classes=dict.fromkeys(DIGITS, 5000))
    with pytest.raises(SystemExit):
        study.parse_args(neural.STUDY, ["--help"])
    assert "0.15 with --dataset cifar10, else 0.2917" in " ".join(capsys.readouterr().out.split())


def test_the_shipped_grid_keeps_its_identity():
    root = ROOT / "results" / "neural-mnist"
    args = study.parse_args(neural.STUDY, (root / "commands.txt").read_text().splitlines()[0].split()[2:])
    neural.cells(args, MNIST)
    assert study.settings(neural.STUDY, args) == dataset.read(root)["settings"]


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


@pytest.mark.parametrize(("data", "floor"), [("mnist", (0.059, 0.088)), ("cifar10", (0.322, 0.447))])
def test_runs_that_differ_as_seeds_do_give_the_noise_floor(data, floor):
    cells = tables.numbers("neural_2", data)
    assert tables.noise_floor(cells) == pytest.approx(floor, abs=5e-4)
    # Differences of -1, 0 and 1 between all four arms' pairs: a standard deviation of 1, over the square root of 2.
    values = {"AUGORIG": [1, 2, 3], "BLUR": [0, 2, 4], "ROT": [5, 5, 5], "ROTBLUR": [6, 5, 4]}
    rows = [{"alpha": k, "arm": arm, "value": x} for arm, list_ in values.items() for k, x in enumerate(list_)]
    assert tables.noise_floor(pd.DataFrame(rows)) == pytest.approx([0.5**0.5] * 2)


def test_the_note_of_table_2_says_on_how_many_test_images():
    def note(support, data="cifar10"):
        rows = scores(ORIG=[0.5, 0.6, 0.7]).assign(support=support, command="python train_cnn.py")
        return tables.accuracies(rows, data).note

    assert "one published run has a standard deviation of 0.32 to 0.45 points" in note(10_000)
    assert "0.06 to 0.09 points" in note(10_000, "mnist")
    assert note(10_000).endswith("Obtained on 10,000 test images, as published.")
    assert "Obtained on 5,960 test images, published on 10,000; where" in note(5960)
    assert "training images that this grid leaves out" in note(5960)
    assert "on 1,017 or 5,960 test images" in note([1017, 5960, 5960])
    assert tables.tested_on(scores(ORIG=[0.5, 0.6, 0.7]).assign(support=1).iloc[:0]) == ""


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


def seeds(frame, count=3):
    """The same rows for so many seeds."""
    return pd.concat([frame.assign(seed=42 + k) for k in range(count)], ignore_index=True)


def test_trends_are_read_off_the_curves():
    rising, falling = [0.5, 0.6, 0.5 + 0.1 * np.log2(5)], [0.9, 0.6, 0.7]
    fit, rise = claims.trends(seeds(scores(ORIG=rising)), "validated")
    assert (fit.verdict, rise.verdict) == ("holds", "holds")
    fit, rise = claims.trends(seeds(scores(ORIG=rising, ROT=falling)), "validated")
    assert (fit.verdict, rise.verdict) == ("does not hold", "does not hold")
    assert "1 of 2 curves" in rise.evidence
    with_control = claims.trends(seeds(scores(**{"ORIG": rising, TWICE: falling})), "validated")
    assert [claim.verdict for claim in with_control] == ["holds", "holds"]  # the paper has no such curve
    few = seeds(scores(ORIG=rising)).query("alpha < 5")
    assert {claim.verdict for claim in claims.trends(few, "validated")} == {"not decided"}
    two = claims.trends(seeds(scores(ORIG=rising), 2), "validated")
    assert {(claim.verdict, claim.evidence) for claim in two} == {("not decided", "fewer than 3 seeds were run")}


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
    near = seeds(made(BLUR=[1, 1, 1], ROT=[2, 2, 2], CDCVAE=[3, 3, 3]))
    ranked = seeds(scores(BLUR=[0.9, 0.9, 0.9], ROT=[0.8, 0.8, 0.8], CDCVAE=[0.7, 0.7, 0.7]))
    ranked["arm"] = "VAE"  # what `results.collect` calls them: arms of the paper are sources
    claim = claims.ranking(near, ranked, "mnist", "fair")
    assert (claim.verdict, "-1.00 (95 % interval -1.00 to -1.00, n = 9" in claim.evidence) == ("does not hold", True)
    # The pairs of arms: BLUR and ROT in order, BLUR and CDCVAE not, ROT and CDCVAE not; tau is (2 - 1) / 3.
    turned = seeds(scores(BLUR=[0.8, 0.8, 0.8], ROT=[0.7, 0.7, 0.7], CDCVAE=[0.95, 0.95, 0.95]))
    assert claims.ranking(near, turned, "mnist", "fair").verdict == "holds"
    rows = near.merge(turned.rename(columns={"source": "arm"}), on=["alpha", "arm", "seed"])
    assert claims.taus(rows, ["alpha", "seed"], "frechet", "accuracy").tolist() == pytest.approx([1 / 3] * 9)
    one = claims.ranking(near.query("alpha == 1 and seed == 42"), ranked, "mnist", "fair")
    assert (one.verdict, "no interval" in one.evidence) == ("not decided", True)
    seven = claims.ranking(near.query("alpha < 5 or seed == 42"), turned, "mnist", "fair")
    assert (seven.verdict, "n = 7" in seven.evidence) == ("not decided", True)
    assert "At least 8 sizes and seeds are needed." in seven.evidence
    two_arms = claims.ranking(near.query("arm != 'ROT'"), ranked, "mnist", "fair")
    assert (two_arms.verdict, two_arms.evidence) == ("not decided", "not run")
    assert claims.ranking(made(space="pixels", ROT=[1, 2, 3]), ranked, "mnist", "fair").evidence == "not run"


def test_equal_accuracies_rank_nothing():
    near = seeds(made(BLUR=[1, 1, 1], ROT=[2, 2, 2], CDCVAE=[3, 3, 3]), 4)
    found = seeds(
        scores(BLUR=[0.9, 0.9, 0.9], ROT=[0.8, 0.9, 0.8], CDCVAE=[0.7, 0.9, 0.7]), 4
    )  # at 2 % all are right alike
    rows = near.merge(found.rename(columns={"source": "arm"}), on=["alpha", "arm", "seed"])
    assert claims.taus(rows, ["alpha", "seed"], "frechet", "accuracy").tolist() == [-1] * 8
    claim = claims.ranking(near, found, "mnist", "fair")
    assert (claim.verdict, "n = 8 sizes" in claim.evidence) == ("does not hold", True)


def published_distances(data):
    """The published Table 1 as if it had been obtained."""
    cells = tables.numbers("neural_1", data)
    return seeds(cells.assign(space="classifier", frechet=cells["value"], kid=0.0, command=""))


def test_generated_images_come_nearer_or_do_not():
    vae, gan = claims.nearing(seeds(made(CDCVAE=[9, 5, 4], CDCGAN=[9, 5, 6])), "mnist", "fair")
    assert (vae.verdict, gan.verdict) == ("holds", "does not hold")
    assert "9.0 at 1 %, 5.0 at 2 %, 4.0 at 5 %" in vae.evidence
    assert "tau of size and distance -1.00 (published, Inception: -0.79)" in vae.evidence
    assert "tau of size and distance -0.33 (published, Inception: -0.82)" in gan.evidence
    (gan,) = claims.nearing(seeds(made(CDCGAN=[9, 5, 4])).query("alpha < 5"), "cifar10", "fair")
    assert gan.verdict == "not decided"
    (gan,) = claims.nearing(made(CDCGAN=[9, 5, 4]), "cifar10", "fair")
    assert (gan.verdict, gan.evidence) == ("not decided", "fewer than 3 seeds were run")


@pytest.mark.parametrize("data", ["mnist", "cifar10"])
def test_the_published_distances_hold_what_the_paper_says_of_them(data):
    obtained = published_distances(data)
    found = [*claims.nearing(obtained, data, "fair"), *claims.staying(obtained, data, "fair")]
    assert [claim.verdict for claim in found] == ["holds"] * 3


def test_distances_that_should_stay_the_same_are_judged_where_the_paper_trusts_them():
    falling = published_distances("mnist")  # the CDCVAE's on MNIST go on falling
    rotated, vae = claims.staying(falling, "cifar10", "fair")
    assert (rotated.verdict, vae.verdict) == ("holds", "does not hold")
    assert "classifier space: 11.6 to 14.6 at 8 sizes (published, Inception: 135.45 to 141.30)" in vae.evidence
    for few in (made(ROT=[1, 1, 1]), falling.query("alpha <= 40")):
        (rotated,) = claims.staying(few, "mnist", "fair")
        assert rotated.verdict == "not decided"
    assert rotated.evidence == (
        "sizes of 30 % and more that were run: 2, at least 3 are needed; published, Inception: 30.48 to 30.75."
    )


def gaps_of(data, words):
    """The gains that a claim asks for, as "ROT over CDCVAE"."""
    (statement,) = (found for found in (*claims.COMMON, *claims.OF_DATA[data]) if words in found.text)
    return [f"{gap.one} over {gap.other}{gap.suffix}" for gap in statement.gaps]


def test_what_the_claims_on_the_generators_compare():
    transformed = [f"{arm} over {model}" for arm in ("ROT", "BLUR", "ROTBLUR") for model in ("CDCVAE", "CDCGAN")]
    assert gaps_of("mnist", "no better than rotation and blur") == transformed
    assert gaps_of("mnist", "CDCVAE is marginally better than the CDCGAN") == ["CDCVAE over CDCGAN"]
    assert gaps_of("cifar10", "With 5 % of the images the CDCGAN beats") == ["CDCGAN over CDCVAE at 5 %"]
    sizes = sorted(set(published.read("neural_2")["alpha"]))
    assert sizes == [*claims.SMALLEST, claims.FIFTH, *claims.OTHERS]
    assert gaps_of("cifar10", "From 10 % of the images on the CDCGAN beats") == [
        f"CDCGAN over CDCVAE at {alpha} %" for alpha in sizes[3:]
    ]


@pytest.mark.parametrize("data", ["mnist", "cifar10"])
def test_scores_as_published_hold_the_claims_on_the_generators(tmp_path, data):
    """Twelve seeds of the published table: enough pairs to decide."""
    cells = tables.numbers("neural_2", data)
    rows = cells.assign(source=cells["arm"], accuracy=cells["value"] / 100, protocol="fair", variant="")
    frame = pd.concat([rows.assign(seed=seed) for seed in range(42, 54)])
    (tmp_path / "grid.json").write_text(json.dumps({"settings": {}, "data": {}, "name": data}))
    found = {claim.text: claim.verdict for claim in claims.judge(tmp_path, frame)}
    vae_ahead = "With 1 and 2 % of the images the CDCVAE beats the CDCGAN"
    assert found[vae_ahead] == "holds"
    gan_ahead = ["With 5 % of the images the CDCGAN beats the CDCVAE"]
    gan_ahead.append("From 10 % of the images on the CDCGAN beats the CDCVAE")
    assert [found.get(text) for text in gan_ahead] == (["holds"] * 2 if data == "cifar10" else [None] * 2)
    assert found.get("The CDCVAE is marginally better than the CDCGAN") == ("holds" if data == "mnist" else None)
    assert found["Neural augmentation does no better than rotation and blur"] == "holds"
    assert found["The distance of rotated images stays the same from 30 % of the images on"] == "not decided"


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
    assert "about as many optimiser steps as AUGORIG's" in table.note  # 5,600 beside 5,400 at 1 %


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
