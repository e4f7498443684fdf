"""Ways to build and run firmware: Debian's programs, or else two packages from PyPI."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...errors import UnsupportedError
from .boards import Board
from .compilers import GCC, ZIG, ZIG_FLAGS, Compiler
from .cpu import emulate
from .qemu import EMULATOR, Emulate, emulate_board
from .tools import missing_tools, missing_wheels, remedy, wheels_remedy


@dataclass(frozen=True, kw_only=True)
class Route:
    """A compiler and an emulator.

    Attributes:
        cores: that both of them know; None: every core with a board.
        instructions_per_s: that the emulator executes on a slow and busy machine, at least.
        missing: says what is not installed and how to get it; "" for nothing.
    """

    name: str
    compiler: Compiler
    emulate: Emulate
    cores: frozenset[str] | None
    instructions_per_s: int
    missing: Callable[[], str]


ROUTES = (
    Route(
        name="arm-none-eabi-gcc and QEMU", compiler=GCC, emulate=emulate_board, cores=None,
        instructions_per_s=20_000_000,
        missing=lambda: remedy(missing_tools(("arm-none-eabi-gcc", EMULATOR))),
    ),
    Route(
        name="zig and unicorn", compiler=ZIG, emulate=emulate, cores=frozenset(ZIG_FLAGS),
        instructions_per_s=1_000_000,
        missing=lambda: wheels_remedy(missing_wheels()),
    ),
)  # fmt: skip
"""In the order in which they are preferred."""


def find_route(board: Board) -> Route:
    """The first way that is installed and knows the core of `board`.

    Raises:
        UnsupportedError: there is none; says what installs each.
    """
    told = []
    for route in ROUTES:
        if route.cores is not None and board.core not in route.cores:
            told.append(f"{route.name} do not know the Cortex-{board.core}")
        elif missing := route.missing():
            told.append(missing)
        else:
            return route
    raise UnsupportedError(
        f"Firmware cannot be built and run here: {'; or '.join(told)}. The host's compiler can still prove the bytes."
    )
