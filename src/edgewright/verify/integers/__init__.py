"""The simulation in integers: each operator against the reference, and whole runs in it."""

from .compare import LayerParity, ReferenceParity, compare_with_reference
from .run import run_in_integers

__all__ = ["LayerParity", "ReferenceParity", "compare_with_reference", "run_in_integers"]
