"""What does energy go into: arithmetic or memory?

Claim: int8 saves 18.5 times the energy and 27 times the area of fp32.
Source: Horowitz 2014, ISSCC, figure 1.1.9; areas after Dally 2015; memory of the same process after Han et al. 2016.
Expected: 18.5 and 27.3 are ratios of multipliers alone; additions are 30 and 116, a whole MAC with an int32 sum 15.3. A
    word from DRAM costs 173 fp32 multiplications, 128 words from a small memory: of a layer that reads each weight
    once, only the bytes count, and int8 saves a factor near 4.
See: quantization_lifts_memory_bound_layers
"""

from ....technology import NM45
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged

TYPES = {"float32": 4, "int8": 1}
REUSES = (1, 4, 16, 64, 256, 1024, 4096, 16384)


def run(seed: int, fast: bool) -> Finding:
    ratios = {
        "multiplier, energy": (NM45.multiply_pj, 18.5), "multiplier, area": (NM45.multiply_um2, 27.305),
        "adder, energy": (NM45.add_pj, 30.0), "adder, area": (NM45.add_um2, 116.22),
    }  # fmt: skip
    numbers = [Number(name=f"fp32 / int8, {name}", value=table["float32"] / table["int8"], expected=expected,
                      tolerance=0.005) for name, (table, expected) in ratios.items()]  # fmt: skip
    saved = [_energy("float32", reuse) / _energy("int8", reuse) for reuse in REUSES]
    shares = [_share_of_memory("float32", reuse) for reuse in REUSES]
    mac = Number(name="fp32 / int8, MAC with an int32 sum", value=NM45.mac_pj("float32") / NM45.mac_pj("int8"),
                 expected=15.33, tolerance=0.005)  # fmt: skip
    word = 4 * NM45.dram_pj_per_byte
    numbers += [
        mac,
        Number(name="word of DRAM / fp32 multiplication", value=word / NM45.multiply_pj["float32"], expected=172.97,
               tolerance=0.005),
        Number(name="word of DRAM / word of SRAM", value=NM45.dram_pj_per_byte / NM45.sram_pj_per_byte, expected=128.0),
        Number(name="fp32 / int8, weights used once", value=saved[0]),
        Number(name="fp32 / int8, weights used 16384 times", value=saved[-1]),
        Number(name="share of memory in the energy, used once", value=shares[0]),
    ]  # fmt: skip
    return judged(
        all(each.agrees is not False for each in numbers), saved[-1] > 12, saved[0] < 5,
        when="only multipliers count; where each weight is used once it is the factor 4 of the bytes",
        summary=f"The multiplier saves {numbers[0].value:.1f} times the energy, a whole MAC {mac.value:.1f} times, and "
        "a "
        f"layer that uses each weight once {saved[0]:.1f} times: memory takes {shares[0]:.1%} of its energy.",
        numbers=numbers,
        figure=chart("Energy of a layer in fp32 over the same in int8 (45 nm, weights from DRAM).",
                     series("saved by int8", REUSES, saved, mark=Mark.BOTH),
                     series("MAC alone", REUSES, [mac.value] * len(REUSES), mark=Mark.DASHES),
                     x="MACs per weight read", y="fp32 / int8", log_x=True),
    )  # fmt: skip


def _energy(kind: str, reuse: int) -> float:
    """pJ of one MAC whose weight comes from DRAM once for `reuse` of them."""
    return NM45.mac_pj(kind) + TYPES[kind] * NM45.dram_pj_per_byte / reuse


def _share_of_memory(kind: str, reuse: int) -> float:
    return 1 - NM45.mac_pj(kind) / _energy(kind, reuse)
