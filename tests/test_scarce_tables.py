"""The scarce paper's tables and claims, against numbers read off the page and hand-made grids."""

import numpy as np
import pandas as pd
import pytest
from fake_grid import write_record, write_scarce

from experiments import scarce
from experiments.scarce import claims, tables
from report import page, results, statistics
from report.tables import has_numbers


def number(table, model, generator="", chain_length=0, labels=""):
    """The one published error that stands there."""
    rows = tables.numbers(f"scarce_{table}")
    rows = rows[(rows["model"] == model) & (rows["generator"] == generator) & (rows["labels"] == labels)]
    rows = rows[rows["chain_length"] == chain_length]
    assert len(rows) == 1
    return rows.iloc[0]


def test_published_numbers_are_those_on_the_page():
    assert number(1, "fc1")["value"] == 53.71
    assert number(1, "fc1", "b-rbm", 1000, "y")["value"] == 43.19
    assert number(1, "fc2", "g-rbm", 1000, "n")["value"] == 57.96
    assert number(1, "fc1", "vae", 1000, "y")["value"] == 84.48
    assert number(1, "conv1", "b-rbm", 500, "y")["value"] == 33.77
    assert number(1, "conv1", "vae", 1000, "n")["value"] == 41.47
    assert number(2, "fc2", "b-rbm", 1000, "y")["value"] == 18.66
    assert number(2, "conv1", "g-rbm", 500, "n")["value"] == 11.25
    assert number(2, "fc1", "vae", 500, "n")["value"] == 37.00
    assert number(3, "fc2", "g-rbm", 1000, "y")["value"] == 4.70
    assert number(3, "conv1")["value"] == 3.11
    assert number(3, "conv1", "vae", 500, "n")["value"] == 4.85
    four = tables.numbers("scarce_4").pivot(index="method", columns="labelled", values="value")
    assert four.loc["Ladder Network"].tolist() == [48.85, 24.74, 6.96]
    assert four.loc["RBM DA"].tolist() == [45.34, 18.66, 5.60]


def test_published_notes_say_where_chains_were_shorter():
    assert number(1, "conv1", "g-rbm", 1000, "y")["note"] == "chains of 850"
    assert number(1, "conv1", "g-rbm", 500, "y")["note"] == ""
    assert number(2, "conv1", "b-rbm", 500, "y")["note"] == "chains of 100"
    assert number(3, "fc1", "vae", 500, "n")["note"] == "chains of 100"
    dash = number(3, "fc1", "vae", 1000, "n")
    assert (dash["printed"], dash["note"]) == ("-", "a dash in the table")
    assert [len(tables.numbers(f"scarce_{k}")) for k in (1, 2, 3)] == [39] * 3


def test_table_4_repeats_numbers_of_the_tables_before_it():
    four = tables.numbers("scarce_4")
    for row in four[four["model"] == "fc2"].itertuples():
        table = tables.NUMBERS[row.labelled]
        assert number(table, "fc2", row.generator, row.chain_length, row.labels)["value"] == row.value
        if row.generator:
            fc2 = tables.numbers(f"scarce_{table}").query("model == 'fc2' and generator == 'b-rbm'")
            assert row.value == fc2["value"].min()


@pytest.fixture
def grid(tmp_path):
    """10 labels: the baseline with three seeds, B-RBM with three equal errors, the VAE with one seed, the ladder."""
    for seed, error in ((42, 0.50), (43, 0.54), (44, 0.61)):
        write_scarce(tmp_path, "fc1", 10, seed, error)
        write_scarce(tmp_path, "fc1", 10, seed, 0.4471, "b-rbm", 500, "y")
        write_scarce(tmp_path, "ladder", 10, seed, 0.48)
    write_scarce(tmp_path, "fc1", 10, 42, 0.52, "vae", 500, "n")
    return tmp_path


def row_of(table, chains, states="", labels=""):
    frame = table.frame
    frame = frame[
        (frame["chains of", ""] == chains) & (frame["states", ""] == states) & (frame["labels", ""] == labels)
    ]
    assert len(frame) == 1
    return frame.iloc[0]


def test_errors_stand_beside_the_published_ones(grid):
    frame = results.collect(grid, scarce.AXES)
    table = tables.scenario(frame, 10)
    low, high = (100 * x for x in statistics.summary([0.50, 0.54, 0.61])[-2:])
    row = row_of(table, "none (baseline)")
    assert row["FC1", "published"] == "53.71"
    # By hand: the mean is 55, the deviations -5, -1 and 6, so the variance 62 / 2.
    assert row["FC1", "obtained, fair"] == f"55.00 ± 5.57 (3) [{low:.2f}, {high:.2f}], in"
    row = row_of(table, "B-RBM", "500", "y")
    assert row["FC1", "obtained, fair"] == "44.71 ± 0.00 (3) [44.71, 44.71], in"
    assert (row["CONV1", "published"], row["CONV1", "obtained, fair"]) == ("33.77", "")
    assert row_of(table, "B-RBM", "500", "n")["FC1", "obtained, fair"] == ""
    assert row_of(table, "VAE", "500", "n")["FC1", "obtained, fair"] == "52.00 (1)"
    assert len(table.frame) == 13
    tidy = table.tidy[(table.tidy["model"] == "conv1") & (table.tidy["generator"] == "vae")]
    assert tidy["note"].tolist() == ["", "", "chains of 850", "chains of 850"]
    assert table.tidy["n"].sum() == 7


def test_only_the_scenario_that_was_run_has_numbers(grid):
    made = tables.all_tables(grid, results.collect(grid, scarce.AXES))
    assert [table.name for table in made if has_numbers(table)] == ["scarce-1", "scarce-4"]
    for table in made:
        page.write_table(table, grid / "tables")
    empty = tables.all_tables(grid / "nothing", results.collect(grid / "nothing", scarce.AXES))
    assert [table.name for table in empty] == ["scarce-1", "scarce-2", "scarce-3", "scarce-4", "scarce-rbm"]
    assert not any(map(has_numbers, empty))


def test_what_the_paper_has_not_joins_its_tables(grid):
    write_scarce(grid, "thesis", 10, 42, 0.4, "g-rbm", 500, "y")
    write_scarce(grid, "fc1", 10, 42, 0.3, "b-rbm", 50, "n")
    write_scarce(grid, "fc2", 10, 42, 0.25, "p-rbm", 20, "n")
    write_scarce(grid, "fc2", 30, 42, 0.2)
    made = {table.name: table for table in tables.all_tables(grid, results.collect(grid, scarce.AXES))}
    table = made["scarce-1"]
    row = row_of(table, "G-RBM", "500", "y")
    assert (row["the thesis' CNN", "published"], row["the thesis' CNN", "obtained, fair"]) == ("", "40.00 (1)")
    row = row_of(table, "B-RBM", "50", "n")
    assert (row["FC1", "published"], row["FC1", "obtained, fair"]) == ("", "30.00 (1)")
    row = row_of(table, "P-RBM (persistent)", "20", "n")
    assert (row["FC2", "published"], row["FC2", "obtained, fair"]) == ("", "25.00 (1)")
    places = table.frame["states"].tolist()
    assert places[:4] == ["", "50", "500", "500"]
    assert list(made)[3] == "scarce-30"
    assert made["scarce-30"].frame["FC2", "obtained, fair"].tolist() == ["20.00 (1)"]


def test_a_scenario_of_ladder_networks_alone_has_no_table_of_its_own(tmp_path):
    write_scarce(tmp_path, "ladder", 20, 42, 0.3)
    made = tables.all_tables(tmp_path, results.collect(tmp_path, scarce.AXES))
    assert [table.name for table in made] == ["scarce-1", "scarce-2", "scarce-3", "scarce-4", "scarce-rbm"]
    assert "20" in set(made[3].frame["labelled images"].astype(str))


def test_table_4_takes_the_setting_that_the_published_number_comes_from(grid):
    for length, error in ((500, 0.19), (1000, 0.18)):
        write_scarce(grid, "fc2", 100, 42, error, "b-rbm", length, "y", "published")
    write_scarce(grid, "fc2", 10, 42, 0.59)
    frame = tables.ladder(results.collect(grid, scarce.AXES)).frame.set_index("labelled images")
    assert frame.loc[10, ("ladder network", "obtained, fair")] == "48.00 ± 0.00 (3) [48.00, 48.00], out"
    assert frame.loc[10, ("baseline (FC2)", "obtained, fair")] == "59.00 (1)"
    assert frame.loc[100, ("RBM chains (FC2)", "obtained, published")] == "18.00 (1)"
    assert frame.loc[100, ("RBM chains (FC2)", "obtained, fair")] == ""


def test_how_far_rbms_came_is_read_off_their_monitors(tmp_path):
    for seed, errors in ((42, (0.3, 0.1)), (43, (0.3, 0.2))):
        key = f"rbm/good-100-seed{seed}"
        (tmp_path / key).mkdir(parents=True)
        table = {"epoch": [1, 2], "reconstruction_error": errors, "free_energy_gap": [np.nan] * 2}
        pd.DataFrame({**table, "pseudo_likelihood": [-90.0, -80.0]}).to_csv(tmp_path / key / "monitors.csv")
        facts = {"generator": "g-rbm", "available": 100, "seed": seed}
        write_record(tmp_path, key, facts, f"python train_rbm.py --out {key}")
    table = tables.convergence(tmp_path)
    [row] = table.frame.to_dict("records")
    assert (row["RBM"], row["preset"], row["epochs"]) == ("G-RBM", "good", "2")
    assert row["reconstruction error (a pixel)"].startswith("0.1500 ± 0.0707 (2)")
    assert row["free-energy gap (nats)"] == ""
    assert len(table.commands) == 2


def pairs(root, gains, one=("b-rbm", 500, "y"), other=(), labelled=10, model="fc1", protocol="fair"):
    """Two ways of one model, a seed a gain: `other` has error 0.5, `one` that much less."""
    for seed, gain in enumerate(gains, 42):
        write_scarce(root, model, labelled, seed, 0.5 - gain, *one, protocol=protocol)
        write_scarce(root, model, labelled, seed, 0.5, *other, protocol=protocol)


def verdicts(root):
    return {claim.text: claim for claim in claims.judge(results.collect(root, scarce.AXES))}


Y_BEATS_N = (
    "With 10 labels, the bad RBM's chains do better where the classifier decides which states to use (y beats n)"
)


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ([0.02] * 8, "holds"),  # p = 2/256
        ([-0.02] * 8, "does not hold"),
        ([0.02] * 7, "not decided"),  # seven pairs give no p below 0.01
        ([0.1, -0.1] * 4, "not decided"),
        ([0.0] * 8, "does not hold"),  # a tie: the interval ends below half of the published gain
    ],
)
def test_claims_are_judged_by_the_rule_of_the_thesis(tmp_path, gains, verdict):
    pairs(tmp_path, gains, other=("b-rbm", 500, "n"))
    claim = verdicts(tmp_path)[Y_BEATS_N]
    assert claim.verdict == verdict
    mean = 100 * np.mean(gains)
    assert claim.evidence.startswith(f"B-RBM y over B-RBM n: {mean:.2f} points of error (95 % interval ")
    assert "published 3.16, " in claim.evidence  # FC1: 47.87 less 44.71
    assert claim.source == "Maronas et al. 2018, section 2.2, Table 1"


def test_a_pair_is_a_scenario_and_seed_averaged_over_models_and_lengths(tmp_path):
    for model, length, gain in (("fc1", 500, 0.02), ("fc1", 1000, 0.04), ("fc2", 500, 0.06), ("thesis", 500, 0.5)):
        write_scarce(tmp_path, model, 10, 42, 0.5 - gain, "b-rbm", length, "y")
    for model in ("fc1", "fc2", "thesis"):
        write_scarce(tmp_path, model, 10, 42, 0.5)
    claim = verdicts(tmp_path)["Chains of the bad RBM improve the baseline"]
    # By hand: 2, 4 and 6 points; published 9.00 and 10.52 on FC1, 13.54 on FC2.
    assert claim.evidence.startswith("B-RBM y over baseline: 4.00 points of error (no interval, published 11.02, n = 1")
    assert claim.evidence.endswith("not run: B-RBM n over baseline.")
    assert claim.verdict == "not decided"


def test_the_ladder_network_is_compared_with_fc2(tmp_path):
    for seed in range(42, 50):
        write_scarce(tmp_path, "ladder", 10, seed, 0.5)
        write_scarce(tmp_path, "fc1", 10, seed, 0.1, "b-rbm", 500, "y")
        write_scarce(tmp_path, "fc2", 10, seed, 0.45, "b-rbm", 500, "y")
    claim = verdicts(tmp_path)["Chains of the bad RBM beat the ladder network"]
    assert claim.verdict == "holds"
    assert claim.evidence.startswith("B-RBM y over ladder network on FC2: 5.00 points of error")
    assert "published 3.51" in claim.evidence  # 48.85 less 45.34


def test_published_figures_hold_if_the_interval_contains_them(tmp_path):
    pairs(tmp_path, [0.16, 0.19] * 4, ("b-rbm", 1000, "y"), model="conv1")
    pairs(tmp_path, [0.04, 0.05] * 4, model="fc1")
    found = verdicts(tmp_path)
    assert found["With 10 labels, chains of 1,000 states from the bad RBM gain 17 points on CONV1"].verdict == "holds"
    more = found["With 10 labels, chains from the bad RBM gain more than 10 points on FC1 and on FC2"]
    assert more.verdict == "does not hold"
    assert "not run: B-RBM y over baseline on FC2" in more.evidence


def test_gains_shrink_with_more_labels_or_not(tmp_path):
    pairs(tmp_path, [0.10] * 8)
    text = "Chains of the bad RBM gain the more, the fewer labels there are"
    assert verdicts(tmp_path)[text].evidence.startswith("not run; at least ")
    pairs(tmp_path, [0.04] * 8, labelled=100)
    claim = verdicts(tmp_path)[text]
    assert claim.verdict == "holds"
    # FC1, 500 states: 53.71 - 44.71 less 26.56 - 21.34.
    assert claim.evidence.startswith("B-RBM y over baseline with 10 labels less that with 100: 6.00 points of error")


def test_deeper_against_shallower_at_100_labels(tmp_path):
    for seed in range(42, 50):
        write_scarce(tmp_path, "fc1", 100, seed, 0.20, "b-rbm", 500, "y")
        write_scarce(tmp_path, "fc2", 100, seed, 0.22, "b-rbm", 500, "y")
    claim = verdicts(tmp_path)["With 100 labels and chains of the bad RBM, the deeper FC2 beats FC1"]
    assert claim.verdict == "does not hold"


def test_protocols_are_judged_apart_and_nothing_run_is_said(tmp_path):
    pairs(tmp_path, [0.02] * 8, other=("b-rbm", 500, "n"))
    pairs(tmp_path, [-0.02] * 8, other=("b-rbm", 500, "n"), protocol="published")
    found = [claim for claim in claims.judge(results.collect(tmp_path, scarce.AXES)) if claim.text == Y_BEATS_N]
    assert [(claim.protocol, claim.verdict) for claim in found] == [("fair", "holds"), ("published", "does not hold")]
    others = verdicts(tmp_path)
    assert others["Chains of the bad RBM beat chains of the VAE"].evidence.startswith("not run")
    assert claims.judge(results.collect(tmp_path / "nothing", scarce.AXES)) == []


def test_the_lead_says_what_chains_did(tmp_path):
    pairs(tmp_path, [0.05, 0.07])
    frame = results.collect(tmp_path, scarce.AXES)
    assert claims.lead(frame) == [
        "Error in the fair protocol, lower being better: B-RBM y -6.0 points beside the baseline (2 pairs, 95 % "
        "interval -7.0 to -5.0)."
    ]
    assert claims.lead(frame[:0]) == ["No classifier is finished yet."]
