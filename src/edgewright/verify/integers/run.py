"""A simulation run in integers: codes flow from layer to layer, and nothing is float but what the plan left so."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from ...model import layer_of
from ...model.functions import CLAMPS
from ...model.quantized import QuantizeActivation
from ...program.lowering.meaning import grid_of, quantizer_of
from .codes import Codes, all_codes, dequantized
from .walk import computed, handed_on, is_defined, is_sums, quantized, sums_of


def run_in_integers(simulation: fx.GraphModule, images_BCHW: torch.Tensor) -> Any:
    """The outputs of a simulation when every quantized operator is computed by the integer reference.

    Errors of earlier layers are in those of later ones, as on a device. Operators that read or make float values are
    computed as in the simulation; so is one whose quantizer other operators share.

    Raises:
        OverflowError: a sum does not fit into 32 bits.
    """
    with torch.no_grad():
        return fx.node.map_aggregate(_Integers(simulation).run(images_BCHW), dequantized)


class _Integers(fx.Interpreter):
    def run_node(self, n: fx.Node) -> Any:
        if n.op not in ("call_module", "call_function"):
            return super().run_node(n)
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        layer = layer_of(self.module, n)  # type: ignore[arg-type]
        first = args[0] if args else None
        if isinstance(layer, QuantizeActivation):
            if isinstance(first, Codes) and first.made_for is n:
                return Codes(array=first.array, grid=grid_of(layer))
            return quantized(layer, first)
        if n.target in CLAMPS and isinstance(first, Codes) and first.made_for in n.users:
            return first  # the operator before it has saturated its codes there
        moved = handed_on(self.module, n, args, kwargs)  # type: ignore[arg-type]
        return self._compute(n, args, kwargs) if moved is None else moved

    def _compute(self, node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        net: fx.GraphModule = self.module  # type: ignore[assignment]
        if all_codes((args, kwargs)) is not None and is_defined(net, node):
            behind = quantizer_of(net, node)
            if behind is not None:
                return Codes(array=computed(net, node, args, kwargs, behind[1]), grid=behind[1], made_for=behind[0])
            if is_sums(net, node):
                return sums_of(net, node, args).values()
        args, kwargs = fx.node.map_aggregate((args, kwargs), dequantized)  # type: ignore[misc, assignment]
        return getattr(self, node.op)(node.target, args, kwargs)
