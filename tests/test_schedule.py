"""Running cells: order, resume after a kill, failures, two runs at once, a Dask cluster. Real processes, toy cells."""

import json
import os
import pickle
import random
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path, PurePosixPath

import pytest
from conftest import ENVIRONMENT, GUARD, TESTS, wait_until

from grid import cells, remote, schedule
from grid.cells import Cell


def toy(key, needs=(), **flags):
    """A toy cell: `toy("sums/a", ["numbers/b"], add=1)`."""
    line = ["--out", PurePosixPath(key)]
    for name, value in flags.items():
        line += [f"--{name.replace('_', '-')}", value]
    if needs:
        line += ["--needs", *map(PurePosixPath, needs)]
    return Cell(key, "toy", tuple(line), tuple(needs), work=1.0)


def grid_of(*cells_):
    return {cell.key: cell for cell in cells_}


def chain(width=4, **flags):
    """`width` numbers, a sum of each two neighbours, and a sum of all sums."""
    numbers = [toy(f"numbers/{k}", add=k, **flags) for k in range(width)]
    sums = [toy(f"sums/{k}", [f"numbers/{k}", f"numbers/{k + 1}"], add=100, **flags) for k in range(width - 1)]
    return grid_of(*numbers, *sums, toy("total/all", [cell.key for cell in sums], **flags))


def numbers(root):
    """What every finished cell made: {key: number}."""
    paths = sorted(Path(root).glob("*/*/number.json"))
    return {path.parent.relative_to(root).as_posix(): json.loads(path.read_text()) for path in paths}


# By hand: the numbers 0 to 3, 100 and each two neighbours, and the sum of 101, 103 and 105.
CHAIN = {f"numbers/{k}": k for k in range(4)} | {"sums/0": 101, "sums/1": 103, "sums/2": 105, "total/all": 309}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a grid on this machine and returns what failed."""
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])
    monkeypatch.syspath_prepend(str(TESTS))

    def run(grid, root=tmp_path / "grid", jobs=2):
        root.mkdir(exist_ok=True)
        return schedule.run(grid, root, schedule.Machine(root, jobs))

    return run


def start(root, grid, pool="schedule.Machine(root, 2)"):
    """A run in a process of its own."""
    with (root.parent / "grid.pickle").open("wb") as file:
        pickle.dump(grid, file)
    program = f"""if True:
        import pickle, sys
        from pathlib import Path
        from grid import schedule
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


def test_a_cell_that_kills_every_worker_fails(run, tmp_path):
    grid = grid_of(toy("numbers/bad", die_unless="always"), toy("numbers/good", add=1))
    failed = run(grid, jobs=1)
    assert set(failed) == {"numbers/bad"}
    assert numbers(tmp_path / "grid") == {"numbers/good": 1}


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


def test_interrupted_it_ends_at_once_and_leaves_no_worker(tmp_path):
    root, trace = tmp_path / "grid", tmp_path / "trace"
    root.mkdir()
    process = start(root, grid_of(toy("numbers/long", sleep=2 * GUARD, trace=trace)))
    worker = wait_for_worker(trace)
    process.send_signal(signal.SIGINT)
    assert process.wait(GUARD) != 0
    wait_until(lambda: not alive(worker))


def wait_for_worker(trace, word=""):
    """The process that runs a cell, as its trace says."""
    wait_until(lambda: trace.exists() and any(word in line for line in trace.read_text().splitlines()))
    return int(next(line for line in trace.read_text().splitlines() if word in line).split()[1])


def parent_of(pid):
    """The Dask worker whose process runs a cell."""
    return int(re.search(r"PPid:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "zombie" not in Path(f"/proc/{pid}/status").read_text() if Path(f"/proc/{pid}").exists() else True


def test_a_cluster_makes_the_same_numbers_and_survives_the_death_of_a_worker(dask, tmp_path, run):
    from grid.cluster import Cluster

    address, workers = dask
    root, trace = tmp_path / "away", tmp_path / "trace"
    (root / "data").mkdir(parents=True)
    (root / "data/number.json").write_text("1000")
    total = toy("total/all", ["sums/0", "sums/1", "sums/2", "data"], trace=trace)
    grid = chain(trace=trace, sleep=0.5) | grid_of(total)
    killer = threading.Thread(target=lambda: os.kill(parent_of(wait_for_worker(trace)), signal.SIGKILL))
    killer.start()
    assert schedule.run(grid, root, Cluster(root, address)) == {}
    killer.join()
    assert sorted(worker.poll() is None for worker in workers) == [False, True]
    assert numbers(root) == {**CHAIN, "total/all": 1309}
    assert "adding" in cells.log_path(root, "sums/1").read_text()

    here = tmp_path / "here"
    shutil.copytree(root / "data", here / "data")
    assert run(grid, here) == {}
    assert numbers(here) == numbers(root)


def test_a_cell_whose_process_dies_on_a_cluster_is_tried_again(dask, tmp_path):
    from grid.cluster import Cluster

    root = tmp_path / "away"
    (root / "data").mkdir(parents=True)
    grid = grid_of(toy("numbers/once", add=1, die_unless=tmp_path / "died"), toy("numbers/always", die_unless="always"))
    failed = schedule.run(grid, root, Cluster(root, dask[0]))
    assert failed == {"numbers/always": "its worker died 3 times (out of memory?)"}
    assert numbers(root) == {"numbers/once": 1}


def test_a_failure_on_a_cluster_comes_back_with_its_log(dask, tmp_path):
    from grid.cluster import Cluster

    root = tmp_path / "away"
    (root / "data").mkdir(parents=True)
    grid = grid_of(toy("numbers/bad", unless=tmp_path / "nothing"), toy("numbers/good", add=5))
    assert schedule.run(grid, root, Cluster(root, dask[0])) == {"numbers/bad": f"{tmp_path / 'nothing'} is not there"}
    assert "Traceback" in cells.log_path(root, "numbers/bad").read_text()
    assert numbers(root) == {"numbers/good": 5}


def test_a_scheduler_that_does_not_answer_is_named(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    from grid import cluster

    monkeypatch.setattr(cluster, "TIMEOUT", 1)
    with pytest.raises(ValueError, match=r"--scheduler tcp://127.0.0.1:1: no Dask scheduler answers there"):
        cluster.Cluster(tmp_path, "tcp://127.0.0.1:1")


def test_a_worker_with_other_code_is_refused(tmp_path):
    error, output = remote.run_away(toy("numbers/a"), remote.pack(tmp_path, []), tmp_path, "another commit")
    assert "other source files" in error
    assert output == b""


def test_packed_folders_come_out_as_they_went_in(tmp_path):
    (tmp_path / "in/gen/a").mkdir(parents=True)
    (tmp_path / "in/gen/a/1.png").write_bytes(b"\x89PNG")
    (tmp_path / "in/gen/.a.partial-1").mkdir()
    (tmp_path / "in/gen/.a.partial-1/1.png").write_bytes(b"half")
    (tmp_path / "in/note.json").write_text("1")
    remote.unpack(remote.pack(tmp_path / "in", ["gen", "note.json"]), tmp_path / "out")
    files = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert files == {"gen/a/1.png", "note.json"}
    assert (tmp_path / "out/gen/a/1.png").read_bytes() == b"\x89PNG"
