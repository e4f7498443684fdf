"""Every operator of a .tflite file gives the bytes of TensorFlow Lite Micro itself."""

import importlib.util

import numpy as np
import pytest

from edgewright.program import run
from edgewright.program.tflite_file import read_tflite
from tflite_files import TfliteFile

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tflite_micro") is None,
    reason="tflite-micro is not installed: pip install 'edgewright[tflm]' (Linux on x86-64)",
)
SHAPE = (1, 6, 5, 4)
STRIDED = {0: ("b", 0), 1: ("i", 2), 2: ("i", 2)}  # padding "same", strides of 2
POOL = {**STRIDED, 3: ("i", 3), 4: ("i", 3)}
NONE, RELU, RELU6 = 0, 1, 3


def grid(rng):
    return {"scale": rng.uniform(0.01, 0.2), "zero_point": int(rng.integers(-128, 128))}


def weights(file, rng, shape, *, outputs, axis=0, scales=None):
    """A constant, most of whose multipliers are below 1; some at both ends: 1 and more, and nearly 0."""
    scale = rng.uniform(1e-4, 1e-2, scales or outputs) * rng.choice([1, 1, 1, 300, 2.0**-20], scales or outputs)
    return file.constant(rng.integers(-127, 128, shape).astype(np.int8), scale=scale, axis=axis)


def bias(file, rng, outputs):
    return file.constant(rng.integers(-9999, 9999, outputs).astype(np.int32))


def two(name):
    def make(file, rng):
        x, y = (file.input(SHAPE, **grid(rng)) for _ in range(2))
        file.operator(name, [x, y], SHAPE, options={0: ("b", int(rng.choice([NONE, RELU, RELU6])))}, **grid(rng))

    return make


def conv(file, rng):
    x = file.input(SHAPE, **grid(rng))
    parts = [x, weights(file, rng, (7, 3, 3, 4), outputs=7), bias(file, rng, 7)]
    options = {**STRIDED, 3: ("b", RELU), 4: ("i", 1), 5: ("i", 1)}
    file.operator("CONV_2D", parts, (1, 3, 3, 7), options=options, **grid(rng))


def depthwise(file, rng):
    x = file.input(SHAPE, **grid(rng))
    parts = [x, weights(file, rng, (1, 3, 3, 8), outputs=8, axis=3)]
    options = {0: ("b", 0), 1: ("i", 1), 2: ("i", 1), 3: ("i", 2), 4: ("b", RELU6), 5: ("i", 1), 6: ("i", 1)}
    file.operator("DEPTHWISE_CONV_2D", parts, (1, 6, 5, 8), options=options, **grid(rng))


def linear(scales):
    def make(file, rng):
        x = file.input((1, 2, 5, 2), **grid(rng))
        parts = [x, weights(file, rng, (7, 20), outputs=7, scales=scales), bias(file, rng, 7)]
        file.operator("FULLY_CONNECTED", parts, (1, 7), options={0: ("b", NONE)}, **grid(rng))

    return make


def pool(name):
    def make(file, rng):
        own = grid(rng)
        options = {**POOL, 5: ("b", RELU)}
        file.operator(name, [file.input(SHAPE, **own)], (1, 3, 3, 4), options=options, **own)

    return make


def mean(file, rng):
    axes = file.constant(np.int32([1, 2]))
    file.operator("MEAN", [file.input(SHAPE, **grid(rng)), axes], (1, 4), options={0: ("b", 0)}, **grid(rng))


def softmax(file, rng):
    x = file.input((1, 10), scale=2.0 ** rng.uniform(-9, 3), zero_point=5)
    file.operator("SOFTMAX", [x], (1, 10), options={0: ("f", 1.0)}, scale=1 / 256, zero_point=-128)


def regrid(name, **options):
    def make(file, rng):
        file.operator(name, [file.input(SHAPE, **grid(rng))], SHAPE, options=options.get("options"), **grid(rng))

    return make


def same_grid(name, made, *, constant=None, second=None, options=None):
    def make(file, rng):
        own = grid(rng)
        inputs = [file.input(SHAPE, **own)]
        inputs += [file.constant(np.int32(constant))] if constant is not None else []
        inputs += [file.input(second, **own)] if second is not None else []
        file.operator(name, inputs, made, options=options, **own)

    return make


CASES = {
    "add": two("ADD"), "sub": two("SUB"), "mul": two("MUL"), "conv": conv, "depthwise": depthwise,
    "linear of one scale": linear(1), "linear of several scales": linear(7), "average": pool("AVERAGE_POOL_2D"),
    "maximum": pool("MAX_POOL_2D"), "mean": mean, "softmax": softmax, "quantize": regrid("QUANTIZE"),
    "leaky ReLU": regrid("LEAKY_RELU", options={0: ("f", 0.13)}), "ReLU6": same_grid("RELU6", SHAPE),
    "reshape": same_grid("RESHAPE", (1, 120), constant=[1, 120]),
    "pad": same_grid("PAD", (1, 9, 6, 4), constant=[[0, 0], [1, 2], [0, 1], [0, 0]]),
    "transpose": same_grid("TRANSPOSE", (1, 4, 6, 5), constant=[0, 3, 1, 2]),
    "concatenation": same_grid("CONCATENATION", (1, 6, 5, 6), second=(1, 6, 5, 2), options={0: ("i", 3), 1: ("b", 0)}),
}  # fmt: skip


def channels_first(values):
    return values.transpose(2, 0, 1) if values.ndim == 3 else values


def images(file, rng, count):
    """Codes of every input: the ends first, then noise."""
    for index in range(count):
        low, high = ((-128, -127), (127, 128))[index] if index < 2 else (-128, 128)
        yield [rng.integers(low, high, file.tensors[each]["shape"]).astype(np.int8) for each in file.inputs]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("case", CASES)
def test_an_operator_gives_the_bytes_of_the_engine(case, seed, tmp_path):
    from tflite_micro import runtime

    file, rng = TfliteFile(), np.random.default_rng(seed)
    CASES[case](file, rng)
    (tmp_path / "net.tflite").write_bytes(file.data())
    program = read_tflite(tmp_path / "net.tflite")
    engine = runtime.Interpreter.from_bytes(file.data(), arena_size=1 << 18)
    for given in images(file, rng, 6):
        for place, values in enumerate(given):
            engine.set_input(values, place)
        engine.invoke()
        codes = {name: channels_first(values[0]) for name, values in zip(program.inputs, given, strict=True)}
        made = run(program, codes)[program.outputs[0]]
        np.testing.assert_array_equal(made, channels_first(engine.get_output(0)[0]))
