"""Sparse subnetworks of a perceptron that learns digits: found by rounds of pruning, trained under their mask."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...digits import accuracy, built, digits, perceptron, train
from ...slimming import linear_layers

WIDTHS, EPOCHS, RATE, ROUNDS = (64, 64, 32, 10), 8, 0.5, 3  # of each round RATE of what is left goes

Masks = Sequence[Tensor]


def fresh(seed: int, *purpose: str) -> nn.Module:
    """The network before its training."""
    return built(lambda: perceptron(WIDTHS), seed, "net", *purpose)


def trained(start: nn.Module, masks: Masks, seed: int, *, epochs: int = EPOCHS) -> nn.Module:
    """A copy, trained from those weights; what is masked is 0 and stays so."""
    data, net = digits(seed), copy.deepcopy(start)
    for layer, mask in zip(linear_layers(net), masks, strict=True):
        layer.weight.data *= mask
        layer.weight.register_hook(mask.mul)
    optimizer = torch.optim.Adam(net.parameters(), 0.005)
    train(net, data.x[:600], data.y[:600], optimizer=optimizer, epochs=epochs, seed=seed)
    return net


def score(net: nn.Module, seed: int) -> float:
    data = digits(seed)
    return accuracy(net, data.test_x, data.test_y)


def whole(net: nn.Module) -> list[Tensor]:
    """Masks that leave everything."""
    return [torch.ones_like(layer.weight) for layer in linear_layers(net)]


def found(start: nn.Module, seed: int) -> tuple[list[Tensor], nn.Module]:
    """Masks after all rounds, in each of which the weights go back to `start`; and the network of the last round."""
    masks = whole(start)
    for _ in range(ROUNDS):
        net = trained(start, masks, seed)
        sizes = [layer.weight.detach().abs() * mask for layer, mask in zip(linear_layers(net), masks, strict=True)]
        left = torch.cat([size[mask > 0] for size, mask in zip(sizes, masks, strict=True)])
        threshold = left.quantile(RATE)
        masks = [(size > threshold).float() for size in sizes]
    return masks, net


def share_left(masks: Masks) -> float:
    return float(sum(mask.sum() for mask in masks) / sum(mask.numel() for mask in masks))
