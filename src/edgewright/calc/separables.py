"""Depthwise then pointwise convolution against the standard one that it replaces.

Source: Howard 2017, arXiv:1704.04861 (MobileNet V1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import ConfigError
from .layers import conv, depthwise
from .windows import SAME
from .worked import Pair, Step, Worked, product, shown, whole


def separable(
    *, size: Pair, in_channels: int, out_channels: int, kernel: int = 3, stride: Pair = 1, padding: Pair | str = SAME
) -> Worked:
    """Depthwise then pointwise against standard convolution."""
    whole("kernel", kernel)
    first = depthwise(size=size, channels=in_channels, kernel=kernel, stride=stride, padding=padding, bias=False).result
    high, wide = first["shape_out"][1:]
    second = conv(size=(high, wide), in_channels=in_channels, out_channels=out_channels, kernel=1, bias=False).result
    standard = conv(
        size=size, in_channels=in_channels, out_channels=out_channels, kernel=kernel, stride=stride, padding=padding,
        bias=False,
    ).result  # fmt: skip
    macs, weights = first["macs"] + second["macs"], first["weights"] + second["weights"]
    reduction, fraction = standard["macs"] / macs, 1 / out_channels + 1 / kernel**2
    whole_numbers = product(high, wide, out_channels, kernel, kernel, in_channels)
    steps = (
        Step("weights", "K^2 C_in + C_in C_out", f"{shown(first['weights'])} + {shown(second['weights'])}", weights),
        Step("MACs", "depthwise + pointwise", f"{shown(first['macs'])} + {shown(second['macs'])}", macs),
        Step("standard MACs", "H_o W_o C_out K^2 C_in", whole_numbers, standard["macs"]),
        Step("separable/standard", "1/C_out + 1/K^2", f"1/{out_channels} + 1/{kernel**2}", fraction),
        Step("reduction", "standard / separable", f"{shown(standard['macs'])} / {shown(macs)}", reduction, "times"),
    )
    result = {
        "shape_out": [out_channels, high, wide], "macs": macs, "weights": weights, "depthwise_macs": first["macs"],
        "pointwise_macs": second["macs"], "depthwise_weights": first["weights"], "pointwise_weights": second["weights"],
        "standard_macs": standard["macs"], "standard_weights": standard["weights"],
        "fraction": fraction, "reduction": reduction,
    }  # fmt: skip
    return Worked(
        title=f"Depthwise separable convolution {in_channels} -> {out_channels}",
        steps=steps,
        result=result,
        notes=(
            f"for many output channels the reduction nears K^2 = {kernel**2}",
            "weights shrink as MACs do; time and energy shrink less where the depthwise half is bound by memory",
        ),
    )


def separable_table(
    *, out_channels: Sequence[int] = (32, 64, 72, 128, 256, 512, 1024), kernel: int = 3, at_least: float = 8
) -> Worked:
    """Separable against standard, by output channels.

    The reduction is the same for weights and MACs, and does not depend on the input channels.

    Args:
        out_channels: counts to work out, one row each.
        kernel: height and width of the window.
        at_least: also say from how many output channels on the reduction is this large.
    """
    if not out_channels:
        raise ConfigError("out_channels is a list of channel counts, got none.")
    for count in out_channels:
        whole("out_channels", count)
    limit = whole("kernel", kernel, least=2) ** 2
    if not 1 < at_least < limit:
        raise ConfigError(f"at_least lies between 1 and K^2 = {limit}, got {at_least}.")
    rows = [
        {"out_channels": count, "fraction": 1 / count + 1 / limit, "reduction": limit * count / (limit + count)}
        for count in out_channels
    ]
    from_channels = math.ceil(at_least * limit / (limit - at_least) - 1e-9)  # 72.00000000000001 is 72
    steps = tuple(
        Step(f"C_out {row['out_channels']}", "1 / (1/C_out + 1/K^2)", f"1 / {row['fraction']:.6f}", row["reduction"])
        for row in rows
    )
    numbers = f"ceil({at_least:g} x {limit} / ({limit} - {at_least:g}))"
    steps += (Step(f"{at_least:g} times from", "C_out >= r K^2 / (K^2 - r)", numbers, from_channels, "channels"),)
    return Worked(
        title=f"Separable against standard, {kernel}x{kernel}",
        steps=steps,
        result={"rows": rows, "limit": limit, "from_channels": from_channels},
        notes=(f"K^2 = {limit} is only the limit for many output channels",),
    )
