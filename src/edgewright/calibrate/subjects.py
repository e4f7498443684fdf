"""What is timed, prepared once and kept on disk: a model file, its operators, and its times turn by turn.

Each subject is a folder. A file in it is written as a whole or not at all, so that whatever is there is done: that is
all that resuming needs.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..analyze import profile
from ..export import export_onnx
from ..files import read_json, write_atomic, write_json
from ..model import capture
from ..types import OpProfile, Window, plain
from ..zoo import resolve
from .nets import MicroNet, weighted
from .slots import NodeTime, Sample, label_nodes

MODEL, ROWS = "model", "rows.json"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A small network (`net`), or a whole model that only validates (`net` is None)."""

    name: str
    folder: Path
    net: MicroNet | None = None

    @property
    def model_path(self) -> Path:
        return self.folder / MODEL / "model.onnx"

    @property
    def rows(self) -> tuple[OpProfile, ...]:
        """Its operators, as `prepare` found them."""
        return tuple(_row(entry) for entry in read_json(self.folder / ROWS))

    def prepare(self, seed: int) -> None:
        """Build, profile and export it, unless that is done."""
        if (self.folder / ROWS).is_file():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        module, shape = self._build(seed)
        captured = capture(module, shape, name=self.name)
        export_onnx(captured, self.folder / MODEL, name=self.name, preprocess={})
        if self.net is not None:
            _label(self.model_path, module)
        write_json(self.folder / ROWS, plain(profile(captured).rows))

    def _build(self, seed: int) -> tuple[nn.Module, tuple[int, ...]]:
        if self.net is None:
            found = resolve(self.name, num_classes=None)
            return found.model, found.input_shape
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            return self.net.module(), self.net.input_shape

    def time(self, turn: int, measure: Callable[[Subject], Sample]) -> None:
        """Measure it for one turn, unless that is done."""
        path = self.folder / f"turn-{turn}.json"
        if not path.is_file():
            write_json(path, plain(measure(self)))

    def samples(self) -> tuple[Sample, ...]:
        """All turns."""
        return tuple(_sample(json.loads(path.read_text())) for path in sorted(self.folder.glob("turn-*.json")))

    def best(self) -> Sample:
        """The turn that took least, which other work on the machine disturbed least; nodes likewise, each by itself."""
        samples = self.samples()
        total_s = min(sample.total_s for sample in samples)
        by_name = [{node.name: node.seconds for node in sample.nodes} for sample in samples]
        nodes = tuple(
            NodeTime(
                name=node.name, type=node.type, seconds=min(times.get(node.name, node.seconds) for times in by_name)
            )
            for node in samples[0].nodes
        )
        return Sample(total_s=total_s, nodes=nodes)


def subject(name: str, parts: Path, net: MicroNet | None = None) -> Subject:
    """The subject called `name`, in a folder of `parts` named after it."""
    return Subject(name=name, folder=parts / re.sub(r"[^A-Za-z0-9_.-]+", "-", name), net=net)


def forget(parts: Path) -> None:
    """Delete what was kept of earlier subjects."""
    shutil.rmtree(parts, ignore_errors=True)


def _label(path: Path, module: nn.Module) -> None:
    import onnx

    model = onnx.load(path)
    label_nodes(model.graph, weighted(module))
    write_atomic(path, model.SerializeToString(deterministic=True))


def _row(entry: Mapping[str, Any]) -> OpProfile:
    fields = _with_tuples(entry)
    if fields["window"] is not None:
        fields["window"] = Window(**_with_tuples(fields["window"]))
    return OpProfile(**fields)


def _with_tuples(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}


def _sample(entry: Mapping[str, Any]) -> Sample:
    return Sample(total_s=entry["total_s"], nodes=tuple(NodeTime(**node) for node in entry["nodes"]))
