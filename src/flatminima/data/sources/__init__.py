"""Sets of images: each module here declares one, as an ``ImageSource`` named ``SOURCE``.

A module in this folder is all that a new one takes: settings, downloads, data sets, titles,
published runs and the report read what it declares.
"""

from collections.abc import Mapping
from pkgutil import iter_modules
from typing import Any

from flatminima.data.images import ImageSource

# The star imports every module that is listed. Unlike an import by a computed name, it is one that
# the digest of a job's code can follow.
__all__ = [module.name for module in iter_modules(__path__)]
from flatminima.data.sources import *  # noqa: F403

IMAGE_SOURCES: dict[str, ImageSource] = {
    source.name: source for source in (globals()[module].SOURCE for module in __all__)
}
"""Every set of images by its name, in the order of the alphabet."""


def schema() -> Mapping[str, Any]:
    """The JSON Schema of the name of a set of images."""
    names = list(IMAGE_SOURCES)
    return {"enum": names, "description": f"the source of images is one of {', '.join(names)}"}
