"""The report: what its tables say as Markdown, CSV and LaTeX, and what a browser makes of its page."""

import base64
import re
from html.parser import HTMLParser

import browser
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure as Canvas

from report import page
from report.parts import Claim, Figure, Table

NASTY = '<script>alert("x")</script> & <b>'
HEADLINE = {"title": "What the grid says", "lead": ["First sentence.", "Second sentence."]}


def small_table(**changes):
    frame = pd.DataFrame({"arm": ["CNN", "AUG+VAE"], "f1_percent": ["78.05", ""], "note": ["50 % & more", "a|b"]})
    parts = {"name": "small_1", "title": "A small_table", "source": "Table 1", "frame": frame, "note": "Text of 5 %."}
    return Table(**{**parts, **changes})


def grouped_table(**changes):
    """Two groups of columns over rows named by two columns, as `tables.side_by_side` lays them out."""
    frame = pd.DataFrame(
        [
            [2, 50, "70.00", "71.00 ± 0.50 (3) [70.20, 71.80], out", "80.00", ""],
            [2, 100, "75.00", "75.00 ± 0.50 (3) [74.20, 75.80], in", "85.00", "84.00 (1)"],
        ],
        columns=pd.MultiIndex.from_tuples(
            [("latent", ""), ("size", "")]
            + [(arm, name) for arm in ("CNN", "VAE") for name in ("published", "obtained, fair")]
        ),
    )
    return small_table(**{"name": "grouped", "title": "Grouped", "frame": frame, **changes})


def make_figure(folder, name="curve", title="A curve", inches=(3, 2), **changes):
    canvas = Canvas(figsize=inches)
    canvas.add_subplot().plot([1, 2, 3])
    folder.mkdir(exist_ok=True)
    canvas.savefig(folder / f"{name}.png", dpi=150)
    return Figure(**{"name": name, "title": title, "source": "Fig. 1", "folder": folder, "inches": inches, **changes})


ABOUT = {"fair": "Every arm takes the same steps.", "published": "As the released code does it."}


def make_page(path, headline=HEADLINE, facts=None, claims=(), tables=(), figures=(), **options):
    page.write_page(path, headline, facts or {}, claims, tables, figures, **{"protocols": ABOUT, **options})
    return path.read_text(encoding="utf-8")


class Outline(HTMLParser):
    """Tags in the order in which they open, and the text of the page without its style."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.muted = [], "", False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.muted = tag == "style"

    def handle_endtag(self, tag):
        self.muted = False

    def handle_data(self, data):
        self.text += "" if self.muted else data


def test_markdown_starts_with_title_source_and_note(tmp_path):
    page.write_table(small_table(), tmp_path)
    assert (tmp_path / "small_1.md").read_text(encoding="utf-8") == (
        "# A small\\_table\n\nTable 1\n\nText of 5 %.\n\n"
        "| arm     | f1\\_percent | note            |\n"
        "| ------- | ----------: | --------------- |\n"
        "| CNN     | 78.05       | 50 % &amp; more |\n"
        "| AUG+VAE |             | a\\|b            |\n"
    )


def test_latex_escapes_what_means_something_else(tmp_path):
    page.write_table(small_table(), tmp_path)
    lines = (tmp_path / "small_1.tex").read_text(encoding="utf-8").splitlines()
    assert r"\caption{A small\_table. Table 1. Text of 5 \%.}" in lines
    assert lines[lines.index(r"\toprule") : lines.index(r"\bottomrule") + 1] == [
        r"\toprule",
        r"arm & f1\_percent & note \\",
        r"\midrule",
        r"CNN & 78.05 & 50 \% \& more \\",
        r"AUG+VAE &  & a\textbar{}b \\",
        r"\bottomrule",
    ]
    assert r"\begin{tabular}{lrl}" in lines


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("$5 #1 {x}", r"\$5 \#1 \{x\}"),
        ("a\\b~c^d", r"a\textbackslash{}b\textasciitilde{}c\textasciicircum{}d"),
        ("1 ± 2 \u2212 3 ≤ 4", r"1 $\pm$ 2 $-$ 3 $\leq$ 4"),
        ("[0, 1]", "{}[0, 1]"),  # after \\ a bracket would be the space to leave
    ],
)
def test_latex_of_single_cells(text, escaped):
    assert f"\n{escaped} \\\\\n" in page.as_latex(small_table(frame=pd.DataFrame({"x": [text]})))


def test_csv_holds_the_numbers_as_printed_and_empty_cells_empty(tmp_path):
    page.write_table(small_table(), tmp_path)
    assert (tmp_path / "small_1.csv").read_text(encoding="utf-8").splitlines() == [
        "arm,f1_percent,note",
        "CNN,78.05,50 % & more",
        "AUG+VAE,,a|b",
    ]


def test_csv_takes_the_tidy_frame_if_there_is_one(tmp_path):
    tidy = pd.DataFrame({"arm": ["CNN"], "mean": [0.5]})
    page.write_table(small_table(tidy=tidy), tmp_path)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "small_1.csv"), tidy)


def test_levels_are_joined_in_markdown_and_csv(tmp_path):
    page.write_table(grouped_table(), tmp_path)
    names = ["latent", "size"] + [
        f"{arm}: {name}" for arm in ("CNN", "VAE") for name in ("published", "obtained, fair")
    ]
    assert list(pd.read_csv(tmp_path / "grouped.csv").columns) == names
    head = (tmp_path / "grouped.md").read_text(encoding="utf-8").splitlines()[6]
    assert [cell.strip() for cell in head.strip("|").split("|")] == names


def test_latex_keeps_the_levels():
    lines = page.as_latex(grouped_table()).splitlines()
    top = lines.index(r"\toprule")
    assert lines[top + 1 : top + 5] == [
        r"& & \multicolumn{2}{c}{CNN} & \multicolumn{2}{c}{VAE} \\",
        r"\cmidrule(lr){3-4}\cmidrule(lr){5-6}",
        r"latent & size & published & obtained, fair & published & obtained, fair \\",
        r"\midrule",
    ]
    assert all(len(re.split(r"(?<!\\)&", line)) == 6 for line in lines[top + 5 : lines.index(r"\bottomrule")])


def test_three_levels_and_an_index_with_a_name():
    columns = pd.MultiIndex.from_tuples([("a", "b", "x"), ("a", "b", "y"), ("a", "c", "x"), ("d", "", "")])
    frame = pd.DataFrame([list("1234")], columns=columns, index=pd.Index(["first"], name="row"))
    lines = page.as_latex(small_table(frame=frame)).splitlines()
    top = lines.index(r"\toprule")
    assert lines[top + 1 : top + 6] == [
        r" & \multicolumn{3}{c}{a} &  \\",
        r"\cmidrule(lr){2-4}",
        r" & \multicolumn{2}{c}{b} & \multicolumn{1}{c}{c} &  \\",
        r"\cmidrule(lr){2-3}\cmidrule(lr){4-4}",
        r"row & x & y & x & d \\",
    ]
    assert "first & 1 & 2 & 3 & 4" in "\n".join(lines)


def test_missing_values_are_empty_cells():
    frame = pd.DataFrame({"a": [1.5, np.nan], "b": pd.array([3, None], "Int64"), "c": [None, "x"]})
    assert page.as_markdown(small_table(frame=frame)).splitlines()[-2:] == [
        "| 1.5 | 3   |     |",
        "|     |     | x   |",
    ]


def test_a_table_without_rows_says_so(tmp_path):
    table = small_table(frame=pd.DataFrame([]))
    page.write_table(table, tmp_path)
    said = [(tmp_path / f"small_1.{kind}").read_text(encoding="utf-8") for kind in ("md", "tex")]
    said.append(make_page(tmp_path / "report.html", tables=[table]))
    assert all("Nothing of it was run." in text for text in said)


def test_the_page_keeps_the_levels_and_names_its_rows(tmp_path):
    text = make_page(tmp_path / "report.html", tables=[grouped_table()])
    cells = [
        (tag, attrs.get("scope"), attrs.get("colspan")) for tag, attrs in Outline(text).tags if tag in ("th", "td")
    ]
    head = [("td", None, "2"), ("th", "colgroup", "2"), ("th", "colgroup", "2")] + [("th", "col", None)] * 6
    row = [("th", "row", None)] * 2 + [("td", None, None)] * 4
    assert cells == head + row + row


def test_every_field_is_escaped(tmp_path):
    frame = pd.DataFrame({NASTY: [NASTY]})
    text = make_page(
        tmp_path / "report.html",
        headline={"title": NASTY, "lead": [NASTY]},
        facts={NASTY: NASTY, f"Command {NASTY}": f"x {NASTY} --y {NASTY}"},
        claims=[Claim(NASTY, NASTY, NASTY, NASTY, NASTY)],
        tables=[Table(f'"{NASTY}', NASTY, NASTY, frame, NASTY, [NASTY])],
        figures=[make_figure(tmp_path / "figures", title=NASTY, source=NASTY, note=NASTY, commands=[NASTY])],
        table_folder=tmp_path / NASTY.replace("/", ""),
    )
    outline = Outline(text)
    assert "<script" not in text
    assert "<b>" not in re.sub(r"<b>\d+</b>", "", text)  # the page's own counts
    assert outline.text.count("alert") > 20


def test_empty_parts_are_said_in_words(tmp_path):
    text = Outline(make_page(tmp_path / "report.html")).text
    assert text.count("No claim was judged under this protocol.") == 2
    assert "This grid has left no table." in text
    assert "This grid has left no figure." in text


def test_claims_stand_under_their_protocol_with_a_verdict_in_words(tmp_path):
    claims = [
        Claim("First claim.", "4.1", "published", "holds", "By 3 points."),
        Claim("Second claim.", "4.2", "fair", "does not hold", "By -1 point."),
        Claim("Third claim.", "4.3", "fair", "not decided", "One seed."),
    ]
    text = " ".join(Outline(make_page(tmp_path / "report.html", claims=claims)).text.split())
    order = ["Every arm takes", "does not hold Second claim.", "not decided Third claim.", "As the released code"]
    places = [text.index(words) for words in [*order, "holds First claim."]]
    assert places == sorted(places)
    assert "Fair protocol ✗does not hold 1 ?not decided 1 Published protocol ✓holds 1" in text


def test_the_headline_leads_to_the_protocol_that_has_claims(tmp_path):
    outline = Outline(
        make_page(tmp_path / "report.html", claims=[Claim("First.", "4.1", "published", "holds", "By 3.")])
    )
    links = [attrs["href"] for tag, attrs in outline.tags if tag == "a" and attrs["href"].startswith("#claims-")]
    titles = [attrs["id"] for tag, attrs in outline.tags if tag == "h3"]
    assert links == ["#claims-2"]
    assert titles == ["claims-1", "claims-2"]


def test_long_lists_of_command_lines_are_printed_once(tmp_path):
    many = [f"python train_cnn.py --seed {k}" for k in range(30)]
    tables = [small_table(name=f"t{k}", title=f"Title {k}", commands=many) for k in range(3)]
    tables += [small_table(name="few", commands=many[:1]), small_table(name="again", commands=many[:1])]
    outline = Outline(make_page(tmp_path / "report.html", tables=tables))
    assert outline.text.count("--seed 29") == 1
    assert outline.text.count("--seed 0") == 3
    assert outline.text.count("The same as those of Title 0 (Table 1).") == 2
    links = [attrs["href"][1:] for tag, attrs in outline.tags if tag == "a"]
    assert set(links) <= {attrs.get("id") for _, attrs in outline.tags}


def test_figures_are_inside_and_their_pdf_is_named_from_the_page(tmp_path):
    figure = make_figure(tmp_path / "figures", inches=(3, 2))
    outline = Outline(make_page(tmp_path / "out" / "report.html", figures=[figure]))
    (image,) = (attrs for tag, attrs in outline.tags if tag == "img")
    assert (
        image["src"] == "data:image/png;base64," + base64.b64encode((figure.folder / "curve.png").read_bytes()).decode()
    )
    assert (image["width"], image["height"]) == ("360", "240")  # 120 pixels an inch
    assert image["alt"] == "A curve (Fig. 1)"
    assert "../figures/curve.pdf" in outline.text


def test_files_of_tables_are_named_if_their_folder_is_given(tmp_path):
    text = Outline(make_page(tmp_path / "report.html", tables=[small_table()], table_folder=tmp_path / "tables")).text
    assert "Files: tables/small_1.md, tables/small_1.csv, tables/small_1.tex" in text
    assert "Files:" not in Outline(make_page(tmp_path / "report.html", tables=[small_table()])).text


def luminance(color):
    digits = color.lstrip("#") if len(color) == 7 else "".join(2 * digit for digit in color.lstrip("#"))
    channels = np.array([int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4) @ [
        0.2126,
        0.7152,
        0.0722,
    ]


def test_text_stands_out_in_light_dark_and_print(tmp_path):
    """Contrast of at least 4.5 to 1: level AA of the Web Content Accessibility Guidelines."""
    text = make_page(tmp_path / "report.html")
    schemes = [dict(re.findall(r"--([\w-]+): (#\w+)", block)) for block in re.findall(r":root \{(.*?)\}", text, re.S)]
    assert len(schemes) == 3
    pairs = [(ink, paper) for ink in ("ink", "muted", "accent") for paper in ("paper", "raised")]
    for scheme in schemes:
        for ink, paper in pairs + [(name, f"{name}-paper") for name in ("yes", "no", "open")]:
            dark, light = sorted((luminance(scheme[ink]), luminance(scheme[paper])))
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, paper, scheme)


@pytest.fixture(scope="module")
def whole_page(tmp_path_factory):
    """A page with everything in it, much of it long."""
    folder = tmp_path_factory.mktemp("page")
    long_line = "python train_cnn.py " + " ".join(f"--flag-number-{k} value/{'x' * k}" for k in range(60))
    wide = pd.concat(
        [grouped_table().frame] + [grouped_table().frame.iloc[:, 2:].add_suffix(f"{k}") for k in range(4)], axis=1
    )
    words = "unbreakable" * 30
    return make_page(
        folder / "report.html",
        headline={"title": f"Title {words}", "lead": ["A sentence. " * 20, words]},
        facts={"Command": long_line, "Versions": words, "Date": "today"},
        claims=[
            Claim(f"A claim. {words}", "4.1", protocol, verdict, "Evidence. " * 20)
            for protocol in ("fair", "published")
            for verdict in page.VERDICTS
        ],
        tables=[
            grouped_table(
                frame=wide, commands=[long_line] * 30, title="A wide table " * 8, source="A long source " * 8
            ),
            grouped_table(name="second", commands=[long_line] * 30),
            small_table(note=words, commands=[long_line]),
        ],
        figures=[
            make_figure(folder / "figures", commands=[long_line]),
            make_figure(folder / "figures", "wide", "A wide figure", inches=(15, 3), note=words),
        ],
        table_folder=folder / words[:200],
    )


@pytest.fixture(scope="module", params=["light", "dark"])
def findings(request, whole_page, tmp_path_factory):
    """What a browser measures of the page at two widths, folded and unfolded."""
    views = browser.views(whole_page, request.param, tmp_path_factory.mktemp("browser"), (360, 1280))
    return {"scheme": request.param, "views": views}


def test_browser_scrolls_nothing_sideways(findings):
    assert [view["width"] for view in findings["views"]] == [360, 360, 1280, 1280]
    for view in findings["views"]:
        assert view["scroll_width"] <= view["width"]
        assert view["body_width"] <= view["width"]
        assert max(view["regions"]) <= view["width"]


def test_browser_shows_every_table_and_picture(findings):
    for view in findings["views"]:
        assert len(view["tables"]) == 3
        assert max(view["tables"]) > view["width"]  # the wide one scrolls inside its box
        assert len(view["pictures"]) == 2
        assert all(natural > 0 and right <= view["width"] for natural, right in view["pictures"])


def test_browser_follows_the_colour_scheme(findings):
    dark = findings["scheme"] == "dark"
    for view in findings["views"]:
        assert view["dark"] == dark
        assert view["paper"] == ("rgb(20, 24, 29)" if dark else "rgb(255, 255, 255)")
        assert all((padding != "0px") == dark for padding in view["padding"])  # a white card under figures


def test_browser_fetches_nothing(findings):
    assert [name for view in findings["views"] for name in view["fetched"] if not name.startswith("data:")] == []


def test_the_page_refers_to_nothing_outside(whole_page):
    outline = Outline(whole_page)
    targets = [
        attrs[name] for _, attrs in outline.tags for name in ("src", "href", "srcset", "action") if name in attrs
    ]
    assert targets
    assert all(target.startswith(("#", "data:")) for target in targets)
    assert not re.search(r"url\(|@import|https?://|<script", whole_page)
    policy = [attrs["content"] for tag, attrs in outline.tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    assert whole_page.startswith("<!DOCTYPE html>\n")
