"""How a network is stored and when its activations are rounded, besides static integers (`simulate`).

    static       ranges from calibration images: integers (`simulate`) or short floats (`simulate_floats`)
    dynamic      ranges of the tensor at hand, on every call: linear layers compute in integers (`simulate_dynamic`)
    weight-only  weights in few bits, arithmetic in float (`simulate_weight_only`)

Each function takes a captured, folded network and gives a captured one that is saved, scored and exported like any
other. The first one needs calibration images, the others no data at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import fx, nn

from ...errors import ConfigError
from ...model import layer_of, rewrite
from ...model.dynamic import DYNAMIC
from ...model.floats import DTYPES, FLOATS, SCALED, RoundActivation, float_scale
from ...model.layers import settings_of
from ...model.quantized import IntegerWeights, minmax_scales
from ...model.weight_only import WEIGHT_ONLY, grouped, searched_grid
from ...types import QuantSpec
from .placement import Plan
from .precision import Precision

DEFAULT = Precision()
INTEGERS = "int"
FORMATS = (INTEGERS, *DTYPES)
MODES = ("static", "dynamic", "weight-only")
GRANULARITIES = ("channel", "tensor", "group")


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """Which numbers, and when activations are rounded. Bits are in `Precision`.

    Args:
        mode: static, dynamic or weight-only.
        format: int, fp16, bf16, fp8-e4m3 or fp8-e5m2; fp8 is simulated, no file holds it.
        granularity: what has a weight scale of its own: a channel, the tensor, or a group of `group_size` weights.
        group_size: largest number of weights in a group along the inputs of a channel; groups are equal.
        symmetric: weights have no zero point; affine weights cover the range from the least to the largest.
        signed: codes of affine weights lie around 0; unsigned ones begin at 0. The values are the same.
    """

    mode: Literal["static", "dynamic", "weight-only"] = "static"
    format: str = INTEGERS
    granularity: Literal["channel", "tensor", "group"] = "channel"
    group_size: int | None = None
    symmetric: bool = True
    signed: bool = True

    def __post_init__(self) -> None:
        for name, value, known in (
            ("mode", self.mode, MODES), ("format", self.format, FORMATS),
            ("granularity", self.granularity, GRANULARITIES),
        ):  # fmt: skip
            if value not in known:
                raise ConfigError(f"Scheme.{name} is one of {', '.join(known)}, got {value!r}.")
        reason = next((sentence for impossible, sentence in self._obstacles() if impossible), None)
        if reason is not None:
            raise ConfigError(reason)

    def _obstacles(self) -> tuple[tuple[bool, str], ...]:
        """Combinations that no arithmetic here computes, each with the sentence that says so."""
        stored = self.mode == "weight-only" and self.format == INTEGERS
        plain = self.granularity == "channel" and self.symmetric and self.signed
        return (
            (self.format != INTEGERS and self.mode == "dynamic",
             f"A dynamic scheme has integers, got format {self.format}: use static or weight-only."),
            (self.format != INTEGERS and not plain,
             f"Weights in {self.format} have no granularity and no zero point: leave those settings out."),
            (not self.symmetric and not stored,
             f"Affine weights exist in a weight-only scheme of integers, got mode {self.mode}: integer sums would "
             "pay for their zero points."),
            (self.granularity == "group" and not stored,
             f"Weights in groups exist in a weight-only scheme of integers, got mode {self.mode}: a sum over several "
             "scales is no integer sum."),
            ((self.group_size is None) == (self.granularity == "group"),
             f"A group size belongs to granularity group, got granularity {self.granularity} and group size "
             f"{self.group_size}."),
            (self.group_size is not None and self.group_size < 2,
             f"A group holds 2 weights or more, got {self.group_size}."),
            (self.symmetric and not self.signed,
             "Symmetric weights are signed: set symmetric=False for unsigned codes."),
        )  # fmt: skip


WEIGHTS_ONLY = Scheme(mode="weight-only")


def simulate_weight_only(
    net: fx.GraphModule, *, scheme: Scheme = WEIGHTS_ONLY, precision: Precision = DEFAULT
) -> fx.GraphModule:
    """`net` (folded, eval) with the weights of its convolutions and linear layers in few bits; activations stay float.

    Args:
        scheme: the grids of the weights, or the float format that they have.
        precision: bits of integer weights, for all layers or each.
    """
    _expect(scheme, "weight-only")
    if scheme.format != INTEGERS:
        return _exchange(net, FLOATS, lambda new, node: new.fit_scale(), {"format": scheme.format})
    shared = {"group_size": scheme.group_size, "symmetric": scheme.symmetric, "signed": scheme.signed}
    per_tensor = scheme.granularity == "tensor"
    bits = {node.name: {"bits": precision.of_layer(node.name)} for node in net.graph.nodes}
    return _exchange(net, WEIGHT_ONLY, lambda new, node: _fit_grid(new, per_tensor=per_tensor), shared, each=bits)


def simulate_dynamic(
    net: fx.GraphModule,
    plan: Plan,
    *,
    scheme: Scheme = Scheme(mode="dynamic"),
    precision: Precision = DEFAULT,
    convolutions: bool = False,
) -> fx.GraphModule:
    """`net` (folded, eval) with linear layers that quantize what they read on every call.

    The plan's other layers get integer weights and compute in float: ONNX Runtime's integer convolutions with dynamic
    ranges are no faster than its float ones.

    Args:
        convolutions: quantize the input of convolutions too (those with one group).
    """
    _expect(scheme, "dynamic")
    per_tensor = scheme.granularity == "tensor"
    chosen = {name for name in plan.layers if _is_dynamic(_layer(net, name), convolutions=convolutions)}
    bits = {name: {"bits": precision.of_layer(name)} for name in plan.layers}

    def fit(new: Any, node: fx.Node) -> None:
        new.set_grid(weight_scale=_scales(new, per_tensor=per_tensor), input_scale=torch.ones(()))

    linear = _exchange(net, DYNAMIC, fit, {}, each={name: bits[name] for name in chosen}, only=chosen)
    rest = set(plan.layers) - chosen
    return _exchange(
        linear, WEIGHT_ONLY, lambda new, node: _fit_grid(new, per_tensor=per_tensor), {}, each=bits, only=rest
    )


def simulate_floats(
    net: fx.GraphModule,
    plan: Plan,
    *,
    format: str,
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> fx.GraphModule:
    """`net` (folded, eval) in a short float format: weights, and activations at the points of the plan.

    Args:
        format: fp16, bf16, fp8-e4m3 or fp8-e5m2.
        ranges: of each point, by which an 8-bit format scales it; not read for the 16-bit formats.

    Raises:
        ConfigError: an 8-bit format without ranges; an unknown format.
    """
    if format not in DTYPES:
        raise ConfigError(f"A float format is one of {', '.join(DTYPES)}, got {format!r}.")
    if format in SCALED and ranges is None:
        raise ConfigError(
            f"{format} scales each tensor by its largest magnitude: give the ranges of the plan's points."
        )

    def edit(changed: fx.GraphModule) -> None:
        nodes = {node.name: node for node in changed.graph.nodes}
        for name in plan.points:
            layer = RoundActivation(format)
            if ranges is not None:
                low, high = plan.fixed.get(name, ranges[name])
                layer.scale.copy_(float_scale(torch.tensor(max(-low, high, 0.0)), format))
            _insert(changed, nodes[name], layer)

    return rewrite(_exchange(net, FLOATS, lambda new, node: new.fit_scale(), {"format": format}), edit).eval()


def with_tensor_scales(simulation: fx.GraphModule) -> fx.GraphModule:
    """A static simulation whose layers have one weight scale for all their channels, that of the largest weight."""

    def edit(changed: fx.GraphModule) -> None:
        for layer in changed.modules():
            if isinstance(layer, IntegerWeights):
                layer.set_grid(weight_scale=_scales(layer, per_tensor=True), input_scale=layer.input_scale)

    return rewrite(simulation, edit).eval()


def _expect(scheme: Scheme, mode: str) -> None:
    if scheme.mode != mode:
        raise ConfigError(f"This simulation needs a {mode} scheme, got {scheme.mode}.")


def _scales(layer: IntegerWeights, *, per_tensor: bool) -> torch.Tensor:
    """One scale per output channel, found as `_fit_grid` finds it."""
    if layer.bits == 8 or not per_tensor:
        return minmax_scales(layer, bits=layer.bits, per_tensor=per_tensor)  # type: ignore[arg-type]
    rows_OR = layer.weight.detach().transpose(0, layer.weight_axis).flatten(1)
    grid = QuantSpec(scale=(1.0,), zero_point=(0,), bits=layer.bits, symmetric=True)
    return searched_grid(grouped(rows_OR, None), grid, per_tensor=True)[0][:, 0]


def _fit_grid(layer: Any, *, per_tensor: bool) -> None:
    """Whole ranges, but where few codes serve a whole tensor: there the part that leaves the least squared error.

    CIFAR-10 scores of resnet20 at 3 bits, whole against searched: tensor 21.3, 51.9; channel 73.0, 67.7; groups of 32
    82.7, 76.6. What clipping takes from a channel's largest weights it takes from all of its outputs.
    """
    layer.fit_grid(per_tensor=per_tensor, search=per_tensor and layer.bits < 8)


def _layer(net: fx.GraphModule, name: str) -> nn.Module | None:
    return next(layer_of(net, node) for node in net.graph.nodes if node.name == name)


def _is_dynamic(layer: nn.Module | None, *, convolutions: bool) -> bool:
    if isinstance(layer, nn.Conv2d):
        return convolutions and layer.groups == 1  # in groups ONNX Runtime's integer convolution is far slower
    return isinstance(layer, nn.Linear)


def _exchange(
    net: fx.GraphModule,
    kinds: Mapping[type[nn.Module], type[nn.Module]],
    fit: Any,
    shared: Mapping[str, Any],
    *,
    each: Mapping[str, Mapping[str, Any]] | None = None,
    only: set[str] | None = None,
) -> fx.GraphModule:
    """A copy of `net` with the layers of `kinds` in their other form, fitted to their weights."""

    def edit(changed: fx.GraphModule) -> None:
        for node in changed.graph.nodes:
            layer = layer_of(changed, node)
            if type(layer) not in kinds or (only is not None and node.name not in only):
                continue
            assert layer is not None
            settings = {**settings_of(layer), **shared, **((each or {}).get(node.name, {}))}
            with torch.random.fork_rng(devices=[]):  # a new layer draws weights, which are replaced at once
                new = kinds[type(layer)](**settings)
            new.load_state_dict(layer.state_dict(), strict=False)
            fit(new, node)
            changed.set_submodule(str(node.target), new)

    return rewrite(net, edit).eval()


def _insert(net: fx.GraphModule, node: fx.Node, layer: nn.Module) -> None:
    """Let what reads `node` read `layer(node)`."""
    path = f"quantizers.{node.name}"
    net.add_submodule(path, layer)
    with net.graph.inserting_after(node):
        called = net.graph.create_node("call_module", path, (node,), name=f"{node.name}_rounded")
    node.replace_all_uses_with(called, delete_user_cb=lambda user: user is not called)
