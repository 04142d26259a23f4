"""What the README shows works as it stands there, on a module with batch norm."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

README = (Path(__file__).parents[1] / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


class Pictures(nn.Module):
    """A module as a researcher might bring it: not one of this project's."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4 * 16, 3)

    def forward(self, pictures):
        return self.head(torch.relu(self.norm(self.convolution(pictures))).flatten(1))


def trained(seed):
    """A fitted module, and the points that it was trained on."""
    torch.manual_seed(0)
    inputs, labels = torch.randn(60, 1, 6, 6), torch.arange(60) % 3
    torch.manual_seed(seed)
    module = Pictures()
    adam = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(200):
        adam.zero_grad()
        nn.functional.cross_entropy(module(inputs), labels).backward()
        adam.step()
    return module.eval(), inputs, labels


@pytest.fixture(scope="module")
def said():
    """Run the examples one after the other; returns their names."""
    module, inputs, labels = trained(1)
    names = {"module": module, "inputs": inputs, "labels": labels}
    first, second = EXAMPLES
    exec(first, names)  # noqa: S102 (the text is the project's own)
    names["another"] = names["network"].vector(trained(2)[0])
    exec(second, names)  # noqa: S102
    return names


def test_five_lines_give_the_volume_of_a_basin(said, capsys):
    code = [line for line in EXAMPLES[0].splitlines() if line]
    assert len(code) == 5
    module, inputs, labels = (said[name] for name in ("module", "inputs", "labels"))
    exec(EXAMPLES[0], {"module": module, "inputs": inputs, "labels": labels})  # noqa: S102
    text = capsys.readouterr().out
    assert "228 weights" in text  # 4 filters of 9, and a head of 3 by 64
    found = re.findall(r"log10 volume, (.*?) +(-?[\d,.]+) \(", text)
    assert [name for name, _ in found] == ["the paper's estimate", "preconditioned"] * 2
    assert all(np.isfinite(float(value.replace(",", ""))) for _, value in found)


def test_the_minimum_is_that_of_the_module(said):
    inputs, labels = said["inputs"], said["labels"]
    loss = nn.functional.cross_entropy(said["module"](inputs), labels).item()
    surface = said["surface"]
    middle = len(surface.axis) // 2
    assert surface.loss[middle, middle] == pytest.approx(loss, rel=1e-4)


def test_curvature_is_that_of_the_module_at_the_loss_that_is_named(said):
    module, inputs, labels = (said[name] for name in ("module", "inputs", "labels"))
    spectrum = said["spectrum"]
    parameters = dict(module.double().named_parameters())

    def loss(values):
        logits = torch.func.functional_call(module, values, (inputs.double(),))
        return nn.functional.cross_entropy(logits / spectrum.temperature, labels)

    assert loss(parameters).item() == pytest.approx(0.1, rel=1e-4)
    blocks = torch.func.hessian(loss)(parameters)
    trace = sum(
        blocks[name][name].reshape(value.numel(), value.numel()).trace()
        for name, value in parameters.items()
    )
    module.float()
    assert spectrum.trace.low <= trace.item() <= spectrum.trace.high


def test_the_path_leads_from_one_minimum_to_the_other(said):
    start, end = said["path"].at(np.array([0.0, 1.0]))
    torch.testing.assert_close(start, said["minimum"])
    torch.testing.assert_close(end, said["another"])
