"""Architectures by their settings."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from flatminima.data.names import SIZES
from flatminima.errors import ConfigError
from flatminima.models.convolutional import VGG13, PreactivationResNet, ResNet18
from flatminima.models.mlp import MLP
from flatminima.models.module import ModuleNetwork
from flatminima.models.network import Network
from flatminima.models.quadratic import QuadraticModel

_OPTIONS = {"resnet": ("skips",)}
"""What an architecture may be told besides its size; its own default counts otherwise."""


def build(settings: Mapping[str, Any], shape: tuple[int, ...], logits: int) -> Network:
    """The network that settings describe, for points of one shape.

    Args:
        settings: ``hidden`` widths of a multilayer perceptron, or an ``architecture`` by its name
            with its own settings: those of its size, and of a resnet maybe ``skips``, which false
            leaves its shortcuts out. Settings of other architectures are passed over, since an
            overlay that names another architecture leaves them standing.
        shape: of one point, (features,) or (channels, rows, columns).
        logits: number of outputs.

    Raises:
        ConfigError: if there is no such architecture, it lacks a setting, or it does not fit the
            points.
    """
    if "hidden" in settings:
        return MLP.between(shape[0], settings["hidden"], logits)
    name = settings["architecture"]
    if name not in SIZES:
        raise ConfigError(f"architecture {name!r} is unknown; there are {', '.join(SIZES)}")
    missing = [key for key in SIZES[name] if key not in settings]
    if missing:
        raise ConfigError(f"architecture {name} lacks {' and '.join(missing)}; add it beside it")
    if len(shape) != 3:
        raise ConfigError(
            f"architecture {name} takes images, but a point has shape {shape}; give hidden widths"
        )
    told = (*SIZES[name], *_OPTIONS.get(name, ()))
    own = {key: settings[key] for key in told if key in settings}
    channels, rows, columns = shape
    builders: dict[str, Callable[[], nn.Module]] = {
        "resnet": lambda: PreactivationResNet(channels, logits, **own),
        "resnet18": lambda: ResNet18(channels, logits, **own),
        "vgg13": lambda: VGG13(channels, logits, **own),
        "quadratic": lambda: QuadraticModel((channels, rows, columns), logits, **own),
    }
    try:
        return ModuleNetwork(builders[name]())
    except ValueError as error:
        raise ConfigError(f"architecture {name}: {error}") from error
