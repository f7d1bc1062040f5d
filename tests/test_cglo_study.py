"""The study of Azuri and Weinshall: its cells, tables and claims, and every cell of a tiny grid run for real."""

import hashlib
import json
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
import pytest

import arms
import train_cglo
import train_cnn
from experiments import cglo, study
from experiments.cglo import claims, published, tables
from experiments.cglo.grid import ARMS, USUAL, Grid

CIFAR = {f"class{k}": 5000 for k in range(10)}
SCRIPTS = {"train_cglo": train_cglo, "train_cnn": train_cnn}
MIXES = {module.MIX for module in arms.MODULES if hasattr(module, "MIX")}
KNOWN = [name for name, arm in ARMS.items() if set(arm.classifier.get("mix", ())) <= MIXES]


def cells_of(*flags, classes=CIFAR):
    return Grid(study.parse_args(cglo.STUDY, ["--dataset", "cifar10", *flags]), classes).cells


def flag(cell, name):
    return cell.flags[cell.flags.index(name) + 1]


def test_arms_of_a_size_and_seed_share_a_generator_and_their_steps():
    cells = cells_of("--sizes", "10", "--seeds", "1", "--steps", "500")
    expected = [f"classifiers/fair-{arm.lower()}-10-seed42" for arm in USUAL]
    assert [key for key in cells if key.startswith("classifiers/")] == expected
    assert [key for key in cells if key.startswith("cglo/")] == ["cglo/cglo-10-seed42"]
    ours, control = (cells[f"classifiers/fair-{arm}-10-seed42"] for arm in ("cglo", "reconstruction"))
    assert flag(ours, "--cglo") == flag(control, "--cglo") == PurePosixPath("cglo/cglo-10-seed42")
    assert (flag(control, "--interpolation"), "--interpolation" in ours.flags) == ("none", False)
    assert ours.needs == ("data", "cglo/cglo-10-seed42")
    assert ours.facts == {"source": "CGLO", "shots": 10}
    assert {flag(cell, "--steps") for key, cell in cells.items() if key.startswith("classifiers/")} == {500}
    assert flag(cells["classifiers/fair-cutout-10-seed42"], "--cutout-size") == 8
    assert "--cglo" not in cells["classifiers/fair-baseline-10-seed42"].flags


def test_generator_and_classifier_learn_from_the_same_images():
    for cell in cells_of("--sizes", "10", "25", "--arms", "CGLO", "LERP", "NO-NOISE").values():
        if cell.script == "train_cnn":
            made_by = cells_of("--sizes", "10", "25", "--arms", "CGLO", "LERP", "NO-NOISE")[str(flag(cell, "--cglo"))]
            assert flag(made_by, "--images") == flag(cell, "-limtr") == cell.facts["shots"]
            assert flag(made_by, "--seed") == flag(cell, "--seed")


def test_no_generator_sees_test_images_but_the_transductive():
    cells = cells_of("--arms", *KNOWN)
    seen = {cell.facts["generator"] for cell in cells.values() if "--transductive" in cell.flags}
    assert seen == {"cglo-transductive-True"}


@pytest.mark.parametrize(
    "flags",
    [
        (),
        ("--deterministic", "--model", "thesis", "--aug", "suitable"),
        ("--model", "resnet50", "--weights", "imagenet", "--tuned-rate", "0.01"),
        ("--preset", "released", "--size", "8", "8"),
    ],
    ids=" ".join,
)
def test_every_command_line_parses(flags):
    cells = cells_of("--seeds", "1", "--arms", *KNOWN, *flags)
    assert len({key for key in cells if key.startswith("classifiers/")}) >= 2 * len(KNOWN)
    for cell in cells.values():
        SCRIPTS[cell.script].parse_args([str(item) for item in cell.flags])
        assert cell.work > 0


def test_what_cannot_be_run_is_refused():
    with pytest.raises(ValueError, match="--sizes 6000: class class0 has 5000 training images"):
        cells_of("--sizes", "6000")
    with pytest.raises(ValueError, match="--arms MIXMATCH-ALL: with --sizes 5000 no other training images are left"):
        cells_of("--sizes", "5000", "--arms", "MIXMATCH-ALL")
    with pytest.raises(ValueError, match=r"--arms MIXMATCH: .* needs an --aug"):
        cells_of("--arms", "MIXMATCH", "--aug", "none")


def test_it_has_one_protocol():
    with pytest.raises(ValueError, match="--protocol both: this study has one, fair"):
        cells_of("--protocol", "both")


def test_the_tuned_arms_have_another_rate_and_decay_and_no_other_arm_has():
    cells = cells_of("--arms", *KNOWN, "--tuned-rate", "0.01", "--tuned-decay", "0.002")
    found = {cell.facts["source"]: cell.flags for cell in cells.values() if "source" in cell.facts}
    tuned = {name for name, flags in found.items() if "--rate" in flags}
    assert tuned == {name for name, flags in found.items() if "--weight-decay" in flags} == {"TUNED", "TUNED+CGLO"}
    flags = [str(flag) for flag in found["TUNED+CGLO"]]
    assert flags[flags.index("--rate") + 1] == "0.01"
    assert flags[flags.index("--weight-decay") + 1] == "0.002"
    assert "--cglo" in flags or "-cglo" in flags


def test_published_tables_are_as_printed():
    one = published.read("cglo_1")
    assert len(one) == 4 * 6 - 2  # two numbers of the baseline are lost
    ours = one[one["arm"] == "CGLO"].set_index("shots")["value"]
    others = one[one["arm"] == "BASELINE"].set_index("shots")["value"]
    assert (ours - others).dropna().round(2).to_dict() == {25: 5.45, 50: 5.13}
    two = published.read("cglo_2").pivot_table(index="shots", columns="arm", values="value")
    assert (two["CGLO"] - two["BASELINE"]).round(2).to_dict() == {5: 0.73, 10: 1.02, 20: 5.05, 30: 2.60}
    three = published.read("cglo_3").query("metric == 'top-1'").set_index("arm")["value"]
    assert (three - three["CGLO"]).round(2)[["NO-CLASSIFIER", "LERP", "NO-NOISE"]].tolist() == [-2.27, -0.83, -0.53]
    six = published.read("cglo_6").query("metric == 'top-1'").set_index("arm")["value"]
    assert six["TRANSDUCTIVE+AUTOAUGMENT"] - six["AUTOAUGMENT"] == pytest.approx(2.51)
    names = {arm for k in range(1, 7) for arm in published.read(f"cglo_{k}")["arm"]}
    assert names <= set(ARMS)


def scores(pairs, shots=10, **arms):
    """Rows as `results.collect` gives them: per arm its accuracy in each of `pairs` seeds."""
    return pd.DataFrame(
        [
            {
                "protocol": "fair",
                "variant": "",
                "source": arm,
                "shots": shots,
                "seed": 42 + k,
                "accuracy": value + 0.001 * k,
                "command": "c",
            }
            for arm, value in arms.items()
            for k in range(pairs)
        ]
    ).astype({"shots": "Int64"})


def test_published_numbers_have_a_say_on_their_own_data_alone():
    names = ["cifar100.npz", "cub200", "cifar10.npz", "digits"]
    found = [claims.by_cell(claims.published_scores(name)) for name in names]
    assert found[0].loc[25, "CGLO"].item() > 0.3  # Table 1
    assert found[1].loc[(5, 0), "CGLO"] == pytest.approx(0.5152)  # Table 2
    assert [len(table) for table in found[2:]] == [0, 0]
    frame = scores(10, 25, CGLO=0.61, BASELINE=0.6)
    first = [claims.judge(frame, name)[0].evidence for name in names]
    assert ["published" in evidence for evidence in first] == [True, False, False, False]


def test_claims_are_judged_by_paired_gains():
    frame = pd.concat([scores(10, CGLO=0.5, BASELINE=0.4, RECONSTRUCTION=0.55), scores(10, 25, CGLO=0.5, BASELINE=0.4)])
    found = {claim.text: claim for claim in claims.judge(frame, "cifar100.npz")}
    first = found["(a) cGLO beats the baseline"]
    assert first.verdict == "holds"
    assert "10.00 points" in first.evidence
    assert found["Images between two of a class do more than reconstructions of each"].verdict == "does not hold"
    assert found["(e) The test images as unlabelled ones help"].evidence == "not run; at least 8 pairs are needed."
    assert len(found) == len(claims.STATEMENTS)


def test_published_gaps_are_of_one_table():
    gap = claims.Gap("CGLO", "BASELINE")
    reference = claims.by_cell(claims.published_scores("cifar100.npz"))
    assert gap.difference(reference).droplevel("seed").round(4).to_dict() == {25: 0.0545, 50: 0.0513}
    added = claims.Gap("TRANSDUCTIVE+AUTOAUGMENT", "AUTOAUGMENT").difference(reference)
    assert added.round(4).tolist() == [0.0251]


def test_own_table_has_paired_gains():
    rows = tables.of_grid(scores(2, CGLO=0.5, BASELINE=0.4))
    frame = tables.own(rows).frame
    assert frame["arm"].tolist() == ["BASELINE", "CGLO"]
    assert frame["gain over BASELINE, points"].tolist()[0] == ""
    assert frame["gain over BASELINE, points"].tolist()[1].startswith("10.00 ± 0.00 (2)")


def test_a_published_number_stands_beside_its_own_arm_and_size():
    table = tables.beside("cglo_1", scores(2, 25, CGLO=0.43), "cifar100")
    row = table.frame[table.frame[("shots", "")] == 25].iloc[0]
    assert row["CGLO", "published"] == "43.84 ± 0.25"
    assert row["CGLO", "obtained, fair"].startswith("43.05")
    assert row["BASELINE", "obtained, fair"] == ""
    birds = tables.beside("cglo_2", scores(2, 5, CGLO=0.43), "cifar100")
    assert (birds.frame["CGLO", "obtained, fair"] == "").all()
    top5 = tables.beside("cglo_3", scores(2, 25, CGLO=0.43), "cifar100").frame
    assert (top5["top-5", "obtained, fair"] == "").all()


@pytest.mark.slow
def test_a_small_grid_runs_to_its_report(tmp_path):
    root = tmp_path / "grid"
    line = "--quick --model thesis --cglo-epochs 2 --steps 4 -e 2 -b 8 --limte 3 --size 8 8 --jobs 1"
    study.main(cglo.STUDY, [*line.split(), "--arms", "BASELINE", "CGLO", "--out", str(root)])
    found = json.loads((root / "classifiers" / "fair-cglo-5-seed42" / "result.json").read_text())
    assert (found["arm"], found["cglo"]["of"]) == ("AUG+CGLO", 32)
    page = (root / "report" / "report.html").read_text()
    assert "cGLO beats the baseline" in page
    drawn = {path.name for path in (root / "report" / "figures").iterdir()}
    names = ("reconstructions", "interpolations", "curves")
    assert drawn == {f"cglo-{name}.{kind}" for name in names for kind in ("png", "pdf")}
    made = pd.read_csv(root / "report" / "tables" / "cglo-generators.csv")
    assert np.isfinite(made["reconstruction loss"]).all()


def test_a_folder_is_bound_to_the_weights_of_its_features(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"weights")

    def settings(*flags):
        return study.settings(cglo.STUDY, study.parse_args(cglo.STUDY, ["--dataset", "digits", *flags]))

    assert settings("--vgg-weights", str(tmp_path / "a.h5"))["vgg_weights"] == hashlib.sha256(b"weights").hexdigest()
    assert "vgg_weights" not in settings()
