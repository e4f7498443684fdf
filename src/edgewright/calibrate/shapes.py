"""Which small networks are timed: shapes drawn at random where those of vision models lie.

Channels are drawn evenly on a logarithmic scale, between limits that fall as images grow; whole models have no part in
the choice. The same seed draws the same networks.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from .nets import IMAGE_FUNCTIONS, TOKEN_FUNCTIONS, Layer, MicroNet

CHANNELS = {224: (8, 32), 112: (16, 128), 56: (16, 512), 28: (32, 768), 14: (48, 1280), 7: (96, 2048), 1: (8, 2048)}
# Of one operator. It then takes 2 ms at 50 G/s, and is often done before a busy system gives the core to another.
MOST_MACS = 1e8
FIRST_LAYERS = (  # side, channels of the image, made, kernel, stride
    (224, 3, 16, 3, 2), (224, 3, 32, 3, 2), (224, 3, 64, 3, 2), (224, 3, 64, 7, 2), (224, 3, 24, 3, 1),
    (96, 3, 8, 3, 2), (32, 3, 16, 3, 1), (32, 3, 64, 3, 1), (28, 1, 8, 3, 1), (224, 3, 48, 5, 2), (299, 3, 32, 3, 2),
)  # fmt: skip
PATCHES = ((224, 96, 4), (224, 384, 16), (224, 192, 8))  # side, channels, size
# Side and channels of the tests of functions. The last two are for squeezes; what resizes stops before them.
IMAGE_SIZES = ((112, 96), (56, 64), (28, 96), (14, 256), (7, 512), (4, 64), (1, 8))
RESIZABLE = 5
TOKEN_SIZES = {56: (64, 128, 384), 14: (64, 192, 384, 768, 1536)}  # side -> channels
TOKEN_WIDTHS = {56: (64, 384), 28: (96, 1024), 14: (128, 3072), 7: (256, 3072)}


def plan(rng: np.random.Generator, *, quick: bool = False) -> tuple[MicroNet, ...]:
    """All networks of a calibration, in the order in which they are timed."""
    rounds = 1 if quick else 2
    nets = [*_functions(quick=quick), *_first_layers(quick=quick)]
    for number in range(rounds):
        nets += [_pointwise(rng, side, number) for side in (112, 56, 28, 14, 7, 1)]
        nets += [_square(rng, side, number) for side in (112, 56, 28, 14, 7)]
        nets += [_depthwise(rng, side, number) for side in (112, 56, 28, 14, 7)]
        nets += [_grouped(rng, side, number) for side in (56, 28, 14, 7)]
        nets += [_odd(rng, side, number) for side in (56, 28, 14, 7)]
        nets += [_token_layers(rng, side, number) for side in (56, 28, 14, 7)] + [_vectors(rng, number)]
    nets += [_odd_squares(), _odd_vectors(), _transposed()]
    return (*OVERHEAD_NETS, *nets)


SHORT_CHAIN, LONG_CHAIN = 10, 40  # layers
TINY_SHAPE = (8, 2, 2)
NOTHING, SHORT, LONG = "nothing", f"chain {SHORT_CHAIN}", f"chain {LONG_CHAIN}"
OVERHEADS = (NOTHING, SHORT, LONG)
_TINY = Layer(build="conv", numbers=(8, 8, 1, 1))
OVERHEAD_NETS = (
    MicroNet(name=NOTHING, input_shape=(3, 1, 1), layers=(Layer(build="relu"),)),
    MicroNet(name=SHORT, input_shape=TINY_SHAPE, layers=(_TINY,) * SHORT_CHAIN),
    MicroNet(name=LONG, input_shape=TINY_SHAPE, layers=(_TINY,) * LONG_CHAIN),
)
"""What a call of a model costs beside its operators, and what one more operator costs that does next to nothing."""


def _channels(rng: np.random.Generator, side: int, *, multiple: int | None = None) -> int:
    """A channel count that is usual for images of this side; a multiple of 16 as often as one of 8."""
    low, high = CHANNELS[side]
    drawn = math.exp(rng.uniform(math.log(low), math.log(high)))
    multiple = multiple or int(rng.choice((8, 16)))
    return max(multiple, round(drawn / multiple) * multiple)


def _chain(rng: np.random.Generator, side: int, *, tests: int, most_weight: float) -> list[int]:
    """Channel counts c0, c1, ...: no product of two neighbours is above `most_weight`."""
    counts = [_channels(rng, side)]
    while len(counts) <= tests:
        wanted = _channels(rng, side)
        counts.append(wanted if wanted * counts[-1] <= most_weight else max(8, int(most_weight / counts[-1]) // 8 * 8))
    return counts


def _guard(channels_in: int, channels_out: int, stride: int = 1) -> Layer:
    return Layer(build="guard", numbers=(channels_in, channels_out, stride), is_guard=True)


def _guarded(name: str, side: int, channels: int, tests: list[Layer], last: int) -> MicroNet:
    """`tests` between a first guard, which makes `channels` of an image, and a last one."""
    return MicroNet(name=name, input_shape=(3, side, side), layers=(_guard(3, channels), *tests, _guard(last, 8)))


def _pointwise(rng: np.random.Generator, side: int, number: int) -> MicroNet:
    counts = _chain(rng, side, tests=8, most_weight=MOST_MACS / side**2)
    tests = [Layer(build="conv", numbers=(a, b, 1, 1)) for a, b in pairwise(counts)]
    if side > 7:
        made = _channels(rng, side)
        tests.append(Layer(build="conv", numbers=(counts[-1], made, 1, 1, 2)))
        counts.append(made)
    return _guarded(f"conv_1x1 {side} {number}", side, counts[0], tests, counts[-1])


def _square(rng: np.random.Generator, side: int, number: int) -> MicroNet:
    """Mostly 3x3; one 5x5, one 1x7, one 2x2 that takes patches apart, one 3x3 with stride 2."""
    kernels = ((3, 3), (5, 5), (3, 3), (1, 7), (3, 3), (3, 3)) if number else ((3, 3),) * 4 + ((5, 5), (3, 3))
    counts = [_channels(rng, side)]
    tests = []
    for index, kernel in enumerate(kernels):
        stride = 2 if index == len(kernels) - 1 and side > 7 else 1
        most = MOST_MACS / side**2 / math.prod(kernel) / counts[-1]
        counts.append(max(8, min(_channels(rng, side), int(most) // 8 * 8)))
        tests.append(Layer(build="conv", numbers=(*counts[-2:], *kernel, stride)))
    if side > 7:
        counts.append(_channels(rng, side // 2))
        tests.append(Layer(build="patches", numbers=(*counts[-2:], 2)))
    return _guarded(f"conv {side} {number}", side, counts[0], tests, counts[-1])


def _depthwise(rng: np.random.Generator, side: int, number: int) -> MicroNet:
    tests: list[Layer] = []
    last = first = _channels(rng, side)
    for kernel in (3, 5, 3, 7 if number else 3):
        channels = _channels(rng, side)
        tests += [
            _guard(last, channels),
            Layer(build="conv", numbers=(channels, channels, kernel, kernel, 1, channels)),
        ]
        last = channels
    tests.append(Layer(build="conv", numbers=(last, last, *(3, 3, 2, last))))
    return _guarded(f"conv_depthwise {side} {number}", side, first, tests, last)


def _grouped(rng: np.random.Generator, side: int, number: int) -> MicroNet:
    """Groups of 8 to 64 channels, as ResNeXt and RegNet have them."""
    tests: list[Layer] = []
    last = first = _channels(rng, side)
    for width in (8, 16, 32, 64) if number else (8, 24, 16, 48):
        channels = max(2, round(_channels(rng, side) / width)) * width
        stride = 2 if width in (48, 64) and side > 7 else 1
        numbers = (channels, channels, 3, 3, stride, channels // width)
        tests += [_guard(last, channels), Layer(build="conv", numbers=numbers)]
        last = channels
    return _guarded(f"conv_grouped {side} {number}", side, first, tests, last)


def _odd(rng: np.random.Generator, side: int, number: int) -> MicroNet:
    """Channel counts that are no multiple of 4: 1x1 and depthwise in turns, as ShuffleNet has them."""
    tests: list[Layer] = []
    last = first = 4 * (_channels(rng, side, multiple=8) // 4) + 2
    for kernel in (3, 5, 3):
        made = 4 * (_channels(rng, side, multiple=8) // 4) + int(rng.choice((1, 2, 2, 3)))
        made = min(made, int(MOST_MACS / side**2 / last))
        tests += [Layer(build="conv", numbers=(last, made, 1, 1))]
        tests += [Layer(build="conv", numbers=(made, made, kernel, kernel, 1, made))]
        last = made
    tests.append(Layer(build="conv", numbers=(last, last, 3, 3, 2, last)))
    return _guarded(f"odd {side} {number}", side, first, tests, last)


def _odd_squares() -> MicroNet:
    counts = (18, 37, 50, 70, 90, 34, 130)
    tests = [Layer(build="conv", numbers=(*pair, 3, 3)) for pair in pairwise(counts)]
    return _guarded("odd_squares", 28, counts[0], tests, counts[-1])


def _odd_vectors() -> MicroNet:
    """Squeezes of few channels, as in EfficientNet."""
    counts = (48, 6, 144, 10, 288, 26, 1110, 58)
    tests = [Layer(build="conv", numbers=(*pair, 1, 1)) for pair in pairwise(counts)]
    return _guarded("odd_vectors", 1, counts[0], tests, counts[-1])


def _transposed() -> MicroNet:
    counts = ((256, 128, 2), (128, 64, 4), (64, 32, 2), (32, 16, 4))
    tests = [Layer(build="transposed", numbers=numbers) for numbers in counts]
    return _guarded("conv_transposed", 7, 256, tests, 16)


def _first_layers(*, quick: bool) -> list[MicroNet]:
    chosen = FIRST_LAYERS[::2] if quick else FIRST_LAYERS
    nets = [
        MicroNet(
            name=f"conv_first {index}", input_shape=(read, side, side),
            layers=(Layer(build="conv", numbers=(read, made, kernel, kernel, stride)), _guard(made, 8)),
        )
        for index, (side, read, made, kernel, stride) in enumerate(chosen)
    ]  # fmt: skip
    nets += [
        MicroNet(
            name=f"patches {index}", input_shape=(3, side, side),
            layers=(Layer(build="patches", numbers=(3, made, size)), _guard(made, 8)),
        )
        for index, (side, made, size) in enumerate(PATCHES)
    ]  # fmt: skip
    return nets


QUICK_FUNCTIONS = (
    "none", "silu", "hardswish", "add", "squeeze", "cat", "shuffle", "max_pool_3_2", "avg_pool_2", "norm", "gelu",
    "tokens_add", "token_norm",
)  # fmt: skip


def _functions(*, quick: bool) -> list[MicroNet]:
    """For each function, and for none, the same guards: over several sizes of images or of tokens."""
    images, tokens = [*IMAGE_FUNCTIONS, "norm"], [*TOKEN_FUNCTIONS, "token_norm"]
    if quick:
        images, tokens = ([name for name in names if name in QUICK_FUNCTIONS] for names in (images, tokens))
    nets = [_image_function(name) for name in images]
    nets += [_token_function(name, side) for side in TOKEN_SIZES for name in tokens]
    return [net for net in nets if net.name != "function attention 56"]  # 3,136 tokens that attend take seconds


DOUBLES = ("cat", "norm")
RESIZES = {"max_pool_3_2": 1, "max_pool_2": 1, "avg_pool_2": 1, "nearest": 4, "bilinear": 4}
"""Function -> stride of the guard behind it, so that each test sees half the side of the one before."""


def _image_function(name: str) -> MicroNet:
    sizes = IMAGE_SIZES[:RESIZABLE] if name in RESIZES else IMAGE_SIZES
    layers: list[Layer] = [_guard(3, sizes[0][1])]
    for (side, channels), (next_side, following) in zip(sizes, (*sizes[1:], (1, 8)), strict=True):
        made = channels * (2 if name in DOUBLES else 1)
        stride = RESIZES.get(name, -(-side // next_side) if next_side > 1 else 4)
        layers += [Layer(build=name, numbers=(channels,)), _guard(made, following, stride)]
    alike = name != "none" and name not in DOUBLES and name not in RESIZES
    baseline = "function none" if alike else None
    return MicroNet(name=f"function {name}", input_shape=(3, 112, 112), layers=tuple(layers), baseline=baseline)


def _token_function(name: str, side: int) -> MicroNet:
    layers: list[Layer] = [_guard(3, 64), Layer(build="tokens", is_guard=True)]
    last = 64
    for channels in TOKEN_SIZES[side]:
        layers += [Layer(build="linear_guard", numbers=(last, channels), is_guard=True)]
        layers += [Layer(build=name, numbers=(channels,))]
        last = channels
    layers += [Layer(build="linear_guard", numbers=(last, 8), is_guard=True)]
    return MicroNet(name=f"function {name} {side}", input_shape=(3, side, side), layers=tuple(layers))


def _token_layers(rng: np.random.Generator, side: int, number: int) -> MicroNet:
    """Linear layers over H * W rows."""
    counts = [_width(rng, TOKEN_WIDTHS[side])]
    for _ in range(5):
        most = int(MOST_MACS / side**2 / counts[-1]) // 32 * 32
        counts.append(max(32, min(_width(rng, TOKEN_WIDTHS[side]), most)))
    tests = [Layer(build="linear", numbers=pair) for pair in pairwise(counts)]
    layers = [
        _guard(3, 64), Layer(build="tokens", is_guard=True),
        Layer(build="linear_guard", numbers=(64, counts[0]), is_guard=True), *tests,
        Layer(build="linear_guard", numbers=(counts[-1], 8), is_guard=True),
    ]  # fmt: skip
    return MicroNet(name=f"linear_rows {side} {number}", input_shape=(3, side, side), layers=tuple(layers))


def _width(rng: np.random.Generator, limits: tuple[int, int], multiple: int = 32) -> int:
    low, high = limits
    return round(math.exp(rng.uniform(math.log(low), math.log(high))) / multiple) * multiple


def _vectors(rng: np.random.Generator, number: int) -> MicroNet:
    """Linear layers over one row, as classifiers have them."""
    counts = [_width(rng, (64, 4096), 1) for _ in range(7)]
    counts[3 + number] = 1000
    tests = [Layer(build="linear", numbers=pair) for pair in pairwise(counts)]
    first = (_guard(3, counts[0]), Layer(build="flatten", is_guard=True))
    last = Layer(build="linear_guard", numbers=(counts[-1], 8), is_guard=True)
    return MicroNet(name=f"linear_vector {number}", input_shape=(3, 1, 1), layers=(*first, *tests, last))
