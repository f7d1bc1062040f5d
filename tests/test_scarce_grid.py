"""The scarce paper's cells: how many, what they share, how they are named, what they are told."""

from pathlib import PurePosixPath

import pytest

import generate
import train_cnn
import train_rbm
import train_vae
from experiments import scarce, study
from experiments.scarce.grid import Grid, vae_epochs

DIGITS = {str(digit): 150 for digit in range(10)}
MNIST = dict.fromkeys(DIGITS, 5421)


def cells_of(*flags, classes=MNIST):
    return Grid(study.parse_args(scarce.STUDY, ["--dataset", "digits", *flags]), classes).cells


def keys(cells, start=""):
    return [key for key in cells if key.startswith(start)]


def flag(cell, name):
    return cell.flags[cell.flags.index(name) + 1]


def test_one_column_of_table_1_is_three_cells():
    line = "--scenario 10 --models fc1 --generators b-rbm --chain-length 500 --labels y --seeds 1 --parts tables"
    cells = cells_of(*line.split())
    assert list(cells) == [
        "classifiers/fair-fc1-10-seed42",
        "rbm/bad-100-seed42",
        "classifiers/fair-fc1-10-b-rbm-chain500-y-seed42",
    ]
    baseline, rbm, chain = cells.values()
    assert (flag(rbm, "--images"), flag(rbm, "--preset")) == (10, "bad")
    assert flag(chain, "-chain") == PurePosixPath("rbm/bad-100-seed42")
    assert [flag(chain, name) for name in ("-limtr", "--chain-length", "--labels")] == [1, 500, "y"]
    assert chain.needs == ("data", "rbm/bad-100-seed42")
    assert "-chain" not in baseline.flags
    assert chain.facts == {
        "model": "fc1",
        "generator": "b-rbm",
        "chain_length": 500,
        "labels": "y",
        "labelled": 10,
        "available": 100,
    }


def test_persistent_chains_and_short_ones_are_asked_for_by_name():
    line = "--scenario 10 --models fc1 --generators b-rbm p-rbm --chain-length 20 --labels n --seeds 1 --parts tables"
    cells = cells_of(*line.split(), "--rbm-epochs", "3", "4")
    assert keys(cells, "rbm/") == ["rbm/bad-100-seed42", "rbm/persistent-100-seed42"]
    assert [flag(cells[key], "--epochs") for key in keys(cells, "rbm/")] == [3, 3]
    chain = cells["classifiers/fair-fc1-10-p-rbm-chain20-n-seed42"]
    assert flag(chain, "-chain") == PurePosixPath("rbm/persistent-100-seed42")
    assert all(cell.work > 0 for cell in cells.values())
    assert not keys(cells_of("--seeds", "1"), "rbm/persistent")


def test_the_papers_grid_shares_what_it_can():
    cells = cells_of("--protocol", "both", "--parts", "tables", "ladder")
    scenarios, seeds, models, chains = 3, 5, 3, 3 * 2 * 2
    # A generator serves all models, chain lengths, labelings and protocols.
    assert len(keys(cells, "rbm/")) == 2 * scenarios * seeds
    assert len(keys(cells, "vae/")) == scenarios * seeds
    for protocol in ("fair", "published"):
        assert len(keys(cells, f"classifiers/{protocol}-")) == scenarios * seeds * (models * (1 + chains) + 1)
    readers = [key for key, cell in cells.items() if "rbm/good-1000-seed43" in cell.needs]
    assert len(readers) == 2 * models * 4
    assert all("-100-g-rbm-" in key and key.endswith("seed43") for key in readers)


def test_the_ladder_network_sees_the_available_images_and_no_others():
    cells = cells_of("--scenario", "100", "--seeds", "1", "--parts", "ladder")
    assert list(cells) == ["classifiers/fair-ladder-100-seed42"]
    [cell] = cells.values()
    assert (flag(cell, "--unlabelled"), flag(cell, "--unlabelled-images")) == (PurePosixPath("data/train"), 100)
    assert (flag(cell, "-limtr"), flag(cell, "--model")) == (10, "ladder")
    assert cell.needs == ("data",)


def test_figures_take_the_generators_of_the_tables_and_one_vae_of_everything():
    tables = cells_of("--seeds", "1", "--parts", "tables")
    figures = cells_of("--seeds", "1", "--parts", "figures")
    assert set(keys(figures, "rbm/")) == set(keys(tables, "rbm/"))
    assert set(keys(figures, "vae/")) - set(tables) == {"vae/all-seed42"}
    assert figures["vae/all-seed42"].facts["available"] == 54210
    assert keys(figures, "strips/") == ["strips/vae-all-expectation-seed42"]
    assert len(keys(figures, "sheets/")) == 3 * 3 + 1
    sheet = figures["sheets/b-rbm-100-seed42"]
    assert [flag(sheet, name) for name in ("--count", "--chain-length", "--thin")] == [10, 500, 50]
    assert not keys(cells_of("--parts", "figures", "--generators", "b-rbm"), "vae/")


def test_every_cell_comes_after_what_it_needs_and_writes_under_its_key():
    seen = {"data"}
    for key, cell in cells_of("--seeds", "2", "--protocol", "both", "--models", "fc1", "thesis").items():
        assert key == cell.key
        assert set(cell.needs) <= seen
        seen.add(key)
        assert flag(cell, "-out" if cell.script == "generate" else "--out") == PurePosixPath(key)
        read = {"data" if str(path) == "data/train" else str(path) for path in cell.flags if path in read_by(cell)}
        assert read - {key} == set(cell.needs)
        assert cell.work > 0


def read_by(cell):
    return [item for item in cell.flags if isinstance(item, PurePosixPath)]


def test_a_seed_draws_the_same_images_for_all_and_seeds_come_one_after_another():
    cells = cells_of("--seeds", "3", "--scenario", "10", "100", "--parts", "tables", "ladder")
    seeds = [key.rpartition("seed")[2] for key in cells]
    assert seeds == sorted(seeds)
    for key, cell in cells.items():
        assert f"seed{flag(cell, '--seed')}" == key.rpartition("-")[2]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--scenario", "15"], "--scenario 15: not a multiple of the 10 classes"),
        (["--scenario", "10", "1000"], "--scenario 1000: 1000 available images a class, but class 0 has 150"),
    ],
)
def test_a_scenario_that_does_not_fit_is_named(flags, message):
    with pytest.raises(ValueError, match=message):
        cells_of(*flags, classes=DIGITS)


def test_flags_pass_through_to_the_steps_that_have_them():
    line = "--scenario 10 --models fc1 --seeds 1 --protocol both --steps 60 -e 6 -b 20 --limte 7 --epochs 8 "
    line += "--rbm-epochs 3 9 --precision mixed_bfloat16 --deterministic --devices cpu --size 28 28 --color grey"
    cells = cells_of(*line.split())
    for cell in cells.values():
        assert "--deterministic" in cell.flags
        assert flag(cell, "--devices") == "cpu"
        assert ("--color" in cell.flags) == (cell.script != "generate")  # chains take what their model learned from
    assert flag(cells["vae/100-seed42"], "--epochs") == 8
    assert [flag(cells[f"rbm/{preset}-100-seed42"], "--epochs") for preset in ("bad", "good")] == [3, 9]
    for protocol in ("fair", "published"):
        cell = cells[f"classifiers/{protocol}-fc1-10-vae-chain500-n-seed42"]
        assert flag(cell, "--steps") == 60
        assert [flag(cell, name) for name in ("-e", "-b", "-limte", "--precision")] == [6, 20, 7, "mixed_bfloat16"]


def test_every_cells_command_line_is_one_that_its_script_takes():
    scripts = {"train_rbm": train_rbm, "train_vae": train_vae, "generate": generate, "train_cnn": train_cnn}
    line = "--scenario 10 --seeds 1 --protocol both --models fc1 conv1 thesis --steps 60 -b 20 --rbm-epochs 3 9"
    for cell in cells_of(*line.split(), "--deterministic", "--size", "28", "28").values():
        args = scripts[cell.script].parse_args(cell.argv("grid"))
        assert args.out == f"grid/{cell.key}"


def test_a_vae_of_more_images_makes_fewer_passes():
    assert [vae_epochs(num) for num in (100, 1000, 10_000, 60_000, 10**6)] == [1000, 500, 50, 8, 1]


def test_quick_is_small_and_gives_way_to_flags():
    args = study.parse_args(scarce.STUDY, ["--quick", "--seeds", "3"])
    assert (args.dataset, args.scenario, args.models, args.seeds) == ("digits", [10], ["fc1"], 3)
    args = study.parse_args(scarce.STUDY, [])
    assert (args.dataset, args.scenario, args.chain_length, args.seeds) == ("mnist", [10, 100, 1000], [500, 1000], 5)
    assert args.parts == ["tables", "ladder", "figures"]
