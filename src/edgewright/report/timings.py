"""Latency measurements, sorted into settings: what was timed against what."""

from __future__ import annotations

from dataclasses import dataclass

from .source import Content, entries, number, text

RUNTIMES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "executorch": "ExecuTorch"}


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How the two artifacts were timed against each other; `entries` holds fp32 and int8."""

    runtime: str
    threads: float | None
    batch: float | None
    entries: dict[str, Content]

    @property
    def title(self) -> str:
        name, _, version = self.runtime.partition(" ")
        parts = [f"{RUNTIMES.get(name, name)} {version}".strip() or "the runtime"]
        parts += [f"batch {self.batch:g}"] if self.batch is not None else []
        parts += [f"{self.threads:g} thread{'s' if self.threads != 1 else ''}"] if self.threads is not None else []
        return ", ".join(parts)


def timings(content: Content) -> list[Timing]:
    """Latency measurements, those of one setting together, smallest batch first."""
    groups: dict[tuple[str, float | None, float | None], dict[str, Content]] = {}
    for entry in entries(content, "latency"):
        key = (text(entry, "runtime"), number(entry, "threads"), number(entry, "batch"))
        groups.setdefault(key, {})[text(entry, "artifact")] = entry
    found = [
        Timing(runtime=runtime, threads=threads, batch=batch, entries=by_artifact)
        for (runtime, threads, batch), by_artifact in groups.items()
    ]
    return sorted(found, key=lambda timing: (timing.batch or 0, timing.threads or 0))
