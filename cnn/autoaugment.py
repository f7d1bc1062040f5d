"""AutoAugment's policy for CIFAR-10 (Cubuk et al. 2019, table 7 of the appendix), with Pillow."""

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

LEVELS = 9  # magnitudes go from 0 to this
SHEAR, SHIFT, ANGLE, CHANGE = 0.3, 150 / 331, 30.0, 0.9  # at magnitude 9, either way; of the side; degrees
BACKGROUND = 128  # level of what comes from outside the image
POLICY = (  # two operations each: what, how probable, how strong
    (("invert", 0.1, 7), ("contrast", 0.2, 6)),
    (("rotate", 0.7, 2), ("translate_x", 0.3, 9)),
    (("sharpness", 0.8, 1), ("sharpness", 0.9, 3)),
    (("shear_y", 0.5, 8), ("translate_y", 0.7, 9)),
    (("autocontrast", 0.5, 8), ("equalize", 0.9, 2)),
    (("shear_y", 0.2, 7), ("posterize", 0.3, 7)),
    (("color", 0.4, 3), ("brightness", 0.6, 7)),
    (("sharpness", 0.3, 9), ("brightness", 0.7, 9)),
    (("equalize", 0.6, 5), ("equalize", 0.5, 1)),
    (("contrast", 0.6, 7), ("sharpness", 0.6, 5)),
    (("color", 0.7, 7), ("translate_x", 0.5, 8)),
    (("equalize", 0.3, 7), ("autocontrast", 0.4, 8)),
    (("translate_y", 0.4, 3), ("sharpness", 0.2, 6)),
    (("brightness", 0.9, 6), ("color", 0.2, 8)),
    (("solarize", 0.5, 2), ("invert", 0.0, 3)),
    (("equalize", 0.2, 0), ("autocontrast", 0.6, 0)),
    (("equalize", 0.2, 8), ("equalize", 0.6, 4)),
    (("color", 0.9, 9), ("equalize", 0.6, 6)),
    (("autocontrast", 0.8, 4), ("solarize", 0.2, 8)),
    (("brightness", 0.1, 3), ("color", 0.7, 0)),
    (("solarize", 0.4, 5), ("autocontrast", 0.9, 3)),
    (("translate_y", 0.9, 9), ("translate_y", 0.7, 9)),
    (("autocontrast", 0.9, 2), ("solarize", 0.8, 3)),
    (("equalize", 0.8, 8), ("invert", 0.1, 3)),
    (("translate_y", 0.7, 9), ("autocontrast", 0.9, 1)),
)
ENHANCERS = {
    "color": ImageEnhance.Color,
    "contrast": ImageEnhance.Contrast,
    "brightness": ImageEnhance.Brightness,
    "sharpness": ImageEnhance.Sharpness,
}
PLAIN = {"autocontrast": ImageOps.autocontrast, "equalize": ImageOps.equalize, "invert": ImageOps.invert}


def autoaugment(images, rng):
    """Puts each image through one of the 25 sub-policies.

    Args:
        images: float32 `(batch, height, width, 1 or 3)` in [0, 1].
        rng: NumPy generator.

    Returns:
        The same, new, in steps of 1/255 where an operation took place.
    """
    result, grey = images.copy(), images.shape[-1] == 1
    chosen = rng.integers(len(POLICY), size=len(images))
    coins, signs = rng.random((len(images), 2)), rng.choice((-1, 1), (len(images), 2))
    for k, rule in enumerate(chosen):
        steps = [
            (name, sign * level if name not in PLAIN else level)
            for (name, probability, level), coin, sign in zip(POLICY[rule], coins[k], signs[k], strict=True)
            if coin < probability
        ]
        if not steps:
            continue
        levels = np.rint(np.clip(images[k], 0, 1) * 255).astype(np.uint8)
        image = Image.fromarray(levels[..., 0] if grey else levels)
        for name, level in steps:
            image = operate(image, name, level)
        result[k] = np.asarray(image, np.float32).reshape(images.shape[1:]) / 255
    return result


def operate(image, name, level):
    """Applies one operation.

    Args:
        image: Pillow image, grey or RGB.
        name: of the operation.
        level: magnitude from 0 to 9; its sign is the direction of what has one, and means nothing else.

    Returns:
        Pillow image of the same size and mode.
    """
    share = level / LEVELS
    if name in PLAIN:
        return PLAIN[name](image)
    if name in ENHANCERS:
        return ENHANCERS[name](image).enhance(1 + CHANGE * share)
    if name == "posterize":
        return ImageOps.posterize(image, 8 - round(4 * abs(share)))
    if name == "solarize":
        return ImageOps.solarize(image, round(256 * (1 - abs(share))))
    fill = BACKGROUND if image.mode == "L" else (BACKGROUND,) * 3
    if name == "rotate":
        return image.rotate(ANGLE * share, fillcolor=fill)
    matrix = {
        "shear_y": (1, 0, 0, SHEAR * share, 1, -SHEAR * share * image.width / 2),
        "translate_x": (1, 0, SHIFT * share * image.width, 0, 1, 0),
        "translate_y": (1, 0, 0, 0, 1, SHIFT * share * image.height),
    }[name]
    return image.transform(image.size, Image.Transform.AFFINE, matrix, fillcolor=fill)
