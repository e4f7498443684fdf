"""From a simulation to the net that is trained and back: the same numbers, what freezes, what follows."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from edgewright.compress.quantize.qat import Qat
from edgewright.compress.quantize.qat.layers import TrainedLayer
from edgewright.compress.quantize.qat.norms import unfold
from edgewright.compress.quantize.qat.steps import AVERAGE, TrainedPoint
from edgewright.compress.quantize.qat.swap import begin_epoch, simulation_of, trained_net
from edgewright.model import capture
from edgewright.model.quantized import IntegerWeights, QuantizeActivation, quantizers
from edgewright.train import Train

TEN = Train(epochs=10)


def net_of(case, settings):
    unfolded = unfold(case.simulation, case.original, list(case.plan.layers), case.images)
    return trained_net(case.simulation, case.plan, settings, unfolded=unfolded)


def answers(net, case):
    with torch.no_grad():
        return net(case.images)


def shaken(net: nn.Module, seed: int = 0) -> nn.Module:
    """All that training moves, moved: parameters (steps below 0, too), running statistics, observed ranges."""
    draws = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in [*net.named_parameters(), *net.named_buffers()]:
            if value.is_floating_point() and not name.endswith("steps.value"):
                value.mul_(1 + 0.3 * torch.rand(value.shape, generator=draws))
        for each in net.modules():
            if isinstance(each, (TrainedPoint, TrainedLayer)) and each.steps.learned:
                each.steps.value.mul_(torch.rand(each.steps.value.shape, generator=draws) + 0.5).neg_()
    return net


@pytest.mark.parametrize("bits", [8, 2])
def test_a_fresh_net_with_calibrated_steps_is_the_simulation_to_the_bit(bits, kinds):
    case = kinds(bits)
    for steps in ("learned", "observed", "fixed"):
        net = net_of(case, Qat(steps=steps, first_steps="calibrated", batch_norm="folded")).eval()
        assert torch.equal(answers(net, case), answers(case.simulation, case))


def test_every_layer_and_every_point_is_exchanged_and_every_batch_norm_found_as_it_was(kinds):
    case = kinds(4)
    net = net_of(case, Qat())
    layers = [each for each in net.modules() if isinstance(each, TrainedLayer)]
    assert len(layers) == len(case.plan.layers) == 7
    assert sum(layer.norm is not None for layer in layers) == 4
    assert not any(isinstance(each, (IntegerWeights, QuantizeActivation)) for each in net.modules())
    unfolded = unfold(case.simulation, case.original, list(case.plan.layers), case.images)
    assert not any(each.is_measured for each in unfolded.values())


@pytest.mark.parametrize("batch_norm", ["folded", "live"])
@pytest.mark.parametrize("steps", ["learned", "observed", "fixed"])
def test_the_simulation_that_comes_back_computes_the_same_bits(steps, batch_norm, kinds):
    case = kinds(3)
    net = shaken(net_of(case, Qat(steps=steps, batch_norm=batch_norm))).eval()
    back = simulation_of(net, case.simulation)
    assert torch.equal(answers(back, case), answers(net, case))
    assert not torch.equal(answers(back, case), answers(case.simulation, case))
    kinds_of = [[(path, type(each)) for path, each in net.named_modules() if path] for net in (back, case.simulation)]
    assert kinds_of[0] == kinds_of[1]


@pytest.mark.parametrize("batch_norm", ["folded", "live"])
def test_once_statistics_are_frozen_training_computes_what_eval_does(batch_norm, kinds):
    case, settings = kinds(4), Qat(batch_norm=batch_norm, freeze_batch_norm=0.0)
    net = shaken(net_of(case, settings))
    begin_epoch(net, settings, number=1)
    before = copy.deepcopy(dict(net.named_buffers()))
    assert torch.equal(answers(net.train(), case), answers(net.eval(), case))
    assert all(torch.equal(value, before[name]) for name, value in net.named_buffers())


@pytest.mark.parametrize("batch_norm", ["folded", "live"])
def test_with_8_bits_a_layer_in_training_is_close_to_the_float_layer_and_batch_norm(batch_norm, kinds):
    case = kinds(8)
    net = net_of(case, Qat(batch_norm=batch_norm, first_steps="calibrated")).train()
    original = copy.deepcopy(case.original).train()
    for path, shape in {"stem": (1, 8, 8), "depthwise": (8, 8, 8), "up": (8, 8, 8), "hidden": (8,)}.items():
        x = torch.randn(64, *shape, generator=torch.Generator().manual_seed(0))
        want = original.get_submodule(f"{path}.1")(original.get_submodule(f"{path}.0")(x))
        error = net.get_submodule(f"{path}.0")(x) - want
        assert error.square().mean() < 1e-3 * want.square().mean()  # 30 dB: 8 bits give about 40


def test_running_statistics_move_until_they_are_frozen(kinds):
    case, settings = kinds(4), Qat(train=TEN, freeze_batch_norm=0.5)
    net = net_of(case, settings).train()
    moved = []
    for number in (1, 5, 6, 10):
        begin_epoch(net, settings, number=number)
        before = {name: value.clone() for name, value in net.named_buffers() if "running" in name}
        answers(net, case)
        after = dict(net.named_buffers())
        moved.append(any(not torch.equal(value, after[name]) for name, value in before.items()))
    assert moved == [True, True, False, False]


def test_a_channel_that_its_batch_norm_switched_off_stays_finite(kinds):
    case = kinds(4)
    for batch_norm in ("folded", "live"):
        net = net_of(case, Qat(batch_norm=batch_norm)).train()
        for layer in (each for each in net.modules() if isinstance(each, TrainedLayer) and each.norm is not None):
            layer.norm.weight.data[0] = 0.0
        net(case.images).sum().backward()
        assert all(torch.isfinite(each.grad).all() for each in net.parameters() if each.grad is not None)
        back = simulation_of(net.eval(), case.simulation)
        assert torch.isfinite(answers(back, case)).all()
        assert torch.equal(answers(back, case), answers(net, case))


def test_every_weight_and_step_learns(kinds):
    case = kinds(4)
    for number, phase in ((1, "batch"), (10, "frozen")):
        settings = Qat(train=TEN)
        net = net_of(case, settings).train()
        begin_epoch(net, settings, number=number)
        net(case.images).square().sum().backward()
        idle = [name for name, each in net.named_parameters() if each.grad is None or not each.grad.any()]
        silent = {"depthwise.0.bias", "up.0.bias", "hidden.0.bias"} if phase == "batch" else set()  # centred away
        assert {name for name in idle if name not in silent} == set(), phase


def test_zero_points_stay_and_biases_lie_on_the_grid_of_the_learned_steps(kinds):
    case = kinds(4)
    back = simulation_of(shaken(net_of(case, Qat())), case.simulation)
    old, new = quantizers(case.simulation), quantizers(back)
    for name, layer in new.items():
        assert layer.zero_point.dtype == torch.int32 and layer.zero_point == old[name].zero_point
        assert layer.scale > 0 and layer.scale != old[name].scale
    nodes = {node.name: node for node in back.graph.nodes}
    for name, point in case.plan.layers.items():
        layer = back.get_submodule(str(nodes[name].target))
        assert layer.input_scale == new[f"{point}_codes"].scale
        codes = layer.rounded_bias() / (layer.input_scale * layer.weight_scale)
        torch.testing.assert_close(codes, codes.round(), rtol=0, atol=1e-2)


def test_tensors_that_share_a_grid_go_on_sharing_it(kinds):
    case = kinds(4)
    assert case.plan.shared
    for steps in ("learned", "observed", "fixed"):
        net = shaken(net_of(case, Qat(steps=steps))).train()
        answers(net, case)
        specs = {name: layer.spec for name, layer in quantizers(simulation_of(net, case.simulation)).items()}
        for group in case.plan.shared:
            assert len({specs[f"{name}_codes"] for name in group}) == 1


def test_channels_that_share_one_step_go_on_sharing_it(kinds):
    case = replace(kinds(4), simulation=copy.deepcopy(kinds(4).simulation))
    for layer in (each for each in case.simulation.modules() if isinstance(each, IntegerWeights)):
        layer.weight_scale.fill_(layer.weight_scale.max().item())
    for steps in ("learned", "observed"):
        net = shaken(net_of(case, Qat(steps=steps))).eval()
        back = simulation_of(net, case.simulation)
        assert torch.equal(answers(back, case), answers(net, case))
        for layer in (each for each in back.modules() if isinstance(each, IntegerWeights)):
            assert len(set(layer.weight_scale.tolist())) == 1


def test_a_learned_grid_ends_where_the_clamp_before_it_does(kinds):
    case = kinds(4)
    net = net_of(case, Qat())
    capped = {each for each in net.modules() if isinstance(each, TrainedPoint) and each.steps.largest < 1}
    assert len(capped) == 2  # the two ReLU6: 6 / 15
    for point in capped:
        point.steps.value.data.fill_(5.0)
        assert point.steps().item() == pytest.approx(6 / 15)
        assert (point.high - int(point.zero_point)) * point.steps().item() <= 6 * (1 + 1e-6)


def test_observed_ranges_are_a_moving_average_on_a_grid_with_a_whole_zero_point():
    quantizer = QuantizeActivation(bits=4)
    quantizer.scale.fill_(0.5)
    quantizer.zero_point.fill_(-8)  # covers [0, 7.5]
    point = TrainedPoint(quantizer, Qat(steps="observed")).train()
    point.is_watching = True
    x = torch.tensor([[-3.0, 12.0, 1.0]])
    for count in (1, 2, 3):
        point(x)
        share = (1 - AVERAGE) ** count
        low, high = -3 * (1 - share), 12 + (7.5 - 12) * share
        assert point.steps().item() == pytest.approx((high - low) / 15, rel=1e-5)
        assert int(point.zero_point) == round(-8 - low / ((high - low) / 15))
    point.is_watching = False
    before = point.steps().item()
    point(100 * x)
    assert point.steps().item() == before
    assert point(torch.zeros(1, 3)).tolist() == [[0, 0, 0]]  # 0 is on the grid


def test_observed_steps_of_weights_follow_the_largest_until_ranges_freeze(kinds):
    case, settings = kinds(4), Qat(train=TEN, steps="observed", freeze_ranges=0.3, batch_norm="folded")
    net = net_of(case, settings).train()
    layer = net.get_submodule("left")
    for number, follows in ((1, True), (3, True), (4, False)):
        begin_epoch(net, settings, number=number)
        layer.weight.data.mul_(2)
        answers(net, case)
        largest = layer.weight.detach().abs().flatten(1).amax(1)
        assert torch.allclose(layer.steps(), largest / 7) == follows


def test_tensors_with_a_range_of_their_own_keep_it():
    quantizer = QuantizeActivation(bits=8)
    quantizer.scale.fill_(1 / 255)
    quantizer.zero_point.fill_(-128)
    for steps in ("learned", "observed"):
        point = TrainedPoint(quantizer, Qat(steps=steps), is_fixed=True).train()
        point.is_watching = True
        point(torch.tensor([[-4.0, 4.0]]))
        assert not list(point.parameters())
        assert (point.steps().item(), int(point.zero_point)) == (quantizer.scale.item(), -128)


def test_weights_that_a_repair_changed_get_a_batch_norm_that_changes_nothing(kinds):
    case = kinds(8)
    nodes = {node.name: node for node in case.simulation.graph.nodes}
    name = next(name for name in case.plan.layers if str(nodes[name].target) == "depthwise.0")
    repaired = copy.deepcopy(case.simulation)
    layer = repaired.get_submodule("depthwise.0")
    with torch.no_grad():
        for each in (layer.weight, layer.bias, layer.weight_scale):
            each.mul_(0.5)
    unfolded = unfold(repaired, case.original, list(case.plan.layers), case.images)
    assert [key for key, each in unfolded.items() if each.is_measured] == [name]
    net = trained_net(repaired, case.plan, Qat(first_steps="calibrated", batch_norm="folded"), unfolded=unfolded)
    values = net.get_submodule("depthwise.0").values()
    for key in ("weight", "bias", "weight_scale"):
        torch.testing.assert_close(values[key], getattr(layer, key), rtol=1e-5, atol=1e-6)
    seen = []
    hook = repaired.get_submodule("depthwise.0").register_forward_hook(lambda *args: seen.append((args[1], args[2])))
    answers(repaired, case)
    hook.remove()
    (inputs,), outputs = seen[0]
    in_training = net.get_submodule("depthwise.0").train()(inputs)  # by the statistics of the same images
    torch.testing.assert_close(in_training, outputs, rtol=0, atol=0.01 * float(outputs.std()))  # the bias is rounded


def test_a_transposed_convolution_in_groups_stays_folded(quantized):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.ConvTranspose2d(4, 8, 3, groups=2, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        case = quantized(capture(model, (4, 6, 6)), torch.randn(8, 4, 6, 6), bits=4)
    assert unfold(case.simulation, case.original, list(case.plan.layers), case.images) == {}
    net = shaken(net_of(case, Qat())).eval()
    assert torch.equal(answers(simulation_of(net, case.simulation), case), answers(net, case))


@pytest.mark.parametrize("steps", ["learned", "observed", "fixed"])
def test_the_net_trains_on_the_device_that_it_is_moved_to_without_looking_at_a_number(steps, kinds):
    case, settings = kinds(4), Qat(train=TEN, steps=steps)
    net = net_of(case, settings).to("meta").train()  # computes shapes only: refuses tensors of the CPU, and a look
    for number in (1, 10):
        begin_epoch(net, settings, number=number)
        net(case.images.to("meta")).sum().backward()
    assert {each.grad.device.type for each in net.parameters() if each.grad is not None} == {"meta"}
    assert answers(net.eval(), replace(case, images=case.images.to("meta"))).shape == (32, 10)
