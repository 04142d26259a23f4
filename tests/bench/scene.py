"""The networks and points that are measured."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from flatminima.data.dataset import Dataset
from flatminima.data.spirals import swiss_roll
from flatminima.models.load import build_module
from flatminima.models.mlp import MLP
from flatminima.models.module import ModuleNetwork
from flatminima.settings_file import read_mapping
from flatminima.training import ensemble
from tests.workflow.conftest import ROOT

SEED = 1906


class Scene:
    """Training points as tensors, whatever they are."""

    dataset: Dataset

    @property
    def inputs(self) -> Tensor:
        return torch.from_numpy(self.dataset.train_inputs)

    @property
    def labels(self) -> Tensor:
        return torch.from_numpy(self.dataset.train_labels)


@dataclass(frozen=True)
class SwissRoll(Scene):
    """The swiss roll of ``config.yaml``, its network, and one minimum of it.

    Attributes:
        hidden: widths of the network.
        points: in the training set; as many test and poison points.
        minimum: the parameters, float32; None before training.
    """

    hidden: tuple[int, ...]
    points: int
    minimum: np.ndarray | None = None

    @cached_property
    def dataset(self) -> Dataset:
        points = self.points
        return swiss_roll(
            seed=SEED, train_points=points, test_points=points, poison_points=points,
            poison_sets=4, noise=0.5,
        )  # fmt: skip

    @property
    def model(self) -> MLP:
        return MLP.between(2, self.hidden, 1)

    @property
    def vector(self) -> Tensor:
        """The minimum as a tensor."""
        if self.minimum is None:
            raise ValueError("the network was not trained")
        return torch.from_numpy(self.minimum.copy())

    def plain(self, vector: Tensor | None = None) -> nn.Sequential:
        """The network as anybody writes it, in the dtype of a vector; at the minimum if None."""
        values = self.vector if vector is None else vector
        layers: list[nn.Module] = []
        for fan_in, fan_out in zip(self.model.widths, self.model.widths[1:], strict=False):
            layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
        module = nn.Sequential(*layers[:-1]).to(values.dtype)
        nn.utils.vector_to_parameters(values, module.parameters())
        return module

    @staticmethod
    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        """The mean loss as anybody writes it."""
        return nn.functional.binary_cross_entropy_with_logits(logits[:, 0], labels.to(logits.dtype))


def trained(short: bool) -> SwissRoll:
    """The scene at a minimum."""
    settings = read_mapping(ROOT / "config.yaml")["experiments"]["swiss_roll"]
    hidden = (8, 7) if short else tuple(settings["network"]["hidden"])
    scene = SwissRoll(hidden, 16 if short else settings["data"]["train_points"])
    found = ensemble.train(
        scene.model, scene.model.initialise(SEED, range(1)), scene.dataset,
        schedule=ensemble.Schedule(400 if short else 3000, 0.01, 0.5, 8.0), records=1,
    )  # fmt: skip
    return SwissRoll(hidden, scene.points, found.parameters[0])


@dataclass(frozen=True)
class Images(Scene):
    """A network of images on noise: how fast it is does not depend on what is seen.

    Attributes:
        settings: of the network, as in ``config.yaml``.
        pixels: along a side.
        channels: of an image.
    """

    settings: tuple[tuple[str, Any], ...]
    pixels: int
    channels: int
    points: int

    @cached_property
    def network(self) -> ModuleNetwork:
        shape = (self.channels, self.pixels, self.pixels)
        return build_module(dict(self.settings), shape, 10)

    @cached_property
    def dataset(self) -> Dataset:
        random = np.random.default_rng(SEED)
        shape = (self.channels, self.pixels, self.pixels)

        def part(points: int) -> tuple[np.ndarray, np.ndarray]:
            images = random.standard_normal((points, *shape), dtype=np.float32)
            return images, np.arange(points) % 10

        (train, of_train), (test, of_test) = part(self.points), part(10)
        return Dataset(train, of_train, test, of_test, test[None], of_test[None])

    @property
    def initial(self) -> np.ndarray:
        """Where training starts, (1, parameters)."""
        return self.network.initialise(SEED, range(1))

    @property
    def vector(self) -> Tensor:
        """Initial parameters: evaluating takes as long at any others."""
        return torch.from_numpy(self.initial[0])

    def plain(self, vector: Tensor | None = None) -> nn.Module:
        """The module itself in evaluation mode, at some parameters."""
        return self.network.at(self.vector if vector is None else vector).eval()

    @staticmethod
    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        """The mean loss as anybody writes it."""
        return nn.functional.cross_entropy(logits, labels)


def resnet(depth: int, width: int, *, pixels: int, channels: int, points: int) -> Images:
    """A pre-activation ResNet."""
    named = {"architecture": "resnet", "depth": depth, "width": width}
    return Images(tuple(named.items()), pixels, channels, points)
