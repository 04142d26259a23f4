"""What the README shows works as it stands there, on a module with batch norm."""

import contextlib
import copy
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from flatminima.cli import _parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
LIBRARY = (ROOT / "docs/library.md").read_text()
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


def trained(seed, kept=None):
    """A fitted module, and the points that it was trained on; its first steps go to ``kept``."""
    torch.manual_seed(0)
    inputs, labels = torch.randn(60, 1, 6, 6), torch.arange(60) % 3
    torch.manual_seed(seed)
    module = Pictures()
    adam = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(200):
        adam.zero_grad()
        nn.functional.cross_entropy(module(inputs), labels).backward()
        adam.step()
        if kept is not None and len(kept) < 5:
            kept.append(copy.deepcopy(module).eval())
    return module.eval(), inputs, labels


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """Run the examples one after the other; returns their names."""
    checkpoints = []
    module, inputs, labels = trained(1, checkpoints)
    another = trained(2)[0]
    names = {"module": module, "inputs": inputs, "labels": labels, "another": another}
    names["checkpoints"] = [*checkpoints, module]
    with contextlib.chdir(tmp_path_factory.mktemp("pictures")):
        for example in EXAMPLES:
            exec(example, names)  # noqa: S102 (the text is the project's own)
        names["pictures"] = [path.name for path in Path().iterdir()]
    return names


def test_a_few_lines_give_the_volume_of_a_basin(said, capsys):
    code = [line for line in EXAMPLES[0].splitlines() if line]
    assert len(code) == 4
    module, inputs, labels = (said[name] for name in ("module", "inputs", "labels"))
    exec(EXAMPLES[0], {"module": module, "inputs": inputs, "labels": labels})  # noqa: S102
    text = capsys.readouterr().out
    assert said["problem"].about.n == 228  # 4 filters of 9, and a head of 3 by 64
    found = re.findall(r"log10 volume, ([a-z-]+)\W.*?(-?\d[\d,.]*)", text)
    assert [name for name, _ in found] == ["log-mean-exp", "mean-log", "preconditioned"] * 2
    assert all(np.isfinite(float(value.replace(",", ""))) for _, value in found)


def test_the_pictures_are_drawn(said):
    names = ("comparison", "path", "surface", "trajectory")
    assert sorted(said["pictures"]) == [f"{name}.png" for name in names]


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
    inputs, labels = said["inputs"], said["labels"]
    ends = zip((said["module"], said["another"]), said["path"].loss[[0, -1]], strict=True)
    for module, loss in ends:
        # By the statistics of all points, which are taken anew along a path.
        anew = copy.deepcopy(module).train()
        anew.norm.momentum = None
        truth = nn.functional.cross_entropy(anew(inputs), labels).item()
        assert loss == pytest.approx(truth, rel=1e-4)


def test_what_the_page_of_the_library_shows_works(said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", LIBRARY, re.DOTALL)
    exec(example, {name: said[name] for name in ("module", "inputs", "labels")})  # noqa: S102
    assert "log10 volume, preconditioned, loss below 0.5 nats" in capsys.readouterr().out
    assert (tmp_path / "surface.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("page", [README, LIBRARY], ids=["README", "library"])
def test_commands_are_written_as_they_are_read(page):
    measure = r"^    flatminima ((?:surface|volume|curvature|compare|path) .*)$"
    lines = re.findall(measure, page, re.MULTILINE)
    assert lines
    for line in lines:
        options = _parser().parse_args(line.split())
        assert options.called.name == line.split()[0]
