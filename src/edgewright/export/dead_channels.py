"""Dead channels of an integer ONNX file: what no image can change leaves its weights, and ONNX Runtime gives the same.

The file becomes a program, whose bounds say what is dead; then the file itself is cut, so that all else in it stays as
it was. The runtime multiplies by float scales and rounds halves to even, so that each of its codes may be one step off
the program's: the bounds have room for that step, and a channel counts as dead only where it saturates for both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx

from ..errors import ExportError, UnsupportedError
from ..files import write_atomic
from ..program import Program, Tensor, check
from ..program.counts import WEIGHTS
from ..program.dead import DeadReport, eliminate_dead
from ..program.onnx_file.call import Reading
from ..program.onnx_file.curves import FUNCTIONS
from ..program.onnx_file.graph import Graph, Node
from ..program.onnx_file.pointwise import OF_TWO
from ..program.onnx_file.qoperators import REWRITES
from ..program.onnx_file.read import program_of, read_values
from ..program.onnx_file.values import Coded, Curve, Known
from ..seeding import numpy_generator
from .cutting import Cutter

STEP = 1  # by which a code of ONNX Runtime may differ (docs/design.md, section 4)
LAYERS = ("Conv", "Gemm", "MatMul")
BY_AXES = {"ReduceMean", "ReduceMax", "Pad"}  # whose constants count axes, not channels
FREE = {
    "QuantizeLinear", "DequantizeLinear", "Relu", "Clip", "Min", "Max", "LeakyRelu", "PRelu", *OF_TWO, *FUNCTIONS,
    "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Concat", "Flatten", "Identity", "Dropout", "Cast",
}  # fmt: skip
"""Operators that work with any number of channels, as long as no constant of theirs has one value per channel."""
WRITTEN = "{0} has its number of channels written into the file"
KINDS = {"tensor(uint8)": np.uint8, "tensor(int8)": np.int8}


def remove_dead_channels(
    path_in: Path | str, path_out: Path | str, *, num_images: int = 8, seed: int = 0
) -> DeadReport:  # fmt: skip
    """Write an integer (QDQ) ONNX file without its dead channels.

    ONNX Runtime runs both files on `num_images` inputs (noise, and both ends of the range) and the outputs must be the
    same bytes, or nothing is written.

    Returns:
        What was removed, by the tensors of the program (`program.onnx_file.read_onnx`), and what stays and why.

    Raises:
        ModelError, UnsupportedError: the file cannot be read as a program, or has operators on codes (QLinearConv).
        ExportError: an output differs.
    """
    path_in, path_out = Path(path_in), Path(path_out)
    reading, outputs = read_values(path_in)
    _check_form(reading.graph)
    program = check(program_of(reading, outputs, name="net"))
    slim, report = eliminate_dead(program, slack=STEP, whole=_whole(reading, program))
    model = Cutter(reading, program, slim, report.kept).cut()
    _check_same(reading.graph.proto, model, program.tensors[program.inputs[0]], num_images=num_images, seed=seed)
    write_atomic(path_out, model.SerializeToString())
    return report


def _check_form(graph: Graph) -> None:
    found = next((node for node in graph.proto.graph.node if node.op_type in REWRITES), None)
    if found is not None:
        raise UnsupportedError(
            f"{graph.path} has operators on codes ({found.op_type}), and channels are removed from files with "
            "quantizers around operators: quantize to the QDQ form."
        )
    if len(graph.inputs) != 1:
        raise UnsupportedError(f"{graph.path} has {len(graph.inputs)} inputs, and files of one input are cut.")


# -- what must stay ---------------------------------------------------------------------------------------------------
def _whole(reading: Reading, program: Program) -> dict[str, str]:
    """Tensors whose number of channels the file fixes in other places than weights, and the reason."""
    found: dict[str, str] = {}
    layers = Counter(id(reading.origins[each.output]) for each in program.operations if each.kind in WEIGHTS)
    for operation in program.operations:
        node = reading.origins[operation.output]
        if not _is_free(reading, node) or layers[id(node)] > 1:
            names = (*operation.inputs, operation.output)
            found |= dict.fromkeys(names, WRITTEN.format(f"{node.operator} {node.name}"))
    for node in reading.graph.nodes:
        if not _is_free(reading, node):
            found |= dict.fromkeys(_sources(reading, node), WRITTEN.format(f"{node.operator} {node.name}"))
    return found


def _is_free(reading: Reading, node: Node) -> bool:
    """Whether a node needs no change but of its weights, or of the size that it flattens to."""
    values = [reading.values.get(name) for name in node.inputs]
    if node.operator in LAYERS or all(value is None or isinstance(value, Known) for value in values):
        return True
    if node.operator in ("Resize", "Upsample"):  # by factors, not to a size with the channels in it
        return len(node.inputs) < 4 or not node.inputs[3]
    if node.operator == "Reshape":
        made = reading.values[node.outputs[0]]
        return not isinstance(made, Known) and len(made.shape) == 1
    numbers = [value for value in values if isinstance(value, Known)]
    return node.operator in BY_AXES or (node.operator in FREE and all(each.values.size == 1 for each in numbers))


def _sources(reading: Reading, node: Node) -> Iterator[str]:
    """The tensors that a node reads."""
    for value in (reading.values.get(name) for name in node.inputs):
        if isinstance(value, Coded):
            yield value.tensor.name
        elif isinstance(value, Curve):
            yield value.source.name


# -- the proof --------------------------------------------------------------------------------------------------------
def _check_same(before: onnx.ModelProto, after: onnx.ModelProto, entry: Tensor, *, num_images: int, seed: int) -> None:
    """Both files in ONNX Runtime."""
    import onnxruntime

    sessions = [
        onnxruntime.InferenceSession(each.SerializeToString(), providers=["CPUExecutionProvider"])
        for each in (before, after)
    ]
    described = sessions[0].get_inputs()[0]
    for number, image in enumerate(_inputs(entry, described.type, num_images=num_images, seed=seed)):
        want, got = (session.run(None, {described.name: image}) for session in sessions)
        for name, one, other in zip((each.name for each in before.graph.output), want, got, strict=True):
            if one.tobytes() != other.tobytes():
                raise ExportError(
                    f"Without its dead channels the file gives another output {name} in ONNX Runtime (input {number}, "
                    f"largest difference {np.abs(one.astype(np.float64) - other).max():.6g}): nothing was written."
                )


def _inputs(entry: Tensor, kind: str, *, num_images: int, seed: int) -> Iterator[np.ndarray]:
    """Both ends of the range, then noise over all of it; with a batch axis."""
    assert entry.grid is not None, "inputs have codes"
    rng, grid = numpy_generator(seed, "remove_dead_channels"), entry.grid
    for number in range(num_images):
        drawn = rng.integers(grid.low, grid.high + 1, entry.shape)
        codes = np.full(entry.shape, (grid.low, grid.high)[number]) if number < 2 else drawn
        if kind == "tensor(float)":
            yield grid.values(codes)[None].astype(np.float32)
        else:
            yield (codes + (128 if kind == "tensor(uint8)" else 0))[None].astype(np.int64).astype(KINDS[kind])
