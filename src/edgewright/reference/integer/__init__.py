"""Integer arithmetic of a quantized network, step by step: one definition for simulation, generated code and device.

A code q stands for the value scale * (q - zero_point). A layer multiplies codes, adds into 32 bits, and brings the
sum to the output's scale with one multiplication, one shift and one rounding, all in integers:

    acc  = sum(q_x * q_w) + bias - zero_point_x * sum(q_w)                      int32
    q_y  = clamp(zero_point_y + (acc * m + 2**(30 + n)) >> (31 + n))            64 bits, half rounds up

where M = scale_x * scale_w / scale_y = m * 2**-(31 + n), m a 31-bit integer. Weights are symmetric (zero point 0), one
scale per output channel. Source: Jacob et al. 2018, sections 2.2 and 2.4.

Every other operator is a form of the same: a sum, a product or a mean is an int32 and one requantization; a function of
one number is a table; moving codes (reshapes, maxima, padding, nearest neighbours) needs no arithmetic.

A second mode, `tflm`, rounds twice, as TensorFlow Lite Micro does; what differs in it is there, under the same names.

Activations have 2 to 8 or 16 bits. A sum that does not fit into 32 bits is refused (`OverflowError`): with 8 bits this
takes more than 66,311 products, with 16 bits 259 can be enough (`largest_sum` tells what a layer can reach).

Axes: B batch, C input channels, O output channels, H and W rows and columns, I features, G groups, K kernel.
"""

from ..windows import Window
from . import functions, tflm
from .elementwise import add, change_grid, concatenate, leaky_relu, look_up, mul, table
from .fixed_point import as_int32, fixed_point, largest_sum, largest_sums, requantize, rescale
from .grid import Grid
from .layers import conv2d, conv_transpose2d, convolve, linear, matmul
from .pooling import average, average_pool2d, max_pool2d
from .resizing import bilinear2d, nearest2d, neighbours, pad
from .softmax import softmax

__all__ = [
    "Grid",
    "Window",
    "add",
    "as_int32",
    "average",
    "average_pool2d",
    "bilinear2d",
    "change_grid",
    "concatenate",
    "conv2d",
    "conv_transpose2d",
    "convolve",
    "fixed_point",
    "functions",
    "largest_sum",
    "largest_sums",
    "leaky_relu",
    "linear",
    "look_up",
    "matmul",
    "max_pool2d",
    "mul",
    "nearest2d",
    "neighbours",
    "pad",
    "requantize",
    "rescale",
    "softmax",
    "table",
    "tflm",
]
