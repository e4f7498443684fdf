"""Scores that look at images: taylor, hessian, apoz."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from edgewright.compress.prune import SCORES
from edgewright.compress.prune.scores import ClassSums
from edgewright.errors import ConfigError
from edgewright.model import capture

SQUARE = (3, 8, 8)
MEASURED = ("apoz", "contribution", "hessian", "taylor")


def pixels(*values: float) -> torch.Tensor:
    """Images of 2 x 2 pixels, all of one value each."""
    return torch.tensor(values).view(-1, 1, 1, 1).expand(-1, 1, 2, 2).contiguous()


def noise(count: int, shape=SQUARE, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed))


# Taylor


def test_taylor_by_hand(scored, make_filters, job_of):
    """Loss w1 x + w2 x (the first pixel of the sum). Row and column of a class have the same product, w x: together
    (2 w x)^2, over the images 1 and 3 in the mean 4 w^2 (1 + 9) / 2 = 20 w^2."""
    net = make_filters(1.0, 2.0)
    assert scored("taylor", net, job_of(net, pixels(1.0, 3.0)))["0"].tolist() == pytest.approx([20, 80])


def test_a_filter_that_is_silent_has_no_slope(scored, make_filters, job_of):
    net = make_filters(1.0, -2.0)  # the second never passes the ReLU
    assert scored("taylor", net, job_of(net, pixels(1.0, 3.0)))["0"].tolist() == pytest.approx([20, 0])


def test_opposite_images_do_not_cancel(scored, make_filters, job_of):
    net = make_filters(1.0, -1.0)  # one answers to bright images, one to dark ones
    assert scored("taylor", net, job_of(net, pixels(2.0, -2.0)))["0"].tolist() == pytest.approx([8, 8])


def test_taylor_is_the_slope_of_a_gate_on_all_parameters_of_a_class(scored, nets, job_of):
    """Oracle: every parameter of a class times 1 + e, the loss of each image by central differences."""
    net = nets.make_small("residual")
    channels, images = nets.map_of(net), noise(3)
    found = scored("taylor", net, job_of(net, images, entropy=True))
    for group in channels.free:
        for index in range(group.num_classes):
            slopes = [_slope(net, channels, group.name, index, image) for image in images]
            want = np.mean(np.square(slopes))
            assert float(found[group.name][index]) == pytest.approx(want, rel=1e-3, abs=1e-9)


def _slope(net, channels, group, index, image, step: float = 1e-4) -> float:
    losses = []
    for sign in (1, -1):
        gated = copy.deepcopy(net).double().eval()
        where = _belongs(gated, channels, group, index)
        with torch.no_grad():
            for name, each in gated.named_parameters():
                each.mul_(1 + sign * step * where[name])
            losses.append(float(nn.functional.cross_entropy(gated(image[None].double()), torch.zeros(1).long())))
    return (losses[0] - losses[1]) / (2 * step)


def _belongs(net, channels, group, index):
    """Parameter name -> 1 where an element leaves with the class: the gradient of that class's sum."""
    ones = {name: torch.ones_like(each, requires_grad=True) for name, each in net.named_parameters()}
    ClassSums(net, channels)(ones)[group][index].backward()
    return {name: torch.zeros_like(each) if each.grad is None else each.grad for name, each in ones.items()}


# Hessian


def test_hessian_by_hand(scored, make_filters, job_of):
    """Gradients of row and column are x and w x: h = mean x^2 = 5 and 5 w^2; half of h w^2 each, 2.5 w^2 + 2.5 w^2."""
    net = make_filters(1.0, 2.0)
    assert scored("hessian", net, job_of(net, pixels(1.0, 3.0)))["0"].tolist() == pytest.approx([5, 20])


def test_hessian_adds_the_curvature_of_every_parameter_of_a_class(scored, nets, job_of):
    """Oracle: parameter by parameter, image by image, membership from the cut."""
    net = nets.make_small("residual")
    channels, images = nets.map_of(net), noise(3)
    fisher = {name: torch.zeros_like(each, dtype=torch.float64) for name, each in net.named_parameters()}
    for image in images:
        trial = copy.deepcopy(net).eval()
        nn.functional.cross_entropy(trial(image[None]), torch.zeros(1).long()).backward()
        for name, each in trial.named_parameters():
            fisher[name] += each.grad.double() ** 2 / len(images)
    found = scored("hessian", net, job_of(net, images, entropy=True))
    for group in channels.free:
        for index in range(group.num_classes):
            where = _belongs(net, channels, group.name, index)
            weights = dict(net.named_parameters())
            want = sum(float((0.5 * fisher[n] * weights[n].detach().double() ** 2 * where[n]).sum()) for n in fisher)
            assert float(found[group.name][index]) == pytest.approx(want, rel=1e-5)


# Share of zeros


def test_apoz_is_the_share_of_positions_that_speak(scored, make_filters, job_of):
    """Of three images, the filter 1 answers to the two bright ones, -1 to the dark one, 0 to none."""
    net = make_filters(1.0, -1.0, 0.0)
    assert scored("apoz", net, job_of(net, pixels(1.0, 2.0, -1.0)))["0"].tolist() == pytest.approx([2 / 3, 1 / 3, 0])


def test_apoz_counts_what_hooks_count(scored, nets, job_of):
    model = nets.SMALL["chain"]()
    net, images = capture(model, SQUARE), noise(5)
    with torch.no_grad():
        want = (torch.relu(model.a(images)) > 0).double().mean(dim=(0, 2, 3))
    torch.testing.assert_close(scored("apoz", net, job_of(net, images))["a"], want)


def test_a_group_behind_no_rectifier_is_ranked_by_l2_and_counts_as_average(scored, nets, job_of):
    net = nets.make_small("chain")  # b meets none
    found, by_size = scored("apoz", net, job_of(net, noise(5))), scored("l2", net)
    assert float(found["b"].mean()) == pytest.approx(float(found["a"].mean()))
    assert found["b"].argsort().tolist() == by_size["b"].argsort().tolist()


def test_a_model_without_rectifiers_has_no_zeros_to_count(scored, nets, job_of):
    net = nets.make_small("concat")
    with pytest.raises(ConfigError, match=r"'apoz' counts the zeros behind ReLUs, and no group .*: choose 'l2'"):
        scored("apoz", net, job_of(net, noise(2)))


# All


@pytest.mark.parametrize("name", MEASURED)
def test_a_measured_score_needs_images(scored, nets, name):
    with pytest.raises(ConfigError, match=f"'{name}' is measured on images and the job has no data: choose 'l2'"):
        scored(name, nets.make_small("chain"))


@pytest.mark.parametrize("name", SCORES)
def test_a_score_leaves_the_model_alone_and_repeats_itself(scored, nets, job_of, name):
    net = nets.make_small("depthwise")
    job, before = job_of(net, noise(4), entropy=True), copy.deepcopy(net.state_dict())
    first, second = scored(name, net, job), scored(name, net, job)
    assert all(torch.equal(first[group], second[group]) for group in first)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert all(each.grad is None and each.requires_grad for each in net.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["apoz", "bn-scale", "geometric-median", "hessian", "taylor"])
def test_every_score_ranks_every_class_of_every_net(scored, nets, job_of, name):
    for small in nets.SMALL:
        net = nets.make_small(small)
        try:
            found = scored(name, net, job_of(net, noise(2), entropy=True))
        except ConfigError as error:
            assert name in ("apoz", "bn-scale") and "choose 'l2'" in str(error)
            continue
        sizes = {group.name: group.num_classes for group in nets.map_of(net).free}
        assert {group: len(each) for group, each in found.items()} == sizes
        assert all(torch.isfinite(each).all() and (each >= 0).all() for each in found.values())
