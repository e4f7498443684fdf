"""Lowering: the graph of a simulation becomes a program."""

from .lower import lower

__all__ = ["lower"]
