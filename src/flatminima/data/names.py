"""What data are called where people read, and whether their points may be published."""

from collections.abc import Mapping

from flatminima.data.sources import IMAGE_SOURCES

NAMES: Mapping[str, str] = {
    "swiss_roll": "swiss roll",
    "quadratic_basin": "quadratic basin",
    "minefield": "minefield",
    "rings": "rings",
    "short_roll": "short roll",
}
"""The name of each source of data that is drawn from a formula."""


def name_of(source: str) -> str:
    """The name of a source of data, for labels, captions and tables; without one it is its own."""
    images = IMAGE_SOURCES.get(source)
    return images.title if images else NAMES.get(source, source)


def reserved(source: str) -> str | None:
    """Why the points of a source may not be published, or None if they may be."""
    images = IMAGE_SOURCES.get(source)
    if source in NAMES or (images and images.redistributable):
        return None
    return "others may not distribute its images" + (f": {images.licence}" if images else "")
