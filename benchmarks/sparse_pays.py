"""From how many zeros on is a sparse kernel faster than the dense one? Curves of typical layers on this machine.

    OMP_NUM_THREADS=1 python benchmarks/sparse_pays.py [--only WORD] [--out FILE.json]

Each layer is a matrix product with random weights of one seed, float32, one thread: dense, masked (the same kernel on a
matrix with zeros), compressed rows by every kernel that is installed, and cut to as many MACs as weights are left. All
forms of a layer are timed in turns in one process; a ratio is to the dense time of a turn, median over the turns.
About 4 minutes.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgewright.devices.machine import cpu_name, package_versions
from edgewright.files import write_json
from edgewright.seeding import numpy_generator
from edgewright.types import plain
from edgewright.verify import Timing
from edgewright.verify.conditions import load_average
from edgewright.verify.sparse_kernels import CSR_KERNELS
from edgewright.verify.sparse_times import CUT, MASKED, Form, time_product

OUT = Path(__file__).parent / "results" / "sparse_pays.json"
SPARSITIES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
LAYERS: Mapping[str, tuple[int, int, int]] = {
    "3x3, 64 to 64, 56x56": (64, 576, 3136),
    "3x3, 128 to 128, 28x28": (128, 1152, 784),
    "3x3, 512 to 512, 7x7": (512, 4608, 49),
    "1x1, 96 to 576, 14x14": (576, 96, 196),
    "1x1, 512 to 2048, 7x7": (2048, 512, 49),
    "linear, 768 to 3072, 197 tokens": (3072, 768, 197),
    "linear, 2048 to 1000, 1 vector": (1000, 2048, 1),
    "linear, 4096 to 4096, 1 vector": (4096, 4096, 1),
}
"""Name -> rows, columns, positions: ResNets, MobileNet V2, ViT-B and the layers of the first deep nets."""
TIMING, SEED = Timing(turns=5, runs=10, seconds=0.04), 0
PACKAGES = ("torch", "scipy", "onnxruntime", "numpy")


def curve(name: str) -> dict[str, Any]:
    """All forms of one layer."""
    rows, columns, positions = LAYERS[name]
    matrix_RC = numpy_generator(SEED, "sparse_pays", name).standard_normal((rows, columns), dtype=np.float32)
    found = time_product(matrix_RC, positions, sparsities=SPARSITIES, timing=TIMING, seed=SEED)
    return {
        "layer": name, "rows": rows, "columns": columns, "positions": positions,
        "dense_ms": 1e3 * found.dense.latency.median_s, "break_even": found.break_even,
        "forms": [point(form) for form in found.forms],
    }  # fmt: skip


def point(form: Form) -> dict[str, Any]:
    """One form at one sparsity."""
    times = form.latency
    return {
        "way": form.way, "sparsity": form.sparsity, "macs": form.macs, "num_bytes": form.num_bytes,
        "median_ms": 1e3 * times.median_s, "min_ms": 1e3 * times.min_s, "spread": times.spread, "runs": times.runs,
        "cpu_ms": 1e3 * times.cpu_s,
        "ratio": form.ratio, "ratio_range": plain(form.ratio_range),
    }  # fmt: skip


def table(curves: Sequence[Mapping[str, Any]]) -> str:
    """Times as multiples of the dense one, in Markdown; the fastest kernel for compressed rows at each sparsity."""
    headings = ("layer", "form", *(f"{share:.0%}" for share in SPARSITIES), "CSR faster from")
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    for curve in curves:
        for name, ways in (("masked", (MASKED,)), ("CSR", tuple(CSR_KERNELS)), ("cut", (CUT,))):
            ratios = [min(p["ratio"] for p in curve["forms"] if p["way"] in ways and p["sparsity"] == share)
                      for share in SPARSITIES]  # fmt: skip
            point = curve["break_even"]
            end = "" if name != "CSR" else "never here" if point is None else f"**{point:.0%}**"
            cells = (curve["layer"] if name == "masked" else "", name, *(f"{ratio:.2f}" for ratio in ratios), end)
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> int:
    """Measure, print and write; layers that are not measured now keep what the file says of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="layers whose name contains this")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    known = json.loads(given.out.read_text())["curves"] if given.out.exists() else []
    curves = {curve["layer"]: curve for curve in known}
    for name in (each for each in LAYERS if given.only in each):
        before = load_average()
        curves[name] = {**curve(name), "load": [before, load_average()]}
        print(table([curves[name]]), flush=True)
        write_json(given.out, {**facts(), "curves": [curves[each] for each in LAYERS if each in curves]})
    return 0


def facts() -> dict[str, Any]:
    """What every number must not travel without."""
    return {
        "command": "python benchmarks/sparse_pays.py", "machine": cpu_name(), "python": platform.python_version(),
        "versions": package_versions(PACKAGES), "threads": TIMING.threads, "turns": TIMING.turns, "seed": SEED,
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
