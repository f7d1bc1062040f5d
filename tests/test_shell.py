"""reproduce.sh and setup.sh."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import reproduce_here

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """reproduce.sh where all is set up: with this Python in place of its .venv, so that no test installs anything."""
    folder = tmp_path_factory.mktemp("installed")
    shutil.copy(ROOT / "reproduce.sh", folder)
    (folder / "setup.sh").touch()
    (folder / "reproduce.py").symlink_to(ROOT / "reproduce.py")
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return folder


@pytest.mark.parametrize("flags", [[], ["--slow"], ["--quick", "--out"], ["thesiss"]], ids=" ".join)
def test_reproduce_sh_refuses_what_it_does_not_know_in_one_line(installed, flags):
    done = subprocess.run(["./reproduce.sh", *flags], cwd=installed, capture_output=True, text=True)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "reproduce" in done.stderr


@pytest.mark.parametrize("flags", [["thesis", "--sizes", "55"], ["thesis", "--arms", "gan"]], ids=" ".join)
def test_reproduce_refuses_what_a_paper_does_not_know_in_one_line(flags):
    done = reproduce_here(*flags)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "reproduce" in done.stderr


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


def test_two_set_ups_at_once_make_one_environment(tmp_path):
    shutil.copy(ROOT / "setup.sh", tmp_path)
    (tmp_path / "requirements.txt").touch()
    python = tmp_path / "python"  # makes and fills a .venv in name only, and notes it
    python.write_text(f"""#!/bin/sh
case "$*" in
*"-m venv"*) echo venv >> steps; sleep 1; mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
*"-m pip install"*) echo install >> steps; sleep 1 ;;
*"-m pip --version"*) ;;
*) exec "{sys.executable}" "$@" ;;
esac
""")
    python.chmod(0o755)
    line = ["bash", "-c", "source ./setup.sh requirements.txt && echo ready"]
    how = {"cwd": tmp_path, "env": {**os.environ, "PYTHON": str(python)}, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(line, **how) for _ in range(2)]
    said = [process.communicate()[0].splitlines() for process in both]
    assert [lines[-1] for lines in said] == ["ready", "ready"]
    assert (tmp_path / "steps").read_text().split() == ["venv", "install"]
    for text in ("numpy", "", ""):  # other requirements, the first ones again, and the same once more
        (tmp_path / "requirements.txt").write_text(text)
        assert subprocess.run(line, **how).returncode == 0
    assert (tmp_path / "steps").read_text().split() == ["venv", "install", "install", "install"]


@pytest.mark.slow
def test_quick_prints_the_same_table_again(tmp_path):
    venv = ROOT / ".venv"
    if Path(sys.prefix) != venv:
        pytest.skip("runs in the .venv that test.sh makes")
    runs = [
        subprocess.run(["./reproduce.sh", "--quick", "--out", tmp_path / "q"], cwd=ROOT, capture_output=True, text=True)
        for _ in range(2)
    ]
    assert [run.returncode for run in runs] == [0, 0]
    first, second = (run.stdout.splitlines()[-6:] for run in runs)
    assert first == second
    assert [line.split()[1] for line in first[:5]] == ["arm", "CNN", "VAE", "AUG", "AUG+VAE"]
    assert first[5].endswith("report/report.html")
