"""Blocks of known networks: stacked 3x3, fire, bottleneck, inverted residual, squeeze-excite.

Weights are for the block alone. With `size` its MACs are counted too.
"""

from __future__ import annotations

from .layers import conv
from .parts import BIAS, Part, block, part, size_after
from .worked import Pair, Step, Worked, product, shown, whole


def stack(*, count: int, kernel: int = 3, channels: int = 1) -> Worked:
    """Stacked small convolutions against one large one.

    Args:
        count: how many stand in a row, stride 1.
        kernel: height and width of each of them; the large one is as large as they see.
        channels: width of every layer; the counts with 1 are those in units of C^2.

    Source: Simonyan & Zisserman 2014, arXiv:1409.1556 (VGG).
    """
    whole("count", count)
    field = count * (whole("kernel", kernel, least=2) - 1) + 1
    stacked, single = (
        times * conv(size=side, in_channels=channels, out_channels=channels, kernel=side, bias=False).result["weights"]
        for times, side in ((count, kernel), (1, field))
    )
    saved = 100 * (1 - stacked / single)
    steps = (
        Step("sees", "n (K-1) + 1", f"{count} x {kernel - 1} + 1", field),
        Step("stacked", "n K^2 C^2", product(count, kernel, kernel, channels, channels), stacked),
        Step("single", "r^2 C^2", product(field, field, channels, channels), single),
        Step("saved", "1 - stacked / single", f"1 - {shown(stacked)} / {shown(single)}", saved, "%"),
    )
    result = {
        "receptive_field": field, "stacked_weights": stacked, "single_weights": single, "saved_percent": saved,
    }  # fmt: skip
    return Worked(
        title=f"{count} x ({kernel}x{kernel}) against {field}x{field}",
        steps=steps,
        result=result,
        notes=("equal widths are assumed, and each more layer stores one more map",),
    )


def fire(*, in_channels: int, squeeze: int, expand1: int, expand3: int, size: Pair | None = None) -> Worked:
    """The fire module of SqueezeNet, with biases.

    Every convolution is followed by a ReLU, and the two expansions are concatenated.

    Args:
        squeeze: channels of the 1x1 that comes first.
        expand1: channels of the 1x1 expansion.
        expand3: channels of the 3x3 expansion.

    Source: Iandola 2016, arXiv:1602.07360.
    """
    parts = (
        part("squeeze 1x1", in_channels, squeeze, size=size, adds=BIAS),
        part("expand 1x1", squeeze, expand1, size=size, adds=BIAS),
        part("expand 3x3", squeeze, expand3, kernel=3, size=size, adds=BIAS),
    )
    title = f"Fire({in_channels}; s{squeeze}, e{expand1}, e{expand3})"
    return block(title, parts, size=size, more={"out_channels": expand1 + expand3})


def bottleneck(
    *, in_channels: int, width: int, out_channels: int, stride: int = 1, groups: int = 1, size: Pair | None = None
) -> Worked:
    """The bottleneck of ResNet: 1x1, 3x3, 1x1.

    The stride is in the 3x3, and a 1x1 projection stands in the shortcut when the shape changes.

    Args:
        width: channels of the 3x3 in the middle.
        groups: groups of the 3x3, as in ResNeXt.

    Source: He 2016, arXiv:1512.03385 (there the stride is in the first 1x1, which needs fewer MACs).
    """
    first = part("reduce 1x1", in_channels, width, size=size)
    second = part("middle 3x3", width, width, kernel=3, size=size, stride=stride, groups=groups)
    third = part("expand 1x1", width, out_channels, size=size_after(second, size))
    parts = [first, second, third]
    projected = stride != 1 or in_channels != out_channels
    if projected:
        parts.append(part("shortcut 1x1", in_channels, out_channels, size=size, stride=stride))
    return block(
        f"Bottleneck {in_channels}-{width}-{width}-{out_channels}",
        parts,
        size=size,
        more={"projection": projected},
        notes=("y = act(F(x) + shortcut(x)); the gradient's factor is I + dF/dx, which can still vanish",),
    )


def inverted_residual(
    *, in_channels: int, out_channels: int, expand: int = 6, kernel: int = 3, stride: int = 1, size: Pair | None = None
) -> Worked:
    """The inverted residual of MobileNet V2.

    ReLU6 follows the first two convolutions alone.

    Args:
        expand: hidden channels per input channel; with 1 the first 1x1 is left out.

    Source: Sandler 2018, arXiv:1801.04381.
    """
    hidden = whole("in_channels", in_channels) * whole("expand", expand)
    parts: list[Part] = []
    if expand != 1:
        parts.append(part("expand 1x1", in_channels, hidden, size=size))
    middle = part(
        f"depthwise {kernel}x{kernel}", hidden, hidden, kernel=kernel, size=size, stride=stride, groups=hidden
    )
    parts += [middle, part("project 1x1", hidden, out_channels, size=size_after(middle, size))]
    added = stride == 1 and in_channels == out_channels
    note = "the input is added" if added else "nothing is added: that needs stride 1 and equal channels"
    title = f"Inverted residual {in_channels} -> {hidden} -> {out_channels}"
    return block(title, parts, size=size, more={"hidden": hidden, "residual": added}, notes=(note,))


def squeeze_excite(*, channels: int, reduction: int = 16) -> Worked:
    """The gate of squeeze-and-excitation: two linear layers.

    `s = sigmoid(W2 relu(W1 mean(x)))`, and the output is `x s`.

    Args:
        reduction: r; the hidden layer has C // r units, and at least 1.

    Source: Hu 2018, arXiv:1709.01507.
    """
    hidden = max(1, whole("channels", channels) // whole("reduction", reduction))
    weights, biases = 2 * channels * hidden, hidden + channels
    steps = (
        Step("hidden", "max(1, C // r)", f"max(1, {channels} // {reduction})", hidden, "units"),
        Step("weights", "2 C h", product(2, channels, hidden), weights),
        Step("params", "2 C h + h + C", f"{shown(weights)} + {shown(hidden)} + {shown(channels)}", weights + biases),
        Step("MACs", "2 C h", product(2, channels, hidden), weights),
    )
    narrow = f"C < r: plain C // {reduction} would leave no hidden unit"
    return Worked(
        title=f"Squeeze-excite of {channels} channels, r = {reduction}",
        steps=steps,
        result={"hidden": hidden, "weights": weights, "params": weights + biases, "macs": weights},
        notes=(narrow,) if channels < reduction else (),
    )
