"""Convolutions and linear layers in C give the bytes of the integer reference."""

import shutil

import numpy as np
import pytest
from hypothesis import strategies as st

from c_cases import ODD, Bench, drawn, grids, in_tflm, proof_of
from edgewright.export.c import emit
from edgewright.export.c.dsp import KERNELS as DSP
from edgewright.export.c.kernel_sets import KERNEL_SETS
from edgewright.reference.integer import Grid, Window

needs_compiler = pytest.mark.skipif(not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler")
NUM = 16  # of convolutions and of depthwise ones; each is a function of its own to the compiler
WHOLE_WORDS = st.sampled_from((4, 8, 12))  # channels that the kernels of some sets want


@st.composite
def windows(draw, kernels=((1, 1), (1, 3), (1, 5), (2, 1), (3, 3), (3, 2), (4, 4)), dilated=True):
    pair = lambda low, high: (draw(st.integers(low, high)), draw(st.integers(low, high)))  # noqa: E731
    kernel, dilation = draw(st.sampled_from(kernels)), pair(1, 2 if dilated else 1)
    window = Window(kernel=kernel, stride=pair(1, 3), padding=(pair(0, 2), pair(0, 3)), dilation=dilation)
    sizes = tuple(max(draw(st.integers(1, 8)), window.reach(axis) - sum(window.padding[axis])) for axis in (0, 1))
    return window, sizes


@st.composite
def convs(draw, depthwise=False, many=ODD, places=windows()):  # noqa: B008 - a strategy is a constant
    window, sizes = draw(places)
    channels = draw(many)
    groups = channels if depthwise else draw(st.sampled_from([each for each in (1, 1, 3, 5) if channels % each == 0]))
    outputs = channels if depthwise else groups * draw(st.integers(1, 9))
    return window, sizes, channels, groups, outputs, draw(grids()), draw(grids()), draw(st.integers(0, 2**31))


def add_conv(bench, case):
    window, sizes, channels, groups, outputs, x, y, seed = case
    generator = np.random.default_rng(seed)
    arrays = layer_arrays(generator, "weight_OIKK", (outputs, channels // groups, *window.kernel))
    after = tuple(window.count(axis, sizes[axis]) for axis in (0, 1))
    return bench.add(
        "conv", [((channels, *sizes), x)], (outputs, *after), y, settings={"window": window, "groups": groups},
        arrays=arrays,
    )  # fmt: skip


def layer_arrays(generator, name, shape):
    """Weights, biases, and scales that make usual multipliers and, at times, some of 1 and more or of nearly 0."""
    scale = 2.0 ** generator.uniform(-12, -5, shape[0]) * generator.choice([1.0, 1.0, 1.0, 1.0, 200.0, 2.0**-40])
    return {
        name: generator.integers(-127, 128, shape),
        "bias_O": generator.integers(-(2**15), 2**15, shape[0]),
        "weight_scale_O": scale,
    }


@st.composite
def linears(draw):
    inputs, outputs = draw(st.sampled_from((1, 3, 5, 17, 33, 64))), draw(ODD)
    out = draw(st.one_of(st.none(), grids()))
    return inputs, outputs, draw(grids()), out, draw(st.integers(0, 2**31))


def add_linear(bench, case):
    inputs, outputs, x, y, seed = case
    arrays = layer_arrays(np.random.default_rng(seed), "weight_OI", (outputs, inputs))
    return bench.add("linear", [((inputs,), x)], (outputs,), y, arrays=arrays)


def build_bench():
    bench = Bench()
    for case in drawn(convs(), count=NUM):
        add_conv(bench, case)
    for case in drawn(convs(depthwise=True), count=NUM):
        add_conv(bench, case)
    for case in drawn(convs(many=WHOLE_WORDS), count=NUM // 2):
        add_conv(bench, case)
    for case in drawn(convs(True, WHOLE_WORDS, windows(kernels=((3, 3),), dilated=False)), count=NUM // 2):
        add_conv(bench, case)
    for case in drawn(linears(), count=NUM // 2):
        add_linear(bench, case)
    for inputs, outputs in ((17, 33), (64, 6)):
        x = Grid(scale=0.04, zero_point=-3, low=-128, high=127)
        add_linear(bench, (inputs, outputs, x, x, inputs))
        add_linear(bench, (inputs, outputs, x, None, inputs))
    for channels, outputs in ((1, 1), (3, 5), (17, 33), (16, 2), (6, 7)):
        x = Grid(scale=0.04, zero_point=-128, low=-128, high=127)
        window = Window(kernel=(1, 1))
        add_conv(bench, (window, (5, 3), channels, 1, outputs, x, x, channels))
    return bench.program("layers")


@pytest.fixture(scope="module", params=KERNEL_SETS)
def proven(request, tmp_path_factory):
    program = build_bench()
    return program, proof_of(program, tmp_path_factory.mktemp("layers") / "c", seed=1, kernels=request.param)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("name", [operation.output for operation in build_bench().operations])
def test_every_layer_gives_the_bytes_of_the_reference(proven, name):
    program, parity = proven
    operation = next(each for each in program.operations if each.output == name)
    assert parity[name].total == 6 * program.tensors[name].num_values * (4 if program.tensors[name].grid is None else 1)
    assert parity[name].differing == 0, operation


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize(("kernels", "form"), [("dsp", "fused"), ("helium", "high_word")])
def test_layers_round_twice_where_the_program_does(kernels, form, tmp_path):
    """With the sets whose layers have forms of their own, beside what is left to the portable kernels."""
    program = in_tflm(build_bench(), every=3)
    parity = proof_of(program, tmp_path / "c", seed=4, kernels=kernels)
    assert [each for each in parity.values() if each.differing] == [] and len(parity) == len(program.operations)
    text = emit(program, kernels=kernels).files["model.c"]
    assert f".{form} = 0" in text and f".{form} = 1" in text


def test_the_cases_hold_every_kernel_and_all_forms_of_rounding():
    text = emit(build_bench()).files["model.c"]
    for kernel in ("conv", "depthwise", "pointwise", "linear", "linear_float"):
        assert f"ew_{kernel}(&" in text
    assert ".high_word = 0" in text and ".high_word = 1" in text
    text = emit(build_bench(), kernels="dsp").files["model.c"]
    for kernel in set(DSP) - {"add", "add_tflm"}:
        assert f"ew_dsp_{kernel}(&" in text
    assert ".fused = 0" in text and ".fused = 1" in text
