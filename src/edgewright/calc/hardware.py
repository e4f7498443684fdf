"""Machines by formula: roofline, bit-serial cycles, the memory that one layer needs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import ConfigError
from ..technology import BIT_PARALLEL_BITS
from .worked import Pair, Step, Worked, pair, positive, product, shown, whole

MOST_VALUE_BYTES = 16


def roofline(*, peak_ops_s: float, bandwidth_bytes_s: float, ops_per_byte: float | None = None) -> Worked:
    """Attainable rate of a machine, and what bounds it.

    Args:
        peak_ops_s: FLOP/s or MAC/s of one type.
        bandwidth_bytes_s: of the memory that the operands come from.
        ops_per_byte: arithmetic intensity; FLOP per byte with a peak in FLOP/s, MAC per byte with one in MAC/s.

    Source: Williams 2009, CACM 52(4).
    """
    positive("peak_ops_s", peak_ops_s)
    positive("bandwidth_bytes_s", bandwidth_bytes_s)
    ridge = peak_ops_s / bandwidth_bytes_s
    steps = [Step("ridge", "peak / BW", f"{shown(peak_ops_s)} / {shown(bandwidth_bytes_s)}", ridge, "op/byte")]
    result: dict[str, object] = {"ridge_ops_per_byte": ridge}
    notes: tuple[str, ...] = ()
    if ops_per_byte is not None:
        positive("ops_per_byte", ops_per_byte)
        attainable = min(peak_ops_s, bandwidth_bytes_s * ops_per_byte)
        numbers = f"min({shown(peak_ops_s)}, {shown(bandwidth_bytes_s)} x {shown(ops_per_byte)})"
        steps.append(Step("attainable", "min(peak, BW x I)", numbers, attainable, "op/s"))
        bound = "compute" if ops_per_byte >= ridge else "memory"
        result |= {"attainable_ops_s": attainable, "share_of_peak": attainable / peak_ops_s, "bound": bound}
        side = "at or above" if bound == "compute" else "below"
        notes = (
            f"{bound}-bound: {shown(ops_per_byte)} op/byte is {side} the ridge",
            "peak and intensity count the same thing: both FLOP or both MAC",
        )
    return Worked(title="Roofline", steps=tuple(steps), result=result, notes=notes)


def stripes(
    *, macs: Sequence[float], bits: Sequence[int], parallel_bits: int = BIT_PARALLEL_BITS, fixed_macs: float = 0
) -> Worked:
    """Ideal speed-up of bit-serial hardware.

    Args:
        macs: MACs of each convolution; any unit, since only their ratio counts.
        bits: bits that each of them needs.
        parallel_bits: width of the bit-parallel hardware that it is compared with.
        fixed_macs: MACs of the fully connected layers, which this design does not speed up.

    Source: Judd 2016, MICRO; fully connected layers: Delmas 2017, arXiv:1707.09068 (Tartan).
    """
    if not macs or len(macs) != len(bits):
        raise ConfigError(f"macs and bits are lists of equal length, got {len(macs)} and {len(bits)}.")
    whole("parallel_bits", parallel_bits)
    for count, width in zip(macs, bits, strict=True):
        positive("macs", count)
        if whole("bits", width) > parallel_bits:
            raise ConfigError(f"bits is at most {parallel_bits}, got {width}.")
    positive("fixed_macs", fixed_macs, zero=True)
    total = sum(macs) + fixed_macs
    serial = sum(count * width / parallel_bits for count, width in zip(macs, bits, strict=True)) + fixed_macs
    terms = " + ".join(f"{shown(count)} x {width}/{parallel_bits}" for count, width in zip(macs, bits, strict=True))
    fixed = f" + {shown(fixed_macs)}" if fixed_macs else ""
    steps = [
        Step(f"layer {number}", f"{parallel_bits} / p", f"{parallel_bits} / {width}", parallel_bits / width, "times")
        for number, width in enumerate(bits, start=1)
    ]
    numbers = f"{shown(total)} / ({terms}{fixed})"
    steps.append(Step("speed-up", f"sum M_l / sum(M_l p_l/{parallel_bits})", numbers, total / serial, "times"))
    return Worked(
        title="Bit-serial cycles (Stripes)",
        steps=tuple(steps),
        result={"speed_up": total / serial, "layer_speed_ups": [parallel_bits / width for width in bits]},
        notes=("ideal and for convolutions; 1.30 to 4.51 times, 1.92 on average, was measured in the paper",),
    )


def layer_memory(
    *, size: Pair, in_channels: int, out_channels: int, size_out: Pair | None = None, value_bytes: float = 1,
    ram_kib: float | None = None,
) -> Worked:  # fmt: skip
    """Bytes of one layer's input and output.

    Nothing is computed in place and nothing else is alive; the largest of these over a plain network is its peak.

    Args:
        size_out: height and width of the output; those of the input unless said.
        value_bytes: 1 for int8, 4 for float32, 0.5 for int4.
        ram_kib: what the device has, to compare with.
    """
    high, wide = pair("size", size)
    high_out, wide_out = pair("size_out", size if size_out is None else size_out)
    entering = whole("in_channels", in_channels) * high * wide
    leaving = whole("out_channels", out_channels) * high_out * wide_out
    if positive("value_bytes", value_bytes) > MOST_VALUE_BYTES:
        raise ConfigError(f"value_bytes is at most {MOST_VALUE_BYTES} (complex128), got {value_bytes:g}.")
    sizes = [math.ceil(values * value_bytes) for values in (entering, leaving)]
    peak = sum(sizes)
    steps = [
        Step("input", "C_in H W b", product(in_channels, high, wide, value_bytes), sizes[0], "bytes"),
        Step("output", "C_out H_o W_o b", product(out_channels, high_out, wide_out, value_bytes), sizes[1], "bytes"),
        Step("peak", "input + output", f"{shown(sizes[0])} + {shown(sizes[1])}", peak, "bytes"),
        Step("peak", "bytes / 1024", f"{shown(peak)} / 1,024", peak / 1024, "KiB"),
    ]
    result = {"input_bytes": sizes[0], "output_bytes": sizes[1], "peak_bytes": peak, "peak_kib": peak / 1024}
    if ram_kib is not None:
        times = peak / 1024 / positive("ram_kib", ram_kib)
        steps.append(Step("of the RAM", "peak / RAM", f"{shown(peak / 1024)} / {shown(ram_kib)}", times, "times"))
        result["share_of_ram"] = times
    notes = ("whole networks, with branches and operators that work in place: `edgewright analyze`",)
    return Worked(title="Memory of one layer", steps=tuple(steps), result=result, notes=notes)
