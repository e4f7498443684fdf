"""Parts that every way into a program shares, whatever graph it comes from; without PyTorch."""

from .builder import Builder, Codes, Floats, identifier
from .moves import add_move, reshape
from .operations import as_signed, fitted, global_average, holds, look_up
from .tidy import tidied

__all__ = [
    "Builder",
    "Codes",
    "Floats",
    "add_move",
    "as_signed",
    "fitted",
    "global_average",
    "holds",
    "identifier",
    "look_up",
    "reshape",
    "tidied",
]
