"""Can a residual block fall back to doing nothing?

Claim: with the gain of its last batch norm at 0 a residual block is the identity, so that added depth need not hurt.
Source: He et al. 2016, CVPR, section 3.1; Goyal et al. 2017, arXiv 1706.02677, section 5.1 (the zero gain).
Expected: outputs equal the inputs bit for bit while these are at least 0 (behind a ReLU); a plain block of the same
    layers gives 0 whatever it sees; the gradient reaches the input whole, and the gain itself still learns.
See: residual_paths_carry_gradients
"""

import torch
from torch import Tensor, nn

from ....seeding import torch_generator
from ...digits import built
from ...figures import bars
from ...finding import Finding, Number, judged

BLOCKS = 20


def run(seed: int, fast: bool) -> Finding:
    blocks = [built(_branch, seed, "block", at).train() for at in range(BLOCKS)]
    start = torch.randn(8, 8, 6, 6, generator=torch_generator(seed, "image")).relu()
    start.requires_grad_()
    x, plain = start, start
    for block in blocks:
        x, plain = (x + block(x)).relu(), block(plain).relu()
    direction = torch.randn(x.shape, generator=torch_generator(seed, "slope")) * (start.detach() > 0)
    (x * direction).sum().backward()
    assert start.grad is not None
    gains = torch.stack([_gain(block).grad.norm() for block in blocks])  # type: ignore[union-attr]
    numbers = (
        Number(name="largest change by 20 residual blocks", value=_largest(x - start), expected=0.0),
        Number(name="largest value behind 20 plain blocks", value=_largest(plain), expected=0.0),
        Number(name="largest change of the gradient", value=_largest(start.grad - direction), expected=0.0),
        Number(name="smallest gradient of a gain", value=float(gains.min())),
        Number(name="gradient of the first convolution", expected=0.0,
               value=_largest(next(blocks[0].parameters()).grad)),
    )  # fmt: skip
    return judged(
        all(each.agrees is not False for each in numbers), numbers[3].value > 1e-3,
        summary=f"{BLOCKS} residual blocks with a gain of 0 change nothing, forwards or backwards; every gain learns "
        f"(gradient of {numbers[3].value:.1f} and more), and behind plain blocks nothing is left.",
        numbers=numbers,
        figure=bars("Gradient of each block's last gain at the start.", [f"block {at + 1}" for at in range(BLOCKS)],
                    value="|gradient|", only=[float(each) for each in gains]),
    )  # fmt: skip


def _branch() -> nn.Sequential:
    layers = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
                           nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8))  # fmt: skip
    nn.init.zeros_(layers[-1].weight)  # type: ignore[arg-type]
    return layers


def _gain(block: nn.Module) -> Tensor:
    return next(norm for norm in reversed(list(block.children()))).weight  # type: ignore[return-value]


def _largest(values: Tensor | None) -> float:
    assert values is not None
    return float(values.detach().abs().max())
