"""The optimizers of Table 1 of Huang et al. 2020: one entry each. ``load.optimizer_of`` makes them.

Learning rates come from the configuration, the table's other settings are here; what the table
leaves open is PyTorch's default.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class OptimizerEntry:
    """An optimizer.

    Attributes:
        label: where people read.
        kind: its class in ``torch.optim``, or one of this package that ``load`` knows.
        settings: what that is told besides parameters and learning rate.
        note: what a reader must know of its settings, for the table.
    """

    label: str
    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


OPTIMIZERS: dict[str, OptimizerEntry] = {
    "momentum": OptimizerEntry("SGD with momentum", "SGD", {"momentum": 0.9}),
    "sgd": OptimizerEntry("SGD", "SGD"),
    "nesterov": OptimizerEntry("Nesterov", "SGD", {"momentum": 0.9, "nesterov": True}),
    "adam": OptimizerEntry("Adam", "Adam"),
    "adadelta": OptimizerEntry("Adadelta", "Adadelta", {"rho": 0.5}),
    "adagrad": OptimizerEntry("Adagrad", "Adagrad"),
    "adamax": OptimizerEntry("Adamax", "Adamax", {"betas": (0.9, 0.9)}),
    "asgd": OptimizerEntry("ASGD", "ASGD", {"lambd": 1e-4, "alpha": 0.75}),
    "rmsprop": OptimizerEntry("RMSprop", "RMSprop", {"alpha": 0.72}),
    "amsgrad": OptimizerEntry("AMSGrad", "Adam", {"betas": (0.9, 0.99), "amsgrad": True}),
    "lbfgs": OptimizerEntry("L-BFGS", "BatchLBFGS", note="not set as in the paper"),
    "proxprop": OptimizerEntry("ProxProp", "ProxProp"),
}
"""Every optimizer by its name in the settings, in the order in which they list it."""

GAP_LIMIT = 0.1
"""The generalization gap that is not usually exceeded, according to Huang's blog post."""


def schema() -> Mapping[str, Any]:
    """The JSON Schema of learning rates by optimizer: one or more; null leaves an optimizer out."""
    rate = {
        "type": ["number", "null"],
        "exclusiveMinimum": 0,
        "description": "the learning rate is a number above 0, or null to leave the optimizer out",
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "not": {"additionalProperties": {"type": "null"}},
        "description": "the learning rates are numbers by the name of the optimizer, one or more; "
        "an optimizer that is null is left out",
        "properties": dict.fromkeys(OPTIMIZERS, rate),
    }
