"""The report of a grid: one HTML page that needs nothing beside it, and every table as Markdown, CSV and LaTeX."""

import base64
import itertools
import os
import re
from collections import Counter
from pathlib import Path

import jinja2
import pandas as pd

VERDICTS = {"holds": ("yes", "✓"), "does not hold": ("no", "✗"), "not decided": ("open", "?")}  # class, mark
VERDICTS |= {"helps": ("yes", "✓"), "harms": ("no", "✗"), "no difference worth having": ("open", "=")}
VERDICTS |= {"cannot tell": ("open", "?")}
NUMBER = re.compile("[-+\u2212]?\\d[\\d.,]*%?")
STICKY = 14  # characters that row names may have together to stay in sight on a phone while the rest scrolls
PER_INCH = 120  # CSS pixels for an inch of a figure, whose text of 8 points would be small at the usual 96
SHORT = 20  # command lines that are worth printing again
MARKDOWN = {ord(mark): f"\\{mark}" for mark in "\\`*_|"} | {ord("<"): "&lt;", ord("&"): "&amp;"}
NAMED = zip("\\~^<>|", "backslash asciitilde asciicircum less greater bar".split(), strict=True)
SIGNS = zip("±\u00d7≤≥", "pm times leq geq".split(), strict=True)
LATEX = {ord(mark): f"\\{mark}" for mark in "&%$#_{}"} | {ord(mark): rf"\text{name}{{}}" for mark, name in NAMED}
LATEX |= {ord(sign): rf"$\{name}$" for sign, name in SIGNS} | {0x2212: "$-$", 0x2013: "--"}


def write_page(path, headline, facts, claims, tables, figures, table_folder=None, protocols=None):
    """Writes the report as one file: style and pictures are inside, nothing is fetched, no script runs.

    Args:
        path: the HTML file.
        headline: dict with `"title"` and `"lead"`, a list of sentences of which the first stands out.
        facts: dict from a label to text, in the order of the page; where the label begins with "command" it is code.
        claims: list of `results.Claim`.
        tables: list of `results.Table`.
        figures: list of `results.Figure`; their PNG files are read, their PDF files named.
        table_folder: where `write_table` put the tables, to be named beside them; None names no files.
        protocols: dict from a protocol, always shown in this order, to what it is; None says nothing of any.
    """
    path, seen = Path(path), {}
    options = {"autoescape": True, "undefined": jinja2.StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent), **options)
    text = environment.get_template("page.html.j2").render(
        headline=headline,
        facts=facts,
        protocols=_by_protocol(claims, protocols or {}),
        verdicts=VERDICTS,
        tables=[
            _part("table", table, seen) | _grid(table.frame) | _files(path, table_folder, table) for table in tables
        ],
        figures=[
            _part("figure", figure, seen) | _picture(figure) | _files(path, figure.folder, figure, ("pdf",))
            for figure in figures
        ],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def write_table(table, folder):
    """Writes a `results.Table` as `<folder>/<name>.md`, `.csv` and `.tex`; the CSV file takes its `tidy`, if any."""
    folder, frame = Path(folder), table.tidy
    folder.mkdir(parents=True, exist_ok=True)
    for kind, text in (("md", as_markdown(table)), ("tex", as_latex(table))):
        (folder / f"{table.name}.{kind}").write_text(text, encoding="utf-8", newline="\n")
    if frame is None:
        frame = _with_index(table.frame)
        frame = frame.set_axis([_flat(name) for name in _names(frame)], axis=1)
    frame.to_csv(folder / f"{table.name}.csv", index=False, encoding="utf-8", lineterminator="\n")


def as_markdown(table):
    """A table as Markdown, its title, source and note first; levels of its head are joined with a colon."""
    names, rows, numeric = _printable(table.frame)
    lines = [[_plain(cell, MARKDOWN) for cell in line] for line in ([_flat(name) for name in names], *rows)]
    widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
    lines = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    rule = ["-" * (width - 1) + (":" if right else "-") for width, right in zip(widths, numeric, strict=True)]
    body = "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:]))
    title, source, note = (_plain(text, MARKDOWN) for text in (table.title, table.source, table.note))
    return "\n\n".join(filter(None, (f"# {title}", source, note, body))) + "\n"


def as_latex(table):
    """A table as a LaTeX float in the style of booktabs, shrunk to the width of the text if it is wider."""
    names, rows, numeric = _printable(table.frame)
    *groups, last = _head(names)
    body = [r"\toprule"]
    for level in groups:
        ends = list(itertools.accumulate(span for _, span in level))
        rules = [rf"\cmidrule(lr){{{end - n + 1}-{end}}}" for (text, n), end in zip(level, ends, strict=True) if text]
        cells = [rf"\multicolumn{{{n}}}{{c}}{{{_plain(text, LATEX)}}}" if text else "&" * (n - 1) for text, n in level]
        body += [" & ".join(cells) + r" \\", "".join(rules)]
    lines = [" & ".join(_plain(cell, LATEX) for cell in line) + r" \\" for line in ([text for text, _ in last], *rows)]
    lines = ["{}" + line if line.startswith(("[", "*")) else line for line in lines]  # else an argument of the \\ above
    sentences = [_plain(text, LATEX).rstrip(".") + "." for text in (table.title, table.source, table.note) if text]
    text = [
        r"% \usepackage{adjustbox, booktabs}",
        r"\begin{table}[htbp]",
        r"\centering",
        rf"\caption{{{' '.join(sentences)}}}",
        rf"\label{{tab:{table.name}}}",
        r"\begin{adjustbox}{max width=\textwidth}",
        rf"\begin{{tabular}}{{{''.join('r' if right else 'l' for right in numeric)}}}",
        *(*body, lines[0], r"\midrule", *lines[1:], r"\bottomrule"),
        *(r"\end{tabular}", r"\end{adjustbox}", r"\end{table}"),
    ]
    return "\n".join(text) + "\n"


def _plain(text, marks):
    """Text on one line, with the characters escaped that mean something else."""
    return " ".join(text.split()).translate(marks)


def _flat(name):
    return ": ".join(filter(None, name))


def _with_index(frame):
    """The frame with its index as first columns, if the index has a name and so says something."""
    return frame.reset_index() if any(name is not None for name in frame.index.names) else frame


def _names(frame):
    """The columns' names, each a tuple of text, a level each."""
    return [tuple(str(part).strip() for part in (name if isinstance(name, tuple) else (name,))) for name in frame]


def _printable(frame):
    """A frame as names of columns, rows of text, and whether each column holds nothing but numbers."""
    frame = _with_index(frame)
    if frame.empty:
        return [("result",)], [["Nothing of it was run."]], [False]
    rows = [["" if pd.isna(cell) else str(cell) for cell in row] for row in frame.to_numpy(object)]
    filled = [[cell for cell in column if cell] for column in zip(*rows, strict=True)]
    return _names(frame), rows, [bool(cells) and all(map(NUMBER.fullmatch, cells)) for cells in filled]


def _head(names):
    """The rows of a table's head, each a list of (text, columns that it spans); a name stands as low as it can."""
    depth, levels = len(names[0]), []
    filled = [max((k + 1 for k, text in enumerate(name) if text), default=0) for name in names]
    names = [("",) * (depth - count) + name[:count] for name, count in zip(names, filled, strict=True)]
    for level in range(depth - 1):
        groups = [list(group) for _, group in itertools.groupby(names, key=lambda name: name[: level + 1])]
        levels.append([(group[0][level], len(group)) for group in groups])
    return [*levels, [(name[-1], 1) for name in names]]


def _grid(frame):
    """What the page needs of a table's frame; its leading columns, those under no group, name a row."""
    names, rows, numeric = _printable(frame)
    leading = max(1, len(list(itertools.takewhile(lambda name: len(name) > 1 and not any(name[1:]), names))))
    widths = [max(map(len, [*names[k][0].split(), *(row[k] for row in rows)])) for k in range(leading)]
    offsets = [0, *itertools.accumulate(widths)] if sum(widths) <= STICKY else []
    grouped = any(row[0] == above[0] for above, row in itertools.pairwise(rows))
    view = {"head": _head(names), "rows": rows, "numeric": numeric, "leading": leading, "grouped": grouped}
    return {**view, "widths": widths, "offsets": offsets}


def _part(kind, part, seen):
    """What tables and figures share; `seen` maps long lists of command lines to the part that shows them."""
    view = {"anchor": f"{kind}-{re.sub(r'[^A-Za-z0-9.-]', '-', part.name)}"}
    view |= {"title": part.title, "source": part.source, "note": part.note, "commands": tuple(part.commands)}
    first = seen.setdefault(view["commands"], view) if len(part.commands) > SHORT else view
    return {**view, "same_as": None if first is view else first}


def _picture(figure):
    """A figure's PNG file as a data URI, and its width and height in CSS pixels."""
    data = (Path(figure.folder) / f"{figure.name}.png").read_bytes()
    uri = "data:image/png;base64," + base64.b64encode(data).decode()
    width, height = (round(side * PER_INCH) for side in figure.inches)
    return {"uri": uri, "width": width, "height": height}


def _files(path, folder, part, kinds=("md", "csv", "tex")):
    """Where the files of a table or a figure lie as seen from the page."""
    files = [] if folder is None else [Path(folder) / f"{part.name}.{kind}" for kind in kinds]
    return {"files": [Path(os.path.relpath(file, path.parent)).as_posix() for file in files]}


def _by_protocol(claims, protocols):
    """Claims by protocol, the named ones first and always, with a count of each verdict."""
    groups, views = {name: [] for name in protocols}, []
    for claim in claims:
        groups.setdefault(claim.protocol, []).append(claim)
    for name, group in groups.items():
        found = Counter(claim.verdict for claim in group)
        counts = {verdict: found[verdict] for verdict in [*VERDICTS, *found] if found[verdict]}
        views.append({"name": name, "about": protocols.get(name, ""), "claims": group, "counts": counts})
    return views
