"""For each tensor the range method that costs its readers least, measured.

A method that wins on the squared error of a tensor may lose on what the next operator makes of it: an outlier matters
as much as its weight. So each candidate range is tried on the tensor alone, and the error counts where it arrives: at
the outputs of the operators that read the tensor, behind the ReLU that follows them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx
from torch.utils import _pytree as pytree

from ....model.quantized import QuantizeActivation, affine_spec
from ....types import QuantSpec
from ..flow import Flow
from ..placement import Plan
from ..precision import Precision
from ..simulate import simulate
from .methods import DEFAULT, RANGE_METHODS, Range, ranges_of
from .observation import BATCH, Observation

PER_TENSOR = "per tensor"  # the name of the mixture among the methods
PIXELS = 2**20  # of all images that are tried: 20 of 224x224, and at most 64
Candidates = Mapping[str, Mapping[str, Range]]  # method -> tensor -> range


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The ranges that won, and the measurements that decided.

    Attributes:
        ranges: of each tensor.
        methods: of each tensor, the method whose range it is.
        noise: of each tensor (the first of those that share a grid) and method, noise over signal at its readers,
            summed over them.
        output_sqnr_db: of each method used for all tensors, and of the mixture "per tensor": signal over noise of the
            model's outputs, weights at 8 bits.
        method: the winner among the keys of `output_sqnr_db`.
    """

    ranges: dict[str, Range]
    methods: dict[str, str]
    noise: dict[str, dict[str, float]]
    output_sqnr_db: dict[str, float]
    method: str


def best_ranges(
    net: fx.GraphModule,
    plan: Plan,
    candidates: Candidates,
    images_BCHW: torch.Tensor,
    *,
    precision: Precision = DEFAULT,
) -> Chosen:
    """Choose a range method for each tensor, and check the mixture against each method used for all.

    Takes the time of about 2 (m + 1) forward passes for m methods, over as many images as make a million pixels (20 of
    224x224; at least 8, at most 64), whatever the number of tensors.

    Args:
        net: folded, in eval mode.
        candidates: the ranges of each method, see `candidate_ranges`; on a tie the earlier method wins.
        images_BCHW: calibration images; those at the front are used.
        precision: bits of the activations; the weights are left at 8 bits, so that their noise does not hide what
            is compared.
    """
    images_BCHW = images_BCHW[: min(max(PIXELS // images_BCHW[0, 0].numel(), 8), 64)]
    noise = _noise_at_readers(net, plan, _specs(plan, candidates, precision), images_BCHW)
    leaders = _leaders(plan)
    methods = {name: _quietest(noise.get(leaders[name], {}), candidates) for name in plan.points}
    mixture = {name: candidates[method][name] for name, method in methods.items()}
    options: dict[str, Mapping[str, Range]] = {PER_TENSOR: mixture, **candidates}
    alike = replace(precision, weights=8, layers={})
    want = _outputs(net, images_BCHW)
    decibels = {
        each: sqnr_db(want, _outputs(simulate(net, plan, ranges, precision=alike), images_BCHW))
        for each, ranges in options.items()
    }
    winner = max(options, key=decibels.__getitem__)
    if winner != PER_TENSOR:
        methods = dict.fromkeys(plan.points, winner)
    return Chosen(
        ranges=dict(options[winner]), methods=methods, noise=noise, output_sqnr_db=decibels, method=winner
    )  # fmt: skip


def candidate_ranges(
    observations: Mapping[str, Observation], *, precision: Precision = DEFAULT, percentile: float = 99.99
) -> dict[str, dict[str, Range]]:
    """The ranges of every method."""
    return {
        each: ranges_of(observations, method=each, precision=precision, percentile=percentile)
        for each in RANGE_METHODS
    }  # fmt: skip


def sqnr_db(want: Iterable[torch.Tensor], got: Iterable[torch.Tensor]) -> float:
    """Power of the wanted values over the power of the difference, in dB; infinite when they are equal."""
    signal = noise = 0.0
    for each, other in zip(want, got, strict=True):
        signal += each.double().pow(2).sum().item()
        noise += (each - other).double().pow(2).sum().item()
    return 10 * math.log10(signal / noise) if signal and noise else math.inf if not noise else -math.inf


def _outputs(net: fx.GraphModule, images_BCHW: torch.Tensor) -> list[torch.Tensor]:
    with torch.no_grad():
        return [each for batch_BCHW in images_BCHW.split(BATCH) for each in _tensors(net(batch_BCHW))]


def _tensors(value: Any) -> list[torch.Tensor]:
    """The float tensors in what an operator returns."""
    leaves = pytree.tree_leaves(value)
    return [each for each in leaves if isinstance(each, torch.Tensor) and each.is_floating_point()]


def _leaders(plan: Plan) -> dict[str, str]:
    """Each point -> the first of those that share its grid."""
    return {name: name for name in plan.points} | {name: group[0] for group in plan.shared for name in group}


def _quietest(noise: Mapping[str, float], candidates: Candidates) -> str:
    """The method of least noise; the first one for a tensor that nothing reads or whose range is fixed."""
    return min(candidates, key=lambda method: noise.get(method, 0.0))


Specs = dict[str, dict[QuantSpec, list[str]]]  # tensor -> grid -> the methods that lead to it


def _specs(plan: Plan, candidates: Candidates, precision: Precision) -> Specs:
    specs: Specs = {name: {} for name in plan.points if name not in plan.fixed}
    for method, ranges in candidates.items():
        for name in specs:
            spec = affine_spec(*ranges[name], bits=precision.of_point(name))
            specs[name].setdefault(spec, []).append(method)
    return specs


def _noise_at_readers(
    net: fx.GraphModule, plan: Plan, specs: Specs, images_BCHW: torch.Tensor
) -> dict[str, dict[str, float]]:
    """First tensor of a grid -> method -> noise over signal, summed over readers, averaged over batches."""
    noise: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    leaders, batches = _leaders(plan), images_BCHW.split(BATCH)
    flow = Flow(net)
    for batch_BCHW in batches:
        probe = _Probe(flow, specs)
        with torch.no_grad():
            probe.run(batch_BCHW)
        for name, method, ratio in probe.found:
            noise[leaders[name]][method] += ratio / len(batches)
    return {name: dict(methods) for name, methods in noise.items()}


class _Probe(fx.Interpreter):
    """Runs a model, and each operator that reads a quantized tensor once more for each grid of that tensor."""

    def __init__(self, flow: Flow, specs: Specs) -> None:
        super().__init__(flow.net)
        self._flow, self._specs = flow, specs
        self.found: list[tuple[str, str, float]] = []  # tensor, method, noise over signal at one reader

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if not self._flow.is_passing(n):
            want = self._behind_clamp(n, value)
            for origin, arguments in self._quantized_arguments(n).items():
                self._try_grids(n, origin, arguments, want)
        return value

    def _quantized_arguments(self, node: fx.Node) -> dict[str, list[fx.Node]]:
        """Quantized tensor -> the arguments that carry its values: what lies between only moves them, so that rounding
        behind it is the same as rounding before."""
        found: dict[str, list[fx.Node]] = defaultdict(list)
        for argument in node.all_input_nodes:
            if isinstance(self.env[argument], torch.Tensor):
                origin = self._flow.origin(argument).name
                if origin in self._specs:
                    found[origin].append(argument)
        return found

    def _try_grids(self, node: fx.Node, origin: str, arguments: list[fx.Node], want: list[torch.Tensor]) -> None:
        signal = sum(each.double().pow(2).sum().item() for each in want)
        for spec, methods in self._specs[origin].items():
            quantize = QuantizeActivation.of(spec)
            rounded = {argument: quantize(self.env[argument]) for argument in arguments}
            got = self._behind_clamp(node, self._rerun(node, rounded))
            noise = sum((a - b).double().pow(2).sum().item() for a, b in zip(want, got, strict=True))
            self.found += [(origin, method, noise / signal if signal else noise) for method in methods]

    def _rerun(self, node: fx.Node, instead: Mapping[fx.Node, Any]) -> Any:
        """What the node returns when some of its arguments have other values."""
        args, kwargs = fx.map_arg((node.args, node.kwargs), lambda each: instead.get(each, self.env.get(each)))
        return getattr(self, node.op)(node.target, args, kwargs)

    def _behind_clamp(self, node: fx.Node, value: Any) -> list[torch.Tensor]:
        """The tensors of `value`, taken through the clamp that alone reads the node, if one does."""
        behind = node if node.op == "output" else self._flow.point(node)
        return _tensors(value if behind is node else self._rerun(behind, {node: value}))
