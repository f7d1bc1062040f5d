"""The papers' tables, against published numbers read off the page and a hand-made grid."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_grid import write_classifier, write_record

from experiments import scarce, thesis
from experiments.thesis import checks, more_models, published, tables
from report import results, statistics
from report.tables import has_numbers, read_published


def number(name, **where):
    """The one published number that `where` names."""
    table = published.read(name)
    for column, value in where.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0][next(c for c in ("value", "f1", "f1_percent", "val_loss", "outcome") if c in table)]


def test_published_numbers_are_those_on_the_page():
    assert number("ciarp_2", latent=3, size=50, method="CNN") == 76.30
    assert number("ciarp_2", latent=3, size=50, method="AUG+VAE") == 90.86
    assert number("ciarp_2", latent=8, size=500, method="AUG+VAE") == 98.41
    assert number("ciarp_2", latent=4, size=1000, method="VAE") == 97.38
    assert number("ciarp_2", latent=2, size=250, method="AUG") == 97.12
    assert number("thesis_6.1", images=5, epochs=500) == 424.05
    assert number("thesis_6.1", images=5000, epochs=50) == 144.31
    assert number("thesis_6.38", size=250, method="AUG+VAE") == 0.9797
    assert number("thesis_6.39", latent=4, size=50, method="VAE") == 0.8377
    assert number("thesis_6.39", latent=3, size=500, method="AUG+VAE") == 0.9846
    assert number("thesis_methods", table="6.3", metric="f1") == 0.7630
    assert number("thesis_methods", table="6.8", method="VAE", metric="loss") == 1.8515
    assert number("thesis_methods", table="6.28", method="NEW VAE", metric="f1") == 0.8489
    assert number("thesis_methods", table="6.37", method="AUG", metric="precision") == 0.9837
    assert number("thesis_per_class", table="6.4", **{"class": 5}, metric="f1") == 0.90
    assert number("ciarp_3", row="VAE", column="AUG") == "worse"


def test_every_published_number_says_where_it_stands():
    for path in [path for study in (scarce, thesis) for path in Path(study.__file__).parent.glob("published/*.csv")]:
        table = read_published(path.parent, path.stem)
        assert table[["source", "table", "section"]].notna().all(axis=None)
        assert set(table["source"]) <= {"thesis", "ciarp", "scarce"}


@pytest.fixture
def grid(tmp_path):
    """CNN with three seeds, VAE with one, AUG with three equal scores, nothing of AUG+VAE; all of 50 images."""
    for seed, f1 in zip((42, 43, 44), (0.70, 0.74, 0.81), strict=True):
        write_classifier(tmp_path, "cnn", 50, seed, f1)
        write_classifier(tmp_path, "aug", 50, seed, 0.861)
    write_classifier(tmp_path, "vae", 50, 42, 0.85, latent=3)
    return tmp_path


def row_of(made, **where):
    frame = made.frame
    for name, value in where.items():
        frame = frame[frame[name, ""] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def test_obtained_cells_have_mean_deviation_seeds_interval_and_a_verdict(grid):
    row = row_of(tables.ciarp_2(results.collect(grid, thesis.AXES)), latent=3, size=50)
    low, high = (100 * x for x in statistics.summary([0.70, 0.74, 0.81])[-2:])
    assert row["CNN", "published"] == "76.30"
    # By hand: the mean is 75, the deviations -5, -1 and 6, so the variance 62 / 2.
    assert row["CNN", "obtained, fair"] == f"75.00 ± 5.57 (3) [{low:.2f}, {high:.2f}], in"
    assert low < 75 < high
    assert row["VAE", "obtained, fair"] == "85.00 (1)"
    assert row["AUG", "obtained, fair"] == "86.10 ± 0.00 (3) [86.10, 86.10], in"
    assert row["AUG+VAE", "obtained, fair"] == ""


def test_cells_that_were_not_run_are_empty(grid):
    table = tables.ciarp_2(results.collect(grid, thesis.AXES))
    assert has_numbers(table)
    row = row_of(table, latent=2, size=50)
    assert row["VAE", "obtained, fair"] == ""
    assert row["CNN", "obtained, fair"].startswith("75.00")  # trained once for all latent dimensions
    row = row_of(table, latent=3, size=1000)
    assert [row[arm, "obtained, fair"] for arm in ("CNN", "VAE", "AUG", "AUG+VAE")] == [""] * 4
    assert (table.frame.columns.get_level_values(1) != "obtained, published").all()
    tidy = table.tidy[(table.tidy["size"] == 1000) & (table.tidy["method"] == "CNN")]
    assert (tidy["n"] == 0).all()
    assert tidy["mean"].isna().all()


def test_the_published_arm_without_generated_images_stands_in_every_latent_size(tmp_path):
    write_classifier(tmp_path, "aug+vae", 50, 42, 0.9, latent=2, protocol="published")
    write_classifier(tmp_path, "vae", 50, 42, 0.8, latent=2, protocol="published")
    table = tables.ciarp_2(results.collect(tmp_path, thesis.AXES))
    for latent in (2, 3, 4, 8):
        row = row_of(table, latent=latent, size=50)
        assert row["AUG+VAE", "obtained, published"] == "90.00 (1)"
        assert row["VAE", "obtained, published"] == ("80.00 (1)" if latent == 2 else "")


def test_old_and_new_vae_are_what_each_table_says(tmp_path):
    for arm, latent, f1 in (("vae-all", 2, 0.1), ("vae", 2, 0.2), ("vae", 3, 0.3)):
        write_classifier(tmp_path, arm, 50, 42, f1, latent=latent)
    frame = results.collect(tmp_path, thesis.AXES)
    first, second = (row_of(tables.feeding(frame, number), metric="f1") for number in ("6.28", "6.33"))
    assert first["OLD VAE", "obtained, fair"] == "0.1000 (1)"
    assert first["NEW VAE", "obtained, fair"] == second["OLD VAE", "obtained, fair"] == "0.2000 (1)"
    assert second["NEW VAE", "obtained, fair"] == "0.3000 (1)"
    average = tables.by_size(frame, 50, tables.BY_SIZE[50])
    assert row_of(average, table="6.5", metric="f1")["VAE", "obtained, fair"] == "0.1000 (1)"
    assert row_of(average, table="6.5", metric="support")["VAE", "obtained, fair"] == "7000 (1)"


def test_variants_stay_out_of_the_arms_tables(grid):
    write_classifier(grid, "aug", 50, 45, 0.1, variant="bad0")
    row = row_of(tables.ciarp_2(results.collect(grid, thesis.AXES)), latent=3, size=50)
    assert row["AUG", "obtained, fair"].startswith("86.10 ± 0.00 (3)")


def test_per_class_scores_come_from_the_confusion_matrices(tmp_path):
    write_classifier(tmp_path, "cnn", 50, 42, 0.7, confusion=[[3, 1], [2, 4]])
    write_classifier(tmp_path, "cnn", 50, 43, 0.7, confusion=[[4, 0], [0, 6]])
    frame = results.collect(tmp_path, thesis.AXES)
    table = next(table for table in tables.per_class(tmp_path, frame) if table.name == "thesis-6.2")
    row = row_of(table, **{"class": 0})
    assert row["precision", "published"] == "0.71"
    assert row["precision", "obtained, fair"] == "0.80 (2)"  # 3 / 5 and 1
    assert row["recall", "obtained, fair"] == "0.88 (2)"  # 3 / 4 and 1
    assert row["f1", "obtained, fair"] == "0.83 (2)"  # 6 / 9 and 1
    assert row_of(table, **{"class": 7})["f1", "obtained, fair"] == ""


def test_per_class_tables_name_the_commands_of_both_protocols(tmp_path):
    for protocol in ("fair", "published"):
        write_classifier(tmp_path, "cnn", 50, 42, 0.7, protocol=protocol)
    frame = results.collect(tmp_path, thesis.AXES)
    table = next(table for table in tables.per_class(tmp_path, frame) if table.name == "thesis-6.2")
    lines = [f"python train_cnn.py --out classifiers/{name}-cnn-50-seed42" for name in ("fair", "published")]
    assert table.commands == lines


def test_vae_loss_is_read_at_the_published_epochs(tmp_path):
    for seed, shift in ((42, 0), (43, 10)):
        folder = tmp_path / f"vae-loss/50-seed{seed}/0"
        folder.mkdir(parents=True)
        epochs = np.arange(1, 101)
        pd.DataFrame({"epoch": epochs, "loss": 0, "val_loss": 300.0 - epochs + shift}).to_csv(
            folder / "loss.csv", index=False
        )
        write_record(
            tmp_path, f"vae-loss/50-seed{seed}", {"images": 50, "seed": seed}, f"python train_vae.py --seed {seed}"
        )
    table = tables.vae_loss(tmp_path)
    row = row_of(table, images=50)
    assert row["5 epochs", "published"] == "374.40"
    assert row["5 epochs", "obtained"].startswith("300.00 ± 7.07 (2)")  # 295 and 305
    assert row["100 epochs", "obtained"].startswith("205.00 ± 7.07 (2)")
    assert row["250 epochs", "obtained"] == ""
    assert row_of(table, images=5)["5 epochs", "obtained"] == ""
    assert table.commands == ["python train_vae.py --seed 42", "python train_vae.py --seed 43"]


def test_an_empty_grid_makes_every_table_with_empty_cells(tmp_path):
    frame = results.collect(tmp_path, thesis.AXES)
    made = tables.all_tables(tmp_path, frame, {})
    names = [table.name for table in made]
    assert {"ciarp-2", "ciarp-3", "thesis-6.1", "thesis-6.38", "thesis-6.39"} < set(names)
    assert {f"thesis-6.{k}" for k in range(28, 38)} < set(names)
    assert len(names) == len(set(names))
    for table in made:
        obtained = [c for c in table.frame if isinstance(c, tuple) and "obtained" in c[1]]
        assert (table.frame[obtained] == "").all(axis=None)
        assert not has_numbers(table)


def test_other_models_and_chains_have_a_table_beside_the_thesis(grid):
    frame = results.collect(grid, thesis.AXES)
    assert more_models.all_tables(frame) == []
    write_classifier(grid, "cnn", 50, 42, 0.6, variant="fc1", model="fc1")
    write_classifier(grid, "cnn", 50, 42, 0.5, variant="binary", pixels="binary")
    write_classifier(grid, "chain", 50, 42, 0.8, variant="b-rbm-binary", generator="b-rbm", pixels="binary")
    write_classifier(grid, "chain", 50, 42, 0.9, variant="b-rbm", generator="b-rbm")  # beside grey images: not shown
    more = results.collect(grid, thesis.AXES)
    [table] = more_models.all_tables(more)
    names = ["classifier", "pixels", "arm", "generator"]
    shown = table.frame.set_index(names)["obtained, fair"]
    assert shown["FC1", "as they are", "CNN", ""] == "60.00 (1)"
    cnn = "the thesis' CNN"
    assert shown[cnn, "binary", "CNN", ""] == "50.00 (1)"
    assert shown[cnn, "binary", "CHAIN", "bad RBM"] == "80.00 (1)"
    assert shown[cnn, "as they are", "VAE", "VAE, 3D"] == "85.00 (1)"
    assert (cnn, "as they are", "CHAIN", "bad RBM") not in shown.index
    before, after = (tables.ciarp_2(rows).frame for rows in (frame, more))
    pd.testing.assert_frame_equal(before, after)


def history(losses, accuracies):
    return pd.DataFrame({"epoch": range(1, len(losses) + 1), "val_loss": losses, "val_accuracy": accuracies})


def test_the_rule_by_loss_stops_after_ten_epochs_without_a_lower_one():
    losses = [3.0, 2.0] + [2.0] * 9 + [1.0]  # epochs 3 to 11 are nine without a lower one, epoch 12 is lower
    accuracies = list(np.arange(12) / 100)
    assert checks.by_loss(history(losses, accuracies)) == accuracies[11]
    losses = [3.0, 2.0] + [2.0] * 10 + [1.0]  # ten: the lower one is never reached
    accuracies = list(np.arange(13) / 100)
    assert checks.by_loss(history(losses, accuracies)) == accuracies[1]


def test_selection_rules_are_read_off_the_same_trainings(tmp_path):
    curve = history([1.0, 0.5, 0.8], [0.60, 0.70, 0.65])
    write_classifier(tmp_path, "cnn", 50, 42, 0.69, protocol="published")
    write_classifier(tmp_path, "cnn", 50, 42, 0.7, protocol="published", variant="by-accuracy", history=curve)
    curve = history([0.5, 0.6, 0.8], [0.80, 0.90, 0.85])
    write_classifier(tmp_path, "vae", 50, 42, 0.89, latent=3, protocol="published", history=curve)
    write_classifier(tmp_path, "vae", 50, 42, 0.75, latent=3)
    frame = checks.selection_rules(tmp_path, results.collect(tmp_path, thesis.AXES)).frame
    assert list(frame["CNN"]) == ["70.00 (1)", "70.00 (1)", "70.00 (1)", "65.00 (1)", ""]
    assert list(frame["VAE"]) == ["90.00 (1)", "80.00 (1)", "90.00 (1)", "85.00 (1)", "76.00 (1)"]
    assert list(frame["AUG"]) == [""] * 5


def test_a_seed_with_several_latent_dimensions_counts_once(tmp_path):
    for latent, f1 in ((2, 0.69), (3, 0.79)):
        curve = history([1.0], [f1])
        write_classifier(tmp_path, "vae", 50, 42, f1, latent=latent, protocol="published", history=curve)
    write_classifier(tmp_path, "cnn", 50, 42, 0.6, protocol="published", variant="by-accuracy", history=curve)
    frame = checks.selection_rules(tmp_path, results.collect(tmp_path, thesis.AXES)).frame
    assert list(frame["VAE"]) == ["75.00 (1)", "74.00 (1)", "74.00 (1)", "74.00 (1)", ""]


@pytest.mark.parametrize(("loss", "equal"), [(0.5, "yes"), (0.5000001, "no")])
def test_the_released_arm_is_compared_number_for_number(tmp_path, loss, equal):
    write_classifier(tmp_path, "aug+vae", 50, 42, 0.9, latent=3, protocol="published")
    write_classifier(tmp_path, "aug", 50, 42, 0.9, protocol="published", variant="by-accuracy", loss=loss)
    write_classifier(tmp_path, "aug", 50, 43, 0.9, protocol="published", variant="by-accuracy")
    frame = checks.without_generated(tmp_path, results.collect(tmp_path, thesis.AXES)).frame
    assert list(frame["seed"]) == [42]
    assert list(frame["equal, confusion matrix included"]) == [equal]
