"""The architectures of networks of images: one entry each. ``load.build`` makes the networks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Architecture:
    """An architecture of networks of images.

    Attributes:
        title: where people read, for the middle of a sentence.
        module: where in this package its class is. That is made from the channels of an image, the
            number of logits, and sizes and options by name.
        sizes: what it must be told of its size, keys of ``SIZES``.
        options: what else it may be told; its own defaults count otherwise.
        whole_shape: whether it is made from (channels, rows, columns) and not channels alone.
    """

    title: str
    module: str
    sizes: Sequence[str]
    options: Sequence[str] = ()
    whole_shape: bool = False


ARCHITECTURES: dict[str, Architecture] = {
    "resnet": Architecture(
        "pre-activation ResNet",
        "convolutional.PreactivationResNet",
        ("depth", "width"),
        options=("skips",),
    ),
    "resnet18": Architecture("ResNet-18", "convolutional.ResNet18", ("width",)),
    "vgg13": Architecture("VGG-13 with batch norm", "convolutional.VGG13", ("width",)),
    "quadratic": Architecture(
        "linear model on pixels and their products",
        "quadratic.QuadraticModel",
        ("side",),
        whole_shape=True,
    ),
}
"""Every architecture by its name in the settings."""

SIZES: Mapping[str, Mapping[str, Any]] = {
    "depth": {
        "enum": [*range(8, 57, 6), 110],
        "description": "the depth is 8, 14, 20 and so on in steps of six up to 56, or 110",
    },
    "width": {"$ref": "#/$defs/count"},
    "side": {"$ref": "#/$defs/count"},
}
"""What an architecture may be told of its size, each with its JSON Schema."""

MODELS: Mapping[str, str] = {
    "resnet18": "ResNet-18",
    "comparable": "small ResNet",
    "linear": "linear model",
}
"""The models that are trained beside each other, with their labels, in the order shown."""


def title_of(name: str) -> str:
    """The title of an architecture; of one that is unknown, "network"."""
    return ARCHITECTURES[name].title if name in ARCHITECTURES else "network"


def schema() -> Mapping[str, Any]:
    """The JSON Schema of the settings of a network of images.

    Sizes of other architectures may stand: an overlay that names another one leaves them.
    """
    names = list(ARCHITECTURES)
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["architecture"],
        "description": f"a network of images has an architecture and its size: {', '.join(SIZES)}",
        "properties": {
            "architecture": {
                "enum": names,
                "description": f"the architecture is one of {', '.join(names)}",
            },
            **SIZES,
        },
        "allOf": [
            {
                "if": {"properties": {"architecture": {"const": name}}},
                "then": {
                    "required": list(architecture.sizes),
                    "description": f"the architecture {name} takes "
                    + " and ".join(architecture.sizes),
                },
            }
            for name, architecture in ARCHITECTURES.items()
        ],
    }
