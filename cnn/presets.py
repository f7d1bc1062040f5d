"""Settings of classic augmentation: suitable ones, inexpert ones, and the steps between. Keyword arguments of Keras'
`ImageDataGenerator`; nothing here loads Keras.
"""

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
