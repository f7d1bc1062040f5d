"""What to watch while a conditional model trains: does it draw many images per class, of that class, and no copies?

NumPy and SciPy only. The limits are ours; a run beyond one is flagged, and never dropped or repeated.
"""

import numpy as np
from scipy.spatial.distance import pdist

IMAGES = 50  # per class, generated and real, that `diversity` compares
LEAST_DIVERSITY = 0.3  # spread of a class' generated images, over that of its real ones
LEAST_D_LOSS, EPOCHS_BELOW = 0.05, 20  # nats: the discriminator knows everything, epoch after epoch
MOST_G_LOSS = 10.0  # nats
LEAST_FIDELITY = 0.1  # of the way from chance to all right
LEAST_COPY_RATIO = 0.3  # distance of generated to the nearest training images, over that of these to one another


def spread(images):
    """Mean Euclidean distance between two of the images `(num_images, height, width, channels)`; NaN below 2 images."""
    return float(pdist(images.reshape(len(images), -1)).mean()) if len(images) > 1 else np.nan


def diversity(generated, labels, real, real_labels, num_classes):
    """How varied each class' generated images are: their spread, over that of its real images.

    Args:
        generated, real: float `(num_images, height, width, channels)`; the first 50 of each class count.
        labels, real_labels: integers `(num_images,)`, rows of the classes.
        num_classes: classes.

    Returns:
        float `(num_classes,)`: about 1 where they are as varied, 0 where all are one picture, NaN where the class has
        fewer than two images or all of its real ones are equal.
    """
    spreads = [
        [spread(images[rows == k][:IMAGES]) for k in range(num_classes)]
        for images, rows in ((generated, labels), (real, real_labels))
    ]
    made, wanted = np.array(spreads)
    return np.divide(made, wanted, out=np.full(num_classes, np.nan), where=wanted > 0)


def flags(history, num_classes):
    """What is wrong with a training, from what it logged.

    Args:
        history: dicts, one per epoch. Of the losses, `d_loss` and `g_loss` are looked at; of what is measured every few
            epochs, the last `diversity` (a list, per class), `label_fidelity` (the share of generated images that are
            taken for their class) and `copy_ratio` (1: as far from the training images as these from one another).
        num_classes: classes.

    Returns:
        dict of sentences by the name of the flag; empty for a healthy training.
    """
    found = {}
    d_losses = np.array([row.get("d_loss", np.inf) for row in history])
    if len(d_losses) >= EPOCHS_BELOW and (d_losses[-EPOCHS_BELOW:] < LEAST_D_LOSS).all():
        found["discriminator"] = f"d_loss below {LEAST_D_LOSS} in each of the last {EPOCHS_BELOW} epochs"
    if history[-1].get("g_loss", 0) > MOST_G_LOSS:
        found["generator"] = f"g_loss {history[-1]['g_loss']:.1f}, above {MOST_G_LOSS:g}, in the last epoch"
    measured = {name: value for row in history for name, value in row.items()}
    if "diversity" in measured:
        flat = np.flatnonzero(np.array(measured["diversity"], float) < LEAST_DIVERSITY)
        if len(flat):
            found["collapse"] = (
                f"in {len(flat)} of {num_classes} classes the generated images are less than {LEAST_DIVERSITY} times "
                "as varied as the real ones"
            )
    fidelity, chance = measured.get("label_fidelity", 1), 1 / num_classes
    if fidelity < chance + LEAST_FIDELITY * (1 - chance):
        found["labels ignored"] = f"{100 * fidelity:.0f} % of the generated images are taken for their class"
    if measured.get("copy_ratio", 1) < LEAST_COPY_RATIO:
        found["copies"] = (
            f"generated images are {measured['copy_ratio']:.2f} times as far from the nearest training image as "
            "training images from one another"
        )
    return found
