"""How sparse a model is to be at each moment of a training.

Source of the cubic one: Zhu and Gupta 2017, To prune, or not to prune (arXiv:1710.01878), equation 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

Course = Callable[[float, float, float], float]  # (start, final, share of the time) to sparsity


def cubic(start: float, final: float, share: float) -> float:
    """Fast while many weights are left, slow towards the end: s_f + (s_i - s_f) (1 - t/T)^3."""
    return final + (start - final) * (1 - share) ** 3


def equal_steps(start: float, final: float, share: float) -> float:
    """Each step removes the same share of the weights that are left, as lottery tickets are drawn."""
    return 1 - (1 - start) * ((1 - final) / (1 - start)) ** share


COURSES: Mapping[str, Course] = {"cubic": cubic, "steps": equal_steps}
"""The courses from one sparsity to another; beside them "one-shot" has none."""


def moments(course: str, *, start: float, final: float, num_updates: int, num_steps: int) -> dict[int, float]:
    """Step of the training (from 1) after which zeros are chosen anew -> sparsity from then on.

    The updates are spread evenly over `num_steps` steps, and the last one reaches `final` exactly. Where there are
    fewer steps than updates, the later update of a step counts.
    """
    found = {}
    for update in range(1, num_updates + 1):
        step = max(1, round(num_steps * update / num_updates))
        found[step] = final if update == num_updates else COURSES[course](start, final, update / num_updates)
    return found
