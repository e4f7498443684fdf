"""What a training may pay for channels: penalties that pull to zero what a cut will look for.

A penalty is built for a model and its coupled channels, and then asked for its value on the copy that is trained. It
is added to the loss, so its gradient is the one of the source (for |x| the sign, 0 at 0): scales shrink until they
wander about 0 by a learning rate times the strength, they do not stop at it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ...errors import ConfigError
from ...model import ChannelMap
from .scores import SCORES, ClassSums, Scores, Scoring

Penalty = Callable[[nn.Module], torch.Tensor]  # the copy that is trained -> a number without axes
NEVER_ZERO = 1e-12  # below the root of a class: its slope at 0 is not finite


def bn_l1(net: fx.GraphModule, channels: ChannelMap) -> Penalty:
    """Sum of |gamma| over the batch norms whose channels can be cut. Feeds the score "bn-scale".

    Raises:
        ConfigError: there is no such batch norm.

    Source: Liu et al. 2017, Network Slimming, arXiv:1708.06519, equation 1.
    """
    touched = {member.path for group in channels.free for member in group.members if member.side == "scale"}
    names = [
        f"{path}.weight"
        for path, layer in net.named_modules()
        if path in touched and isinstance(layer, _BatchNorm) and layer.affine
    ]
    if not names:
        raise ConfigError(
            "The penalty 'bn-l1' pulls at the scales of batch norm, and no group that can be cut has any: "
            "choose 'group-lasso'."
        )
    return lambda trained: torch.cat([trained.get_parameter(name) for name in names]).abs().sum()


def group_lasso(net: fx.GraphModule, channels: ChannelMap) -> Penalty:
    """Sum over the classes of sqrt(number of their parameters) times the Euclidean norm of all of them together.

    Rows, columns, scales and biases of a class shrink as one, so that whole classes go to zero. Feeds "l2".

    Source: Yuan and Lin 2006, Model selection and estimation in regression with grouped variables; for coupled
    channels Wen et al. 2016, arXiv:1608.03665, and Fang et al. 2023, arXiv:2301.12900, equation 5.
    """
    sums = ClassSums(net, channels)
    counts = sums({name: torch.ones_like(each) for name, each in net.named_parameters()})

    def penalty(trained: nn.Module) -> torch.Tensor:
        squares = sums({name: each.square() for name, each in trained.named_parameters()})
        return sum((counts[name].to(each.device) * (each + NEVER_ZERO)).sqrt().sum() for name, each in squares.items())  # type: ignore[return-value]

    return penalty


def l1(net: fx.GraphModule, channels: ChannelMap) -> Penalty:
    """Sum of |w| over all weights with two axes or more. Feeds the score "l1" and unstructured sparsity."""
    names = [name for name, each in net.named_parameters() if each.dim() > 1]
    return lambda trained: sum(trained.get_parameter(name).abs().sum() for name in names)  # type: ignore[return-value]


PENALTIES: Mapping[str, Callable[[fx.GraphModule, ChannelMap], Penalty]] = {
    "bn-l1": bn_l1,
    "group-lasso": group_lasso,
    "l1": l1,
}


def class_sizes(net: fx.GraphModule, channels: ChannelMap, penalty: str) -> Scores:
    """What a penalty pulls at, class by class: |gamma| for "bn-l1", the norm of all its parameters for the others."""
    if penalty == "bn-l1":
        return SCORES["bn-scale"](Scoring(net=net, channels=channels))
    squares = {name: each.detach().double().square() for name, each in net.named_parameters()}
    return {name: each.sqrt() for name, each in ClassSums(net, channels)(squares).items()}
