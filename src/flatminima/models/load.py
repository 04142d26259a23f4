"""Architectures by their settings."""

from collections.abc import Mapping
from typing import Any

from flatminima.errors import ConfigError
from flatminima.models.convolutional import PreactivationResNet
from flatminima.models.mlp import MLP
from flatminima.models.module import ModuleNetwork
from flatminima.models.network import Network


def build(settings: Mapping[str, Any], shape: tuple[int, ...], logits: int) -> Network:
    """The network that settings describe, for points of one shape.

    Args:
        settings: ``hidden`` widths of a multilayer perceptron, or an ``architecture`` by its name
            with its own settings.
        shape: of one point.
        logits: number of outputs.

    Raises:
        ConfigError: if there is no such architecture.
    """
    if "hidden" in settings:
        return MLP.between(shape[0], settings["hidden"], logits)
    name = settings["architecture"]
    if name == "resnet":
        module = PreactivationResNet(
            shape[0], logits, depth=settings["depth"], width=settings["width"]
        )
        return ModuleNetwork(module)
    raise ConfigError(f"architecture {name!r} is unknown")
