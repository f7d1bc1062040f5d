"""Cells on a Dask cluster: what becomes of them when workers, disks and schedulers fail. Real processes, toy cells."""

import os
import shutil
import signal
import subprocess
import threading
from collections import Counter

import dask_cluster
import distributed
import pytest
from conftest import ENVIRONMENT, GUARD, wait_until
from dask import config
from toy_grid import CHAIN, alive, chain, grid_of, numbers, parent_of, toy, wait_for_worker

from grid import cells, cluster, remote, schedule
from grid.cluster import Cluster

NO_SPACE = "No space left on device"


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A cluster of two workers, `worker0` and `worker1`, that no test harms."""
    with dask_cluster.running(tmp_path_factory.mktemp("shared")) as shared:
        yield shared


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A loaded machine must not fail a test."""
    monkeypatch.setattr(cluster, "TIMEOUT", GUARD)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "away/data").mkdir(parents=True)
    return tmp_path / "away"


def test_a_cluster_makes_the_chain_survives_a_workers_death_and_packs_once(dask, root, tmp_path, monkeypatch):
    address, workers = dask
    trace, packed, pack = tmp_path / "trace", Counter(), remote.pack
    monkeypatch.setattr(remote, "pack", lambda root, keys: packed.update(keys) or pack(root, keys))
    (root / "data/number.json").write_text("1000")
    total = toy("total/all", ["sums/0", "sums/1", "sums/2", "data"], trace=trace)
    grid = chain(trace=trace, sleep=0.5) | grid_of(total)
    killer = threading.Thread(target=lambda: os.kill(parent_of(wait_for_worker(trace)), signal.SIGKILL))
    killer.start()
    assert schedule.run(grid, root, Cluster(root, address)) == {}
    killer.join()
    assert sorted(worker.poll() is None for worker in workers) == [False, True]
    assert numbers(root) == {**CHAIN, "total/all": 1309}  # CHAIN is what one machine makes, see test_schedule.py
    assert "adding" in cells.log_path(root, "sums/1").read_text()
    assert set(packed) == {"data", *(f"numbers/{k}" for k in range(4)), *(f"sums/{k}" for k in range(3))}
    assert set(packed.values()) == {1}


def test_a_cell_whose_process_dies_on_a_cluster_is_tried_again(shared, root, tmp_path):
    grid = grid_of(toy("numbers/once", add=1, die_unless=tmp_path / "died"), toy("numbers/always", die_unless="always"))
    failed = schedule.run(grid, root, Cluster(root, shared.address))
    assert failed == {"numbers/always": "its worker died 3 times (out of memory?)"}
    assert numbers(root) == {"numbers/once": 1}


def test_a_failure_on_a_cluster_comes_back_with_its_log(shared, root, tmp_path):
    grid = grid_of(toy("numbers/bad", unless=tmp_path / "nothing"), toy("numbers/good", add=5))
    failed = schedule.run(grid, root, Cluster(root, shared.address))
    assert failed == {"numbers/bad": f"{tmp_path / 'nothing'} is not there"}
    assert "Traceback" in cells.log_path(root, "numbers/bad").read_text()
    assert numbers(root) == {"numbers/good": 5}


def test_cells_of_a_worker_whose_disk_is_full_go_to_another(shared, root, capfd):
    pool = Cluster(root, shared.address)
    grid = grid_of(*(toy(f"numbers/{k}", add=k, full="/worker0/") for k in range(5)))
    assert schedule.run(grid, root, pool) == {}
    assert numbers(root) == {f"numbers/{k}": k for k in range(5)}
    said = [line for line in capfd.readouterr().err.splitlines() if "goes to another worker" in line]
    assert len(pool.unfit) <= 1
    assert bool(said) == bool(pool.unfit)
    assert all(NO_SPACE in line and line.startswith("tcp://") for line in said)


def test_where_all_disks_are_full_a_cell_fails_and_what_fits_is_done(shared, root):
    pool = Cluster(root, shared.address)
    failed = schedule.run(grid_of(toy("numbers/big", full="/worker"), toy("numbers/small", add=1)), root, pool)
    assert set(failed) == {"numbers/big"}
    assert NO_SPACE in failed["numbers/big"]
    assert numbers(root) == {"numbers/small": 1}
    assert len(pool.unfit) == 2


def test_cells_bound_to_a_worker_that_has_gone_are_given_back(root, tmp_path):
    trace = tmp_path / "trace"
    with dask_cluster.running(tmp_path) as old:
        pool = Cluster(root, old.address)
        pool.client.wait_for_workers(2)
        fit, unfit = sorted(pool.threads())
        pool.unfit = {unfit}
        future = pool.submit(toy("numbers/a", add=1, trace=trace, sleep=2 * GUARD))
        worker = parent_of(wait_for_worker(trace))
        os.kill(worker, signal.SIGKILL)
        while fit in pool.threads():
            pass
        while not future.done():
            pool.tend()
        with pytest.raises(cells.WorkerUnfit):
            pool.collect(None, future)
        assert worker in {process.pid for process in old.workers}
        pool.close()


def test_a_cell_of_a_run_that_was_stopped_ends_on_its_worker(shared, root, tmp_path):
    trace = tmp_path / "trace"
    pool = Cluster(root, shared.address)
    pool.submit(toy("numbers/long", sleep=2 * GUARD, trace=trace))
    process = wait_for_worker(trace)
    pool.close(kill=True)
    wait_until(lambda: not alive(process))


def test_a_worker_with_other_code_gets_no_cells(shared, root, monkeypatch):
    monkeypatch.setattr(remote, "code_fingerprint", lambda: "another commit")
    failed = schedule.run(grid_of(toy("numbers/a")), root, Cluster(root, shared.address))
    assert failed == {"numbers/a": "this worker has other source files; check out the same commit there"}


def test_a_worker_outside_the_checkout_is_one_line(root, tmp_path):
    env = {name: value for name, value in ENVIRONMENT.items() if name != "PYTHONPATH"}
    with dask_cluster.running(tmp_path, workers=1, env=env) as strange:
        client = distributed.Client(strange.address, set_as_default=False)
        client.wait_for_workers(1)
        client.close()
        with pytest.raises(ValueError, match=r"No module named 'grid'.*start every worker in a checkout") as caught:
            Cluster(root, strange.address)
    assert "\n" not in str(caught.value)


def test_a_scheduler_that_dies_ends_the_run_with_one_line(root, tmp_path):
    trace = tmp_path / "trace"
    with dask_cluster.running(tmp_path, workers=1) as dying:
        grid = grid_of(toy("numbers/long", sleep=2 * GUARD, trace=trace), toy("sums/a", ["numbers/long"]))
        pool = Cluster(root, dying.address)
        killer = threading.Thread(target=lambda: wait_for_worker(trace) and dying.scheduler.kill())
        killer.start()
        with pytest.raises(ValueError, match=r"--scheduler tcp://\S+: the scheduler has ended or is out of reach"):
            schedule.run(grid, root, pool)
        killer.join()


def test_a_scheduler_that_does_not_answer_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "TIMEOUT", 1)
    with pytest.raises(ValueError, match=r"--scheduler tcp://127.0.0.1:1: no Dask scheduler answers there"):
        Cluster(tmp_path, "tcp://127.0.0.1:1")


def test_tls_without_its_files_is_refused_at_once_and_says_which(root, tmp_path):
    with pytest.raises(ValueError, match="TLS needs files; name them in DASK_DISTRIBUTED__COMM__TLS__CA_FILE, DASK_"):
        Cluster(root, "tls://127.0.0.1:1")
    names = {f"distributed.comm.tls.{name}": "none.pem" for name in ("ca-file", "client.cert", "client.key")}
    with config.set(names), pytest.raises(ValueError, match="the files that DASK_DISTRIBUTED__COMM__TLS__"):
        Cluster(root, "tls://127.0.0.1:1")


def test_where_dasks_configuration_requires_encryption_tcp_is_refused_at_once(root):
    with config.set({"distributed.comm.require-encryption": True}), pytest.raises(ValueError, match="give tls://"):
        Cluster(root, "tcp://127.0.0.1:1")


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificate")
def test_cells_run_over_tls_by_dasks_own_configuration(root, tmp_path):
    key, cert = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    line = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert]
    subprocess.run([*line, "-days", "2", "-subj", "/CN=grid"], check=True, capture_output=True)
    flags = ["--protocol", "tls", "--tls-ca-file", cert, "--tls-cert", cert, "--tls-key", key]
    names = {f"distributed.comm.tls.{name}": cert for name in ("ca-file", "client.cert")}
    with dask_cluster.running(tmp_path, workers=1, flags=flags) as secured:
        assert secured.address.startswith("tls://")
        with config.set({**names, "distributed.comm.tls.client.key": key}):
            assert schedule.run(grid_of(toy("numbers/a", add=7)), root, Cluster(root, secured.address)) == {}
    assert numbers(root) == {"numbers/a": 7}
