"""What each operator of a .tflite file becomes. A new one is one line of `FORMS`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...reference.integer import Window
from ..building import global_average
from ..building import reshape as to_shape
from ..types import Tensor
from .call import Call, grid_of, on_one_grid, program_axis, program_shape
from .moves import in_program, moved, places_of

SAME = 0  # Padding; VALID is 1
AGAIN = "convert the model again"


# -- layers -----------------------------------------------------------------------------------------------------------
def conv(call: Call) -> Tensor:
    """Conv2DOptions: 0 padding, 1 and 2 strides of columns and rows, 3 activation, 4 and 5 dilations; (O, H, W, I)."""
    weight = call.constant(1).transpose(0, 3, 1, 2)
    groups = call.source().shape[0] // weight.shape[1]
    return _conv(call, weight, groups=groups, activation=3, dilations=(5, 4))


def depthwise(call: Call) -> Tensor:
    """DepthwiseConv2DOptions: as above, 3 the multiplier, 4 activation, 5 and 6 dilations; weights (1, H, W, O)."""
    weight = call.constant(1).transpose(3, 0, 1, 2)
    return _conv(call, weight, groups=call.source().shape[0], activation=4, dilations=(6, 5))


def _conv(
    call: Call, weight_OIKK: np.ndarray, *, groups: int, activation: int, dilations: tuple[int, int]
) -> Tensor:  # fmt: skip
    rows, columns = (int(call.operator.option(each, "i", 1)) for each in dilations)
    window = _window(call, (weight_OIKK.shape[2], weight_OIKK.shape[3]), dilation=(rows, columns))
    output = call.output(clamp=int(call.operator.option(activation, "b")))
    arrays = _layer_arrays(call, weight_OIKK, "weight_OIKK")
    return call.add("conv", [call.source()], output, settings={"window": window, "groups": groups}, arrays=arrays)


def linear(call: Call) -> Tensor:
    """FullyConnectedOptions: 0 activation; weights (O, I) over the values in the file's order."""
    weight_OI, flat = _flat(call, call.constant(1))
    grid = grid_of(call, call.result, clamp=int(call.operator.option(0, "b")))
    made = call.builder.tensor(call.named_as, (len(weight_OI),), grid)
    call.add("linear", [flat], made, arrays=_layer_arrays(call, weight_OI, "weight_OI"))
    return to_shape(call.builder, made, program_shape(call, call.result), name=made.name)


def _flat(call: Call, weight_OI: np.ndarray) -> tuple[np.ndarray, Tensor]:
    """The weights of a linear layer in the order of the features that it reads, and these."""
    x = call.reading.maps.get(call.operator.inputs[0]) or call.source()
    if x.num_values != weight_OI.shape[1]:
        raise call.refused(f"reads {x.num_values} values, expected {weight_OI.shape[1]}", remedy="flatten one image")
    ordered = np.empty_like(weight_OI)
    ordered[:, places_of(x.shape)] = weight_OI
    return ordered, to_shape(call.builder, x, (x.num_values,), name=f"{x.name}_flat")


def _layer_arrays(call: Call, weight: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """Weights (outputs first), and the bias, which is at the scale of the sums by the format's definition."""
    kernel = call.entry(1)
    assert kernel is not None, "weights were read"
    if kernel.dtype != "int8" or kernel.zero_points.any():
        raise call.refused(f"has weights of {kernel.dtype}, or with a zero point", remedy="quantize them to int8")
    if len(kernel.scales) not in (1, len(weight)) or not (np.isfinite(kernel.scales) & (kernel.scales > 0)).all():
        raise ValueError(f"{kernel.name} has {len(kernel.scales)} scales for {len(weight)} outputs, or a wrong one")
    bias = np.zeros(len(weight), np.int32) if call.entry(2) is None else call.constant(2)
    if bias.dtype != np.int32:
        raise call.refused(f"has a bias of {bias.dtype}", remedy="quantize it to int32")
    scales = np.broadcast_to(kernel.scales, (len(weight),)).copy()
    return {name: np.ascontiguousarray(weight), "bias_O": bias.ravel().copy(), "weight_scale_O": scales}


def _window(call: Call, kernel: tuple[int, int], *, dilation: tuple[int, int] = (1, 1)) -> Window:
    """Options of all windows: 0 padding, 1 and 2 strides of columns and rows. "Same" adds its odd place at the end."""
    stride = (int(call.operator.option(2, "i")), int(call.operator.option(1, "i")))
    if min(*kernel, *stride, *dilation) < 1:
        raise ValueError(f"a window of {kernel} with the stride {stride} and the dilation {dilation}")
    widths = [(0, 0), (0, 0)]
    if call.operator.option(0, "b") == SAME:
        for axis, size in enumerate(call.source().shape[1:3]):
            reach = (-(-size // stride[axis]) - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1
            total = max(reach - size, 0)
            widths[axis] = (total // 2, total - total // 2)
    return Window(kernel=kernel, stride=stride, padding=(widths[0], widths[1]), dilation=dilation)


# -- pooling ----------------------------------------------------------------------------------------------------------
def average_pool(call: Call) -> Tensor:
    """Pool2DOptions: 0 padding, 1 and 2 strides, 3 and 4 columns and rows of the window, 5 activation."""
    settings = {"window": _pool_window(call), "include_padding": False}
    output = call.output(clamp=int(call.operator.option(5, "b")))
    return call.add("average_pool", [call.source()], output, settings=settings)


def max_pool(call: Call) -> Tensor:
    clamp = int(call.operator.option(5, "b"))
    return call.keeping("max_pool", clamp=clamp, settings={"window": _pool_window(call)})


def _pool_window(call: Call) -> Window:
    return _window(call, (int(call.operator.option(4, "i")), int(call.operator.option(3, "i"))))


def mean(call: Call) -> Tensor:
    """The mean over rows and columns, which is the pooling of the whole map."""
    entry = call.entry(0)
    assert entry is not None, "an operator reads something"
    axes = {program_axis(entry, int(axis)) for axis in call.constant(1).ravel()}
    if len(entry.shape) != 4 or axes != {1, 2}:
        raise call.refused("takes a mean over other axes than rows and columns", remedy="pool rows and columns")
    grid, shape = grid_of(call, call.result), program_shape(call, call.result)
    return global_average(call.builder, call.source(), shape, name=call.named_as, grid=grid)


# -- elementwise ------------------------------------------------------------------------------------------------------
def add(call: Call) -> Tensor:
    return _two(call, "add", settings={"sign": 1})


def sub(call: Call) -> Tensor:
    return _two(call, "add", settings={"sign": -1})


def mul(call: Call) -> Tensor:
    return _two(call, "mul", settings={})


def _two(call: Call, kind: str, *, settings: dict[str, int]) -> Tensor:
    """AddOptions, SubOptions, MulOptions: 0 activation."""
    inputs = [call.source(0), call.source(1)]
    if len(inputs[0].shape) != len(inputs[1].shape):
        raise call.refused("joins tensors of different rank", remedy="reshape one of them")
    output = call.output(clamp=int(call.operator.option(0, "b")))
    return call.add(kind, inputs, output, settings=settings)


def relu(call: Call) -> Tensor:
    return _clamped(call, 1)


def relu_n1_to_1(call: Call) -> Tensor:
    return _clamped(call, 2)


def relu6(call: Call) -> Tensor:
    return _clamped(call, 3)


def _clamped(call: Call, clamp: int) -> Tensor:
    x, output = call.source(), grid_of(call, call.result, clamp=clamp)
    if not on_one_grid(x.grid, output):
        raise call.refused("changes scale or zero point", remedy="fuse it into the layer ahead of it")
    return call.add("rescale", [x], call.named(output))


def quantize(call: Call) -> Tensor:
    """Another grid; of a float input of the model, the codes that the caller fills."""
    number = call.operator.inputs[0]
    if number in call.reading.made or number not in call.reading.graph.inputs:
        return call.add("rescale", [call.source()], call.output())
    return call.entering()


def dequantize(call: Call) -> Tensor:
    return call.add("dequantize", [call.source()], call.named(None))


def leaky_relu(call: Call) -> Tensor:
    """LeakyReluOptions: 0 slope."""
    slope = float(call.operator.option(0, "f"))
    if not 0 <= slope < float("inf"):
        raise call.refused(f"has the slope {slope}", remedy="use one of 0 or more")
    return call.add("leaky_relu", [call.source()], call.output(), settings={"slope": slope})


def softmax(call: Call) -> Tensor:
    """SoftmaxOptions: 0 beta; over the last axis, the channels."""
    if call.operator.option(0, "f") != 1.0:
        raise call.refused(f"has the factor {call.operator.option(0, 'f')}", remedy="use softmax with beta 1")
    x = call.source()
    axis = 0 if len(x.shape) == 3 else len(x.shape) - 1
    return call.add("softmax", [x], call.output(), settings={"axis": axis})


# -- moves ------------------------------------------------------------------------------------------------------------
def concat(call: Call) -> Tensor:
    """ConcatenationOptions: 0 axis, 1 activation. The kernels copy codes: all parts have the output's grid."""
    output = call.output(clamp=int(call.operator.option(1, "b")))
    parts = [call.source(place) for place in range(len(call.operator.inputs))]
    if not all(on_one_grid(part.grid, output.grid) for part in parts):
        raise call.refused("joins parts of different scales or zero points", remedy=AGAIN)
    axis = program_axis(call.result, int(call.operator.option(0, "i")))
    if axis < 0:
        raise call.refused("joins images of a batch", remedy="join channels, rows or columns")
    return call.add("concat", parts, output, settings={"axis": axis})


def pad(call: Call) -> Tensor:
    """Zeros around a tensor; a row of (before, behind) for each axis of the file."""
    before_behind, entry = call.constant(1), call.entry(0)
    assert entry is not None, "an operator reads something"
    if before_behind.shape != (len(entry.shape), 2) or before_behind[0].any() or before_behind.min() < 0:
        raise call.refused(f"pads by {before_behind.tolist()}", remedy="pad channels, rows or columns")
    pairs = [(int(before), int(behind)) for before, behind in before_behind[1:]]
    widths = (pairs[2], *pairs[:2]) if len(pairs) == 3 else tuple(pairs)
    return call.keeping("pad", settings={"widths": widths})


def reshape(call: Call) -> Tensor | None:
    """The values in the file's order, in another shape; a flattened map waits for who reads it."""
    x, shape = call.source(), program_shape(call, call.result)
    if len(x.shape) == 3 and shape == (x.num_values,):
        call.reading.maps[call.operator.outputs[0]] = x
        return None
    return _moved(call, in_program(np.arange(x.num_values), shape))


def transpose(call: Call) -> Tensor:
    """The axes of the file in another order; the batch stays."""
    entry, order = call.entry(0), [int(each) for each in call.constant(1).ravel()]
    assert entry is not None, "an operator reads something"
    if order[:1] != [0] or sorted(order) != list(range(len(entry.shape))):
        raise call.refused(f"has the order {order}", remedy="keep the batch in front")
    numbers = np.arange(call.source().num_values).reshape(entry.shape).transpose(order)
    return _moved(call, in_program(numbers.ravel(), program_shape(call, call.result)))


def _moved(call: Call, taken: np.ndarray) -> Tensor:
    found = moved(call.builder, call.source(), taken, name=call.named_as)
    if found is None:
        raise call.refused("moves codes as no reshape and transposition does", remedy="move them in several steps")
    return found


FORMS: dict[str, Callable[[Call], Tensor | None]] = {
    "ADD": add, "AVERAGE_POOL_2D": average_pool, "CONCATENATION": concat, "CONV_2D": conv,
    "DEPTHWISE_CONV_2D": depthwise, "DEQUANTIZE": dequantize, "EXPAND_DIMS": reshape, "FULLY_CONNECTED": linear,
    "LEAKY_RELU": leaky_relu, "MAX_POOL_2D": max_pool, "MEAN": mean, "MUL": mul, "PAD": pad, "QUANTIZE": quantize,
    "RELU": relu, "RELU6": relu6, "RELU_N1_TO_1": relu_n1_to_1, "RESHAPE": reshape, "SOFTMAX": softmax,
    "SQUEEZE": reshape, "SUB": sub, "TRANSPOSE": transpose,
}  # fmt: skip
"""Operator -> what it becomes; None where that waits for who reads it."""
