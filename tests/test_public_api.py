"""The public names are pinned: adding one is a decision, losing one is a break."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import edgewright

PINNED = {
    "Budget", "Classify", "Cost", "Device", "Distill", "Job", "Prune", "Quantize", "Report", "Score", "Train",
    "__version__", "capture", "device", "fit", "load_data", "load_model", "profile", "save_model",
}  # fmt: skip

TORCH_FREE = ("errors", "types", "seeding", "progress", "files", "targets", "calc", "devices", "report", "zoo", "cli")


def modules_after(code: str) -> set[str]:
    """Names of all modules that a fresh interpreter holds after running `code`."""
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_public_names_are_the_pinned_ones():
    assert set(edgewright.__all__) == PINNED
    assert set(edgewright.EXPORTS) == PINNED - {"__version__"}
    assert set(dir(edgewright)) == PINNED


@pytest.mark.parametrize("name", sorted(PINNED))
def test_every_public_name_can_be_fetched(name):
    assert getattr(edgewright, name) is not None


def test_type_checkers_see_the_same_names_from_the_same_rooms():
    tree = ast.parse(Path(edgewright.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: line.module for line in block.body for alias in line.names}  # type: ignore[attr-defined]
    assert seen == edgewright.EXPORTS


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'quantise'"):
        _ = edgewright.quantise


def test_importing_edgewright_loads_neither_torch_nor_numpy():
    loaded = modules_after("import edgewright")
    assert not loaded & {"torch", "numpy", "onnx", "onnxruntime", "sklearn", "typer", "rich"}


@pytest.mark.parametrize("room", TORCH_FREE)
def test_rooms_that_need_no_tensors_do_not_load_torch(room):
    loaded = modules_after(f"import edgewright.{room}")
    assert "torch" not in loaded
