"""Subsets and splits: which images a run draws, and that a saved list gives them back."""

import json
from pathlib import Path

import pytest

from images import selection, splits


def listing(count=30, classes=("a", "b")):
    return {name: [Path("data", name, f"example{k}.png") for k in range(count)] for name in classes}


@pytest.mark.parametrize(("small", "large"), [(5, 10), (10, 25), (25, -1)])
def test_subsets_of_one_seed_nest(small, large):
    smaller, larger = (selection.draw_subset(listing(), size, seed=3) for size in (small, large))
    for name in "ab":
        assert smaller[name] == larger[name][:small]
        assert len(set(smaller[name])) == small


def test_a_class_draws_the_same_whatever_the_others():
    alone = selection.draw_subset(listing(classes="b"), 5, seed=3)
    assert selection.draw_subset(listing(classes="abc"), 5, seed=3)["b"] == alone["b"]


def test_classes_draw_different_places():
    subset = selection.draw_subset(listing(), 10, seed=3)
    assert [path.name for path in subset["a"]] != [path.name for path in subset["b"]]


def test_the_seed_decides():
    first, again, other = (selection.draw_subset(listing(), 10, seed) for seed in (0, 0, 1))
    assert first == again
    assert set(first["a"]) != set(other["a"])


def test_minus_one_takes_all(caplog):
    with caplog.at_level("INFO"):
        subset = selection.draw_subset(listing(), -1, seed=3)
    assert {name: sorted(paths) for name, paths in subset.items()} == {
        name: sorted(paths) for name, paths in listing().items()
    }
    assert not caplog.records


def test_too_few_images_are_all_taken_and_the_classes_logged_in_one_line(caplog):
    with caplog.at_level("INFO"):
        subset = selection.draw_subset({**listing(3, "a"), **listing(9, "b"), **listing(4, "c")}, 5, seed=3)
    assert {name: len(paths) for name, paths in subset.items()} == {"a": 3, "b": 5, "c": 4}
    assert [r.getMessage() for r in caplog.records] == ["fewer than 5 images, all are used, in class a, c"]


@pytest.mark.parametrize(
    ("count", "num_train", "num_test"),
    [(2, 1, 1), (3, 2, 1), (5, 4, 1), (10, 8, 2), (25, 21, 4), (50, 42, 8), (100, 84, 16)],
)
def test_split_sizes_are_those_of_the_thesis(count, num_train, num_test):
    """Thesis 6.3 for 5 to 100 images; below, each part gets at least one."""
    items = list(range(count))
    train, test = splits.split(items, 0.16, seed=0)
    assert (len(train), len(test)) == (num_train, num_test)
    assert sorted([*train, *test]) == items


@pytest.mark.parametrize(("fraction", "num_test"), [(0.99, 9), (0.01, 1), (0.5, 5)])
def test_neither_part_is_empty_at_extreme_fractions(fraction, num_test):
    train, test = splits.split(list(range(10)), fraction, seed=0)
    assert (len(train), len(test)) == (10 - num_test, num_test)


def test_the_split_follows_its_seed():
    first, again, other = (splits.split(list(range(50)), 0.16, seed) for seed in (0, 0, 1))
    assert first == again
    assert set(first[1]) != set(other[1])


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_images_cannot_be_split(count):
    with pytest.raises(ValueError, match=f"{count} image, at least 2 are needed"):
        splits.split(list(range(count)), 0.16, seed=0)


def test_a_saved_list_gives_the_same_images_in_the_same_order(tmp_path):
    files = listing(classes=("a", "größe 1"))
    parts = {"subset": selection.draw_subset(files, 10, seed=3), "train": selection.draw_subset(files, 4, seed=5)}
    selection.save_list(tmp_path / "split.json", **parts)
    for part, chosen in parts.items():
        assert selection.load_list(tmp_path / "split.json", files, part) == chosen


def test_a_saved_list_serves_one_of_its_classes(tmp_path):
    subset = selection.draw_subset(listing(), 5, seed=3)
    selection.save_list(tmp_path / "split.json", subset=subset)
    assert selection.load_list(tmp_path / "split.json", listing(classes="b"), "subset") == {"b": subset["b"]}


def test_a_saved_list_serves_the_same_data_elsewhere(tmp_path):
    selection.save_list(tmp_path / "split.json", subset=selection.draw_subset(listing(), 5, seed=3))
    moved = {name: [Path("moved", *path.parts) for path in paths] for name, paths in listing().items()}
    loaded = selection.load_list(tmp_path / "split.json", moved, "subset")
    assert all(path in moved[name] for name, paths in loaded.items() for path in paths)


BROKEN = {
    "no JSON": "{subset",
    "no part": json.dumps({"train": {"a": [], "b": []}}),
    "no dict": json.dumps([1, 2]),
    "part no dict": json.dumps({"subset": ["example1.png"]}),
    "part null": json.dumps({"subset": None}),
    "names no list": json.dumps({"subset": {"a": 5, "b": 5}}),
    "class missing": json.dumps({"subset": {"a": ["example1.png"]}}),
    "file unknown": json.dumps({"subset": {"a": ["example1.png"], "b": ["example99.png"]}}),
    "path in name": json.dumps({"subset": {"a": ["../b/example1.png"], "b": ["example1.png"]}}),
    "name no text": json.dumps({"subset": {"a": [["example1.png"]], "b": ["example1.png"]}}),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_list_is_refused_by_name(tmp_path, kind):
    path = tmp_path / "split.json"
    path.write_text(BROKEN[kind], encoding="utf-8")
    with pytest.raises(ValueError, match=r"split\.json"):
        selection.load_list(path, listing(), "subset")


def test_what_is_wrong_with_a_list_is_said(tmp_path):
    path = tmp_path / "split.json"
    for kind, words in (("class missing", "class 'b' is missing"), ("file unknown", r"names b/example99\.png")):
        path.write_text(BROKEN[kind], encoding="utf-8")
        with pytest.raises(ValueError, match=words):
            selection.load_list(path, listing(), "subset")


def test_a_list_in_another_encoding_is_refused_by_name(tmp_path):
    (tmp_path / "split.json").write_bytes('{"subset": {"größe": []}}'.encode("utf-16"))
    with pytest.raises(ValueError, match=r"split\.json"):
        selection.load_list(tmp_path / "split.json", listing(), "subset")


def test_a_list_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OSError, match=r"absent\.json"):
        selection.load_list(tmp_path / "absent.json", listing(), "subset")


def test_the_next_in_order_continue_the_subset_and_leave_out_what_is_taken():
    files = listing()
    order = selection.draw_subset(files, -1, 3)
    chosen = selection.draw_subset(files, 2, 3)
    following = selection.next_in_order(files, chosen, dict.fromkeys(files, 2), 3)
    assert following == {name: paths[2:4] for name, paths in order.items()}
    late = {name: [paths[0], paths[2]] for name, paths in order.items()}
    following = selection.next_in_order(files, late, dict.fromkeys(files, 2), 3)
    assert following == {name: [paths[1], paths[3]] for name, paths in order.items()}
    every = selection.next_in_order(files, chosen, dict.fromkeys(files, 10**6), 3)
    assert every == {name: paths[2:] for name, paths in order.items()}
