"""What may join the labelled images of a training, a module each. No module needs Keras before its arm's `join`.

A module has

    NAME                         its part of the arm's name, e.g. "VAE"
    PAPER                        whose published protocol an arm with it follows, or None: the classifier's
    add_arguments(parser)        its flags
    is_asked(args)               whether the flags ask for it
    check(parser, args)          refuses flags that do not go together, fills in defaults
    read(args, reading)          its arm, an `arms.arm.Arm`, from an `arms.arm.Reading`
    folders(args)                the folders that it reads, so that no run folder is written into one

To add one: write the module and name it in `MODULES`, in the order in which arms join. One with a `MIX` is asked for by
that word of `--mix`.
"""

from arms import (
    autoaugment,
    chain,
    cutmix,
    cutout,
    deformation,
    erasing,
    generated,
    mixmatch,
    mixup,
    replacement,
    unlabelled,
)

# Cut, erased and AutoAugmented are real images alone; what a cGLO draws joins after that.
MODULES = (
    generated,
    deformation,
    chain,
    unlabelled,
    autoaugment,
    cutout,
    erasing,
    replacement,
    mixup,
    cutmix,
    mixmatch,
)


def add_arguments(parser):
    """Adds the flags of all arms."""
    group = parser.add_argument_group("what joins the real images")
    group.add_argument(
        "--mix",
        nargs="+",
        choices=[module.MIX for module in MODULES if hasattr(module, "MIX")],
        help="what is done to every batch, after --aug; of several, in the order of this list",
    )
    for module in MODULES:
        module.add_arguments(group)


def asked(args):
    """Lists the modules that the flags ask for, in the order in which their arms join."""
    return [module for module in MODULES if module.is_asked(args)]


def check(parser, args):
    """Refuses flags that do not go together."""
    for module in MODULES:
        module.check(parser, args)


def names(args):
    """Lists the parts of the arm's name that the flags ask for."""
    return [module.NAME for module in asked(args)]


def paper(args):
    """Says whose published protocol the arms follow, or None if they leave it to the classifier."""
    return next((module.PAPER for module in asked(args) if module.PAPER), None)


def folders(args):
    """Lists the folders that the arms read."""
    return [folder for module in asked(args) for folder in module.folders(args)]


def read(args, reading):
    """Reads what the arms need that the flags ask for, without Keras.

    Args:
        args: of train_cnn.py.
        reading: an `arms.arm.Reading`.

    Returns:
        List of `arms.arm.Arm`, in the order in which they join.

    Raises:
        ValueError: what an arm needs is not there, or does not suit the training images.
    """
    return [module.read(args, reading) for module in asked(args)]
