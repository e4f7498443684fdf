"""Parity: the codes that the runtime computes against those of the simulation, tensor by tensor.

Two differences are told apart. The accumulated one compares whole runs: what earlier operators did is in it. The own
one is this operator's alone: the file is run once more as it is written (nothing fused, float32, which is what the
simulation computes), each operator fed with the very codes that the runtime gave it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from .runner import OnnxRunner, open_session


@dataclass(frozen=True, kw_only=True)
class TensorParity:
    """How far one tensor is from the simulation's, in steps of its grid.

    Attributes:
        max_steps, mean_steps, share_equal: differences of earlier tensors included.
        own_max_steps, own_share_equal: those of the operator before this tensor alone; None where not measured.
    """

    tensor: str
    max_steps: int
    mean_steps: float
    share_equal: float
    own_max_steps: int | None = None
    own_share_equal: float | None = None


def compare_codes(expected: np.ndarray, got: np.ndarray, *, tensor: str) -> TensorParity:
    """The difference of two tensors of codes of the same shape."""
    steps = np.abs(expected.astype(np.int32) - got.astype(np.int32))
    return TensorParity(
        tensor=tensor,
        max_steps=int(steps.max(initial=0)),
        mean_steps=float(steps.mean()),
        share_equal=float((steps == 0).mean()),
    )


def parity(path: Path, expected: Mapping[str, np.ndarray], *, threads: int = 1) -> tuple[TensorParity, ...]:
    """Run the golden input through the file and compare every quantized tensor, in the order of `expected`.

    Args:
        expected: `input`, and `codes/NAME` per tensor, as the artifact's `expected.npz` holds them.
    """
    names = [key.removeprefix("codes/") for key in expected if key.startswith("codes/")]
    if not names:
        return ()
    places = _clipped(onnx.load(path).graph, names)
    seen = OnnxRunner(path, threads=threads, see=list(places.values())).tensors(expected["input"])
    got = {name: seen[place] for name, place in places.items()}
    own = _own(path, expected["input"], seen, threads=threads)
    return tuple(
        _with_own(compare_codes(expected[f"codes/{name}"], _crop(got[name], expected[f"codes/{name}"].shape),
                                tensor=name), own[places[name]])
        for name in names
    )  # fmt: skip


def _with_own(row: TensorParity, own: TensorParity) -> TensorParity:
    return replace(row, own_max_steps=own.max_steps, own_share_equal=own.share_equal)


def _crop(codes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The part that the simulation has: a file may have channels of zeros behind it, see the manifest's `lanes`."""
    return codes[tuple(slice(0, size) for size in shape)]


def _clipped(graph: onnx.GraphProto, names: list[str]) -> dict[str, str]:
    """Where the codes of each tensor are final: codes of fewer than 8 bits are clipped behind the quantization."""
    clips = {node.input[0]: node.output[0] for node in graph.node if node.op_type == "Clip"}
    return {name: clips.get(name, name) for name in names}


def _own(
    path: Path, images_BCHW: np.ndarray, seen: Mapping[str, np.ndarray], *, threads: int
) -> dict[str, TensorParity]:
    """Each tensor of the runtime against what its operator, as written, makes of the runtime's codes before it."""
    model = onnx.load(path)
    apart = open_session(_taken_apart(model, seen), Path(path), threads=threads, optimize=False)
    inputs = {_given(name): codes for name, codes in seen.items()}
    first = model.graph.input[0].name
    want = apart.run(list(seen), {first: np.ascontiguousarray(images_BCHW, dtype=np.float32), **inputs})
    return {name: compare_codes(codes, seen[name], tensor=name) for name, codes in zip(seen, want, strict=True)}


def _given(name: str) -> str:
    return f"{name}.given"


def _taken_apart(model: onnx.ModelProto, seen: Mapping[str, np.ndarray]) -> bytes:
    """The file with a cut behind each tensor: who reads it reads an input instead, and it is an output."""
    graph = model.graph
    for node in graph.node:
        node.input[:] = [_given(name) if name in seen else name for name in node.input]
    for name, codes in seen.items():
        kind = onnx.helper.np_dtype_to_tensor_dtype(codes.dtype)
        graph.input.append(onnx.helper.make_tensor_value_info(_given(name), kind, None))
        graph.output.append(onnx.helper.make_tensor_value_info(name, kind, None))
    return model.SerializeToString()
