"""Energy and area by formula, from the table of one 45 nm process."""

from __future__ import annotations

from collections.abc import Mapping

from .worked import Step, Worked, one_of, positive, shown, whole

# pJ per operation, 45 nm, 0.9 V: Horowitz 2014, "Computing's energy problem", ISSCC, figure 1.1.9.
ADD_PJ = {"int8": 0.03, "int32": 0.1, "float16": 0.4, "float32": 0.9}
MULTIPLY_PJ = {"int8": 0.2, "int32": 3.1, "float16": 1.1, "float32": 3.7}
# um^2 in the same process, as tabulated with it (Dally 2015).
ADD_UM2 = {"int8": 36, "int16": 67, "int32": 137, "float16": 1360, "float32": 4184}
MULTIPLY_UM2 = {"int8": 282, "int32": 3495, "float16": 1640, "float32": 7700}
# pJ per access and bits that it reads: caches and the range of DRAM from Horowitz 2014, the words from Han 2016 (EIE).
ACCESS_PJ: dict[str, tuple[float, int]] = {
    "cache-8kb": (10.0, 64), "cache-32kb": (20.0, 64), "cache-1mb": (100.0, 64), "sram": (5.0, 32), "dram": (640.0, 32),
    "dram-least": (1300.0, 64), "dram-most": (2600.0, 64),
}  # fmt: skip
PROCESS = "45 nm, 0.9 V (Horowitz 2014); a current process spends less, in about the same proportions"


def pj_per_byte(level: str) -> float:
    """Energy of one byte from a level of memory."""
    cost, bits = ACCESS_PJ[level]
    return cost * 8 / bits


def energy_table() -> Worked:
    """Every number of the 45 nm table that the others use."""
    tables: dict[str, tuple[Mapping[str, float], str]] = {
        "add": (ADD_PJ, "pJ"), "multiply": (MULTIPLY_PJ, "pJ"), "add area": (ADD_UM2, "um2"),
        "multiply area": (MULTIPLY_UM2, "um2"),
    }  # fmt: skip
    steps = [
        Step(f"{what} {kind}", "", "", value, unit)
        for what, (table, unit) in tables.items()
        for kind, value in table.items()
    ]
    steps += [Step(f"read {bits} bits, {level}", "", "", pj, "pJ") for level, (pj, bits) in ACCESS_PJ.items()]
    result = {
        "add_pj": ADD_PJ, "multiply_pj": MULTIPLY_PJ, "add_um2": ADD_UM2, "multiply_um2": MULTIPLY_UM2,
        "access_pj": {level: pj for level, (pj, _) in ACCESS_PJ.items()},
        "access_bits": {level: bits for level, (_, bits) in ACCESS_PJ.items()},
    }  # fmt: skip
    return Worked(title="Energy and area in 45 nm", steps=tuple(steps), result=result, notes=(PROCESS,))


def energy(
    *, macs: int, dtype: str = "float32", accumulator: str | None = None, sram_bytes: float = 0, dram_bytes: float = 0,
    on_chip: str = "sram", off_chip: str = "dram",
) -> Worked:  # fmt: skip
    """Energy of multiply-accumulates and of the bytes moved.

    Args:
        macs: how many multiply-accumulates.
        dtype: type that is multiplied: int8, int32, float16 or float32.
        accumulator: type that is added; the same type unless said (int8 products are really added in int32).
        sram_bytes: bytes read or written on chip.
        dram_bytes: bytes read or written off chip.
        on_chip: level of memory for the former: sram, cache-8kb, cache-32kb or cache-1mb.
        off_chip: level of memory for the latter: dram, dram-least or dram-most.
    """
    whole("macs", macs, least=0)
    multiply = one_of("dtype", dtype, MULTIPLY_PJ)
    add = one_of("accumulator", accumulator or dtype, ADD_PJ)
    per_mac = multiply + add
    compute = macs * per_mac * 1e-12
    moved = [positive("sram_bytes", sram_bytes, zero=True), positive("dram_bytes", dram_bytes, zero=True)]
    levels = {"on_chip": on_chip, "off_chip": off_chip}
    for name, level in levels.items():
        one_of(name, level, ACCESS_PJ)
    per_byte = [pj_per_byte(level) for level in levels.values()]
    memory = [count * cost * 1e-12 for count, cost in zip(moved, per_byte, strict=True)]
    total = compute + sum(memory)
    share = sum(memory) / total if total else None
    steps = [
        Step("one MAC", "multiply + add", f"{multiply} + {add}", per_mac, "pJ"),
        Step("compute", "MACs x pJ", f"{shown(macs)} x {per_mac:g} pJ", compute, "J"),
        Step("on-chip", "bytes x pJ", f"{shown(moved[0])} x {per_byte[0]:g} pJ", memory[0], "J"),
        Step("off-chip", "bytes x pJ", f"{shown(moved[1])} x {per_byte[1]:g} pJ", memory[1], "J"),
        Step("energy", "sum", f"{compute:g} + {memory[0]:g} + {memory[1]:g}", total, "J"),
    ]
    if share is not None:
        steps.append(Step("share of data movement", "memory / energy", f"{sum(memory):g} / {total:g}", share))
    result = {
        "pj_per_mac": per_mac, "compute_j": compute, "sram_j": memory[0], "dram_j": memory[1], "energy_j": total,
        "share_of_data_movement": share,
    }  # fmt: skip
    title = f"Energy of {shown(macs)} MACs in {dtype}"
    return Worked(title=title, steps=tuple(steps), result=result, notes=(PROCESS,))


def memory_energy(*, read_bytes: float, level: str = "dram", dtype: str = "float32") -> Worked:
    """Energy of reading bytes, in multiplications too.

    Args:
        read_bytes: how many bytes.
        level: one of sram, cache-8kb, cache-32kb, cache-1mb, dram, dram-least or dram-most.
        dtype: type of the multiplications that it is compared with.
    """
    cost, bits = one_of("level", level, ACCESS_PJ)
    multiply = one_of("dtype", dtype, MULTIPLY_PJ)
    reads = 8 * positive("read_bytes", read_bytes) / bits
    picojoules = reads * cost
    steps = (
        Step("reads", "8 bytes / bits", f"8 x {shown(read_bytes)} / {bits}", reads),
        Step("energy", "reads x pJ", f"{shown(reads)} x {cost:g}", picojoules, "pJ"),
        Step(
            "against", f"energy / {dtype} multiply", f"{shown(picojoules)} / {multiply}", picojoules / multiply, "times"
        ),
    )
    result = {
        "pj_per_read": cost, "pj_per_byte": pj_per_byte(level), "energy_j": picojoules * 1e-12,
        "multiplications": picojoules / multiply,
    }  # fmt: skip
    return Worked(title=f"Energy of reading from {level}", steps=steps, result=result, notes=(PROCESS,))


def energy_ratios(*, wide: str = "float32", narrow: str = "int8") -> Worked:
    """Energy and area of one type against another.

    Args:
        wide: type with more bits: int8, int32, float16 or float32.
        narrow: type with fewer.
    """
    tables: dict[str, Mapping[str, float]] = {
        "multiply_energy": MULTIPLY_PJ, "add_energy": ADD_PJ, "multiply_area": MULTIPLY_UM2, "add_area": ADD_UM2,
    }  # fmt: skip
    pairs = {name: (one_of("wide", wide, table), one_of("narrow", narrow, table)) for name, table in tables.items()}
    steps = [_ratio(name, f"{wide} / {narrow}", f"{a:g} / {b:g}", a / b) for name, (a, b) in pairs.items()]
    mac = MULTIPLY_PJ[wide] + ADD_PJ[wide]
    for name, adder in (("mac_energy", narrow), ("mac_energy_int32_add", "int32")):
        other = MULTIPLY_PJ[narrow] + ADD_PJ[adder]
        numbers = f"({MULTIPLY_PJ[wide]} + {ADD_PJ[wide]}) / ({MULTIPLY_PJ[narrow]} + {ADD_PJ[adder]})"
        steps.append(_ratio(name, f"{wide} / {narrow}, added in {adder}", numbers, mac / other))
    dram, sram = ACCESS_PJ["dram"][0], ACCESS_PJ["sram"][0]
    steps += [
        _ratio("dram_read_energy", f"32-bit read / {wide} multiply", f"{dram:g} / {MULTIPLY_PJ[wide]}",
               dram / MULTIPLY_PJ[wide]),
        _ratio("dram_over_sram_energy", "DRAM / SRAM, 32 bit", f"{dram:g} / {sram:g}", dram / sram),
    ]  # fmt: skip
    return Worked(
        title=f"{wide} against {narrow} in 45 nm",
        steps=tuple(steps),
        result={step.what.replace(" ", "_"): step.value for step in steps},
        notes=(
            "a multiplier's ratio is not a network's: adders and reads from memory have their own",
            PROCESS,
        ),
    )


def _ratio(name: str, formula: str, numbers: str, value: float) -> Step:
    return Step(name.replace("_", " "), formula, numbers, value, "times")
