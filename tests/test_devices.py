"""Several devices: two logical CPU devices stand in for two GPUs, and learn what one device learns, arm by arm."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import GUARD, ROOT, TESTS, write_digits

# Logical devices have to be set before TensorFlow starts, so one process trains on one device, another on two.
TRAININGS = """
import json, sys
import pandas as pd
import train_cnn
from cnn import models

models.TABLE["toy"] = models.Classifier("a toy", "toy_net:build", "thesis", noise=0.0, least_batch=1)
devices, protocol, root, others = sys.argv[1:]
found = {}
for arm, flags in {"CNN": [], "VAE": ["-vae", others], "AUG": ["--aug"], "AUG+VAE": ["-vae", others, "--aug"]}.items():
    out = f"{root}/{arm}-{protocol}-{devices.replace(':', '')}"
    line = ["-path", f"{root}/data", "-limtr", "4", "-limte", "-1", "-b", "8", "--model", "toy", "--out", out]
    length = {"fair": ["--steps", "20"], "published": ["-e", "2"]}[protocol]
    train_cnn.main([*line, *flags, *length, "--protocol", protocol, "--devices", devices])
    found[arm] = pd.read_csv(f"{out}/history.csv").to_dict("list")
print(json.dumps(found))
"""


@pytest.fixture(scope="module", params=["fair", pytest.param("published", marks=pytest.mark.slow)])
def curves(request, tmp_path_factory):
    """The loss curves of every arm in a protocol, on one device and on two; batches of 8, the last of 4."""
    root = tmp_path_factory.mktemp("devices")
    write_digits(root / "data", side=8)
    others = write_digits(root / "others", num_train=28, side=8) / "train"
    path = os.pathsep.join([str(ROOT), str(TESTS)])
    started = [
        subprocess.Popen(
            [sys.executable, "-c", TRAININGS, devices, request.param, str(root), str(others)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for devices in ("cpu", "cpu:2")
    ]
    outputs = [process.communicate(timeout=GUARD) for process in started]
    assert [process.returncode for process in started] == [0, 0], outputs
    return request.param, *(json.loads(stdout.splitlines()[-1]) for stdout, _ in outputs)


@pytest.mark.parametrize("arm", ["CNN", "VAE", "AUG", "AUG+VAE"])
def test_two_devices_learn_what_one_learns_in_every_arm_at_the_defaults(curves, arm):
    protocol, one, two = curves[0], curves[1][arm], curves[2][arm]
    assert one.keys() == two.keys()
    assert len(one["loss"]) == (1 if protocol == "fair" else 2)
    for name in one:
        # float32 sums in another order: 1e-7 a step, with a margin
        np.testing.assert_allclose(two[name], one[name], rtol=1e-3, err_msg=name)
