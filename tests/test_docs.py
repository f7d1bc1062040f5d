"""README.md, docs/ and the help texts: every command parses, every link leads somewhere, the words are plain."""

import importlib
import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from experiments import study

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "data/README.md", *sorted((ROOT / "docs").glob("*.md"))]
SCRIPTS = sorted(path.stem for path in ROOT.glob("*.py") if "def parse_args" in path.read_text(encoding="utf-8"))
STUDIES = study.names()

PER_CLASS = re.compile(
    r"\b(\d[\d,]*|N|one|two|five|ten|few|many|images?|models?|VAEs?|networks?|folders?|files?|chains?|states?|digits?|"
    r"draws?|labels?|labelled|pictures?|samples?|examples?|numbers?|rows?|colours?|process) a class\b",
    re.IGNORECASE,
)


def blocks(text):
    """Code of a Markdown page: each indented or fenced block, then each piece of code within a line."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    indented = re.findall(r"(?:^    .*\n)+", text, flags=re.MULTILINE)
    inline = re.findall(r"`([^`]+)`", re.sub(r"^    .*\n", "", text, flags=re.MULTILINE))
    return [*fenced, *indented, *inline]


def commands(text):
    """The command lines of a page as lists of words, comments dropped and the variables of their block expanded."""
    found = []
    for block in blocks(text):
        variables = {}
        for line in block.replace("\\\n", " ").splitlines():
            for name, value in variables.items():
                line = line.replace(f"${name}", value)
            try:
                words = shlex.split(line, comments=True)
            except ValueError:  # an apostrophe in a listing that is no command
                continue
            if words and (given := re.fullmatch(r"([A-Z]+)=(.+)", words[0])):
                variables[given[1]] = given[2]
            elif words[:1] == ["./reproduce.sh"] or (words[:1] == ["python"] and len(words) > 1):
                found.append(words)
    return found


def parse(words):
    """Parses a command line with its script's own parser, which exits if it refuses."""
    script, argv = (words[0], words[1:]) if words[0].startswith("./") else (words[1], words[2:])
    if script == "./reproduce.sh":
        paper, argv = (argv[0], argv[1:]) if argv and not argv[0].startswith("-") else ("thesis", argv)
        study.parse_args(study.load(paper), argv)
    elif script == "-m":
        assert importlib.util.find_spec(argv[0]), f"there is no module {argv[0]}"
    else:
        importlib.import_module(script.removesuffix(".py")).parse_args(argv)


COMMANDS = {page: commands(page.read_text(encoding="utf-8")) for page in PAGES}
LINES = sorted({shlex.join(words) for found in COMMANDS.values() for words in found})


@pytest.mark.parametrize("line", LINES)
def test_every_command_of_the_pages_parses(line):
    parse(shlex.split(line))


def test_the_pages_show_every_script_and_paper():
    shown = {word.removesuffix(".py") for line in LINES for word in shlex.split(line)[:2]}
    assert shown >= {*SCRIPTS, *STUDIES}


def test_commands_are_found_in_all_their_forms():
    page = """Text with `python a.py --x` and `a.py`.

    R="./reproduce.sh thesis --out 'a b'"
    $R --seeds 5 \\
        --dry-run    # a comment

```sh
python b.py
```
    don't
"""
    assert commands(page) == [
        ["python", "b.py"],
        ["./reproduce.sh", "thesis", "--out", "a b", "--seeds", "5", "--dry-run"],
        ["python", "a.py", "--x"],
    ]


def test_a_flag_that_is_gone_would_be_noticed():
    with pytest.raises(SystemExit):
        parse(["python", "train_cnn.py", "-path", "data", "--no-such-flag"])
    with pytest.raises(SystemExit):
        parse(["./reproduce.sh", "scarce", "--no-such-flag"])


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def slug(heading):
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_picture_leads_somewhere(page):
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    for target in targets:
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in map(slug, headings), target


def test_every_page_can_be_reached_from_the_readme():
    linked = re.findall(r"\]\(([\w-]+/[\w-]+\.md)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert {ROOT / name for name in linked} == set(PAGES[1:])


def test_the_readme_names_every_room():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert [room for room in sorted(rooms) if f"`{room}/`" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_say_per_class(page):
    assert [match[0] for match in PER_CLASS.finditer(page.read_text(encoding="utf-8"))] == []


def help_text(capsys, parse_args):
    with pytest.raises(SystemExit) as caught:
        parse_args(["--help"])
    assert caught.value.code == 0
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_texts_of_the_scripts_say_per_class(script, capsys):
    shown = help_text(capsys, importlib.import_module(script).parse_args)
    assert "--" in shown
    assert [match[0] for match in PER_CLASS.finditer(shown)] == []


@pytest.mark.parametrize("paper", STUDIES)
def test_help_texts_of_the_papers_say_per_class(paper, capsys):
    shown = help_text(capsys, lambda argv: study.parse_args(study.load(paper), argv))
    assert "--seeds" in shown
    assert [match[0] for match in PER_CLASS.finditer(shown)] == []


def test_the_phrase_is_told_from_a_class_in_its_own_right():
    assert PER_CLASS.search("training images a class at most")
    assert PER_CLASS.search("5 a class")
    assert not PER_CLASS.search("the images of a class, a class that is missing")
