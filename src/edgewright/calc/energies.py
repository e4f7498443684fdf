"""Energy and area by formula, from the table of one 45 nm process."""

from __future__ import annotations

from collections.abc import Mapping

from ..technology import ACCESS_PJ, NM45, PICO, pj_per_byte
from .worked import Step, Worked, one_of, positive, shown, whole

PROCESS = "45 nm, 0.9 V (Horowitz 2014); a current process spends less, in about the same proportions"


def energy_table() -> Worked:
    """Every number of the 45 nm table that the others use."""
    tables: dict[str, tuple[Mapping[str, float], str]] = {
        "add": (NM45.add_pj, "pJ"), "multiply": (NM45.multiply_pj, "pJ"), "add area": (NM45.add_um2, "um2"),
        "multiply area": (NM45.multiply_um2, "um2"),
    }  # fmt: skip
    steps = [
        Step(f"{what} {kind}", "", "", value, unit)
        for what, (table, unit) in tables.items()
        for kind, value in table.items()
    ]
    steps += [Step(f"read {bits} bits, {level}", "", "", pj, "pJ") for level, (pj, bits) in ACCESS_PJ.items()]
    result = {
        "add_pj": dict(NM45.add_pj), "multiply_pj": dict(NM45.multiply_pj), "add_um2": dict(NM45.add_um2),
        "multiply_um2": dict(NM45.multiply_um2),
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
        accumulator: type that is added; int32 for products of int8, their own type for others, unless said.
        sram_bytes: bytes read or written on chip.
        dram_bytes: bytes read or written off chip.
        on_chip: level of memory for the former: sram, cache-8kb, cache-32kb or cache-1mb.
        off_chip: level of memory for the latter: dram, dram-least or dram-most.
    """
    whole("macs", macs, least=0)
    multiply = one_of("dtype", dtype, NM45.multiply_pj)
    wide = accumulator or NM45.accumulator.get(dtype, dtype)
    add = one_of("accumulator", wide, NM45.add_pj)
    per_mac = NM45.mac_pj(dtype, accumulator=accumulator)
    compute = PICO * macs * per_mac
    moved = [positive("sram_bytes", sram_bytes, zero=True), positive("dram_bytes", dram_bytes, zero=True)]
    levels = {"on_chip": on_chip, "off_chip": off_chip}
    for name, level in levels.items():
        one_of(name, level, ACCESS_PJ)
    per_byte = [pj_per_byte(level) for level in levels.values()]
    memory = [PICO * count * cost for count, cost in zip(moved, per_byte, strict=True)]
    total = compute + sum(memory)
    share = sum(memory) / total if total else None
    steps = [
        Step("one MAC", f"multiply + add in {wide}", f"{multiply} + {add}", per_mac, "pJ"),
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
    multiply = one_of("dtype", dtype, NM45.multiply_pj)
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
        "pj_per_read": cost, "pj_per_byte": pj_per_byte(level), "energy_j": PICO * picojoules,
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
        "multiply_energy": NM45.multiply_pj, "add_energy": NM45.add_pj, "multiply_area": NM45.multiply_um2,
        "add_area": NM45.add_um2,
    }  # fmt: skip
    pairs = {name: (one_of("wide", wide, table), one_of("narrow", narrow, table)) for name, table in tables.items()}
    steps = [_ratio(name, f"{wide} / {narrow}", f"{a:g} / {b:g}", a / b) for name, (a, b) in pairs.items()]
    own = {each: NM45.accumulator.get(each, each) for each in (wide, narrow)}
    multiply, dram, sram = NM45.multiply_pj, ACCESS_PJ["dram"][0], ACCESS_PJ["sram"][0]
    steps += [
        _mac_ratio("mac_energy", (wide, own[wide]), (narrow, own[narrow])),
        _mac_ratio("mac_energy_own_type_add", (wide, wide), (narrow, narrow)),
        _ratio("dram_read_energy", f"32-bit read / {wide} multiply", f"{dram:g} / {multiply[wide]}",
               dram / multiply[wide]),
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


def _mac_ratio(name: str, above: tuple[str, str], below: tuple[str, str]) -> Step:
    """Of two MACs, each a type that is multiplied and one that is added."""
    numbers = " / ".join(f"({NM45.multiply_pj[kind]} + {NM45.add_pj[adder]})" for kind, adder in (above, below))
    ratio = NM45.mac_pj(above[0], accumulator=above[1]) / NM45.mac_pj(below[0], accumulator=below[1])
    return _ratio(name, f"{above[0]} / {below[0]}, added in {above[1]} and {below[1]}", numbers, ratio)


def _ratio(name: str, formula: str, numbers: str, value: float) -> Step:
    return Step(name.replace("_", " "), formula, numbers, value, "times")
