"""Checkpoints as training scripts leave them, and what is said of all others."""

import argparse

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from flatminima.errors import UserError
from flatminima.library.checkpoints import load_into, read_state


def module(seed, width=3):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width), nn.Linear(width, 2))


@pytest.fixture
def trained():
    made = module(1)
    made(torch.randn(8, 2))  # running statistics of its own
    return made


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.pt"


def alike(one, other):
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def prefixed(state, prefix):
    return {f"{prefix}{name}": value for name, value in state.items()}


@pytest.mark.parametrize(
    "written",
    [
        lambda m: m.state_dict(),
        lambda m: {"state_dict": m.state_dict(), "epoch": 3, "optimizer": {"state": {}}},
        lambda m: {"model_state_dict": m.state_dict(), "loss": torch.tensor(0.5)},
        lambda m: {"args": {"width": 3}, "model": {"state_dict": m.state_dict()}},
        lambda m: nn.DataParallel(m).state_dict(),
        lambda m: {"model": prefixed(m.state_dict(), "module._orig_mod.")},
        lambda m: {"state_dict": prefixed(m.state_dict(), "model.")},
    ],
    ids=["plain", "nested", "other key", "twice", "parallel", "compiled", "lightning"],
)
def test_values_are_those_that_were_saved(trained, path, written):
    torch.save(written(trained), path)
    fresh = module(2)
    load_into(fresh, path)
    assert alike(fresh, trained)


def test_safetensors_are_read_and_so_is_the_old_format(trained, tmp_path):
    save_file(trained.state_dict(), tmp_path / "a.safetensors")
    torch.save(trained.state_dict(), tmp_path / "b.pt", _use_new_zipfile_serialization=False)
    for name in ("a.safetensors", "b.pt"):
        fresh = module(2)
        load_into(fresh, tmp_path / name)
        assert alike(fresh, trained)


def test_a_prefix_of_the_module_itself_stays(path):
    outer = nn.Module()
    outer.model = nn.Linear(2, 2)
    torch.save(outer.state_dict(), path)
    fresh = nn.Module()
    fresh.model = nn.Linear(2, 2)
    load_into(fresh, path)
    assert alike(fresh, outer)


def test_counts_of_batches_may_be_missing(trained, path):
    state = trained.state_dict()
    del state["1.num_batches_tracked"]
    torch.save(state, path)
    fresh = module(2)
    load_into(fresh, path)
    assert torch.equal(fresh[1].running_mean, trained[1].running_mean)


def refused(call):
    with pytest.raises(UserError) as caught:
        call()
    (line,) = str(caught.value).splitlines()
    return line


def test_what_does_not_fit_is_told_in_one_sentence(path):
    state = module(1, width=4).state_dict()
    state["3.weight"] = state.pop("2.bias")
    torch.save(state, path)
    fresh = module(2)
    before = {name: value.clone() for name, value in fresh.state_dict().items()}
    assert refused(lambda: load_into(fresh, path)) == (
        f"{path}: does not fit the module, Sequential: lacks 2.bias; holds besides 3.weight; "
        "0.weight is (4, 2) and not (3, 2), 0.bias is (4,) and not (3,), 1.weight is (4,) and not "
        "(3,) and 4 more; make the module as it was trained"
    )
    assert all(torch.equal(value, before[name]) for name, value in fresh.state_dict().items())


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_code_in_a_file_is_named_and_not_run(path):
    torch.save({"state_dict": module(1).state_dict(), "args": argparse.Namespace()}, path)
    said = refused(lambda: read_state(path))
    assert "holds argparse.Namespace, which is read only by running code of the file" in said
    torch.save(module(1), path)
    assert "torch.nn.modules.container.Sequential" in refused(lambda: read_state(path))
    torch.jit.save(torch.jit.trace(module(1).eval(), torch.zeros(1, 2)), path)
    assert "TorchScript archive, which is code" in refused(lambda: read_state(path))


@pytest.mark.parametrize("content", [b"", b"no checkpoint\n" * 9, b"PK\x03\x04" + bytes(99)])
@pytest.mark.parametrize("name", ["a.pt", "a.safetensors"])
def test_other_bytes_are_no_checkpoint(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert f"{tmp_path / name}: not a whole " in refused(lambda: read_state(tmp_path / name))


def test_a_cut_file_is_told(trained, path):
    torch.save(trained.state_dict(), path)
    path.write_bytes(path.read_bytes()[:900])
    assert "not a whole checkpoint" in refused(lambda: read_state(path))


@pytest.mark.parametrize("found", [{"epoch": 3}, [1, 2], torch.zeros(2)])
def test_a_file_without_a_state_dict_is_told(path, found):
    torch.save(found, path)
    assert "holds no state dict, neither by itself nor under state_dict" in refused(
        lambda: read_state(path)
    )


def test_a_missing_file_is_told(tmp_path):
    assert "there is no such checkpoint" in refused(lambda: read_state(tmp_path / "none.pt"))
