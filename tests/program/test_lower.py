"""A program gives the very codes that the simulation gives when it is run in integers."""

import numpy as np
import pytest
import torch
from torch import nn

from edgewright.compress.quantize import observe, plan_quantizers, ranges_of, simulate
from edgewright.compress.quantize.gates import expose_gates
from edgewright.model import capture
from edgewright.model.fold import fold_batch_norms
from edgewright.program import input_codes, lower, output_values, run
from edgewright.verify import run_in_integers


def images(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def simulation(model, images_BCHW, *, float_output=False):
    """Quantized as far as the plan goes, with the ranges of these images."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for weight in model.parameters():
            nn.init.uniform_(weight, -0.3, 0.5)
    net = capture(model.eval(), tuple(images_BCHW.shape[1:]))
    folded = expose_gates(fold_batch_norms(net)[0])
    plan = plan_quantizers(folded, float_output=float_output)
    return simulate(folded, plan, ranges_of(observe(folded, plan, images_BCHW), method="minmax"))


def given(program, images_BCHW):
    """What each output stands for, stacked over images."""
    (name,) = program.inputs
    found = [output_values(program, run(program, {name: input_codes(program, image)})) for image in images_BCHW.numpy()]
    return [np.stack(each) for each in zip(*found, strict=True)]


def assert_equal(net, images_BCHW, program):
    want = run_in_integers(net, images_BCHW)
    want = [want] if isinstance(want, torch.Tensor) else list(want)
    got = given(program, images_BCHW)
    assert len(got) == len(want)
    for first, second in zip(got, want, strict=True):
        assert first.dtype == np.float32 and np.array_equal(first, second.numpy())


def test_a_small_net_is_three_operations_with_clamps_and_dropout_gone():
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU6(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(48, 3))
    x = images(5, 2, 6, 5)
    net = simulation(model, x)
    program = lower(net, name="small")
    assert [operation.kind for operation in program.operations] == ["conv", "reshape", "linear"]
    grid = program.tensors[program.operations[0].output].grid
    assert grid.low == grid.zero_point and grid.values(grid.high) <= 6.0
    assert_equal(net, x, program)


@pytest.mark.parametrize("bias", [True, False])
def test_the_last_linear_layer_may_give_float_sums(bias):
    x = images(5, 2, 4, 4)
    net = simulation(nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(12, 4, bias=bias)), x, float_output=True)
    program = lower(net)
    assert program.tensors[program.outputs[0]].grid is None
    assert_equal(net, x, program)
