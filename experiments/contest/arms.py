"""The arms of the contest: what joins the real images, and which augmentation of `--aug` transforms them.

To add a source: a line in `SOURCES`. It then runs alone, with the thesis' augmentation and with the best hand-made one.
"""

from typing import NamedTuple

from cnn import presets


class Source(NamedTuple):
    """What joins the real images.

    Attributes:
        images: which generator writes images, a key of `grid.GENERATORS`, or None.
        deform: which model of train_deformation.py deforms every image at random, a key of `grid.DEFORMATIONS`.
        replace: whether images that a cGLO draws on the fly take the place of half of the real ones.
        mix: words of `--mix`.
        learned: whether it is learned from the training images: a generator, in the words of the page.
        variant: whether it varies another source, and runs only where --arms names it.
    """

    images: str | None = None
    deform: str | None = None
    replace: bool = False
    mix: tuple = ()
    learned: bool = True
    variant: bool = False


SOURCES = {
    "deformation": Source(deform="deformation"),  # Hauberg et al. 2016
    "deformation-all": Source(deform="deformation-all"),  # with an affine part of its own, thickness, contrast
    "deformation-own": Source(deform="deformation-own", variant=True),  # a Gaussian per class
    "deformation-low": Source(deform="deformation-low", variant=True),  # of low rank
    "deformation-fine": Source(deform="deformation-fine", variant=True),  # more control points
    "vae": Source("vae"),  # Garay-Maestre et al. 2018
    "rbm": Source("rbm"),  # Maronas et al. 2018: chains of the bad RBM
    "g-rbm": Source("g-rbm"),  # of the good one
    "vae-chains": Source("vae-chains"),  # of their VAE
    "cdcvae": Source("cdcvae"),  # Eduardo and Kazi 2018
    "cdcgan": Source("cdcgan"),
    "cglo": Source(replace=True),  # Azuri and Weinshall 2020
    "smote": Source("smote"),  # Chawla et al. 2002
    "vae-of-deformed": Source("vae-of-deformed"),  # it learns from deformed images in place of the few
    "cglo-of-deformed": Source("cglo-of-deformed"),
    "vae-and-deformation": Source("vae", deform="deformation"),
    "mixup-and-deformation": Source(deform="deformation", mix=("mixup",), variant=True),
    "mixup": Source(mix=("mixup",), learned=False),
    "cutout": Source(mix=("cutout",), learned=False),
}
FROM = dict.fromkeys(
    ("vae-of-deformed", "cglo-of-deformed"), ("deformation", "deformed")
)  # what else a generator of images needs first
THESIS = "suitable"  # the augmentation of the thesis
NOTHING = "plain"
PROTOTYPE = "deformation+mild-thickness"  # `stroke` with the learned deformations in place of its smooth warp
AVERAGED = 3  # networks of the averages that are run by default


class Arm(NamedTuple):
    """One arm: a source's name or "", a preset's name or "", and how many networks are averaged."""

    source: str
    augmentation: str
    networks: int = 1

    @property
    def name(self):
        alone = "+".join(filter(None, self[:2])) or NOTHING
        return alone if self.networks == 1 else f"{alone}+{self.networks}"

    @property
    def is_learned(self):
        return bool(self.source) and SOURCES[self.source].learned


def parse(name):
    """The `Arm` of a name: `"plain"`, a preset, a source, or `"source+preset"`; with `"+3"` of three networks.

    Raises:
        ValueError: there is no such source or preset, or only one network to average.
    """
    alone, _, last = name.rpartition("+")
    if alone and last.isdecimal():
        if int(last) < 2:
            raise ValueError(f"--arms {name}: averages of at least 2 networks, received {last}")
        return parse(alone)._replace(networks=int(last))
    if name == NOTHING:
        return Arm("", "")
    source, _, augmentation = name.rpartition("+")
    if not source and augmentation in SOURCES:
        source, augmentation = augmentation, ""
    if source and source not in SOURCES:
        raise ValueError(f"--arms {name}: no source {source!r} (there are {', '.join(SOURCES)})")
    if augmentation and augmentation not in presets.PRESETS:
        raise ValueError(
            f"--arms {name}: no source or preset of --aug {augmentation!r} (there are {', '.join(presets.PRESETS)})"
        )
    return Arm(source, augmentation)


def makers(source):
    """Lists the generators whose work a source, or "", needs: names of sources."""
    if not source:
        return []
    entry = SOURCES[source]
    used = [entry.deform, "cglo" if entry.replace else None, *FROM.get(entry.images, ()), entry.images]
    return list(filter(None, dict.fromkeys(used)))


def arm_names(given, best):
    """The arms that the flags ask for: those that are given and the best hand-made one, or all."""
    if given:
        return list(dict.fromkeys([best, *given]))
    presets_of = dict.fromkeys(["", THESIS, best])
    sources = [name for name, source in SOURCES.items() if not source.variant]
    single = [Arm(source, preset).name for source in ("", *sources) for preset in presets_of]
    single += [PROTOTYPE] if PROTOTYPE not in single else []
    return [*single, *(Arm(source, best, AVERAGED).name for source in ("", "deformation"))]
