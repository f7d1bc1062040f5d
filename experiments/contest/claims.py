"""What the contest decides: whether a generator beats the best hand-made augmentation, by `report.claims`' rule."""

import pandas as pd

from experiments.contest.arms import PROTOTYPE, SOURCES, parse
from experiments.contest.tables import FEWEST, boards, gains, scores, strongest
from report import statistics
from report.claims import Gap, Statement, judge_family

SOURCE = "the contest"


def lead(frame, best, data):
    """The page's first sentences: whether a generator wins, where, by how much, board by board.

    Args:
        frame: `results.collect(root)`.
        best: name of the best hand-made augmentation.
        data: name of the data set.
    """
    found = [sentence(scores(frame, *board), board, best, data) for board in boards(frame)]
    return found or ["Nothing was run yet."]


def sentence(wide, board, best, data):
    """What one leaderboard says of the best arm with a generator.

    Args:
        wide: macro F1, a row per seed and a column per arm.
        board: classifier and training images per class.
        best: name of the best hand-made augmentation.
        data: name of the data set.
    """
    model, size = board
    rival = strongest(wide, best)
    where = f"On {data} with {size} images per class and {model}"
    single = [arm for arm in wide if parse(arm).networks == 1]  # several beat one network, whatever the generator
    learned = [arm for arm in single if parse(arm).is_learned and len(gains(wide, arm, rival))]
    if not learned and rival != best:  # no pair with it so far
        rival, learned = best, [arm for arm in single if parse(arm).is_learned and len(gains(wide, arm, best))]
    if not learned:
        return f"{where} no arm with a generator was run beside {rival}."
    found = {arm: gains(wide, arm, rival) for arm in learned}
    # An arm with a pair or two, which may be high by chance, does not hide one with enough of them.
    most = min(FEWEST, max(map(len, found.values())))
    learned = [arm for arm in learned if len(found[arm]) >= most]
    first = max(learned, key=lambda arm: found[arm].mean())
    gain = statistics.summary(found[first])
    how = f"{first} over {rival}, {gain.mean:+.2f} points of macro F1, {gain.in_words()}"
    several = len(learned) > 1
    how += f", the best of {len(learned)} arms with a generator that have {most} pairs or more" if several else ""
    if rival != best:
        ahead = statistics.summary(gains(wide, rival, best))
        how += f". Here {rival} does better than {best}, {ahead.mean:+.2f} points, {ahead.in_words()}"
    if gain.n >= FEWEST and gain.low > 0:
        return f"{where} a generator wins: {how}."
    if gain.n >= FEWEST and gain.high < 0:
        return f"{where} no generator with {FEWEST} pairs wins: the best is {how}."
    return f"{where} it is open whether a generator wins: the best is {how}."


def judged(wide, best):
    """Lists the arms of one network with a generator that are judged: those of each source that have the best hand-made
    augmentation, or replace its warp; where there is none, all of that source.
    """
    learned = [arm for arm in wide if parse(arm).is_learned and parse(arm).networks == 1]
    found = []
    for source in SOURCES:
        own = [arm for arm in learned if parse(arm).source == source]
        found += [arm for arm in own if arm in (f"{source}+{best}", PROTOTYPE)] or own
    return found


def judge(frame, best, alpha=statistics.ALPHA):
    """The verdicts: of each arm of one network with a generator, whether it beats the best hand-made augmentation.

    Args:
        frame: `results.collect(root)`.
        best: name of the best hand-made augmentation.
        alpha: level of significance.

    Returns:
        List of `Claim`; a pair is one number of images per class and seed, and the arms of one classifier are one
        family.
    """
    found = []
    for model in dict.fromkeys(frame["model"]):
        rows = frame[frame["model"] == model].assign(size=frame["per_class"])
        wide = rows.pivot_table(index=["size", "seed"], columns="entry", values="f1", observed=True)
        arms = judged(wide, best)
        if best not in wide or not arms:
            continue
        nobody = pd.DataFrame(columns=wide.columns, index=wide.index[:0], dtype=float)  # nothing was published
        rival = strongest(wide, best)
        remark = f" (without a generator, {rival} does better than {best})" if rival != best else ""
        statements = [
            Statement(f"{arm} beats {best} ({model})", SOURCE, (Gap(arm, best),), remark=lambda gain, text=remark: text)
            for arm in arms
        ]
        found += judge_family(statements, wide, nobody, "fair", alpha)
    return found
