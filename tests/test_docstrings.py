"""What these rooms show says what it is for."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "edgewright"
DOCUMENTED = (
    "compress/quantize",
    "export",
    "reference",
    "verify/integers",
    "model/onnx/packing.py",
    "model/quantized.py",
)


@pytest.mark.parametrize("room", DOCUMENTED)
def test_every_public_function_and_class_has_a_docstring(room):
    place = SOURCE / room
    files = [place] if place.is_file() else sorted(place.rglob("*.py"))
    assert files
    kinds = (ast.FunctionDef, ast.ClassDef)
    missing = [
        f"{path.relative_to(SOURCE)}: {node.name}"
        for path in files
        for node in ast.parse(path.read_text()).body
        if isinstance(node, kinds) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert missing == []
