"""ShuffleNet by formula: the permutation, the units of both versions, and the memory that a 1x1 moves."""

from __future__ import annotations

import math

from ..errors import ConfigError
from .parts import block, part, size_after
from .worked import Pair, Step, Worked, pair, product, shown, whole

MOST_CHANNELS = 65_536
BOTTLENECK = 4  # hidden channels are a quarter of the unit's output (Zhang 2018, section 3.2)


def channel_shuffle(*, channels: int, groups: int) -> Worked:
    """The order of channels after a shuffle.

    Reshape to (g, n/g), transpose, flatten.

    Source: Zhang 2018, arXiv:1707.01083.
    """
    width = _multiple("channels", channels, whole("groups", groups)) // groups
    if channels > MOST_CHANNELS:
        raise ConfigError(f"channels is at most {MOST_CHANNELS:,} where every one is listed, got {channels:,}.")
    order = [(i % groups) * width + i // groups for i in range(channels)]
    formula = "output i takes (i mod g)(n/g) + i // g"
    numbers = f"(i mod {groups}) x {width} + i // {groups}, i = 0..{channels - 1}"
    return Worked(
        title=f"Channel shuffle of {channels} in {groups} groups",
        steps=(Step("order", formula, numbers, order),),
        result={"order": order, "groups_to_restore": width},
        notes=(f"a fixed permutation, not a random one; shuffling in {width} groups restores the order",),
    )


def shufflenet_v1_unit(
    *, in_channels: int, out_channels: int, groups: int = 3, stride: int = 1, grouped_first: bool = True,
    size: Pair | None = None,
) -> Worked:  # fmt: skip
    """The unit of ShuffleNet V1.

    1x1 in groups, shuffle, 3x3 depthwise, 1x1 in groups. At stride 2 a 3x3 average pool of the input is concatenated,
    so that the branch makes the rest of the channels.

    Args:
        grouped_first: whether the first 1x1 is in groups; it is not where the network has few channels (stage 2).

    Source: Zhang 2018, arXiv:1707.01083.
    """
    _check_unit(in_channels, out_channels, stride)
    if out_channels <= in_channels and stride == 2:
        raise ConfigError(f"A unit of stride 2 concatenates its input, got {in_channels} -> {out_channels} channels.")
    hidden = _multiple("out_channels", out_channels, BOTTLENECK) // BOTTLENECK
    made = out_channels - in_channels if stride == 2 else out_channels
    first = part("first 1x1", in_channels, hidden, size=size, groups=groups if grouped_first else 1)
    middle = part("depthwise 3x3", hidden, hidden, kernel=3, size=size, stride=stride, groups=hidden)
    last = part("last 1x1", hidden, made, size=size_after(middle, size), groups=groups)
    joined = "concatenated with the pooled input" if stride == 2 else "added to the input"
    return block(
        f"ShuffleNet V1 unit {in_channels} -> {out_channels}, {groups} groups, stride {stride}",
        (first, middle, last),
        size=size,
        more={"hidden": hidden, "branch_channels": made},
        notes=(f"the branch makes {made} channels, {joined}",),
    )


def shufflenet_v2_unit(*, in_channels: int, out_channels: int, stride: int = 1, size: Pair | None = None) -> Worked:
    """The unit of ShuffleNet V2.

    At stride 1 half of the channels pass and the other half goes through 1x1, 3x3 depthwise, 1x1; at stride 2 both
    branches read all channels. The halves are concatenated and shuffled in 2 groups.

    Source: Ma 2018, arXiv:1807.11164.
    """
    _check_unit(in_channels, out_channels, stride)
    half = _multiple("out_channels", out_channels, 2) // 2
    parts, entering = [], half
    if stride == 2:
        entering = in_channels
        down = part(
            "shortcut depthwise 3x3", in_channels, in_channels, kernel=3, size=size, stride=2, groups=in_channels
        )
        parts = [down, part("shortcut 1x1", in_channels, half, size=size_after(down, size))]
    middle = part("depthwise 3x3", half, half, kernel=3, size=size, stride=stride, groups=half)
    parts += [
        part("first 1x1", entering, half, size=size), middle,
        part("last 1x1", half, half, size=size_after(middle, size)),
    ]  # fmt: skip
    title = f"ShuffleNet V2 unit {in_channels} -> {out_channels}, stride {stride}"
    return block(title, parts, size=size, more={"branch_channels": half})


def memory_access(*, size: Pair, in_channels: int, out_channels: int) -> Worked:
    """Values that a 1x1 convolution moves.

    At the same MACs equal input and output width moves least.

    Source: Ma 2018, arXiv:1807.11164, guideline 1.
    """
    area = math.prod(pair("size", size))
    macs = area * whole("in_channels", in_channels) * whole("out_channels", out_channels)
    moved = area * (in_channels + out_channels) + in_channels * out_channels
    least = 2 * math.sqrt(area * macs) + macs / area
    numbers = f"{shown(area)} x ({in_channels} + {out_channels}) + {in_channels} x {out_channels}"
    bound = f"2 sqrt({product(area, macs)}) + {shown(macs)} / {shown(area)}"
    steps = (
        Step("MACs", "h w c1 c2", product(area, in_channels, out_channels), macs),
        Step("moved", "h w (c1 + c2) + c1 c2", numbers, moved, "values"),
        Step("least", "2 sqrt(h w MACs) + MACs/(h w)", bound, least, "values"),
        Step("excess", "moved / least", f"{shown(moved)} / {shown(least)}", moved / least, "times"),
    )
    result = {"macs": macs, "values_moved": moved, "least_values_moved": least, "excess": moved / least}
    notes = ("groups, many small branches and element-wise operations move more for the same MACs",)
    return Worked(
        title=f"Memory access of 1x1, {in_channels} -> {out_channels}", steps=steps, result=result, notes=notes
    )


def _multiple(name: str, value: int, of: int) -> int:
    if whole(name, value) % of:
        raise ConfigError(f"{name} is a multiple of {of}, got {value}.")
    return value


def _check_unit(in_channels: int, out_channels: int, stride: int) -> None:
    if stride not in (1, 2):
        raise ConfigError(f"stride is 1 or 2, got {stride!r}.")
    if whole("in_channels", in_channels) != whole("out_channels", out_channels) and stride == 1:
        raise ConfigError(f"A unit of stride 1 keeps its channels, got {in_channels} -> {out_channels}.")
