"""The code that makes a file: every first-party module its script imports, and what each means.

Imports are read from the syntax tree, not by running anything. A module's meaning is its syntax
tree without comments, docstrings and layout, so that only edits that can change a result count.
"""

import ast
import copy
import hashlib
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, cast

from flatminima.errors import UserError
from flatminima.storage import open_to_read, parse_json, read_bytes, write_json


class Import(NamedTuple):
    """An import as it is written."""

    level: int
    """How many packages up a relative one begins; ``_COMPUTED`` where the name is computed."""
    module: str
    names: tuple[str, ...]
    """What is imported from the module; none for ``import x``."""
    line: int


class Understood(NamedTuple):
    """What is told of a Python file by its text alone."""

    meaning: str
    """See ``meaning_digest``."""
    imports: tuple[Import, ...]


class Code:
    """The first-party code as it is found once: each file is read a single time for many jobs."""

    def __init__(self, source: Path, known: Mapping[str, Understood] | None = None) -> None:
        """Look at the packages and modules in ``source``, the folder that holds the package.

        Args:
            known: what texts were understood to be, by their sha256, see ``read_understood``: to
                parse all of them takes longer than the rest of planning.
        """
        self._source = source
        self._known = known or {}
        self._imported: dict[Path, tuple[Path, ...]] = {}
        self._texts: dict[Path, tuple[str, Understood]] = {}

    @property
    def understood(self) -> dict[str, Understood]:
        """All that was understood, by the sha256 of the text."""
        return dict(self._texts.values())

    def closure(self, script: Path, modules: Sequence[str] = ()) -> tuple[Path, ...]:
        """List a script and every first-party file that importing it can run, sorted.

        A script whose settings say what it imports may do so by a name that it computes;
        ``modules`` are what the settings name.

        First-party are the packages and modules in the source folder and the modules beside the
        script. Imports inside functions and conditions count, and so does the ``__init__.py`` of
        every package on the way.

        Raises:
            UserError: if a first-party module is missing, a file is not Python, or a module is
                imported by a name that is computed, which no reader of the source can follow.
        """
        roots = (self._source, script.parent)
        closure = {script}
        pending = [*self._imported_files(script, script, roots, named=bool(modules))]
        for module in modules:
            pending += _located(module, roots, str(script))
        while pending:
            path = pending.pop()
            if path in closure:
                continue
            closure.add(path)
            if path.is_relative_to(self._source):
                if path not in self._imported:
                    files = self._imported_files(path, script, roots, named=False)
                    self._imported[path] = tuple(files)
                pending += self._imported[path]
            else:
                pending += self._imported_files(path, script, roots, named=False)
        return tuple(sorted(closure))

    def meaning(self, path: Path) -> str:
        """The digest of what a file means, see ``meaning_digest``."""
        return self._understand(path).meaning

    def _understand(self, path: Path) -> Understood:
        if path not in self._texts:
            text = read_bytes(path)
            digest = hashlib.sha256(text).hexdigest()
            self._texts[path] = digest, self._known.get(digest) or _understand(text, str(path))
        return self._texts[path][1]

    def _imported_files(
        self, path: Path, script: Path, roots: tuple[Path, ...], *, named: bool
    ) -> Iterator[Path]:
        for level, module, names, line in self._understand(path).imports:
            where = f"{path}:{line}"
            if level == _COMPUTED:
                if path == script and named:
                    continue
                raise UserError(
                    f"{where}: imports a module by a computed name, so what this code depends on "
                    "cannot be read from it; import each module by its own name"
                )
            package = _package(path, roots[0]) if path != script else ()
            if level > len(package):
                raise UserError(
                    f"{where}: a relative import leaves the package; name the module in full"
                )
            base = package[: len(package) - level + 1] if level else ()
            name = ".".join([*base, module] if module else base)
            files = _located(name, roots, where)
            yield from files
            if files and files[-1].name == "__init__.py":
                yield from _members(name, names, files[-1], where)


def import_closure(script: Path, source: Path, modules: Sequence[str] = ()) -> tuple[Path, ...]:
    """List the files that a script can run, see ``Code.closure``."""
    return Code(source).closure(script, modules)


def meaning_digest(path: Path) -> str:
    """Digest what a Python file means: sha256 of its syntax tree, as 64 hexadecimal digits.

    Comments, docstrings, other bare strings, layout and quoting do not count, nor do the order of
    imports that follow one another and the names of a function's own variables. Empty fields are
    left out, so a field that a later Python adds to a node does not change the digest; a Python
    that builds another tree from the same text (as 3.12 does for some f-strings) does.

    Raises:
        UserError: if the file is missing or not valid Python.
    """
    return _understand(read_bytes(path), str(path)).meaning


def write_understood(path: Path, understood: Mapping[str, Understood]) -> None:
    """Keep what was understood, for ``read_understood``."""
    write_json(path, {"by": _understanding(), "understood": understood})


def read_understood(path: Path) -> dict[str, Understood]:
    """What ``write_understood`` kept, by the sha256 of the text: nothing that has to be there.

    Nothing if it is not there, is damaged, or was understood by another version of this module or
    of Python.
    """
    try:
        kept = parse_json(path.read_bytes())
        if kept["by"] != _understanding():
            return {}
        return {
            digest: Understood(
                meaning,
                tuple(
                    Import(level, module, tuple(names), line)
                    for level, module, names, line in imports
                ),
            )
            for digest, (meaning, imports) in kept["understood"].items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


@cache
def _understanding() -> str:
    return f"Python {platform.python_version()}, {file_digest(__file__)}"


def file_digest(path: Path | str) -> str:
    """Return the sha256 of a file's bytes, as 64 hexadecimal digits.

    Raises:
        UserError: if the file is missing or may not be read.
    """
    with open_to_read(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


_COMPUTED = -1


# The caches are keyed by the text itself, so an edited file can never meet an old answer.
@lru_cache(maxsize=1024)
def _understand(text: bytes, name: str) -> Understood:
    tree = _parse(text, name)
    nodes = [*ast.walk(tree)]
    imports = tuple(_imports(nodes))
    _number_variables(tree, nodes)
    return Understood(hashlib.sha256(_outline(tree).encode()).hexdigest(), imports)


def _imports(nodes: Iterable[ast.AST]) -> Iterator[Import]:
    for node in nodes:
        match node:
            case ast.Import():
                yield from (Import(0, alias.name, (), node.lineno) for alias in node.names)
            case ast.ImportFrom():
                names = tuple(alias.name for alias in node.names)
                yield Import(node.level, node.module or "", names, node.lineno)
            case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called), args=arguments):
                if called not in ("import_module", "__import__"):
                    continue
                match arguments:
                    case [ast.Constant(value=str(target)), *_]:
                        yield Import(0, target, (), node.lineno)
                    case _:
                        yield Import(_COMPUTED, "", (), node.lineno)


def _parse(text: bytes, name: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError as error:
        raise UserError(
            f"{name}:{error.lineno or 1}: not valid Python ({error.msg}); correct it and run again"
        ) from error
    except ValueError as error:
        raise UserError(f"{name}: not valid Python ({error}); correct it and run again") from error


def _outline(value: object) -> str:
    if isinstance(value, ast.AST):
        fields = (
            f"{name}={_outline(field)}"
            for name, field in ast.iter_fields(value)
            # kind tells u"" from "", and the type comments are comments.
            if field is not None and field != [] and name not in ("kind", "type_comment")
        )
        # A constant None has a value that looks like an absent field; the type name keeps it apart.
        return f"{type(value).__name__}({','.join(fields)})"
    if isinstance(value, list):
        return f"[{','.join(_items(item for item in value if not _bare_string(item)))}]"
    # Not repr: which characters it escapes depends on the Unicode tables of the Python version.
    return f"{type(value).__name__}:{value!a}"


def _items(items: Iterable[object]) -> Iterator[str]:
    """The outlines of a list, imports that follow one another in one order whatever theirs.

    No code may rest on their order, since the linter sorts them; what one name ends up as may.
    """
    for importing, run in groupby(items, lambda item: isinstance(item, _IMPORTS)):
        if not importing:
            yield from map(_outline, run)
            continue
        imports = [one for node in run for one in _split(cast(ast.Import | ast.ImportFrom, node))]
        bound = {(name, source) for name, source, _ in imports}
        outlines = [outline for *_, outline in imports]
        # Of two imports that bind one name to different things the later one wins, and a star may
        # bind any name.
        sortable = len(dict(bound)) == len(bound) and "*" not in dict(bound)
        yield from sorted(outlines) if sortable else outlines


_IMPORTS = (ast.Import, ast.ImportFrom)


def _split(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str, str]]:
    """Each name that a statement imports: what it binds, to what, and its outline alone."""
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            source = f"{'.' * node.level}{node.module or ''} {alias.name}"
        else:
            source = alias.name if alias.asname else alias.name.partition(".")[0]
        single = copy.copy(node)
        single.names = [alias]
        yield alias.asname or alias.name.partition(".")[0], source, _outline(single)


def _number_variables(tree: ast.Module, nodes: Sequence[ast.AST]) -> None:
    """Put numbers for the names of variables that functions assign and nothing else can see.

    Such a name is assigned in the body of an outermost function itself, so that wherever it is read
    within that function, it is this variable or one of a function inside. It is no parameter, no
    name of a function, import, exception or pattern, is not declared global or nonlocal, and does
    not appear in the head of the function, where a global would be meant. All its places get the
    same number, so two functions with the same outline differ by a change of names at most. Nothing
    is done in a file that asks for variables by their names, or to a function with a class in it.
    """
    if any(isinstance(node, ast.Name) and node.id in _ASKING for node in nodes):
        return
    if any(isinstance(node, ast.Attribute) and node.attr in _LOOKING_UP for node in nodes):
        return
    for function in _outermost(tree):
        inside = [*ast.walk(function)]
        if any(isinstance(node, _WITH_NAMESPACES) for node in inside):
            continue
        body = {id(node) for statement in function.body for node in ast.walk(statement)}
        fixed = {name for node in inside for name in _identifiers(node)}
        fixed |= {n.id for n in inside if isinstance(n, ast.Name) and id(n) not in body}
        free = {name for name in _assigned(function.body) if not name.startswith("__")} - fixed
        numbers: dict[str, str] = {}
        for node in inside:
            if isinstance(node, ast.Name) and node.id in free:
                node.id = numbers.setdefault(node.id, str(len(numbers)))


_Function = ast.FunctionDef | ast.AsyncFunctionDef
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, *_COMPREHENSIONS)
# From Python 3.12 on, there are aliases of types, and parameters of type, with scopes of their own.
_WITH_NAMESPACES = (
    ast.ClassDef,
    *(getattr(ast, name) for name in ("TypeAlias", "TypeVar") if hasattr(ast, name)),
)
_ASKING = frozenset({"locals", "vars", "dir", "eval", "exec"})
_LOOKING_UP = frozenset({"f_locals", "_getframe", "currentframe"})


def _outermost(node: ast.AST) -> Iterator[_Function]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _Function):
            yield child
        else:
            yield from _outermost(child)


def _assigned(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The names assigned in the scope of some statements itself."""
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        if not isinstance(node, _SCOPES):
            yield from _assigned(ast.iter_child_nodes(node))


def _identifiers(node: ast.AST) -> Iterator[str]:
    """The names in a node that are no variables of their own, attributes, keywords or texts."""
    if isinstance(node, ast.Name | ast.Attribute | ast.keyword | ast.Constant):
        return
    for _, value in ast.iter_fields(node):
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str):
                yield item.partition(".")[0]


def _bare_string(node: object) -> bool:
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
    return False


def _package(path: Path, source: Path) -> tuple[str, ...]:
    """The package that a file belongs to: its folder, counted from the source folder."""
    return path.relative_to(source).parent.parts if path.is_relative_to(source) else ()


def _located(name: str, roots: tuple[Path, ...], where: str) -> list[Path]:
    """The files that ``import name`` runs, outermost package first; none if it is third-party."""
    top, *_ = parts = name.split(".")
    if top in sys.stdlib_module_names:
        return []
    root = next((r for r in roots if (r / top).is_dir() or (r / f"{top}.py").is_file()), None)
    if root is None:
        return []
    files: list[Path] = []
    for depth in range(1, len(parts) + 1):
        base = root.joinpath(*parts[:depth])
        package, plain = base / "__init__.py", base.parent / f"{base.name}.py"
        if package.is_file():
            files.append(package)
        elif plain.is_file() and depth == len(parts):
            files.append(plain)
        else:
            raise UserError(
                f"{where}: imports {name}, but there is neither {plain} nor {package}; "
                "restore the module or correct the import"
            )
    return files


def _members(name: str, names: tuple[str, ...], package: Path, where: str) -> Iterator[Path]:
    """The modules among the names imported from a package."""
    folder = package.parent
    for member in names:
        nested, plain = folder / member / "__init__.py", folder / f"{member}.py"
        if member == "*":
            # Which modules a star brings in is settled when it runs; take all it could.
            yield from folder.glob("*.py")
            yield from folder.glob("*/__init__.py")
        elif nested.is_file():
            yield nested
        elif plain.is_file():
            yield plain
        elif member not in _bound(read_bytes(package), str(package)):
            raise UserError(
                f"{where}: imports {name}.{member}, but there is neither {plain} nor {nested}, and "
                f"{package} defines no such name; restore the module or correct the import"
            )


@lru_cache(maxsize=1024)
def _bound(text: bytes, name: str) -> frozenset[str]:
    """Every name that a module binds anywhere."""
    bound: set[str] = set()
    for node in ast.walk(_parse(text, name)):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                bound.add(node.name)
            case ast.Name(ctx=ast.Store()):
                bound.add(node.id)
            case ast.alias():
                bound.add(node.asname or node.name.partition(".")[0])
    return frozenset(bound)
