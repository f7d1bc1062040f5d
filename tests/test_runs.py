"""Run folders: whole or absent, skipped when done, refused when made otherwise."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
from conftest import GUARD, ROOT

from common import runs

SETTINGS, DATA = {"seed": 1, "shape": [12, 12, 1]}, {"images": "abc"}


def make(folder, settings=SETTINGS, data=DATA, **options):
    with runs.writing(folder, settings, data, **options) as partial:
        (partial / "result.txt").write_text("done")
    return folder


def partials(parent):
    return sorted(path.name for path in parent.glob(".*.partial-*"))


def run_code(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=GUARD)


@pytest.fixture
def dead_pid():
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


# finished


def test_an_absent_or_empty_folder_is_not_finished(tmp_path):
    (tmp_path / "empty").mkdir()
    assert not runs.finished(tmp_path / "absent", SETTINGS, DATA)
    assert not runs.finished(tmp_path / "empty", SETTINGS, DATA)


def test_what_was_written_is_finished(tmp_path):
    assert runs.finished(make(tmp_path / "out"), SETTINGS, DATA)


def test_settings_are_compared_as_json_has_them(tmp_path):
    folder = make(tmp_path / "out", {"size": (12, 12), "name": "größe", "range": 0.1})
    assert runs.finished(folder, {"size": [12, 12], "name": "größe", "range": 0.1}, DATA)


def test_the_environment_does_not_decide(tmp_path):
    config = json.loads((make(tmp_path / "out") / "config.json").read_text())
    runs.write_json(tmp_path / "out" / "config.json", {**config, "environment": {"machine": "another"}})
    assert runs.finished(tmp_path / "out", SETTINGS, DATA)


@pytest.mark.parametrize(
    ("settings", "data", "words"),
    [
        ({**SETTINGS, "seed": 2}, DATA, "settings seed=1, now seed=2"),
        ({"seed": 1}, DATA, r"settings shape=\[12, 12, 1\], now shape=null"),
        ({**SETTINGS, "size": 8}, DATA, "settings size=null, now size=8"),
        (SETTINGS, {"images": "xyz"}, 'data images="abc", now images="xyz"'),
        (SETTINGS, {**DATA, "generated": "g"}, 'data generated=null, now generated="g"'),
    ],
)
def test_another_step_is_refused_naming_what_differs(tmp_path, settings, data, words):
    make(tmp_path / "out")
    with pytest.raises(ValueError, match=f"out: made with {words}; give another --out"):
        runs.finished(tmp_path / "out", settings, data)


def test_long_values_are_shortened_in_the_message(tmp_path):
    make(tmp_path / "out", {"classes": ["x" * 300]})
    with pytest.raises(ValueError, match=r"classes=.*\.\.\., now") as error:
        runs.finished(tmp_path / "out", {"classes": ["y" * 300]}, DATA)
    assert len(str(error.value)) < len(str(tmp_path)) + 200


FOREIGN = ["no json", "[]", "{}", "null", '"text"', '{"settings": {}}', '{"settings": [], "data": {}}', '{"data": {}}']


@pytest.mark.parametrize("content", FOREIGN)
def test_a_foreign_configuration_is_refused(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ValueError, match="exists and is not a finished step"):
        runs.finished(tmp_path, SETTINGS, DATA)


def test_a_foreign_folder_or_file_is_refused(tmp_path):
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "holiday.jpg").touch()
    for path in (tmp_path / "photographs", tmp_path / "photographs" / "holiday.jpg"):
        with pytest.raises(ValueError, match="exists and is not a finished step"):
            runs.finished(path, SETTINGS, DATA)


def test_a_step_of_another_kind_is_refused(tmp_path):
    make(tmp_path / "out", marker="dataset.json")
    assert runs.finished(tmp_path / "out", SETTINGS, DATA, "dataset.json")
    with pytest.raises(ValueError, match="exists and is not a finished step"):
        runs.finished(tmp_path / "out", SETTINGS, DATA)


# writing


def test_a_step_is_hidden_until_it_is_whole(tmp_path):
    with runs.writing(tmp_path / "deep" / "out", SETTINGS, DATA) as partial:
        assert partial.parent == tmp_path / "deep"
        assert partial.name.startswith(".")
        (partial / "result.txt").write_text("done")
        assert not (tmp_path / "deep" / "out").exists()
    assert sorted(path.name for path in (tmp_path / "deep" / "out").iterdir()) == ["config.json", "result.txt"]
    assert not partials(tmp_path / "deep")


def test_the_configuration_tells_what_was_made_and_with_what(tmp_path):
    config = json.loads((make(tmp_path / "out") / "config.json").read_text(encoding="utf-8"))
    assert config["settings"] == SETTINGS
    assert config["data"] == DATA
    assert {"command", "backend", "versions", "machine", "finished"} <= set(config["environment"])
    assert {"python", "numpy"} <= set(config["environment"]["versions"])


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "out").mkdir()
    assert runs.finished(make(tmp_path / "out"), SETTINGS, DATA)


def test_others_may_read_a_finished_folder_as_the_umask_says(tmp_path):
    mask = os.umask(0o027)
    try:
        assert make(tmp_path / "out").stat().st_mode & 0o777 == 0o750
    finally:
        os.umask(mask)


@pytest.mark.parametrize("failure", [ValueError, OSError, KeyboardInterrupt, SystemExit])
def test_a_step_that_fails_leaves_nothing(tmp_path, failure):
    def step():
        with runs.writing(tmp_path / "out", SETTINGS, DATA) as partial:
            (partial / "sub").mkdir()
            (partial / "sub" / "half.txt").write_text("half")
            raise failure

    with pytest.raises(failure):
        step()
    assert not list(tmp_path.iterdir())


def test_settings_that_are_no_json_leave_nothing(tmp_path):
    with pytest.raises(TypeError):
        make(tmp_path / "out", {"rng": object()})
    assert not list(tmp_path.iterdir())


def test_a_full_folder_is_never_replaced(tmp_path):
    make(tmp_path / "out")
    with pytest.raises(ValueError, match="out: made with settings seed=1, now seed=2"):
        make(tmp_path / "out", {"seed": 2})
    assert runs.finished(tmp_path / "out", SETTINGS, DATA)
    assert not partials(tmp_path)


@pytest.mark.parametrize("name", ["out", "out [1]*", "größe?"])
def test_what_a_dead_process_left_is_removed(tmp_path, name, dead_pid):
    stale = tmp_path / f".{name}.partial-{dead_pid}-abc"
    stale.mkdir()
    (stale / "half.txt").write_text("half")
    make(tmp_path / name)
    assert not partials(tmp_path)


def test_what_a_living_process_writes_is_kept(tmp_path):
    living = f".out.partial-{os.getpid()}-abc"
    (tmp_path / living).mkdir()
    make(tmp_path / "out")
    assert partials(tmp_path) == [living]


@pytest.mark.parametrize(("name", "other"), [("out", "out2"), ("out", "my.out"), ("o?t", "out"), ("[ou]t", "ot")])
def test_what_belongs_to_another_folder_is_kept(tmp_path, name, other, dead_pid):
    stale = f".{other}.partial-{dead_pid}-abc"
    (tmp_path / stale).mkdir()
    make(tmp_path / name)
    assert partials(tmp_path) == [stale]


@pytest.mark.parametrize("below", ["file/out", "file/deep/out"])
def test_an_output_below_a_file_is_refused(tmp_path, below):
    (tmp_path / "file").write_text("text")
    assert not runs.finished(tmp_path / below, SETTINGS, DATA)
    with pytest.raises(OSError, match="file"):
        make(tmp_path / below)
    assert (tmp_path / "file").read_text() == "text"


def test_what_another_run_made_meanwhile_is_kept(tmp_path, caplog):
    with caplog.at_level("INFO"), runs.writing(tmp_path / "out", SETTINGS, DATA) as slow:
        (slow / "result.txt").write_text("slow")
        make(tmp_path / "out")
    assert (tmp_path / "out" / "result.txt").read_text() == "done"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["config.json", "result.txt"]
    assert "out: another run is writing it" in caplog.text
    assert "another run has finished this very step meanwhile" in caplog.text


def test_what_another_machine_writes_is_kept(tmp_path, dead_pid):
    """Its process is none of this machine's, but it holds the lock of the folder."""
    other = tmp_path / f".out.partial-{dead_pid}-abc"
    other.mkdir()
    with open(other / runs.LOCK, "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make(tmp_path / "out")
        assert partials(tmp_path) == [other.name]
    make(tmp_path / "out2")
    shutil.rmtree(tmp_path / "out")
    make(tmp_path / "out")  # nobody holds it any more
    assert not partials(tmp_path)


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_is_followed(tmp_path, exists):
    target = tmp_path / "disk" / "real"
    if exists:
        target.mkdir(parents=True)
    (tmp_path / "link").symlink_to(target)
    assert not runs.finished(tmp_path / "link", SETTINGS, DATA)
    assert runs.finished(make(tmp_path / "link"), SETTINGS, DATA)
    assert (tmp_path / "link").is_symlink()
    assert (target / "result.txt").read_text() == "done"


def test_a_mount_point_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(os.path, "ismount", lambda path: str(path) == str(tmp_path / "mnt"))
    (tmp_path / "mnt").mkdir()
    with (
        pytest.raises(ValueError, match=r"mnt: a mount point.*give a folder inside it"),
        runs.writing(tmp_path / "mnt", SETTINGS, DATA),
    ):
        pytest.fail("the work began")
    assert runs.finished(make(tmp_path / "mnt" / "out"), SETTINGS, DATA)


@pytest.mark.parametrize("name", ["-rf", "config.json", "x" * 230, "é" * 120])
def test_a_folder_may_have_any_name(tmp_path, name):
    assert runs.finished(make(tmp_path / name), SETTINGS, DATA)


def test_facts_are_told_and_do_not_decide(tmp_path):
    facts = {}
    with runs.writing(tmp_path / "out", SETTINGS, DATA, facts=facts):
        facts["spread"] = 0.5
    assert runs.read_json(tmp_path / "out" / "config.json")["facts"] == {"spread": 0.5}
    assert runs.finished(tmp_path / "out", SETTINGS, DATA)


WRITE_AND_DIE = """
import os, signal, sys
from common import runs
with runs.writing(sys.argv[1], {"seed": 1}, {}) as folder:
    for k in range(5):
        (folder / f"{k}.png").write_bytes(b"x" * 1000)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_step_is_not_finished_and_the_next_run_cleans_up(tmp_path):
    out = tmp_path / "out"
    assert run_code(WRITE_AND_DIE, out).returncode == -signal.SIGKILL
    assert not out.exists()
    assert len(partials(tmp_path)) == 1
    assert not runs.finished(out, {"seed": 1}, {})
    make(out, {"seed": 1}, {})
    assert runs.finished(out, {"seed": 1}, {})
    assert not partials(tmp_path)


WRITE_ON_A_FULL_DISK = """
import resource, signal, sys
from common import cli, runs
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
def main():
    with runs.writing(sys.argv[1], {"seed": 1}, {}) as folder:
        (folder / "small.bin").write_bytes(b"x" * 500)
        (folder / "large.bin").write_bytes(b"x" * 5000)
cli.run(main)
"""


def test_a_full_disk_leaves_nothing_and_ends_with_one_line(tmp_path):
    """A limit on file sizes stands in for the full disk: both make `write` fail half-way."""
    ended = run_code(WRITE_ON_A_FULL_DISK, tmp_path / "out")
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert "error: " in ended.stderr
    assert not list(tmp_path.iterdir())


# What steps read and where they write


def test_json_survives_the_disk(tmp_path):
    content = {"größe": [1, 0.5, None], "nested": {"a": True}}
    runs.write_json(tmp_path / "a.json", content)
    assert runs.read_json(tmp_path / "a.json") == content


@pytest.mark.parametrize(
    ("content", "words"), [(None, "no such file"), (b"{", "not readable"), (b"\xff", "not readable")]
)
def test_json_that_cannot_be_read_is_named(tmp_path, content, words):
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.json: {words}"):
        runs.read_json(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("out", "source"),
    [("data", "data"), ("data/out", "data"), ("data", "data/in"), ("data/../data/x", "data"), (".", "data")],
)
def test_input_and_output_may_not_overlap(tmp_path, monkeypatch, out, source):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"--out .*: would write into the input"):
        runs.refuse_overlap(out, source)


def test_an_overlap_through_a_link_is_seen(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    with pytest.raises(ValueError, match="--out"):
        runs.refuse_overlap(tmp_path / "link" / "out", tmp_path / "data")


@pytest.mark.parametrize(("out", "source"), [("out", "data"), ("data2", "data"), ("x/data", "data/x")])
def test_folders_apart_do_not_overlap(tmp_path, monkeypatch, out, source):
    monkeypatch.chdir(tmp_path)
    runs.refuse_overlap(out, source)


def test_additions_that_end_in_an_interrupt_leave_neither_images_nor_the_mark_of_having_them(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/README.md").touch()

    def interrupted(path):
        raise KeyboardInterrupt

    def add():
        with runs.adding(tmp_path / "data", SETTINGS, DATA, "dataset.json") as partial:
            (partial / "train").mkdir()
            monkeypatch.setattr(runs.Path, "rmdir", interrupted)

    with pytest.raises(KeyboardInterrupt):
        add()
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["README.md"]


def test_a_disk_that_cannot_clear_up_at_once_has_the_additions_all_the_same(tmp_path, monkeypatch):
    def busy(path):
        raise OSError(39, "Directory not empty", str(path))  # as NFS says while a file in it is open

    with runs.adding(tmp_path / "data", SETTINGS, DATA, "dataset.json") as partial:
        (partial / "train").mkdir()
        monkeypatch.setattr(runs.Path, "rmdir", busy)
    assert runs.finished(tmp_path / "data", SETTINGS, DATA, "dataset.json")
    assert (tmp_path / "data/train").is_dir()
