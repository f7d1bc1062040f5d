"""How much images differ from each other: what tells a generator that draws one picture from one that draws many."""

import numpy as np

from images.albums import digest_of

COLLAPSED = 0.3  # generated images that differ by less than this share of what the real ones do have collapsed


class Diversity:
    """Takes uint8 images a few at a time and measures how much they differ from each other.

    Attributes:
        count: images seen.
        copies: images that are pixel for pixel the same as an earlier one, or as one of `real`.
    """

    def __init__(self, real=()):
        self.count = self.copies = 0
        self._seen = {digest_of(image) for image in real}
        self._total = self._squares = 0.0

    def add(self, images):
        """Takes in more images, uint8 `(num_images, height, width, channels)`."""
        for image in images:
            digest = digest_of(image)
            self.copies += digest in self._seen
            self._seen.add(digest)
        pixels = images.astype(np.float64)
        self._total = self._total + pixels.sum(axis=0)
        self._squares = self._squares + np.square(pixels).sum(axis=0)
        self.count += len(images)

    def spread(self):
        """The standard deviation of a pixel over the images, in grey levels of 255, root mean square over the pixels.

        None for fewer than two images, which have none.
        """
        if self.count < 2:
            return None
        variances = (self._squares - np.square(self._total) / self.count) / (self.count - 1)
        return float(np.sqrt(np.maximum(variances, 0).mean()))


def spread(images):
    """The spread of uint8 images `(num_images, height, width, channels)`, see `Diversity.spread`."""
    found = Diversity()
    found.add(images)
    return found.spread()


def compare(drawn, real_spread):
    """What a `config.json` says of generated images beside real ones.

    Args:
        drawn: a `Diversity` of the generated images.
        real_spread: of the real images, in grey levels, or None where it is not known.

    Returns:
        A dict of numbers: `images`, `copies`, `spread`, `real_spread` and `ratio` of the two spreads, None where one is
        not known or the real images do not differ.
    """
    found = {"images": drawn.count, "copies": drawn.copies, "spread": drawn.spread(), "real_spread": real_spread}
    ratio = found["spread"] / real_spread if real_spread and found["spread"] is not None else None
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in found.items()} | {
        "ratio": None if ratio is None else round(ratio, 4)
    }


def warning(measured):
    """A line on the classes whose generator has collapsed, or None.

    Args:
        measured: {class: what `compare` gave}.
    """
    low = {name: found for name, found in measured.items() if found["ratio"] is not None and found["ratio"] < COLLAPSED}
    if not low:
        return None
    words = [f"{name} ({found['spread']:.1f}, {found['real_spread']:.1f})" for name, found in low.items()]
    more = f" and {len(words) - 10} more" if len(words) > 10 else ""
    return (
        "a collapsed generator: its images hardly differ; spread in grey levels of the generated and of the real "
        f"images: class {', '.join(words[:10])}{more}"
    )
