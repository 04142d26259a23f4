"""What a poison factor means for the make-up of a batch."""

from flatminima.errors import ConfigError


def poison_points_of_share(share: float, train_points: int, available: int) -> int:
    """How many poison points make up ``share`` of a batch with ``train_points`` others.

    This is the poison factor read as the fraction of each batch (Huang's blog post).

    Raises:
        ConfigError: if that takes more poison points than there are, or rounds to none.
    """
    points = round(train_points * share / (1 - share))
    if share > 0 and points == 0:
        raise ConfigError(
            f"with {train_points} training points this takes no poison point at all, "
            "which would be natural training under another name; raise the factor"
        )
    if points > available:
        raise ConfigError(
            f"with {train_points} training points this takes {points} poison points, "
            f"but there are {available}; lower the factor or raise poison_points"
        )
    return points
