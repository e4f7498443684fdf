"""The score before and after, its sampling error, and the score that the budget still accepts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..types import Score
from .source import Content, chosen_path, entries, is_judged, look, mapping, number, text
from .units import DASH, change_text, points_text


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The score before and after, on the same split where the run has one."""

    before: Score | None
    after: Score | None
    floor: float | None
    paired_error: float | None = None  # standard error of the change, where each image was scored by both

    @property
    def change(self) -> float | None:
        return self.after.value - self.before.value if self.before and self.after else None

    @property
    def std_error(self) -> float | None:
        """Standard error of the change, in points.

        A run that recorded no paired error gets that of two separate samples, which is on the safe side.
        """
        if self.before is None or self.after is None:
            return None
        if self.paired_error is not None:
            return self.paired_error
        return math.hypot(self.before.std_error, self.after.std_error)

    @property
    def remark(self) -> str:
        """What the sample size lets one say about the change."""
        if self.change is None or self.std_error is None or self.after is None or self.before is None:
            return ""
        if self.before.split != self.after.split:
            return f"Before was scored on {self.before.split}, after on {self.after.split}: compare with care."
        noise = 2 * self.std_error
        verdict = "within" if abs(self.change) <= noise else "larger than"
        return (
            f"The change of {change_text(self.change)} points is {verdict} the noise: two standard errors of the "
            f"difference are {points_text(noise)} points on {self.after.num_samples:,} images."
        )


def read_score(entry: Content) -> Score | None:
    """The score of a stage, None when it has none or an impossible one."""
    value, num_samples = number(entry, "score", "value"), number(entry, "score", "num_samples")
    if value is None or num_samples is None or not 0 <= value <= 100 or num_samples < 1:
        return None
    metric, split = text(entry, "score", "metric") or "score", text(entry, "score", "split")
    return Score(metric=metric, value=value, num_samples=int(num_samples), split=split)


def scores(content: Content) -> Scores:
    """Score of the trained fp32 model and of the artifact: as the run recorded them, else those of its stages."""
    recorded = mapping(content, "scores")
    before, after = (read_score({"score": look(recorded, side)}) for side in ("before", "after"))
    if before is None and after is None:
        before, after = _scores_of_stages(content)
    floor = score_floor(content, before.value if before else None)
    return Scores(before=before, after=after, floor=floor, paired_error=number(recorded, "change_std_error"))


def _scores_of_stages(content: Content) -> tuple[Score | None, Score | None]:
    """The last score, and the one it is to be compared with: where the Pareto plot starts, or training ended."""
    scored = [(text(stage, "name"), score) for stage in chosen_path(content) if (score := read_score(stage))]
    if not scored:
        return None, None
    after = scored[-1][1]
    alike = [(name, score) for name, score in scored if (score.metric, score.split) == (after.metric, after.split)]
    candidates = alike[:-1] or scored[:-1]
    start = pareto_start(content)
    same = [score for _, score in candidates if start is not None and abs(score.value - start) < 1e-6]
    trained = [score for name, score in candidates if "train" in name]
    return next(iter([*same, *trained, *(score for _, score in candidates)]), None), after


def pareto_start(content: Content) -> float | None:
    """The score of the point that the Pareto plot starts from."""
    points = entries(content, "pareto")
    return next((number(point, "score") for point in points if text(point, "kind") in ("start", "fp32")), None)


def score_floor(content: Content, start: float | None) -> float | None:
    """The smallest score, in points, that the budget accepts of a model that started from `start`."""
    if not is_judged(content):
        return None
    budget = mapping(content, "asked", "budget")
    drop, lowest = number(budget, "max_drop"), number(budget, "min_score")
    floors = [lowest] if lowest is not None else []
    if drop is not None and start is not None:
        floors.append(start - drop)
    return max(floors, default=None)


def score_text(score: Score | None) -> str:
    """99.17 ± 0.48: points and their binomial standard error."""
    return DASH if score is None else f"{points_text(score.value)} ± {points_text(score.std_error)}"
