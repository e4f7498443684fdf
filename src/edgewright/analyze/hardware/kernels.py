"""Which pattern of zeros a device can turn into time: pattern, hardware and kernel together, or no claim at all.

    channels      whole channels are gone: the device's dense kernels do less, whatever the device
    2:4           two of four weights: sparse tensor cores, for the types that they take
    unstructured  zeros anywhere: a kernel for compressed rows, or an accelerator built for them

A device file names the runtimes that serve the device. `NONE_IN_RUNTIME` says why zeros anywhere gain
nothing in it; a runtime that is not in the table is unknown, and nothing is claimed for it either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from ...types import Device, ModelProfile
from .two_four import SPARSE_RATE, two_four

CHANNELS, TWO_FOUR, UNSTRUCTURED = "channels", "2:4", "unstructured"
ACCELERATOR = "EIE"  # Han 2016: no device file, the engine of `sparse_columns`

NONE_IN_RUNTIME: Mapping[str, str] = {
    "onnxruntime": "ONNX Runtime multiplies with every zero: convolutions and products of layers take dense weights",
    "c": "the generated C multiplies with every zero: its kernels read dense weights",
}
"""Runtime -> why zeros anywhere in the weights gain nothing in it."""
NO_TENSOR_CORES = "no sparse tensor cores are known of it: two zeros of four are multiplied like any other value"


@dataclass(frozen=True, kw_only=True)
class KernelAnswer:
    """Whether one pattern pays on one device. `speed_up` is of the whole model; None: nothing is claimed."""

    device: str
    pattern: str
    kernel: str | None  # what makes use of the pattern; None: there is none, or none is known
    dtype: str
    speed_up: float | None
    how: str  # no claim | bound | estimated
    reason: str

    @property
    def pays(self) -> bool | None:
        """None where nothing is claimed."""
        return None if self.speed_up is None else self.speed_up > 1


def unstructured_answer(device: Device, dtype: str) -> KernelAnswer:
    """Zeros anywhere: no device of ours has a runtime that skips them."""
    why = [NONE_IN_RUNTIME.get(name, f"no kernel of {name} is known here") for name in device.runtimes]
    reason = "; ".join(why) or "the device names no runtime"
    return KernelAnswer(
        device=device.name, pattern=UNSTRUCTURED, kernel=None, dtype=dtype, speed_up=None, how="no claim", reason=reason
    )


def two_four_answers(net: nn.Module, profiles: Mapping[str, ModelProfile], device: Device) -> tuple[KernelAnswer, ...]:
    """2:4 in all layers that allow it, one answer for each type of `profiles` that the device has sparse kernels for.

    Args:
        net: the model that was profiled.
        profiles: type -> the model's profile at that type.
    """
    rates = SPARSE_RATE.get(device.name, {})
    taken = [dtype for dtype in rates if dtype in profiles]
    if not taken:
        reason = f"its sparse tensor cores take 2:4 in {' and '.join(rates)}" if rates else NO_TENSOR_CORES
        return (
            KernelAnswer(
                device=device.name, pattern=TWO_FOUR, kernel=None, dtype=next(iter(profiles)), speed_up=None,
                how="no claim", reason=reason,
            ),
        )  # fmt: skip
    return tuple(_two_four_answer(net, profiles[dtype], device) for dtype in taken)


def _two_four_answer(net: nn.Module, profile: ModelProfile, device: Device) -> KernelAnswer:
    found = two_four(net, profile, device=device).total()
    return KernelAnswer(
        device=device.name, pattern=TWO_FOUR, kernel=f"sparse tensor cores, {found['kernel']}", dtype=profile.dtype,
        speed_up=found["speed_up"], how="bound",
        reason=f"{found['allowed_layers']} of {found['layers']} layers allow it; "
        f"weights {found['times_smaller']:.2f} times smaller; no kernel reaches the bound",
    )  # fmt: skip


def accelerator_answer(*, dtype: str, speed_up: float | None, load_balance: float | None) -> KernelAnswer:
    """Zeros anywhere on the accelerator of Han 2016, from the totals of `sparse_columns`."""
    busy = "" if load_balance is None else f"elements busy {100 * load_balance:.0f} % of the time; "
    return KernelAnswer(
        device=ACCELERATOR, pattern=UNSTRUCTURED, kernel="compressed columns over 64 elements", dtype=dtype,
        speed_up=speed_up, how="no claim" if speed_up is None else "estimated",
        reason=f"{busy}against a dense engine of its size, a model of the published design",
    )  # fmt: skip


def channels_answer(device: Device, dtype: str, *, dense_s: float | None, cut_s: float | None) -> KernelAnswer:
    """Whole channels gone: estimated times of the model as it is and as it is cut, in dense kernels."""
    known = dense_s is not None and cut_s is not None and cut_s > 0
    return KernelAnswer(
        device=device.name, pattern=CHANNELS, kernel="dense", dtype=dtype,
        speed_up=dense_s / cut_s if known else None,  # type: ignore[operator]
        how="estimated" if known else "no claim",
        reason="widths chosen for the machine at hand" if known else "its times are not known",
    )  # fmt: skip
