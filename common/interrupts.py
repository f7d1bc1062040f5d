"""Ends a script with one line where Ctrl-C comes while Python still imports; to import before what takes long."""

import sys
from pathlib import Path

_show_error = sys.excepthook


def _show(kind, error, trace):
    if issubclass(kind, KeyboardInterrupt):
        print(f"{Path(sys.argv[0]).name}: interrupted before it began", file=sys.stderr)
    else:
        _show_error(kind, error, trace)


sys.excepthook = _show
