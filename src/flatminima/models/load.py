"""Architectures by their settings."""

from collections.abc import Mapping
from typing import Any

from flatminima.errors import ConfigError
from flatminima.models import convolutional, quadratic
from flatminima.models.architectures import ARCHITECTURES
from flatminima.models.mlp import MLP
from flatminima.models.module import ModuleNetwork
from flatminima.models.network import Network

_MODULES = {"convolutional": convolutional, "quadratic": quadratic}


def build(settings: Mapping[str, Any], shape: tuple[int, ...], logits: int) -> Network:
    """The network that settings describe, for points of one shape.

    Args:
        settings: ``hidden`` widths of a multilayer perceptron, or an ``architecture`` by its name
            with its own settings: those of its size, and maybe its options. Settings of other
            architectures are passed over, since an overlay that names another architecture leaves
            them standing.
        shape: of one point, (features,) or (channels, rows, columns).
        logits: number of outputs.

    Raises:
        ConfigError: if there is no such architecture, it lacks a setting, or it does not fit the
            points.
    """
    if "hidden" in settings:
        return MLP.between(shape[0], settings["hidden"], logits)
    return build_module(settings, shape, logits)


def build_module(settings: Mapping[str, Any], shape: tuple[int, ...], logits: int) -> ModuleNetwork:
    """The network of images that settings describe; see ``build``."""
    name = settings["architecture"]
    if name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ConfigError(f"architecture {name!r} is unknown; there are {known}")
    architecture = ARCHITECTURES[name]
    missing = [key for key in architecture.sizes if key not in settings]
    if missing:
        raise ConfigError(f"architecture {name} lacks {' and '.join(missing)}; add it beside it")
    if len(shape) != 3:
        raise ConfigError(
            f"architecture {name} takes images, but a point has shape {shape}; give hidden widths"
        )
    keys = (*architecture.sizes, *architecture.options)
    module, _, kind = architecture.module.partition(".")
    points = shape if architecture.whole_shape else shape[0]
    try:
        return ModuleNetwork(
            getattr(_MODULES[module], kind)(
                points, logits, **{key: settings[key] for key in keys if key in settings}
            ),
            # Volumes of minima are set beside each other: all have to be of as many weights.
            zero="refuse",
        )
    except ValueError as error:
        raise ConfigError(f"architecture {name}: {error}") from error
