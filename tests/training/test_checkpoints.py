"""Training that is killed, by a real SIGKILL, and goes on from its checkpoints."""

import math
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from flatminima.training.checkpoints import Checkpoints
from flatminima.training.epochs import Epochs, train
from flatminima.training.load import optimizer_of
from flatminima.training.optimizers import OPTIMIZERS

from .test_epochs import NETWORK, SCHEDULE, dataset

MAKERS = {
    **{name: optimizer_of(name) for name in OPTIMIZERS},
    # Unlike ours it carries lists of tensors from batch to batch.
    "lbfgs with a memory": lambda m, rate: torch.optim.LBFGS(
        m.to(memory_format=torch.contiguous_format).parameters(), rate, max_iter=2, history_size=3
    ),
}
NETWORKS = 3


def run(name, checkpoints=None, report=None, *, networks=NETWORKS, **changes):
    settings = {"poison_points": 13, "schedule": SCHEDULE, "seed": 5} | changes
    return train(
        NETWORK, NETWORK.initialise(5, range(networks)), dataset(),
        optimizer=MAKERS[name], checkpoints=checkpoints, report=report, **settings,
    )  # fmt: skip


def main(name, folder, last):
    """What the subprocess does: train, and die without warning after so many epochs."""
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)

    def report(done, _total, _text):
        if done == int(last):
            signal.raise_signal(signal.SIGKILL)

    run(name, Checkpoints(folder, "recipe", every=0), report)


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", MAKERS)
def test_every_optimizer_goes_on_as_if_it_had_not_stopped(name, tmp_path, capsys):
    def stop(done, _total, _text):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(name, Checkpoints(tmp_path, "recipe", every=0), stop, networks=1)
    resumed = run(name, Checkpoints(tmp_path, "recipe"), networks=1).arrays()
    # The third epoch was over but not yet kept.
    assert "network 1 of 1 goes on after epoch 2" in capsys.readouterr().out
    whole = run(name, networks=1).arrays()
    assert np.isfinite(whole["parameters"]).all()
    for key, array in whole.items():
        np.testing.assert_array_equal(array, resumed[key], err_msg=key)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", ["momentum", "lbfgs"])
def test_a_killed_training_ends_bit_for_bit_where_an_uninterrupted_one_does(name, tmp_path, capsys):
    folder = tmp_path / "checkpoints"
    code = "import sys; from pathlib import Path; from tests.training.test_checkpoints import main"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])",
         name, str(folder), "7"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    # The seventh epoch, of the second network, was over but not yet kept.
    told = []
    resumed = run(name, Checkpoints(folder, "recipe"), lambda *line: told.append(line))
    said = capsys.readouterr().out
    assert "network 1 of 3 goes on after epoch 4" in said
    assert "network 2 of 3 goes on after epoch 2" in said
    assert "network 3" not in said
    assert [line[:2] for line in told] == [(epoch, 6) for epoch in range(1, 7)]
    assert told[0][2].startswith("network 2 of 3, epoch 3, ")
    for key, array in run(name).arrays().items():
        np.testing.assert_array_equal(array, resumed.arrays()[key], err_msg=key)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("change", ["seed", "schedule", "poison_points", "recipe", "nothing"])
def test_a_checkpoint_of_anything_else_is_passed_over(change, tmp_path, capsys):
    run("momentum", Checkpoints(tmp_path, "recipe"))
    changes = {
        "seed": {"seed": 6},
        "schedule": {"schedule": Epochs(4, 8, 0.04, (0.5, 0.75))},
        "poison_points": {"poison_points": 12},
    }.get(change, {})
    recipe = "other" if change == "recipe" else "recipe"
    capsys.readouterr()
    again = run("momentum", Checkpoints(tmp_path, recipe), **changes)
    fresh = run("momentum", **changes)
    for key, array in fresh.arrays().items():
        np.testing.assert_array_equal(array, again.arrays()[key], err_msg=key)
    said = capsys.readouterr().out
    assert said.count("of other settings, data or code; network") == 3 * (change != "nothing")
    assert said.count("goes on after epoch 4") == 3 * (change == "nothing")


@pytest.mark.parametrize("how", ["truncated", "flipped", "empty", "text"])
def test_a_damaged_checkpoint_is_passed_over_with_a_line(how, tmp_path, capsys):
    checkpoints = Checkpoints(tmp_path, "recipe")
    checkpoints.write(2, "key", {"vector": torch.arange(100.0)})
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    flipped = bytearray(whole)
    flipped[-5] ^= 1
    broken = {"truncated": whole[:-9], "flipped": flipped, "empty": b"", "text": b"hello" * 9}[how]
    file.write_bytes(broken)
    assert checkpoints.read(2, "key") is None
    assert "network-2.safetensors: damaged; network 2 starts again" in capsys.readouterr().out
    assert checkpoints.read(2, "key") is None
    assert capsys.readouterr().out == ""


def test_nested_states_come_back_as_they_were(tmp_path):
    checkpoints = Checkpoints(tmp_path / "new", "recipe")
    state = {
        0: {"step": torch.tensor(3.0), "moments": torch.randn(2, 3, 4), "empty": torch.zeros(0)},
        "lists": [torch.arange(3), None, [True, 2, "α"], (0.1, math.inf, -0.0, 1e-320)],
        "channels_last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    }
    checkpoints.write(0, "key", state)
    found = checkpoints.read(0, "key")
    assert list(found) == [0, "lists", "channels_last"]
    for name, tensor in state[0].items():
        assert found[0][name].shape == tensor.shape
        assert torch.equal(found[0][name], tensor)
    assert torch.equal(found["lists"][0], torch.arange(3))
    assert found["lists"][1:] == state["lists"][1:]
    assert math.copysign(1, found["lists"][3][2]) == -1
    assert torch.equal(found["channels_last"], state["channels_last"])
    with pytest.raises(TypeError, match="cannot hold"):
        checkpoints.write(0, "key", {"what": object()})
    assert checkpoints.read(0, "key") is not None


def test_checkpoints_are_written_no_more_often_than_asked(tmp_path):
    assert not Checkpoints(tmp_path, "recipe").due()
    often = Checkpoints(tmp_path, "recipe", every=0)
    often.write(0, "key", {})
    assert often.due()
