"""Holding a simulation to the integer reference: what is compared, what is refused, what has no definition."""

import pytest
import torch
from torch import fx, nn

from edgewright.compress.quantize import Precision, observe, plan_quantizers, ranges_of, simulate
from edgewright.errors import ModelError
from edgewright.model import capture
from edgewright.verify import compare_with_reference, run_in_integers


def net_of(*layers: nn.Module, shape: tuple[int, ...]) -> fx.GraphModule:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(*layers)
        for layer in model:
            for weight in layer.parameters():
                nn.init.uniform_(weight, -0.3, 0.5)
    return capture(model, shape)


def simulation(net: fx.GraphModule, images_BCHW: torch.Tensor, **bits: int) -> fx.GraphModule:
    plan, precision = plan_quantizers(net, float_output=False), Precision(**bits)
    found = ranges_of(observe(net, plan, images_BCHW), method="minmax", precision=precision)
    return simulate(net, plan, found, precision=precision)


@pytest.fixture(scope="module")
def images():
    return torch.randn(9, 2, 6, 5, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def small(images):
    net = net_of(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3), shape=(2, 6, 5))
    return simulation(net, images)


def test_each_operator_is_one_row_named_after_its_quantizer(small, images):
    found = compare_with_reference(small, images)
    assert [(row.tensor, row.operator) for row in found.layers] == [("relu_codes", "Conv2d"), ("_4_codes", "Linear")]
    assert found.undefined == {} and found.max_steps <= 1
    assert all(row.share_equal == 1 - row.mean_steps > 0.99 for row in found.layers)  # differences of one step


def test_rows_do_not_depend_on_how_images_come_in_batches(small, images):
    whole = compare_with_reference(small, images).layers
    parts = [compare_with_reference(small, part).layers for part in images.split(3)]
    for row, *thirds in zip(whole, *parts, strict=True):
        assert row.share_equal == pytest.approx(sum(each.share_equal for each in thirds) / 3)


def test_a_simulation_that_is_off_shows_in_the_layer_that_is(images, small):
    spoiled = fx.GraphModule(small, small.graph)
    layer = next(each for each in spoiled.modules() if isinstance(each, nn.Linear))
    rounded = layer.rounded_weight
    layer.rounded_weight = lambda: 1.1 * rounded()
    try:
        rows = compare_with_reference(small, images).layers
    finally:
        del layer.rounded_weight
    assert rows[0].max_steps <= 1 < rows[1].max_steps


def test_a_run_in_integers_lands_on_the_simulations_codes(small, images):
    got, want = run_in_integers(small, images), small(images)
    step = dict(small.named_modules())["quantizers._4"].scale
    assert got.shape == want.shape and (got - want).abs().max() <= 1.01 * step


def test_what_the_plan_left_in_float_is_computed_in_float(images):
    net = net_of(nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4), nn.Conv2d(4, 3, 1), shape=(2, 6, 5))
    sim = simulation(net, images)
    assert compare_with_reference(sim, images).undefined == {"GroupNorm": 1}
    got, want = run_in_integers(sim, images), sim(images)
    assert (got - want).norm() < 0.02 * want.norm()


def test_functions_of_one_number_are_compared_by_table(images):
    functions = [nn.GELU(), nn.GELU("tanh"), nn.Mish(), nn.Tanh(), nn.Hardswish(), nn.SiLU(), nn.Sigmoid()]
    layers = [layer for function in functions for layer in (nn.Conv2d(2, 2, 1), function)]
    found = compare_with_reference(simulation(net_of(*layers, nn.Conv2d(2, 2, 1), shape=(2, 6, 5)), images), images)
    kinds = {"gelu", "mish", "tanh", "hardswish", "silu", "sigmoid", "Conv2d"}
    assert {row.operator for row in found.layers} == kinds and len(found.layers) == 15
    assert found.max_steps <= 1 and not found.undefined


def test_sums_of_16_bit_codes_beyond_32_bits_are_reported_and_not_run():
    rows = torch.rand(3, 4000, generator=torch.Generator().manual_seed(0))
    sim = simulation(net_of(nn.Linear(4000, 2), shape=(4000,)), rows, activations=16)
    (row,) = compare_with_reference(sim, rows).layers
    assert row.max_steps is None and "32 bits" in row.refused
    with pytest.raises(OverflowError, match="32 bits"):
        run_in_integers(sim, rows)


def test_16_bit_codes_whose_sums_fit_are_within_one_step():
    rows = torch.rand(3, 60, generator=torch.Generator().manual_seed(0))
    found = compare_with_reference(simulation(net_of(nn.Linear(60, 4), shape=(60,)), rows, activations=16), rows)
    assert found.max_steps <= 1 and not found.layers[0].refused


def test_a_float_model_has_no_integers_to_compare(images):
    with pytest.raises(ModelError, match="quantize it first"):
        compare_with_reference(net_of(nn.Conv2d(2, 4, 3), shape=(2, 6, 5)), images)
