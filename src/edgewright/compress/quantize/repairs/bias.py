"""Bias correction: rounded weights shift the mean of each output channel, and the bias takes the shift back.

    bias  <-  bias + E[W x + b] - E[W_q x_q + b]        per output channel

Two ways to the expectations: measured on calibration images, or told from batch normalization alone.
Source: Nagel et al. 2019, arXiv:1906.04721, 4.2 and appendix D.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import fx, nn

from ....errors import ModelError
from ....model import layer_of
from ....model.quantized import IntegerWeights
from ....progress import SILENT, Progress
from .moments import Moments, propagate
from .sides import add_to_bias, response
from .stepping import Stepper, batches_of, channel_mean

BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Correction:
    """What was corrected.

    Attributes:
        shifts: node of a layer -> the largest magnitude added to its bias, graph order.
        refused: node of each other layer -> why its expected outputs are not known.
    """

    shifts: dict[str, float]
    refused: dict[str, str]


def correct_bias(
    simulation: fx.GraphModule, folded: fx.GraphModule, images_BCHW: torch.Tensor, *, progress: Progress = SILENT
) -> tuple[fx.GraphModule, Correction]:
    """A copy of `simulation` whose layers give the same channel means as those of `folded` on the images.

    Layers are corrected in graph order, each on inputs that the corrected ones before it give; the errors of rounded
    activations are corrected with those of rounded weights. All tensors between two layers are held for all images.

    Raises:
        DataError: no images, or of another shape.
        ModelError: a layer of the simulation is missing in `folded`.
    """
    corrected = copy.deepcopy(simulation)
    names = integer_layers(corrected, folded)
    wanted = Stepper(folded, batches_of(folded, images_BCHW, size=BATCH))
    got = Stepper(corrected, wanted.batches)
    shifts = {}
    with progress.task("correct biases", len(names)) as task:
        for name, layer in names.items():
            axis = -1 if isinstance(layer, nn.Linear) else 1
            shift_C = channel_mean(wanted.outputs(name), axis) - channel_mean(got.outputs(name), axis)
            if layer.bias is not None:
                layer.bias = nn.Parameter(layer.rounded_bias().detach())  # type: ignore[union-attr]
            add_to_bias(layer, shift_C)  # type: ignore[arg-type]  # to what it adds now: rounded once more, not twice
            shifts[name] = shift_C.abs().max().item()
            task.advance(detail=name)
    return corrected, Correction(shifts=shifts, refused={})


def correct_bias_analytic(
    simulation: fx.GraphModule, folded: fx.GraphModule, moments: Mapping[str, Moments]
) -> tuple[fx.GraphModule, Correction]:
    """A copy of `simulation` whose layers make up for the expected effect of their rounded weights, without images.

    Args:
        moments: what is known about the layers' outputs: `batch_norm_moments` of the unfolded net, `scaled` when it
            was equalized. A layer whose input cannot be told from them (the image, a maximum over windows, what no
            batch normalization precedes) is left as it is. After a split: `duplicated`. Zeros around padded maps
            are not looked at.

    Raises:
        ModelError: a layer of the simulation is missing in `folded`.
    """
    corrected = copy.deepcopy(simulation)
    nodes = {node.name: node for node in folded.graph.nodes}
    expected = propagate(folded, moments)
    shifts, refused = {}, {}
    for name, layer in integer_layers(corrected, folded).items():
        source = nodes[name].args[0]
        assert isinstance(source, fx.Node)
        if source.name not in expected:
            refused[name] = f"the mean of its input {source.name} does not follow from batch normalization"
            continue
        exact = layer_of(folded, nodes[name])
        assert exact is not None
        error = layer.rounded_weight() - exact.weight.detach()  # type: ignore[operator]
        shift_C = -response(layer, error.double(), expected[source.name].mean_C)  # type: ignore[arg-type]
        add_to_bias(layer, shift_C)  # type: ignore[arg-type]
        shifts[name] = shift_C.abs().max().item()
    return corrected, Correction(shifts=shifts, refused=refused)


def integer_layers(simulation: fx.GraphModule, folded: fx.GraphModule) -> dict[str, IntegerWeights]:
    """The layers of a simulation by the name of their node, in graph order.

    Raises:
        ModelError: one of them is missing in `folded`.
    """
    known = {node.name for node in folded.graph.nodes}
    calls = [(str(node.name), layer_of(simulation, node)) for node in simulation.graph.nodes]
    found: dict[str, IntegerWeights] = {name: layer for name, layer in calls if isinstance(layer, IntegerWeights)}  # type: ignore[misc]
    missing = sorted(found.keys() - known)
    if missing:
        raise ModelError(
            f"The simulation and the float net do not belong together: layer {missing[0]} is missing in the float "
            "net; pass the folded net that was simulated."
        )
    return found
