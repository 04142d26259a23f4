import ast
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flatminima.errors import UserError
from flatminima.provenance.closure import (
    Code,
    file_digest,
    import_closure,
    meaning_digest,
    read_understood,
    write_understood,
)

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


IMPORTS = """import abc
import os.path
from math import pi, tau as turn

from . import steps
x = 1
import json
"""


@pytest.mark.parametrize(
    "same",
    [
        "from math import tau as turn\nfrom . import steps\nimport abc, os.path\n"
        "from math import pi\nx = 1\nimport json\n",
        IMPORTS.replace("import abc\nimport os.path", "import os.path\nimport abc"),
        IMPORTS.replace("pi, tau as turn", "(tau as turn, pi)"),
    ],
)
def test_the_order_of_imports_does_not_change_the_meaning(tmp_path, same):
    assert meaning(tmp_path, same) == meaning(tmp_path, IMPORTS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (IMPORTS, IMPORTS.replace("x = 1\nimport json", "import json\nx = 1")),
        (IMPORTS, IMPORTS.replace("from . import", "from .. import")),
        (IMPORTS, IMPORTS.replace("import abc\n", "")),
        (IMPORTS, IMPORTS.replace(" as turn", "")),
        # Of these, the later one of each pair has the last word.
        ("from a import x\nfrom b import x", "from b import x\nfrom a import x"),
        ("import a as x\nimport b as x", "import b as x\nimport a as x"),
        ("import x.a\nimport a as x", "import a as x\nimport x.a"),
        ("from a import *\nfrom b import c", "from b import c\nfrom a import *"),
        ("from a import *\nfrom b import *", "from b import *\nfrom a import *"),
    ],
)
def test_imports_that_bind_other_things_change_the_meaning(tmp_path, one, other):
    assert meaning(tmp_path, one) != meaning(tmp_path, other)


FUNCTION = """
scale = 2

def f(points, *rest, scale=scale, **more) -> list:
    total, others = 0, []
    for point in points:
        total += point * scale
        others.append(lambda x: x + total + point)
    with open("total") as stream:
        pairs = [(a, total) for a in points if (b := a)]
    def inner(y):
        nonlocal total
        half = y / 2
        return half + len(others) + b
    try:
        inner(total)
    except ValueError as error:
        return [error, pairs]
    import math as m
    return {"others": others, **more, "m": m, "stream": stream.total}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [("others", "rest_of_them"), ("pairs", "couples"), ("stream", "file"), ("point", "place")],
)
def test_the_name_of_a_variable_does_not_change_the_meaning(tmp_path, old, new):
    renamed = re.sub(rf"(?<![\w\".]){old}(?![\w\"])", new, FUNCTION)
    assert renamed != FUNCTION
    assert meaning(tmp_path, renamed) == meaning(tmp_path, FUNCTION)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("point", "others"),  # two variables become one
        ("others", "pairs"),
        ("pairs", "scale"),  # a variable becomes a parameter
        ("pairs", "open"),  # a name that meant something else here
        ("points", "places"),  # a parameter: a caller may name it
        ("rest", "remaining"),
        ("more", "further"),
        ("total", "whole"),  # declared nonlocal; that it does not count is for safety
        ("error", "fault"),
        ("m", "maths"),
        ("b", "c"),  # a variable of this function, assigned within a comprehension
        ("inner", "within"),
    ],
)
def test_other_names_change_the_meaning(tmp_path, old, new):
    renamed = re.sub(rf"(?<![\w\".]){old}(?![\w\"])", new, FUNCTION)
    assert renamed != FUNCTION
    assert meaning(tmp_path, renamed) != meaning(tmp_path, FUNCTION)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # One place of two is another variable.
        ("def f():\n a = b = 1\n return a", "def f():\n a = b = 1\n return b"),
        ("def f(x):\n a = x\n return a", "def f(x):\n a = x\n return x"),
        # A global where the other has a variable.
        ("def f():\n a = 1\n return a", "def f():\n a = 1\n return b"),
        ("def f():\n global a\n a = 1", "def f():\n global b\n b = 1"),
        ("def f(x=a):\n a = x\n return a", "def f(x=b):\n b = x\n return b"),
        ("@a\ndef f():\n a = 1", "@b\ndef f():\n b = 1"),
        ("def f() -> a:\n a = 1", "def f() -> b:\n b = 1"),
        # A function inside assigns what its neighbour reads from outside.
        (
            "def f():\n def g():\n  a = 1\n def h():\n  return a\n return h",
            "def f():\n def g():\n  b = 1\n def h():\n  return b\n return h",
        ),
        ("def f():\n return [a for a in x], a", "def f():\n return [b for b in x], b"),
        ("def f():\n return (lambda: (a := 1)), a", "def f():\n return (lambda: (b := 1)), b"),
        # What is seen from outside, or by name.
        ("a = 1", "b = 1"),
        ("class A:\n a = 1", "class A:\n b = 1"),
        ("def f():\n class A:\n  a = 1\n return A", "def f():\n class A:\n  b = 1\n return A"),
        ("def f(x):\n x.a = 1", "def f(x):\n x.b = 1"),
        ("def f(x):\n return x(a=1)", "def f(x):\n return x(b=1)"),
        ("def f():\n a = 1\n return locals()", "def f():\n b = 1\n return locals()"),
        ("def f():\n a = 1\n return eval(x)", "def f():\n b = 1\n return eval(x)"),
        ("def f():\n a = 1\n return f'{a=}'", "def f():\n b = 1\n return f'{b=}'"),
        ("def f(x):\n match x:\n  case a: return a", "def f(x):\n match x:\n  case b: return b"),
    ],
)
def test_names_that_are_more_than_names_change_the_meaning(tmp_path, one, other):
    assert meaning(tmp_path, one) != meaning(tmp_path, other)


def test_functions_that_mean_the_same_are_the_same_to_python(tmp_path):
    """Each name of each function here is changed; where the digest stays, the compiled code does.

    Both ways in which this could go wrong are found: a global or a parameter taken for a variable,
    and a place of a variable that was overlooked.
    """
    same = 0
    for path in sorted((REPOSITORY / "src/flatminima/models").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef):
                continue
            text = ast.unparse(node)
            for name in {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}:
                changed = ast.parse(text)
                for inner in ast.walk(changed):
                    if isinstance(inner, ast.Name) and inner.id == name:
                        inner.id = f"{name}_"
                renamed = ast.unparse(changed)
                if meaning(tmp_path, renamed) == meaning(tmp_path, text):
                    same += 1
                    assert compiled(renamed) == compiled(text), (text, name)
    assert same > 100


def compiled(text):
    """The code of a module and of all functions in it, without the names of their variables."""

    def told(code):
        parts = [told(part) if hasattr(part, "co_code") else part for part in code.co_consts]
        arguments = code.co_argcount + code.co_kwonlyargcount
        return (code.co_code, code.co_names, code.co_varnames[:arguments], code.co_name, parts)

    return told(compile(text, "text", "exec"))


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


def test_what_was_understood_is_taken_for_the_same_text_alone(tmp_path):
    script, kept = tmp_path / "scripts/fit.py", tmp_path / "code.json"
    script.parent.mkdir()
    script.write_text("import helper\n")
    (script.parent / "helper.py").write_text("x = 1\n")
    code = Code(tmp_path / "src")
    files = code.closure(script)
    assert [path.name for path in files] == ["fit.py", "helper.py"]
    assert [code.meaning(path) for path in files] == [meaning_digest(path) for path in files]
    write_understood(kept, code.understood)
    known = read_understood(kept)
    assert known == code.understood

    marked = {digest: found._replace(meaning="as kept") for digest, found in known.items()}
    (script.parent / "helper.py").write_text("x = 2\n")
    again = Code(tmp_path / "src", marked)
    assert again.closure(script) == files
    assert [again.meaning(path) for path in files] == ["as kept", meaning_digest(files[1])]

    # Kept by another version, or damaged, it is nothing.
    whole = kept.read_text()
    kept.write_text(whole.replace(f"Python {platform.python_version()}", "Python 3.0.0"))
    assert read_understood(kept) == {}
    for content in (whole[:-20], "[]\n", '{\n  "by": 1\n}\n'):
        kept.write_text(content)
        assert read_understood(kept) == {}
    kept.unlink()
    assert read_understood(kept) == {}
