"""prepare_data.py end to end: what lands on disk, what a rerun does, what is refused."""

import collections
import hashlib
import json
import os
import resource
import signal
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest

import prepare_data
from images import albums, codec, folders


def main(*flags):
    prepare_data.main([str(flag) for flag in flags])


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def count_files(root):
    return {
        part: {folder.name: len(list(folder.iterdir())) for folder in (root / part).iterdir()}
        for part in ("train", "test")
    }


def tree(root):
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in root.rglob("*")}


def pixels(paths):
    """How often each image occurs, by shape and pixels."""
    images = [codec.decode(path, set()) for path in paths]
    return collections.Counter((image.shape, image.tobytes()) for image in images)


def write_class(folder, names, sides=(8,)):
    """Writes an image of its own under every name, in the format of its extension."""
    rng = np.random.default_rng(len(names))
    folder.mkdir(parents=True)
    for k, name in enumerate(names):
        side = sides[k % len(sides)]
        image = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        (folder / name).write_bytes(cv2.imencode(f".{name.split('.')[-1]}", image)[1])
    return folder


def save_npz(path, labels=((0, 1, 0, 1, 0, 1), (0, 1, 1)), class_names=None):
    rng = np.random.default_rng(0)
    x_train, x_test = (rng.integers(0, 256, (len(y), 4, 6), dtype=np.uint8) for y in labels)
    named = {} if class_names is None else {"class_names": np.array(class_names)}
    np.savez(path, x_train=x_train, y_train=labels[0], x_test=x_test, y_test=labels[1], **named)
    return x_train, x_test


# A named data set


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    out = tmp_path_factory.mktemp("digits") / "data"
    main("--dataset", "digits", "--out", out)
    return out


def test_all_digits_land_on_disk_as_counted(digits):
    made = read(digits / "dataset.json")["settings"]
    assert made["counts"] == count_files(digits)
    assert sum(sum(part.values()) for part in made["counts"].values()) == 1797
    assert made["classes"] == [str(label) for label in range(10)]
    assert (made["source"], made["shape"]) == ("digits", [28, 28, 1])
    assert {path.name for path in digits.iterdir()} == {"train", "test", "dataset.json"}


def test_the_checksum_is_that_of_the_files(digits):
    digest = hashlib.sha256()
    for part in ("train", "test"):
        for label in range(10):
            for path in sorted((digits / part / str(label)).iterdir(), key=lambda path: int(path.stem[7:])):
                digest.update(b"uint8(28, 28, 1)" + cv2.imread(str(path), cv2.IMREAD_UNCHANGED).tobytes())
    assert read(digits / "dataset.json")["data"]["sha256"] == digest.hexdigest()


def test_a_rerun_touches_nothing(digits, capsys):
    before = tree(digits)
    main("--dataset", "digits", "--out", digits)
    assert tree(digits) == before
    assert capsys.readouterr().out == f"{digits} is done: 1797 images\n"


@pytest.mark.parametrize(
    ("flags", "words"),
    [(("--seed", 1), "made with data sha256="), (("--limit-train", 3), r"made with settings counts\.train\.0=149")],
)
def test_another_data_set_into_the_same_folder_is_refused(digits, flags, words):
    before = tree(digits)
    with pytest.raises(ValueError, match=f"{words}.*, now .*another --out"):
        main("--dataset", "digits", "--out", digits, *flags)
    assert tree(digits) == before


def test_the_same_seed_makes_the_same_folder(digits, tmp_path):
    main("--dataset", "digits", "--out", tmp_path / "again", "--limit-test", 3, "--limit-train", 2)
    for path in (tmp_path / "again").rglob("*.png"):
        assert path.read_bytes() == (digits / path.relative_to(tmp_path / "again")).read_bytes()
    assert count_files(tmp_path / "again") == {
        "train": dict.fromkeys(map(str, range(10)), 2),
        "test": dict.fromkeys(map(str, range(10)), 3),
    }


# An .npz file


def test_an_npz_lands_in_the_folders_of_its_classes(tmp_path):
    x_train, x_test = save_npz(tmp_path / "set.npz", class_names=["T-shirt/top", "größe"])
    main("--source", tmp_path / "set.npz", "--out", tmp_path / "out")
    listing = folders.list_images(tmp_path / "out" / "train")
    assert {name: [path.name for path in paths] for name, paths in listing.items()} == {
        "T-shirt_top": ["example0.png", "example2.png", "example4.png"],
        "größe": ["example1.png", "example3.png", "example5.png"],
    }
    np.testing.assert_array_equal(albums.read_images(listing["größe"])[..., 0], x_train[1::2])
    tests = albums.read_classes(folders.list_images(tmp_path / "out" / "test"))
    np.testing.assert_array_equal(tests[0][..., 0], x_test)
    made = read(tmp_path / "out" / "dataset.json")["settings"]
    assert made["counts"] == count_files(tmp_path / "out")
    assert made["source"] == "set.npz"


def test_limits_take_the_first_images_of_each_class(tmp_path):
    save_npz(tmp_path / "set.npz")
    main("--source", tmp_path / "set.npz", "--out", tmp_path / "out", "--limit-train", 2, "--limit-test", 1)
    names = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png")}
    assert names == {
        *("train/0/example0.png", "train/0/example2.png", "train/1/example1.png", "train/1/example3.png"),
        *("test/0/example0.png", "test/1/example1.png"),
    }


def test_the_rest_of_the_training_images_joins_the_test_part(tmp_path):
    x_train, x_test = save_npz(tmp_path / "set.npz", ((0, 1) * 5, (0, 1, 1)))
    flags = ("--limit-train", 2, "--validation-fraction", 0.3, "--rest-to-test")
    main("--source", tmp_path / "set.npz", "--out", tmp_path / "out", *flags)
    files = {part: sorted((tmp_path / "out" / part).rglob("*.png")) for part in ("train", "validation", "test")}
    used = [path.stem.removeprefix("train-") for path in files["train"] + files["validation"]]
    rest = [path for path in files["test"] if path.stem.startswith("train-")]
    assert len(files["train"]) == 4
    assert len(rest) == len(x_train) - len(used) > 0
    assert len(files["test"]) == len(rest) + len(x_test)
    assert not {path.stem.removeprefix("train-") for path in rest} & set(used)
    for path in rest:
        row = int(path.stem.removeprefix("train-example"))
        np.testing.assert_array_equal(codec.decode(path, set())[..., 0], x_train[row])


@pytest.mark.parametrize("flags", [(), ("--limit-train", 3, "--folder")])
def test_a_rest_needs_a_limit_and_a_split(tmp_path, capsys, flags):
    source = (*flags, tmp_path) if flags else ("--dataset", "digits")
    with pytest.raises(SystemExit):
        main(*source, "--out", tmp_path / "out", "--rest-to-test")
    assert "--rest-to-test: goes with --limit-train" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (((0, 1, 2), (0, 1)), "class '2' has no test images"),
        (((0, 1), (0, 1, 2)), "class '2' has no train images"),
    ],
)
def test_a_class_in_one_part_only_is_refused(tmp_path, labels, words):
    save_npz(tmp_path / "set.npz", labels)
    with pytest.raises(ValueError, match=words):
        main("--source", tmp_path / "set.npz", "--out", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["set.npz"]


@pytest.mark.parametrize("names", [("..", "a"), ("a", ""), (".hidden", "a"), ("a/b", "a_b")])
def test_names_that_are_no_folders_of_their_own_are_refused(tmp_path, names):
    save_npz(tmp_path / "set.npz", class_names=names)
    with pytest.raises(ValueError, match="class"):
        main("--source", tmp_path / "set.npz", "--out", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["set.npz"]


# A folder without a split


@pytest.fixture
def photographs(tmp_path):
    """25 and 10 photographs, jpg and png, of two sizes, under names of their own."""
    for name, count in (("large cats", 25), ("größe", 10)):
        names = [f"{name} {k}.{'jpg' if k % 3 else 'png'}" for k in range(count)]
        write_class(tmp_path / "photographs" / name, names, sides=(8, 12))
    return tmp_path / "photographs"


def test_every_photograph_lands_once_84_to_16(photographs, tmp_path):
    main("--folder", photographs, "--out", tmp_path / "out")
    assert count_files(tmp_path / "out") == {
        "train": {"large cats": 21, "größe": 8},
        "test": {"large cats": 4, "größe": 2},
    }
    for name in ("large cats", "größe"):
        sources, copies = list((photographs / name).iterdir()), list((tmp_path / "out").glob(f"*/{name}/*"))
        assert pixels(copies) == pixels(sources)
        assert sorted(path.stem for path in copies) == sorted(path.stem for path in sources)
        assert {path.suffix for path in copies} == {".png"}


def test_photographs_of_several_sizes_are_said_to_differ(photographs, tmp_path):
    main("--folder", photographs, "--out", tmp_path / "out")
    made = read(tmp_path / "out" / "dataset.json")["settings"]
    assert made["shape"] == "differing"
    assert made["counts"] == count_files(tmp_path / "out")


def test_the_seed_decides_the_split_of_photographs(photographs, tmp_path):
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        main("--folder", photographs, "--out", tmp_path / out, "--seed", seed)
    first, again, other = ({path.name for path in (tmp_path / out / "test").rglob("*.png")} for out in "abc")
    assert first == again
    assert first != other


def test_limits_and_fraction_go_for_photographs_too(photographs, tmp_path):
    flags = ("--limit-train", 3, "--test-fraction", 0.4, "--limit-test", 7)
    main("--folder", photographs, "--out", tmp_path / "out", *flags)
    assert count_files(tmp_path / "out") == {
        "train": {"large cats": 3, "größe": 3},
        "test": {"large cats": 7, "größe": 4},
    }


@pytest.mark.parametrize("extensions", [("jpg", "png"), ("jpg", "png", "jpg.png"), ("png", "PNG", "png.jpg")])
def test_photographs_whose_names_collide_are_all_kept(tmp_path, extensions):
    names = [f"{k}.{extension}" for k in range(8) for extension in extensions]
    folder = write_class(tmp_path / "photographs" / "0", names)
    main("--folder", tmp_path / "photographs", "--out", tmp_path / "out")
    assert pixels((tmp_path / "out").rglob("*.png")) == pixels(folder.iterdir())


def test_a_drawn_part_changes_no_name_in_the_test_part(tmp_path):
    for part, names in (("train", "abcd"), ("test", "cdef")):  # c and d are other photographs in each part
        for label in ("cat", "dog"):
            write_class(tmp_path / "split" / part / label, [f"{name}.png" for name in names])
    for seed in range(4):
        out = tmp_path / f"seed{seed}"
        main("--folder", tmp_path / "split", "--draw", 0.5, "--seed", seed, "--out", out)
        assert set(files_of(out, "test")) == {f"{label}/{name}.png" for label in ("cat", "dog") for name in "cdef"}
        assert set(files_of(out, "train")) < {f"{label}/{name}.png" for label in ("cat", "dog") for name in "abcd"}
        assert count_files(out)["train"] == {"cat": 2, "dog": 2}


def test_conversions_are_counted_and_not_logged_file_by_file(tmp_path, caplog):
    (tmp_path / "photographs" / "0").mkdir(parents=True)
    for k in range(12):
        deep = np.full((8, 8), 257 * k, np.uint16)
        (tmp_path / "photographs" / "0" / f"{k}.png").write_bytes(cv2.imencode(".png", deep)[1])
    with caplog.at_level("INFO"):
        main("--folder", tmp_path / "photographs", "--out", tmp_path / "out")
    assert 1 <= sum("16-bit" in record.getMessage() for record in caplog.records) <= 2  # one a part of the class


def test_a_class_too_small_to_split_is_named(photographs, tmp_path):
    write_class(photographs / "rare", ["only.png"])
    with pytest.raises(ValueError, match="photographs/rare: 1 image"):
        main("--folder", photographs, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_empty_folder_is_no_class(photographs, tmp_path):
    (photographs / "empty").mkdir()
    main("--folder", photographs, "--out", tmp_path / "out")
    assert set(count_files(tmp_path / "out")["train"]) == {"large cats", "größe"}


# A validation part


def files_of(root, part):
    return {path.relative_to(root / part).as_posix(): path.read_bytes() for path in (root / part).rglob("*.png")}


def source_flags(tmp_path, photographs, kind):
    if kind == "folder":
        return "--folder", photographs
    save_npz(tmp_path / "set.npz", ((0, 1) * 10, (0, 1, 1)))
    return "--source", tmp_path / "set.npz"


@pytest.mark.parametrize("kind", ["folder", "npz"])
def test_a_validation_part_comes_out_of_the_training_part_and_leaves_the_test_part(tmp_path, photographs, kind):
    flags = source_flags(tmp_path, photographs, kind)
    main(*flags, "--out", tmp_path / "two")
    main(*flags, "--out", tmp_path / "three", "--validation-fraction", 0.25)
    train, validation = (files_of(tmp_path / "three", part) for part in ("train", "validation"))
    assert files_of(tmp_path / "three", "test") == files_of(tmp_path / "two", "test")
    assert not set(train) & set(validation)
    assert {**train, **validation} == files_of(tmp_path / "two", "train")
    counts = read(tmp_path / "three" / "dataset.json")["settings"]["counts"]
    assert list(counts) == ["train", "validation", "test"]
    # A quarter of 21, 8 and 10 images, rounded up
    expected = {"large cats": 6, "größe": 2} if kind == "folder" else {"0": 3, "1": 3}
    assert counts["validation"] == expected


def test_the_seed_decides_the_validation_part(tmp_path):
    save_npz(tmp_path / "set.npz", ((0, 1) * 20, (0, 1, 1)))
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        flags = ("--source", tmp_path / "set.npz", "--validation-fraction", 0.3, "--seed", seed)
        main(*flags, "--out", tmp_path / out)
    first, again, other = (set(files_of(tmp_path / out, "validation")) for out in "abc")
    assert first == again
    assert first != other


def test_a_training_part_too_small_for_a_validation_part_is_named(tmp_path):
    write_class(tmp_path / "photographs" / "rare", ["a.png", "b.png"])
    with pytest.raises(ValueError, match=r"photographs/rare: 1 image, .* a training and a validation part"):
        main("--folder", tmp_path / "photographs", "--out", tmp_path / "out", "--validation-fraction", 0.5)
    assert not (tmp_path / "out").exists()


# Beside what lies there already


def test_a_readme_stays_and_the_parts_land_beside_it(photographs, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "README.md").write_text("read me")
    main("--folder", photographs, "--out", tmp_path / "data" / "mine")
    main("--folder", photographs, "--out", tmp_path / "data")
    assert (tmp_path / "data" / "README.md").read_text() == "read me"
    assert {path.name for path in (tmp_path / "data").iterdir()} == {
        *("README.md", "mine", "train", "test", "dataset.json"),
    }
    before = tree(tmp_path)
    main("--folder", photographs, "--out", tmp_path / "data")
    assert tree(tmp_path) == before


def test_an_error_leaves_the_folder_as_it_was(photographs, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "README.md").write_text("read me")
    (photographs / "größe" / "zz.png").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"zz\.png"):
        main("--folder", photographs, "--out", tmp_path / "data")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["README.md"]


def test_an_error_while_the_parts_are_put_in_place_takes_them_back(photographs, tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    rename = Path.rename

    def fail(self, target):
        if self.name == "train":
            raise OSError("disk gone")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="disk gone"):
        main("--folder", photographs, "--out", tmp_path / "data")
    assert not list((tmp_path / "data").iterdir())


@pytest.mark.parametrize("name", ["notes.txt", "train/a.png", "photographs/a.png"])
def test_other_things_in_the_folder_are_refused_before_the_work(photographs, tmp_path, name):
    (tmp_path / "data" / name).parent.mkdir(parents=True)
    (tmp_path / "data" / name).touch()
    before = tree(tmp_path)
    with pytest.raises(ValueError, match="data: exists and is not a finished step"):
        main("--folder", photographs, "--out", tmp_path / "data")
    assert tree(tmp_path) == before


def test_the_output_may_be_a_link_to_an_empty_folder(photographs, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "elsewhere")
    main("--folder", photographs, "--out", tmp_path / "data")
    assert {path.name for path in (tmp_path / "elsewhere").iterdir()} == {"train", "test", "dataset.json"}


# Damaged files, links, 16 bits


def test_damaged_photographs_are_passed_over_if_asked(photographs, tmp_path, caplog):
    for number in range(3):
        (photographs / "größe" / f"zz{number}.png").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="3 of 38 files are not readable"):
        main("--folder", photographs, "--out", tmp_path / "out")
    main("--folder", photographs, "--out", tmp_path / "out", "--skip-unreadable")
    assert sum(sum(part.values()) for part in count_files(tmp_path / "out").values()) == 35


def test_a_class_of_which_nothing_is_readable_in_a_part_is_refused(tmp_path):
    write_class(tmp_path / "photographs" / "good", [f"{k}.png" for k in range(4)])
    folder = write_class(tmp_path / "photographs" / "bad", [f"{k}.png" for k in range(4)])
    for path in folder.iterdir():
        path.write_bytes(b"damaged")
    with pytest.raises(ValueError, match="class 'bad' has no readable train images"):
        main("--folder", tmp_path / "photographs", "--out", tmp_path / "out", "--skip-unreadable")
    assert not (tmp_path / "out").exists()


def test_links_elsewhere_are_copied_if_asked(photographs, tmp_path):
    (photographs / "linked").symlink_to(write_class(tmp_path / "elsewhere", [f"{k}.png" for k in range(4)]))
    with pytest.raises(ValueError, match=r"linked: a link that leads out .*--follow-links"):
        main("--folder", photographs, "--out", tmp_path / "out")
    main("--folder", photographs, "--out", tmp_path / "out", "--follow-links")
    assert count_files(tmp_path / "out")["train"]["linked"] == 3


@pytest.mark.parametrize(("flags", "white"), [((), 244), (("--levels", 1000), 249), (("--levels", 65535), 3)])
def test_16_bit_files_are_scaled_by_one_factor(tmp_path, flags, white):
    """980 is the brightest level: 980 * 255 / 1023 = 244.3, / 1000 = 249.9, / 65535 = 3.8."""
    for name, level in (("dark", 10), ("bright", 980)):
        (tmp_path / "scans" / name).mkdir(parents=True)
        for k in range(4):
            image = np.full((8, 8), level, np.uint16)
            (tmp_path / "scans" / name / f"{k}.png").write_bytes(cv2.imencode(".png", image)[1])
    main("--folder", tmp_path / "scans", "--out", tmp_path / "out", *flags)
    found = {path.parent.name: codec.decode(path, set()).max() for path in (tmp_path / "out").rglob("*.png")}
    assert found == {"bright": white, "dark": white // 98}


@pytest.mark.parametrize("flag", [("--levels", 5), ("--skip-unreadable",), ("--follow-links",)])
def test_flags_of_folders_are_refused_without_one(capsys, flag):
    with pytest.raises(SystemExit):
        main("--dataset", "digits", *flag)
    assert f"{flag[0]}: goes with --folder DIR" in capsys.readouterr().err


def test_photographs_are_not_all_held_at_once(tmp_path):
    (tmp_path / "photographs" / "a").mkdir(parents=True)
    for k in range(30):
        image = np.full((500, 500, 3), k, np.uint8)  # 0.75 MB decoded
        (tmp_path / "photographs" / "a" / f"{k}.png").write_bytes(cv2.imencode(".png", image)[1])
    tracemalloc.start()
    main("--folder", tmp_path / "photographs", "--out", tmp_path / "out")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 500 * 500 * 3


def test_names_that_are_not_utf_8_are_kept(photographs, tmp_path):
    (photographs / "größe").rename(os.fsdecode(os.fsencode(photographs) + b"/gr\xf6\xdfe"))
    main("--folder", photographs, "--out", tmp_path / "out")
    name = os.fsdecode(b"gr\xf6\xdfe")
    assert read(tmp_path / "out" / "dataset.json")["settings"]["counts"]["train"] == {"large cats": 21, name: 8}
    main("--folder", photographs, "--out", tmp_path / "out")  # is recognised as done


@pytest.mark.parametrize("out", ["photographs", "photographs/out", "photographs/größe", "."])
def test_the_output_may_not_overlap_the_photographs(photographs, tmp_path, out):
    before = tree(tmp_path)
    with pytest.raises(ValueError, match=r"--out .*: would write into the input"):
        main("--folder", photographs, "--out", tmp_path / out)
    assert tree(tmp_path) == before


# Through the command line


def test_a_broken_photograph_ends_with_one_line_and_nothing_written(photographs, tmp_path, script):
    (photographs / "größe" / "broken.png").write_bytes(b"no image")
    before = tree(tmp_path)
    ended = script("prepare_data.py", "--folder", photographs, "--out", tmp_path / "out")
    assert ended.returncode == 2
    *bar, line = ended.stderr.splitlines()
    assert line.startswith("prepare_data.py: error: ")
    assert "größe/broken.png: not a readable image" in line
    assert len(bar) <= 1  # of the progress, before the file was met
    assert tree(tmp_path) == before


def test_a_full_disk_leaves_nothing(photographs, tmp_path, script):
    """A limit on file sizes stands in for the full disk; the smallest images still fit."""
    before = tree(tmp_path)

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400))

    ended = script("prepare_data.py", "--folder", photographs, "--out", tmp_path / "out", preexec_fn=limit)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].startswith("prepare_data.py: error: ")
    assert "Traceback" not in ended.stderr
    assert tree(tmp_path) == before


@pytest.mark.parametrize("flags", [("--dataset", "mnist"), ("--source", "a.npz"), ("--folder", "a", "--draw", "0.5")])
def test_a_test_fraction_is_refused_where_there_is_a_test_part(flags, capsys):
    with pytest.raises(SystemExit) as ended:
        prepare_data.parse_args([*flags, "--test-fraction", "0.3"])
    assert ended.value.code == 2
    assert "--test-fraction: goes with --folder without --draw, and with digits" in capsys.readouterr().err
    assert prepare_data.parse_args(list(flags)).test_fraction == 0.16
    assert prepare_data.parse_args(["--folder", "a", "--test-fraction", "0.3"]).test_fraction == 0.3
