"""A tiny grid's folder written by hand, as train_cnn.py and the records of cells leave it."""

import json

CLASSES = ["0", "1"]


def write_classifier(
    root, arm, size, seed, f1, latent=None, protocol="fair", variant="", confusion=None, history=None, loss=0.5, **other
):
    """One finished classifier with the macro F1 `f1`; `arm` as in the grid, e.g. `"aug+vae"`. Returns its key."""
    parts = [protocol, arm, variant, str(size), f"latent{latent}" if latent else "", f"seed{seed}"]
    key = f"classifiers/{'-'.join(filter(None, parts))}"
    folder = root / key
    folder.mkdir(parents=True)
    blind = (arm, protocol) == ("aug+vae", "published")
    pages = {"vae": 100, "aug+vae": 0 if blind else 50, "vae-all": -1}.get(arm, 0)
    result = {
        "arm": arm.removesuffix("-all").upper(),
        "protocol": protocol,
        "remark": "",
        "scores": {"loss": loss, "accuracy": f1 + 0.01, "precision": f1, "recall": f1, "f1": f1, "support": 7000},
        "images": {"train": size, "test": 7000, "generated": 1000 if pages else 0},
        "steps": 3000,
        "epochs": 60,
        "epoch_kept": 60,
        "seconds": 1.0,
        "classes": CLASSES,
        "confusion": confusion or [[3, 1], [2, 4]],
    }
    (folder / "result.json").write_text(json.dumps(result))
    config = {"settings": {"seed": seed, "schedule": {"page_size": pages}}, "data": {}, "environment": {"command": ""}}
    (folder / "config.json").write_text(json.dumps(config))
    if history is not None:
        history.to_csv(folder / "history.csv", index=False)
    facts = {"arm": arm, "latent": latent, "variant": variant, **other}
    write_record(root, key, facts, f"python train_cnn.py --out {key}")
    return key


def write_scarce(
    root, model, labelled, seed, error, generator="", length=None, labels="", protocol="fair", classes=CLASSES
):
    """One finished classifier of the scarce paper's grid with so large an error, a fraction. Returns its key."""
    chain = f"{generator}-chain{length}-{labels}" if generator else ""
    key = f"classifiers/{'-'.join(filter(None, [protocol, model, str(labelled), chain, f'seed{seed}']))}"
    folder = root / key
    folder.mkdir(parents=True)
    scores = {"loss": 0.5, "accuracy": 1 - error, "precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 100}
    result = {
        "arm": "LADDER" if model == "ladder" else "CHAIN" if generator else "CNN",
        "protocol": protocol,
        "remark": "",
        "scores": scores,
        "images": {"train": labelled, "test": 100, "generated": 300 if generator else 0},
        "steps": 3000,
        "epochs": 60,
        "epoch_kept": 60,
        "seconds": 1.0,
        "classes": classes,
        "model": model,
    }
    (folder / "result.json").write_text(json.dumps(result))
    config = {"settings": {"seed": seed, "schedule": {"page_size": 0}}, "data": {}, "environment": {"command": ""}}
    (folder / "config.json").write_text(json.dumps(config))
    facts = {"model": model, "generator": generator, "chain_length": length, "labels": labels}
    facts |= {"labelled": labelled, "available": 10 * labelled}
    write_record(root, key, facts, f"python train_cnn.py -path data --out {key}")
    return key


def write_record(root, key, facts, command):
    record = {
        "command": command,
        "seconds": 60.0,
        "facts": facts,
        "backend": "tensorflow",
        "versions": {"python": "3.13.0", "keras": "3.15.0"},
        "machine": "x86_64, 2 cores, Linux",
        "finished": "2026-01-02T03:04:05+00:00",
    }
    path = root / "cells" / f"{key}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))
