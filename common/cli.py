"""What the scripts' command lines share: parser, number types, one-line errors, progress bars."""

import argparse
import logging
import sys
from pathlib import Path

from tqdm import tqdm

ROOMS = ("images", "vae_aug", "cnn", "common")  # whose log lines a user sees


class ArgumentParser(argparse.ArgumentParser):
    """An argparse parser whose help shows every default and whose errors are one line."""

    def __init__(self, description):
        # A script's docstring is its help; the formatter keeps its lines.
        super().__init__(description=description, formatter_class=_HelpFormatter, allow_abbrev=False)

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message}\n")


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    def _get_help_string(self, action):
        return action.help if action.default in (None, False) else super()._get_help_string(action)


def _number(kind, accepts, words):
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not accepts(value):
            raise argparse.ArgumentTypeError(f"expected {words}, received {text!r}")
        return value

    return parse


positive = _number(int, lambda n: n > 0, "a whole number above 0")
whole = _number(int, lambda n: 0 <= n < 2**31, "a whole number from 0 to 2147483647")
limit = _number(int, lambda n: n > 0 or n == -1, "a whole number above 0, or -1 for all")
fraction = _number(float, lambda x: 0 < x < 1, "a number between 0 and 1")
share = _number(float, lambda x: 0 <= x < 1, "a number from 0 to below 1")
deviation = _number(float, lambda x: 0 <= x < float("inf"), "a number of at least 0")
positive_float = _number(float, lambda x: 0 < x < float("inf"), "a number above 0")


def add_image_arguments(parser):
    """`--size` and `--color`: what to make of folders whose images differ."""
    parser.add_argument("--size", nargs=2, type=positive, metavar=("H", "W"), help="scale every image to H x W pixels")
    parser.add_argument("--color", choices=("grey", "rgb"), help="convert every image to grey or RGB")


def run(main):
    """Runs a script's `main`: bad input ends with one line on standard error and exit status 2."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    for room in ROOMS:
        logging.getLogger(room).setLevel(logging.INFO)
    name = Path(sys.argv[0]).name
    for stream in (sys.stdout, sys.stderr):  # a console that cannot show a name shows ?, and the work goes on
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        main()
    except KeyboardInterrupt:
        print(f"{name}: interrupted; nothing unfinished was kept", file=sys.stderr)
        sys.exit(130)
    except (ValueError, FloatingPointError, OSError, MemoryError) as error:
        print(f"{name}: error: {' '.join(str(error).split()) or 'out of memory'}", file=sys.stderr)
        sys.exit(2)


def progress(iterable=None, **options):
    """A tqdm bar on standard error; where that is no terminal, a line every ten seconds at most."""
    options.setdefault("mininterval", 0.2 if sys.stderr.isatty() else 10)
    options.setdefault("dynamic_ncols", True)
    return tqdm(iterable, **options)
