"""Cells elsewhere: what travels, and what code may run them."""

import errno
import os

from conftest import TESTS
from toy_grid import toy

from grid import remote
from grid.cells import is_of_machine


def test_a_worker_with_other_code_is_refused(tmp_path):
    outcome = remote.run_away(toy("numbers/a"), (), tmp_path, "another commit")
    assert "other source files" in outcome.error
    assert outcome.output == b""
    assert outcome.unfit


def test_every_source_file_of_every_room_is_part_of_the_code(tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "REPOSITORY", tmp_path)
    files = ["train.py", "room/__init__.py", "room/a.py", "room/paper/__init__.py", "room/paper/deep/tables.py"]
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("x = 1")
    found = [remote.code_fingerprint.__wrapped__()]
    for file in files:
        (tmp_path / file).write_text("x = 2")
        found.append(remote.code_fingerprint.__wrapped__())
    assert len(set(found)) == 1 + len(files)


def test_the_projects_own_rooms_are_all_packages():
    sources = {path.parent for path in remote.REPOSITORY.glob("*/*.py")}
    tests = {remote.REPOSITORY / name for name in ("tests", ".venv")}
    assert all((folder / "__init__.py").exists() for folder in sources - tests)


def test_a_full_disk_is_the_machines_fault_and_a_bad_flag_the_cells(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(TESTS))
    full = toy("numbers/a", full="numbers")
    outcome = remote.run_away(full, (), tmp_path, remote.code_fingerprint())
    assert outcome.unfit
    assert "No space left on device" in outcome.error
    outcome = remote.run_away(toy("numbers/a", add="much"), (), tmp_path, remote.code_fingerprint())
    assert not outcome.unfit


def test_an_error_that_comes_from_a_full_disk_is_the_machines():
    saving = RuntimeError("could not save")
    saving.__cause__ = OSError(errno.ENOSPC, "no room")
    assert is_of_machine(saving)
    assert is_of_machine(OSError("Unable to write (errno = 28, error message = 'No space left on device')"))
    assert not is_of_machine(FileNotFoundError(errno.ENOENT, "missing"))
    assert not is_of_machine(ValueError("No space left on device"))


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


def test_old_files_and_names_that_are_not_utf8_travel(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    (tmp_path / "in/gen").mkdir(parents=True)
    (tmp_path / "in/gen" / name).write_bytes(b"old")
    os.utime(tmp_path / "in/gen" / name, (0, 0))  # 1970
    (tmp_path / "in/gen/link.png").symlink_to(tmp_path / "in/gen" / name)
    remote.unpack(remote.pack(tmp_path / "in", ["gen"]), tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out/gen")) == sorted([name, "link.png"])
    assert (tmp_path / "out/gen" / name).read_bytes() == b"old"
    assert not (tmp_path / "out/gen/link.png").is_symlink()
    assert (tmp_path / "out/gen/link.png").read_bytes() == b"old"
