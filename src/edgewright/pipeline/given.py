"""The first stage of a run: score the model as it came and price it, change nothing."""

from __future__ import annotations

from dataclasses import dataclass

from ..analyze import cost_of
from ..model import capture, input_shape
from ..progress import SILENT, Progress
from ..tasks import evaluate
from ..types import Job, StageResult


@dataclass(frozen=True, kw_only=True)
class AsGiven:
    """The job's model as it is, in float32, scored on val."""

    def run(self, job: Job, *, progress: Progress = SILENT) -> StageResult:
        """The captured model, unchanged."""
        net = capture(job.model, job.data.preprocess.shape, name=job.model_name)
        score = evaluate(net, job.task, job.data, "val", progress=progress)
        notes = [f"Input {tuple(input_shape(net))}, scored as it came."]
        if job.trained and score.value <= 100 / job.data.num_classes + 3 * score.std_error:
            notes.append(
                "It scores no better than guessing: a model with random weights needs trained=False (or --weights)."
            )
            progress.note(notes[-1])
        return StageResult(model=net, score=score, cost=cost_of(net, job.device, "float32"), notes=tuple(notes))
