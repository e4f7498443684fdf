"""Firmware in `fit`: what a model will need on a device that takes C, the folder, and the proof.

planning: float model -> rough integers -> program -> arena, tables       (nothing is compiled)
at the end: simulation -> C -> host and emulator -> checks, facts for the page
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import fx

from ..compress.quantize import observe, plan_quantizers, ranges_of, simulate
from ..compress.quantize.gates import expose_gates
from ..errors import UnsupportedError
from ..export import export_c
from ..export.c.artifact import Writing, firmware_of
from ..export.c.gate import Need, need_of
from ..files import content_key
from ..model.fold import fold_batch_norms
from ..model.quantized import is_quantized
from ..runs import Run
from ..types import FIRMWARE_FOLDER, Artifact, Budget, Check, Cost, Job, Score, plain
from ..verify import OnnxRunner
from ..verify.firmware.judge import FirmwareVerification, Trial, verify_firmware
from ..verify.firmware.tools import missing_tools, missing_wheels

C = "c"
NUM_ROUGH = 8  # images that rough ranges are measured on: they change no size
OTHER_FORMS = {"ram": "Firmware in stripes of rows", "flash": "Firmware of shared code"}  # that `favor` decides on
RENAMED = {"files": "firmware files", "score": "firmware score"}  # checks that the ONNX file has too


@dataclass(frozen=True, kw_only=True)
class FirmwareEvidence:
    """What was found out about the firmware.

    Attributes:
        facts: for `run.json`, everything that the page shows.
        cost: the fields that are known better now.
        latency_s: of one image, from counted instructions; None where nothing was counted.
    """

    artifact: Artifact | None
    checks: tuple[Check, ...]
    facts: Mapping[str, Any]
    latency_s: float | None = None

    def applied_to(self, cost: Cost) -> Cost:
        """`cost` with RAM and flash as they were measured, and the latency of the counted instructions."""
        known = {check.name: check.value for check in self.checks if check.name in ("ram_bytes", "flash_bytes")}
        measured = {name: value for name, value in known.items() if value is not None and self.facts.get("board")}
        better = cost.measured(**measured)
        return better if self.latency_s is None else replace(better, latency_s=self.latency_s)

    def left_of(self, budget: Budget) -> Budget:
        """The limits that nobody has held against the firmware."""
        judged = {check.name for check in self.checks}
        return replace(budget, **{name: None for name in ("ram_bytes", "flash_bytes", "latency_s") if name in judged})


def takes_c(job: Job) -> bool:
    """Whether the job's device runs generated C."""
    return C in job.device.runtimes


def need_on_device(job: Job, net: fx.GraphModule) -> Need | None:
    """RAM and flash that the firmware of a model will need; None where it has no integer form that the kernels take.

    Args:
        net: a simulation, or a float model, which is quantized roughly.
    """
    try:
        return planned_on_device(job, net)[1]
    except UnsupportedError:
        return None


def planned_on_device(job: Job, net: fx.GraphModule) -> tuple[str, Need]:
    """What the firmware has to favor to fit the budget, and what it needs then: the fastest, where that fits.

    Where nothing fits it is what breaks the limits by the fewest bytes. Stripes take up to a minute to find, so they
    are tried for simulations alone, of which there is one a round.

    Raises:
        UnsupportedError: the network has no integer form that the kernels take.
    """
    simulation = net if is_quantized(net) else _roughly(job, net)
    ways = [("time", _need(job, simulation, "time"))]
    over_ram, over_flash = _excess(job.budget, ways[0][1])
    tried = (("ram", over_ram > 0 and simulation is net), ("flash", over_flash > 0))
    for favor in (favor for favor, helps in tried if helps):
        ways.append((favor, _need(job, simulation, favor)))
    return min(ways, key=lambda each: sum(_excess(job.budget, each[1])))


def _need(job: Job, simulation: fx.GraphModule, favor: str) -> Need:
    return need_of(firmware_of(simulation, Writing(device=job.device, favor=favor)))


def _excess(budget: Budget, need: Need) -> tuple[int, int]:
    """Bytes of RAM and of flash beyond the limits."""
    pairs = ((need.ram_bytes, budget.ram_bytes), (need.flash_bytes, budget.flash_bytes))
    ram, flash = (0 if limit is None else max(0, needed - limit) for needed, limit in pairs)
    return ram, flash


def _roughly(job: Job, net: fx.GraphModule) -> fx.GraphModule:
    folded = expose_gates(fold_batch_norms(net, absorb=True)[0])
    plan = plan_quantizers(folded)
    images_BCHW = next(job.data.batches("val", batch_size=NUM_ROUGH))[0]
    return simulate(folded, plan, ranges_of(observe(folded, plan, images_BCHW), method="minmax"))


def prove_firmware(run: Run, job: Job, net: fx.GraphModule, onnx: Artifact, baseline: Score) -> FirmwareEvidence | None:
    """Write the C of a simulation beside its ONNX file and judge it; None on devices that take none.

    Where the network has no integer form that the kernels take, a failed check says which operator is to blame.
    """
    if not takes_c(job):
        return None
    try:
        artifact = _written(run, job, net, onnx)
    except UnsupportedError as error:
        refused = Check(
            name="firmware", passed=False, value=None, limit=None, unit="", how="C for the device", blame=str(error)
        )
        return FirmwareEvidence(artifact=None, checks=(refused,), facts={"refused": str(error)})
    key = content_key(
        artifact.manifest["files"], onnx.manifest["files"], job.data.fingerprint, plain(job.budget), plain(job.device),
        plain(baseline), missing_tools(), missing_wheels(),
    )  # fmt: skip
    facts = run.recall("firmware", key, lambda: _judged(run, job, net, artifact, onnx, baseline))
    return FirmwareEvidence(
        artifact=artifact, checks=tuple(Check(**check) for check in facts["checks"]), facts=facts,
        latency_s=facts["latency_s"],
    )  # fmt: skip


def _written(run: Run, job: Job, net: fx.GraphModule, onnx: Artifact) -> Artifact:
    """The folder of C, always written again: what it depends on, such as the kernels, is in no key."""
    folder: Path = run.folder / FIRMWARE_FOLDER
    favor, need = planned_on_device(job, net)
    if favor in OTHER_FORMS:
        run.progress.note(f"{OTHER_FORMS[favor]}: RAM {need.ram_bytes:,} bytes, flash {need.flash_bytes:,} bytes")
    samples = next(job.data.batches("test", batch_size=NUM_ROUGH))[0]
    return export_c(
        net, folder, name=job.model_name, preprocess=plain(job.data.preprocess), class_names=job.data.class_names,
        samples_BCHW=samples, facts={"samples": f"test images of {job.data.name}"},
        writing=Writing(device=job.device, gate=False, favor=favor),
    )  # fmt: skip


def _judged(
    run: Run, job: Job, net: fx.GraphModule, artifact: Artifact, onnx: Artifact, baseline: Score
) -> dict[str, Any]:
    trial = Trial(
        task=job.task, data=job.data, others={"ONNX Runtime": OnnxRunner(onnx.model_path), "the simulation": net},
        baseline=baseline, budget=job.budget,
    )  # fmt: skip
    found = verify_firmware(artifact, device=job.device, trial=trial, progress=run.progress)
    checks = [replace(each, name=RENAMED.get(each.name, each.name)) for each in found.checks]
    return dict(plain({**facts_of(found), "checks": checks}))


def facts_of(found: FirmwareVerification) -> dict[str, Any]:
    """A verification as plain data, for the page."""
    manifest, board = found.artifact.manifest, found.board
    names = ("plan", "need", "dead", "macs", "kernels", "rounding", "device", "samples")
    told = {name: manifest[name] for name in names}
    picture = (found.artifact.folder / manifest["plan"]["picture"]).read_text(encoding="utf-8")
    counted = None if board is None else {
        "core": board.target.board.core, "machine": board.target.board.machine, "sizes": board.sizes,
        "stack_bytes": board.stack_bytes, "ram_bytes": board.ram_bytes, "flash_bytes": board.flash_bytes,
        "instructions": max(board.instructions), "num_images": len(board.instructions), "cycles": board.cycles,
        "route": board.route.name,
    }  # fmt: skip
    return {
        **told, "picture": picture, "layers": found.layers, "board": counted, "missing": found.missing,
        "scores": found.scores, "latency_s": found.latency_s,
    }  # fmt: skip
