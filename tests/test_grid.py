"""The grid's cells: how many, what they share, how they are named, what they are told."""

from pathlib import PurePosixPath
from types import SimpleNamespace

import pytest

import generate
import train_cnn
import train_vae
from experiments import study, thesis
from experiments.thesis.grid import Grid
from grid import cost
from grid.graph import Graph, given

DIGITS = {str(digit): 150 for digit in range(10)}


def cells_of(*flags, classes=DIGITS):
    return Grid(study.parse_args(thesis.STUDY, ["--dataset", "digits", *flags]), classes).cells


def keys(cells, start=""):
    return [key for key in cells if key.startswith(start)]


def flag(cell, name):
    return cell.flags[cell.flags.index(name) + 1]


def test_one_size_one_latent_one_seed_is_seven_cells_and_what_others_need_comes_first():
    cells = cells_of("--sizes", "50", "--latent", "3", "--seeds", "1", "--parts", "arms")
    assert list(cells) == [
        "models/50-latent3-part1-seed42",
        "models/50-latent3-part2-seed42",
        "gen/50-latent3-seed42",
        "classifiers/fair-vae-50-latent3-seed42",
        "classifiers/fair-aug+vae-50-latent3-seed42",
        "classifiers/fair-cnn-50-seed42",
        "classifiers/fair-aug-50-seed42",
    ]
    parts = [cells[f"models/50-latent3-part{k}-seed42"] for k in (1, 2)]
    assert [flag(cell, "--part") for cell in parts] == ["1/2", "2/2"]
    assert cells["gen/50-latent3-seed42"].needs == tuple(cell.key for cell in parts)
    assert "-models models/50-latent3-part1-seed42 models/50-latent3-part2-seed42 -out" in cells[
        "gen/50-latent3-seed42"
    ].command(".")


def test_up_to_five_classes_are_one_cell_of_vaes():
    line = "--sizes", "50", "--latent", "3", "--seeds", "1", "--parts", "arms"
    cells = cells_of(*line, classes=dict.fromkeys(list(DIGITS)[:5], 50))
    assert keys(cells, "models/") == ["models/50-latent3-seed42"]
    assert "--part" not in cells["models/50-latent3-seed42"].flags
    cells = cells_of(*line, classes=dict.fromkeys([str(k) for k in range(25)], 50))
    assert len(keys(cells, "models/")) == len(cells["gen/50-latent3-seed42"].needs) == 5


def test_the_papers_grid_shares_what_it_can():
    cells = cells_of("--protocol", "both", "--parts", "arms", classes=dict.fromkeys(DIGITS, 5421))
    sizes, latents, seeds = 5, 4, 10
    assert len(keys(cells, "models/")) == 2 * len(keys(cells, "gen/")) == 2 * sizes * latents * seeds
    # Fair: CNN and AUG once, VAE and AUG+VAE a latent. Published: AUG+VAE once too, for it sees no generated image.
    assert len(keys(cells, "classifiers/fair-")) == sizes * seeds * (2 + 2 * latents)
    assert len(keys(cells, "classifiers/published-")) == sizes * seeds * (3 + latents)
    readers = [key for key, cell in cells.items() if "gen/50-latent2-seed42" in cell.needs]
    assert sorted(readers) == [
        "classifiers/fair-aug+vae-50-latent2-seed42",
        "classifiers/fair-vae-50-latent2-seed42",
        "classifiers/published-aug+vae-50-seed42",
        "classifiers/published-vae-50-latent2-seed42",
    ]


def test_only_the_thesis_own_classifier_is_fed_no_generated_image():
    flags = ("--sizes", "50", "--latent", "2", "3", "--seeds", "1", "--arms", "aug+vae", "--protocol", "published")
    cells = cells_of(*flags, "--parts", "arms", "--models", "thesis", "fc1")
    assert keys(cells, "classifiers/") == [
        "classifiers/published-aug+vae-50-seed42",
        "classifiers/published-aug+vae-fc1-50-latent2-seed42",
        "classifiers/published-aug+vae-fc1-50-latent3-seed42",
    ]


def test_every_cell_comes_after_what_it_needs_and_writes_under_its_key():
    cells = cells_of("--sizes", "50", "100", "--latent", "2", "3", "--seeds", "2", "--protocol", "both")
    seen = {"data"}
    for key, cell in cells.items():
        assert key == cell.key
        assert set(cell.needs) <= seen
        seen.add(key)
        out = flag(cell, "-out" if cell.script == "generate" else "--out")
        assert out == PurePosixPath(key)
        read = {str(item) for item in cell.flags if isinstance(item, PurePosixPath)} - {key}
        assert read == set(cell.needs)
        assert cell.work > 0


def test_arms_of_one_seed_share_the_subset_and_seeds_do_not():
    cells = cells_of("--sizes", "50", "--latent", "3", "--seeds", "3", "--parts", "arms")
    for seed in (42, 43, 44):
        mine = [cell for key, cell in cells.items() if key.endswith(f"seed{seed}")]
        assert len(mine) == 7
        assert {flag(cell, "--seed") for cell in mine} == {seed}
        assert {flag(cell, "-limtr") for cell in mine if cell.script == "train_cnn"} == {5}
        assert {flag(cell, "--images") for cell in mine if cell.script == "train_vae"} == {5}


def test_seeds_come_one_after_another_so_that_a_stopped_grid_is_a_smaller_one():
    cells = cells_of("--sizes", "50", "100", "--latent", "3", "--seeds", "3", "--parts", "arms")
    seeds = [key.rpartition("seed")[2] for key in cells]
    assert seeds == sorted(seeds)


def test_sizes_are_totals_unless_they_are_said_to_be_images_a_class():
    totals = cells_of("--sizes", "50", "--latent", "3", "--seeds", "1", "--parts", "arms")
    a_class = cells_of("--sizes", "5", "--per-class", "--latent", "3", "--seeds", "1", "--parts", "arms")
    assert totals == a_class


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--sizes", "55"], "--sizes 55: not a multiple of the 10 classes"),
        (["--sizes", "2000"], "--sizes 2000: 200 images a class, but class 0 has 150"),
        (["--sizes", "151", "--per-class"], "--sizes 151: 151 images a class, but class 0 has 150"),
        (["--sizes", "10"], "--sizes 10: a VAE needs at least 2 images a class"),
    ],
)
def test_a_size_that_does_not_fit_is_named(flags, message):
    with pytest.raises(ValueError, match=message):
        cells_of(*flags)


def test_one_image_a_class_is_enough_without_a_vae():
    cells = cells_of("--sizes", "10", "--arms", "cnn", "aug", "--seeds", "1", "--parts", "arms")
    assert list(cells) == ["classifiers/fair-cnn-10-seed42", "classifiers/fair-aug-10-seed42"]


def test_flags_pass_through_to_the_steps_that_have_them():
    line = "--sizes 50 --latent 3 --seeds 1 --protocol both --parts arms --steps 60 -e 6 --limte 7 --epochs 8 --count 9"
    line += " --precision mixed_bfloat16 --deterministic --devices cpu --size 28 28 --color grey"
    cells = cells_of(*line.split())
    for cell in cells.values():
        assert "--deterministic" in cell.flags
        assert flag(cell, "--devices") == "cpu"
        assert ("--color" in cell.flags) == (cell.script != "generate")
    assert flag(cells["models/50-latent3-part1-seed42"], "--epochs") == 8
    assert flag(cells["gen/50-latent3-seed42"], "--count") == 9
    fair, published = (cells[f"classifiers/{protocol}-cnn-50-seed42"] for protocol in ("fair", "published"))
    assert flag(fair, "--steps") == 60
    assert "--steps" not in published.flags
    for cell in (fair, published):
        assert flag(cell, "-e") == 6
        assert flag(cell, "-limte") == 7
        assert flag(cell, "--precision") == "mixed_bfloat16"


def test_every_cells_command_line_is_one_that_its_script_takes():
    scripts = {"train_vae": train_vae, "generate": generate, "train_cnn": train_cnn}
    arms = ["--arms", "cnn", "vae", "aug", "aug+vae", "vae-all", "--deterministic", "--size", "28", "28"]
    for cell in cells_of("--sizes", "50", "--latent", "2", "--seeds", "1", "--protocol", "both", *arms).values():
        args = scripts[cell.script].parse_args(cell.argv("grid"))
        assert args.out == f"grid/{cell.key}"


def test_parts_add_their_cells():
    common = ["--sizes", "50", "100", "--latent", "3", "--seeds", "2", "--protocol", "published", "--parts"]
    checks = cells_of(*common, "checks")
    assert sorted(checks) == [
        f"classifiers/published-{arm}-by-accuracy-{size}-seed{seed}"
        for arm in ("aug", "cnn")
        for size in (100, 50)
        for seed in (42, 43)
    ]
    assert {flag(cell, "--select") for cell in checks.values()} == {"accuracy"}
    lessons = cells_of(*common, "augmentation")
    assert len(lessons) == 6 * 2
    assert [flag(cell, "--bad") for cell in lessons.values()] == [0, 1, 2, 3, 4, 5] * 2
    assert {flag(cell, "-limtr") for cell in lessons.values()} == {5}
    loss = cells_of(*common, "vae-loss")  # 500 and 5,000 images are more than class 0 has
    assert list(loss) == [f"vae-loss/{num}-seed{seed}" for num in (5, 50) for seed in (42, 43)]
    spaces = cells_of(*common, "latent-spaces")
    assert [flag(cell, "--objective") for cell in spaces.values()] == ["reconstruction", "kl", "thesis"]
    assert len(cells_of(*common, "checks", "vae-loss")) == len(checks) + len(loss)


def test_fair_alone_needs_no_checks_of_the_published_protocol():
    assert cells_of("--sizes", "50", "--seeds", "1", "--parts", "checks") == {}


def test_all_generated_images_at_once_is_an_arm_of_its_own():
    cells = cells_of("--sizes", "50", "--latent", "2", "--seeds", "1", "--arms", "vae-all", "--parts", "arms")
    cell = cells["classifiers/fair-vae-all-50-latent2-seed42"]
    assert flag(cell, "--injection") == "all"
    assert cell.facts == {"arm": "vae-all", "latent": 2, "variant": ""}


def test_other_models_train_in_every_arm_and_stay_out_of_the_thesis_tables():
    line = "--sizes 50 --latent 3 --seeds 1 --parts arms --arms cnn vae --models thesis fc1"
    cells = cells_of(*line.split())
    assert list(cells) == [
        "models/50-latent3-part1-seed42",
        "models/50-latent3-part2-seed42",
        "gen/50-latent3-seed42",
        "classifiers/fair-vae-50-latent3-seed42",
        "classifiers/fair-vae-fc1-50-latent3-seed42",
        "classifiers/fair-cnn-50-seed42",
        "classifiers/fair-cnn-fc1-50-seed42",
    ]
    cell = cells["classifiers/fair-vae-fc1-50-latent3-seed42"]
    assert flag(cell, "--model") == "fc1"
    assert cell.facts == {"arm": "vae", "latent": 3, "variant": "fc1", "model": "fc1"}
    assert "--model" not in cells["classifiers/fair-vae-50-latent3-seed42"].flags


def test_chains_of_an_rbm_are_arms_of_their_own():
    line = "--sizes 50 --seeds 1 --parts arms --arms chain aug+chain --generators b-rbm g-rbm --protocol both"
    cells = cells_of(*line.split())
    assert keys(cells, "rbm/") == ["rbm/bad-50-seed42", "rbm/good-50-seed42"]
    assert len(cells) == 2 + 2 * 2 * 2
    cell = cells["classifiers/published-aug+chain-g-rbm-binary-50-seed42"]
    assert flag(cell, "-chain") == PurePosixPath("rbm/good-50-seed42")
    assert (flag(cell, "--chain-length"), flag(cell, "--labels")) == (500, "y")
    assert "--aug" in cell.flags
    assert flag(cells["rbm/good-50-seed42"], "--images") == 5


def test_with_chains_every_arm_is_trained_on_binary_images_too():
    line = "--sizes 50 --seeds 1 --latent 3 --parts arms --arms cnn vae chain --models thesis fc1".split()
    cells = cells_of(*line)
    binary = {key for key, cell in cells.items() if "--binarise" in cell.flags}
    assert binary == {
        f"classifiers/fair-{name}-seed42"
        for model in ("", "fc1-")
        for name in (f"cnn-{model}binary-50", f"vae-{model}binary-50-latent3", f"chain-{model}b-rbm-binary-50")
    }
    facts = cells["classifiers/fair-cnn-fc1-binary-50-seed42"].facts
    assert facts == {"arm": "cnn", "latent": None, "variant": "fc1-binary", "model": "fc1", "pixels": "binary"}
    assert not any("chain" in cell.facts["arm"] for key, cell in cells.items() if "fair-" in key and key not in binary)
    line.remove("chain")
    without = cells_of(*line)
    assert not any("--binarise" in cell.flags for cell in without.values())
    assert without == {key: cell for key, cell in cells.items() if key not in binary and "rbm" not in key}


def test_published_cells_of_other_classifiers_take_the_steps_and_cost_what_they_run():
    line = "--sizes 50 --seeds 1 --parts arms --protocol both --models thesis fc1 --arms cnn chain --steps 700 -e 7"
    for key, cell in cells_of(*line.split()).items():
        if cell.script == "train_cnn":
            own = key in ("classifiers/published-cnn-50-seed42", "classifiers/published-cnn-binary-50-seed42")
            assert ("--steps" in cell.flags) == (not own), key
            train_cnn.parse_args(cell.argv("grid"))
    key = "classifiers/published-cnn-fc1-50-seed42"
    few, many = (cells_of(*line.split(), "--steps", steps)[key].work for steps in ("700", "1400"))
    assert many - few == pytest.approx(700 * (cost.FIT_STEP + 32 * cost.FIT["fc1"]))


def test_given_leaves_out_what_was_not_given():
    assert given(steps=500, e=None, deterministic=False, size=[28, 28]) == ["--steps", 500, "--size", 28, 28]
    assert given(e=3, limte=-1, deterministic=True) == ["-e", 3, "-limte", -1, "--deterministic"]
    assert given(bad=0, chain_length=500) == ["--bad", 0, "--chain-length", 500]


def test_two_cells_of_one_key_and_other_flags_are_an_error():
    graph = Graph(SimpleNamespace(seeds=1, protocol="fair"), DIGITS)
    models = ["-models", PurePosixPath("models/a")]
    assert graph.add("gen/a", "generate", [*models, "--count", 1], {}) == "gen/a"
    assert graph.add("gen/a", "generate", [*models, "--count", 1], {}) == "gen/a"
    with pytest.raises(ValueError, match=r"two cells are called gen/a: python generate.py .* 1; python generate.py"):
        graph.add("gen/a", "generate", [*models, "--count", 2], {})
