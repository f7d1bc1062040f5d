"""Runs stage one the released way: one process per class, Keras' `fit` with validation, one `predict` per image.

Example python -m benchmarks.released DATA CLASS COUNT OUT
        prints the seconds of training and of COUNT images as JSON
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

from common import backend
from images import albums, codec, folders, selection, splits
from vae_aug import sampling


def main(data, name, count, out):
    backend.configure(42)
    from vae_aug import training

    files = selection.draw_subset({name: folders.list_images(Path(data) / "train")[name]}, 5, 42)
    images = codec.to_float(albums.read_images(files[name]))
    train, validation = splits.split(list(images), 0.16, 42)
    started = time.perf_counter()
    model = training.build("conv", images.shape[1:], 3)
    model.fit(np.stack(train), epochs=200, batch_size=100, validation_data=(np.stack(validation), None), verbose=0)
    Path(out).mkdir(parents=True)
    for part in (model, model.encoder, model.decoder):
        part.save(Path(out) / f"{part.name}.keras")
    trained = time.perf_counter()
    rng = np.random.default_rng(42)
    for k in range(int(count)):
        image = model.decoder.predict(sampling.uniform(1, 3, rng), verbose=0)
        codec.write_images(Path(out) / name, [k + 1], codec.to_uint8(image))
    print(json.dumps({"training": trained - started, "images": time.perf_counter() - trained}))


if __name__ == "__main__":
    main(*sys.argv[1:])
