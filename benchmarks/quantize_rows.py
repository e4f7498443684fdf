"""What the tables of the quantization pages share: ResNets on CIFAR-10, a judge, and rows that survive a kill."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from quantize_integers import subject
from torch import fx

from edgewright.compress.quantize import Plan, Precision, observe, plan_quantizers, ranges_of
from edgewright.compress.quantize.gates import expose_gates
from edgewright.compress.quantize.ranges.best import sqnr_db
from edgewright.data import Data
from edgewright.files import read_json, write_json
from edgewright.model.fold import fold_batch_norms
from edgewright.pipeline.record import machine_facts, version_facts

RESULTS = Path(__file__).parent / "results"
CALIBRATION, BATCH = 256, 100
NO_NETS = Path("unused")  # resnet20 and resnet32 have published weights: nothing is trained


class Rows:
    """The rows of one file, by table and name. Each is written when it is done, so that a killed run goes on.

    A row names its place in the file's `environments` (machine and versions): a run may go on elsewhere.

    Args:
        seconds: no row is begun after so many.
    """

    def __init__(self, path: Path, *, claim: str, seconds: float) -> None:
        self.path, self.ends = path, time.monotonic() + seconds
        self.content = read_json(path) if path.exists() else {"claim": claim, "tables": {}}

    def measure(self, table: str, name: str, compute: Callable[[], Any]) -> Any:
        """The row as it is known, or computed now; None when the time is up."""
        rows = self.content["tables"].setdefault(table, {})
        if name not in rows:
            if time.monotonic() > self.ends:
                return None
            began = time.perf_counter()
            found = compute()
            row_s = round(time.perf_counter() - began, 1)
            rows[name] = {**found, "row_s": row_s, "environment": self._environment()}
            write_json(self.path, self.content)
            print(table, name, str(rows[name])[:200], flush=True)
        return rows[name]

    def _environment(self) -> int:
        """The place of this machine with these versions among those of the file."""
        here = {"machine": machine_facts(), "versions": version_facts()}
        known = self.content.setdefault("environments", [])
        if here not in known:
            known.append(here)
        return known.index(here)


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A net with published CIFAR-10 weights, folded, with what the tables measure it by."""

    net: fx.GraphModule
    data: Data

    @staticmethod
    def of(name: str) -> Subject:
        """`resnet20` or `resnet32`, from EDGEWRIGHT_TEST_DATA."""
        net, data = subject(name, Path(os.environ["EDGEWRIGHT_TEST_DATA"]), NO_NETS, epochs=0)
        return Subject(net=net.eval(), data=data)

    @cached_property
    def folded(self) -> fx.GraphModule:
        return expose_gates(fold_batch_norms(self.net, absorb=True)[0])

    @cached_property
    def plan(self) -> Plan:
        return plan_quantizers(self.folded)

    @cached_property
    def images_BCHW(self) -> torch.Tensor:
        """The calibration images."""
        return self.data.calibration(CALIBRATION, 0)

    @cached_property
    def observations(self) -> Any:
        return observe(self.folded, self.plan, self.images_BCHW)

    def ranges(self, method: str = "minmax", *, bits: int = 8) -> dict[str, tuple[float, float]]:
        """Of the activations, at so many bits."""
        return ranges_of(self.observations, method=method, precision=Precision(activations=bits))

    @cached_property
    def test(self) -> tuple[torch.Tensor, torch.Tensor]:
        pairs = list(self.data.batches("test", batch_size=BATCH))
        images_BCHW, labels_B = (torch.cat(part) for part in zip(*pairs, strict=True))
        return images_BCHW, labels_B

    def outputs(self, run: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """The logits of all test images."""
        with torch.no_grad():
            return torch.cat([run(batch) for batch in self.test[0].split(BATCH)])

    @cached_property
    def exact(self) -> torch.Tensor:
        return self.outputs(self.folded)

    def judged(self, run: Callable[[torch.Tensor], torch.Tensor]) -> dict[str, float | None]:
        """Top-1 on the test images, and signal over noise of the logits against the float net (None without noise)."""
        return self.judged_logits(self.outputs(run))

    def judged_logits(self, logits: torch.Tensor) -> dict[str, float | None]:
        """The same from the logits of all test images."""
        noise_db = sqnr_db([self.exact], [logits])
        return {
            "top1": round(100 * float((logits.argmax(1) == self.test[1]).double().mean()), 2),
            "sqnr_db": round(noise_db, 2) if math.isfinite(noise_db) else None,
            "images": len(logits),
        }
