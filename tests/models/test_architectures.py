"""What an architecture declares is all that settings, networks and the report need."""

import pytest
import torch
from jsonschema import Draft202012Validator
from torch import nn

from flatminima.configuration import load, read_schema
from flatminima.errors import ConfigError
from flatminima.models import convolutional
from flatminima.models.architectures import ARCHITECTURES, SIZES, Architecture, schema, title_of
from flatminima.models.load import build

from ..test_configuration import DEFAULT, SCHEMA


class Tiny(nn.Module):
    def __init__(self, channels, classes, *, width, padded=True):
        super().__init__()
        self.stem = nn.Conv2d(channels, width, 3, padding=int(padded), bias=False)
        self.linear = nn.Linear(width, classes)

    def forward(self, x):
        return self.linear(self.stem(x).mean((2, 3)))


@pytest.fixture
def tiny(monkeypatch):
    """A made-up architecture, declared as any other."""
    monkeypatch.setattr(convolutional, "Tiny", Tiny, raising=False)
    entry = Architecture("tiny network", "convolutional.Tiny", ("width",), options=("padded",))
    monkeypatch.setitem(ARCHITECTURES, "tiny", entry)


def test_a_declared_architecture_is_in_settings_networks_and_titles(tiny, tmp_path):
    over = tmp_path / "over.yaml"
    over.write_text("scale: over\nexperiments: {images: {network: {architecture: tiny}}}\n")
    settings = load([DEFAULT, over], SCHEMA)["experiments"]["images"]["network"]
    network = build(settings, (2, 8, 8), 3)
    assert network.trainable == 8 * 2 * 9 + 8 * 3 + 3
    assert network.logits(torch.tensor(network.initialise(0, range(2))), torch.zeros(1, 2, 8, 8))[
        0
    ].shape == (1, 3)
    assert title_of("tiny") == "tiny network"
    assert title_of("unheard of") == "network"


def test_a_size_that_is_missing_is_told_by_settings_and_by_the_builder(tiny):
    validator = Draft202012Validator({**schema(), "$defs": read_schema(SCHEMA)["$defs"]})
    (error,) = validator.iter_errors({"architecture": "tiny", "depth": 8})
    assert error.schema["description"] == "the architecture tiny takes width"
    with pytest.raises(ConfigError, match="architecture tiny lacks width; add it beside it"):
        build({"architecture": "tiny"}, (1, 8, 8), 2)


def test_every_architecture_takes_sizes_that_settings_know():
    assert {size for entry in ARCHITECTURES.values() for size in entry.sizes} == set(SIZES)
