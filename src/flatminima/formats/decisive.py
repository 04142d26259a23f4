"""The files of the tests without rays: of networks drawn by chance, and of masses around minima."""

import numpy as np
from jaxtyping import Float64, Int64

from flatminima.records import Record


class Chance(Record):
    """What networks are like that chance fits to points, beside those of training.

    Probabilities are of weights from the Gaussian of initial weights, in log10, of each run of
    splitting; accuracies are on unseen points unless they are ``train``. NaN for a network that did
    not come where it was to stop.

    Attributes:
        points: how many training points, rising.
        loss: below which networks count as fitting them, nats.
        probability: of such a loss.
        survivors: how many networks ended a run below it.
        accuracy, train_accuracy, train_loss: their means in each run.
        adam_accuracy, adam_train_accuracy, adam_train_loss: of networks from the same Gaussian that
            Adam trained until they had that loss.
        flips: of how many of the further points the labels are flipped, rising from 0.
        flipped_points: training points that all of these networks fit besides.
        held_out: how many further points there are.
        flipped_loss: below which networks count as fitting all of them, nats.
        flipped_steepness: by what logits are multiplied there, so that a low loss means that all
            labels are right and little more.
        flipped_probability: of such a loss.
        guess_points: how many training points networks are to be right about, rising.
        guess_margin: the least normalised margin that is enough.
        guess_draws: how many networks were drawn.
        guess_fitting: how many of them fit.
        guess_accuracy: of some of those, NaN beyond them.
        guess_adam_accuracy, guess_sgd_accuracy: of networks trained until they had the margin.
        particles, moves: of splitting, each run.
        gain: deviations of initial weights, in those of torch's default.
        parameters: how many the network has.
        test_points: unseen points.
    """

    points: Int64[np.ndarray, " sizes"]
    loss: float
    probability: Float64[np.ndarray, "sizes runs"]
    survivors: Int64[np.ndarray, "sizes runs"]
    accuracy: Float64[np.ndarray, "sizes runs"]
    train_accuracy: Float64[np.ndarray, "sizes runs"]
    train_loss: Float64[np.ndarray, "sizes runs"]
    adam_accuracy: Float64[np.ndarray, "sizes networks"]
    adam_train_accuracy: Float64[np.ndarray, "sizes networks"]
    adam_train_loss: Float64[np.ndarray, "sizes networks"]
    flips: Int64[np.ndarray, " flips"]
    flipped_points: int
    held_out: int
    flipped_loss: float
    flipped_steepness: float
    flipped_probability: Float64[np.ndarray, "flips flipped_runs"]
    guess_points: Int64[np.ndarray, " counts"]
    guess_margin: float
    guess_draws: int
    guess_fitting: Int64[np.ndarray, " counts"]
    guess_accuracy: Float64[np.ndarray, "counts kept"]
    guess_adam_accuracy: Float64[np.ndarray, "counts networks"]
    guess_sgd_accuracy: Float64[np.ndarray, "counts networks"]
    particles: int
    moves: int
    gain: float
    parameters: int
    test_points: int


class MinimaMasses(Record):
    """The mass that one Gaussian in filter units gives to the basins of good and bad minima.

    All were brought to one loss first. Networks of one draw of the data after those of another, and
    of each draw the good ones first. NaN for a network that misses a training point, which nothing
    brings to that loss.

    Attributes:
        draw: number of the draw of the data.
        poisoned: 1 of networks that were trained with poison, else 0.
        train_accuracy, test_accuracy: as they were trained.
        train_loss: before it was made the same, nats.
        mass: in log10, of each run of splitting.
        levels: mean number of levels that a run took.
        poison_factor: with which bad ones were trained.
        common_loss, cutoff: nats.
        width: deviation of every weight, in norms of its filter.
        particles, moves: of splitting, each run.
        train_points, poison_points, test_points: of each draw.
        weights: how many move.
    """

    draw: Int64[np.ndarray, " networks"]
    poisoned: Int64[np.ndarray, " networks"]
    train_accuracy: Float64[np.ndarray, " networks"]
    test_accuracy: Float64[np.ndarray, " networks"]
    train_loss: Float64[np.ndarray, " networks"]
    mass: Float64[np.ndarray, "networks runs"]
    levels: Float64[np.ndarray, " networks"]
    poison_factor: float
    common_loss: float
    cutoff: float
    width: float
    particles: int
    moves: int
    train_points: int
    poison_points: int
    test_points: int
    weights: int
