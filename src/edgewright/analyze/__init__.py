"""What costs? MACs, operations, parameters, bytes, peak RAM, time and energy of a captured model.

`profile` is the one call. Everything it says is counted over the functions that run, not over module classes; operators
without a formula are named in `ModelProfile.unknown`.
"""

from .memory import Moment, peak, timeline
from .operators import Schedule, schedule
from .roofline import remedies, roofline
from .profiling import cost_of, profile, profile_of, traced
from .receptive import by_shape
from .recording import record
from .tracing import Trace, trace
from .views import by_layer, by_module, by_type, total
from .weights import Stored, stored

__all__ = [
    "Moment",
    "Schedule",
    "Stored",
    "Trace",
    "by_layer",
    "by_module",
    "by_shape",
    "by_type",
    "cost_of",
    "peak",
    "profile",
    "profile_of",
    "record",
    "roofline",
    "schedule",
    "stored",
    "timeline",
    "total",
    "trace",
    "traced",
]
