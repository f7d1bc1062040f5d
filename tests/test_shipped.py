"""What results/ holds goes together: the tables are those of the scores beside them."""

import html
import re
from pathlib import Path

import pytest

from experiments import study
from experiments.cglo import tables as cglo_tables
from experiments.contest import tables as contest_tables
from experiments.neural import tables as neural_tables
from experiments.scarce import tables as scarce_tables
from experiments.thesis import tables
from experiments.thesis.comparison import compare_arms
from grid import dataset
from report import page, results

ROOT = Path(__file__).resolve().parent.parent
CLAIM = re.compile(  # verdict, text and evidence
    r'<li><div><span class="badge [^>]*>.*?</span>([^<]*)</span></div>\s*'
    r'<p class="text">(.*?) <span.*?</p>\s*<p>(.*?)</p>',
    re.S,
)
GRIDS = sorted(path.parent for path in (ROOT / "results").glob("*/grid.json"))


def made_again(grid, frame):
    others = {"scarce": scarce_tables, "neural": neural_tables, "cglo": cglo_tables}
    if dataset.paper_of(grid) in others:
        return others[dataset.paper_of(grid)].all_tables(grid, frame)
    if dataset.paper_of(grid) == "contest":
        return contest_tables.all_tables(grid, frame, contest_tables.best_of(grid))
    comparison = {name: compare_arms(rows) for name, rows in frame.groupby("protocol")}
    return tables.all_tables(grid, frame, comparison)


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: grid.name)
def test_shipped_tables_are_made_from_the_shipped_scores(grid):
    frame = results.collect(grid, study.load(dataset.paper_of(grid)).axes)
    assert not frame.empty
    for table in made_again(grid, frame):
        if table.name in ("thesis-6.1", "scarce-rbm"):
            continue  # curves of losses and monitors are not shipped
        shipped = (grid / "report/tables" / f"{table.name}.md").read_text(encoding="utf-8")
        assert shipped == page.as_markdown(table), table.name


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: grid.name)
def test_shipped_claims_are_judged_by_the_shipped_scores(grid, tmp_path):
    paper = study.load(dataset.paper_of(grid))
    made = paper.report(grid, results.collect(grid, paper.axes), tmp_path / "figures")
    assert made.claims
    shipped = (grid / "report/report.html").read_text(encoding="utf-8")
    found = [tuple(map(html.unescape, parts)) for parts in CLAIM.findall(shipped)]
    protocols = list(dict.fromkeys(claim.protocol for claim in made.claims))
    in_order = sorted(made.claims, key=lambda claim: protocols.index(claim.protocol))
    assert found == [(claim.verdict, claim.text, claim.evidence) for claim in in_order]


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: grid.name)
def test_shipped_numbers_say_what_made_them_and_name_no_place_on_our_disks(grid):
    for path in grid.glob("cells/classifiers/*.json"):
        record = results.runs.read_json(path)
        assert record["command"].startswith("python train_cnn.py -path data ")
        assert {"versions", "machine", "finished"} < set(record)
    for path in [*grid.rglob("*.json"), *grid.rglob("*.md"), *grid.rglob("*.txt"), grid / "report/report.html"]:
        assert not re.search(r"(?<![\w.])/(tmp|work|root|home)/", path.read_text(encoding="utf-8")), path
