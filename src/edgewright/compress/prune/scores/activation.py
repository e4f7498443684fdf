"""How often a channel has something to say."""

from __future__ import annotations

import torch
from torch import fx

from ....errors import ConfigError
from ....model import watch
from ....model.channels import Labels, name_of
from .magnitude import l2
from .scoring import Scores, Scoring, completed, images_of

NUM_IMAGES = 256  # of the calibration set, as many as `contribution` looks at
RECTIFIERS = {"relu", "relu6", "hardtanh", "hardswish", "clamp_min", "clamp"}  # what may give exact zeros


def apoz(scoring: Scoring) -> Scores:
    """One minus the average percentage of zeros (APoZ): the share of non-zero values behind the ReLUs of a class.

    The mean over all rectifiers (ReLU, ReLU6, hard-swish, clamps) that the class passes through, over images and
    positions. A group that meets none (GELU, linear bottlenecks) is ranked by `l2` and counts as an average one.

    Raises:
        ConfigError: there are no images, or no group that can be cut meets a rectifier.

    Source: Hu et al. 2016, Network Trimming, arXiv:1607.03250.
    """
    _, data = images_of(scoring, "apoz")
    shares = _shares(scoring, data.calibration(NUM_IMAGES, scoring.seed))
    found = {}
    for group in scoring.channels.free:
        seen = [shares[root] for root in group.classes if root in shares]
        if len(seen) == group.num_classes:
            found[group.name] = torch.tensor([sum(each) / len(each) for each in seen], dtype=torch.float64)
    if not found:
        raise ConfigError(
            "The score 'apoz' counts the zeros behind ReLUs, and no group that can be cut meets one: choose 'l2'."
        )
    return found if len(found) == len(scoring.channels.free) else completed(found, l2(scoring))


def _shares(scoring: Scoring, images_BCHW: torch.Tensor) -> dict[int, list[float]]:
    """Class id -> share of non-zero values of each of its channels at each rectifier."""
    trace = scoring.channels.trace
    shares: dict[int, list[float]] = {}

    def see(node: fx.Node, value: torch.Tensor) -> None:
        labels = trace.values.get(node)
        if node.op != "call_function" or name_of(node.target) not in RECTIFIERS or not isinstance(labels, Labels):
            return
        for axis in labels.axes[:1]:
            lively = (value != 0).double().movedim(axis, 0).flatten(start_dim=1).mean(dim=1)
            roots = trace.space.find(labels.along(axis))
            for root, share in zip(roots.tolist(), lively.tolist(), strict=True):
                shares.setdefault(root, []).append(share)

    watch(scoring.net, images_BCHW, see)
    return shares
