"""JSON schemas that leave out what holds of every mapping."""

from typing import Any


def make_strict(schema: Any) -> None:
    """Require every key of every mapping that names its keys, and no other.

    A key is not required whose schema says ``optional: true``, and a mapping stays as it is where
    its schema says otherwise. One without a description gets one that lists its keys.
    """
    if isinstance(schema, list):
        for part in schema:
            make_strict(part)
    if not isinstance(schema, dict):
        return
    for part in schema.values():
        make_strict(part)
    properties = schema.get("properties")
    if isinstance(properties, dict) and schema.get("type") in ("object", ["object", "null"]):
        needed = [key for key, part in properties.items() if not part.get("optional")]
        schema.setdefault("additionalProperties", False)
        schema.setdefault("required", needed)
        schema.setdefault("description", f"the keys here are {', '.join(properties)}")
