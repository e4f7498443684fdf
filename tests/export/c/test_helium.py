"""Helium kernels on the host: their tables, what they leave to others, and how close outputs lie to inputs."""

import shutil

import numpy as np
import pytest

from c_cases import images_of
from dead_programs import Builder
from edgewright.export.c import emit, helium, write
from edgewright.export.c.calls import calls_of
from edgewright.export.c.layout import layouts
from edgewright.export.c.memory import program as memory
from edgewright.reference.integer import Window
from edgewright.verify.firmware.host import compare_on_host

needs_compiler = pytest.mark.skipif(not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler")


def net(channels, outputs, *, kernel=(1, 1), stride=1, size=(6, 7), groups=1, dilation=(1, 1)):
    """One convolution of a program."""
    rng = np.random.default_rng(0)
    builder = Builder(shape=(channels, *size))
    weight = rng.integers(-127, 128, (outputs, channels // groups, *kernel))
    padding = tuple((each // 2, each // 2) for each in kernel)
    window = Window(kernel=kernel, stride=(stride, stride), padding=padding, dilation=dilation)
    last = builder.conv("x", weight, rng.integers(-99, 99, outputs), window=window, groups=groups, scale=0.0004)
    return builder.program(last)


def call_of(program, kernels):
    (call,) = calls_of(program, program.operations[0], layouts(program), kernels=kernels)
    return call


def test_four_outputs_have_their_numbers_side_by_side():
    """Five outputs: two groups of 4 biases, 4 mantissas and 4 shifts in a word; three rows of weights are 0."""
    program = net(3, 5)
    portable = {each.role: each.values for each in call_of(program, "portable").constants}
    call = call_of(program, "helium")
    made = {each.role: each.values for each in call.constants}
    assert call.kernel == "helium/pointwise" and made["fours"].shape == (2, helium.LANES * 2 + 1)
    assert made["weight"].shape == (8, 3) and not made["weight"][5:].any()
    np.testing.assert_array_equal(made["fours"][:, :4].ravel()[:5], portable["bias"])
    np.testing.assert_array_equal(made["fours"][:, 4:8].ravel()[:5], portable["mantissa"])
    np.testing.assert_array_equal(made["fours"][:, 8].copy().view(np.int8)[:5], -portable["shift"])


def test_the_taps_of_a_depthwise_channel_are_four_columns_of_four_rows():
    program = net(2, 2, kernel=(3, 2), groups=2)
    table = next(each.values for each in call_of(program, "helium").constants)
    taps = table[:, 1:5].copy().view(np.int8).reshape(2, 4, 4)
    weight = program.operations[0].arrays["weight_OIKK"][:, 0]
    np.testing.assert_array_equal(taps[:, :2, 1:], weight.transpose(0, 2, 1))
    assert not table[:, 0].any() and not taps[:, 2:].any() and not taps[:, :, 0].any()


@pytest.mark.parametrize(
    ("given", "kernel"),
    [
        ({"channels": 4, "outputs": 4, "kernel": (3, 3), "groups": 2}, "conv"),
        ({"channels": 4, "outputs": 5, "kernel": (3, 3), "dilation": (1, 2)}, "dsp/conv"),
        ({"channels": 4, "outputs": 4, "kernel": (5, 5), "groups": 4}, "depthwise"),
        ({"channels": 4, "outputs": 4, "kernel": (3, 3), "groups": 4, "dilation": (2, 1)}, "depthwise"),
        ({"channels": 4, "outputs": 5, "kernel": (3, 3), "dilation": (2, 1)}, "helium/conv"),
        ({"channels": 4, "outputs": 4, "kernel": (4, 1), "groups": 4}, "helium/depthwise"),
        ({"channels": 4, "outputs": 4}, "helium/pointwise_in_place"),
    ],
)
def test_what_vectors_do_not_serve_is_left_to_pairs_and_then_to_portable_kernels(given, kernel):
    assert call_of(net(**given), "helium").kernel == kernel


TIGHT = {  # the least bytes that an output may begin before its input, by hand
    # 16 of a row's 30 pixels are written, 16 channels after the other, while the row above them is read
    "depthwise": ({"channels": 20, "outputs": 20, "kernel": (3, 3), "groups": 20, "size": (6, 30)}, (30 + 16) * 20),
    # the strip of a row is read before it is written, and the next one begins a row above its pixels
    "conv": ({"channels": 8, "outputs": 8, "kernel": (3, 3)}, 7 * 8),
    "pointwise of as many": ({"channels": 16, "outputs": 16}, 0),
    # two pixels are written while their inputs are read, 41 pixels of 8 more bytes ahead of the last
    "pointwise of more": ({"channels": 8, "outputs": 16}, 40 * 8 + 2 * 16),
}


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "closer"), [(name, 0) for name in TIGHT] + [(name, 32) for name in TIGHT if TIGHT[name][1]]
)
def test_an_output_lies_no_closer_to_its_input_than_the_kernel_allows(name, closer, tmp_path, monkeypatch):
    given, lead = TIGHT[name]
    program, rule = net(**given), memory.Overlap
    monkeypatch.setattr(memory, "Overlap", lambda **fields: rule(**fields | {"lead": fields["lead"] - closer}))
    firmware = emit(program, kernels="helium")
    (overlap,) = firmware.plan.overlaps
    assert overlap.lead == lead - closer
    offsets = firmware.plan.offsets
    assert offsets[overlap.input] - offsets[overlap.output] == lead - closer
    write(firmware, tmp_path / "c")
    parity = compare_on_host(program, tmp_path / "c", images_of(program, count=4, seed=5))
    assert (parity.differing == 0) == (closer == 0)
