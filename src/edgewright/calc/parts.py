"""A block as the sum of its layers: each part's weights, then normalization, parameters and MACs of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .layers import conv
from .worked import Pair, Step, Worked, shown

BN, BIAS = "batch-norm", "bias"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One convolution of a block: its worked answer, and whether a BN, a bias or nothing is added to it."""

    name: str
    layer: Worked
    adds: str = BN

    @property
    def out_channels(self) -> int:
        channels: int = self.layer.result["shape_out"][0]
        return channels

    @property
    def params(self) -> int:
        """Weights with the bias; batch normalization is counted apart."""
        return self.layer.result["weights"] + (self.out_channels if self.adds == BIAS else 0)

    def step(self) -> Step:
        """The line of its weights."""
        line = next(step for step in self.layer.steps if step.what == "weights")
        if self.adds == BIAS:
            return Step(self.name, f"{line.formula} + C_out", f"{line.numbers} + {self.out_channels}", self.params)
        return Step(self.name, line.formula, line.numbers, self.params)


def part(
    name: str, in_channels: int, out_channels: int, *, kernel: int = 1, size: Pair | None = None, stride: int = 1,
    groups: int = 1, adds: str = BN,
) -> Part:  # fmt: skip
    """A convolution that keeps the size at stride 1, as blocks are made of; without `size` one position is taken."""
    layer = conv(
        size=1 if size is None else size, in_channels=in_channels, out_channels=out_channels, kernel=kernel,
        stride=stride, padding=kernel // 2, groups=groups, bias=False,
    )  # fmt: skip
    return Part(name=name, layer=layer, adds=adds)


def size_after(last: Part, size: Pair | None) -> Pair | None:
    """The size that the next part reads; None stays None."""
    if size is None:
        return None
    high, wide = last.layer.result["shape_out"][1:]
    return high, wide


def block(
    title: str, parts: Sequence[Part], *, size: Pair | None, more: Mapping[str, Any], notes: tuple[str, ...] = ()
) -> Worked:
    """The answer for a block: a line per part, then the sums; `more` is added to the result."""
    weights = sum(each.params for each in parts)
    normalized = [each.out_channels for each in parts if each.adds == BN]
    batch_norm = 2 * sum(normalized)
    terms = " + ".join(shown(each.params) for each in parts)
    steps = [each.step() for each in parts]
    steps.append(Step("weights", "sum", terms, weights))
    if normalized:
        channels = " + ".join(map(shown, normalized))
        steps.append(Step("batch norm", "2 sum C", f"2 x ({channels})", batch_norm))
        both = f"{shown(weights)} + {shown(batch_norm)}"
        steps.append(Step("params", "weights + batch norm", both, weights + batch_norm))
    macs = None
    if size is not None:
        each_macs = [each.layer.result["macs"] for each in parts]
        macs = sum(each_macs)
        steps.append(Step("MACs", "sum", " + ".join(map(shown, each_macs)), macs))
    result = {
        "weights": weights, "batch_norm_params": batch_norm, "params": weights + batch_norm, "macs": macs,
        "weights_by_part": {each.name: each.params for each in parts}, **more,
    }  # fmt: skip
    return Worked(title=title, steps=tuple(steps), result=result, notes=notes)
