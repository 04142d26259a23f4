"""Results of any kind, read from their files."""

from pathlib import Path

from flatminima.library import files
from flatminima.library.comparison import Comparison
from flatminima.library.result import Result
from flatminima.library.results import (
    Curvature,
    Measures,
    PathProfile,
    Surface,
    Trajectory,
    Volume,
)

KINDS: dict[str, type[Result]] = {
    kind.kind: kind
    for kind in (Surface, Volume, Curvature, Measures, PathProfile, Trajectory, Comparison)
}
"""Every kind of result, by what files call it."""


def load(path: Path | str) -> Result:
    """Read what ``save`` of any result wrote.

    Raises:
        UserError: if there is no such file.
        DamagedFileError: if it is anything else, or of another version.
    """
    return files.read(path, KINDS)
