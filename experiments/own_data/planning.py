"""Chooses the plan of a comparison: how many splits, steps and epochs, and which arms where the budget decides."""

import math
import time

from common import runs
from common.errors import BadInput
from experiments import study
from experiments.own_data import budget, grid
from grid import cost


def make_plan(args, root, make_cells, begun):
    """The plan: that of an earlier run with the same flags, that of the flags, or what fits as measured here.

    Args:
        args: the flags.
        root: folder of the comparison.
        make_cells: maps a `Plan` to the cells of its splits.
        begun: `time.monotonic()` when the budget began.

    Returns:
        `Plan`, and what `plan.json` is to say of it.
    """
    asked = {name: getattr(args, name) for name in ("budget", "arms", "seeds", "steps")}
    known = runs.read_json(root / "plan.json") if (root / "plan.json").exists() else None
    if known and {name: known.get(name) for name in asked} == asked:
        args.arms = known.get("kept", args.arms)
        return grid.Plan(*known["plan"]), known
    if args.seeds and args.steps:
        plan, split_seconds = budget.given(args.steps, args.seeds), 0.0
    else:
        plan, split_seconds = fit_plan(args, root, make_cells, begun)
    if (root / "grid.json").exists() and not args.steps:
        bound = runs.read_json(root / "grid.json")["settings"]["plan"]
        if bound != list(plan[1:]):
            print(f"{root}: goes on with the steps and epochs that it was begun with")
            plan = grid.Plan(plan.seeds, *bound)
    return plan, asked | {"kept": args.arms, "plan": list(plan), "split_seconds": split_seconds}


def fit_plan(args, root, make_cells, begun):
    """Measures the arms here, and chooses the splits and steps that fit the budget, and the arms unless --arms did.

    Returns the plan and the seconds that one of its splits takes; leaves the arms in `args`, and says what it chose.
    """
    if args.budget < budget.START:
        raise BadInput(f"--budget: {args.budget:g} s allow no answer; measuring alone takes a minute")
    enough = budget.MEASURING * args.budget
    rates = budget.measure(make_cells, root, lambda place: study.make_pool(args, place), enough)
    slots, wanted, left = count_slots(args, root), args.arms, args.budget - (time.monotonic() - begun)

    def per_split(plan):
        return budget.split_seconds(make_cells(plan._replace(seeds=1)).values(), rates, slots)

    def plan_of(arms):
        args.arms = arms
        return budget.choose(per_split, left, args.seeds, args.steps)

    shortest = budget.given(args.steps) if args.steps else budget.scaled(0)
    whole = args.budget - left + (args.seeds or budget.LEAST.seeds) * per_split(shortest)
    plan = budget.with_fewer(wanted, plan_of)[0] if args.is_free else plan_of(wanted)
    if missing := [name for name in wanted if name not in args.arms]:
        print(f"Left out: {', '.join(missing)}; --budget {math.ceil(whole / 60)}m holds all arms, --arms chooses some")
    expected = f"about {cost.words(plan.seeds * per_split(plan))} with {slots} at a time"
    print("\n".join(budget.show(plan, args.arms, expected, rates)), flush=True)
    return plan, per_split(plan)


def count_slots(args, root):
    """How many cells run at a time."""
    pool = study.make_pool(args, root)
    pool.close()
    return pool.slots
