"""Sets of kernels: which faster kernel takes a call, for the instructions that a family of cores has.

A set is tables, the fastest first: kernel of a call -> what makes a faster call of it, or None where it does not take
it; then the next table is asked, and in the end the call stays as it is. All sets give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...errors import ConfigError
from ...types import Device
from . import dsp, helium
from .scene import Call, Scene

Faster = Callable[[Scene, Call], Call | None]
KernelSet = tuple[Mapping[str, Faster], ...]

KERNEL_SETS: dict[str, KernelSet] = {
    "portable": (),
    "dsp": (dsp.KERNELS,),
    "helium": (helium.KERNELS, dsp.KERNELS),
}
"""Any compiler and core; Cortex-M4, M7 and M33 (products of 16-bit pairs); Cortex-M55 (vectors, beside those)."""


SET_OF_CORE = {"M4": "dsp", "M7": "dsp", "M33": "dsp", "M55": "helium"}
"""Core -> the fastest set that it runs; any other runs the portable one."""

SLOWER: Mapping[str, tuple[str, ...]] = {"portable": (), "dsp": (), "helium": ("dsp",)}
"""Set -> others that its cores run too, with other tables."""


def set_for(device: Device | None) -> str:
    """The set of kernels for a device, the portable one where none is named."""
    return "portable" if device is None or device.core is None else SET_OF_CORE.get(device.core, "portable")


def runs_as_plain_c(kernels: str, device: Device) -> bool:
    """Whether the core of `device` lacks the vectors that a set is written for, so that they are built as plain C."""
    return kernels == "helium" and set_for(device) != "helium"


def fastest(scene: Scene, call: Call, kernels: str) -> Call:
    """The call, or the faster one that the set has for it."""
    offers = (table[call.kernel](scene, call) for table in KERNEL_SETS[kernels] if call.kernel in table)
    return next((offer for offer in offers if offer is not None), call)


def check_set(kernels: str) -> None:
    """Nothing, where there is such a set.

    Raises:
        ConfigError: there is none.
    """
    if kernels not in KERNEL_SETS:
        raise ConfigError(f"There are no kernels '{kernels}': choose one of {', '.join(KERNEL_SETS)}.")
