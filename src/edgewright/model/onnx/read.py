"""`read_onnx`: an ONNX file as a captured model.

    bytes --file--> checked graph --operators--> fx.GraphModule of nn layers + ATen functions

Each operator is looked up in one table and written into a growing graph; what does not depend on the input is computed
at once. The result has the form that `capture` gives, so all other rooms work on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import fx

from ...errors import ConfigError, ModelError, UnsupportedError, first_line
from ...formats.onnx_file import FLOATS, STANDARD, opset_of, read_model
from ...seeding import torch_generator
from ..graph import INPUT_SHAPE
from .emit import Batches, Emitter
from .file import content_of, stored_tensors
from .names import is_chosen
from .op import Op
from .operators import BUILDERS, INSTEAD, ON_CODES
from .values import Value

PROBES = (2, 3, 5)  # times the file's batch: never 1, which broadcasts
Shape = Sequence[int | None]
WRONG = (RuntimeError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, MemoryError)


def read_onnx(path: Path | str, *, input_shape: tuple[int | None, ...] | None = None) -> fx.GraphModule:
    """The captured form of an ONNX file, in eval mode, in float32; any batch size.

    A file with integers (QuantizeLinear, DequantizeLinear) becomes a model that simulates them.

    Args:
        path: the file. Tensors kept beside it are found there.
        input_shape: (C, H, W), where the file leaves sizes open; None in it for the file's own.

    Raises:
        ModelError: the file is missing, damaged, or holds weights that are not finite.
        UnsupportedError: it is correct, and something in it cannot be read; the message names the operator.
        ConfigError: `input_shape` contradicts the file.
    """
    path = Path(path)
    model = read_model(path)
    try:
        return _captured(model, path, input_shape)
    except WRONG as error:  # changed bytes break it in any place
        raise ModelError(f"{path} is damaged ({first_line(error, typed=True)}): export the model again.") from error


def _captured(model: onnx.ModelProto, path: Path, input_shape: Shape | None) -> fx.GraphModule:
    shape, batch = _input_of(model, path, input_shape)
    batches = Batches(sizes=tuple(probe * (batch or 1) for probe in PROBES), written=batch)
    net = _Reading(model, path, Emitter(shape, batches)).run()
    net.meta[INPUT_SHAPE] = shape
    _check_weights(net, path)
    if batch is not None:
        _check_batch(net, path, batch)
    return net


# --- the input ------------------------------------------------------------------------------------------------------


def _input_of(model: onnx.ModelProto, path: Path, given: Shape | None) -> tuple[tuple[int, ...], int | None]:
    """Shape of one sample, and the batch that the file is fixed to."""
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in stored]
    if len(inputs) != 1:
        names = ", ".join(f"'{each.name}'" for each in inputs) or "none"
        raise UnsupportedError(f"{path} has {len(inputs)} inputs ({names}), and models of one image input are read.")
    tensor = inputs[0].type.tensor_type
    if tensor.elem_type not in FLOATS:
        kind = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
        raise UnsupportedError(f"{path} takes {kind} images, and float ones are read: export it with a float input.")
    if not tensor.HasField("shape"):
        raise UnsupportedError(f"{path} does not say how many axes its input has: export it with a shape.")
    sizes: list[int | None] = [dim.dim_value if dim.dim_value > 0 else None for dim in tensor.shape.dim]
    if not sizes:
        raise UnsupportedError(f"{path} takes a single number, and models of images are read.")
    return _sample_shape(path, sizes[1:], given), sizes[0]


def _sample_shape(path: Path, sizes: Shape, given: Shape | None) -> tuple[int, ...]:
    """What the file says, and what is given where it says nothing."""
    asked = given or (None,) * len(sizes)
    fits = len(asked) == len(sizes) and all(
        None in (size, wish) or size == wish for size, wish in zip(sizes, asked, strict=True)
    )
    if not fits:
        raise ConfigError(
            f"{path} is fixed to inputs of {_text(sizes)}, got {_text(asked)}: leave the size out, or export again."
        )
    shape = tuple(size if size is not None else wish for size, wish in zip(sizes, asked, strict=True))
    if None in shape:
        raise UnsupportedError(
            f"{path} leaves sizes of its input open ({_text(sizes)}): say which with --input 1,C,H,W (input_shape=)."
        )
    return shape  # type: ignore[return-value]


def _text(sizes: Shape) -> str:
    return ",".join(["1", *("?" if size is None else str(size) for size in sizes)])


# --- the graph ------------------------------------------------------------------------------------------------------


class _Reading:
    """Walks the operators in order and keeps what is known of each tensor."""

    def __init__(self, model: onnx.ModelProto, path: Path, emit: Emitter) -> None:
        self.model, self.path, self.emit, self.opset = model, path, emit, opset_of(model)
        graph = model.graph
        self.uses = Counter(name for node in graph.node for name in node.input)
        self.uses.update(value.name for value in graph.output)
        self.values: dict[str, Value] = {}
        for name, tensor, bits in stored_tensors(model, path):
            trained = tensor.is_floating_point() and tensor.numel() > 1 and is_chosen(name)
            self.values[name] = emit.constant(tensor, origin=name, trained=trained, bits=bits)
        image = next(each.name for each in graph.input if each.name not in self.values)
        self.values[image] = emit.image

    def run(self) -> fx.GraphModule:
        for node in self.model.graph.node:
            self._read(node)
        outputs = [self._find(each.name, "the graph's output") for each in self.model.graph.output]
        if all(each.known for each in outputs):
            raise ModelError(f"{self.path} gives the same output for every image: it is no model.")
        return self.emit.finish(outputs)

    def _find(self, name: str, reader: str) -> Value:
        if name not in self.values:
            raise ModelError(f"{self.path} is damaged: {reader} reads '{name}', which nothing makes.")
        return self.values[name]

    def _read(self, node: onnx.NodeProto) -> None:
        where = f"{node.op_type} '{node.name or (node.output[0] if node.output else '')}'"
        build = BUILDERS.get(node.op_type) if node.domain in STANDARD else None
        if build is None:
            raise UnsupportedError(f"{self.path} cannot be read at {where}: {_reason(node)}.")
        try:
            op = self._op(node, where)
            made = build(op)
            self._keep(op, made, where)
        except UnsupportedError as error:
            text = str(error)
            known = text.startswith(str(self.path))
            raise error if known else self._unsupported(where, text) from error
        except WRONG as error:
            reason = first_line(error, most=150, typed=True)
            batch = self.emit.batches.written
            fixed = "" if batch is None else f", or its batch of {batch} is written into the graph"
            raise ModelError(
                f"{self.path} is damaged at {where}{fixed}: it does not fit what it reads ({reason})."
            ) from error

    def _unsupported(self, where: str, text: str) -> UnsupportedError:
        return UnsupportedError(
            f"{self.path} cannot be read at {where}: {text}; give the PyTorch model, or export it another way."
        )

    def _op(self, node: onnx.NodeProto, where: str) -> Op:
        inputs = tuple(self._find(name, where) if name else None for name in node.input)
        return Op(
            kind=node.op_type,
            name=node.name,
            opset=self.opset,
            inputs=inputs,
            outputs=(node.output[0], *(name if self.uses[name] else "" for name in node.output[1:])),
            attributes={each.name: self._attribute(each) for each in node.attribute},
            emit=self.emit,
        )

    def _attribute(self, attribute: onnx.AttributeProto) -> Any:
        value = onnx.helper.get_attribute_value(attribute)
        return content_of(value, self.path) if isinstance(value, onnx.TensorProto) else value

    def _keep(self, op: Op, made: Any, where: str) -> None:
        """Note the results under their names. Results of codes are codes."""
        results = [made] if isinstance(made, Value) else list(made)
        computed = [each for each in op.inputs if each is not None and each.codes]
        if computed and op.kind != "DequantizeLinear":
            grids = {each.grid for each in op.inputs if each is not None and not each.known}
            if op.kind not in ON_CODES or len(grids) > 1:
                raise UnsupportedError("it computes on integer codes")
            results = [each if each.known else each.on(computed[0].grid, codes=True) for each in results]
        if len(results) < len([name for name in op.outputs if name]):
            raise UnsupportedError("it is asked for more results than are read")
        for name, value in zip(op.outputs, results, strict=False):
            self.values[name] = value
            if value.node is not None:
                self.emit.readers[value.node] = self.emit.readers.get(value.node, 0) + self.uses[name]


def _reason(node: onnx.NodeProto) -> str:
    if node.op_type in INSTEAD:
        return INSTEAD[node.op_type]
    if node.domain not in STANDARD:
        return f"it is an operator of '{node.domain}', and those of the ONNX standard are read"
    return "this operator is not in the table of docs/onnx.md; give the PyTorch model instead"


# --- checks ---------------------------------------------------------------------------------------------------------


def _check_weights(net: fx.GraphModule, path: Path) -> None:
    for name, weight in net.named_parameters():
        if not torch.isfinite(weight).all():
            raise ModelError(f"Weight '{name}' of {path} holds NaN or infinity: export weights that are finite.")


def _check_batch(net: fx.GraphModule, path: Path, batch: int) -> None:
    """A file that is fixed to one batch size is read for any: two batches at once must give what each gives alone."""
    x = torch.randn((2 * batch, *net.meta[INPUT_SHAPE]), generator=torch_generator(0, "read_onnx"))
    with torch.no_grad():
        both, apart = _listed(net(x)), [_listed(net(half)) for half in x.split(batch)]
    for whole, parts in zip(both, zip(*apart, strict=True), strict=True):
        joined = torch.cat(parts) if whole.dim() else whole
        if joined.shape != whole.shape or not torch.allclose(joined, whole, rtol=1e-3, atol=1e-4, equal_nan=True):
            raise UnsupportedError(
                f"{path} has its batch of {batch} written into the graph: export it with a batch axis of any size."
            )


def _listed(outputs: Any) -> Iterable[torch.Tensor]:
    return [outputs] if isinstance(outputs, torch.Tensor) else list(outputs)
