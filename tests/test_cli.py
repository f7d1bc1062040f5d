"""What all command lines share: number types, one-line errors, exit statuses, complete help, a quick start."""

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile

import numpy as np
import pytest
from conftest import GUARD, ROOT, run_here

from common import cli, runs
from common.errors import BadInput

SCRIPTS = (
    "prepare_data",
    "train_vae",
    "train_rbm",
    "train_cdc",
    "train_cglo",
    "train_deformation",
    "generate",
    "assess",
    "train_cnn",
)


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (cli.positive, "1", 1),
        (cli.positive, "3000", 3000),
        (cli.whole, "0", 0),
        (cli.whole, str(2**31 - 1), 2**31 - 1),
        (cli.limit, "-1", -1),
        (cli.limit, "5", 5),
        (cli.fraction, "0.16", 0.16),
        (cli.positive_float, "1.5", 1.5),
        (cli.positive_float, "1e-3", 0.001),
    ],
)
def test_a_number_is_accepted(parse, text, value):
    assert parse(text) == value
    assert type(parse(text)) is type(value)


@pytest.mark.parametrize(
    ("parse", "texts"),
    [
        (cli.positive, ("0", "-1", "1.5", "x", "", "inf", "1e3")),
        (cli.whole, ("-1", "1.5", "x", "", str(2**31))),
        (cli.limit, ("0", "-2", "1.5", "x", "")),
        (cli.fraction, ("0", "1", "-0.1", "1.1", "nan", "inf", "x", "")),
        (cli.positive_float, ("0", "-1.5", "nan", "inf", "-inf", "x", "")),
    ],
)
def test_a_number_is_refused_in_words(parse, texts):
    for text in texts:
        with pytest.raises(argparse.ArgumentTypeError, match=r"expected a .*number.*, received ") as error:
            parse(text)
        assert str(error.value).endswith(repr(text))


def make_parser():
    parser = cli.ArgumentParser("What it does.\n\nExample  kept   as written")
    parser.add_argument("--count", type=cli.positive, default=3, help="how many")
    parser.add_argument("--kind", choices=("a", "b"), help="which")
    parser.add_argument("--flag", action="store_true", help="whether")
    cli.add_image_arguments(parser)
    return parser


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--count", "0"], "--count: expected a whole number above 0, received '0'"),
        (["--count", "-3"], "--count"),
        (["--count"], "--count"),
        (["--cou", "3"], "--cou 3"),
        (["--kind", "c"], "--kind"),
        (["--size", "8"], "--size"),
        (["--size", "8", "0"], "--size"),
        (["--color", "blue"], "--color"),
        (["--unknown"], "--unknown"),
        (["stray"], "stray"),
    ],
)
def test_a_wrong_flag_ends_with_one_line_and_status_2(capsys, argv, words):
    with pytest.raises(SystemExit) as error:
        make_parser().parse_args(argv)
    printed = capsys.readouterr()
    assert error.value.code == 2
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert "error: " in printed.err
    assert words in printed.err


@pytest.mark.parametrize("argv", [["--source", "", "--out", "x"], ["--source="], ["--source=", "--out", "x"]])
def test_an_empty_text_is_no_file_and_no_folder(capsys, argv):
    import prepare_data

    with pytest.raises(SystemExit) as ended:
        prepare_data.parse_args(argv)
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith(
        "error: --source: received nothing, as from a variable of the shell that is not set\n"
    )


def test_help_keeps_the_description_and_shows_only_real_defaults():
    text = make_parser().format_help()
    assert "Example  kept   as written" in text
    assert "how many (default: 3)" in text
    assert text.count("(default") == 1


def test_size_is_two_numbers():
    assert make_parser().parse_args(["--size", "8", "12"]).size == [8, 12]


def raising(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize("error", [ValueError, OSError, FloatingPointError, FileNotFoundError, UnicodeError])
def test_bad_input_ends_with_one_line_and_status_2(capsys, monkeypatch, error):
    monkeypatch.setattr(sys, "argv", ["some/where/step.py", "--flag"])
    with pytest.raises(SystemExit) as ended:
        cli.run(raising(error("first line\n  second line\n\nthird")))
    assert ended.value.code == 2
    assert capsys.readouterr().err == "step.py: error: first line second line third\n"


def test_a_system_error_names_its_file(capsys):
    with pytest.raises(SystemExit):
        cli.run(raising(OSError(28, "No space left on device", "gen/0/1.png")))
    assert "No space left on device: 'gen/0/1.png'" in capsys.readouterr().err


def test_an_interruption_is_no_success(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.run(raising(KeyboardInterrupt()))
    assert ended.value.code == 130
    assert "interrupted" in capsys.readouterr().err


@pytest.fixture
def traces(tmp_path, monkeypatch):
    """Folder for the files that tracebacks are written to."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def by_numpy():
    np.zeros(3).reshape(2, 2)  # in NumPy's C code, called from here


def by_json():
    json.loads("{")  # a ValueError from a file that is not this project's


class Foreign(Exception):
    """Stands for an error of a back end, which is no ValueError."""


@pytest.mark.parametrize(
    ("main", "kind"), [(raising(Foreign("what\nno one")), "Foreign"), (by_json, "JSONDecodeError")]
)
def test_other_errors_end_with_one_line_and_a_file_with_the_traceback(capsys, traces, main, kind):
    with pytest.raises(SystemExit) as ended:
        cli.run(main)
    (line,) = capsys.readouterr().err.splitlines()
    (file,) = traces.iterdir()
    assert ended.value.code == 2
    assert f"error: {kind}: " in line
    assert f"(traceback in {file}; --debug shows it)" in line
    assert file.read_text().startswith("Traceback (most recent call last)")
    assert kind in file.read_text()


def test_long_messages_of_others_are_shortened(capsys, traces):
    with pytest.raises(SystemExit):
        cli.run(raising(Foreign("x" * 10_000)))
    assert len(capsys.readouterr().err) < 400 + len(str(traces))


@pytest.mark.parametrize("main", [by_numpy, raising(BadInput("which file"))])
def test_an_error_of_ours_has_no_file_of_its_own(capsys, traces, main):
    with pytest.raises(SystemExit):
        cli.run(main)
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not list(traces.iterdir())


def test_debug_shows_the_traceback(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["step.py", "--debug"])
    with pytest.raises(BadInput):
        cli.run(raising(BadInput("which file")))
    assert make_parser().parse_args(["--debug"]).debug


def test_sigterm_cleans_up_and_is_no_success(capsys, tmp_path):
    def main():
        with runs.writing(tmp_path / "out", {}, {}):
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        cli.run(main)
    assert ended.value.code == 143
    assert "terminated; nothing unfinished was kept" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_interruption_while_python_imports_is_one_line(tmp_path, name):
    """The module stands for the seconds that NumPy takes to import."""
    for module in ("numpy", "cv2"):
        (tmp_path / f"{module}.py").write_text("raise KeyboardInterrupt")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, str(ROOT / f"{name}.py"), "--help"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.stderr == f"{name}.py: interrupted before it began\n"
    assert ended.returncode != 0


def test_a_good_end_is_status_0():
    assert cli.run(lambda: None) is None


def parser_of(name, monkeypatch):
    """The parser that a script makes."""
    made = []

    class Made(Exception):
        pass

    def catch(parser, argv, namespace):
        made.append(parser)
        raise Made

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", catch)
    with pytest.raises(Made):
        importlib.import_module(name).parse_args([])
    return made[0]


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_names_every_flag_and_default(name, script, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")  # so that no line is wrapped
    ended = (script if name == "train_cnn" else run_here)(f"{name}.py", "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"usage: {name}.py")
    entries = [" ".join(entry.split()) for entry in ended.stdout.split("\n  -")[1:]]
    for action in parser_of(name, monkeypatch)._actions:
        first, *others = action.option_strings
        (entry,) = (f"-{entry} " for entry in entries if f"-{entry} ".replace(",", " ").startswith(f"{first} "))
        assert all(flag in entry for flag in others)
        if action.default not in (None, False, argparse.SUPPRESS):
            default = " ".join(map(str, action.default)) if isinstance(action.default, list) else action.default
            assert f"(default: {default})" in entry


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_flag_has_words(name, monkeypatch):
    actions = parser_of(name, monkeypatch)._actions
    assert [action.option_strings for action in actions if not action.help] == []


QUICK_START = """
import sys, prepare_data, train_vae, train_rbm, train_cdc, train_cglo, train_deformation, generate, assess, train_cnn
prepare_data.parse_args(["--dataset", "digits"])
train_vae.parse_args(["--all"])
train_rbm.parse_args([])
generate.parse_args([])
train_cnn.parse_args(["-path", "data"])
for main, argv in ((prepare_data.main, ["--folder", "absent"]), (train_vae.main, ["--all", "-path", "absent"]),
                   (train_rbm.main, ["-path", "absent"]), (train_cdc.main, ["-path", "absent"]),
                   (train_cglo.main, ["-path", "absent"]),
                   (train_deformation.main, ["-path", "absent"]),
                   (assess.main, ["-real", "absent", "-gen", "generated"]),
                   (generate.main, ["-models", "absent"]), (train_cnn.main, ["-path", "absent"])):
    try:
        main(argv)
    except ValueError as error:
        assert "no such folder" in str(error), error
    else:
        raise AssertionError("not refused")
print(*{"tensorflow", "keras", "jax", "torch"} & set(sys.modules))
"""


def test_flags_and_input_are_checked_before_a_back_end_is_loaded(tmp_path):
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{QUICK_START}"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=GUARD)
    assert (ended.returncode, ended.stderr, ended.stdout) == (0, "", "\n")
    assert not list(tmp_path.iterdir())


def test_progress_in_a_log_file_comes_every_ten_seconds_at_most(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    with cli.progress(total=5) as bar:
        assert bar.mininterval == 10


def test_help_shows_a_default_list_as_it_is_typed():
    parser = cli.ArgumentParser("Does it.")
    parser.add_argument("--folders", nargs="+", default=["models", "more"], help="folders of models")
    assert "folders of models (default: models more)" in " ".join(parser.format_help().split())
