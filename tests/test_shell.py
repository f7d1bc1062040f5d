"""reproduce.sh, setup.sh and the table they end with."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import tables

ROOT = Path(__file__).resolve().parent.parent


def write_run(folder, arm, f1, protocol="fair"):
    """A finished run folder as the table reads it."""
    folder.mkdir(parents=True)
    result = {
        "arm": arm,
        "protocol": protocol,
        "scores": {"accuracy": f1 + 0.01, "f1": f1},
        "images": {"train": 50, "test": 292, "generated": 0},
        "steps": 500,
        "seconds": 1.0,
    }
    (folder / "result.json").write_text(json.dumps(result))
    (folder / "config.json").write_text(json.dumps({"settings": {"seed": 42}, "data": {}}))


def test_table_has_a_row_an_arm_in_the_papers_order(tmp_path, capsys):
    for name, arm, f1 in (("a", "AUG+VAE", 0.9), ("b", "VAE", 0.7), ("c", "CNN", 0.6), ("d", "AUG", 0.8)):
        write_run(tmp_path / name, arm, f1)
    tables.main([str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["CNN", "VAE", "AUG", "AUG+VAE"]
    assert lines[1].split()[2:4] == ["0.6100", "0.6000"]
    assert str(tmp_path / "c") in lines[1]


def test_table_of_nothing_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no finished runs"):
        tables.collect(tmp_path)


@pytest.mark.parametrize("flags", [[], ["--slow"], ["--quick", "--out"]])
def test_reproduce_refuses_what_it_does_not_know_in_one_line(flags):
    done = subprocess.run(["./reproduce.sh", *flags], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "reproduce.sh" in done.stderr


def test_setup_names_what_is_missing_where_no_python_fits(tmp_path):
    shutil.copy(ROOT / "setup.sh", tmp_path)
    (tmp_path / "requirements.txt").touch()
    tools = tmp_path / "bin"  # a PATH without any Python on it
    tools.mkdir()
    for tool in ("cat", "cksum", "cut"):
        (tools / tool).symlink_to(shutil.which(tool))
    command = [shutil.which("bash"), "-c", "source ./setup.sh requirements.txt"]
    done = subprocess.run(command, cwd=tmp_path, env={"PATH": str(tools)}, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no Python 3.10 to 3.13" in done.stderr


@pytest.mark.slow
def test_quick_prints_the_same_table_again(tmp_path):
    venv = ROOT / ".venv"
    if Path(sys.prefix) != venv:
        pytest.skip("runs in the .venv that test.sh makes")
    runs = [
        subprocess.run(["./reproduce.sh", "--quick", "--out", tmp_path / "q"], cwd=ROOT, capture_output=True, text=True)
        for _ in range(2)
    ]
    first, second = (run.stdout.splitlines()[-5:] for run in runs)
    assert [run.returncode for run in runs] == [0, 0]
    assert first == second
    assert [line.split()[0] for line in first] == ["arm", "CNN", "VAE", "AUG", "AUG+VAE"]
