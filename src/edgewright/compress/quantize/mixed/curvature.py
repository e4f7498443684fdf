"""Sensitivity from the curvature of the task's loss: no forward pass per number of bits.

    rise ~ trace(H) / n x ||Q(W) - W||^2             H the Hessian of the loss by the n weights of one layer

A layer is sensitive when its loss is curved and its rounding is coarse. Traces are estimated by Hutchinson's method:
the mean of v' H v over random signs v, layer by layer. (One v for all layers at once is right on average too, and a
pass cheaper per layer, but the products between layers then are noise: in a net of four layers the spread was 6 to 35
times as large.) For activations the Hessian is by the tensor itself.

Source: Dong et al. 2020, HAWQ-V2, arXiv:1911.03852, sections 3.1 and 3.3; Hutchinson 1990.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch import fx

from ....model import watch
from ....progress import SILENT, Progress
from ....seeding import torch_generator
from ....types import Task
from .probe import Kind, Part, Probe
from .sensitivity import Batches, BitSensitivity, trials


def curvature_rows(
    probe: Probe, traces: dict[Part, float], batches: Batches, *, bits: dict[Kind, Sequence[int]]
) -> tuple[BitSensitivity, ...]:
    """The rows of `sensitivities` from mean curvatures.

    Args:
        probe: the net, and where its grids come from.
        traces: of `mean_traces`, for the kinds in `bits`.
        batches: on which the rounding of activations is measured.
        bits: which to judge, by kind of part.
    """
    wanted = trials(probe, bits)
    tensors = [(part, width) for part, width in wanted if part.kind == "activations"]
    noise = _activation_noise(probe, tensors, batches)
    for part, width in wanted:
        if part.kind == "weights":
            exact = probe.layers[part.name].weight.detach()  # type: ignore[operator, union-attr]
            noise[part, width] = (probe.rounded_weight(part.name, width) - exact).double().square().sum().item()
    return tuple(
        BitSensitivity(
            kind=part.kind, name=part.name, bits=width, rise=max(traces[part], 0.0) * noise[part, width],
            measure="hessian",
        )
        for part, width in wanted
    )  # fmt: skip


def _activation_noise(probe: Probe, wanted: list[tuple[Part, int]], batches: Batches) -> dict[tuple[Part, int], float]:
    """||Q(z) - z||^2 of one image, the mean over all."""
    total: dict[tuple[Part, int], float] = defaultdict(float)
    readers = {member: part for part, _ in wanted for member in probe.members[part.name]}
    widths = {part: [width for other, width in wanted if other == part] for part, _ in wanted}

    def see(node: fx.Node, z: torch.Tensor) -> None:
        part = readers.get(node.name)
        if part is None:
            return
        for width in widths[part]:
            rounded = probe.quantizer(node.name, width)(z)
            total[part, width] += (rounded - z).double().square().sum().item()

    for inputs_BCHW, _ in batches if wanted else ():
        watch(probe.net, inputs_BCHW, see)
    count = sum(len(inputs_BCHW) for inputs_BCHW, _ in batches)
    return {key: value / count for key, value in total.items()}


def mean_traces(
    probe: Probe,
    task: Task,
    batches: Batches,
    *,
    kinds: Sequence[Kind] = ("weights",),
    num_draws: int = 2,
    seed: int = 0,
    progress: Progress = SILENT,
) -> dict[Part, float]:
    """trace(H) / n of each part, the mean over batches and over `num_draws` draws for each.

    For activations, n is the number of values of one image.
    """
    generator = torch_generator(seed, "quantize.curvature")
    total: dict[Part, float] = defaultdict(float)
    images = sum(len(inputs_BCHW) for inputs_BCHW, _ in batches)
    parts = [part for kind in kinds for part in probe.parts(kind)]
    with progress.task("Curvature", total=len(parts) * len(batches)) as bar:
        for inputs_BCHW, targets in batches:
            slopes = _Slopes(probe, task, kinds, (inputs_BCHW, targets))
            for part in parts:
                drawn = sum(slopes.draw(part, generator) for _ in range(num_draws)) / num_draws
                total[part] += drawn * len(inputs_BCHW) / images
                bar.advance(detail=part.name)
    return dict(total)


class _Slopes:
    """The slopes of one batch's loss by every part, kept so that they can be differentiated again."""

    def __init__(self, probe: Probe, task: Task, kinds: Sequence[Kind], batch: tuple[torch.Tensor, Any]) -> None:
        inputs_BCHW, targets = batch
        for switch in probe.switches.values():
            switch.wants_offset = "activations" in kinds
        loss = task.loss(probe.net(inputs_BCHW), targets)
        self.leaves = {part: _leaves(probe, part) for kind in kinds for part in probe.parts(kind)}
        samples = {"weights": 1, "activations": len(inputs_BCHW)}
        self.sizes = {part: sum(each.numel() for each in own) / samples[part.kind] for part, own in self.leaves.items()}
        flat = [each for own in self.leaves.values() for each in own]
        slopes = iter(torch.autograd.grad(loss, flat, create_graph=True, materialize_grads=True))
        self.slopes = {part: [next(slopes) for _ in own] for part, own in self.leaves.items()}
        for switch in probe.switches.values():
            switch.wants_offset, switch.offset = False, None

    def draw(self, part: Part, generator: torch.Generator) -> float:
        """v' H v / n of one part for one draw of signs."""
        own = self.leaves[part]
        signs = [2.0 * torch.randint(0, 2, each.shape, generator=generator) - 1.0 for each in own]
        along = torch.stack([(a * b).sum() for a, b in zip(self.slopes[part], signs, strict=True)]).sum()
        if not along.requires_grad:  # the loss is linear in it
            return 0.0
        bends = torch.autograd.grad(along, own, retain_graph=True, materialize_grads=True)
        return sum((sign * bend).sum().item() for sign, bend in zip(signs, bends, strict=True)) / self.sizes[part]


def _leaves(probe: Probe, part: Part) -> list[torch.Tensor]:
    """The tensors of one part that a loss can be differentiated by."""
    if part.kind == "weights":
        return [probe.layers[part.name].weight.requires_grad_()]  # type: ignore[operator, union-attr, list-item]
    offsets = [probe.switches[member].offset for member in probe.members[part.name]]
    assert all(each is not None for each in offsets)
    return offsets  # type: ignore[return-value]
