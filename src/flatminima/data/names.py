"""What data and networks of images are called where people read, and what networks are told."""

from collections.abc import Mapping

NAMES: Mapping[str, str] = {
    "swiss_roll": "swiss roll",
    "quadratic_basin": "quadratic basin",
    "minefield": "minefield",
    "rings": "rings",
    "digits": "handwritten digits (scikit-learn)",
    "svhn": "house numbers (SVHN)",
    "cifar10": "CIFAR-10",
}
"""The name of each source of data, for labels, captions and tables."""

ARCHITECTURES: Mapping[str, str] = {
    "resnet": "pre-activation ResNet",
    "resnet18": "ResNet-18",
    "vgg13": "VGG-13 with batch norm",
    "quadratic": "linear model on pixels and their products",
}
"""The name of each architecture of networks of images, for the middle of a sentence."""

SIZES: Mapping[str, tuple[str, ...]] = {
    "resnet": ("depth", "width"),
    "resnet18": ("width",),
    "vgg13": ("width",),
    "quadratic": ("side",),
}
"""What each architecture must be told of its size, besides its name."""


def name_of(source: str) -> str:
    """The name of a source of data; one without a name stands for itself."""
    return NAMES.get(source, source)
