"""Every operation but the layers in C gives the bytes of the integer reference."""

import shutil

import numpy as np
import pytest
from hypothesis import strategies as st

from c_cases import ODD, Bench, drawn, grids, in_tflm, proof_of
from edgewright.export.c import emit
from edgewright.export.c.kernel_sets import KERNEL_SETS
from edgewright.program import KINDS
from edgewright.reference.integer import Grid, Window, table

needs_compiler = pytest.mark.skipif(not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler")
NUM = 4  # draws of each kind
LAYERS = {"conv", "linear"}  # proven in test_kernels_layers
MAP = st.tuples(ODD, st.integers(2, 7), st.integers(2, 7))
ENDS = Grid(scale=1 / 256, zero_point=-128, low=-128, high=127)  # of probabilities


def one(kind, *, settings=lambda draw, shape: {}, shape_of=lambda shape, settings: shape, arrays=None, same=False):
    """Draws of an operation of one map: its settings, the shape that it makes, its arrays."""

    @st.composite
    def case(draw):
        shape, x = draw(MAP), draw(grids())
        chosen = settings(draw, shape)
        out = x if same else draw(grids())
        return kind, [(shape, x)], shape_of(shape, chosen), out, chosen, arrays(x, out) if arrays else {}

    return case()


def pool_window(draw, shape):
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 4)))
    kernel = (min(kernel[0], shape[1]), min(kernel[1], shape[2]))
    padding = tuple((draw(st.integers(0, size // 2)), draw(st.integers(0, size // 2))) for size in kernel)
    stride = (draw(st.integers(1, 3)), draw(st.integers(1, 2)))
    return Window(kernel=kernel, stride=stride, padding=padding, ceil=draw(st.booleans()))


def pooled(shape, settings):
    return (shape[0], *(settings["window"].count(axis, shape[1 + axis]) for axis in (0, 1)))


@st.composite
def pairs(draw, kind):
    shape = draw(MAP)
    other = draw(st.sampled_from((shape, (shape[0], 1, 1), (1, *shape[1:]), (1, 1, 1), (shape[0], 1, shape[2]))))
    shapes = [shape, other] if draw(st.booleans()) else [other, shape]
    settings = {"sign": draw(st.sampled_from((1, -1)))} if kind == "add" else {}
    return kind, [(each, draw(grids())) for each in shapes], shape, draw(grids()), settings, {}


@st.composite
def concats(draw):
    shape, axis, out = draw(MAP), draw(st.integers(0, 2)), draw(grids())
    sizes = draw(st.lists(st.integers(1, 5), min_size=2, max_size=3))
    parts = [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]
    kinds = [out if index == 0 else draw(grids()) for index in range(len(parts))]
    whole = (*shape[:axis], sum(sizes), *shape[axis + 1 :])
    return "concat", list(zip(parts, kinds, strict=True)), whole, out, {"axis": axis}, {}


def ranges(draw, shape):
    axis = draw(st.integers(0, 2))
    start = draw(st.integers(0, shape[axis] - 1))
    return {"axis": axis, "start": start, "stop": draw(st.integers(start + 1, shape[axis]))}


def cut(shape, settings):
    size = settings["stop"] - settings["start"]
    return tuple(size if axis == settings["axis"] else old for axis, old in enumerate(shape))


def widths(draw, shape):
    return {"widths": tuple((draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in range(3))}


def padded(shape, settings):
    return tuple(size + sum(pair) for size, pair in zip(shape, settings["widths"], strict=True))


CASES = (
    pairs("add"),
    pairs("mul"),
    concats(),
    one("slice", settings=ranges, shape_of=cut, same=True),
    one("max_pool", settings=lambda draw, shape: {"window": pool_window(draw, shape)}, shape_of=pooled, same=True),
    one(
        "average_pool", shape_of=pooled,
        settings=lambda draw, shape: {"window": pool_window(draw, shape), "include_padding": draw(st.booleans())},
    ),
    one("global_average", shape_of=lambda shape, _: (shape[0], 1, 1)),
    one("look_up", arrays=lambda x, out: {"table": table(np.tanh, grid=x, out=out).astype(np.int8)}),
    one("rescale"),
    one("copy", same=True),
    one("leaky_relu", settings=lambda draw, shape: {"slope": draw(st.sampled_from((0.01, 0.2, 0.0)))}),
    one("pad", settings=widths, shape_of=padded, same=True),
    one(
        "nearest", settings=lambda draw, shape: {"steps": draw(st.sampled_from((None, (0.5, 0.4))))},
        shape_of=lambda shape, _: (shape[0], 2 * shape[1], 2 * shape[2] + 1), same=True,
    ),
    one(
        "bilinear", shape_of=lambda shape, _: (shape[0], 2 * shape[1] + 1, 2 * shape[2]),
        settings=lambda draw, shape: {
            "steps": draw(st.sampled_from((None, (0.5, 0.4)))), "align_corners": draw(st.booleans()),
        },
    ),
    one("softmax", settings=lambda draw, shape: {"axis": draw(st.integers(0, 2))}),
    one("transpose", settings=lambda draw, shape: {"order": tuple(draw(st.permutations((0, 1, 2))))}, same=True,
        shape_of=lambda shape, settings: tuple(shape[axis] for axis in settings["order"])),
    one("reshape", shape_of=lambda shape, _: (shape[0] * shape[1], 1, shape[2]), same=True),
    one("reshape", shape_of=lambda shape, _: (shape[0] * shape[1] * shape[2],), same=True),
)  # fmt: skip


def build_bench():
    bench = Bench()
    for strategy in CASES:
        for kind, inputs, shape, out, settings, arrays in drawn(strategy, count=NUM):
            bench.add(kind, inputs, shape, out, settings=settings, arrays=arrays)
    bench.add("softmax", [((10,), ENDS)], (10,), ENDS, settings={"axis": 0})
    bench.add("dequantize", [((33,), ENDS)], (33,), None)
    return bench.program("operations")


@pytest.fixture(scope="module", params=KERNEL_SETS)
def proven(request, tmp_path_factory):
    program = build_bench()
    return program, proof_of(program, tmp_path_factory.mktemp("operations") / "c", seed=2, kernels=request.param)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(set(KINDS) - LAYERS))
def test_every_operation_gives_the_bytes_of_the_reference(proven, kind):
    program, parity = proven
    rows = [each for each in parity.values() if each.kind == kind]
    assert rows and all(each.total >= 6 * program.tensors[each.tensor].num_values for each in rows)
    assert [each for each in rows if each.differing] == []


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("kernels", ["dsp", "helium"])
def test_every_operation_rounds_twice_where_the_program_does(kernels, tmp_path):
    program = in_tflm(build_bench(), every=2)
    kinds = {each.kind for each in program.operations}
    assert {"add", "mul", "concat", "average_pool", "global_average", "rescale", "leaky_relu", "softmax"} <= kinds
    assert f"ew_{kernels}_add_tflm(&" in emit(program, kernels=kernels).files["model.c"]
    parity = proof_of(program, tmp_path / "c", seed=3, kernels=kernels)
    assert [each for each in parity.values() if each.differing] == [] and len(parity) == len(program.operations)
