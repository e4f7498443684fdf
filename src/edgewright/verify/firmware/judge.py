"""The judge of firmware: the C of an artifact on this machine, then on its device's board, and what it costs there.

files -> host, sanitizers on, every tensor -> board, every tensor, fenced -> score on the data -> checks
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from ...data import Data
from ...errors import BudgetError, DataError, UnsupportedError
from ...program import Program, load_program, macs
from ...progress import SILENT, Progress
from ...tasks import score_of
from ...types import Artifact, Budget, Check, Device, Score, Task
from ..artifact import read_artifact, read_expected
from . import checks
from .checks import Scored
from .host import FirmwareParity, compare_on_host
from .on_board import BoardProof, prove_on_board
from .routes import find_route
from .runners import BoardRunner, HostRunner, codes_of
from .subject import target_of

RUNTIME = "c"
NUM_PROVEN = 20  # images whose every tensor is compared
LONGEST_SCORE_S = (
    1000  # that the emulator may take for the score on a slow and busy machine: about two minutes elsewhere
)

Model = Callable[[torch.Tensor], Any]


@dataclass(frozen=True, kw_only=True)
class FirmwareVerification:
    """The verdict on firmware.

    Attributes:
        host: every tensor on this machine, sanitizers on.
        board: the same in the emulator, with what was measured; None where it did not run.
        missing: why it did not run there, "" where it did.
        scores: of the emulator, the host and whatever was given to compare with, on the same images.
        latency_s: of one image, estimated from the instructions.
    """

    artifact: Artifact
    device: Device | None
    checks: tuple[Check, ...]
    host: FirmwareParity
    board: BoardProof | None
    missing: str
    scores: tuple[Scored, ...]
    latency_s: float | None
    layers: tuple[Mapping[str, Any], ...]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What firmware is tried on.

    Args:
        task, data, split: images to score on; None: only those that the artifact came with are run.
        others: more ways to run the same model, by name, whose scores stand beside; the first is the one to reach.
        baseline: the score before compression, which `budget` counts the drop from.
        must_run: without an emulator the verdict is negative.
    """

    task: Task | None = None
    data: Data | None = None
    split: str = "test"
    others: Mapping[str, Model] | None = None
    baseline: Score | None = None
    budget: Budget | None = None
    must_run: bool = False


def verify_firmware(
    artifact: Artifact | Path, *, device: Device | None = None, trial: Trial | None = None, progress: Progress = SILENT
) -> FirmwareVerification:
    """Judge the firmware in a folder that `export --format c` wrote.

    Args:
        device: whose board and memories; default: the one that the folder was written for.

    Raises:
        DataError: the artifact is missing, damaged, or holds no C.
        ModelError: its program is damaged or missing.
        UnsupportedError: there is no C compiler on this machine.
        ConfigError: the device states no flash, has more RAM than its board, or takes too many regions to fence.
        ExportError: the C does not compile, or ends early.
    """
    trial = trial or Trial()
    artifact = _read(artifact)
    program = load_program(artifact.folder)
    device = device or _stored_device(artifact)
    images = _images(artifact, trial, program)
    progress.note("Verify the C on this machine")
    host = compare_on_host(program, artifact.folder, images)
    board, missing = _on_board(program, artifact, device, images, progress)
    layers = _layers(program, host, board)
    latency_s = checks.estimated_latency_s(board, device)
    scores, marks = _scores(program, artifact, trial, board, progress)
    return FirmwareVerification(
        artifact=artifact, device=device, host=host, board=board, missing=missing, scores=scores, layers=layers,
        latency_s=latency_s,
        checks=(
            checks.all_files(artifact), *checks.same_bytes(host, board), *checks.ran(missing, must=trial.must_run),
            *checks.memories(artifact, board, device, trial.budget), *checks.time(board, latency_s, trial.budget),
            *marks,
        ),
    )  # fmt: skip


def _read(artifact: Artifact | Path) -> Artifact:
    found = read_artifact(artifact.folder if isinstance(artifact, Artifact) else artifact)
    if found.manifest.get("runtime") != RUNTIME:
        raise DataError(f"{found.folder} holds {found.manifest['model']} and no C: write some with --format c.")
    return found


def _stored_device(artifact: Artifact) -> Device | None:
    stored = artifact.manifest.get("target")
    try:
        return None if stored is None else Device(**stored)
    except TypeError as error:
        raise DataError(f"The manifest of {artifact.folder} describes no device ({error}): export it again.") from error


def _stored_score(artifact: Artifact) -> Score | None:
    stored = artifact.manifest.get("score")
    try:
        return None if stored is None else Score(**stored)
    except TypeError as error:
        raise DataError(f"The manifest of {artifact.folder} holds no score ({error}): export it again.") from error


def _images(artifact: Artifact, trial: Trial, program: Program) -> list[dict[str, np.ndarray]]:
    """Codes of the images whose every tensor is compared: of the data, else those that the artifact came with."""
    if len(program.inputs) != 1:
        raise UnsupportedError(f"{program.name} has {len(program.inputs)} inputs: prove it from Python.")
    if trial.data is not None:
        images_BCHW = next(trial.data.batches(trial.split, batch_size=NUM_PROVEN))[0].numpy()
    else:
        kept = read_expected(artifact)
        if kept is None or "input" not in kept:
            raise DataError(f"{artifact.folder} came with no images: give some with --data.")
        images_BCHW = kept["input"][:NUM_PROVEN]
    return [codes_of(program, image) for image in images_BCHW]


def _on_board(
    program: Program, artifact: Artifact, device: Device | None, images: Sequence[Any], progress: Progress
) -> tuple[BoardProof | None, str]:
    """The proof in the emulator, or why there is none."""
    if device is None:
        return None, "no device is named: add --device"
    try:
        target = target_of(device)
    except UnsupportedError as error:
        return None, f"only the proof on the host is possible, for {str(error)[0].lower()}{str(error)[1:].rstrip('.')}"
    try:
        route = find_route(target.board)
    except UnsupportedError as error:
        return None, str(error).rstrip(".")
    progress.note(f"Verify in the emulator, {target.board.machine}, with {route.name}")
    try:
        return prove_on_board(program, artifact.folder, images, target=target, time_limit_s=600.0, route=route), ""
    except BudgetError as error:
        return None, str(error).rstrip(".")


def _layers(program: Program, host: FirmwareParity, board: BoardProof | None) -> tuple[dict[str, Any], ...]:
    """One row an operation; instructions are None without a board."""
    counted = macs(program)
    instructions = board.layer_instructions if board else (None,) * len(program.operations)
    boarded = board.parity.operations if board else (None,) * len(program.operations)
    return tuple(
        {
            "tensor": each.output, "kind": each.kind, "macs": counted[each.output], "instructions": count,
            "per_mac": count / counted[each.output] if count is not None and counted[each.output] else None,
            "differing": held.differing + (seen.differing if seen else 0),
            "compared": held.total + (seen.total if seen else 0),
        }
        for each, count, held, seen in zip(program.operations, instructions, host.operations, boarded, strict=True)
    )  # fmt: skip


def _most_images(board: BoardProof) -> int:
    """How many the emulator has time for."""
    return max(1, LONGEST_SCORE_S * board.route.instructions_per_s // max(board.instructions))


def _scores(
    program: Program, artifact: Artifact, trial: Trial, board: BoardProof | None, progress: Progress
) -> tuple[tuple[Scored, ...], tuple[Check, ...]]:
    """Scores on the images that the emulator has time for, the emulator's first, and the checks of them."""
    if trial.data is None or trial.task is None:
        return (), ()
    progress.note("Score the firmware")
    data, task, split = trial.data, trial.task, trial.split
    with TemporaryDirectory(prefix="firmware-") as place:
        models: dict[str, Model] = {}
        if board is not None:
            models[checks.EMULATOR] = BoardRunner.of(
                program, artifact.folder, Path(place) / "board", proof=board,
            )  # fmt: skip
        models[checks.HOST] = HostRunner.of(program, artifact.folder, Path(place) / "host")
        most = len(data.split(split)) if board is None else _most_images(board)
        models |= trial.others or {}
        found = {name: _decide(model, task, data, split, most) for name, model in models.items()}
    scores = tuple(Scored(name=name, score=score_of(*each, task, split)) for name, each in found.items())
    decided = {name: decisions for name, (decisions, _) in found.items()}
    return scores, checks.scores(scores, decided, trial.baseline, trial.budget, known=_stored_score(artifact))


def _decide(model: Model, task: Task, data: Data, split: str, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Decisions and targets of the first `most` images of a split."""
    decisions: list[np.ndarray] = []
    targets: list[np.ndarray] = []
    for images_BCHW, wanted in data.batches(split, batch_size=min(most, 250)):
        room = most - sum(len(each) for each in targets)
        if room <= 0:
            break
        with torch.no_grad():
            outputs = model(images_BCHW[:room])
        task.check_outputs(outputs, model_name="The firmware")
        decisions.append(task.decode(outputs).numpy())
        targets.append(wanted[:room].numpy())
    return np.concatenate(decisions), np.concatenate(targets)
