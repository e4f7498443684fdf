"""Learned rounding: for each weight, up or down, whichever keeps the layer's output.

    W_q = s clip(floor(W/s) + h(V), -top, top)        h(V) = clip(1.2 sigmoid(V) - 0.1, 0, 1)
    least  | f(W_q x_q + b) - f(W x + b) |^2  +  strength * sum (1 - |2 h(V) - 1|^beta)

Rounding every weight to its nearest code makes the smallest error in each weight, not in their sum: errors of one
output can be made to cancel. f is the clamp behind the layer, x_q what the layers before, rounded already, give. Beta
falls from 20 to 2, which first lets h move and then drives it to 0 or 1. Source: Nagel et al. 2020, arXiv:2004.10568.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import fx, nn

from ....errors import ConfigError
from ....model.functions import CLAMPS, clamp_bounds
from ....model.quantized import IntegerWeights
from ....progress import SILENT, Progress
from ....seeding import torch_generator
from .bias import integer_layers
from .patches import as_matrices, multiply, sample_positions
from .sides import sided, unsided
from .stepping import Stepper, batches_of

ZETA, GAMMA = 1.1, -0.1  # the sigmoid is stretched beyond 0 and 1, so that h reaches both (Louizos 2018)
BETA = (20.0, 2.0)  # sharpness of the regularizer, first and last
LARGEST_POOL = 2**26  # values of one layer's inputs that are kept, 256 MB
Clamp = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class LearnRounding:
    """How rounding is learned.

    Args:
        iterations: steps of Adam per layer.
        batch_size: positions of a layer's output per step, from all images.
        positions: of each layer's output that are drawn once and kept, fewer for layers that read many values.
        lr: step size of Adam on V.
        strength: weight of the regularizer against the output error, which counts 1 at rounding to the nearest code.
        warmup: the share of the steps without regularizer.
        up_to_bits: layers with more bits are left as they are.
    """

    iterations: int = 1000
    batch_size: int = 1024
    positions: int = 16384
    lr: float = 1e-2
    strength: float = 1.0
    warmup: float = 0.2
    up_to_bits: int = 8

    def __post_init__(self) -> None:
        for name in ("iterations", "batch_size", "positions", "lr", "strength"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"LearnRounding.{name} must be above 0, got {getattr(self, name)}.")
        if not 0 <= self.warmup < 1:
            raise ConfigError(f"LearnRounding.warmup is a share of the steps in [0, 1), got {self.warmup}.")


@dataclass(frozen=True, kw_only=True)
class LayerRounding:
    """One layer: mean squared error of its output behind the clamp, nearest codes against learned ones, and the share
    of the weights whose code changed."""

    mse_nearest: float
    mse_learned: float
    changed: float


@dataclass(frozen=True, kw_only=True)
class Rounding:
    """What was learned, by node of the layer in graph order, and why the others were left as they are."""

    layers: dict[str, LayerRounding]
    refused: dict[str, str]


DEFAULT = LearnRounding()


def learn_rounding(
    simulation: fx.GraphModule, folded: fx.GraphModule, images_BCHW: torch.Tensor, *,
    settings: LearnRounding = DEFAULT, seed: int = 0, progress: Progress = SILENT,
) -> tuple[fx.GraphModule, Rounding]:  # fmt: skip
    """A copy of `simulation` whose weights are exactly the values of the learned codes; no grid changes.

    Layers are learned in graph order. A layer whose learned codes give no smaller error on all drawn positions keeps
    its nearest ones. Nets and images may be on any one device. All tensors between two layers are held for all images.

    Raises:
        DataError: no images, or of another shape.
        ModelError: a layer of the simulation is missing in `folded`.
    """
    learned = copy.deepcopy(simulation)
    layers = integer_layers(learned, folded)
    nodes = {node.name: node for node in learned.graph.nodes}
    wanted = Stepper(folded, batches_of(folded, images_BCHW, size=32))
    got = Stepper(learned, wanted.batches)
    results, refused = {}, {}
    with progress.task("learn rounding", len(layers)) as task:
        for name, layer in layers.items():
            task.advance(detail=name)
            if layer.bits > settings.up_to_bits:
                refused[name] = f"its weights have {layer.bits} bits, more than {settings.up_to_bits}"
                continue
            generator = torch_generator(seed, "quantize.rounding", name)
            width = as_matrices(sided(layer, layer.weight)).shape  # type: ignore[arg-type]
            count = min(settings.positions, LARGEST_POOL // (width[0] * width[2]))
            pool = sample_positions(layer, got.inputs(name), wanted.outputs(name), count=count, generator=generator)  # type: ignore[arg-type]
            results[name] = _learn(layer, pool, clamp_behind(nodes[name]), settings, generator)
    return learned, Rounding(layers=results, refused=refused)


def clamp_behind(node: fx.Node) -> Clamp:
    """The ReLU or other clamp that alone reads a layer's output, or the identity."""
    readers = list(node.users)
    if len(readers) != 1 or readers[0].target not in CLAMPS:
        return lambda values: values
    low, high = clamp_bounds(readers[0])
    return lambda values: values.clamp(min=-math.inf if low is None else low, max=math.inf if high is None else high)


class _Choice:
    """The weights of a layer between two codes each."""

    def __init__(self, layer: IntegerWeights) -> None:
        assert isinstance(layer, nn.Module)
        self.layer, self.top = layer, layer.top
        shape = [1] * layer.weight.dim()
        shape[layer.weight_axis] = -1
        scale = layer.weight_scale.reshape(shape).expand_as(layer.weight)
        self.scale_GOD = as_matrices(sided(layer, scale))
        units = as_matrices(sided(layer, layer.weight.detach())) / self.scale_GOD
        self.nearest_GOD = units.round().clamp(-self.top, self.top)
        self.floor_GOD = units.floor()
        self.zero_GOD = units == 0  # stays 0: a sparse model is quantized to a sparse one
        start = ((units - self.floor_GOD - GAMMA) / (ZETA - GAMMA)).clamp(1e-4, 1 - 1e-4)
        self.v_GOD = torch.log(start / (1 - start)).requires_grad_()

    def up(self) -> torch.Tensor:
        """h(V): how far each weight is rounded up, 0 to 1."""
        return (torch.sigmoid(self.v_GOD) * (ZETA - GAMMA) + GAMMA).clamp(0, 1).masked_fill(self.zero_GOD, 0.0)

    def values(self, codes_GOD: torch.Tensor) -> torch.Tensor:
        return codes_GOD.clamp(-self.top, self.top) * self.scale_GOD

    def hard(self) -> torch.Tensor:
        return (self.floor_GOD + (self.up().detach() >= 0.5)).clamp(-self.top, self.top)

    def store(self, codes_GOD: torch.Tensor) -> None:
        """Make the float weights of the layer exactly the values of these codes."""
        layer = self.layer
        inner = sided(layer, layer.weight).shape  # type: ignore[arg-type]
        values = self.values(codes_GOD).reshape(inner)
        with torch.no_grad():
            layer.weight.copy_(unsided(layer, values))


def _learn(
    layer: IntegerWeights, pool: tuple[torch.Tensor, torch.Tensor], clamp: Clamp, settings: LearnRounding,
    generator: torch.Generator,
) -> LayerRounding:  # fmt: skip
    """Learn one layer's codes and store them."""
    choice = _Choice(layer)
    x_PGD, target_PGO = pool[0], clamp(pool[1])
    bias = layer.rounded_bias()
    bias_GO = 0.0 if bias is None else bias.detach().reshape(target_PGO.shape[1:])

    def error(codes_GOD: torch.Tensor, rows: torch.Tensor | slice) -> torch.Tensor:
        made = clamp(multiply(x_PGD[rows], choice.values(codes_GOD)) + bias_GO)
        return (made - target_PGO[rows]).pow(2).mean()

    everything = slice(None)
    with torch.no_grad():
        nearest = error(choice.nearest_GOD, everything).item()
    _descend(choice, lambda codes, rows: error(codes, rows) / max(nearest, 1e-30), len(x_PGD), settings, generator)
    with torch.no_grad():
        hard = choice.hard()
        learned = error(hard, everything).item()
    better = learned < nearest
    choice.store(hard if better else choice.nearest_GOD)
    changed = (hard != choice.nearest_GOD).double().mean().item() if better else 0.0
    return LayerRounding(mse_nearest=nearest, mse_learned=min(learned, nearest), changed=changed)


def _descend(
    choice: _Choice, error: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], num_positions: int,
    settings: LearnRounding, generator: torch.Generator,
) -> None:  # fmt: skip
    optimizer = torch.optim.Adam([choice.v_GOD], lr=settings.lr)
    device, size = choice.v_GOD.device, min(settings.batch_size, num_positions)
    for step in range(settings.iterations):
        rows = torch.randint(num_positions, (size,), generator=generator).to(device)
        up = choice.up()
        loss = error(choice.floor_GOD + up, rows)
        progress = (step / settings.iterations - settings.warmup) / (1 - settings.warmup)
        if progress >= 0:
            beta = BETA[1] + (BETA[0] - BETA[1]) * 0.5 * (1 + math.cos(math.pi * progress))
            loss = loss + settings.strength * (1 - (2 * up - 1).abs().pow(beta)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
