"""The simulation against the integer reference, operator by operator, each fed the simulation's own codes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import fx

from ...errors import ModelError
from ...model import is_captured, layer_of
from ...model.quantized import QuantizeActivation, is_quantized
from ...program.lowering.meaning import operator_name, quantizer_of
from .codes import all_codes
from .walk import computed, handed_on, is_defined, quantized

BATCH = 4  # images at a time: every tensor of a run is held


@dataclass(frozen=True, kw_only=True)
class LayerParity:
    """How far one operator of the simulation is from the integer reference, in steps of its output's grid.

    Attributes:
        tensor: the quantizer behind the operator.
        max_steps: None where the reference refuses, see `refused`.
        refused: why there is nothing to compare: a sum beyond 32 bits.
    """

    tensor: str
    operator: str
    max_steps: int | None
    mean_steps: float | None
    share_equal: float | None
    refused: str = ""


@dataclass(frozen=True, kw_only=True)
class ReferenceParity:
    """All operators that compute in integers.

    Attributes:
        undefined: kinds of operators between integers that the reference does not define -> how many.
    """

    layers: tuple[LayerParity, ...]
    undefined: dict[str, int]

    @property
    def max_steps(self) -> int:
        return max((layer.max_steps or 0 for layer in self.layers), default=0)


def compare_with_reference(simulation: fx.GraphModule, images_BCHW: torch.Tensor) -> ReferenceParity:
    """Compute every quantized tensor by the integer reference, from the codes that the simulation gives its operator.

    A difference is this operator's own: none of an earlier one is in it.

    Raises:
        ModelError: the model is no simulation.
    """
    if not is_captured(simulation) or not is_quantized(simulation):
        raise ModelError("Only a quantized model can be compared with the integer reference: quantize it first.")
    found: dict[fx.Node, _Tally] = {}
    undefined: dict[fx.Node, str] = {}
    for batch_BCHW in images_BCHW.split(BATCH):
        _compare(simulation, batch_BCHW, found, undefined)
    return ReferenceParity(
        layers=tuple(tally.row(simulation, node) for node, tally in found.items()),
        undefined=dict(sorted(Counter(undefined.values()).items())),
    )


@dataclass
class _Tally:
    """Differences of one operator, summed over batches."""

    tensor: str
    max_steps: int = 0
    steps: int = 0
    equal: int = 0
    total: int = 0
    refused: str = field(default="")

    def add(self, got: np.ndarray, want: np.ndarray) -> None:
        steps = np.abs(got - want)
        self.max_steps = max(self.max_steps, int(steps.max(initial=0)))
        self.steps, self.equal, self.total = (
            self.steps + int(steps.sum()), self.equal + int((steps == 0).sum()), self.total + steps.size,
        )  # fmt: skip

    def row(self, net: fx.GraphModule, node: fx.Node) -> LayerParity:
        known = not self.refused
        return LayerParity(
            tensor=self.tensor, operator=operator_name(net, node), max_steps=self.max_steps if known else None,
            mean_steps=self.steps / self.total if known else None,
            share_equal=self.equal / self.total if known else None, refused=self.refused,
        )  # fmt: skip


class _Recorder(fx.Interpreter):
    """Keeps what every node makes, sizes too."""

    def __init__(self, net: fx.GraphModule) -> None:
        super().__init__(net)
        self.values: dict[fx.Node, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        self.values[n] = super().run_node(n)
        return self.values[n]


def _compare(
    net: fx.GraphModule, images_BCHW: torch.Tensor, found: dict[fx.Node, _Tally], undefined: dict[fx.Node, str]
) -> None:
    """One batch: every node's codes, and the reference's beside them."""
    recorder = _Recorder(net)
    with torch.no_grad():
        recorder.run(images_BCHW)
    known: dict[fx.Node, Any] = {}  # codes where a tensor has some
    for node, value in recorder.values.items():
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), lambda each: known.get(each, recorder.values[each]))
        codes = _codes(net, node, args, kwargs, value)
        if codes is not None:
            known[node] = codes
            continue
        behind = quantizer_of(net, node)
        if behind is None or node.op == "placeholder" or all_codes((args, kwargs)) is None:
            continue
        if not is_defined(net, node):
            undefined[node] = operator_name(net, node)
            continue
        tally = found.setdefault(node, _Tally(tensor=behind[0].name))
        try:
            want = computed(net, node, args, kwargs, behind[1])
        except OverflowError as error:
            tally.refused = str(error)
            continue
        tally.add(quantized(layer_of(net, behind[0]), recorder.values[behind[0]]).array, want)


def _codes(net: fx.GraphModule, node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any], value: Any) -> Any:
    """The codes of a quantized tensor and of what only moves it; None for anything else."""
    layer = layer_of(net, node)
    if isinstance(layer, QuantizeActivation):
        return quantized(layer, value)
    return handed_on(net, node, args, kwargs) if node.op in ("call_module", "call_function") else None
