import subprocess
import sys
from pathlib import Path

import pytest

from flatminima.errors import UserError
from flatminima.provenance.closure import file_digest, import_closure, meaning_digest

REPOSITORY = Path(__file__).parents[2]
CODE = '''"""Doc."""
# comment
import math


class A:
    """Doc of A."""

    x: int = 1
    """Doc of x."""

    def f(self, a, *, b=2.0):
        """Doc of f."""
        return math.sqrt(a) + b  # why


async def g():
    """Only a docstring."""
'''


def closure(project, script="workflow/scripts/fit.py"):
    paths = import_closure(project.root / script, project.root / "src")
    return [path.relative_to(project.root).as_posix() for path in paths]


def meaning(tmp_path, code):
    path = tmp_path / "code.py"
    path.write_text(code)
    return meaning_digest(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# comment\n", ""),
        ("  # why", "  # for another reason, at length"),
        ("Doc of f.", "Another text."),
        ('    """Doc of x."""\n', ""),
        ('"""Only a docstring."""', "'''Changed.'''"),
        ("b=2.0", "b = 2.0"),
        ("math.sqrt(a) + b", "(\n            math.sqrt(a)\n            + b\n        )"),
        ('"""Doc."""', ""),
    ],
)
def test_comments_docstrings_and_layout_do_not_change_the_meaning(tmp_path, old, new):
    assert old in CODE
    assert meaning(tmp_path, CODE.replace(old, new)) == meaning(tmp_path, CODE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("b=2.0", "b=2"),
        ("b=2.0", "b=2.5"),
        ("x: int = 1", "x: int = True"),
        ("x: int = 1", "x: int = None"),
        ("x: int = 1", "x: int"),
        ("math.sqrt(a) + b", "math.sqrt(a) - b"),
        ("math.sqrt(a) + b", "math.sqrt(b) + a"),
        ("import math", "import cmath as math"),
        ("*, b", "b"),
        ("async def", "def"),
    ],
)
def test_an_edit_that_can_change_a_result_changes_the_meaning(tmp_path, old, new):
    assert old in CODE
    assert meaning(tmp_path, CODE.replace(old, new)) != meaning(tmp_path, CODE)


def test_a_string_that_is_a_value_counts(tmp_path):
    assert meaning(tmp_path, 'x = "a"\n') != meaning(tmp_path, 'x = "b"\n')
    assert meaning(tmp_path, 'x = u"a"\n') == meaning(tmp_path, "x = 'a'\n")


def test_the_meaning_is_the_same_in_another_process(tmp_path):
    path = tmp_path / "code.py"
    path.write_text(CODE + "Y = {'β', 'b', 'c'}\n")
    program = (
        "import sys, pathlib; from flatminima.provenance.closure import meaning_digest; "
        "print(meaning_digest(pathlib.Path(sys.argv[1])))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        env={"PYTHONPATH": str(REPOSITORY / "src"), "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == meaning_digest(path)


def test_the_closure_follows_imports_through_modules_and_functions(project):
    assert closure(project) == [
        "src/tiny/__init__.py",
        "src/tiny/fit.py",
        "src/tiny/steps.py",
        "workflow/scripts/fit.py",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "import tiny.deep.inner",
        "import numpy, tiny.deep.inner as name",
        "from tiny.deep import inner",
        "from tiny.deep.inner import VALUE",
        "from tiny import deep\nfrom tiny.deep import *",
        "if False:\n    from tiny.deep import inner",
        "def f():\n    import tiny.deep.inner",
        "import importlib\nimportlib.import_module('tiny.deep.inner')",
    ],
)
def test_every_form_of_import_is_followed(project, line):
    project.write("src/tiny/deep/__init__.py", "")
    project.write("src/tiny/deep/inner.py", "from ..paint import COLOUR as VALUE\n")
    project.write("workflow/scripts/fit.py", line + "\n")
    assert closure(project) == [
        "src/tiny/__init__.py",
        "src/tiny/deep/__init__.py",
        "src/tiny/deep/inner.py",
        "src/tiny/paint.py",
        "workflow/scripts/fit.py",
    ]


@pytest.mark.parametrize(
    "line", ["from . import inner", "from .inner import VALUE", "from .. import deep as d"]
)
def test_relative_imports_are_followed(project, line):
    project.write("src/tiny/deep/__init__.py", "from . import inner\n")
    project.write("src/tiny/deep/inner.py", "VALUE = 1\n")
    project.write("src/tiny/deep/outer.py", line + "\n")
    project.write("workflow/scripts/fit.py", "import tiny.deep.outer\n")
    assert "src/tiny/deep/inner.py" in closure(project)


def test_modules_that_import_each_other_end(project):
    project.write("src/tiny/steps.py", "import tiny.fit\n")
    assert len(closure(project)) == 4


def test_a_module_beside_the_script_counts_and_a_library_does_not(project):
    project.write("workflow/scripts/shared.py", "import json, numpy.linalg\n")
    project.write("workflow/scripts/json.py", "this is not imported: the library's json is\n")
    project.write("workflow/scripts/fit.py", "import shared\n")
    assert closure(project) == ["workflow/scripts/fit.py", "workflow/scripts/shared.py"]


@pytest.mark.parametrize(
    "line",
    [
        "import tiny.absent",
        "from tiny import absent",
        "from tiny.absent import x",
        "import tiny.fit.x",
    ],
)
def test_a_missing_module_is_named_with_the_line_that_imports_it(project, line):
    project.write("workflow/scripts/fit.py", f"import numpy\n{line}\n")
    with pytest.raises(UserError, match=r"fit\.py:2: imports tiny\.\S+, but there is neither .*; "):
        closure(project)


def test_a_name_defined_by_the_package_itself_is_no_module(project):
    project.write("src/tiny/__init__.py", "from tiny.paint import COLOUR\n")
    project.write("workflow/scripts/fit.py", "from tiny import COLOUR\n")
    assert "src/tiny/paint.py" in closure(project)


def test_computed_imports_and_broken_code_are_refused(project):
    project.write(
        "workflow/scripts/fit.py", "from importlib import import_module\nimport_module(x)"
    )
    with pytest.raises(UserError, match=r"fit\.py:2: imports a module by a computed name"):
        closure(project)
    project.write("workflow/scripts/fit.py", "\ndef f(:\n")
    with pytest.raises(UserError, match=r"fit\.py:2: not valid Python"):
        closure(project)
    project.write("workflow/scripts/fit.py", "from . import x\n")
    with pytest.raises(UserError, match=r"fit\.py:1: a relative import leaves the package"):
        closure(project)


def test_a_script_may_compute_names_that_its_settings_name(project):
    project.write("workflow/scripts/fit.py", "from importlib import import_module as load\n")
    project.edit("workflow/scripts/fit.py", " as load", "\nimport_module(settings)")
    paths = import_closure(
        project.root / "workflow/scripts/fit.py", project.root / "src", ["tiny.paint"]
    )
    assert [path.relative_to(project.root).as_posix() for path in paths] == [
        "src/tiny/__init__.py",
        "src/tiny/paint.py",
        "workflow/scripts/fit.py",
    ]
    project.edit("src/tiny/paint.py", "COLOUR", "__import__(f())\nCOLOUR")
    with pytest.raises(UserError, match=r"paint\.py:\d+: imports a module by a computed name"):
        import_closure(
            project.root / "workflow/scripts/fit.py", project.root / "src", ["tiny.paint"]
        )
    with pytest.raises(UserError, match=r"fit\.py: imports tiny\.absent, but there is neither"):
        import_closure(
            project.root / "workflow/scripts/fit.py", project.root / "src", ["tiny.absent"]
        )


def test_the_digest_of_a_file_is_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert file_digest(tmp_path / "a") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    with pytest.raises(UserError, match="no such file"):
        file_digest(tmp_path / "b")
    with pytest.raises(UserError, match="cannot be read"):
        file_digest(tmp_path)
