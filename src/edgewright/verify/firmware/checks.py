"""The checks of firmware: each turns one measurement into a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...types import LIMITS, Artifact, Budget, Check, Device, Score
from ..checks import NOT_JUDGED, agreement, files, score
from .host import FirmwareParity
from .on_board import BoardProof
from .subject import Target

EMULATOR, HOST = "firmware in the emulator", "firmware on this machine"
EXPORTED = "the model that was exported"  # whose score the manifest may know
MOST_POINTS = 0.2  # between the emulator's score and the one of the artifact that it is held against
REMEDIES = {"ram_bytes": "use a smaller input or narrower early layers", "flash_bytes": "keep fewer weights"}


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What one way of running the model scores, on the images that the emulator had time for."""

    name: str
    score: Score


def all_files(artifact: Artifact) -> Check:
    """The files are those that were exported."""
    return files(artifact)


def same_bytes(host: FirmwareParity, board: BoardProof | None) -> Iterator[Check]:
    """Differing bytes of every tensor on the host, and on the board: none is allowed."""
    yield _bytes("bytes on this machine", host, "address and undefined-behaviour sanitizers on")
    if board is not None:
        yield _bytes(
            f"bytes on {board.target.board.core}",
            board.parity,
            f"{board.route.name}, {board.target.board.machine}, fenced",
        )


def _bytes(name: str, parity: FirmwareParity, where: str) -> Check:
    wrong = next((each for each in parity.operations if each.differing), None)
    blame = "" if wrong is None else f"the first operation that differs is {wrong.kind} {wrong.tensor}."
    return Check(
        name=name, passed=wrong is None, value=parity.differing, limit=0, unit="bytes that differ", blame=blame,
        how=f"{parity.total:,} bytes of {len(parity.operations)} operations on {parity.num_images} images against the "
            f"integer reference; {where}",
    )  # fmt: skip


def ran(missing: str, *, must: bool) -> Iterator[Check]:
    """A word about an emulator that did not run; a failure where it was asked for."""
    if missing:
        yield Check(
            name="emulator", passed=not must, value=None, limit=None, unit="", how="not run", blame=f"{missing}."
        )


def memories(
    artifact: Artifact, board: BoardProof | None, device: Device | None, budget: Budget | None
) -> Iterator[Check]:
    """RAM and flash against the limits: measured, or as they were predicted where nothing could be measured."""
    need = artifact.manifest["need"]
    limits = {name: _limit(name, device, budget) for name in REMEDIES}
    for name, limit in limits.items():
        predicted = need[name]
        value = predicted if board is None else getattr(board, name)
        how = f"predicted: {_parts(name, need)}"
        if board is not None:
            how = f"measured: {_measured(name, board)}; predicted {predicted:,}"
        passed = limit is None or value <= limit
        blame = "" if passed or not limit else _too_much(name, value / limit)
        yield Check(name=name, passed=passed, value=value, limit=limit, unit="bytes", how=how, blame=blame)
    if board is not None:
        reserve = board.target.stack_bytes
        yield Check(
            name="stack", passed=board.stack_bytes <= reserve, value=board.stack_bytes, limit=reserve, unit="bytes",
            how="painted before each image, the most that was used",
        )  # fmt: skip


def _too_much(name: str, factor: float) -> str:
    return f"{LIMITS[name].title} is {factor:.2f} times the limit: {REMEDIES[name]}."


def _limit(name: str, device: Device | None, budget: Budget | None) -> int | None:
    known = [getattr(each, name) for each in (device, budget) if each is not None]
    return min((each for each in known if each is not None), default=None)


def _parts(name: str, need: Mapping[str, int]) -> str:
    parts = ("arena", "floats", "stack", "start_ram") if name == "ram_bytes" else ("tables", "code", "start_flash")
    return " + ".join(f"{part.replace('_', ' ')} {need[part]:,}" for part in parts)


def _measured(name: str, board: BoardProof) -> str:
    if name == "ram_bytes":
        used = f"variables {board.sizes.static_ram_bytes:,} by the linker + stack {board.stack_bytes:,} as used"
        return f"{used}{_fence(board.target)}"
    return f"the linker's sections, {board.sizes.harness_flash_bytes:,} of the harness among them"


def _fence(target: Target) -> str:
    """Where the fence stands behind a limit that it cannot express; "" where it ends with the limit."""
    if target.fenced_ram_bytes == target.ram_bytes:
        return ""
    return f"; fence at {target.fenced_ram_bytes:,} bytes, the linker holds the limit to the byte"


def time(board: BoardProof | None, latency_s: float | None, budget: Budget | None) -> Iterator[Check]:
    """Instructions, exact; and the milliseconds that they stand for, modelled or estimated, never measured."""
    if board is None:
        return
    counts = board.instructions
    yield Check(
        name="instructions", passed=True, value=max(counts), limit=None, unit="instructions",
        how=f"counted, the most of {len(counts)} images (the fewest: {min(counts):,})",
    )  # fmt: skip
    if latency_s is None or board.cycles is None:
        return
    limit = None if budget is None else budget.latency_s
    passed = limit is None or latency_s <= limit
    cycles = board.cycles
    yield Check(
        name="latency_s", passed=passed, value=latency_s, limit=limit, unit="s",
        how=f"{cycles.label}: {cycles.least:,} to {cycles.most:,} cycles, of which the most, over the clock",
        blame="" if passed or not limit else f"latency is {latency_s / limit:.2f} times the limit: keep fewer MACs.",
    )  # fmt: skip


def estimated_latency_s(board: BoardProof | None, device: Device | None) -> float | None:
    """Seconds of one image at most; None where nothing was counted, or no cycles of that core are known."""
    if board is None or device is None or board.cycles is None:
        return None
    return board.cycles.most / device.clock_hz


def scores(
    found: Sequence[Scored],
    decided: Mapping[str, np.ndarray],
    baseline: Score | None,
    budget: Budget | None,
    *,
    known: Score | None = None,
) -> tuple[Check, ...]:
    """The firmware's score against the first of the others, by decisions too, and against what the budget accepts.

    Args:
        known: of the same model, from its manifest: what the score is held against where nothing else was run.
    """
    first, *_ = found
    others = [each for each in found if each.name not in (EMULATOR, HOST)]
    runtime = f"the {first.name}".removeprefix("the firmware ") if first.name == HOST else "the emulator"
    reached = others[:1] or _exported(known, first.score)
    made = [*score(first.score, baseline, budget, runtime=runtime)]
    for each in reached:
        made = [replace(check, how=check.how.replace(NOT_JUDGED, f"; judged against {each.name}")) for check in made]
        made.append(_near(first, each, runtime))
    for each in others:
        share = 100 * float(np.mean(decided[each.name] == decided[first.name]))
        made += [
            replace(check, name=f"agreement with {each.name}", how=check.how.replace("the simulation", each.name))
            for check in agreement(share, first.score.num_samples, first.score.split, runtime=runtime)
        ]
    return tuple(made)


def _exported(known: Score | None, found: Score) -> list[Scored]:
    """What the manifest knows, where it is of the same images."""
    same = known is not None and (known.split, known.num_samples) == (found.split, found.num_samples)
    return [Scored(name=EXPORTED, score=known)] if known is not None and same else []


def _near(first: Scored, other: Scored, runtime: str) -> Check:
    limit = other.score.value - MOST_POINTS
    passed = (
        round(abs(first.score.value - other.score.value), 6) <= MOST_POINTS
    )  # one image of 500 is 0.2, rounding is not
    return Check(
        name=f"score against {other.name}", passed=passed, value=first.score.value, limit=limit, unit="points",
        how=f"{first.score.metric} on {first.score.num_samples} images of {first.score.split} in {runtime}, "
            f"{other.score.value:.2f} in {other.name}; at most {MOST_POINTS} apart",
        blame="" if passed else f"{runtime} decides otherwise than {other.name}: see the agreement.",
    )  # fmt: skip
