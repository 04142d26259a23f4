"""The walls of docs/architecture.md: who may import whom, read from the source, nothing run."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/flatminima"

ORDER = (
    ("errors", "progress", "devices", "circles", "schemas"),
    ("scarcity",),
    ("storage", "seeding", "place"),
    ("settings_file",),
    ("ranks", "records", "figure_record"),
    ("formats",),
    ("flatness_measures",),
    ("data",),
    ("models",),
    ("training",),
    ("geometry",),
    ("surveys",),
    ("measurements",),
    ("experiments",),
    ("configuration",),
    ("provenance",),
    ("figures", "report"),
    ("library",),
    ("cli",),
)
"""Rooms of the library from the ground up: each imports from itself and from those above it here.

Rooms of one line stand side by side; between them there are the walls below.
"""

WALLS = {
    "report": {"figures"},
    "figures": {"report", "provenance", "configuration", "experiments", "measurements"},
}
"""What a room does not import from the rooms beside it."""

HEAVY = ("torch", "matplotlib")


def imports(path):
    """Every module that a file names in an import, in full, with the line."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def room_of(module):
    """The room of a module of the package, None for any other module."""
    package, _, rest = module.partition(".")
    return rest.partition(".")[0] if package == "flatminima" and rest else None


def arrows():
    """Every import from one room of another: both rooms, and where it stands."""
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for module, line in imports(path):
            other = room_of(module)
            if other not in (None, room) and room != "__init__":
                yield room, other, f"{path.relative_to(ROOT)}:{line}"


FLOOR = {room: floor for floor, rooms in enumerate(ORDER) for room in rooms}


def test_every_room_has_its_place_in_the_order():
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert rooms - {"__init__", "__pycache__"} <= FLOOR.keys()


def test_no_room_imports_from_one_above_it():
    assert [arrow for arrow in arrows() if FLOOR[arrow[1]] > FLOOR[arrow[0]]] == []


@pytest.mark.parametrize("room", WALLS)
def test_a_wall_holds(room):
    assert [arrow for arrow in arrows() if arrow[0] == room and arrow[1] in WALLS[room]] == []


def test_the_library_knows_nothing_of_the_workflow():
    named = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in PACKAGE.rglob("*.py")
        for module, line in imports(path)
        if module.partition(".")[0] == "snakemake"
    ]
    assert named == []


def test_no_job_asks_the_package_itself_for_a_name():
    """Which it would load where nobody who reads imports could see it.

    ``from flatminima import Problem`` is refused by the closure, which knows rooms alone.
    """
    workflow = [*(ROOT / "workflow").rglob("*.py"), *(ROOT / "workflow").rglob("*.smk")]
    asking = re.compile(r"^ *import flatminima\b", re.MULTILINE)
    found = [p for p in (*PACKAGE.rglob("*.py"), *workflow) if asking.search(p.read_text())]
    assert found == []


def test_only_figures_draw():
    drawing = {
        path.relative_to(PACKAGE).parts[0]
        for path in PACKAGE.rglob("*.py")
        for module, _ in imports(path)
        if module.partition(".")[0] in ("matplotlib", "mpl_toolkits", "PIL")
    }
    assert drawing == {"figures"}


def loaded(*modules):
    """Which of the heavy libraries are loaded once these modules are, in a process of its own."""
    code = (
        "import importlib, json, sys\n"
        f"for module in {modules!r}: importlib.import_module(module)\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


def first_party(*files):
    """The modules of the package that some files of the workflow import."""
    tree = "\n".join(file.read_text() for file in files)
    lines = [line for line in tree.splitlines() if line.startswith(("import ", "from "))]
    for node in ast.parse("\n".join(lines)).body:
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "flatminima":
            package = node.module == "flatminima"
            yield from (
                f"flatminima.{alias.name}" if package else node.module for alias in node.names
            )


def test_figures_do_not_load_torch():
    modules = [f"flatminima.figures.{path.stem}" for path in (PACKAGE / "figures").glob("*.py")]
    assert "torch" not in loaded(*modules)


def test_planning_loads_neither_torch_nor_matplotlib():
    modules = {"flatminima.configuration", *first_party(*(ROOT / "workflow/rules").glob("*.smk"))}
    assert "flatminima.provenance.plan" in modules
    assert loaded(*sorted(modules)) == []


def test_the_report_loads_neither_torch_nor_matplotlib():
    assert loaded("flatminima.report.publication") == []


def test_the_command_loads_neither_before_it_knows_what_to_do():
    assert loaded("flatminima.cli") == []
