"""Plain C99 for any compiler, from a program of integer operations: kernels by hand, calls and tables by template."""

from .emit import Firmware, emit, write
from .vectors import Vector

__all__ = ["Firmware", "Vector", "emit", "write"]
