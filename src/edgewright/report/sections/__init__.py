"""What each part of the page says: from `run.json` to plain values that a template shows. None: leave the part out."""

from .comparison import comparison
from .confusion import confusion
from .evidence import latency, parity
from .firmware import firmware
from .groups import sensitivity
from .layers import layers, roofline
from .setup import setup
from .stages import pareto, rounds, stages
from .tickets import tickets
from .verdict import checks, infeasible, verdict

__all__ = [
    "checks",
    "comparison",
    "confusion",
    "firmware",
    "infeasible",
    "latency",
    "layers",
    "pareto",
    "parity",
    "roofline",
    "rounds",
    "sensitivity",
    "setup",
    "stages",
    "tickets",
    "verdict",
]
