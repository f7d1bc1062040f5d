"""The contest: its arms, cells, leaderboard and verdicts, and a tiny grid run for real."""

from pathlib import PurePosixPath

import numpy as np
import pandas as pd
import pytest
from conftest import reproduce_here, write_digits
from toy_grid import InThisProcess

import generate
import train_cdc
import train_cglo
import train_cnn
import train_deformation
import train_rbm
import train_vae
from experiments import contest, study
from experiments.contest import arms, claims, tables
from experiments.contest.grid import DEFORMED
from grid import cost
from report import statistics

MNIST = dict.fromkeys(map(str, range(10)), 5421)
SCRIPTS = {"train_deformation": train_deformation, "train_vae": train_vae, "train_rbm": train_rbm}
SCRIPTS |= {"train_cdc": train_cdc, "train_cglo": train_cglo, "generate": generate, "train_cnn": train_cnn}


USUAL = sum(not source.variant for source in arms.SOURCES.values())  # sources that run without being named


def cells_of(*flags, classes=MNIST):
    return contest.cells(study.parse_args(contest.STUDY, ["--dataset", "mnist", *flags]), classes)


def flag(cell, name):
    return cell.flags[cell.flags.index(name) + 1]


@pytest.mark.parametrize(
    ("name", "arm"),
    [
        ("plain", ("", "", 1)),
        ("stroke", ("", "stroke", 1)),
        ("vae", ("vae", "", 1)),
        ("vae+stroke", ("vae", "stroke", 1)),
        ("vae-of-deformed+flip-crop", ("vae-of-deformed", "flip-crop", 1)),
        ("plain+3", ("", "", 3)),
        ("stroke+3", ("", "stroke", 3)),
        ("vae+stroke+10", ("vae", "stroke", 10)),
    ],
)
def test_the_name_of_an_arm_says_what_it_is(name, arm):
    assert arms.parse(name) == arm
    assert arms.parse(name).name == name
    assert arms.parse(name).is_learned == bool(arm[0])


def test_mixing_images_is_no_generator():
    assert not arms.parse("mixup+stroke").is_learned


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("vae+strok", "no source or preset"),
        ("van+stroke", "no source 'van'"),
        ("vae+stroke+1", "averages of at least 2"),
    ],
)
def test_an_arm_that_is_none_is_refused(name, words):
    with pytest.raises(ValueError, match=f"--arms {name.replace('+', '.')}: {words}"):
        cells_of("--arms", name)


def test_every_source_runs_alone_with_the_thesis_augmentation_and_with_the_best_one():
    names = arms.arm_names(None, "elastic")
    assert names[:6] == [
        *("plain", "suitable", "elastic"),
        *("deformation", "deformation+suitable", "deformation+elastic"),
    ]
    assert names[-3:] == ["deformation+mild-thickness", "elastic+3", "deformation+elastic+3"]
    assert len(names) == 3 * (1 + USUAL) + 3 == len(set(names))
    assert not [name for name in names if "deformation-low" in name]  # a variant runs where --arms names it
    assert arms.arm_names(None, "mild-thickness").count("deformation+mild-thickness") == 1
    assert arms.arm_names(["vae", "stroke"], "stroke") == ["stroke", "vae"]  # without the best there is no gain
    assert arms.arm_names(None, "suitable")[:4] == ["plain", "suitable", "deformation", "deformation+suitable"]


def test_a_generator_of_one_size_and_seed_serves_all_arms_and_classifiers():
    cells = cells_of("--sizes", "5", "--seeds", "2")
    kinds = pd.Series([key.split("/")[0] for key in cells]).value_counts().to_dict()
    assert kinds == {
        "classifiers": 2 * 2 * (3 * (1 + USUAL) + 3),
        "gen": 2 * 10,
        "cglo": 2 * 2,
        "models": 2 * 3,
        "cdc": 2 * 2,
        "rbm": 2 * 2,
        "deform": 2 * 2,
    }
    both = cells["classifiers/thesis-5-vae-and-deformation+stroke-seed42"]
    assert (flag(both, "--aug"), flag(both, "-limtr"), flag(both, "--protocol")) == ("stroke", 5, "fair")
    assert (flag(both, "--deform"), flag(both, "-vae")) == (
        PurePosixPath("deform/deformation-5-seed42"),
        PurePosixPath("gen/vae-5-seed42"),
    )
    assert set(both.needs) == {"data", "deform/deformation-5-seed42", "gen/vae-5-seed42"}
    assert both.facts["entry"] == "vae-and-deformation+stroke"
    every = cells["deform/deformation-all-5-seed42"].flags
    assert {"--affine", "--appearance"} <= set(every)
    assert not {"--affine", "--appearance"} & set(cells["deform/deformation-5-seed42"].flags)
    deformed = cells["models/vae-of-deformed-5-seed43"]
    assert (flag(deformed, "-path"), flag(deformed, "--images")) == (PurePosixPath("gen/deformed-5-seed43"), DEFORMED)
    assert "data" not in deformed.needs
    between = cells["cglo/cglo-of-deformed-5-seed43"]
    assert (flag(between, "-path"), flag(between, "--images")) == (PurePosixPath("gen/deformed-5-seed43"), DEFORMED)
    assert cells["gen/cglo-of-deformed-5-seed43"].needs == ("cglo/cglo-of-deformed-5-seed43",)
    assert "--aug" not in cells["classifiers/thesis-5-plain-seed42"].flags


def test_chains_start_from_the_images_of_the_classifier_and_their_models_learn_no_others():
    cells = cells_of("--sizes", "5", "--seeds", "1", "--arms", "rbm", "g-rbm", "vae-chains+stroke")
    models = {"rbm": "rbm/bad-50-seed42", "g-rbm": "rbm/good-50-seed42", "vae-chains": "models/vae-chains-5-seed42"}
    for source, model in models.items():
        chains = cells[f"gen/{source}-5-seed42"]
        assert (flag(chains, "-models"), flag(chains, "--sampler")) == (PurePosixPath(model), "chain")
        assert (flag(chains, "--labelled"), flag(chains, "--chain-length"), flag(chains, "--seed")) == (5, 500, 42)
        assert flag(cells[model], "--images") == 5
    vae = cells["models/vae-chains-5-seed42"]
    assert {"--joint", "--binarise", "--train-on-all"} <= set(vae.flags)
    assert (flag(vae, "--latent"), flag(vae, "--objective"), flag(vae, "--epochs")) == (20, "elbo", 1000)
    few = cells_of("--arms", "vae-chains", "--epochs", "7")["models/vae-chains-5-seed42"]
    assert flag(few, "--epochs") == 7


def test_the_number_of_pages_is_that_of_the_flag_if_there_is_one():
    key = "classifiers/thesis-5-vae-seed42"
    assert "-e" not in cells_of("--arms", "vae")[key].flags
    assert flag(cells_of("--arms", "vae", "-e", "20")[key], "-e") == 20


def test_the_default_pairs_can_decide_on_every_generator():
    args = study.parse_args(contest.STUDY, [])
    judged = claims.judged(arms.arm_names(args.arms, args.best), args.best)
    assert len(judged) == 1 + sum(source.learned and not source.variant for source in arms.SOURCES.values())
    assert (
        len(judged) * 2 / 2 ** (args.seeds * len(args.sizes)) < statistics.ALPHA
    )  # Holm's first step, all pairs positive


@pytest.mark.parametrize("flags", [(), ("--size", "8", "8", "--deterministic"), ("--best", "photographs")])
def test_every_command_line_parses(flags):
    cells = cells_of("--seeds", "1", *flags)
    for cell in cells.values():
        SCRIPTS[cell.script].parse_args([str(item) for item in cell.flags])
    assert all(cell.work > 0 for cell in cells.values())


def test_the_work_of_a_deformation_is_that_of_its_pairs():
    cells = cells_of("--arms", "deformation", "--sizes", "5", "50", "--seeds", "1")
    few, many = (cells[f"deform/deformation-{size}-seed42"].work - cost.START for size in (5, 50))
    assert few == pytest.approx(10 * 20 * cost.PAIR)
    assert many == pytest.approx(10 * 100 * cost.PAIR)


def test_averages_of_networks_and_views_are_flags_of_the_classifiers():
    cells = cells_of("--arms", "stroke+3", "vae", "--sizes", "5", "--seeds", "1", "--models", "thesis", "--views", "4")
    three, one, vae = (cells[f"classifiers/thesis-5-{arm}-seed42"] for arm in ("stroke+3", "stroke", "vae"))
    assert (flag(three, "--networks"), flag(three, "--views"), flag(one, "--views")) == (3, 4, 4)
    assert "--networks" not in one.flags
    assert "--views" not in vae.flags  # nothing transforms its images
    assert 2.5 < three.work / one.work < 3
    none = cells_of("--arms", "stroke", "--sizes", "5", "--seeds", "1", "--models", "thesis", "--views", "0")
    assert "--views" not in none["classifiers/thesis-5-stroke-seed42"].flags


def test_another_protocol_and_more_images_than_there_are_are_refused():
    with pytest.raises(ValueError, match="--protocol published: the contest has one, fair"):
        cells_of("--protocol", "published")
    with pytest.raises(ValueError, match="--sizes 9: class 3 has 8 training images"):
        cells_of("--sizes", "5", "9", classes={"1": 20, "3": 8})


def frame(**scores):
    """Rows as `results.collect` gives them: per arm, with _ for +, a list of F1, one per seed."""
    rows = [
        {"model": "thesis", "per_class": 5, "size": 50, "entry": arm.replace("_", "+"), "seed": seed, "f1": f1}
        for arm, values in scores.items()
        for seed, f1 in enumerate(values, 42)
    ]
    return pd.DataFrame(rows).assign(seconds=10.0, command="train", views=np.nan)


def board(rows, best="stroke", made=None):
    return tables.leaderboard(rows, "thesis", 5, best, made or {})


def test_arms_are_ranked_by_their_mean_and_gains_are_paired():
    rows = frame(stroke=[0.90, 0.92], vae_stroke=[0.91, 0.95], suitable=[0.86, 0.87], plain=[0.7])
    table = board(rows)
    assert table.frame["arm"].tolist() == ["vae+stroke", "stroke", "suitable", "plain"]
    assert table.frame["rank"].tolist() == [1, 2, 3, 4]
    assert table.frame["gain over stroke"][0].startswith("+2.00 [")
    assert table.frame["gain over stroke"][0].endswith("], 2 of 2 seeds")
    assert table.frame["gain over stroke"][1:].tolist()[0] == ""
    assert table.frame["gain over stroke"][3] == "-20.00, 0 of 1 seeds"
    assert table.frame["gain over suitable"][1].startswith("+4.50 [")
    assert table.tidy["mean"].tolist() == pytest.approx([93, 91, 86.5, 70])
    assert table.tidy["pairs"].tolist() == [2, 0, 2, 1]
    assert "seeds 0 and 1" in table.note


def test_views_are_a_column_of_their_own_and_rank_nothing():
    rows = frame(stroke=[0.90, 0.92], stroke_3=[0.93, 0.93], plain=[0.7, 0.7])
    assert "over views" not in board(rows).frame
    rows["views"] = [0.96, 0.98, 0.91, 0.91, np.nan, np.nan]
    table = board(rows).frame
    assert table["arm"].tolist() == ["stroke+3", "stroke", "plain"]
    assert [text.split(" ")[0] for text in table["over views"]] == ["91.00", "97.00", ""]


def test_the_time_of_a_generator_is_that_of_all_that_it_needs():
    rows = frame(**{"stroke": [0.9], "vae-of-deformed_stroke": [0.8], "vae-and-deformation": [0.7], "mixup": [0.6]})
    made = {("deformation", 5, 42): 30, ("deformed", 5, 42): 2, ("vae-of-deformed", 5, 42): 100}
    made |= {("vae", 5, 42): 7, ("vae", 10, 42): 9}
    assert board(rows, made=made).frame["seconds of the generator"].tolist() == ["", "132", "37", ""]
    del made["deformation", 5, 42]  # what is not known in full is not known
    assert board(rows, made=made).frame["seconds of the generator"].tolist() == [""] * 4


def test_the_time_of_an_rbm_is_that_of_the_source_that_it_serves(monkeypatch):
    def records(root, kind, whole):
        assert not whole  # models need not be there
        rbm = [{"generator": name, "available": 50, "seed": 42} for name in ("b-rbm", "g-rbm")]
        gen = [{"source": name, "per_class": 5, "seed": 42} for name in ("rbm", "g-rbm", "vae-chains")]
        found = {"rbm": zip(rbm, (30, 200), strict=True), "gen": zip(gen, (1, 2, 4), strict=True)}
        return [("key", {"facts": facts, "seconds": seconds}) for facts, seconds in found.get(kind, ())]

    monkeypatch.setattr(tables.results, "records", records)
    found = tables.seconds_of_generators("grid", 10)
    assert found == {("rbm", 5, 42): 31, ("g-rbm", 5, 42): 202, ("vae-chains", 5, 42): 4}


WORDS = "On digits with 5 images per class and thesis "


def said(**scores):
    [text] = claims.lead(frame(**scores), "stroke", "digits")
    return text


def test_the_first_sentence_says_whether_a_generator_wins():
    best = [0.90, 0.91, 0.92, 0.90, 0.91]
    wins = said(stroke=best, vae_stroke=[x + 0.01 + k / 1000 for k, x in enumerate(best)], mixup_stroke=[0.8] * 5)
    assert wins.startswith(f"{WORDS}a generator wins: vae+stroke over stroke, +1.20 points of macro F1, 5 pairs, 95 %")
    assert "the best of" not in wins  # there is one arm with a generator
    assert said(stroke=best, vae=[0.5] * 5).startswith(
        f"{WORDS}no generator with 5 pairs wins: the best is vae over stroke, -40.80"
    )
    assert said(stroke=best, vae=[0.95, 0.86] * 2 + [0.91]).startswith(f"{WORDS}it is open whether a generator wins")
    three = said(stroke=best, vae_stroke=best, vae_stroke_3=[x + 0.05 for x in best])
    assert three.startswith(f"{WORDS}it is open whether a generator wins: the best is vae+stroke over stroke, +0.00")
    assert said(stroke=best, mixup=best) == f"{WORDS}no arm with a generator was run beside stroke."


def test_a_generator_has_to_beat_whatever_does_best_without_one():
    best, better, learned = np.full(5, 0.80), np.full(5, 0.86), 0.84 + np.arange(5) / 1000
    text = said(stroke=best, mixup_stroke=better, vae_stroke=learned, mild_3=np.full(5, 0.99))
    assert text.startswith(f"{WORDS}no generator with 5 pairs wins: the best is vae+stroke over mixup+stroke, -1.80 ")
    assert ". Here mixup+stroke does better than stroke, +6.00 points, 5 pairs, 95 % interval +6.0 to" in text
    shown = board(frame(stroke=best, mixup_stroke=better, vae_stroke=learned))
    assert [text.split(" ")[0] for text in shown.frame["gain over mixup+stroke"]] == ["", "-1.80", "-6.00"]
    assert [text.split(" ")[0] for text in shown.frame["gain over stroke"]] == ["+6.00", "+4.20", ""]
    assert shown.tidy["over"].tolist() == ["mixup+stroke"] * 3
    # In a grid that is still running, the others may have fewer seeds than --best.
    for few in (3, 4):
        text = said(stroke=best, mixup_stroke=better[:few], vae_stroke=learned)
        assert text.startswith(f"{WORDS}it is open whether a generator wins: the best is vae+stroke over mixup+stroke")
    # One seed does not take the place of an arm with five ...
    text = said(stroke=best, mild=best + 0.01, mixup_stroke=better[:1], vae_stroke=learned)
    assert f"{WORDS}a generator wins: vae+stroke over mild" in text
    # ... nor does an arm with which no generator has a seed in common.
    apart = frame(stroke=best, vae_stroke=learned)
    apart = pd.concat([apart, frame(stroke=best, mixup=better).assign(seed=lambda rows: rows["seed"] + 5)])
    [text] = claims.lead(apart, "stroke", "digits")
    assert text.startswith(f"{WORDS}a generator wins: vae+stroke over stroke, +4.20")


@pytest.mark.parametrize("pairs", [1, 2, 4])
@pytest.mark.parametrize("gain", [-0.02, 0.02])
def test_fewer_than_five_pairs_decide_nothing(pairs, gain):
    best = [0.90, 0.91, 0.92, 0.90][:pairs]
    text = said(stroke=best, vae=[x + gain + k / 1000 for k, x in enumerate(best)])
    assert text.startswith(f"{WORDS}it is open whether a generator wins: the best is vae over stroke")


def test_an_arm_with_one_pair_does_not_hide_one_with_ten():
    best = [0.90, 0.91] * 5
    text = said(stroke=best, vae=[x + 0.01 for x in best], smote=[best[0] + 0.02])
    assert text.startswith(f"{WORDS}a generator wins: vae over stroke, +1.00 points of macro F1, 10 pairs")
    assert "the best of" not in text  # the other arm has too few pairs to be compared
    # ... and an arm that is ahead with two pairs is none of which no generator wins.
    text = said(stroke=best, vae=[x - 0.01 for x in best], smote=[x + 0.03 for x in best[:2]])
    assert text.startswith(f"{WORDS}no generator with 5 pairs wins: the best is vae over stroke, -1.00")
    # From five pairs on the mean decides, not the number of pairs.
    text = said(stroke=best, vae=[x + 0.01 for x in best], smote=[x + 0.02 for x in best[:5]])
    assert text.startswith(f"{WORDS}a generator wins: smote over stroke, +2.00 points of macro F1, 5 pairs")
    assert text.endswith(", the best of 2 arms with a generator that have 5 pairs or more.")


def test_a_verdict_needs_eight_pairs():
    rng = np.random.default_rng(0)
    best = 0.9 + 0.01 * rng.random(8)
    better = best + 0.005 + 0.001 * rng.random(8)
    [claim] = claims.judge(frame(stroke=best, deformation_stroke=better, plain=best), "stroke")
    assert claim.text == "deformation+stroke beats stroke (thesis)"
    assert claim.verdict == "holds"
    [claim] = claims.judge(frame(stroke=best[:5], deformation_stroke=better[:5]), "stroke")
    assert claim.verdict == "not decided"
    assert "at least 8 are needed" in claim.evidence
    assert claims.judge(frame(plain=best, vae_stroke=best), "stroke") == []
    [claim] = claims.judge(frame(stroke=best, deformation_stroke=better, mixup=better), "stroke")
    assert "without a generator, mixup does better than stroke" in claim.evidence


def test_the_arms_that_are_judged():
    names = ["stroke", "vae", "vae+stroke", "deformation", "deformation+mild-thickness", "deformation+stroke"]
    found = claims.judged([*names, "deformation-all", "cglo+mild", "cglo", "mixup+stroke", "smote+stroke+3"], "stroke")
    assert found == [
        *("deformation+mild-thickness", "deformation+stroke", "deformation-all"),
        *("vae+stroke", "cglo+mild", "cglo"),
    ]


def test_a_tiny_contest_runs_and_ranks(tmp_path, monkeypatch):
    write_digits(tmp_path / "data", side=8)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(study, "make_pool", lambda args, root: InThisProcess(root))
    flags = ["--sizes", "3", "--models", "fc1", "--seeds", "1", "--steps", "1", "--out", "grid"]
    flags += ["--best", "mild", "--arms", "deformation+mild", "mild+2", "--views", "2"]
    ended = reproduce_here("contest", "-path", "data", *flags)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    ranked = pd.read_csv(tmp_path / "grid/report/tables/leaderboard-fc1-3.csv")
    assert set(ranked["arm"]) == {"mild", "deformation+mild", "mild+2"}
    assert ranked["views"].between(0, 100).all()
    assert "it is open whether a generator wins" in (tmp_path / "grid/report/report.html").read_text()
