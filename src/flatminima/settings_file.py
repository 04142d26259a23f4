"""Files of settings: YAML as its second version has it, of plain values, each key once.

Whatever is wrong with a file is told by its name and line. Two ways of writing a number are one
number: ``1e-3`` is 0.001, which YAML's first version takes for text.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from flatminima.errors import ConfigError
from flatminima.storage import read_bytes

LARGEST = 100_000
"""Most values that a file may hold, counting again what an alias (``*name``) stands for."""

DEEPEST = 50
"""Most mappings and lists within one another."""


def read_mapping(path: Path | str) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Raises:
        ConfigError: if it is missing, not YAML, or not a mapping with each key once.
    """
    if not Path(path).exists():
        raise ConfigError(f"{path}: there is no such file; check the name, or restore the file")
    value = parse(read_bytes(path), path)
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: holds {value!r}; expected a mapping of keys to values")
    return value


def parse(content: bytes, name: Path | str) -> Any:
    """What a YAML document says, in mappings, lists, texts, numbers, booleans and null.

    Args:
        content: the bytes of the file.
        name: of the file, for errors.

    Raises:
        ConfigError: if it is not YAML in UTF-8, repeats a key, or holds itself.
    """
    try:
        text = content.decode("utf-8-sig")
        _measure_depth(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _wrong(name, line, "it holds bytes that are no text", "save it as UTF-8") from error
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        fault = f"it holds the control character #x{error.character:02x}"
        raise _wrong(name, line, fault, "delete that") from error
    except yaml.MarkedYAMLError as error:
        raise _marked(name, error) from error


_TAG = "tag:yaml.org,2002:"
_NUMBERS = {
    "int": r"[-+]?(0|[1-9][\d_]*)\Z",
    "float": r"([-+]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][-+]?\d+)?|[-+]?\.inf|\.nan)\Z",
}
# YAML's first version takes 010 for eight and 1:30 for ninety: here these are texts, and so refused
# where a number is asked for. Dates, such as that of a note, are texts too.
_OTHERWISE = {f"{_TAG}{kind}" for kind in (*_NUMBERS, "timestamp")}


class _Loader(yaml.CSafeLoader):
    """A safe loader that refuses what other loaders settle silently or never end with."""

    def construct_document(self, node: yaml.Node) -> Any:
        _measure(node, {})
        return super().construct_document(node)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        # What Python says of a date or a number that there is not.
        except (ValueError, AttributeError, KeyError) as error:
            said = " ".join(str(error).split()).partition(";")[0]
            kind = node.tag.rpartition(":")[2]
            raise _fault(node, f"no {kind} is written like this ({said})") from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _fault(key_node, "a list or a mapping cannot be a key")
            if key_node.tag == f"{_TAG}merge":
                raise _fault(key_node, "there is no << here; write the keys out")
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise _fault(key_node, f"the key {key!r} stands twice")
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, written) for tag, written in pairs if tag not in _OTHERWISE]
    for first, pairs in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
for _kind, _written in _NUMBERS.items():
    _Loader.add_implicit_resolver(f"{_TAG}{_kind}", re.compile(_written), list("-+.0123456789"))


def _measure_depth(text: str) -> None:
    """Follow a text as far as its nesting goes, which a loader would do on the stack.

    Raises:
        yaml.YAMLError: if it is nested too deeply, or no YAML.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise _fault(event, f"more than {DEEPEST} lists and mappings lie within one another")


def _measure(node: yaml.Node, sizes: dict[yaml.Node, int]) -> int:
    """How many values a node stands for, its aliases written out.

    Raises:
        yaml.MarkedYAMLError: if it holds itself, or too many values.
    """
    if isinstance(node, yaml.ScalarNode):
        return 1
    if node not in sizes:
        sizes[node] = 0  # while its parts are counted
        parts = [part for entry in node.value for part in _parts(entry)]
        sizes[node] = 1 + sum(_measure(part, sizes) for part in parts)
    elif sizes[node] == 0:
        raise _fault(node, "what is named by & here holds itself by an alias (*)")
    if sizes[node] > LARGEST:
        raise _fault(node, f"with its aliases (*) it holds more than {LARGEST:,} values")
    return sizes[node]


def _parts(entry: Any) -> tuple[yaml.Node, ...]:
    return entry if isinstance(entry, tuple) else (entry,)


def _fault(node: Any, problem: str) -> yaml.MarkedYAMLError:
    """A fault at a node or an event."""
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


def _marked(name: Path | str, error: yaml.MarkedYAMLError) -> ConfigError:
    problem = error.problem or "it cannot be read"
    line = error.problem_mark.line + 1 if error.problem_mark else None
    if error.context_mark and error.context:
        problem += f", {error.context} that begins in line {error.context_mark.line + 1}"
    cure = "correct it there or above"
    if "cannot start any token" in problem:
        cure = "indent by spaces, not tabs, and put text that begins with a sign in quotes"
    return _wrong(name, line, problem, cure)


def _wrong(name: Path | str, line: int | None, fault: str, cure: str) -> ConfigError:
    where = f" in line {line}" if line else ""
    return ConfigError(f"{name}: not valid YAML{where}: {fault}; {cure}")
