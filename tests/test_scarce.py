"""train_cnn.py for very scarce data: its classifiers, chains, unlabelled images and binary pixels, on real digits."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import write_digits

import arms.unlabelled
import train_cnn
import train_rbm
from arms.arm import Reading
from cnn import labelling, ladder, scarce_nets
from common import backend
from images import albums, codec
from vae_aug import chains

pytestmark = [
    pytest.mark.filterwarnings("ignore:Please (import|use) `affine_transform`:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
TINY = ["--steps", 2, "-e", 2, "-b", 6, "-limtr", 2, "-limte", -1]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_digits(tmp_path_factory.mktemp("scarce") / "data")


@pytest.fixture(scope="module")
def rbm(data):
    out = data.parent / "rbm"
    train_rbm.main(argv_of("-path", data, "--images", 4, "--hidden", 8, "--epochs", 2, "--out", out))
    return out


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A folder of the test's own, and classifiers of the same kinds but fewer units."""
    monkeypatch.chdir(tmp_path)
    for name, widths in (("FC1", (20, 20)), ("FC2", (20, 15, 10, 10)), ("CONV1", ((4, 6, 8), (20, 20)))):
        monkeypatch.setattr(scarce_nets, name, widths)


def argv_of(*flags):
    return [str(flag) for flag in flags]


def run(data, *flags, out="out"):
    """A tiny training."""
    train_cnn.main(argv_of("-path", data, *TINY, "--out", out, *flags))


def result(out="out", name="result"):
    with open(f"{out}/{name}.json") as file:
        return json.load(file)


@pytest.fixture
def flat(data, tmp_path):
    """A folder of unlabelled images, without class folders."""
    (tmp_path / "flat").mkdir()
    for path in (data / "train").glob("*/*.png"):
        shutil.copy(path, tmp_path / "flat" / f"{path.parent.name}-{path.name}")
    (tmp_path / "flat" / "Thumbs.db").touch()
    return tmp_path / "flat"


# What it does


@pytest.mark.parametrize(
    ("flags", "arm", "model"),
    [
        (["--model", "fc1"], "CNN", "fc1"),
        pytest.param(["--model", "conv1", "--noise", "0", "--aug"], "AUG", "conv1", marks=pytest.mark.slow),
        pytest.param(["-chain", "rbm"], "CHAIN", "thesis", marks=pytest.mark.slow),
        (["--model", "fc2", "-chain", "rbm", "--labels", "y", "--chain-length", "3", "--aug"], "AUG+CHAIN", "fc2"),
        (["--model", "ladder", "--unlabelled", "unlabelled"], "LADDER", "ladder"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_any_classifier_trains_with_any_of_the_arms(data, rbm, flags, arm, model):
    flags = [{"rbm": rbm, "unlabelled": data / "train"}.get(flag, flag) for flag in flags]
    run(data, *flags)
    found = result()
    assert (found["arm"], found["model"], found["steps"], found["protocol"]) == (arm, model, 2, "fair")
    assert found["images"]["train"] == 6
    assert len(pd.read_csv("out/history.csv")) == 2
    assert found.get("unlabelled") == (24 if model == "ladder" else None)
    if "CHAIN" in arm:
        drawn = 2 * 6 * labelling.STATES_PER_IMAGE
        assert found["chain"]["drawn"] == drawn
        assert found["chain"]["used"] <= drawn
        assert (found["chain_length"], found["labels"]) == ((3, "y") if "AUG" in arm else (500, "n"))
    else:
        assert "chain" not in found


def test_chains_start_from_the_binarised_training_images_under_their_labels(data, rbm, monkeypatch, caplog):
    seen = []

    class Watched(chains.Chains):
        def __init__(self, model, starts, length, seed):
            seen.append((starts, length, seed))
            super().__init__(model, starts, length, seed)

    monkeypatch.setattr(chains, "Chains", Watched)
    labels = []
    original = labelling.Labelling.__init__
    monkeypatch.setattr(
        labelling.Labelling, "__init__", lambda self, *given: (labels.append(given[1]), original(self, *given))[0]
    )
    with caplog.at_level("INFO"):
        run(data, "-chain", rbm, "--chain-length", 7)
    starts, length, seed = seen[0]
    listed = result(name="subset")["subset"]
    paths = [data / "train" / name / file for name, files in listed.items() for file in files]
    np.testing.assert_array_equal(starts, albums.read_images(paths) > 127)
    assert labels[0].argmax(axis=1).tolist() == [0, 0, 1, 1, 2, 2]
    assert (length, seed) == (7, backend.derive_seed(42, "chains"))
    assert f"{data / 'train'}: grey levels binarised at 0.5" in caplog.messages


@pytest.mark.slow
def test_training_on_chains_is_the_same_again(data, rbm):
    for out in ("first", "second"):
        run(data, "--model", "fc1", "-chain", rbm, "--labels", "y", out=out)
    first, second = result("first"), result("second")
    assert {**first, "seconds": 0} == {**second, "seconds": 0}
    pd.testing.assert_frame_equal(*(pd.read_csv(f"{out}/history.csv") for out in ("first", "second")), check_exact=True)


def test_a_finished_run_is_skipped_and_another_rule_is_named(data, rbm, capsys):
    flags = ["--model", "fc1", "-chain", rbm]
    run(data, *flags)
    before = result()
    run(data, *flags, "--labels", "n", "--chain-length", 500)
    assert "out is done already" in capsys.readouterr().out
    assert result() == before
    with pytest.raises(ValueError, match=r'chain.labels="n", now chain.labels="y"'):
        run(data, *flags, "--labels", "y")
    with pytest.raises(ValueError, match=r'model="fc1", now model="fc2"'):
        run(data, "--model", "fc2", "-chain", rbm)


def test_settings_of_earlier_runs_stay_as_they_were(data):
    run(data)
    settings = result(name="config")["settings"]
    assert list(settings) == ["schedule", "bad", "precision", "size", "color", "seed", "deterministic"]
    assert sorted(result(name="config")["data"]) == ["test", "train"]


def test_published_keeps_the_epoch_of_lowest_test_error_after_equal_steps(data, rbm):
    run(data, "--model", "fc1", "-chain", rbm, "--protocol", "published")
    found, history = result(), pd.read_csv("out/history.csv")
    assert found["steps"] == 2
    assert found["epoch_kept"] == history["epoch"][history["val_accuracy"].idxmax()]
    assert found["scores"]["accuracy"] == pytest.approx(history["val_accuracy"].max(), abs=1e-6)
    assert found["remark"] == "assumed: the epoch with the lowest test error"


@pytest.mark.slow
def test_unlabelled_images_are_a_flat_folder_or_n_a_class_whatever_their_class(data, flat):
    def count(*flags):
        args = train_cnn.parse_args(argv_of("-path", data, "--model", "ladder", "--unlabelled", *flags))
        return len(arms.unlabelled.read(args, Reading("train", (12, 12, 1), None, ([], []))).images)

    assert [count(flat), count(flat, "--unlabelled-images", 5)] == [24, 5]
    assert count(data / "train", "--unlabelled-images", 3) == 9
    run(data, "--model", "ladder", "--unlabelled", flat, "--unlabelled-images", 5)
    assert result()["unlabelled"] == 5


def test_all_images_become_binary_and_it_is_said(data, monkeypatch, caplog):
    seen = []
    original = ladder.batches

    def watched(*given):
        for batch, labels in original(*given):
            seen.append(batch)
            yield batch, labels

    monkeypatch.setattr(ladder, "batches", watched)
    with caplog.at_level("INFO"):
        run(data, "--model", "ladder", "--unlabelled", data / "train", "--binarise")
    for batch in seen:
        assert {*np.unique(batch["labelled"]), *np.unique(batch["unlabelled"])} == {0, 1}
    said = [message for message in caplog.messages if "grey levels binarised at 0.5" in message]
    assert len(said) == 3  # training, test and unlabelled images


# Bad input


@pytest.fixture
def refused(monkeypatch, tmp_path, capsys):
    """`refused(data, flags, *words)`: ends before the back end starts, in one line with all words, writing nothing."""

    def configure(*_args, **_options):
        raise AssertionError("the back end was started")

    monkeypatch.setattr(backend, "configure", configure)

    def check(data, flags, *words, error=ValueError):
        before = set(tmp_path.rglob("*"))
        capsys.readouterr()
        with pytest.raises(error) as raised:
            run(data, *flags)
        line = str(raised.value) if error is ValueError else capsys.readouterr().err
        assert len(line.splitlines()) == 1
        for word in words:
            assert str(word) in line
        assert set(tmp_path.rglob("*")) == before

    return check


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--labels", "y"], "--labels: goes with -chain"),
        (["--chain-length", 5], "--chain-length: goes with -chain"),
        (["--model", "ladder"], "--model ladder: needs --unlabelled"),
        (["--unlabelled", "x"], "--unlabelled: goes with --model ladder"),
        (["--unlabelled-images", 5], "--unlabelled-images: goes with --unlabelled"),
        (["--model", "ladder", "--unlabelled", "x", "--aug"], "--model ladder: takes no -chain, -vae or --aug"),
        (["--model", "ladder", "--unlabelled", "x", "-chain", "y"], "--model ladder: takes no"),
        (["-chain", "x", "-vae", "y"], "-chain: takes the place of -vae"),
        (["--model", "fc1", "-b", 1], "-b 1: batch norm needs at least 2"),
        (["--model", "fc3"], "argument --model"),
        (["--noise", "-1"], "argument --noise: expected a number from 0 to 1"),
        (["--noise", "inf"], "argument --noise"),
        (["-chain", "x", "--labels", "m"], "argument --labels"),
        (["-chain", "x", "--chain-length", 0], "argument --chain-length"),
        (["--model", "ladder", "--unlabelled", "x", "--unlabelled-images", 0], "argument --unlabelled-images"),
    ],
    ids=str,
)
def test_flags_that_do_not_go_together_are_refused(data, refused, flags, named):
    refused(data, flags, named, error=SystemExit)


@pytest.mark.parametrize("inside", ["", "7"])
def test_test_images_without_labels_are_refused(data, refused, inside):
    words = "--unlabelled: these are the test images; no training may see them"
    refused(data, ["--model", "ladder", "--unlabelled", data / "test" / inside], words, error=SystemExit)
    refused(data, ["--aug", "--mix", "mixmatch", "--unlabelled", data / "test"], words, error=SystemExit)


def write(folder, shape, count=3):
    codec.write_images(folder, range(count), np.zeros((count, *shape), np.uint8))


@pytest.mark.parametrize(("shape", "words"), [((12, 10, 1), "12x10 grey"), ((12, 12, 3), "12x12 RGB")], ids=str)
@pytest.mark.parametrize("inside", ["", "7"], ids=["flat", "classes"])
def test_unlabelled_images_of_another_size_are_refused(data, tmp_path, refused, shape, words, inside):
    write(tmp_path / "other" / inside, shape)
    refused(data, ["--model", "ladder", "--unlabelled", "other"], f"other: {words}", "12x12 grey", "--size H W")


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_unlabelled_images_are_refused(data, tmp_path, refused, count):
    (tmp_path / "few").mkdir()
    write(tmp_path / "few", (12, 12, 1), count)
    refused(data, ["--model", "ladder", "--unlabelled", "few"], f"few: {count} images", "at least 2")


def test_unlabelled_folder_that_is_not_there_or_leads_elsewhere_is_refused(data, tmp_path, refused):
    refused(data, ["--model", "ladder", "--unlabelled", "none"], "none: no such folder")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "a.png").symlink_to(next((data / "train").glob("*/*.png")))
    refused(data, ["--model", "ladder", "--unlabelled", "links"], "links/a.png: a link that leads out")


def test_too_few_labels_are_refused(data, tmp_path, refused):
    copy = tmp_path / "copy"
    shutil.copytree(data, copy)
    for path in (copy / "train" / "1").iterdir():
        path.unlink()
    refused(copy, ["--model", "ladder", "--unlabelled", data / "train"], copy / "train", "class '1' is missing")


def test_a_chain_needs_a_model_of_such_images(data, rbm, tmp_path, refused):
    refused(data, ["-chain", "none"], "none: no model in it that can run a chain")
    other = write_digits(tmp_path / "other", side=8)
    refused(other, ["-chain", rbm], "rbm.keras: learned from 12x12 grey", "train is 8x8 grey")


def test_a_run_folder_inside_the_unlabelled_images_is_refused(data, refused):
    flags = ["--model", "ladder", "--unlabelled", data / "train", "--out", data / "train" / "out"]
    refused(data, flags, "--out")


def test_chains_on_several_devices_are_refused(data, rbm, script, tmp_path):
    flags = ["-path", data, *TINY, "-chain", rbm, "--devices", "cpu:2"]
    ended = script("train_cnn.py", *flags, cwd=tmp_path)
    assert ended.returncode == 2
    assert "--devices cpu:2: with -chain, --mix mixmatch or --model ladder one training uses one device" in ended.stderr
    assert not list(tmp_path.iterdir()) or not list((tmp_path / "runs").iterdir())
