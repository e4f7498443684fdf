"""A part of a program made row by row instead of map by map: the same codes, with only a few rows of each map at once.

    program, block, rows --striped--> program of stripes

What comes out is a program like any other, so `run` says what it means, and whoever plans its memory sees short-lived
tensors of few rows.
"""

from .blocks import Block, block_between, blocks_of
from .rewrite import striped

__all__ = ["Block", "block_between", "blocks_of", "striped"]
