"""An integer network as a list of operations on codes: what firmware is generated from, without PyTorch.

    simulation --lower--> Program --(dead channels, layout, memory)--> C

A program holds integers and grids alone, and `run` says with NumPy what each operation means. Only `program.lowering`,
which makes one from a simulation, loads PyTorch.
"""

from .counts import macs, num_weights
from .run import input_codes, output_values, run
from .shapes import check
from .store import load_program, program_files, save_program
from .types import KINDS, Operation, Program, Tensor

__all__ = [
    "KINDS",
    "Operation",
    "Program",
    "Tensor",
    "check",
    "input_codes",
    "load_program",
    "macs",
    "num_weights",
    "output_values",
    "program_files",
    "run",
    "save_program",
]
