"""Operations in the order of the smallest peak: two branches by hand, every order of small programs as the oracle."""

from itertools import permutations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dead_programs import Builder, Growing, extreme_codes
from edgewright.export.c import emit
from edgewright.program import check, run
from edgewright.program.ordering import in_best_order, peak_bytes


def two_branches():
    """Both branches widen x, then one number of each is left: in the given order both wide maps are alive at once."""
    builder, rng = Builder(shape=(2, 6, 6)), np.random.default_rng(0)
    wide = [builder.conv("x", rng.integers(-9, 9, (16, 2, 1, 1)), np.zeros(16)) for _ in range(2)]
    small = [builder.global_average(each) for each in wide]
    return builder.program(builder.same("add", *small, settings={"sign": 1}))


def orders(program):
    """All orders in which the operations can run."""
    for order in permutations(range(len(program.operations))):
        made = set(program.inputs)
        for index in order:
            if not made.issuperset(program.operations[index].inputs):
                break
            made.add(program.operations[index].output)
        else:
            yield order


def test_a_branch_that_shrinks_runs_before_the_next_one_grows():
    program = two_branches()
    better = in_best_order(program)
    assert peak_bytes(program) == 72 + 2 * 576 and peak_bytes(better) == 72 + 576 + 16
    assert [each.kind for each in better.operations] == ["conv", "global_average", "conv", "global_average", "add"]
    assert emit(check(better)).plan.bound_bytes < emit(program).plan.bound_bytes
    image = {"x": next(extreme_codes(program, np.random.default_rng(0)))}
    for name, codes in run(program, image).items():
        np.testing.assert_array_equal(run(better, image)[name], codes)


def test_a_chain_stays_the_program_that_it_is():
    builder = Builder()
    program = builder.program(builder.same("rescale", builder.same("rescale", "x")))
    assert in_best_order(program) is program


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_order_of_a_small_program_has_a_smaller_peak(seed):
    growing = Growing(np.random.default_rng(seed))
    for _ in range(2):
        growing.grow()
    program = growing.finished(flat=True)
    if len(program.operations) > 7:
        return
    best = min(peak_bytes(program, order) for order in orders(program))
    assert peak_bytes(in_best_order(program)) == best
