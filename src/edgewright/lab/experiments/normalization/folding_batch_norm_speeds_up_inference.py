"""Is a network faster when its batch norms are folded into its convolutions?

Claim: folding batch norm into convolutions speeds inference up.
Source: Jacob et al. 2018, CVPR, section 3.2, for the folding.
Expected: same outputs to rounding, and a time below 1 of the whole: one pass over memory less behind each convolution.
    The gain is large where convolutions are cheap (depthwise, pointwise on few channels) and small where they are dear.
See: folding_batch_norm_changes_nothing_but_cost
"""

from functools import partial

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ....seeding import torch_generator
from ...digits import built
from ...figures import bars
from ...finding import Finding, Number, judged
from ...timing import fastest_times

KINDS = {
    "depthwise 3x3, 32 channels": lambda: nn.Conv2d(32, 32, 3, padding=1, groups=32),
    "pointwise, 8 channels": lambda: nn.Conv2d(8, 8, 1),
    "3x3, 64 channels": lambda: nn.Conv2d(64, 64, 3, padding=1),
}
SIZE = 48


def run(seed: int, fast: bool) -> Finding:
    calls, gaps, generator = {}, [], torch_generator(seed, "input")
    for name, make in KINDS.items():
        convolution, norm = _pair(built(make, seed, name), generator)
        net, folded = nn.Sequential(convolution, norm).eval(), fuse_conv_bn_eval(convolution.eval(), norm.eval())
        x = torch.randn(1, convolution.in_channels, SIZE, SIZE, generator=generator)
        with torch.no_grad():
            gaps.append(float((net(x) - folded(x)).abs().max()))
        calls[f"{name}, two operators"] = partial(_often, net, x)
        calls[f"{name}, folded"] = partial(_often, folded, x)
    times = fastest_times(calls, repeats=8 if fast else 60)
    ratios = [times[f"{name}, folded"] / times[f"{name}, two operators"] for name in KINDS]
    found = dict(zip(KINDS, ratios, strict=True))
    numbers = [Number(name=f"time folded / not, {name}", value=ratio) for name, ratio in found.items()]
    numbers.append(Number(name="largest change of an output", value=max(gaps), expected=0.0, tolerance=1e-4))
    return judged(
        bool(numbers[-1].agrees), min(ratios) < 0.9, ratios[-1] > min(ratios),
        when="the convolution itself is cheap",
        summary="Folded layers take " + ", ".join(f"{ratio:.2f} ({name})" for name, ratio in found.items())
        + " of the time.",
        numbers=numbers,
        figure=bars("Time of a folded convolution over convolution and batch norm.", list(KINDS), value="time",
                    only=ratios),
    )  # fmt: skip


def _pair(convolution: nn.Module, generator: torch.Generator) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    assert isinstance(convolution, nn.Conv2d)
    norm = nn.BatchNorm2d(convolution.out_channels)
    assert norm.running_mean is not None and norm.running_var is not None
    norm.running_mean.normal_(generator=generator)
    norm.running_var.uniform_(0.5, 2, generator=generator)
    return convolution, norm


def _often(net: nn.Module, x: torch.Tensor) -> None:
    for _ in range(5):
        net(x)
