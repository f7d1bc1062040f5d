"""What generate.py does for --sampler chain: Markov chains from labelled images, each image under its start's label."""

import numpy as np

from common import backend, cli, plots, runs, saved
from images import albums, codec, folders, selection


def read_starts(args, model):
    """The images that chains start from: uint8 `(num_starts, height, width, channels)`, labels, class names.

    Raises:
        ValueError: a class has fewer than wanted, or the images are not such as the model knows.
    """
    root = folders.training_root(args.path)
    files = folders.list_images(root)
    for name, paths in files.items():
        if len(paths) < max(args.labelled, 1):
            raise ValueError(f"--labelled {args.labelled}: {root / name} has {len(paths)} images")
    chosen = selection.draw_subset(files, args.labelled, args.seed)
    images, labels = albums.read_classes(chosen, model.settings["size"], model.settings["color"])
    if list(images.shape[1:]) != model.settings["image_shape"]:
        raise ValueError(
            f"{root}: {codec.describe(images.shape[1:])}, but {model.path} learned from "
            f"{codec.describe(model.settings['image_shape'])}"
        )
    return images, labels, list(chosen)


def write_chains(folder, args, chains, labels, class_names, bar):
    """Writes the states of chains, class by class and start by start: the images of one chain follow each other.

    Returns:
        The first ten images of each class, and the strips: for each class its first start and about 19 states of the
        chain from it, ever further apart.
    """
    counts = np.bincount(labels)
    places = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)  # of a start in its class
    quotas = args.count // counts[labels] + (places < args.count % counts[labels])
    ends = np.cumsum(quotas)
    firsts = ends - quotas - args.count * labels  # images of the class before those of this start
    leaders = np.flatnonzero(places == 0)
    shown = np.unique(np.geomspace(1, quotas.max(), 19).round().astype(int))
    sheet = np.zeros((len(class_names), min(10, args.count), *chains.starts.shape[1:]), np.uint8)
    strips = [codec.to_uint8(chains.starts[leaders])]
    for state in range(1, quotas.max() + 1):
        images = codec.to_uint8(chains.next(len(labels))[0])
        if state in shown:
            strips.append(images[leaders])
        for row in np.flatnonzero(quotas >= state):
            number = firsts[row] + state
            codec.write_images(folder / class_names[labels[row]], [number], images[row : row + 1])
            if number <= sheet.shape[1]:
                sheet[labels[row], number - 1] = images[row]
        bar.update(int(np.sum(quotas >= state)))
    return np.concatenate(sheet), np.stack(strips, axis=1)


def run(args):
    """The whole step: checks, chains, images, pictures."""
    model = saved.find(*args.models)
    runs.refuse_overlap(args.out, args.path)
    images, labels, class_names = read_starts(args, model)
    settings = {name: getattr(args, name) for name in ("count", "sampler", "labelled", "chain_length", "thin")}
    settings |= {"expectation": args.expectation, "seed": args.seed, "classes": class_names}
    data = {"model": model.sha256, "starts": albums.fingerprint(images, labels)}
    if runs.finished(args.out, settings, data):
        print(f"{args.out} is done already: {args.count} images of each of {len(class_names)} classes")
        return
    starts = albums.binarise(images, args.path)
    backend.configure(args.seed, args.devices, args.deterministic)
    from vae_aug import chains  # Keras, once the back end is configured

    length = args.chain_length or args.count * args.thin
    walk = chains.Chains(
        saved.load(*args.models),
        starts,
        length,
        backend.derive_seed(args.seed, "chains"),
        args.thin,
        args.expectation,
    )
    bar = cli.progress(total=args.count * len(class_names), unit="image")
    with runs.writing(args.out, settings, data) as folder, bar:
        sheet, strips = write_chains(folder, args, walk, labels, class_names, bar)
        plots.contact_sheet(folder / "contact_sheet.png", sheet, columns=len(sheet) // len(class_names))
        plots.contact_sheet(folder / "strips.png", np.concatenate(strips), columns=strips.shape[1])
    print(f"{args.out}: {args.count} images of each of {len(class_names)} classes, from {len(starts)} chains")
