"""From a simulation to a program: the graph is run once with names of tensors instead of values."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import torch
from torch import fx

from ...errors import ModelError
from ...model import is_captured, layer_of, tensor_specs
from ...model.functions import CLAMPS, MOVES, SPLITS
from ...model.quantized import QuantizeActivation, is_quantized
from ...reference.integer import Grid
from ..building import Builder, Codes, Floats, add_move, as_signed, holds, tidied
from ..shapes import check
from ..types import Program
from .forms import Call, form_of, keeping_form_of
from .layers import LAYERS, add_layer
from .meaning import SHUFFLES, arguments, grid_of, has_plain_settings, is_identity, quantizer_of, refused

aten = torch.ops.aten
NO_FORM = "has no integer operation"
IN_FLOAT = "is computed in float"
USE_ANOTHER = "replace it, or leave this part of the network out of the firmware"
NO_FLOATS = "quantize what it reads, replace it, or move it out of the network (in front of the input or behind it)"


def lower(simulation: fx.GraphModule, *, name: str = "model") -> Program:
    """The program that computes what the simulation stands for, one image at a time.

    Tensors are named after the nodes of the graph that make them. Grids of unsigned 8-bit codes are shifted to signed.
    Only a last linear layer may leave the integers: its output is float32 and has no grid.

    Raises:
        ModelError: the model is no simulation.
        UnsupportedError: an operator has no integer operation, or floats flow into it; names it and its place.
    """
    if not is_captured(simulation) or not is_quantized(simulation):
        raise ModelError("Only a quantized model can be lowered to integer operations: quantize it first.")
    lowering = _Lowering(simulation)
    with torch.no_grad():
        outputs = lowering.outputs()
    builder = lowering.builder
    program = Program(
        name=name, tensors=builder.tensors, operations=tuple(builder.operations), inputs=tuple(builder.inputs),
        outputs=outputs,
    )  # fmt: skip
    return check(tidied(program))


class _Lowering(fx.Interpreter):
    """Runs the graph on `Codes` and `Floats`. What depends on neither (sizes, constants) is computed as it stands."""

    def __init__(self, net: fx.GraphModule) -> None:
        super().__init__(net)
        self.extra_traceback = False  # or torch.fx adds the lines of the user to errors that are one sentence
        self.net, self.builder = net, Builder()
        self.shapes = {key: spec.shape for key, spec in tensor_specs(net).items()}

    def outputs(self) -> tuple[str, ...]:
        """Lower all nodes; the names of the tensors that leave."""
        left: list[Any] = []
        fx.node.map_aggregate(self.run(*[None] * _num_inputs(self.net)), left.append)
        node = next(each for each in self.net.graph.nodes if each.op == "output")
        for each in left:
            if not isinstance(each, (Codes, Floats)) or each.tensor is None:
                raise refused(self.net, node, "gives a value that no operation makes", remedy=USE_ANOTHER)
        return tuple(each.tensor.name for each in left)

    def run_node(self, n: fx.Node) -> Any:
        if n.op == "placeholder":
            return Floats(shape=self._shape(n))
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        symbols = _symbols((args, kwargs))
        if n.op not in ("call_module", "call_function") or not symbols:
            return super().run_node(n)
        if n.target is operator.getitem:
            return args[0][args[1]]
        if n.target is aten.sym_size.int:
            return (1, *_shape_of(args[0]))[args[1]]
        if isinstance(layer_of(self.net, n), QuantizeActivation):
            return self._quantized(n, args[0])
        first = symbols[0]
        if is_identity(self.net, n) or (n.target in CLAMPS and isinstance(first, Codes) and first.made_for in n.users):
            return first  # the operator before a clamp has saturated its codes there
        return self._called(n, args, kwargs, symbols)

    def _called(self, node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any], symbols: list[Any]) -> Any:
        is_move = node.target in MOVES | SPLITS | SHUFFLES
        if is_move and isinstance(symbols[0], (Codes, Floats)):
            return self._moved(node, args, kwargs, symbols[0])
        if not all(isinstance(each, Codes) for each in symbols):
            raise refused(self.net, node, f"{IN_FLOAT}, for it reads float values", remedy=NO_FLOATS)
        if type(layer_of(self.net, node)) in LAYERS:
            return self._layer(node, symbols[0])
        if node.op == "call_module":
            raise refused(self.net, node, NO_FORM, remedy=USE_ANOTHER)
        return self._function(node, args, kwargs, symbols[0])

    # -- kinds of nodes -----------------------------------------------------------------------------------------------
    def _quantized(self, node: fx.Node, value: Any) -> Codes:
        layer: Any = layer_of(self.net, node)
        grid = self._signed(node, grid_of(layer))
        if isinstance(value, Codes):
            if value.made_for is node or holds(grid, value.grid):
                return Codes(tensor=value.tensor)
            target = self.builder.tensor(node.name, value.tensor.shape, grid)
            return Codes(tensor=self.builder.add("rescale", [value.tensor], target))
        if not isinstance(value, Floats) or value.tensor is not None:
            raise refused(self.net, node, "quantizes what is computed in float", remedy=NO_FLOATS)
        source = node.args[0]
        assert isinstance(source, fx.Node)
        tensor = self.builder.tensor(source.name, value.shape, grid)
        self.builder.inputs.append(tensor.name)
        return Codes(tensor=tensor)

    def _layer(self, node: fx.Node, x: Codes) -> Codes | Floats:
        layer: Any = layer_of(self.net, node)
        behind, shape = quantizer_of(self.net, node), self._shape(node)
        if behind is not None:
            output = self.builder.tensor(node.name, shape, self._signed(*behind))
            return Codes(tensor=add_layer(self.builder, layer, x.tensor, output), made_for=behind[0])
        if LAYERS[type(layer)][0] != "linear":
            raise refused(self.net, node, "leaves the integers", remedy="only a last linear layer may")
        output = self.builder.tensor(node.name, shape, None)
        return Floats(shape=shape, tensor=add_layer(self.builder, layer, x.tensor, output))

    def _function(self, node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any], x: Codes) -> Codes:
        keeping = keeping_form_of(node, rank=len(x.tensor.shape) + 1)
        form = keeping or (form_of(node) if has_plain_settings(node) else None)
        behind = None if keeping else quantizer_of(self.net, node)
        if form is None:
            raise refused(self.net, node, NO_FORM, remedy=USE_ANOTHER)
        if not keeping and behind is None:
            raise refused(self.net, node, f"{IN_FLOAT}, for no quantizer follows it alone", remedy=NO_FLOATS)
        call = Call(
            builder=self.builder, node=node, given=arguments(node, args, kwargs), shape=self._shape(node),
            grid=x.grid if behind is None else self._signed(*behind),
        )  # fmt: skip
        tensor = form(call)
        if tensor is None:
            raise refused(self.net, node, f"{NO_FORM} with these settings", remedy=USE_ANOTHER)
        return Codes(tensor=tensor, made_for=behind[0] if behind else None)

    def _moved(self, node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any], source: Codes | Floats) -> Any:
        """The move is tried on numbers; a split gives several tensors."""
        if source.tensor is None:
            raise refused(self.net, node, "moves the input before it is quantized", remedy=NO_FLOATS)
        tensor = source.tensor
        numbers = torch.arange(tensor.num_values).reshape(1, *tensor.shape)
        moved: Any = fx.node.map_aggregate((args, kwargs), lambda each: numbers if each is source else each)
        results = node.target(*moved[0], **moved[1])  # type: ignore[operator]
        several = isinstance(results, (tuple, list))
        made = [
            self._placed(node, source, each.numpy(), name=f"{node.name}_{place}" if several else node.name)
            for place, each in enumerate(results if several else [results])
        ]
        return made if several else made[0]

    def _placed(self, node: fx.Node, source: Codes | Floats, ids: np.ndarray, *, name: str) -> Codes | Floats:
        assert source.tensor is not None
        if ids.shape[:1] != (1,):
            raise refused(self.net, node, "mixes the images of a batch", remedy="keep the first axis for the batch")
        tensor = add_move(self.builder, source.tensor, ids[0], name=name)
        if tensor is None:
            raise refused(self.net, node, "moves values as no slice, reshape or transposition does", remedy=USE_ANOTHER)
        return Codes(tensor=tensor) if isinstance(source, Codes) else Floats(shape=tensor.shape, tensor=tensor)

    # -- facts --------------------------------------------------------------------------------------------------------
    def _shape(self, node: fx.Node) -> tuple[int, ...]:
        batch, *shape = self.shapes[node.name]
        if batch != 1:
            raise refused(self.net, node, "mixes the images of a batch", remedy="keep the first axis for the batch")
        return tuple(shape)

    def _signed(self, quantizer: fx.Node, grid: Grid) -> Grid:
        """A grid that is all or part of a quantizer's, in signed integers."""
        layer: Any = layer_of(self.net, quantizer)
        return as_signed(grid, bits=layer.bits, signed=layer.signed)


def _num_inputs(net: fx.GraphModule) -> int:
    return sum(node.op == "placeholder" for node in net.graph.nodes)


def _symbols(values: Any) -> list[Any]:
    """What stands for tensors among the arguments: names, and float constants beside them."""
    found: list[Any] = []

    def see(each: Any) -> None:
        if isinstance(each, (Codes, Floats)) or (isinstance(each, torch.Tensor) and each.is_floating_point()):
            found.append(each)

    fx.node.map_aggregate(values, see)
    return found if any(isinstance(each, (Codes, Floats)) for each in found) else []


def _shape_of(value: Codes | Floats) -> tuple[int, ...]:
    return value.tensor.shape if isinstance(value, Codes) else value.shape
