"""The file of networks that are trained for what they come to, epoch by epoch, without poison."""

from dataclasses import dataclass

from flatminima.formats.minima import Trained


@dataclass(frozen=True, kw_only=True)
class LearningCurves(Trained):
    """What networks reach; their parameters, tens of megabytes each, are not kept.

    Attributes:
        trainable: parameters of a network that training moves.
        train_points, test_points, classes: by which accuracies are to be read.
        chance: share of the most frequent class among the test labels, which is the most that is
            right without looking at the images and no less than 1/classes.
    """

    trainable: int
    train_points: int
    test_points: int
    classes: int
    chance: float
