"""The images that train_cnn.py learns from, class folders as arrays."""

from pathlib import Path

import numpy as np

import scarce
from cnn import injection
from common import backend
from images import albums, codec, folders, selection


def choose_files(args):
    """The real images: listings {class: paths} of the training and the test part."""
    train_root, test_root = Path(args.path) / "train", Path(args.path) / "test"
    train, test = folders.list_images(train_root), folders.list_images(test_root)
    folders.check_same_classes(train, test, train_root, test_root)
    if args.subset:
        train = selection.load_list(args.subset, train, "subset")
    else:
        train = selection.draw_subset(train, args.limtr, args.seed)
    return train, selection.draw_subset(test, args.limte, args.seed)


def list_generated(root, class_names, seed):
    """The generated images in the order in which pages take them, shuffled over the classes: paths and labels."""
    files = folders.list_paths(root)
    for name in files:
        if (Path(root) / name / "decoder.keras").exists():
            raise ValueError(f"{Path(root) / name}: holds a model, not generated images; generate.py makes them")
        if name not in class_names:
            raise ValueError(
                f"{Path(root) / name}: class {name!r} is not in the data (there are {', '.join(class_names)})"
            )
    missing = [name for name in class_names if not files.get(name)]
    paths = [path for class_paths in files.values() for path in class_paths]
    labels = np.repeat([class_names.index(name) for name in files], [len(paths) for paths in files.values()])
    if not paths:
        raise ValueError(f"{root}: no images in it")
    if missing:
        print(f"{root}: no generated images of class {', '.join(missing)}")
    order = np.random.default_rng(backend.derive_seed(seed, "pages")).permutation(len(paths))
    return [paths[k] for k in order], labels[order]


def read(args, plan):
    """Reads what a classifier learns from, without Keras.

    Args:
        args: of train_cnn.py.
        plan: maps `args` and the numbers of training and of generated images to a schedule.

    Returns:
        The schedule; the listing of the training images; training and test images, each a pair of uint8 images and
        labels; such a pair of generated images, an album, or None; `scarce.Extras`.
    """
    train_files, test_files = choose_files(args)
    class_names = list(train_files)
    real = albums.read_classes(train_files, args.size, args.color)
    test = albums.read_classes(test_files, args.size, args.color)
    shapes = {Path(args.path) / part: x.shape[1:] for part, (x, _) in (("train", real), ("test", test))}
    paths, labels = list_generated(args.vae, class_names, args.seed) if args.vae else ([], [])
    schedule = plan(args, len(real[0]), len(paths))
    used = injection.num_used(schedule.epochs, schedule.page_size, len(paths))
    generated = None
    if used:
        album = albums.Album(paths[:used], args.size, args.color)
        generated = scarce.binary_album(args, album, args.vae), labels[:used]
        shapes[args.vae] = album.shape[1:]
    codec.check_same_shape(shapes)
    real = scarce.binary(args, real[0], Path(args.path) / "train"), real[1]
    test = scarce.binary(args, test[0], Path(args.path) / "test"), test[1]
    return schedule, train_files, real, test, generated, scarce.read(args, real[0].shape[1:])


def as_batch(images, labels, num_classes):
    """uint8 images and integer labels as the network takes them: float32 in [0, 1] and one-hot float32."""
    return codec.to_float(images), np.eye(num_classes, dtype=np.float32)[labels]
