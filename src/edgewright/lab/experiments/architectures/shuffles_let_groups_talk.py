"""What does a channel shuffle do between two group convolutions?

Claim: without a shuffle the groups of stacked group convolutions never exchange anything; with one, every output sees
    every input channel. The shuffle is reshape, transpose, flatten: a fixed permutation.
Source: Zhang et al. 2018, CVPR (ShuffleNet), section 3.1.
Expected: reachable share 1/g without, 1 with (when a group has at least g channels); undone by a shuffle of C/g groups.
See: pointwise_convolutions_dominate_mobilenet
"""

import numpy as np

from ...figures import field, panels
from ...finding import Finding, Number, judged

CASES = ((16, 2), (16, 4), (24, 4), (36, 6))


def shuffled(channels: np.ndarray, groups: int) -> np.ndarray:
    return channels.reshape(groups, -1, *channels.shape[1:]).swapaxes(0, 1).reshape(channels.shape)


def run(seed: int, fast: bool) -> Finding:
    numbers, maps = [], dict[str, np.ndarray]()
    for channels, groups in CASES:
        mixing = np.kron(np.eye(groups), np.ones((channels // groups, channels // groups)))
        plain = mixing @ mixing > 0
        with_shuffle = mixing @ shuffled(np.eye(channels), groups) @ mixing > 0
        order = np.arange(channels)
        back = shuffled(shuffled(order, groups), channels // groups)
        name = f"{channels} channels, {groups} groups"
        numbers += [
            Number(name=f"reach without a shuffle, {name}", value=float(plain.mean()), expected=1 / groups),
            Number(name=f"reach with a shuffle, {name}", value=float(with_shuffle.mean()), expected=1.0),
            Number(
                name=f"channels out of place after undoing, {name}", value=float((back != order).sum()), expected=0.0
            ),
        ]
        maps.setdefault("without a shuffle", plain)
        maps.setdefault("with a shuffle", with_shuffle)
    drawn = {name: field("input channel", "output channel", reach.astype(float), extent=(0, 16, 0, 16))
             for name, reach in maps.items()}  # fmt: skip
    return judged(
        all(each.agrees for each in numbers), when="a group has at least as many channels as there are groups",
        summary="Two convolutions of 4 groups let an output see 25 % of the inputs, with a shuffle between them 100 %; "
        "a second shuffle, of C/g groups, undoes it.",
        numbers=numbers, figure=panels("Which input an output sees through two convolutions of 2 groups.", **drawn),
    )  # fmt: skip
