from functools import partial

import numpy as np

from flatminima.data.spirals import minefield
from flatminima.models.mlp import MLP
from flatminima.training.ensemble import Schedule, evaluate, train
from flatminima.training.search import bad_minima
from flatminima.training.soap import Soap

DATA = minefield(seed=0, train_points=22, test_points=20, poison_points=20)
MODEL = MLP((2, 8, 6, 1))
STARTS = MODEL.initialise(0, range(3))
STAGES = {"search": (0.8, Schedule(12, 0.01, 0.5, 8.0)), "settle": (0.2, Schedule(7, 0.003, 0.0))}

DECAY = 0.01


def test_the_stages_follow_each_other_from_kicked_starts():
    told = []

    def report(stage):
        return lambda done, total, _: told.append((stage, done, total))

    found = bad_minima(
        MODEL, STARTS, DATA, seed=4, kick=0.5, weight_decay=DECAY, stages=STAGES, report=report
    )
    found = found.arrays()
    parameters = STARTS + np.float32(0.5) * MODEL.initialise(4, range(1, 4))
    for factor, schedule in STAGES.values():
        end = train(
            MODEL, parameters, DATA, poison_factor=factor, poison_points=None, schedule=schedule,
            weight_decay=DECAY, optimizer=partial(Soap, layout=MODEL.layout),
        )  # fmt: skip
        parameters = end.parameters
        if factor == 0.8:
            for part in ("train_accuracy", "test_accuracy"):
                np.testing.assert_array_equal(found[f"searched_{part}"], getattr(end, part))
    for name, array in end.arrays().items():
        np.testing.assert_array_equal(found[name], array)
    assert told[0][0] == "search"
    assert told[-1] == ("settle", 7, 7)


def test_a_kick_brings_units_at_zero_back():
    """A unit whose weights and bias are zero moves by rounding alone; a kicked one trains."""
    dead = STARTS.copy()
    unit = [0, 1, 16]  # the incoming weights and the bias of the first unit
    dead[:, unit] = 0
    still, kicked = (
        bad_minima(MODEL, dead, DATA, seed=4, kick=kick, weight_decay=0.0, stages=STAGES).parameters
        for kick in (0.0, 0.5)
    )
    assert 10 * np.abs(still[:, unit]).max() < np.abs(kicked[:, unit]).max()


def test_poisoned_training_forgets_what_the_start_knew():
    schedule = Schedule(400, 0.01, 0.5)
    natural = train(
        MODEL, STARTS, DATA, poison_factor=0.0, poison_points=None, schedule=schedule
    ).parameters
    found = bad_minima(
        MODEL,
        natural,
        DATA,
        seed=0,
        kick=0.5,
        weight_decay=DECAY,
        stages={"search": (0.5, schedule)},
    ).arrays()
    poison = type(DATA)(**DATA.arrays() | {
        "test_inputs": DATA.poison_inputs[0], "test_labels": DATA.poison_labels[0]
    })  # fmt: skip
    before, after = (
        evaluate(MODEL, p, poison).test_accuracy for p in (natural, found["parameters"])
    )
    assert after.max() < before.min()
