"""Five hundred random programs as C on the host: every tensor of every image, byte by byte."""

import re
import shutil
from collections import Counter
from functools import partial

import pytest

from c_cases import images_of
from edgewright.errors import ExportError
from edgewright.export.c import emit
from edgewright.export.c.kernel_sets import KERNEL_SETS
from edgewright.program import KINDS
from edgewright.verify.firmware.host import build_on_host, compare_with_program, run_on_host
from random_programs import ODD, random_program
from suites import write_suite

needs_compiler = pytest.mark.skipif(not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler")
PER_BUILD, NUM, NUM_TFLM = 100, 500, 200
WAYS = [
    (kernels, rounding, first)
    for kernels in KERNEL_SETS
    for rounding, count in (("single", NUM), ("tflm", NUM_TFLM))
    for first in range(0, count, PER_BUILD)
]
# A kernel, what is changed in it, and what it becomes.
FAULTS = (
    ("numbers.h", "((int64_t)1 << (bits - 1))", "(((int64_t)1 << (bits - 1)) - 1)"),  # halves down
    ("numbers.h", "((int32_t)1 << (shift - 2))", "0"),  # truncates
    ("conv.h", "ew_dot_constant_four(s->zero_point,", "ew_dot_constant_four(0,"),
    ("dot.h", "d = ew_plus(d, code * w3[i]);", "d = ew_plus(d, -code * w3[i]);"),
    ("add.h", "- s->b_zero_point", "- s->a_zero_point"),
    ("bilinear.h", "s->zero_point", "(s->zero_point + 1)"),
)


BEYOND = ("window.h", "start + (kernel - 1) * dilation < size", "start + (kernel - 1) * dilation <= size")


def proven(programs, folder, *, kernels="portable", fault=None, compact=False):
    """Differing bytes of all programs in one build, with a kernel changed on purpose."""
    whole = write_suite(programs, folder / "c", emitted=partial(emit, kernels=kernels, compact=compact))
    if fault:
        name, before, after = fault
        path = folder / "c" / "kernels" / name
        assert before in path.read_text()
        path.write_text(path.read_text().replace(before, after))
    images = images_of(whole, count=4, seed=len(programs))
    found = run_on_host(build_on_host(folder / "c", folder / "build", optimize="-O0", specialize=False), images)
    return compare_with_program(whole, images, found)


def wrong(parity):
    """What differs; the name of a tensor begins with `p` and the seed of its program."""
    return [each for each in parity.operations if each.differing]


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("kernels", KERNEL_SETS)
def test_kernels_that_all_calls_share_give_the_same_bytes(kernels, tmp_path):
    programs = [random_program(seed) for seed in range(PER_BUILD)]
    assert any(emit(each, kernels=kernels, compact=True).shared_calls for each in programs)
    assert wrong(proven(programs, tmp_path, kernels=kernels, compact=True)) == []


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize(("kernels", "rounding", "first"), WAYS)
def test_random_programs_give_the_bytes_of_the_reference_on_every_tensor(kernels, rounding, first, tmp_path):
    programs = [random_program(seed, rounding=rounding) for seed in range(first, first + PER_BUILD)]
    parity = proven(programs, tmp_path, kernels=kernels)
    assert parity.total > 300_000 and len(parity.operations) > 5 * PER_BUILD
    assert wrong(parity) == []


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault[0]}: {fault[2]}")
def test_a_kernel_that_is_broken_on_purpose_is_caught_and_its_seed_named(fault, tmp_path):
    found = wrong(proven([random_program(seed) for seed in range(60)], tmp_path / "many", fault=fault))
    assert found
    seed = int(re.match(r"p(\d+)/", found[0].tensor).group(1))
    alone = wrong(proven([random_program(seed)], tmp_path / "alone", fault=fault))
    assert alone[0].kind == found[0].kind and alone[0].tensor == found[0].tensor


@needs_compiler
@pytest.mark.slow
def test_a_tap_beyond_the_map_ends_the_run(tmp_path):
    with pytest.raises(ExportError, match=r"ends with code .*AddressSanitizer"):
        proven([random_program(seed) for seed in range(60)], tmp_path, fault=BEYOND)


def test_random_programs_hold_every_kind_of_operation_and_odd_sizes():
    programs = [random_program(seed) for seed in range(NUM)]
    operations = [operation for program in programs for operation in program.operations]
    count = Counter(operation.kind for operation in operations)
    assert set(count) == set(KINDS) and min(count.values()) >= 20
    windows = [(each, each.settings["window"]) for each in operations if each.kind == "conv"]
    for having in (
        lambda operation, window: window.kernel[0] == 1 < window.kernel[1],
        lambda operation, window: window.kernel[1] == 1 < window.kernel[0],
        lambda operation, window: any(before != behind for before, behind in window.padding),
        lambda operation, window: max(window.dilation) > 1 and max(window.kernel) > 1,
        lambda operation, window: max(window.stride) > 1,
        lambda operation, window: 1 < operation.settings["groups"] < len(operation.arrays["bias_O"]),
        lambda operation, window: operation.settings["groups"] == len(operation.arrays["bias_O"]) > 1,
    ):
        assert sum(having(*each) for each in windows) >= 50
    channels = Counter(program.tensors[each.inputs[0]].shape[0] for program in programs for each in program.operations)
    assert all(channels[each] >= 50 for each in ODD)
    branches = [
        max(Counter(name for each in program.operations for name in each.inputs).values()) for program in programs
    ]
    assert sum(each > 1 for each in branches) >= 100


def test_a_seed_gives_the_same_c_every_time():
    assert emit(random_program(7)).files == emit(random_program(7)).files
