"""Families of networks by formula: compound scaling, the size of a search space, the reward of latency-aware search."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ConfigError
from .worked import Step, Worked, finite, one_of, positive, power, shown, whole

BASE_RESOLUTION = 224
MOST_BITS = 10_000  # Python writes no integer of more than 4,300 digits
PUBLISHED: dict[str, tuple[float, float, int]] = {
    "b0": (1.0, 1.0, 224), "b1": (1.1, 1.0, 240), "b2": (1.2, 1.1, 260), "b3": (1.4, 1.2, 300),
    "b4": (1.8, 1.4, 380), "b5": (2.2, 1.6, 456), "b6": (2.6, 1.8, 528), "b7": (3.1, 2.0, 600),
}  # fmt: skip
"""Depth, width, resolution of each EfficientNet, as in the code published with the paper."""


def compound_scaling(
    *, phi: float = 1, depth: float = 1.2, width: float = 1.1, resolution: float = 1.15, variant: str | None = None
) -> Worked:
    """EfficientNet's scaling of depth, width, resolution.

    Args:
        phi: the one coefficient; MACs grow about 2^phi.
        depth: growth of the number of layers per unit of phi.
        width: growth of the channels.
        resolution: growth of the input's side.
        variant: b0 to b7, to see the coefficients of the published network beside.

    Source: Tan & Le 2019, arXiv:1905.11946.
    """
    for name, value in (("depth", depth), ("width", width), ("resolution", resolution)):
        positive(name, value)
    positive("phi", phi, zero=True)
    per_unit = depth * power(width, 2) * power(resolution, 2)
    grown = power(per_unit, phi)
    result: dict[str, object] = {"macs_per_unit": per_unit, "macs_factor": grown}
    steps = [Step("MACs per unit", "a b^2 c^2", f"{depth:g} x {width:g}^2 x {resolution:g}^2", per_unit, "times")]
    for name, letter, base in (("depth", "a", depth), ("width", "b", width), ("resolution", "c", resolution)):
        result[name] = power(base, phi)
        steps.append(Step(name, f"{letter}^phi", f"{base:g}^{phi:g}", result[name], "times"))
    steps.append(Step("MACs", "(a b^2 c^2)^phi", f"{per_unit:.6g}^{phi:g}", grown, "times"))
    notes: tuple[str, ...] = ()
    if variant is not None:
        more, step = _published(variant)
        result |= more
        steps.append(step)
        notes = ("the published coefficients are not the powers of a, b and c at one phi",)
    return Worked(title="Compound scaling", steps=tuple(steps), result=result, notes=notes)


def _published(variant: str) -> tuple[dict[str, object], Step]:
    depth, width, pixels = one_of("variant", variant, PUBLISHED)
    factor = depth * width**2 * (pixels / BASE_RESOLUTION) ** 2
    numbers = f"{depth:g} x {width:g}^2 x ({pixels}/{BASE_RESOLUTION})^2"
    more = {
        "published_depth": depth, "published_width": width, "published_resolution": pixels,
        "published_macs_factor": factor,
    }  # fmt: skip
    return more, Step(f"{variant} as published", "d w^2 (r/224)^2", numbers, factor, "times")


def subnets(
    *, units: int = 5, depths: Sequence[int] = (2, 3, 4), expansions: Sequence[int] = (3, 4, 6),
    kernels: Sequence[int] = (3, 5, 7), resolutions: Sequence[int] = (128, 224, 4),
) -> Worked:  # fmt: skip
    """How many sub-networks a super-network holds, exactly.

    Args:
        units: stages that choose their depth on their own.
        depths: how many layers a unit may keep.
        expansions: widths that a layer may take.
        kernels: kernel sizes that a layer may take.
        resolutions: first, last and step of the input sizes.

    Source: Cai 2020, arXiv:1908.09791 (Once-for-All).
    """
    whole("units", units)
    for name, choices in (("depths", depths), ("expansions", expansions), ("kernels", kernels)):
        if not choices or len(set(choices)) != len(choices):
            raise ConfigError(f"{name} is a list of different whole numbers, got {list(choices)}.")
        for choice in choices:
            whole(name, choice)
    sizes = _count_resolutions(resolutions)
    per_layer = len(expansions) * len(kernels)
    if units * max(depths) * per_layer.bit_length() > MOST_BITS:
        raise ConfigError(f"The count has more than {MOST_BITS:,} bits: use fewer units or smaller depths.")
    per_unit = sum(per_layer**depth for depth in depths)
    count = per_unit**units
    terms = " + ".join(f"{per_layer}^{depth}" for depth in depths)
    steps = (
        Step("per layer", "expansions x kernels", f"{len(expansions)} x {len(kernels)}", per_layer),
        Step("per unit", "sum over depths of c^d", terms, per_unit),
        Step("sub-networks", "u^units", f"{shown(per_unit)}^{units}", count, "per resolution"),
        Step("with resolution", "sub-networks x resolutions", f"{shown(count)} x {sizes}", count * sizes),
    )
    return Worked(
        title="Sub-networks of a super-network",
        steps=steps,
        result={"per_layer": per_layer, "per_unit": per_unit, "subnets": count, "resolutions": sizes,
                "subnets_with_resolution": count * sizes},
        notes=("each one needs its own BN statistics before use; training shrinks kernel, then depth, then width",),
    )  # fmt: skip


def latency_reward(
    *, accuracy: float, latency_ms: float, target_ms: float, exponent: float = -0.07,
    exponent_if_faster: float | None = None,
) -> Worked:  # fmt: skip
    """The reward of latency-aware search (MnasNet).

    Args:
        accuracy: a fraction, or percent.
        latency_ms: measured or estimated.
        target_ms: what it should be.
        exponent: w; -0.07 gives up 5 % of accuracy, relatively, for half of the latency.
        exponent_if_faster: another exponent when the target is met; 0 makes the target a limit.

    Source: Tan 2019, arXiv:1807.11626.
    """
    ratio = positive("latency_ms", latency_ms) / positive("target_ms", target_ms)
    positive("accuracy", accuracy, zero=True)
    faster = exponent_if_faster is not None and ratio <= 1
    used = finite("exponent", exponent_if_faster if faster else exponent)
    reward = accuracy * power(ratio, used)
    numbers = f"{accuracy:g} x ({latency_ms:g} / {target_ms:g})^{used:g}"
    step = Step("reward", "ACC (LAT/T)^w", numbers, reward)
    return Worked(title="Latency-aware reward", steps=(step,), result={"latency_ratio": ratio, "reward": reward})


def _count_resolutions(resolutions: Sequence[int]) -> int:
    if len(resolutions) != 3:
        raise ConfigError(f"resolutions is (first, last, step), got {tuple(resolutions)}.")
    first, last, step = (whole("resolutions", value) for value in resolutions)
    if last < first:
        raise ConfigError(f"resolutions goes from the first to a last at least as large, got {tuple(resolutions)}.")
    return (last - first) // step + 1
