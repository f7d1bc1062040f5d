"""A comparison in a given time: a few steps of each kind of cell are measured, and a plan is made that fits.

Splits come first and steps second: with the shortest trainings as many splits as fit, five at most; then longer
trainings; and only when these are as long as they are ever, more splits.
"""

import hashlib
import math
import re
import shutil
import time
from argparse import ArgumentTypeError
from pathlib import Path
from typing import NamedTuple

from common import runs
from common.errors import BadInput
from experiments.own_data.grid import ARMS, SPARE, Plan
from grid import cost, schedule
from grid.cells import read_record, write_durably

UNITS = {"s": 1, "m": 60, "h": 3600}
FULL = Plan(5, 3000, 200, 200, 200)  # what more of is not worth waiting for
LEAST = Plan(3, 200, 20, 20, 20)  # what less of says nothing: of two splits an interval is hardly ever short enough
SPLITS, MOST_SPLITS = 5, 10  # at most before, and after the trainings are of full length
# What is measured. Of all the classifiers' graph holds ten steps, as of longer trainings; so their tracing is alike.
PROBES = (Plan(1, 10, 1, 1, 1), Plan(1, 40, 3, 3, 3), Plan(1, 160, 12, 12, 12), Plan(1, 640, 48, 48, 48))
SURE = 10.0  # seconds between the last two, above which their difference is steps, and no chance of start and imports
MEASURING = 1 / 3  # of the budget, within which the longest trainings are measured if they are expected to end
AGREED = 1.2  # of the budget, beyond which no further split may be expected to end
SECONDS, WALL = "seconds.json", "wall"  # {key: seconds that the measured cell took}, and of all at once
GENERATORS = {"vae": "vae_epochs", "cdcvae": "cdc_epochs", "cglo": "cglo_epochs"}  # kind: its length in a `Plan`
START = 60.0  # seconds below which nothing can be measured


def seconds(text):
    """Parses a budget: `"90s"`, `"30m"`, `"2h"`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if not found or float(found[1]) <= 0:
        raise ArgumentTypeError(f"expected a time above 0 such as 30m, 2h or 8h, received {text!r}")
    return float(found[1]) * UNITS[found[2]]


def scaled(share, seeds=FULL.seeds):
    """The plan of `seeds` splits whose trainings have a share of the full length, the least one at least."""
    lengths = (max(least, round(share * full)) for least, full in zip(LEAST[1:], FULL[1:], strict=True))
    return Plan(seeds, *lengths)


def given(steps, seeds=FULL.seeds):
    """The plan of so many steps, whose generators train the same share of their full length."""
    return scaled(steps / FULL.steps, seeds)._replace(steps=steps)


class Rate(NamedTuple):
    """What cells of a kind take: seconds whatever their length, and per step or epoch; `at_most` where it is unsure."""

    start: float
    unit: float
    at_most: bool = False

    def seconds(self, units):
        return self.start + self.unit * units


def of_each_kind(cells, wanted=None):
    """One cell of each kind (of those wanted), and what it needs: a smaller grid."""
    kept, kinds = {}, set()

    def keep(key):
        if key in cells and key not in kept:
            for need in cells[key].needs:
                keep(need)
            kept[key] = cells[key]
            kinds.add(cells[key].facts["kind"])

    for key, cell in cells.items():
        if cell.facts["kind"] not in kinds and (wanted is None or cell.facts["kind"] in wanted):
            keep(key)
    return kept


def measure(make_cells, root, make_pool, enough=math.inf):
    """Runs one cell of each kind in `<root>/probe`, and of each kind that takes steps longer ones, until it is `sure`.

    What they took stays there, so that the same flags are measured once; what they made is removed.

    Args:
        make_cells: maps a `Plan` to cells.
        root: folder of the comparison, whose `data` is there.
        make_pool: maps a folder to a pool.
        enough: seconds within which all has to end for the fourth and longest trainings to be measured.

    Returns:
        {kind: `Rate`}.
    """
    points, unsure, spent, expected = {}, None, 0.0, 0.0
    for k, plan in enumerate(PROBES):
        if k:  # a generator that is sure is made only because others need it
            sure = [length for kind, length in GENERATORS.items() if kind not in unsure]
            plan = plan._replace(**{length: getattr(PROBES[0], length) for length in sure})
        cells = of_each_kind(make_cells(plan), unsure)
        if not cells or (k > 2 and spent + expected > enough):
            break
        lines = "\n".join(cell.command(".") for cell in cells.values())  # of other flags nothing is known
        place = Path(root) / "probe" / hashlib.sha256(lines.encode()).hexdigest()[:12]
        place.mkdir(parents=True, exist_ok=True)
        with schedule.locked(place):
            if not (place / SECONDS).exists():
                begun = time.monotonic()
                taken = run_probe(cells, place, Path(root) / "data", make_pool(place))
                write_durably(place / SECONDS, taken | {WALL: time.monotonic() - begun})
            remove_made(place)
        taken = runs.read_json(place / SECONDS)
        wall = taken.pop(WALL, 0.0)
        for key, cell in cells.items():
            points.setdefault(cell.facts["kind"], []).append((cell.facts["units"], taken[key]))
        unsure = {kind for kind, found in points.items() if not is_sure(found)}
        spent += wall
        # Four times the steps, with as many cells at a time as before.
        expected = sum(longer(points[kind]) for kind in unsure) * wall / max(sum(taken.values()), wall, 1e-9)
    return {kind: line_through(found) for kind, found in points.items()}


def longer(points):
    """Seconds that four times the most units of (units, seconds) are expected to take."""
    (low, first), (high, last) = ends(points)
    return last + max(0.0, last - first) / max(1, high - low) * 3 * high


def run_probe(cells, place, data, pool):
    """Runs cells in a folder of their own, with the same data. Returns the seconds that each took."""
    if (place / "data").is_symlink():
        (place / "data").unlink()  # the folder may have moved
    if not (place / "data").exists():
        (place / "data").symlink_to(data.resolve(), target_is_directory=True)
    failed = schedule.run(cells, place, pool)
    if failed:
        key, error = next(iter(failed.items()))
        raise BadInput(f"{place / key}: {error}; nothing can be measured with this arm")
    return {key: read_record(place, key)["seconds"] for key in cells}


def remove_made(place):
    """Removes the folders that measured cells left: models and images, gigabytes where there are many classes."""
    for folder in place.iterdir():
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)


def is_sure(points):
    """Whether (units, seconds) of a kind tell what a unit takes; a kind without units has nothing to tell."""
    (low, first), (high, last) = ends(points)
    return not high or (high > low and last - first >= SURE)


def ends(points):
    """The two of (units, seconds) with the most units, or one twice."""
    return [*sorted(points)[-2:], points[0]][:2]


def line_through(points):
    """Seconds at no units, and per unit, of (units, seconds): the two with the most units decide.

    Where that is not sure, all of the time counts as that of units, and that of the shortest beside it: too much rather
    than too little, whatever the length.
    """
    (low, first), (high, last) = ends(points)
    shortest = min(seconds for _, seconds in points)
    if not high:
        return Rate(shortest, 0.0)
    if not is_sure(points):
        return Rate(shortest, last / high, at_most=True)
    rate = (last - first) / (high - low)
    return Rate(max(0.0, min(seconds - rate * units for units, seconds in points)), rate)


def split_seconds(cells, rates, slots):
    """How long the cells of one split take with so many workers."""
    found = [rates[cell.facts["kind"]].seconds(cell.facts["units"]) for cell in cells]
    return max(sum(found) / slots, max(found))


def choose(per_split, left, seeds=None, steps=None):
    """Chooses the plan that fits into a time.

    Args:
        per_split: maps a `Plan` to the seconds that one of its splits takes.
        left: seconds.
        seeds: the number of splits, None for as many as fit.
        steps: optimiser steps, None for as many as fit.

    Returns:
        `Plan`.

    Raises:
        BadInput: three splits (or `seeds`) of the shortest trainings (or of `steps`) take longer.
    """
    shortest = given(steps) if steps else scaled(0)
    least, needed = per_split(shortest), seeds or LEAST.seeds
    if needed * least > left:
        raise BadInput(
            f"--budget: allows no answer. {needed} splits of {shortest.steps} steps take about "
            f"{cost.words(needed * least)}, and {cost.words(max(left, 0))} are left; give more, or fewer --arms"
        )
    splits = seeds or min(SPLITS, math.floor(left / least))
    longest = shortest if steps else scaled(1)
    if splits * per_split(longest) <= left:
        return longest._replace(seeds=seeds or min(MOST_SPLITS, math.floor(left / per_split(longest))))
    low, high = 0.0, 1.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if splits * per_split(scaled(middle)) <= left else (low, middle)
    return scaled(low, splits)


def with_fewer(arms, plan_of):
    """Chooses the plan of as many arms as fit: those of `grid.SPARE` are left out, one after another.

    Args:
        arms: list of names.
        plan_of: maps a list of arms to a `Plan`.

    Returns:
        `Plan`, and the list of its arms.

    Raises:
        BadInput: `plan_of` raises it for the fewest arms too.
    """
    spare = [name for name in SPARE if name in arms]
    for name in spare:
        try:
            return plan_of(arms), arms
        except BadInput:
            arms = [other for other in arms if other != name]
    return plan_of(arms), arms


def run_splits(seeds, run, budget, clock, expected=0.0, spent=0.0, say=print):
    """Runs splits one after another as long as the next one is expected to end within the budget.

    Args:
        seeds: of the splits.
        run: maps a seed to a dict of what failed.
        budget: seconds, None for no limit.
        clock: gives seconds, as `time.monotonic`.
        expected: seconds that a split takes by the plan, until one has taken longer than half of it: those of an
            earlier run take none.
        spent: seconds of the budget that are gone.
        say: prints a line.

    Returns:
        dict of what failed, and the number of splits that were run.
    """
    failed, begun, slowest, done = {}, clock() - spent, 0.0, 0
    for seed in seeds:
        before, coming = clock(), slowest if slowest > expected / 2 else expected
        if budget and done > 1 and before - begun + coming > AGREED * budget:
            say(f"The budget is used up after {done} of {len(seeds)} splits; a split takes {cost.words(coming)}")
            break
        failed |= run(seed)
        slowest, done = max(slowest, clock() - before), done + 1
    return failed, done


def show(plan, arms, expected, rates):
    """The plan in words: arms, splits, steps, minutes."""
    epochs = {"vae": f"{plan.vae_epochs} epochs for a VAE", "cdcvae": f"{plan.cdc_epochs} epochs for a CDCVAE"}
    epochs["cglo"] = f"{plan.cglo_epochs} epochs for a cGLO"
    used = {ARMS[name].images for name in arms}
    trained = [f"{plan.steps:,} steps for each classifier that takes steps"]
    trained += [text for made_by, text in epochs.items() if made_by in used]
    lines = [
        f"Plan: {len(arms)} arms ({', '.join(arms)}), {plan.seeds} splits,",
        f"  {', '.join(trained)}; {expected}",
    ]
    kinds = sorted(rates, key=lambda kind: -rates[kind].unit)
    parts = [
        f"{kind} {'at most ' * rates[kind].at_most}{1000 * rates[kind].unit:.0f} ms a step or epoch"
        for kind in kinds
        if rates[kind].unit
    ]
    return lines + ([f"  measured here: {'; '.join(parts)}"] if parts else [])
