"""A comparison in a given time: what is planned, and that it is kept, on a toy clock."""

import argparse

import pytest

from common.errors import BadInput
from experiments.own_data import budget
from experiments.own_data.grid import Plan
from grid.cells import Cell


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("1.5h", 5400), ("1s", 1)])
def test_a_budget_is_a_time(text, seconds):
    assert budget.seconds(text) == seconds


@pytest.mark.parametrize("text", ["soon", "0", "0m", "0.0h", "-1h", "1d", "30", "h", ""])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="expected a time above 0 such as 30m"):
        budget.seconds(text)


def seconds_of(plan):
    """A split's time in these tests: 100 s, and 0.3 s per step."""
    return 100 + 0.3 * plan.steps


def test_splits_come_first_and_steps_second():
    # The shortest split takes 160 s; five of them fit into 900 s, each then may take 180 s: 267 steps.
    plan = budget.choose(seconds_of, 900)
    assert plan.seeds == 5
    assert plan.steps == pytest.approx(266, abs=2)
    assert 5 * seconds_of(plan) <= 900
    # Three fit into 500 s.
    assert budget.choose(seconds_of, 500).seeds == 3


def test_more_splits_only_when_trainings_are_of_full_length():
    # A full split takes 1,000 s.
    assert budget.choose(seconds_of, 5000)[:2] == (5, 3000)
    assert budget.choose(seconds_of, 7900)[:2] == (7, 3000)
    assert budget.choose(seconds_of, 10**6)[:2] == (10, 3000)
    assert budget.choose(seconds_of, 4000).seeds == 5
    assert budget.choose(seconds_of, 4000).steps < 3000


def test_a_given_number_of_splits_is_kept():
    assert budget.choose(seconds_of, 900, seeds=2)[0] == 2
    assert budget.choose(seconds_of, 900, seeds=2).steps > budget.choose(seconds_of, 900).steps


def test_given_steps_are_kept_and_splits_fit():
    # A split of 1,000 steps takes 400 s.
    assert budget.choose(seconds_of, 1300, steps=1000) == budget.given(1000)._replace(seeds=3)
    assert budget.given(1000)[1:] == (1000, 67, 67, 67)
    with pytest.raises(BadInput, match=r"3 splits of 1000 steps take about 20 min"):
        budget.choose(seconds_of, 700, steps=1000)


def test_a_budget_that_allows_no_answer_says_what_would():
    with pytest.raises(BadInput, match=r"allows no answer\. 3 splits of 200 steps take about 8 min, and"):
        budget.choose(seconds_of, 200)


def test_arms_are_left_out_in_their_order_until_a_plan_fits():
    tried = []

    def plan_of(arms):
        tried.append(len(arms))
        if len(arms) > limit:
            raise BadInput("allows no answer")
        return budget.scaled(0)

    arms = ["plain", "classic", "mixup", "cutout", "vae"]
    limit = 9
    assert budget.with_fewer(arms, plan_of) == (budget.scaled(0), arms)
    limit = 3
    assert budget.with_fewer(arms, plan_of)[1] == ["plain", "classic", "vae"]
    assert tried == [5, 5, 4, 3]
    limit = 1  # plain and classic are never left out
    with pytest.raises(BadInput, match="no answer"):
        budget.with_fewer(arms, plan_of)


def test_generators_train_as_much_of_their_full_length_as_classifiers():
    assert budget.scaled(0.5) == Plan(5, 1500, 100, 100, 100)
    assert budget.scaled(0) == Plan(5, 200, 20, 20, 20)


def test_a_line_goes_through_what_was_measured():
    assert budget.line_through([(6, 8.0), (18, 20.0)]) == pytest.approx((2.0, 1.0, False))
    assert budget.line_through([(6, 5.0), (18, 9.0)]) == (5.0, 0.5, True)  # so near that all of it may be steps
    assert budget.line_through([(6, 5.0), (18, 4.5)]) == (4.5, 0.25, True)
    assert budget.line_through([(0, 3.0), (0, 3.5)]) == (3.0, 0.0, False)
    # After a start of 7 s a step takes 0.1 s; the first training waited for the disk.
    assert budget.line_through([(10, 11.0), (40, 11.0), (160, 23.0)]) == pytest.approx((7.0, 0.1, False))


@pytest.mark.parametrize(("start", "step"), [(8.0, 0.01), (5.0, 0.005), (1.0, 0.02), (20.0, 0.0)])
def test_what_is_unsure_is_rather_too_much_at_every_length(start, step):
    rate = budget.line_through([(units, start + step * units) for units in (10, 40, 160)])
    assert rate.at_most
    for units in (10, 200, 640, 3000):
        assert rate.seconds(units) >= start + step * units


def test_generators_that_are_sure_are_made_short_for_what_needs_them(tmp_path, monkeypatch):
    """An epoch of a VAE takes 5 s; an assessment, which needs its images, 10 s whatever the steps."""
    lengths = []

    def run(cells, place, pool):
        lengths.append({key: cell.facts["units"] for key, cell in cells.items()})
        return {}

    def record(place, key):
        return {"seconds": 5.0 * lengths[-1][key] if key == "vae" else 10.0}

    def make_cells(plan):
        vae = Cell("vae", "toy", (plan.vae_epochs,), facts={"kind": "vae", "units": plan.vae_epochs})
        facts = {"kind": "assessment", "units": plan.steps}
        return {"vae": vae, "assess": Cell("assess", "toy", (plan.steps,), ("vae",), facts=facts)}

    (tmp_path / "data").mkdir()
    monkeypatch.setattr(budget.schedule, "run", run)
    monkeypatch.setattr(budget, "read_record", record)
    budget.measure(make_cells, tmp_path, lambda place: None)
    assert [found["vae"] for found in lengths] == [1, 3, 1, 1]
    assert [found["assess"] for found in lengths] == [10, 40, 160, 640]


def test_the_fourth_length_is_measured_where_it_is_expected_to_end_in_time():
    assert budget.longer([(40, 12.0), (160, 18.0)]) == pytest.approx(18 + 480 * 6 / 120)
    assert budget.longer([(40, 12.0), (160, 11.0)]) == 11.0  # steps that take no time
    assert budget.longer([(160, 11.0)]) == 11.0


def test_what_is_lost_in_the_time_of_a_start_is_measured_with_longer_trainings(tmp_path, monkeypatch):
    """A start takes 10 s, the first time 3 s more; a step of one kind takes 1 s, of the other 0.05 s."""
    lengths = []

    def run(cells, place, pool):
        lengths.append({key: cell.facts["units"] for key, cell in cells.items()})
        return {}

    def record(place, key):
        units = lengths[-1][key]
        return {"seconds": 10 + 3 * (len(lengths) == 1) + units * {"slow": 1.0, "fast": 0.05, "none": 0}[key]}

    def make_cells(plan):
        units = {"slow": plan.steps, "fast": plan.steps, "none": 0}
        return {k: Cell(k, "toy", (n,), facts={"kind": k, "units": n}) for k, n in units.items()}

    (tmp_path / "data").mkdir()
    monkeypatch.setattr(budget.schedule, "run", run)
    monkeypatch.setattr(budget, "read_record", record)
    rates = budget.measure(make_cells, tmp_path, lambda place: None)
    assert lengths[1:] == [{"slow": 40, "fast": 40}, {"fast": 160}, {"fast": 640}]
    assert rates["slow"] == pytest.approx((14, 0.9, False))  # 27 s more for 30 steps
    assert rates["fast"] == pytest.approx((10, 0.05, False))
    assert rates["none"] == (13, 0, False)

    del lengths[:]
    (tmp_path / "b/data").mkdir(parents=True)
    rates = budget.measure(make_cells, tmp_path / "b", lambda place: None, enough=0)
    assert len(lengths) == 3
    assert rates["fast"] == pytest.approx((12, 18 / 160, True))  # 6 s more for 120 steps are not sure


def cell(kind, units, key=None, needs=()):
    return Cell(key or kind, "toy", (), tuple(needs), facts={"kind": kind, "units": units})


def test_a_split_takes_its_cells_over_the_workers_but_no_less_than_the_longest():
    rates = {"a": budget.Rate(10, 1.0), "b": budget.Rate(0, 2.0)}
    cells = [cell("a", 30), cell("a", 30, "a2"), cell("b", 10)]
    assert budget.split_seconds(cells, rates, 1) == 100
    assert budget.split_seconds(cells, rates, 2) == 50
    assert budget.split_seconds(cells, rates, 10) == 40


def test_measured_cells_leave_their_seconds_alone_and_are_not_measured_again(tmp_path, monkeypatch):
    (tmp_path / "data/kept").mkdir(parents=True)
    calls = []

    def run(cells, place, pool):
        calls.append(sorted(cells))
        for key in cells:
            (place / key / "inner").mkdir(parents=True)
        return {}

    monkeypatch.setattr(budget.schedule, "run", run)
    monkeypatch.setattr(budget, "read_record", lambda place, key: {"seconds": 4.0})
    rates = [measure_toy(tmp_path) for _ in range(2)]
    assert rates[0] == rates[1] == {"vae": (4.0, 4.0, True)}
    assert calls == [["models/train"]] * len(budget.PROBES)  # once for each length: all took equally long
    left = {path.name for place in (tmp_path / "probe").iterdir() for path in place.iterdir()}
    assert left == {"seconds.json", "data", ".lock", ".workers"}
    assert (tmp_path / "data/kept").is_dir()  # behind the link


def test_a_folder_that_moved_while_it_was_measured_finds_its_data(tmp_path, monkeypatch):
    (tmp_path / "a/data").mkdir(parents=True)
    found = []

    def run(cells, place, pool):
        found.append((place / "data").resolve())
        return {"models/train": "its worker died"}

    monkeypatch.setattr(budget.schedule, "run", run)
    for old, new in (("a", "b"), ("b", "c")):
        with pytest.raises(BadInput, match="nothing can be measured"):
            measure_toy(tmp_path / old)
        (tmp_path / old).rename(tmp_path / new)
    assert found == [tmp_path / "a/data", tmp_path / "b/data"]


def measure_toy(root):
    """Measures a comparison of one cell; its command says how long it trains."""

    def make_cells(plan):
        return {"models/train": Cell("models/train", "toy", (plan.vae_epochs,), facts={"kind": "vae", "units": 1})}

    return budget.measure(make_cells, root, lambda place: None)


def test_the_plan_in_words_names_the_generators_in_use():
    arms, rates = ["plain", "vae", "classic+cglo"], {"split": budget.Rate(1.0, 0.0)}
    rates |= {"plain classifier": budget.Rate(3.0, 0.05), "vae": budget.Rate(3.0, 0.02, at_most=True)}
    assert budget.show(Plan(3, 1500, 100, 90, 80), arms, "about 5 min", rates) == [
        "Plan: 3 arms (plain, vae, classic+cglo), 3 splits,",
        "  1,500 steps for each classifier that takes steps, 100 epochs for a VAE, 80 epochs for a cGLO; about 5 min",
        "  measured here: plain classifier 50 ms a step or epoch; vae at most 20 ms a step or epoch",
    ]


def test_one_cell_of_each_kind_is_measured_with_what_it_needs():
    cells = [cell("split", 0), cell("gen", 0, needs=["split"]), cell("net", 5, "net1", ["split", "gen"])]
    cells += [cell("net", 5, "net2", ["split"])]
    cells = {found.key: found for found in [*cells, cell("fitted", 0, needs=["split"])]}
    assert list(budget.of_each_kind(cells)) == ["split", "gen", "net1", "fitted"]
    assert list(budget.of_each_kind(cells, {"net"})) == ["split", "gen", "net1"]
    assert list(budget.of_each_kind(cells, set())) == []


class Clock:
    """A clock that goes on when a split is run."""

    def __init__(self, *lengths):
        self.now, self.lengths = 1000.0, list(lengths)

    def __call__(self):
        return self.now

    def run(self, seed):
        self.now += self.lengths.pop(0)
        return {}


@pytest.mark.parametrize(
    ("lengths", "done"),
    [
        ([100] * 5, 5),  # as planned
        ([119] * 5, 5),  # 595 of 500, within a fifth
        ([130] * 5, 4),  # a fifth one would end at 650
        ([90, 90, 90, 200, 90], 4),  # the slowest so far is what is expected
        ([1000] * 5, 2),  # two are needed for an answer
    ],
)
def test_the_budget_is_kept_on_a_toy_clock(lengths, done):
    clock, said = Clock(*lengths), []
    failed, count = budget.run_splits(range(42, 47), clock.run, 500, clock, say=said.append)
    assert (failed, count) == ({}, done)
    assert done == 2 or clock.now - 1000 <= 1.2 * 500
    assert [f"after {done} of 5 splits" in line for line in said] == [True] * (done < 5)


def test_what_earlier_runs_took_counts():
    clock = Clock(*[100] * 5)
    assert budget.run_splits(range(5), clock.run, 500, clock, spent=250, say=lambda _: None)[1] == 3


def test_splits_that_an_earlier_run_did_take_no_time_and_say_nothing_of_the_next():
    # 300 s are spent on three splits; a fourth, of 150 s by the plan, ends at 450 s, a fifth would at 600 s and more.
    clock = Clock(0, 0, 0, 170, 170)
    assert budget.run_splits(range(5), clock.run, 500, clock, expected=150, spent=300, say=lambda _: None)[1] == 4


def test_without_a_budget_all_splits_run():
    clock = Clock(*[10**6] * 5)
    assert budget.run_splits(range(5), clock.run, None, clock)[1] == 5
