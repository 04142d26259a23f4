import numpy as np
import pytest

from flatminima.formats.minima import Minima


@pytest.fixture
def ensemble():
    """Makes an ensemble of networks that were never trained; what it says of them is made up."""

    def make(parameters, **reached):
        networks = len(parameters)
        names = ("train_accuracy", "test_accuracy", "train_loss", "test_loss", "gradient_norm")
        history = ("train_loss", "train_accuracy", "test_accuracy")
        return Minima(
            **{name: np.linspace(0.5, 0.9, networks) for name in names} | reached,
            converged=np.full(networks, True),
            parameters=np.asarray(parameters, dtype=np.float32),
            history_step=np.arange(1),
            **{f"history_{name}": np.ones((networks, 1)) for name in history},
        )

    return make
