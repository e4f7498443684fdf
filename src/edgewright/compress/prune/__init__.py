"""Pruning: whole channels leave, where it hurts least, until a share of the cost is left.

    >>> plan = plan_prune(job, Prune(keep_macs=0.5))     # what leaves, as plain data
    >>> narrow = apply_plan(job.model, plan)             # a smaller captured model
    >>> result = Prune(keep_macs=0.5).run(job)           # both, scored: the stage

score classes (`scores`) -> scan each group (`measure`) -> choose widths (`allocate`, `cost`) -> cut (`model.cut`)
"""

from .allocate import Allocator
from .cost import CutCost
from .measure import refreshed
from .plan import GroupPlan, PrunePlan, apply_plan, read_plan, save_plan
from .planner import Planner, plan_prune
from .quantities import NEAR, QUANTITIES, Quantity
from .scores import SCORES, Scoring
from .stage import Prune

__all__ = [
    "NEAR",
    "QUANTITIES",
    "SCORES",
    "Allocator",
    "CutCost",
    "GroupPlan",
    "Planner",
    "Prune",
    "PrunePlan",
    "Quantity",
    "Scoring",
    "apply_plan",
    "plan_prune",
    "read_plan",
    "refreshed",
    "save_plan",
]
