"""Hardware by formula: roofline, energy, bit-serial cycles, sparse storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import ConfigError
from .worked import Step, Worked, one_of, positive, product, shown, whole

# pJ per operation, 45 nm, 0.9 V: Horowitz 2014, "Computing's energy problem", ISSCC, figure 1.1.9.
ADD_PJ = {"int8": 0.03, "int32": 0.1, "float16": 0.4, "float32": 0.9}
MULTIPLY_PJ = {"int8": 0.2, "int32": 3.1, "float16": 1.1, "float32": 3.7}
# um^2 in the same process, as tabulated with it (Dally 2015).
ADD_UM2 = {"int8": 36, "int16": 67, "int32": 137, "float16": 1360, "float32": 4184}
MULTIPLY_UM2 = {"int8": 282, "int32": 3495, "float16": 1640, "float32": 7700}
# pJ per 32-bit word as in Han 2016 (EIE); per byte a quarter.
WORD_PJ = {"sram": 5.0, "dram": 640.0}

# 2:4 keeps two of four values; each kept one needs a 2-bit position (Mishra 2021, arXiv:2104.08378).
VALUE_BITS = {"float32": 32, "float16": 16, "bfloat16": 16, "int8": 8, "float8": 8, "int4": 4}
PATTERN_CODES = {(0, 1): 4, (0, 2): 8, (0, 3): 12, (1, 2): 9, (1, 3): 13, (2, 3): 14}  # first | second << 2


def roofline(*, peak_ops_s: float, bandwidth_bytes_s: float, ops_per_byte: float | None = None) -> Worked:
    """Attainable rate of a machine (Williams 2009). Peak and intensity count the same thing: FLOP or MAC."""
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
        notes = (f"{bound}-bound: {shown(ops_per_byte)} op/byte is {side} the ridge",)
    return Worked(title="Roofline", steps=tuple(steps), result=result, notes=notes)


def energy(
    *, macs: int, dtype: str = "float32", accumulator: str | None = None, sram_bytes: float = 0, dram_bytes: float = 0
) -> Worked:
    """Energy of `macs` multiply-accumulates and of the bytes moved, in the 45 nm table.

    Args:
        macs: how many.
        dtype: type that is multiplied.
        accumulator: type that is added; the same type unless said (int8 products are really added in int32).
        sram_bytes: bytes read or written on chip.
        dram_bytes: bytes read or written off chip.
    """
    whole("macs", macs, least=0)
    multiply = one_of("dtype", dtype, MULTIPLY_PJ)
    add = one_of("accumulator", accumulator or dtype, ADD_PJ)
    per_mac = multiply + add
    compute = macs * per_mac * 1e-12
    moved = [positive("sram_bytes", sram_bytes, zero=True), positive("dram_bytes", dram_bytes, zero=True)]
    per_byte = [WORD_PJ["sram"] / 4, WORD_PJ["dram"] / 4]
    memory = [count * cost * 1e-12 for count, cost in zip(moved, per_byte, strict=True)]
    total = compute + sum(memory)
    steps = (
        Step("one MAC", "multiply + add", f"{multiply} + {add}", per_mac, "pJ"),
        Step("compute", "MACs x pJ", f"{shown(macs)} x {per_mac:g} pJ", compute, "J"),
        Step("on-chip", "bytes x pJ", f"{shown(moved[0])} x {per_byte[0]:g} pJ", memory[0], "J"),
        Step("off-chip", "bytes x pJ", f"{shown(moved[1])} x {per_byte[1]:g} pJ", memory[1], "J"),
    )
    share = sum(memory) / total if total else None
    result = {
        "pj_per_mac": per_mac, "compute_j": compute, "sram_j": memory[0], "dram_j": memory[1], "energy_j": total,
        "share_of_data_movement": share,
    }  # fmt: skip
    notes = ("45 nm, 0.9 V (Horowitz 2014); a current process spends less, in about the same proportions",)
    return Worked(title=f"Energy of {shown(macs)} MACs in {dtype}", steps=steps, result=result, notes=notes)


def energy_ratios(*, wide: str = "float32", narrow: str = "int8") -> Worked:
    """How much more energy and area one type takes than another, per multiplier and per adder."""
    tables: dict[str, Mapping[str, float]] = {
        "multiply_energy": MULTIPLY_PJ, "add_energy": ADD_PJ, "multiply_area": MULTIPLY_UM2, "add_area": ADD_UM2,
    }  # fmt: skip
    pairs = {name: (one_of("wide", wide, table), one_of("narrow", narrow, table)) for name, table in tables.items()}
    result = {name: first / second for name, (first, second) in pairs.items()}
    steps = tuple(
        Step(name.replace("_", " "), f"{wide} / {narrow}", f"{first:g} / {second:g}", first / second, "times")
        for name, (first, second) in pairs.items()
    )
    return Worked(title=f"{wide} against {narrow} in 45 nm", steps=steps, result=result)


def stripes(*, macs: Sequence[float], bits: Sequence[int], parallel_bits: int = 16) -> Worked:
    """Ideal speed-up of bit-serial over bit-parallel hardware when layer l needs only p_l bits (Judd 2016, MICRO).

    It holds for convolutions; fully connected layers are not sped up by this design (Delmas 2017).
    """
    if not macs or len(macs) != len(bits):
        raise ConfigError(f"macs and bits are lists of equal length, got {len(macs)} and {len(bits)}.")
    whole("parallel_bits", parallel_bits)
    for count, width in zip(macs, bits, strict=True):
        positive("macs", count)
        if whole("bits", width) > parallel_bits:
            raise ConfigError(f"bits is at most {parallel_bits}, got {width}.")
    whole_cost = sum(macs)
    serial = sum(count * width / parallel_bits for count, width in zip(macs, bits, strict=True))
    terms = " + ".join(f"{shown(count)} x {width}/{parallel_bits}" for count, width in zip(macs, bits, strict=True))
    step = Step(
        "speed-up",
        f"sum M_l / sum(M_l p_l/{parallel_bits})",
        f"{shown(whole_cost)} / ({terms})",
        whole_cost / serial,
        "times",
    )
    return Worked(title="Bit-serial cycles (Stripes)", steps=(step,), result={"speed_up": whole_cost / serial})


def sparsity(*, rows: int, columns: int, dtype: str = "float16") -> Worked:
    """Bytes of a 2:4 sparse matrix: two values of each group of four along the rows, and 4 bits of positions."""
    whole("rows", rows)
    bits = one_of("dtype", dtype, VALUE_BITS)
    if whole("columns", columns) % 4:
        raise ConfigError(f"columns is a multiple of 4 (groups lie along the reduction axis), got {columns}.")
    groups = rows * columns // 4
    dense_bits, packed_bits = 4 * bits, 2 * bits + 4
    dense, packed = -(-groups * dense_bits // 8), -(-groups * packed_bits // 8)
    steps = (
        Step("dense group", "4 values", product(4, bits), dense_bits, "bits"),
        Step("packed group", "2 values + 2 positions of 2 bits", f"2 x {bits} + 4", packed_bits, "bits"),
        Step("dense", "groups x bits / 8", f"{shown(groups)} x {dense_bits} / 8", dense, "bytes"),
        Step("packed", "groups x bits / 8", f"{shown(groups)} x {packed_bits} / 8", packed, "bytes"),
        Step("ratio", "dense / packed", f"{dense_bits} / {packed_bits}", dense_bits / packed_bits, "times"),
    )
    result = {
        "dense_bits_per_group": dense_bits, "packed_bits_per_group": packed_bits,
        "dense_bytes": dense, "packed_bytes": packed,
        "ratio": dense_bits / packed_bits, "saved_percent": 100 * (1 - packed_bits / dense_bits),
    }  # fmt: skip
    return Worked(title=f"2:4 sparse {rows} x {columns} in {dtype}", steps=steps, result=result)


def sparse_pattern(*, positions: tuple[int, int]) -> Worked:
    """The 4-bit code of the two kept positions of a 2:4 group: `first | second << 2`, low index first."""
    first, second = positions
    if (first, second) not in PATTERN_CODES:
        raise ConfigError(f"positions are two rising indices from 0 to 3, got {tuple(positions)!r}.")
    code = PATTERN_CODES[first, second]
    step = Step("code", "i0 | i1 << 2", f"{first} | {second} << 2", code)
    return Worked(title="2:4 position code", steps=(step,), result={"code": code})


def unstructured(*, rows: int, columns: int, zeros: float, value_bytes: int = 4, index_bytes: int = 4) -> Worked:
    """Bytes of a matrix with a share of `zeros`, as compressed rows (CSR) and as a bitmap plus values."""
    total = whole("rows", rows) * whole("columns", columns)
    if not 0 <= positive("zeros", zeros, zero=True) <= 1:
        raise ConfigError(f"zeros is a share from 0 to 1, got {zeros}.")
    kept = total - round(total * zeros)
    dense = total * whole("value_bytes", value_bytes)
    csr = kept * (value_bytes + whole("index_bytes", index_bytes)) + (rows + 1) * index_bytes
    bitmap = kept * value_bytes + -(-total // 8)
    steps = (
        Step("dense", "R C v", product(rows, columns, value_bytes), dense, "bytes"),
        Step(
            "CSR",
            "n (v + i) + (R + 1) i",
            f"{shown(kept)} x ({value_bytes} + {index_bytes}) + {rows + 1:,} x {index_bytes}",
            csr,
            "bytes",
        ),
        Step("bitmap", "n v + R C / 8", f"{shown(kept)} x {value_bytes} + {shown(total)} / 8", bitmap, "bytes"),
    )
    result = {
        "dense_bytes": dense,
        "csr_bytes": csr,
        "bitmap_bytes": bitmap,
        "csr_ratio": dense / csr,
        "bitmap_ratio": dense / bitmap,
    }
    return Worked(title=f"Unstructured zeros in {rows} x {columns}", steps=steps, result=result)
