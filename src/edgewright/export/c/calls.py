"""Which kernels an operation calls. A new kind is one line; a faster kernel for a call is one in `kernel_sets`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...program import Operation, Program
from . import elementwise, layers, moves, tflm
from .kernel_sets import fastest
from .layout import Shape
from .packing import packed
from .scene import Call, Scene

CALLS: dict[str, Callable[[Scene], tuple[Call, ...]]] = {
    "conv": layers.conv,
    "linear": layers.linear,
    "add": elementwise.add,
    "mul": elementwise.mul,
    "concat": moves.concat,
    "slice": moves.cut,
    "max_pool": layers.max_pool,
    "average_pool": layers.average_pool,
    "global_average": layers.global_average,
    "look_up": elementwise.look_up,
    "rescale": elementwise.rescale,
    "copy": moves.copy,
    "leaky_relu": elementwise.leaky_relu,
    "pad": moves.pad,
    "nearest": moves.nearest,
    "bilinear": moves.bilinear,
    "softmax": elementwise.softmax,
    "reshape": moves.move,
    "transpose": moves.move,
    "dequantize": elementwise.dequantize,
}
TFLM_CALLS: dict[str, Callable[[Scene], tuple[Call, ...]]] = {
    "add": tflm.add,
    "average_pool": tflm.average_pool,
    "global_average": tflm.global_average,
    "leaky_relu": tflm.leaky_relu,
    "softmax": tflm.softmax,
}
CALLS_OF = {"single": CALLS, "tflm": {**CALLS, **TFLM_CALLS}}


def calls_of(
    program: Program,
    operation: Operation,
    lying: Mapping[str, Shape],
    *,
    kernels: str = "portable",
    packs: bool = True,
) -> tuple[Call, ...]:
    """The calls of kernels that make an operation's output; none where its bytes lie ready.

    Args:
        kernels: a set of `KERNEL_SETS`.
        packs: store weights of 4 bits two a byte.

    Raises:
        UnsupportedError: the kernels cannot compute it.
    """
    scene = Scene(program=program, operation=operation, lying=lying)
    found = tuple(fastest(scene, call, kernels) for call in CALLS_OF[program.rounding][operation.kind](scene))
    return tuple(packed(call) for call in found) if packs else found
