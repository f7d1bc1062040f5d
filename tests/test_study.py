"""The engine of the studies: how they are found, what --quick sets, a toy study from its command line to its page."""

import json
import shlex
import subprocess
import sys

import pytest
from conftest import ROOT
from toy_study import write_study

import experiments
import reproduce
from experiments import study


@pytest.fixture
def toys(tmp_path, monkeypatch):
    """Adds the toy study, one folder, to those of the project."""
    write_study(tmp_path / "studies")
    monkeypatch.setattr(experiments, "__path__", [*experiments.__path__, str(tmp_path / "studies")])
    yield study.load("toys")
    sys.modules.pop("experiments.toys")


def test_studies_are_the_folders_of_experiments_and_are_found_without_keras(toys):
    assert study.names()[0] == "thesis"
    assert {"scarce", "toys"} < set(study.names())
    assert "study" not in study.names()
    code = "import sys; from experiments import study; study.names(); print({'keras', 'tensorflow'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert run.stdout.strip() == "set()"


@pytest.mark.parametrize("name", ["thesis", "scarce", "toys"])
def test_every_folder_gives_a_study_of_its_name(toys, name):
    found = study.load(name)
    assert found.name == name
    assert study.make_parser(found).prog == f"reproduce.sh {name}"
    assert study.settings(found, study.parse_args(found, [])).get("paper", "thesis") == name


@pytest.mark.parametrize("path", sorted(ROOT.glob("results/*/grid.json")), ids=lambda path: path.parent.name)
def test_a_grid_that_was_begun_before_goes_on(path):
    settings = json.loads(path.read_text(encoding="utf-8"))["settings"]
    found = study.load(settings.get("paper", "thesis"))
    line = shlex.split((path.parent / "commands.txt").read_text(encoding="utf-8").splitlines()[0])
    assert settings == study.settings(found, study.parse_args(found, line[2:]))
    assert set(settings) == set(study.settings(found, study.parse_args(found, [])))


def test_what_is_typed_wins_over_quick_even_where_it_is_the_default(toys):
    args = study.parse_args(toys, ["--quick"])
    assert (args.seeds, args.add, args.steps, args.e, args.dataset) == (1, 7, 200, 10, "digits")
    assert args.out == "runs/quick-toys"
    args = study.parse_args(toys, ["--quick", "--seeds", "2", "--add", "1", "--dataset", "mnist"])
    assert (args.seeds, args.add, args.dataset) == (2, 1, "mnist")
    args = study.parse_args(toys, [])
    assert (args.seeds, args.add, args.steps, args.out) == (2, 1, None, "runs/toys")


def test_a_toy_study_runs_grows_and_writes_its_page(toys, digits, tmp_path, capsys):
    line = ["toys", "-path", str(digits), "--jobs", "1", "--out", str(tmp_path / "grid")]
    reproduce.main([*line, "--seeds", "1"])
    reproduce.main(line)
    root = tmp_path / "grid"
    assert [json.loads((root / f"second/seed{seed}/number.json").read_text()) for seed in (42, 43)] == [143, 144]
    assert json.loads((root / "grid.json").read_text())["settings"]["add"] == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith("report.html")
    assert "143" in (root / "report/tables/sums.md").read_text()
    page = (root / "report/report.html").read_text()
    assert "Do numbers add up?" in page
    assert "published numbers are nobody&#39;s" in page
    assert "4 trainings and generations" in page
    with pytest.raises(ValueError, match="made with settings add=1, now add=2"):
        reproduce.main([*line, "--add", "2"])
    with pytest.raises(ValueError, match="holds the grid of the paper 'toys', not of 'scarce'"):
        reproduce.main(["scarce", "--report", "--out", str(root)])


def test_a_dry_run_of_a_script_without_an_estimate_costs_nothing(toys, digits, tmp_path, capsys):
    reproduce.main(["toys", "-path", str(digits), "--out", str(tmp_path / "grid"), "--dry-run"])
    lines = capsys.readouterr().out.splitlines()
    assert [text.split()[-1] for text in lines[:4]] == [
        f"{kind}/seed{seed}" for seed in (42, 43) for kind in ("first", "second")
    ]
    assert lines[-1].startswith("4 cells: 0 done, 4 to run. About 0 s on one core")


def test_a_report_is_written_though_a_record_is_broken_or_missing(toys, digits, tmp_path, capsys):
    root = tmp_path / "grid"
    line = ["toys", "-path", str(digits), "--jobs", "1", "--out", str(root)]
    reproduce.main(line)
    (root / "cells/second/seed42.json").write_text("")
    (root / "cells/first/seed43.json").unlink()
    reproduce.main(["toys", "--report", "--out", str(root)])
    table = (root / "report/tables/sums.md").read_text()
    assert "144" in table
    assert "143" not in table
    assert "2 trainings and generations" in (root / "report/report.html").read_text()


def test_the_command_line_names_the_studies_and_quick_is_the_thesis(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(study, "main", lambda found, argv: asked.append((found.name, argv)))
    reproduce.main(["--quick", "--out", "x"])
    reproduce.main(["scarce", "--seeds", "2"])
    assert asked == [("thesis", ["--quick", "--out", "x"]), ("scarce", ["--seeds", "2"])]
    with pytest.raises(SystemExit, match="2"):
        reproduce.main(["novels"])
    assert "invalid choice: 'novels'" in capsys.readouterr().err
