"""What does folding a batch norm into its convolution change?

Claim: at inference a batch norm behind a convolution folds into its weights: the same outputs, one operator and one
    pass over memory less for each; in front of a padded convolution it cannot be folded exactly.
Source: Jacob et al. 2018, CVPR, section 3.2.
Expected: W' = W g / sqrt(v + e), b' = (b - mu) g / sqrt(v + e) + beta: outputs equal to 1e-5 in float32; in front of a
    convolution with zero padding the border differs.
See: batch_norm_in_training_depends_on_batch_mates
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from ....analyze import profile
from ....seeding import torch_generator
from ...digits import built
from ...figures import bars
from ...finding import Finding, Number, judged


def run(seed: int, fast: bool) -> Finding:
    net = built(lambda: nn.Sequential(*(layer for width in (3, 16, 16) for layer in (
        nn.Conv2d(width, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()))), seed, "net").eval()  # fmt: skip
    generator = torch_generator(seed, "statistics")
    for norm in (each for each in net if isinstance(each, nn.BatchNorm2d)):
        norm.get_buffer("running_mean").normal_(generator=generator)
        norm.get_buffer("running_var").uniform_(0.5, 2, generator=generator)
    folded = _folded(net)
    x = torch.randn(2, 3, 16, 16, generator=generator)
    with torch.no_grad():
        gap = float((net(x) - folded(x)).abs().max())
        border, inside = _in_front(x, generator)
    before, after = (profile(each, input_shape=(3, 16, 16), fused=False) for each in (net, folded))
    moved = [sum(row.activation_bytes + row.weight_bytes for row in each.rows) for each in (before, after)]
    numbers = (
        Number(name="largest change of an output", value=gap, expected=0.0, tolerance=1e-5),
        Number(name="operators before", value=len(before.rows), expected=9), Number(name="operators after",
               value=len(after.rows), expected=6),
        Number(name="bytes moved after, over before", value=moved[1] / moved[0]),
        Number(name="folding a norm in front: error inside", value=inside, expected=0.0, tolerance=1e-5),
        Number(name="folding a norm in front: error at the border", value=border),
    )  # fmt: skip
    return judged(
        all(each.agrees is not False for each in numbers), moved[1] < 0.8 * moved[0], border > 1e-3,
        when="the norm stands behind the convolution",
        summary=f"Folding changes outputs by {gap:.0e}, saves 3 of 9 operators and {1 - moved[1] / moved[0]:.0%} of "
        f"the bytes moved; a norm in front of a padded convolution is off by {border:.2f} at the border.",
        numbers=numbers,
        figure=bars("Operator by operator, three blocks.", ["bytes moved", "operators"], value="share of before",
                    only=[moved[1] / moved[0], len(after.rows) / len(before.rows)]),
    )  # fmt: skip


def _folded(net: nn.Sequential) -> nn.Sequential:
    layers: list[nn.Module] = []
    conv: Any
    norm: Any
    for conv, norm, relu in zip(net[::3], net[1::3], net[2::3], strict=True):
        made: Any = nn.Conv2d(conv.in_channels, conv.out_channels, 3, padding=1).eval()
        gain = norm.weight / (norm.running_var + norm.eps).sqrt()
        made.weight.data = conv.weight.data * gain.data[:, None, None, None]
        made.bias.data = ((conv.bias - norm.running_mean) * gain + norm.bias).data
        layers += [made, relu]
    return nn.Sequential(*layers)


def _in_front(x: torch.Tensor, generator: torch.Generator) -> tuple[float, float]:
    """Error at the border and inside when y = conv(g x + b) is folded as conv'(x) + b'."""
    gain, shift = torch.tensor([2.0, 0.5, 1.0])[:, None, None], torch.tensor([1.0, -1.0, 0.5])[:, None, None]
    weight = torch.randn(4, 3, 3, 3, generator=generator)
    want = functional.conv2d(gain * x + shift, weight, padding=1)
    found = functional.conv2d(x, weight * gain[:, 0, 0][None, :, None, None], padding=1) + (
        weight * shift[:, 0, 0][None, :, None, None]).sum((1, 2, 3))[:, None, None]  # fmt: skip
    error = (want - found).abs()
    return float(error[:, :, 0].max()), float(error[:, :, 1:-1, 1:-1].max())
