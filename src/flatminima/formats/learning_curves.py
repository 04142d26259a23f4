"""The file of networks that are trained for what they come to, epoch by epoch, without poison."""

from flatminima.formats.minima import Counts, Trained


class LearningCurves(Counts, Trained):
    """What networks reach; their parameters, tens of megabytes each, are not kept.

    Attributes:
        trainable: parameters of a network that training moves.
    """

    trainable: int
