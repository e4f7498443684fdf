"""Mixed precision: how many bits each layer and tensor needs, what they cost, and the best choice within limits."""

from .allocate import Allocation, allocate, pareto_front
from .choose import Mixed, choose, measure_rows
from .costs import Alive, BitCosts, Limits, Spent, bit_costs
from .curvature import curvature_rows, mean_traces
from .probe import Part, Probe
from .sensitivity import BitSensitivity, output_error, score_lost, sensitivities, task_loss

__all__ = [
    "Alive",
    "Allocation",
    "BitCosts",
    "BitSensitivity",
    "Limits",
    "Mixed",
    "Part",
    "Probe",
    "Spent",
    "allocate",
    "bit_costs",
    "choose",
    "curvature_rows",
    "mean_traces",
    "measure_rows",
    "output_error",
    "pareto_front",
    "score_lost",
    "sensitivities",
    "task_loss",
]
