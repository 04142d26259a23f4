import errno

import numpy as np
import pytest
import torch

from flatminima.errors import UserError
from flatminima.scarcity import scarcity_in_words, sizes

# More than any machine can address.
NUMBERS = 2**56


@pytest.mark.parametrize("ask", [lambda: np.empty(NUMBERS), lambda: torch.empty(NUMBERS)])
def test_too_little_memory_is_told_with_the_settings_to_lower(ask):
    with (
        pytest.raises(UserError) as told,
        scarcity_in_words({"seeds": 100, "seed": 7, "network": {"width": 64, "kind": "mlp"}}),
    ):
        ask()
    words = str(told.value)
    assert words.startswith("out of memory (")
    assert "--cores 1), or lower one of seeds (100), network.width (64); then run" in words
    assert "\n" not in words


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_with_its_file(number):
    with pytest.raises(UserError, match=r"a\.npz: cannot be written .*; free some space"):  # noqa: SIM117
        with scarcity_in_words():
            raise OSError(number, "No room", "a.npz")


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), OSError(errno.EACCES, "no")])
def test_other_errors_stay_what_they_are(error):
    with pytest.raises(type(error)) as same, scarcity_in_words():
        raise error
    assert same.value is error


def test_what_is_held_at_once_is_named_by_its_place_in_the_settings():
    settings = {"batch": None, "basins": {"directions": 16}, "steps": 9, "seeds": 2}
    assert list(sizes(settings)) == ["basins.directions (16)", "seeds (2)"]
