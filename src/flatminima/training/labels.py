"""What labels mean: classes, counted from 0."""

from jaxtyping import Int64
from torch import Tensor


def classes(labels: Tensor, *, points: int, outputs: int) -> Int64[Tensor, " points"]:
    """Labels as the classes 0 … C − 1, of a network with C outputs, or with one for two classes.

    Integers of any kind are taken, bool, and floats that are whole numbers; one of them for each
    point, in a shape (points,) or (points, 1).

    Raises:
        ValueError: if they have another shape or are other numbers, which mean something else.
    """
    if labels.shape == (points, 1):
        labels = labels[:, 0]
    if labels.shape != (points,):
        raise ValueError(
            f"labels have shape {tuple(labels.shape)}; {points} points take ({points},), a class "
            "for each"
        )
    whole = labels.long()
    other = whole.to(labels.dtype) != labels
    if other.any():
        raise ValueError(
            f"labels are no classes: {float(labels[other][0]):g} is no whole number; the loss is "
            "cross-entropy, and targets of a regression are not taken"
        )
    count = max(2, outputs)
    low, high = int(whole.min()), int(whole.max())
    if low >= 0 and high < count:
        return whole
    meant = "one output means the two classes 0 and 1"
    if outputs > 1:
        meant = f"{outputs} outputs mean the classes 0 to {outputs - 1}"
    if count == 2 and bool((whole.abs() == 1).all()):
        cure = "take (labels > 0).long()"
    elif low == 1 and high <= count:
        cure = "take labels - 1"
    elif low < 0 and high < count:
        cure = "leave out the points without a class"
    else:
        cure = "targets of a regression are not taken" if outputs == 1 else "check the last layer"
    raise ValueError(f"labels are {low} to {high}, but {meant}; {cure}")
