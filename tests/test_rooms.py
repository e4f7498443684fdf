"""Rooms: the table of allowed imports in docs/design.md is the law, and this test reads it.

A room is a module or package directly below `edgewright` (below `edgewright.compress`: each stage is a room of its
own). Anything that the table does not list is forbidden, inside functions and under TYPE_CHECKING too.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "edgewright"
FRONT_DOOR = "edgewright"
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "core", "misc"}


def load_table() -> dict[str, set[str]]:
    """MAY_IMPORT as written in the design."""
    text = (ROOT / "docs" / "design.md").read_text()
    block = next(code for code in re.findall(r"```python\n(.*?)```", text, re.S) if "MAY_IMPORT = {" in code)
    return evaluate(ast.parse(block))


def evaluate(tree: ast.Module) -> dict[str, set[str]]:
    """Run a block that holds only literals, names, `|`, `-`, `|=`, `set()`, `**` and one comprehension over stages."""
    allowed = (
        ast.Module, ast.Assign, ast.AugAssign, ast.Name, ast.Load, ast.Store, ast.Constant, ast.Set, ast.Dict,
        ast.DictComp, ast.comprehension, ast.BinOp, ast.BitOr, ast.Sub, ast.Call, ast.Subscript,
    )  # fmt: skip
    for node in ast.walk(tree):
        assert isinstance(node, allowed), f"docs/design.md: {type(node).__name__} is not part of a table"
        if isinstance(node, ast.Call):
            assert isinstance(node.func, ast.Name) and node.func.id == "set"
    names: dict = {"__builtins__": {"set": set}}
    exec(compile(tree, "docs/design.md", "exec"), names)
    return names["MAY_IMPORT"]


TABLE = load_table()


def module_name(path: Path, package: Path) -> str:
    """`compress.prune.plan` for compress/prune/plan.py, `` for the package's own __init__."""
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str, table: dict[str, set[str]]) -> str:
    """The longest prefix of `module` that is a room; the front door for the package itself."""
    parts = module.split(".") if module else []
    for length in range(len(parts), 0, -1):
        if ".".join(parts[:length]) in table:
            return ".".join(parts[:length])
    return parts[0] if parts else FRONT_DOOR


def imports_of(path: Path, package: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name (relative to the package) of all that a file imports from edgewright, wherever it does."""
    module = module_name(path, package)
    inside = module.split(".") if module else []
    if path.name != "__init__.py":
        inside = inside[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == FRONT_DOOR:
                    yield node.lineno, alias.name.partition(".")[2]
        elif isinstance(node, ast.ImportFrom):
            base = base_of(node, inside)
            if base is not None:
                for alias in node.names:
                    yield node.lineno, named(base, alias.name, package)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"import_module", "importlib.import_module"}:
            target = node.args[0]
            if isinstance(target, ast.Constant) and str(target.value).startswith(FRONT_DOOR + "."):
                yield node.lineno, str(target.value).partition(".")[2]


def base_of(node: ast.ImportFrom, inside: list[str]) -> list[str] | None:
    """The package that `from X import ...` names, relative to edgewright; None for anything else's."""
    tail = node.module.split(".") if node.module else []
    if node.level:
        assert node.level - 1 <= len(inside), "a relative import leaves the package"
        return inside[: len(inside) - (node.level - 1)] + tail
    return tail[1:] if tail[:1] == [FRONT_DOOR] else None


def named(base: list[str], name: str, package: Path) -> str:
    """`from ..compress import prune` names the module compress.prune; `from ..types import Job` the module types."""
    candidate = package.joinpath(*base, name)
    is_module = candidate.with_suffix(".py").exists() or candidate.is_dir()
    if not base and name == "__version__":
        return "__version__"
    return ".".join([*base, name] if is_module else base)


def may_import(room: str, target: str, table: dict[str, set[str]]) -> bool:
    """Whether `room` may import from the room `target`: listed itself, or through the package that holds it."""
    allowed = table.get(room, set())
    return target == room or target in allowed or target.split(".")[0] in allowed


def violations(package: Path, table: dict[str, set[str]]) -> list[str]:
    """One line for each import that the table does not allow, and for each file that is in no room."""
    found = []
    for path in sorted(package.rglob("*.py")):
        module = module_name(path, package)
        room = room_of(module, table)
        if room == FRONT_DOOR:
            continue  # the front door re-exports; test_public_api pins what
        if room not in table:
            found.append(f"{path.relative_to(package)}: room '{room}' is not in the table")
            continue
        for line, imported in imports_of(path, package):
            target = room_of(imported, table)
            if imported != "__version__" and not may_import(room, target, table):
                found.append(f"{path.relative_to(package)}:{line}: {room} may not import {target}")
    return found


def test_every_import_is_allowed_by_the_table():
    assert violations(PACKAGE, TABLE) == []


def test_no_room_is_a_drawer_for_everything():
    names = {path.stem for path in PACKAGE.rglob("*") if path.suffix == ".py" or path.is_dir()}
    assert not names & FORBIDDEN_NAMES
    assert not set(TABLE) & FORBIDDEN_NAMES


def test_the_table_has_no_cycles():
    order: list[str] = []
    left = dict(TABLE)
    while left:
        ready = [room for room, needs in left.items() if not (needs - {room}) & set(left)]
        assert ready, f"these rooms import each other in a circle: {sorted(left)}"
        order += ready
        for room in ready:
            del left[room]
    assert order.index("types") < order.index("model") < order.index("pipeline") < order.index("cli")


def test_stages_never_import_each_other():
    stages = [room for room in TABLE if room.startswith("compress.")]
    assert len(stages) == 5
    for stage in stages:
        assert not TABLE[stage] & ({"compress", *stages} - {stage})


VIOLATING = {
    "relative": ("model/x.py", "from ..train import Train"),
    "absolute": ("model/x.py", "import edgewright.train"),
    "absolute from": ("model/x.py", "from edgewright.train import Train"),
    "from the package": ("model/x.py", "from .. import train"),
    "inside a function": ("model/x.py", "def f():\n    from ..pipeline import fit"),
    "for type checkers": (
        "model/x.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..cli import app",
    ),
    "by name": ("model/x.py", "from importlib import import_module\nimport_module('edgewright.train')"),
    "stage to stage": ("compress/prune/x.py", "from ..quantize import Quantize"),
    "front door": ("model/x.py", "from edgewright import fit"),
    "unlisted room": ("attic.py", "x = 1"),
}


@pytest.mark.parametrize("case", VIOLATING)
def test_a_violation_is_caught(case, tmp_path):
    name, code = VIOLATING[case]
    for folder in ("model", "train", "cli", "compress/prune", "compress/quantize"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "__init__.py").write_text("")
    (tmp_path / "pipeline.py").write_text("")
    assert violations(tmp_path, TABLE) == []
    (tmp_path / name).write_text(code)
    assert len(violations(tmp_path, TABLE)) == 1


@pytest.mark.parametrize(
    "code", ["from ..types import Job", "from .graph import capture", "import torch", "from .. import __version__"]
)
def test_an_allowed_import_passes(code, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "types.py").write_text("")
    (tmp_path / "model" / "x.py").write_text(code)
    assert violations(tmp_path, TABLE) == []
