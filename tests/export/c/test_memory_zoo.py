"""Arenas of the zoo's networks for microcontrollers: the figures of docs/firmware.md."""

import pytest
import torch

from edgewright.export.c.memory import liveness_bound, plan
from edgewright.export.c.memory.program import buffers_of
from edgewright.program.lowering import lower
from edgewright.zoo import resolve
from lowered_nets import images, simulation

NETS = {
    "ds_cnn": ((1, 49, 10), 12, (16_000, 9_856, 8_400)),
    "resnet8": ((3, 32, 32), 10, (49_152, 33_312, 33_312)),
    "mobilenet_v1:0.25": ((3, 96, 96), 2, (55_296, 36_888, 36_880)),
    "mobilenet_v2:0.35": ((3, 96, 96), 2, (138_240, 110_616, 110_608)),
}  # shape, classes, bytes: nothing shared, shared by kernels that run forwards, by kernels that run either way


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_the_arena_of_a_zoo_model_is_the_smallest_and_the_bound_where_nothing_is_shared(name):
    shape, num_classes, (apart, forwards, either) = NETS[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = resolve(name, num_classes=num_classes, image_size=shape[1:]).model
    program = lower(simulation(model, images(2, *shape), draw=False, float_output=True))
    needs, turning = buffers_of(program), buffers_of(program, may_run_backwards=True)
    assert plan(needs.buffers).arena_bytes == liveness_bound(needs.buffers).num_bytes == apart
    for found, num_bytes in ((needs, forwards), (turning, either)):
        made = plan(found.buffers, found.overlaps)
        assert made.is_optimal and made.arena_bytes == num_bytes
