"""Sources of images: a generator of a new kind, counts of each class, streams, broken models, fingerprints."""

import hashlib
import zipfile

import h5py
import numpy as np
import pytest

import generate
from common import archives, backend, drawing, runs, saved
from images import albums, codec

SHAPE = (4, 4, 1)

TOY = '''
"""A generator of one file: an image of class k is grey level 10 * (k + 1) plus its number."""

import numpy as np


class Toy:
    def __init__(self, load, options):
        self.base, self.shape = load(0)["toy"]["base"], options.settings["image_shape"]

    def draw(self, labels, rows):
        levels = self.base[labels] + rows
        return np.ones((len(labels), *self.shape), np.float32) * levels[:, None, None, None] / 255


make_source = Toy
'''


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A saved generator of a kind that this project does not know: its module is one file, its kind one line."""
    (tmp_path / "toy_generator.py").write_text(TOY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(saved.KINDS, "toy", saved.Kind("toy_generator", ("toy.npz",)))
    with runs.writing("toys", {"image_shape": SHAPE, "classes": ["cat", "dog"]}, {}, facts={"kind": "toy"}) as folder:
        np.savez(folder / "toy.npz", base=np.array([10, 20]))
    return tmp_path / "toys"


def draw(models, *flags):
    generate.main(["-models", str(models), "--out", "gen", *map(str, flags)])


def grey_levels(folder):
    images = albums.read_images(sorted(folder.iterdir(), key=lambda path: int(path.stem)))
    assert images.shape[1:] == SHAPE
    return images[:, 0, 0, 0].tolist()


def test_a_new_kind_is_one_file_and_one_line(toy, tmp_path, capsys):
    draw(toy, "--count", 3)
    assert grey_levels(tmp_path / "gen" / "cat") == [10, 11, 12]
    assert grey_levels(tmp_path / "gen" / "dog") == [20, 21, 22]
    assert {path.name for path in (tmp_path / "gen").iterdir()} == {"cat", "dog", "config.json", "contact_sheet.png"}
    draw(toy, "--count", 3)
    assert "done already: 3 images of each of 2 classes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "counts"),
    [(["cat=2", "dog=12"], (2, 12)), ([3, "dog=1"], (3, 1)), (["dog=5", 7], (7, 5)), (["cat=1", "dog=1"], (1, 1))],
)
def test_each_class_has_a_count_of_its_own(toy, tmp_path, flags, counts):
    draw(toy, "--count", *flags)
    for name, count in zip(("cat", "dog"), counts, strict=True):
        assert len(list((tmp_path / "gen" / name).iterdir())) == count


def test_the_sheet_has_as_many_columns_as_the_largest_class_needs(toy, tmp_path):
    draw(toy, "--images-per-class", "cat=1", "dog=4")
    height, width, _ = albums.read_images([tmp_path / "gen" / "contact_sheet.png"])[0].shape
    assert (height, width) == (2 + 2 * 58, 2 + 4 * 58)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["cat=3"], "says nothing of class dog"),
        (["cat=3", "bird=4", 5], r"no class bird \(there are cat, dog\)"),
        (["cat=3", "cat=4", 5], "twice"),
        ([3, 4], "twice"),
    ],
)
def test_counts_that_do_not_fit_the_classes_are_refused(toy, tmp_path, flags, words):
    with pytest.raises(ValueError, match=words):
        draw(toy, "--count", *flags)
    assert not (tmp_path / "gen").exists()


@pytest.mark.parametrize("count", ["cat=", "cat=0", "=3x", "0", "cat=1.5"])
def test_a_count_that_is_none_is_refused(capsys, count):
    with pytest.raises(SystemExit):
        generate.parse_args(["--count", count])
    assert "expected N or CLASS=N" in capsys.readouterr().err


def test_a_sampler_that_a_kind_has_not_is_refused(toy):
    with pytest.raises(ValueError, match=r"--sampler normal: .*toys takes no --sampler"):
        draw(toy, "--sampler", "normal")


def test_pixels_that_are_no_numbers_are_an_error(toy, tmp_path):
    np.savez(toy / "toy.npz", base=np.array([10, np.nan]))
    with pytest.raises(ValueError, match=r"class dog: .*no numbers \(NaN"):
        draw(toy)
    assert not (tmp_path / "gen").exists()


@pytest.mark.parametrize("name", generate.RESERVED)
def test_a_class_called_as_a_file_beside_it_is_refused_before_the_work(toy, monkeypatch, name):
    monkeypatch.setattr(backend, "configure", lambda *_: pytest.fail("the back end was started"))
    config = runs.read_json(toy / "config.json")
    config["settings"]["classes"] = ["cat", name]
    runs.write_json(toy / "config.json", config)
    with pytest.raises(ValueError, match=f"class {name}: .*rename the class"):
        draw(toy)


def test_strange_class_names_work(toy, tmp_path):
    names = ["-rf", "x" * 230]
    config = runs.read_json(toy / "config.json")
    config["settings"]["classes"] = names
    runs.write_json(toy / "config.json", config)
    draw(toy, "--count", 2)
    assert [grey_levels(tmp_path / "gen" / name) for name in names] == [[10, 11], [20, 21]]


# Streams: sources that give what comes


class Stream:
    """Gives image k of row k % len(labels), of grey level k."""

    def __init__(self, labels):
        self.labels, self.number = labels, 0

    def next(self, count):
        numbers = self.number + np.arange(count)
        self.number += count
        return np.ones((count, *SHAPE), np.float32) * numbers[:, None, None, None] / 255, numbers % len(self.labels)


def write(source, folder, names, counts):
    with codec.Writer() as writer:
        return drawing.write_images(source, folder, names, counts, writer, lambda _: None)


def test_a_stream_is_written_row_after_row_in_its_class(tmp_path):
    write(Stream([1, 0, 1]), tmp_path, ["a", "b"], [2, 5])
    assert grey_levels(tmp_path / "a") == [1, 4]
    assert grey_levels(tmp_path / "b") == [0, 3, 6, 2, 5]  # three of row 0, then two of row 2


def test_a_stream_that_never_gives_a_class_is_given_up(tmp_path):
    source = Stream([0, 1])
    source.next = lambda count: (np.zeros((count, *SHAPE), np.float32), np.zeros(count, int))
    with pytest.raises(ValueError, match="2,002 images in a row that are not of class b"):
        write(source, tmp_path, ["a", "b"], [3, 1])
    with pytest.raises(ValueError, match="knows no class c"):
        write(Stream([0, 1]), tmp_path, ["a", "b", "c"], [1, 1, 1])


# Fingerprints


def write_weights(path, root, values):
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        group = file.create_group("layers/dense/vars")
        group.attrs["name"] = root
        group["0"] = np.asarray(values, np.float32)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", '{"module": "keras", "class_name": "Sequential"}')
        archive.write(path.with_suffix(".h5"), "model.weights.h5")
    return path


def test_a_fingerprint_is_of_the_weights_and_not_of_the_names_of_layers(tmp_path):
    one, two, other = (
        write_weights(tmp_path / f"{k}.keras", *made)
        for k, made in enumerate([("dense", [1, 2]), ("dense_7", [1, 2]), ("dense", [1, 3])])
    )
    assert one.read_bytes() != two.read_bytes()
    assert archives.fingerprint(one) == archives.fingerprint(two) != archives.fingerprint(other)


def test_what_an_earlier_version_recorded_is_still_the_same_input(tmp_path):
    model = write_weights(tmp_path / "m.keras", "dense", [1, 2])
    with zipfile.ZipFile(model) as archive:
        recorded = hashlib.sha256(archive.read("model.weights.h5")).hexdigest()
    with runs.writing(tmp_path / "out", {}, {"models": {"0": recorded}}):
        pass
    assert runs.finished(tmp_path / "out", {}, {"models": {"0": archives.fingerprint(model)}})
    write_weights(model, "dense", [1, 3])
    with pytest.raises(ValueError, match=r"made with data models\.0="):
        runs.finished(tmp_path / "out", {}, {"models": {"0": archives.fingerprint(model)}})


@pytest.mark.parametrize("kind", [name for name, kind in saved.KINDS.items() if kind.files and not kind.per_class])
def test_a_model_of_all_classes_is_given_by_its_own_folder(tmp_path, kind):
    settings = {"image_shape": [8, 8, 1], "scale": [0.2, 1.3], "classes": ["cat"], "hidden": 5}
    config = {"settings": settings, "facts": {"kind": kind}}
    (tmp_path / "models" / "cat").mkdir(parents=True)
    runs.write_json(tmp_path / "models" / "cat" / "config.json", config)
    with pytest.raises(ValueError, match=f"cat: a {kind} knows all classes that it learned; give this folder itself"):
        saved.find_generator([tmp_path / "models"])
