"""Settings of classic augmentation: presets by name, the thesis' suitable ones, inexpert ones, and the steps between.
Nothing here loads Keras.
"""

from dataclasses import dataclass

# Keyword arguments of Keras' `ImageDataGenerator`
SUITABLE = {"rotation_range": 20, "width_shift_range": 0.2, "height_shift_range": 0.2}  # CIARP 2018, 3.3.2
INEXPERT = {  # CIARP 2018, fig. 3: everything at once
    "zca_whitening": True,
    "zca_epsilon": 1e-6,
    "rotation_range": 360,
    "width_shift_range": 1.0,
    "height_shift_range": 1.0,
    "shear_range": 90,
    "zoom_range": 5,
    "horizontal_flip": True,
    "vertical_flip": True,
    "fill_mode": "nearest",
}
# From the inexpert settings to the suitable ones, a thing learned at a time (CIARP 2018, fig. 3, names no steps).
LESSONS = (
    ("everything", {}),
    ("no whitening", {"zca_whitening": False}),
    ("no flips", {"horizontal_flip": False, "vertical_flip": False}),
    ("no zoom", {"zoom_range": 0.0}),
    ("no shear", {"shear_range": 0.0}),
    ("shifts 0.2", {"width_shift_range": 0.2, "height_shift_range": 0.2}),
    ("rotation 20", {"rotation_range": 20}),
)


def inexpert(num_lessons):
    """Settings after the first `num_lessons` of the 6 lessons: 0 is `INEXPERT`, 6 transforms as `SUITABLE`."""
    settings = dict(INEXPERT)
    for _, change in LESSONS[: num_lessons + 1]:
        settings |= change
    return settings


@dataclass(frozen=True)
class Preset:
    """Ranges of random transformations, each drawn for every image; 0 or False leaves one out.

    Attributes:
        rotation, shear: largest angle either way, degrees.
        shift: largest shift either way and along each axis, a fraction of the side.
        zoom: a factor per axis from 1 - zoom to 1 + zoom.
        crop: least side of a square window, as a fraction of the image's; it is anywhere in the image and scaled up.
        flip: whether half of the images are mirrored, left to right.
        padding: black border, a fraction of the side, within which a window of the image's size is anywhere.
        elastic: whether there is the jagged elastic deformation of `warps.elastic`.
        warp: root mean square of a smooth invertible deformation, a fraction of the side: `warps.smooth`.
        thickness: whether strokes are thickened and thinned: `appearance.thickness`.
        brightness, contrast, saturation: largest change either way: `appearance.colours`.
    """

    rotation: float = 0.0
    shear: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    crop: float = 0.0
    flip: bool = False
    padding: float = 0.0
    elastic: bool = False
    warp: float = 0.0
    thickness: bool = False
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0


MILD = {"rotation": 15, "shift": 0.1, "zoom": 0.1, "shear": 10}
PRESETS = {  # by the name that --aug takes
    "suitable": SUITABLE,
    "mild": Preset(**MILD),
    "elastic": Preset(**MILD, elastic=True),
    "thickness": Preset(thickness=True),
    "mild-thickness": Preset(**MILD, thickness=True),
    "stroke": Preset(**MILD, warp=1.7 / 28, thickness=True),
    "flip-crop": Preset(flip=True, padding=4 / 32),
    "photographs": Preset(rotation=10, crop=0.7, flip=True, brightness=0.2, contrast=0.2, saturation=0.3),
}
