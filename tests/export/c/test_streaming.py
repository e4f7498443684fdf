"""The search for stripes: smaller where asked for, as they are where they fit, and refused with the figure."""

import numpy as np
import pytest
import torch

from c_cases import images_of
from dead_programs import Builder
from edgewright.errors import BudgetError
from edgewright.export.c import emit, write
from edgewright.export.c.streaming import fit_memory
from edgewright.program import macs, run
from edgewright.program.lowering import lower
from edgewright.program.stripes import block_between, striped
from edgewright.reference.integer import Window
from edgewright.verify.firmware.host import compare_on_host
from edgewright.zoo import resolve
from lowered_nets import images, simulation

SAME = Window(kernel=(3, 3), padding=((1, 1), (1, 1)))
NETS = {
    "resnet8": ((3, 32, 32), 10, 7, 17_184),
    "ds_cnn": ((1, 49, 10), 12, 2, 9_392),
    "mobilenet_v1:0.25": ((3, 48, 48), 2, 3, None),
    "mobilenet_v2:0.35": ((3, 32, 32), 2, 5, None),
}  # shape, classes, last operation of the block from the input on, arena of docs/firmware.md


def deep_then_small():
    """Two convolutions of 16 x 8 maps with 8 channels between 4 channels and a pool."""
    builder, rng = Builder(shape=(4, 16, 8)), np.random.default_rng(0)
    first = builder.conv("x", rng.integers(-9, 9, (8, 4, 3, 3)), rng.integers(-99, 99, 8), window=SAME)
    second = builder.conv(first, rng.integers(-9, 9, (8, 8, 3, 3)), rng.integers(-99, 99, 8), window=SAME)
    small = builder.pool("max_pool", second, Window(kernel=(2, 2), stride=(2, 2)))
    return builder.program(builder.global_average(small))


def test_what_fits_stays_as_it_is():
    program = deep_then_small()
    whole = emit(program).plan.arena_bytes
    found = fit_memory(program, limit_bytes=whole)
    assert found.program is program and found.arena_bytes == found.whole_bytes == whole
    assert found.chosen == found.tried == () and found.more_macs == 0


def test_without_a_limit_the_arena_is_the_smallest_of_all_that_were_planned():
    program = deep_then_small()
    found = fit_memory(program)
    assert found.arena_bytes == min(each.arena_bytes for each in found.tried) < found.whole_bytes
    assert found.arena_bytes == emit(found.program).plan.arena_bytes
    image = images_of(program, count=1, seed=0)[0]
    for name in program.outputs:
        np.testing.assert_array_equal(run(found.program, image)[name], run(program, image)[name])


def test_a_limit_takes_the_tallest_stripes_that_fit():
    program = deep_then_small()
    small = fit_memory(program)
    limit = (small.arena_bytes + small.whole_bytes) // 2
    found = fit_memory(program, limit_bytes=limit)
    assert small.arena_bytes <= found.arena_bytes <= limit
    fitting = [each for each in found.tried if each.arena_bytes <= limit and each.keep]
    assert found.chosen[-1].rows == max(each.rows for each in fitting)


def test_a_limit_below_all_is_refused_with_the_smallest_arena():
    with pytest.raises(BudgetError, match=r"net needs an arena of [\d,]+ bytes in stripes \([\d,]+ without\), got"):
        fit_memory(deep_then_small(), limit_bytes=64)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_stripes_of_a_zoo_network_give_its_bytes_in_less_memory(name, tmp_path):
    shape, num_classes, last, arena_bytes = NETS[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = resolve(name, num_classes=num_classes, image_size=shape[1:]).model
    program = lower(simulation(model, images(2, *shape), draw=False, float_output=True), name=name.partition(":")[0])
    slim = striped(program, block_between(program, 0, last), rows=1)
    firmware = emit(slim)
    assert firmware.plan.arena_bytes < emit(program).plan.arena_bytes
    assert firmware.plan.arena_bytes == (arena_bytes or firmware.plan.arena_bytes)
    assert sum(macs(slim).values()) == sum(macs(program).values())
    write(firmware, tmp_path / "c")
    parity = compare_on_host(slim, tmp_path / "c", images_of(slim, count=1, seed=0))
    assert parity.differing == 0 and parity.total > 0
