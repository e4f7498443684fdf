"""Does mixed precision beat one width for all, over the scales that weights have by default?

    EDGEWRIGHT_TEST_DATA=... python benchmarks/quantize_mixed.py [--seconds N] [--out FILE.json]

`resnet20`, published CIFAR-10 weights, activations of 8 bits, min-max ranges on 256 images, no repair, no training;
simulations on all 1,000 lossless test images. Each measure judges weights of 8, 6, 5, 4, 3 and 2 bits on 64 images
once; then bits are chosen for packed weight bytes as one width for all has them. Scales of weights: "auto" (min-max
from 6 bits on, `gain` below), and for comparison "minmax". Then bits of activations too, for the bit operations (and
bytes) of one width for both. A row that stands in the file is not measured again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from quantize_rows import RESULTS, Rows, Subject

from edgewright.compress.quantize import Precision, simulate
from edgewright.compress.quantize.mixed import (
    BitSensitivity,
    Limits,
    Mixed,
    Probe,
    allocate,
    bit_costs,
    measure_rows,
    pareto_front,
)
from edgewright.devices import device
from edgewright.tasks import Classify
from edgewright.types import Job, plain

OUT = RESULTS / "quantize_mixed.json"
WIDTHS = (4, 3, 2, 5, 6, 8)  # what matters most first: a run may be cut short
MEAN_BITS = (4, 3, 3.5, 2.5, 5, 6)
NUM_IMAGES = 64
ACTIVATIONS = (8, 6, 5, 4)
MEASURES = {"auto": ("mse", "hessian"), "minmax": ("mse",)}
UNFINISHED = 3  # the exit status while rows are missing: run it again


def build(net: Subject, scales: str, precision: Precision) -> Any:
    return simulate(net.folded, net.plan, net.ranges(), precision=precision, weight_method=scales)


def sensitivity(net: Subject, scales: str, measure: str, activations: tuple[int, ...] = (8,)) -> dict[str, Any]:
    """What each layer, and each tensor of activations where it may have other than 8 bits, loses at each width."""
    probe = Probe(net.folded, net.plan, lambda precision: build(net, scales, precision))
    job = Job(model=net.net, task=Classify(num_classes=10), data=net.data, device=device("generic-x86"))
    settings = Mixed(measure=measure, weights=WIDTHS, activations=activations, num_images=NUM_IMAGES)  # type: ignore[arg-type]
    return {"rows": plain(measure_rows(probe, job, settings))}


def read(stored: dict[str, Any]) -> tuple[BitSensitivity, ...]:
    return tuple(BitSensitivity(**row) for row in stored["rows"])


def mixed(net: Subject, scales: str, rows: tuple[BitSensitivity, ...], mean_bits: float) -> dict[str, Any]:
    """The score of the best choice of so many bits on average."""
    costs = bit_costs(net.folded, net.plan)
    found = allocate(rows, costs, Limits(weight_bytes=costs.weight_bytes_at(mean_bits)))
    return {
        **net.judged(build(net, scales, found.precision)),
        "weight_bytes": found.spent.weight_bytes,
        "layers": found.precision.layers,
    }


def as_uniform(net: Subject, rows: tuple[BitSensitivity, ...], bits: int) -> dict[str, Any]:
    """One width for weights and activations, and the best choices for what that one spends."""
    costs, uniform = bit_costs(net.folded, net.plan), Precision(weights=bits, activations=bits)
    spent = costs.spent(uniform)
    limits = {
        "mixed": Limits(bit_operations=spent.bit_operations),
        "mixed, bytes too": Limits(
            bit_operations=spent.bit_operations,
            weight_bytes=spent.weight_bytes,
            activation_bytes=spent.activation_bytes,
        ),
    }
    found = {name: allocate(rows, costs, limit).precision for name, limit in limits.items()}
    scores = {name: net.judged(build(net, "auto", each)) for name, each in {"uniform": uniform, **found}.items()}
    return {"spent": plain(spent), **scores}


def front(net: Subject, rows: tuple[BitSensitivity, ...]) -> dict[str, Any]:
    """All choices that no other one betters."""
    costs = bit_costs(net.folded, net.plan)
    began = time.perf_counter()
    found = pareto_front(rows, costs, cost="weight_bytes")
    return {"points": len(found), "seconds": round(time.perf_counter() - began, 2)}


def tables(rows: Rows, net: Subject) -> Iterator[Any]:
    """Every row, measured or None."""
    for scales, measures in MEASURES.items():
        for measure in measures:
            stored = rows.measure("sensitivity", f"{scales} {measure}", partial(sensitivity, net, scales, measure))
            yield stored
            for bits in MEAN_BITS if stored else ():
                choose = partial(mixed, net, scales, read(stored), bits)
                yield rows.measure(f"mixed, {scales}", f"{bits} {measure}", choose)
            if stored and measure == "mse":
                yield rows.measure("front", scales, partial(front, net, read(stored)))
        for bits in WIDTHS:
            uniform = partial(build, net, scales, Precision(weights=bits))
            yield rows.measure(f"uniform, {scales}", str(bits), lambda make=uniform: net.judged(make()))
    stored = rows.measure("sensitivity", "auto mse, both", partial(sensitivity, net, "auto", "mse", ACTIVATIONS))
    yield stored
    for bits in (6, 5, 4) if stored else ():
        yield rows.measure("bit operations, auto", str(bits), partial(as_uniform, net, read(stored), bits))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = Rows(options.out, claim="bits layer by layer beat one width for all", seconds=options.seconds)
    found = list(tables(rows, Subject.of("resnet20")))
    raise SystemExit(UNFINISHED if None in found else 0)


if __name__ == "__main__":
    main()
