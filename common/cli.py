"""What the scripts' command lines share: parser, number types, one-line errors, progress bars."""

import argparse
import contextlib
import logging
import re
import signal
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

from tqdm import tqdm

from common.errors import BadInput

ROOMS = ("images", "vae_aug", "cnn", "common")  # whose log lines a user sees
ROOT = Path(__file__).resolve().parent.parent


class ArgumentParser(argparse.ArgumentParser):
    """An argparse parser whose help shows every default and whose errors are one line."""

    def __init__(self, description):
        # A script's docstring is its help; the formatter keeps its lines.
        super().__init__(description=description, formatter_class=_HelpFormatter, allow_abbrev=False)
        self.add_argument("--debug", action="store_true", help="show the whole traceback of an error")

    def parse_args(self, args=None, namespace=None):
        """Refuses an empty text anywhere: as a folder it would be the one that the user happens to be in."""
        before = "an argument"
        for text in sys.argv[1:] if args is None else args:
            if not text or re.fullmatch("-[-a-z]+=", text):
                flag = text.rstrip("=") or before
                self.error(f"{flag}: received nothing, as from a variable of the shell that is not set")
            before = text
        return super().parse_args(args, namespace)

    def error(self, message):
        print(f"{self.prog}: error: {message}", file=sys.stderr)
        raise Refused(message)


class Refused(SystemExit):
    """The end of a script whose flags do not do, with exit status 2; `words` say why."""

    def __init__(self, words):
        super().__init__(2)
        self.words = words


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    def _get_help_string(self, action):
        if isinstance(action.default, list):
            return f"{action.help} (default: {' '.join(map(str, action.default))})"
        return action.help if action.default in (None, False) else super()._get_help_string(action)


def number(kind, accepts, words):
    """Makes an argparse type of numbers: `kind(text)`, which must be such as `accepts` wants; `words` say which."""

    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not accepts(value):
            raise argparse.ArgumentTypeError(f"expected {words}, received {text!r}")
        return value

    return parse


positive = number(int, lambda n: n > 0, "a whole number above 0")
whole = number(int, lambda n: 0 <= n < 2**31, "a whole number from 0 to 2147483647")
limit = number(int, lambda n: n > 0 or n == -1, "a whole number above 0, or -1 for all")
fraction = number(float, lambda x: 0 < x < 1, "a number between 0 and 1")
share = number(float, lambda x: 0 <= x < 1, "a number from 0 to below 1")
dimension = number(int, lambda n: 0 < n <= 2**16, "a whole number from 1 to 65536")
side = number(int, lambda n: 0 < n <= 4096, "a whole number of pixels from 1 to 4096")
proportion = number(float, lambda x: 0 <= x <= 1, "a number from 0 to 1")
deviation = proportion  # what Keras' GaussianNoise takes
positive_float = number(float, lambda x: 0 < x < float("inf"), "a number above 0")


def add_image_arguments(parser):
    """`--size` and `--color`: what to make of folders whose images differ."""
    parser.add_argument("--size", nargs=2, type=side, metavar=("H", "W"), help="scale every image to H x W pixels")
    parser.add_argument("--color", choices=("grey", "rgb"), help="convert every image to grey or RGB")


class Terminated(KeyboardInterrupt):
    """SIGTERM, which cleans up as Ctrl-C does."""


def run(main):
    """Runs a script's `main`; what goes wrong ends with one line on standard error and exit status 2.

    Where the cause is not the user's input, the line names a file with the traceback; `--debug` shows it instead.
    """
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    for room in ROOMS:
        logging.getLogger(room).setLevel(logging.INFO)
    name = Path(sys.argv[0]).name
    _show_any_name()
    with _sigterm_as_interrupt():
        try:
            main()
        except Terminated:
            _end(name, "terminated; nothing unfinished was kept", 128 + signal.SIGTERM)
        except KeyboardInterrupt:
            _end(name, "interrupted; nothing unfinished was kept", 130)
        except Exception as error:
            if "--debug" in sys.argv:
                raise
            _end(name, f"error: {describe(error)}", 2)


def _end(name, words, status):
    print(f"{name}: {words}", file=sys.stderr)
    sys.exit(status)


def describe(error):
    """One line on an error: its message if that says all, else also its kind, and a file with its traceback."""
    message = " ".join(str(error).split())
    if is_plain(error):
        return message or "out of memory"
    message = message if len(message) <= 200 else f"{message[:197]}..."
    with tempfile.NamedTemporaryFile("w", prefix="traceback-", suffix=".txt", delete=False, errors="replace") as file:
        file.writelines(traceback.format_exception(error))
    return f"{type(error).__name__}: {message} (traceback in {file.name}; --debug shows it)"


def is_plain(error):
    """Whether the message of an error says all that a user needs: bad input, a file or disk, too little memory.

    A `ValueError` is about the input if it was raised in a file of this project; one of Keras or NumPy may be a bug.
    """
    if isinstance(error, BadInput) or (isinstance(error, OSError) and error.errno is not None):
        return True
    if not isinstance(error, ValueError | FloatingPointError | OSError | MemoryError):
        return False
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    where = Path(files[-1]) if files else ROOT
    return where.is_relative_to(ROOT) and not {"site-packages", "dist-packages"} & set(where.parts)


@contextlib.contextmanager
def _sigterm_as_interrupt():
    def terminate(*_):
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _show_any_name():
    """Shows `?` for what a console has no character for, in place of an error after all the work."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


class Progress(tqdm):
    """A tqdm bar, which where standard error is no terminal is a line now and then."""

    QUIET = 20  # seconds after which `keep_alive` prints a line

    def __init__(self, *args, **options):
        self.is_terminal, self.shown = sys.stderr.isatty(), time.monotonic()
        super().__init__(*args, **options)
        self.leave = self.is_terminal

    def keep_alive(self):
        """Shows the present state again: the bar at once, a line if there has been none for `QUIET` seconds."""
        if self.is_terminal or time.monotonic() - self.shown >= self.QUIET:
            self.refresh()

    def display(self, msg=None, pos=None):
        self.shown = time.monotonic()
        if self.is_terminal:
            return super().display(msg, pos)
        if msg != "":
            self.fp.write(f"{self if msg is None else msg}\n")
            self.fp.flush()
        return False

    def clear(self, nolock=False):
        if self.is_terminal:
            super().clear(nolock)

    def close(self):
        if not self.is_terminal:
            self.refresh()  # how it ended
        super().close()


def progress(iterable=None, **options):
    """A tqdm bar on standard error; where that is no terminal, a line every ten seconds at most."""
    options.setdefault("mininterval", 0.2 if sys.stderr.isatty() else 10)
    options.setdefault("dynamic_ncols", True)
    if not sys.stderr.isatty():
        options.setdefault(
            "smoothing", 0
        )  # the mean: of a few lines the first, slow step would be most of a moving one
    return Progress(iterable, **options)
