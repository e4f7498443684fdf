"""The folder of firmware: C to build, the program it was made from, the plan as a picture, vectors, and a manifest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import fx

from ...errors import ConfigError, ModelError
from ...files import content_key
from ...model import fingerprint
from ...model.quantized import is_quantized
from ...program import Program, check, input_codes, macs, output_values, program_files, run
from ...program.dead import DeadReport, eliminate_dead
from ...program.lowering import lower
from ...types import EXPECTED_FILE, Artifact, Device, plain
from ..artifact import npz
from ..folder import write_folder
from .emit import Firmware, emit
from .gate import Limits, need_of, refuse_too_large
from .kernel_sets import set_for
from .memory import draw, headline
from .streaming import fit_memory, in_smaller_order
from .text import identifier
from .usage import header_comment, readme_sections

MODEL_FILE, PLAN_FILE = "model.c", "plan.svg"
FAVORS = ("time", "ram", "flash")
NUM_VECTORS = 3  # images in the self-test: each is text of four bytes a code


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How firmware is written.

    Args:
        device: whose memories it must fit; None for no limit.
        gate: refuse what does not fit; without it the manifest still tells the need.
        kernels: a set of `KERNEL_SETS`; None for the fastest of the device's core.
        rounding: one of `program.types.ROUNDINGS`; None for the program's own.
        favor: "time"; "ram" for stripes of rows instead of whole maps, down to the smallest arena; "flash" for one
            function for each kernel, whatever its sizes, and kernels of smaller tables.

    Raises:
        ConfigError: no such thing can be favored.
    """

    device: Device | None = None
    gate: bool = True
    kernels: str | None = None
    rounding: str | None = None
    favor: str = "time"

    def __post_init__(self) -> None:
        if self.favor not in FAVORS:
            raise ConfigError(f"Firmware can favor {', '.join(FAVORS[:-1])} or {FAVORS[-1]}, got '{self.favor}'.")

    @property
    def kernel_set(self) -> str:
        return self.kernels or set_for(self.device)

    @property
    def compact(self) -> bool:
        return self.favor == "flash"


def export_c(
    net: fx.GraphModule,
    folder: Path,
    *,
    name: str,
    preprocess: Mapping[str, Any],
    class_names: Sequence[str] = (),
    samples_BCHW: torch.Tensor | None = None,
    facts: Mapping[str, Any] | None = None,
    writing: Writing | None = None,
) -> Artifact:
    """Write a quantized model to `folder` as C; the other arguments are those of `export_onnx`.

    Raises:
        ModelError: the model is in float.
        UnsupportedError: an operator has no integer operation or no kernel; names it.
        BudgetError: it does not fit the device; names the limit, the place and the cheapest remedy.
    """
    if not is_quantized(net):
        raise ModelError(f"{name} is in float32, and firmware computes in integers: quantize it first.")
    told = {"name": name, "preprocess": dict(preprocess), "class_names": list(class_names)}
    images_BCHW = None if samples_BCHW is None else samples_BCHW.numpy()
    facts = {**told, "weights": fingerprint(net), **(facts or {})}
    return export_program(lower(net, name=c_name(name)), folder, images_BCHW=images_BCHW, facts=facts, writing=writing)


def export_program(
    program: Program,
    folder: Path,
    *,
    images_BCHW: np.ndarray | None = None,
    facts: Mapping[str, Any] | None = None,
    writing: Writing | None = None,
) -> Artifact:
    """Write an integer program to `folder` as C, which is replaced as a whole, its dead channels removed.

    Args:
        images_BCHW: preprocessed images; the first are the self-test, all are in `expected.npz`.
        facts: more JSON-able facts for the manifest.

    Raises:
        ConfigError: images are given, and the program has several inputs.
        UnsupportedError, BudgetError: as `export_c`.
    """
    writing = writing or Writing()
    if images_BCHW is not None and len(program.inputs) != 1:
        raise ConfigError(f"{program.name} has {len(program.inputs)} inputs, and images are given for one.")
    slim, dead = _slim(program, writing)
    codes = [{slim.inputs[0]: input_codes(slim, image)} for image in (() if images_BCHW is None else images_BCHW)]
    firmware = emit(slim, codes[:NUM_VECTORS], kernels=writing.kernel_set, compact=writing.compact)
    if writing.device is not None and writing.gate:
        refuse_too_large(slim, firmware, Limits.of(writing.device))
    stored = program_files(slim)
    files = {path: text.encode() for path, text in _with_usage(slim, firmware, facts or {}).items()}
    files |= {PLAN_FILE: draw(firmware.plan).encode(), **stored}
    if images_BCHW is not None and codes:
        files[EXPECTED_FILE] = npz({"input": images_BCHW, **_outputs(slim, codes)})
    return write_folder(folder, files, {
        "name": program.name, "model": MODEL_FILE, "parts": _parts(files), "runtime": "c", "quantized": True,
        **_interface(slim), "preprocess": {}, "class_names": [],
        "weights": content_key({name: content.hex() for name, content in stored.items()}),
        **_told(slim, firmware, dead), "favor": writing.favor,
        "device": None if writing.device is None else writing.device.name, "target": plain(writing.device),
        **(facts or {}),
    })  # fmt: skip


def _with_usage(program: Program, firmware: Firmware, facts: Mapping[str, Any]) -> dict[str, str]:
    """The files, with what `facts` know about pixels and classes where the caller of the C reads it."""
    preprocess, names = facts.get("preprocess") or {}, facts.get("class_names") or ()
    ends = {
        "README.md": readme_sections(program, need_of(firmware), preprocess=preprocess, class_names=names),
        "model.h": header_comment(program, preprocess=preprocess, class_names=names),
    }
    return {path: text + ends.get(path, "") for path, text in firmware.files.items()}


def firmware_of(net: fx.GraphModule, writing: Writing) -> Firmware:
    """The firmware that `export_c` would write of a simulation, without its self-test.

    Raises:
        UnsupportedError: as `export_c`.
    """
    slim, _ = _slim(lower(net), writing)
    return emit(slim, kernels=writing.kernel_set, compact=writing.compact)


def _slim(program: Program, writing: Writing) -> tuple[Program, DeadReport]:
    """The program in the rounding that was asked for, without its dead channels, in stripes where RAM is favored."""
    if writing.rounding is not None:
        program = check(replace(program, rounding=writing.rounding))
    slim, dead = eliminate_dead(program)
    if writing.favor == "ram":
        return fit_memory(slim, kernels=writing.kernel_set).program, dead
    return in_smaller_order(slim, writing.kernel_set), dead


def c_name(name: str) -> str:
    """A model's name as C can have it: `FILE.py:factory` is `factory`, `mobilenet_v1:0.25` is `mobilenet_v1_0_25`."""
    last = re.split(r"[/\\]|\.py:", name)[-1]
    found = re.sub(r"_+", "_", identifier(last)).strip("_") or "model"
    return found if found[0].isalpha() else f"net_{found}"


def _parts(files: Mapping[str, bytes]) -> list[str]:
    """What is compiled into a product: not the self-test, not what proves and describes."""
    return [path for path in sorted(files) if path.endswith((".c", ".h")) and path != "main.c"]


def _outputs(program: Program, codes: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """What the program makes of the images, as float32."""
    made = [output_values(program, run(program, each)) for each in codes]
    names = ["output"] if len(program.outputs) == 1 else [f"output_{index}" for index in range(len(program.outputs))]
    return {name: np.stack(values) for name, values in zip(names, zip(*made, strict=True), strict=True)}


def _interface(program: Program) -> dict[str, Any]:
    """Inputs and outputs, as the manifest says them; one image at a time."""
    first = program.tensors[program.inputs[0]]
    return {
        "input": {"name": first.name, "shape": [1, *first.shape], "dtype": "float32"},
        "outputs": [{"name": name, "shape": [1, *program.tensors[name].shape]} for name in program.outputs],
    }


def _told(program: Program, firmware: Firmware, dead: DeadReport) -> dict[str, Any]:
    """The plan, what is needed, and what was removed."""
    need, plan = need_of(firmware), firmware.plan
    return {
        "macs": sum(macs(program).values()), "kernels": firmware.kernels, "rounding": program.rounding,
        "plan": {
            "arena_bytes": plan.arena_bytes, "bound_bytes": plan.bound_bytes, "peak_op": plan.peak_op,
            "peak": program.operations[plan.peak_op].output, "headline": headline(plan), "picture": PLAN_FILE,
        },
        "need": {**plain(need), "ram_bytes": need.ram_bytes, "flash_bytes": need.flash_bytes},
        "dead": {
            "macs_before": dead.macs_before, "macs_removed": dead.macs_removed,
            "weights_before": dead.weights_before, "weights_removed": dead.weights_removed,
            "operations": [plain(each) for each in dead.operations if each.channels_after < each.channels_before],
        },
        "may_overflow": list(firmware.may_overflow),
    }  # fmt: skip
