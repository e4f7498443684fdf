"""Two steps around equalization that depend on what the values are: bounds that nothing reaches, biases too high.

`loosen_clamps` before it: a ReLU6 ends a link, a ReLU does not. `absorb_high_biases` behind it: a layer whose weights
were scaled up may have large biases, and a wide range of activations with them.
Source: Nagel et al. 2019, arXiv:1906.04721, 4.1.3 and 5.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import fx
from torch.nn.modules.conv import _ConvNd

from ....errors import ConfigError
from ....model import layer_of, rewrite
from ....model.functions import CLAMPS, clamp_bounds
from .links import Link, find_links
from .sides import TRANSPOSED, add_to_bias, response
from .stepping import Stepper, batches_of

aten = torch.ops.aten
BATCH = 32
SPREAD = 3.0  # standard deviations: of Gaussian values, 1 in 740 lies further below the mean


@dataclass(frozen=True, kw_only=True)
class Loosening:
    """Clamps whose upper bound was taken away -> the share of their values on the images that reached it; and why the
    others keep theirs."""

    loosened: dict[str, float]
    refused: dict[str, str]


def loosen_clamps(
    folded: fx.GraphModule, images_BCHW: torch.Tensor, *, share: float = 0.0
) -> tuple[fx.GraphModule, Loosening]:
    """A copy of `folded` in which every clamp to [0, bound] is a ReLU that reaches its bound in no more than `share`
    of its values. With `share` 0 both nets give the same on these images; on others they may differ.

    Raises:
        ConfigError: `share` is out of range.
        DataError: no images, or of another shape.
    """
    if not 0 <= share < 1:
        raise ConfigError(f"loosen_clamps takes a share of values in [0, 1), got {share}.")
    steps = Stepper(folded, batches_of(folded, images_BCHW, size=BATCH))
    loosened, refused = {}, {}
    for node in folded.graph.nodes:
        low, high = clamp_bounds(node) if node.target in CLAMPS else (None, None)
        if low != 0.0 or high is None:
            continue
        inputs = steps.inputs(node.name)
        reached = sum((each > high).sum().item() for each in inputs) / sum(each.numel() for each in inputs)
        if reached <= share:
            loosened[node.name] = reached
        else:
            refused[node.name] = f"{100 * reached:.3g} % of its values lie above its bound {high:g}"

    def edit(changed: fx.GraphModule) -> None:
        for node in changed.graph.nodes:
            if node.name in loosened:
                node.target, node.args, node.kwargs = aten.relu.default, node.args[:1], {}

    return rewrite(folded, edit).eval(), Loosening(loosened=loosened, refused=refused)


@dataclass(frozen=True, kw_only=True)
class Absorption:
    """Layers that gave up biases -> the largest amount; and why the first layers of other links did not."""

    absorbed: dict[str, float]
    refused: dict[str, str]


def absorb_high_biases(
    folded: fx.GraphModule, images_BCHW: torch.Tensor, *, spread: float = SPREAD
) -> tuple[fx.GraphModule, Absorption]:
    """A copy of `folded` where biases that keep a channel `spread` deviations above 0 sit behind the ReLU.

        relu(y) = relu(y - c) + c   wherever y >= c,   c = max(0, mean - spread * std)

    c goes from the bias of the layer before into that of the layer behind. Not exact: values below c, 1 in 740 of
    Gaussian ones at 3 deviations, gain up to c. Mean and deviation are measured on the images.

    Raises:
        ConfigError: `spread` is not above 0.
        DataError: no images, or of another shape.
    """
    if not spread > 0:
        raise ConfigError(f"absorb_high_biases takes a spread above 0 deviations, got {spread}.")
    steps = Stepper(folded, batches_of(folded, images_BCHW, size=BATCH))
    links = {link.first.name: link for link in find_links(folded).found}
    lowest = {name: _lowest(torch.cat(steps.outputs(name)), spread) for name in links}
    absorbed, refused = {}, {}

    def edit(changed: fx.GraphModule) -> None:
        nodes = {node.name: node for node in changed.graph.nodes}
        for name, link in links.items():
            first, second = layer_of(changed, nodes[name]), layer_of(changed, nodes[link.second.name])
            reason = _obstacle(link, second)
            if reason is not None:
                refused[name] = reason
                continue
            assert first is not None and second is not None
            add_to_bias(first, -lowest[name])
            level_C = lowest[name].repeat_interleave(link.repeat)
            add_to_bias(second, response(second, second.weight, level_C))  # type: ignore[arg-type]
            absorbed[name] = lowest[name].max().item()

    return rewrite(folded, edit).eval(), Absorption(absorbed=absorbed, refused=refused)


def _lowest(values: torch.Tensor, spread: float) -> torch.Tensor:
    """How far each channel (axis 1) lies above 0 with near certainty, 0 where it does not."""
    flat_CN = values.transpose(0, 1).flatten(1).double()
    return (flat_CN.mean(1) - spread * flat_CN.std(1, correction=0)).clamp_min(0.0)


def _obstacle(link: Link, second: object) -> str | None:
    """Why a constant cannot move past what lies between two layers, or None."""
    only_relu: Callable[[fx.Node], bool] = lambda node: node.target is aten.relu.default  # noqa: E731
    if not link.between or not all(map(only_relu, link.between)):
        return "something else than a ReLU lies between it and the next layer"
    if isinstance(second, TRANSPOSED) or (isinstance(second, _ConvNd) and any(second._reversed_padding_repeated_twice)):
        return f"{link.second.name} pads with zeros, which would have to become the constant"
    return None
