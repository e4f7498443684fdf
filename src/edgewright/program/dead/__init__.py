"""Dead channels: what no input can change is computed once, ahead of time, and leaves the program.

bounds of every code --> what a bias can hold --> what must stay --> the program without the rest, and a report
"""

from .bounds import Bounds, bound_program
from .eliminate import eliminate_dead
from .report import DeadReport, OperationCut, Stay

__all__ = ["Bounds", "DeadReport", "OperationCut", "Stay", "bound_program", "eliminate_dead"]
