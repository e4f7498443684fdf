"""Pruning: whole channels leave, where it hurts least, until a share of the cost is left.

    >>> plan = plan_prune(job, Prune(keep_macs=0.5))     # what leaves, as plain data
    >>> narrow = apply_plan(job.model, plan)             # a smaller captured model
    >>> result = Prune(keep_macs=0.5).run(job)           # both, scored: the stage

shrink what will leave (`prepare`, if wanted) -> score classes (`scores`) -> scan each group (`measure`) or rank them
together (`ranking`) -> choose widths (`allocate`, `cost`) -> cut (`model.cut`)
"""

from .allocate import Allocator
from .cost import CutCost
from .gradual import ApplyPlan, CutStep, composed, rebased
from .measure import refreshed
from .penalties import PENALTIES
from .plan import GroupPlan, PrunePlan, apply_plan, read_plan, save_plan
from .planner import Planner, plan_prune
from .prepare import Prepare
from .quantities import NEAR, QUANTITIES, Quantity
from .ranking import RANKINGS
from .scores import SCORES, Scoring
from .stage import Prune

__all__ = [
    "NEAR",
    "PENALTIES",
    "QUANTITIES",
    "RANKINGS",
    "SCORES",
    "Allocator",
    "ApplyPlan",
    "CutCost",
    "CutStep",
    "GroupPlan",
    "Planner",
    "Prepare",
    "Prune",
    "PrunePlan",
    "Quantity",
    "Scoring",
    "apply_plan",
    "composed",
    "plan_prune",
    "read_plan",
    "rebased",
    "refreshed",
    "save_plan",
]
