"""A look at a folder: what is there twice, broken, blank or of another size, and the size and colour to use."""

import shutil

import cv2
import numpy as np
import pytest
from conftest import write_digits

from experiments.own_data import looked
from images import codec, look, twins


def photograph(seed, height=60, width=80):
    """An image that no other seed's resembles: smooth colours, as of a photograph."""
    rng = np.random.default_rng(seed)
    image = cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(image)


def write(path, image, quality=95):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])


@pytest.fixture
def planted(tmp_path):
    """Two classes of five photographs each, without a split."""
    root = tmp_path / "photographs"
    for k in range(5):
        write(root / "cat" / f"{k}.jpg", photograph(k))
        write(root / "dog" / f"{k}.jpg", photograph(10 + k))
    return root


def places(found, root):
    return {(str(a)[len(str(root)) + 1 :], str(b)[len(str(root)) + 1 :], *rest) for a, b, *rest in found.pairs}


def test_a_clean_folder_has_nothing_to_report(planted):
    found = look.look(planted)
    assert {name: len(paths) for name, paths in found.parts[""].items()} == {"cat": 5, "dog": 5}
    assert (found.unreadable, found.blank, found.pairs, found.left_out, found.problems) == ([], [], [], set(), [])
    assert found.shapes == {(60, 80, 3): 10}
    assert found.formats == {".jpg": 10}
    assert (found.coloured, found.color) == (1.0, "rgb")
    assert found.size == (48, 64)  # 60x80 scaled until the longer side is 64


def test_doubles_are_found_within_a_class_and_across_classes(planted):
    shutil.copy(planted / "cat/1.jpg", planted / "cat/again.jpg")
    shutil.copy(planted / "dog/2.jpg", planted / "cat/dog.jpg")
    found = look.look(planted)
    assert places(found, planted) == {
        ("cat/1.jpg", "cat/again.jpg", True, "class"),
        ("cat/dog.jpg", "dog/2.jpg", True, "classes"),
    }
    # The first of a class stays; what lies in two classes is left out of both.
    left = {path[len(str(planted)) + 1 :] for path in found.left_out}
    assert left == {"cat/again.jpg", "cat/dog.jpg", "dog/2.jpg"}
    assert [len(paths) for paths in found.usable()[""].values()] == [5, 4]


@pytest.mark.parametrize("change", ["smaller", "recompressed", "brighter"])
def test_a_resized_or_recompressed_copy_is_nearly_identical(planted, change):
    image = photograph(3)
    if change == "smaller":
        write(planted / "dog/copy.jpg", cv2.resize(image, (56, 42), interpolation=cv2.INTER_AREA))
    elif change == "recompressed":
        write(planted / "dog/copy.jpg", image, quality=50)
    else:
        write(planted / "dog/copy.jpg", np.minimum(image.astype(int) + 3, 255).astype(np.uint8))
    assert places(look.look(planted), planted) == {("cat/3.jpg", "dog/copy.jpg", False, "classes")}


def test_images_on_both_sides_of_a_given_split_are_found(tmp_path):
    data = write_digits(tmp_path / "data")
    shutil.copy(data / "train/1/example1.png", data / "test/1/leak.png")
    found = look.look(data)
    assert found.is_split
    assert places(found, data) == {("train/1/example1.png", "test/1/leak.png", True, "split")}
    assert len(found.shared()) == 1
    assert found.left_out == set()  # a given split is kept as it is


def test_broken_blank_and_foreign_files_are_named(planted):
    (planted / "cat/broken.jpg").write_bytes((planted / "cat/0.jpg").read_bytes()[:300])
    (planted / "cat/empty.png").touch()
    (planted / "cat/notes.txt").write_text("no image")
    write(planted / "dog/blank.png", np.full((20, 20, 3), 90, np.uint8))
    found = look.look(planted)
    assert len(found.unreadable) == 2
    assert all("not a readable image" in text for text in found.unreadable)
    assert [path[-13:] for path in found.blank] == ["dog/blank.png"]
    assert found.passed == {"": "1 .txt file"}
    assert found.shapes == {(60, 80, 3): 10, (20, 20, 3): 1}


def test_digits_are_no_doubles_of_one_another(tmp_path):
    found = look.look(write_digits(tmp_path / "data", num_train=40, num_test=20))
    assert found.pairs == []
    assert (found.size, found.color) == ((12, 12), "grey")


@pytest.mark.parametrize(
    ("shapes", "size"),
    [
        ({(28, 28, 1): 3}, (28, 28)),
        ({(30, 30, 1): 1}, (32, 32)),  # 7.5 fours, rounded to the even one
        ({(227, 227, 3): 9}, (64, 64)),
        ({(600, 800, 3): 5, (800, 600, 3): 4}, (48, 64)),
        ({(3, 5, 1): 1}, (8, 8)),
        ({(4000, 400, 3): 1}, (64, 8)),
    ],
)
def test_the_proposed_size_is_a_multiple_of_four_of_at_most_64(shapes, size):
    assert look.propose_size(shapes) == size


def test_a_few_coloured_images_make_a_folder_colour(planted):
    for k in range(60):
        codec.write_images(planted / "cat", [f"grey{k}"], [photograph(100 + k)[..., :1]])
    found = look.look(planted)
    assert found.coloured == pytest.approx(10 / 70)
    assert found.color == "rgb"


def only(root, *keep):
    for folder in root.iterdir():
        if folder.name not in keep:
            shutil.rmtree(folder)


def test_what_no_experiment_can_be_made_of_is_a_problem(planted):
    shutil.copytree(planted / "cat", planted / "one")
    for path in list((planted / "one").iterdir()):
        path.unlink()
    write(planted / "one/a.jpg", photograph(77))
    assert look.look(planted).problems == [
        "class 'one': 1 image, at least 2 are needed, one to learn from and one to test"
    ]
    only(planted, "cat")
    assert look.look(planted).problems == ["1 class (cat), a classifier needs at least 2"]


def test_identical_images_alone_are_a_problem(tmp_path):
    for name in ("cat", "dog"):
        for k in range(3):
            write(tmp_path / "data" / name / f"{k}.png", photograph(1))
    assert look.look(tmp_path / "data").problems == ["all images are identical"]


def test_a_class_of_one_part_alone_is_a_problem(tmp_path):
    data = write_digits(tmp_path / "data")
    shutil.rmtree(data / "train/2")
    assert look.look(data).problems == ["class '2': in test/ only, train/ has none of it"]


def test_one_sheet_per_class_of_at_most_twenty_images(tmp_path):
    data, sheets = write_digits(tmp_path / "data", num_train=30, num_test=2), {}
    look.look(data, lambda part, name, thumbs: sheets.update({(part, name): thumbs.shape}))
    assert sheets["train", "0"] == (20, 64, 64, 3)
    assert sheets["test", "2"] == (2, 64, 64, 3)


def test_identical_images_make_pairs_with_the_first():
    hashes, small = np.zeros(3, np.uint64), np.zeros((3, 4), np.float32)
    groups = [("", "a"), ("", "a"), ("", "b")]
    pairs = twins.find([b"x", b"x", b"x"], hashes, small, groups)
    assert pairs == [(0, 1, True, "class"), (0, 2, True, "classes")]
    assert twins.left_out(pairs, groups) == {0, 1, 2}


def test_bits_are_counted_as_by_hand():
    numbers = np.array([[0, 1, 255], [2**63, 2**64 - 1, 6]], np.uint64)
    assert twins._count_bits(numbers).tolist() == [[0, 1, 8], [1, 64, 2]]


def test_images_beside_the_class_folders_are_passed_over(planted):
    write(planted / "loose.jpg", photograph(50))
    (planted / "notes.txt").write_text("no image")
    assert look.look(planted).passed == {"": "1 image beside the folders"}
    write(planted / "another.png", photograph(51))
    (planted / "cat/notes.txt").write_text("no image")
    assert look.look(planted).passed == {"": "1 .txt file, 2 images beside the folders"}


def test_folders_beside_train_and_test_are_passed_over(tmp_path):
    data = write_digits(tmp_path / "data")
    assert look.look(data).passed == {}
    shutil.copytree(data / "test", data / "validation")
    one = sorted((data / "train/0").iterdir())[0]
    shutil.copy(one, data / "train/loose.png")
    shutil.copy(one, data / "loose.png")
    assert look.look(data).passed == {
        "train": "1 image beside the folders",
        "": "1 image beside the folders, 1 folder beside train/ and test/ (validation/)",
    }
    shutil.rmtree(data / "test")
    found = look.look(data)
    assert list(found.parts) == [""]
    assert found.passed[""].endswith("1 folder beside train/ (validation/)")


def test_classes_are_counted_in_a_line_each_fifty_at_most():
    assert list(looked.of_classes({"train": {"a": 3, "b": 2}, "test": {"a": 1}})) == [
        "  a: 3 in train/, 1 in test/",
        "  b: 2 in train/, 0 in test/",
    ]
    lines = list(looked.of_classes({"": {f"class {k}": k for k in range(57)}}))
    assert (len(lines), lines[0], lines[-1]) == (51, "  class 0: 0", "  and 7 more classes")
