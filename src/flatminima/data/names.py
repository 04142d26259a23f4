"""What data sets are called where people read."""

from collections.abc import Mapping

NAMES: Mapping[str, str] = {
    "swiss_roll": "swiss roll",
    "minefield": "minefield",
    "rings": "rings",
    "digits": "handwritten digits (scikit-learn)",
    "svhn": "house numbers (SVHN)",
    "cifar10": "CIFAR-10",
}
"""The name of each source of data, for labels, captions and tables."""


def name_of(source: str) -> str:
    """The name of a source of data; one without a name stands for itself."""
    return NAMES.get(source, source)
