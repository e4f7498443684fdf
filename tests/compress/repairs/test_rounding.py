"""Learned rounding, and layers as products of matrices."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgewright.compress.quantize.repairs import LearnRounding, learn_rounding
from edgewright.compress.quantize.repairs.patches import as_matrices, multiply, sample_positions
from edgewright.compress.quantize.repairs.sides import sided, unsided
from edgewright.errors import ConfigError
from edgewright.model.quantized import IntegerWeights

LAYERS = {
    "padded": nn.Conv2d(4, 6, 3, padding=1),
    "strided": nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0)),
    "dilated": nn.Conv2d(4, 6, 3, dilation=2, padding=2),
    "same": nn.Conv2d(4, 6, (3, 1), padding="same"),
    "grouped": nn.Conv2d(4, 6, 3, groups=2),
    "depthwise": nn.Conv2d(4, 4, 3, groups=4, bias=False),
    "transposed": nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1),
    "transposed in groups": nn.ConvTranspose2d(4, 6, (2, 3), stride=(3, 1), groups=2),
    "transposed and cropped": nn.ConvTranspose2d(4, 6, 2, padding=(2, 1), dilation=1),
    "transposed and dilated": nn.ConvTranspose2d(4, 6, 3, dilation=2, stride=2),
    "linear": nn.Linear(9, 5),
}


@pytest.mark.parametrize("name", LAYERS)
def test_what_a_layer_reads_times_its_matrix_is_what_it_gives(name):
    layer, x = LAYERS[name], torch.randn(3, 4, 8, 9, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        y = layer(x)
        generator = torch.Generator().manual_seed(1)
        x_PGD, y_PGO = sample_positions(layer, [x[:2], x[2:]], [y[:2], y[2:]], count=60, generator=generator)
        made = multiply(x_PGD, as_matrices(sided(layer, layer.weight)))
        if layer.bias is not None:
            made = made + layer.bias.reshape(made.shape[1:])
    assert len(made) == 60
    torch.testing.assert_close(made, y_PGO, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_both_sides_of_a_weight_and_back(name):
    layer = LAYERS[name]
    assert torch.equal(unsided(layer, sided(layer, layer.weight)), layer.weight)


def test_two_errors_that_add_up_are_made_to_cancel(captured):
    net = captured(nn.Sequential(nn.Flatten(), nn.Linear(3, 1, bias=False)), (3, 1, 1))
    layer = next(module for module in net.modules() if isinstance(module, nn.Linear))
    layer.weight.data = torch.tensor([[3.0, 0.45, 0.35]])
    x = torch.rand(64, 1, 1, 1, generator=torch.Generator().manual_seed(0)).expand(-1, 3, -1, -1)
    simulation = grids(net, x, weights=3)  # codes -3 to 3 of scale 1
    learned, report = learn_rounding(simulation, net, x, settings=LearnRounding(iterations=300))
    codes = integer(learned).weight_codes().flatten().tolist()
    assert integer(simulation).weight_codes().flatten().tolist() == [3, 0, 0]  # 3.0 instead of 3.8
    assert codes == [3, 1, 0] and next(iter(report.layers.values())).changed == pytest.approx(1 / 3)


def grids(net, images, **bits):
    from edgewright.compress.quantize import Precision, observe, plan_quantizers, simulate

    plan = plan_quantizers(net)
    ranges = {name: (seen.minimum, seen.maximum) for name, seen in observe(net, plan, images).items()}
    return simulate(net, plan, ranges, precision=Precision(**bits), weight_method="minmax")


def integer(net):
    return next(layer for layer in net.modules() if isinstance(layer, IntegerWeights))


def smooth(seed):
    """Images whose neighbouring pixels and channels are alike: in white noise no two errors can cancel."""
    generator = torch.Generator().manual_seed(seed)
    base = torch.randn(64, 1, 3, 3, generator=generator)
    return F.interpolate(base, 8, mode="bilinear") + 0.1 * torch.randn(64, 3, 8, 8, generator=generator)


@pytest.fixture(scope="module")
def pictures():
    return smooth(0)


@pytest.fixture(scope="module")
def pair(captured, pictures):
    torch.manual_seed(0)
    net = captured(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU()))
    return net, grids(net, pictures, weights=4)


QUICK = LearnRounding(iterations=200, positions=2048, batch_size=256, lr=3e-2)


def test_learned_codes_beat_the_nearest_ones_in_every_4_bit_layer(pair, pictures):
    net, simulation = pair
    learned, report = learn_rounding(simulation, net, pictures, settings=QUICK)
    assert all(each.mse_learned < 0.8 * each.mse_nearest for each in report.layers.values())
    fresh = smooth(9)
    with torch.no_grad():
        want = net(fresh)
        assert (learned(fresh) - want).pow(2).mean() < 0.8 * (simulation(fresh) - want).pow(2).mean()


def test_weights_are_exactly_codes_on_the_same_grid_one_step_away_at_most(pair, pictures):
    net, simulation = pair
    learned, _ = learn_rounding(simulation, net, pictures, settings=QUICK)
    layers = [[each for each in model.modules() if isinstance(each, IntegerWeights)] for model in (simulation, learned)]
    for before, after in zip(*layers, strict=True):
        assert torch.equal(before.weight_scale, after.weight_scale)
        scale = after.weight_scale.reshape(-1, 1, 1, 1)
        assert torch.equal(after.weight, after.weight_codes() * scale)
        assert torch.equal(after.rounded_weight(), after.weight)
        assert (after.weight_codes() - before.weight / scale).abs().max() < 1
        assert (after.weight_codes() != before.weight_codes()).any()


def test_the_same_seed_gives_the_same_codes_and_the_inputs_stay_untouched(pair, pictures):
    net, simulation = pair
    before = [value.clone() for value in (*net.state_dict().values(), *simulation.state_dict().values())]
    short = LearnRounding(iterations=30, positions=512, batch_size=64)
    runs = [learn_rounding(simulation, net, pictures, settings=short, seed=seed)[0] for seed in (0, 0, 1)]
    first, again, other = (torch.cat([p.flatten() for p in run.parameters()]) for run in runs)
    assert torch.equal(first, again) and not torch.equal(first, other)
    after = (*net.state_dict().values(), *simulation.state_dict().values())
    assert all(torch.equal(x, y) for x, y in zip(before, after, strict=True))


def test_layers_with_many_bits_can_be_left_as_they_are(pair, pictures):
    net, simulation = pair
    learned, report = learn_rounding(simulation, net, pictures, settings=LearnRounding(up_to_bits=3))
    assert not report.layers and all("4 bits, more than 3" in each for each in report.refused.values())
    assert torch.equal(learned(pictures), simulation(pictures))


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match=r"LearnRounding.iterations must be above 0, got 0\."):
        LearnRounding(iterations=0)
    with pytest.raises(ConfigError, match=r"share of the steps in \[0, 1\), got 1"):
        LearnRounding(warmup=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["depthwise", "grouped", "flat", "residual"])
def test_every_kind_of_layer_can_be_learned(captured, pictures, kind):
    net = captured(kind)
    report = learn_rounding(grids(net, pictures, weights=3), net, pictures, settings=QUICK)[1]
    gains = [each.mse_learned / each.mse_nearest for each in report.layers.values()]
    assert len(gains) >= 3 and max(gains) <= 1 and min(gains) < 0.8


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_nets_and_images_may_be_on_an_accelerator(pair, pictures):
    net, simulation = (each.to("cuda") for each in pair)
    learned, report = learn_rounding(simulation, net, pictures.cuda(), settings=QUICK)
    assert all(each.mse_learned < each.mse_nearest for each in report.layers.values())
    assert next(learned.parameters()).is_cuda and F.relu(learned(pictures.cuda())).is_cuda
    net.cpu(), simulation.cpu()
