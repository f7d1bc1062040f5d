"""The published numbers, a file a table: `read(name)`."""

from functools import partial
from pathlib import Path

from report.tables import read_published

read = partial(read_published, Path(__file__).parent)
