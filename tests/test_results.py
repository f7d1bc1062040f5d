"""The table of what finished runs left behind."""

import pytest
from fake_grid import write_classifier

from report import results


def test_scores_come_in_the_order_of_arms_sizes_latents_and_seeds(tmp_path):
    write_classifier(tmp_path, "aug+vae", 50, 42, 0.9, latent=3)
    write_classifier(tmp_path, "vae", 100, 42, 0.8, latent=2)
    write_classifier(tmp_path, "vae", 50, 43, 0.7, latent=3)
    write_classifier(tmp_path, "vae", 50, 42, 0.6, latent=3)
    write_classifier(tmp_path, "vae-all", 50, 42, 0.6, latent=2)
    write_classifier(tmp_path, "cnn", 50, 42, 0.5)
    write_classifier(tmp_path, "aug", 50, 42, 0.1, variant="bad2")
    frame = results.collect(tmp_path)
    assert list(frame["arm"]) == ["CNN", "VAE", "VAE", "VAE", "VAE", "AUG+VAE", "AUG"]
    assert list(frame["injection"]) == ["", "all", "pages", "pages", "pages", "pages", ""]
    assert list(frame["f1"][2:5]) == [0.6, 0.7, 0.8]
    assert frame["latent"].isna().tolist() == [True] + [False] * 5 + [True]
    assert frame["variant"].iloc[-1] == "bad2"
    assert frame["command"].iloc[0] == "python train_cnn.py --out classifiers/fair-cnn-50-seed42"


def test_runs_outside_a_grid_are_listed_too(tmp_path, capsys):
    for name, arm, f1 in (("a", "aug+vae", 0.9), ("b", "vae", 0.7), ("c", "cnn", 0.6), ("d", "aug", 0.8)):
        key = write_classifier(tmp_path / "grid", arm, 50, 42, f1, latent=3 if "vae" in arm else None)
        (tmp_path / "grid" / key).rename(tmp_path / name)
    results.main([str(tmp_path)])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][:3] == ["protocol", "arm", "size"]  # no column of latents: nothing here says them
    assert [line[1] for line in lines[1:]] == ["CNN", "VAE", "AUG", "AUG+VAE"]
    assert [line[-1] for line in lines[1:]] == list("cbda")
    assert "0.6000" in lines[1]


def test_a_run_of_a_grid_without_its_record_is_not_counted_and_said_to_be_so(tmp_path, capsys):
    write_classifier(tmp_path, "aug", 50, 42, 0.8)
    key = write_classifier(tmp_path, "aug", 50, 42, 0.9, protocol="published", variant="by-accuracy")
    (tmp_path / "cells" / f"{key}.json").unlink()
    cut = write_classifier(tmp_path, "aug", 50, 43, 0.9)
    (tmp_path / "cells" / f"{cut}.json").write_text('{"command": "pyth')
    assert list(results.collect(tmp_path)["f1"]) == [0.8]
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{tmp_path}/classifiers: 2 not counted, without a record in {tmp_path}/cells/classifiers;")


def test_axes_come_from_the_facts_and_their_kinds_from_the_study(tmp_path):
    write_classifier(tmp_path, "cnn", 50, 42, 0.5, blur="strong", depth=3)
    write_classifier(tmp_path, "cnn", 50, 43, 0.6)
    frame = results.collect(tmp_path)
    assert frame["depth"].dtype == "Int64"
    assert list(frame["blur"]) == ["", "strong"]
    assert "latent" not in frame  # of which no fact speaks
    frame = results.collect(tmp_path, {"depth": None, "width": None, "colour": ""})
    assert list(frame["depth"].isna()) == [False, True]
    assert frame["width"].isna().all()
    assert list(frame["colour"]) == ["", ""]
    assert "blur" not in frame


def test_arms_of_any_name_are_listed_after_the_first_four(tmp_path):
    for arm in ("ladder", "aug+chain", "chain", "aug", "cnn", "mixup"):
        write_classifier(tmp_path, arm, 50, 42, 0.5)
    arms = list(results.collect(tmp_path)["arm"])
    assert arms == ["CNN", "AUG", "CHAIN", "LADDER", "MIXUP", "AUG+CHAIN"]


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no finished runs in it"):
        results.main([str(tmp_path)])


def test_a_broken_result_is_named(tmp_path):
    key = write_classifier(tmp_path, "cnn", 50, 42, 0.5)
    (tmp_path / key / "result.json").write_text("{")
    with pytest.raises(ValueError, match=r"result.json: not readable as JSON"):
        results.collect(tmp_path)
