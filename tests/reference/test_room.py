"""The room itself: NumPy alone, and every file on the page that leads to it."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
ROOM = ROOT / "src" / "edgewright" / "reference"
PAGE = ROOT / "docs" / "reference.md"
FILES = sorted(ROOM.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_imports_numpy_and_the_standard_library_alone(path):
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module).split(".")[0])
    assert found <= {*sys.stdlib_module_names, "numpy"}


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=lambda path: path.name)
def test_it_opens_with_its_subject(path):
    text = ast.get_docstring(ast.parse(path.read_text()))
    assert text and text.partition("\n")[0].endswith((".", ":"))


def test_the_page_names_every_file_and_the_tests_that_hold_it():
    page = PAGE.read_text()
    for path in ROOM.glob("*.py"):
        assert path.name == "__init__.py" or f"`{path.stem}`" in page, path.name
    tests = re.findall(r"`(test_\w+)`", page)
    assert len(tests) > 15
    for name in tests:
        assert list((ROOT / "tests").rglob(f"{name}.py")), name


def test_the_example_of_the_page_prints_what_it_shows(capsys):
    code, shown = re.search(r"```python\n(.*?)```\n```\n(.*?)```", PAGE.read_text(), re.S).groups()
    exec(compile(code, str(PAGE), "exec"), {})
    assert capsys.readouterr().out == shown
