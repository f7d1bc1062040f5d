"""Running cells: order, resume after a kill, failures, two runs at once. Real processes, toy cells."""

import dataclasses
import json
import os
import pickle
import random
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

import loky
import pytest
from conftest import ENVIRONMENT, GUARD, TESTS, wait_until
from toy_grid import CHAIN, alive, chain, grid_of, numbers, toy, wait_for_worker

from common import cli
from grid import cells, machine, schedule


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a grid on this machine and returns what failed."""
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])
    monkeypatch.syspath_prepend(str(TESTS))

    def run(grid, root=tmp_path / "grid", jobs=2):
        root.mkdir(exist_ok=True)
        return schedule.run(grid, root, machine.Machine(root, jobs))

    return run


def start(root, grid, pool="machine.Machine(root, 2)"):
    """A run in a process of its own."""
    with (root.parent / "grid.pickle").open("wb") as file:
        pickle.dump(grid, file)
    program = f"""if True:
        import pickle, signal, sys
        from pathlib import Path
        from grid import machine, schedule
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as the scripts end by it
        if __name__ == "__main__":
            root = Path({str(root)!r})
            with schedule.locked(root):
                print("started", flush=True)
                failed = schedule.run(pickle.load(open({str(root.parent / "grid.pickle")!r}, "rb")), root, {pool})
            sys.exit(len(failed))
    """
    script = root.parent / "run.py"
    script.write_text(textwrap.dedent(program))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen([sys.executable, script], env=ENVIRONMENT, text=True, **pipes)


def test_cells_run_after_what_they_need_and_only_once(run, tmp_path):
    trace = tmp_path / "trace"
    assert run(chain(trace=trace)) == {}
    assert numbers(tmp_path / "grid") == CHAIN
    assert len(trace.read_text().splitlines()) == 8
    assert trace.read_text().splitlines()[-1].startswith("all ")
    assert run(chain(trace=trace)) == {}
    assert len(trace.read_text().splitlines()) == 8


def test_a_record_notes_the_command_the_time_and_the_machine(run, tmp_path):
    run(grid_of(toy("numbers/a", add=7)))
    record = cells.runs.read_json(cells.record_path(tmp_path / "grid", "numbers/a"))
    assert record["command"] == "python toy.py --out numbers/a --add 7"
    assert record["seconds"] >= 0
    assert {"versions", "machine", "finished", "facts"} <= set(record)
    config = cells.runs.read_json(tmp_path / "grid/numbers/a/config.json")
    assert config["environment"]["command"] == "toy.py --out numbers/a --add 7"
    assert "adding 7" in cells.log_path(tmp_path / "grid", "numbers/a").read_text()


def test_what_only_done_cells_read_is_not_made_again(run, tmp_path):
    run(chain())
    shutil.rmtree(tmp_path / "grid/numbers")
    shutil.rmtree(tmp_path / "grid/sums/0")
    assert schedule.plan(chain(), tmp_path / "grid") == {}
    shutil.rmtree(tmp_path / "grid/total")
    wanted = ["numbers/0", "numbers/1", "sums/0", "total/all"]
    assert sorted(schedule.plan(chain(), tmp_path / "grid")) == wanted
    assert run(chain()) == {}
    assert numbers(tmp_path / "grid")["total/all"] == 309


def test_a_classifier_that_a_finished_cell_reads_is_a_result_all_the_same(tmp_path):
    reader = grid_of(toy("numbers/0"), toy("sums/0", needs=["numbers/0"]))
    for key in reader:
        (tmp_path / key).mkdir(parents=True)
        cells.write_record(tmp_path, reader[key], 1.0)
    shutil.rmtree(tmp_path / "numbers/0")
    assert schedule.plan(reader, tmp_path) == {}
    for facts, wanted in (({}, ["numbers/0"]), ({"variant": "pool"}, [])):
        classifier = dataclasses.replace(reader["numbers/0"], script="train_cnn", facts=facts)
        assert list(schedule.plan({**reader, "numbers/0": classifier}, tmp_path)) == wanted


def test_what_a_script_refuses_is_said_in_its_words():
    with pytest.raises(SystemExit) as ended:
        cli.ArgumentParser("a script").parse_args(["--nothing"])
    assert (ended.value.code, cells.one_line(ended.value)) == (2, "unrecognized arguments: --nothing")


def test_a_cell_that_fails_names_its_log_and_stops_only_what_needs_it(run, tmp_path, capfd):
    key = tmp_path / "key"
    grid = chain() | grid_of(toy("numbers/1", add=1, unless=key))
    failed = run(grid)
    assert failed["numbers/1"] == f"{key} is not there"
    assert failed["sums/0"] == failed["sums/1"] == "needs numbers/1, which failed"
    assert set(failed) == {"numbers/1", "sums/0", "sums/1", "total/all"}
    assert set(numbers(tmp_path / "grid")) == {"numbers/0", "numbers/2", "numbers/3", "sums/2"}
    log = cells.log_path(tmp_path / "grid", "numbers/1")
    assert f"failed: numbers/1: {key} is not there; {log}" in capfd.readouterr().err
    assert "Traceback" in log.read_text()
    key.touch()
    assert run(grid) == {}
    assert numbers(tmp_path / "grid") == CHAIN


def test_a_worker_that_dies_costs_its_cell_a_second_try(run, tmp_path):
    trace = tmp_path / "trace"
    grid = chain(trace=trace) | grid_of(toy("numbers/2", add=2, trace=trace, die_unless=tmp_path / "died"))
    assert run(grid) == {}
    assert numbers(tmp_path / "grid") == CHAIN
    assert sum(line.startswith("2 ") for line in trace.read_text().splitlines()) >= 2
    assert not list((tmp_path / "grid").glob("*/.*partial*"))


@pytest.mark.skipif(tuple(map(int, loky.__version__.split(".")[:2])) < (3, 7), reason="its limit is fixed")
def test_a_worker_that_has_loaded_a_library_is_not_replaced(run, tmp_path):
    trace = tmp_path / "trace"
    pauses = {"trace": trace, "sleep": 1.1}  # loky looks at the memory every second
    cells_of_one = [
        toy("numbers/0", **pauses),
        toy("numbers/1", keep=500_000_000, **pauses),
        toy("numbers/2", **pauses),
    ]
    assert run(grid_of(*cells_of_one), jobs=1) == {}
    assert len({line.split()[1] for line in trace.read_text().splitlines()}) == 1


def test_a_cell_that_kills_every_worker_fails(run, tmp_path):
    grid = grid_of(toy("numbers/bad", die_unless="always"), toy("numbers/good", add=1))
    failed = run(grid, jobs=1)
    assert set(failed) == {"numbers/bad"}
    assert numbers(tmp_path / "grid") == {"numbers/good": 1}


def test_what_needs_a_cell_that_needs_a_failed_one_is_not_run(run, tmp_path, capfd):
    a, b, c = toy("n/a", unless=tmp_path / "nothing"), toy("n/b", ["n/a"]), toy("n/c", ["n/b"])
    failed = run(grid_of(a, b, c, toy("n/other", sleep=1)))
    assert failed["n/b"] == "needs n/a, which failed"
    assert failed["n/c"] == "needs n/b, which failed"
    assert numbers(tmp_path / "grid") == {"n/other": 0}
    assert not cells.log_path(tmp_path / "grid", "n/c").exists()
    assert "not run: n/c: needs n/b, which failed" in capfd.readouterr().err


def test_a_cell_that_kills_its_workers_leaves_its_neighbours_alone(run, tmp_path):
    trace = tmp_path / "trace"
    good = [toy(f"numbers/{k}", add=k, sleep=1, trace=trace) for k in range(3)]
    failed = run(grid_of(toy("numbers/bad", die_unless="always", trace=trace), *good, toy("sums/a", ["numbers/bad"])))
    assert failed == {"numbers/bad": schedule.DIED, "sums/a": "needs numbers/bad, which failed"}
    assert numbers(tmp_path / "grid") == {f"numbers/{k}": k for k in range(3)}
    ran = Counter(line.split()[0] for line in trace.read_text().splitlines())
    assert ran == {"0": 1, "1": 1, "2": 1, "bad": 1 + schedule.ATTEMPTS}  # once beside others, then alone


def test_a_cell_that_dies_beside_another_runs_again_alone(run, tmp_path):
    trace = tmp_path / "trace"
    long = toy("numbers/long", add=1, wait_for=trace)
    victim = toy("numbers/victim", add=2, die_without=tmp_path / "grid/numbers/long/number.json", trace=trace)
    assert run(grid_of(long, victim)) == {}
    assert numbers(tmp_path / "grid") == {"numbers/long": 1, "numbers/victim": 2}
    assert len(trace.read_text().splitlines()) == 2


PAIR = grid_of(toy("numbers/a", add=1), toy("sums/a", ["numbers/a"], add=1))


@pytest.mark.parametrize("text", ["", '{"command": "python toy.py --o', "{}", "[]", "null", '{"seconds": NaN}', "\x00"])
def test_a_record_that_is_cut_empty_or_foreign_counts_as_none(tmp_path, text):
    for cell in PAIR.values():
        (tmp_path / cell.key).mkdir(parents=True)
        cells.write_record(tmp_path, cell, 1.0)
    assert schedule.plan(PAIR, tmp_path) == {}
    cells.record_path(tmp_path, "sums/a").write_text(text)
    assert not cells.is_done(tmp_path, "sums/a")
    assert schedule.cost.recorded(PAIR, tmp_path) == {"numbers/a": 1.0}
    assert list(schedule.plan(PAIR, tmp_path)) == ["sums/a"]


def test_what_a_power_failure_cut_runs_again(run, tmp_path, capfd):
    root = tmp_path / "grid"
    assert run(PAIR) == {}
    record, config = cells.record_path(root, "sums/a"), root / "sums/a/config.json"
    record.write_text("")
    config.write_text("")
    (root / "sums/a/number.json").write_text("")
    assert run(PAIR) == {}
    assert f"{record}: not a whole record; the cell runs again" in capfd.readouterr().out
    assert numbers(root) == {"numbers/a": 1, "sums/a": 2}
    assert json.loads(config.read_text())["settings"] == {"add": 1}


def test_models_that_are_whole_stay_when_their_cell_runs_again(tmp_path):
    for name, text in (("cat", "{}"), ("dog", ""), ("eel", "{}")):
        (tmp_path / "models/vae" / name).mkdir(parents=True)
        (tmp_path / "models/vae" / name / "config.json").write_text(text)
    cells.remove_broken(tmp_path / "models/vae")
    assert sorted(path.name for path in (tmp_path / "models/vae").iterdir()) == ["cat", "eel"]
    (tmp_path / "empty/part").mkdir(parents=True)
    cells.remove_broken(tmp_path / "empty")  # nothing says what it is
    assert not (tmp_path / "empty").exists()


def test_a_record_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        cells.write_durably(tmp_path / "grid.json", {"no": {"JSON"}})
    assert not list(tmp_path.iterdir())


def test_records_are_read_once_and_not_after_every_cell(run, tmp_path, monkeypatch):
    read = Counter()
    read_json = cells.runs.read_json
    monkeypatch.setattr(cells.runs, "read_json", lambda path: read.update([Path(path).name]) or read_json(path))
    done = grid_of(*(toy(f"numbers/{k}", add=k) for k in range(3)))
    assert run(done) == {}
    read.clear()
    assert run(done | grid_of(*(toy(f"more/m{k}", add=k) for k in range(6)))) == {}
    assert {read[f"{k}.json"] for k in range(3)} == {2}  # planned, its seconds
    assert {read[f"m{k}.json"] for k in range(6)} <= {1, 2}


def test_a_command_can_be_pasted_into_a_shell():
    cell = toy("numbers/a b", trace="/data/my $images/it's", add=1)
    words = ["python", "toy.py", "--out", "grid/numbers/a b", "--trace", "/data/my $images/it's", "--add", "1"]
    assert shlex.split(cell.command("grid")) == words
    assert cell.command("grid").startswith("python toy.py --out 'grid/numbers/a b' --trace ")


def test_without_a_terminal_a_line_says_every_while_what_goes_on(run, capfd, monkeypatch):
    monkeypatch.setattr(cli.Progress, "QUIET", 0)
    assert run(grid_of(toy("numbers/a", sleep=6))) == {}
    lines = capfd.readouterr().err.splitlines()
    assert sum("0/1" in line and "0 failed, 1 at work, about" in line for line in lines) >= 2
    assert "1/1" in lines[-1]


@pytest.mark.parametrize("seed", [0, 1])
def test_killed_at_three_random_moments_it_ends_with_the_same_numbers(tmp_path, seed):
    rng, root, trace = random.Random(seed), tmp_path / "grid", tmp_path / "trace"
    root.mkdir()
    grid = chain(width=6, sleep=0.3, trace=trace)
    for _ in range(3):
        process = start(root, grid)
        assert process.stdout.readline() == "started\n"
        time.sleep(rng.uniform(0, 3))
        process.kill()
        process.wait()
    last = start(root, grid)
    assert last.wait(GUARD) == 0, last.stdout.read()
    expected = {f"numbers/{k}": k for k in range(6)} | {f"sums/{k}": 101 + 2 * k for k in range(5)}
    assert numbers(root) == {**expected, "total/all": 525}
    assert not list(root.glob("*/.*partial*"))


def test_two_runs_on_one_folder_take_turns(tmp_path):
    root, trace = tmp_path / "grid", tmp_path / "trace"
    root.mkdir()
    grid = chain(wait_for=tmp_path / "go", trace=trace)
    first = start(root, grid)
    assert first.stdout.readline() == "started\n"
    second = start(root, grid)
    assert second.stdout.readline() == f"{root}: another run works on it (process {first.pid}); waiting for it\n"
    (tmp_path / "go").touch()
    assert first.wait(GUARD) == second.wait(GUARD) == 0
    assert numbers(root) == CHAIN
    assert len(trace.read_text().splitlines()) == 8


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_ends_at_once_and_leaves_neither_worker_nor_half_a_folder(tmp_path, number):
    root, trace = tmp_path / "grid", tmp_path / "trace"
    root.mkdir()
    process = start(root, grid_of(toy("numbers/long", sleep=2 * GUARD, trace=trace)))
    worker = wait_for_worker(trace)
    assert list(root.glob("numbers/.*partial*"))
    process.send_signal(number)
    assert process.wait(GUARD) != 0
    wait_until(lambda: not alive(worker))
    assert not list(root.glob("numbers/.*partial*"))


def test_a_worker_that_is_told_to_end_leaves_its_cell_to_another(tmp_path):
    root, trace = tmp_path / "grid", tmp_path / "trace"
    root.mkdir()
    process = start(root, grid_of(toy("numbers/a", add=1, wait_for=tmp_path / "go", trace=trace)))
    os.kill(wait_for_worker(trace), signal.SIGTERM)
    wait_until(lambda: len(trace.read_text().splitlines()) == 2)
    (tmp_path / "go").touch()
    assert process.wait(GUARD) == 0
    assert numbers(root) == {"numbers/a": 1}
    assert not list(root.glob("numbers/.*partial*"))
