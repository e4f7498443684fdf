"""What costs? MACs, operations, parameters, bytes, RAM, time and energy of any model.

`profile` is the one call, `Analysis` everything at once. What they say is counted over the functions that run, not over
module classes; operators without a formula are named in `ModelProfile.unknown`. `hardware` models accelerators.
"""

from .analysis import Analysis
from .fitting import fit_checks
from .memory import Moment, peak, timeline
from .memory_variants import memory_variants
from .operators import Schedule, schedule
from .ordering import Ordering, best_order, reordered
from .profiling import cost_of, profile, profile_of, traced
from .receptive import by_shape
from .recording import record
from .roofline import remedies, roofline
from .tracing import Trace, trace
from .training_memory import LargestBatch, TrainingMemory, largest_batch, training_memory
from .views import by_layer, by_module, by_type, total
from .weights import Stored, stored

__all__ = [
    "Analysis",
    "LargestBatch",
    "Moment",
    "Ordering",
    "Schedule",
    "Stored",
    "Trace",
    "TrainingMemory",
    "best_order",
    "by_layer",
    "by_module",
    "by_shape",
    "by_type",
    "cost_of",
    "fit_checks",
    "largest_batch",
    "memory_variants",
    "peak",
    "profile",
    "profile_of",
    "record",
    "remedies",
    "reordered",
    "roofline",
    "schedule",
    "stored",
    "timeline",
    "total",
    "trace",
    "traced",
    "training_memory",
]
