"""An integer network as a list of operations on codes: what firmware is generated from, without PyTorch.

    simulation --lower--> Program --(dead channels, layout, memory)--> C

A program holds integers and grids alone, and `run` says with NumPy what each operation means.
"""

from .types import KINDS, Operation, Program, Tensor

__all__ = ["KINDS", "Operation", "Program", "Tensor"]
