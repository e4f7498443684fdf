"""Which library models `profile` counts, and whether PyTorch's own counter agrees.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/profile_coverage.py [--only WORD] [--out FILE.json]

Every image model of torchvision (classification, segmentation, detection with keypoints), and of timm the smallest
entry point of every architecture in every module: an architecture is the word that entry points start with (`resnet`,
`resnext`, `seresnet` are three), the smallest has the fewest parameters, and of equals the first by name. Models are
built without data where they allow it, each in a process of its own, so that a crash or a hunger for memory stays
there.

PyTorch's counter (`torch.utils.flop_counter`, gradients enabled) runs on the same input; it counts 2 FLOPs per MAC. It
also counts what is computed from weights alone, which `profile` takes as done once: the script works that part out by
itself and adds it, and what is left of a difference must be in `REASONS`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import timm
import torch
from isolated import alone
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from edgewright import zoo
from edgewright.analyze import profile_of, record, schedule
from edgewright.analyze.formulas import FUNCTIONS, MATRIX, work_of
from edgewright.analyze.tracing import Trace
from edgewright.pipeline.record import machine_facts, version_facts
from edgewright.seeding import torch_generator
from edgewright.zoo.torchvision_models import families

LARGE = re.compile(r"base|large|huge|giant|_(l|m|xl|xxl)(_|$)|_b[3-9]|1(01|52|69)|2(01|64)")
OUT = Path(__file__).parent / "results" / "profile_coverage.json"
CARRIES_MACS = tuple(f"aten.{name}" for name in MATRIX)

REASONS: dict[str, tuple[str, str]] = {}
"""Model -> who is right where the two counters differ beyond constants, and why (counted by hand)."""


def smallest_of_timm() -> list[str]:
    """One entry point per module and architecture, the one with the fewest parameters."""
    groups: dict[tuple[str, str], list[str]] = {}
    for module in timm.list_modules():
        for name in timm.list_models(module=module):
            word = re.match(r"[a-z]+", name)
            groups.setdefault((module, word.group() if word else name), []).append(name)
    return sorted(_smallest(names) for names in groups.values())


def _smallest(names: list[str]) -> str:
    modest = [name for name in names if not LARGE.search(name)] or names  # building takes long: not what cannot win
    return modest[0] if len(modest) == 1 else min(modest, key=lambda name: (_size(name), name))


def _size(name: str) -> int:
    try:
        with torch.device("meta"):
            return sum(each.numel() for each in timm.create_model(name).parameters())
    except Exception:  # some look at values while they are built; they are then the last to be chosen
        return sys.maxsize - 1


def models(names: list[str] | None) -> Iterator[tuple[str, str]]:
    """Spec and family of every model of this benchmark; `names` are timm's, None to choose them."""
    for name, family in families().items():
        yield f"torchvision:{name}", family
    modules = {name: module for module in timm.list_modules() for name in timm.list_models(module=module)}
    for name in smallest_of_timm() if names is None else names:
        yield f"timm:{name}", modules[name]


def named_in(path: Path) -> list[str]:
    """The timm models of an earlier result."""
    rows = json.loads(path.read_text())["models"]
    return [row["model"].removeprefix("timm:") for row in rows if row["model"].startswith("timm:")]


@contextlib.contextmanager
def building_without_data() -> Iterator[None]:
    """Modules that are built inside have parameters without content; what else they compute on the way has some."""
    register = nn.Module.register_parameter

    def registering(module: nn.Module, name: str, given: nn.Parameter | None) -> None:
        if given is not None:
            given = nn.Parameter(torch.empty_like(given, device="meta"), given.requires_grad)
        register(module, name, given)

    nn.Module.register_parameter = registering  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Module.register_parameter = register  # type: ignore[method-assign]


def recorded(spec: str) -> tuple[Trace, tuple[int, ...], str]:
    """A model as it runs, the shape of its input, and where its weights were: without data where it allows that."""
    try:
        with building_without_data():
            made = zoo.resolve(spec, num_classes=None)
        return record(made.model, made.input_shape), made.input_shape, "meta"
    except Exception:  # whatever a model does that tensors without content cannot
        made = zoo.resolve(spec, num_classes=None)
        return record(made.model, made.input_shape), made.input_shape, "cpu"


def measure(spec: str) -> dict[str, Any]:
    """Our figures of one model, with those of PyTorch's counter."""
    began = time.perf_counter()
    calls, shape, place = recorded(spec)
    measured = profile_of(calls)
    seconds = time.perf_counter() - began
    constant = macs_of_constants(calls)
    theirs = torch_macs(spec, shape, place)
    return {
        "input_shape": list(shape), "weights_on": place, "macs": measured.macs, "elementwise": measured.elementwise,
        "params": measured.params, "params_in_model": sum(each.numel() for each in calls.net.parameters()),
        "peak_ram_bytes": measured.peak_ram_bytes, "build_and_profile_s": round(seconds, 3),
        "unknown": sorted(set(measured.unknown)), "macs_of_constants": constant, "torch_macs": theirs,
        "agrees": theirs == measured.macs + constant,
    }  # fmt: skip


def macs_of_constants(calls: Trace) -> int:
    """MACs of the calls that see weights alone and are therefore no operators."""
    running = {each.name for each in schedule(calls, fused=False).operators}
    idle = (each for each in calls.calls if each.name not in running and each.kind in ("layer", "function"))
    return sum(work.macs for work in map(work_of, (each for each in idle if each.outputs)) if work is not None)


def torch_macs(spec: str, shape: tuple[int, ...], place: str) -> int:
    """What PyTorch's counter says of a fresh model, on the input that `record` takes."""
    with building_without_data() if place == "meta" else contextlib.nullcontext():
        model = zoo.resolve(spec, num_classes=None).model
    image = torch.rand((1, *shape), generator=torch_generator(0, "record")).to(place)
    for parameter in model.parameters():
        parameter.requires_grad_(parameter.is_floating_point())  # else attention takes a fast path that it does not see
    with FlopCounterMode(display=False) as counter:
        model.to(place).eval()(image)
    return counter.get_total_flops() // 2


def judged(row: dict[str, Any]) -> dict[str, Any]:
    """A row with the verdict on a difference."""
    if not row.get("agrees", True):
        who, why = REASONS.get(row["model"], ("?", "not explained"))
        row = row | {"right": who, "why": why}
    return row


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts by library."""
    found: dict[str, Any] = {}
    for library in ("torchvision", "timm"):
        of = [row for row in rows if row["model"].startswith(library)]
        done = [row for row in of if "failure" not in row]
        names = {each.split(" ")[0] for row in done for each in row["unknown"]}
        found[library] = {
            "models": len(of), "profiled": len(done), "without_unknown": sum(not row["unknown"] for row in done),
            "unknown_operators": sorted(names), "of_them_with_macs": sorted(names & set(CARRIES_MACS)),
            "torch_agrees": sum(row["agrees"] for row in done),
            "torch_differs": sum(not row["agrees"] for row in done),
            "not_explained": [row["model"] for row in done if row.get("right") == "?"],
            "failures": {row["model"]: row["failure"] for row in of if "failure" in row},
        }  # fmt: skip
    return found


def run(only: str, again: Path | None) -> Iterator[dict[str, Any]]:
    """Rows of all models whose spec or family holds a word."""
    for spec, family in models(named_in(again) if again else None):
        if only in f"{spec} {family}":
            row = judged({"model": spec, "family": family, **alone(measure, spec)})
            print(
                spec, row.get("failure") or (row["macs"], row["torch_macs"], row["agrees"], row["unknown"]), flush=True
            )
            yield row


def save(rows: list[dict[str, Any]], out: Path) -> None:
    result = {
        "command": "python benchmarks/profile_coverage.py", "machine": machine_facts(), "versions": version_facts(),
        "formulas": len(FUNCTIONS), "summary": summary(rows), "models": rows,
    }  # fmt: skip
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="models whose spec or family holds this word")
    parser.add_argument("--again", type=Path, help="take the timm models of this result instead of choosing them")
    parser.add_argument("--parts", type=Path, nargs="+", help="run nothing; put these results together")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    if options.parts:
        found = [row for part in options.parts for row in json.loads(part.read_text())["models"]]
        rows = [judged(row) for row in {row["model"]: row for row in found}.values()]
        save(rows, options.out)
    for row in [] if options.parts else run(options.only, options.again):
        rows.append(row)
        save(rows, options.out)
    print(json.dumps(summary(rows), indent=1))


if __name__ == "__main__":
    main()
