"""Tasks on the same digits: one to learn first, from half of the images, and one to learn after, from the others."""

import copy
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ...digits import accuracy, built, digits, perceptron, train
from ...slimming import linear_layers

HIDDEN, FIRST = (64, 40, 40, 40), 600
Task = tuple[int, Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]
TASKS: Mapping[str, Task] = {  # number of classes, which digits take part, the class of each
    "ten digits": (10, lambda y: y >= 0, lambda y: y),
    "odd or even": (2, lambda y: y >= 0, lambda y: y % 2),
}


def untrained(task: str, seed: int) -> nn.Module:
    return built(lambda: perceptron((*HIDDEN, TASKS[task][0])), seed, "net", task)


def pretrained(task: str, seed: int) -> nn.Module:
    """A network that knows the task, from the first half of the images."""
    data, net = digits(seed), untrained(task, seed)
    x, y = _of(task, data.x[:FIRST], data.y[:FIRST])
    train(net, x, y, optimizer=torch.optim.Adam(net.parameters(), 0.003), epochs=15, seed=seed)
    return net


def adapted(net: nn.Module, task: str, seed: int, *, images: int, frozen: int = 0) -> float:
    """Accuracy on a task of a copy with a new last layer and `frozen` layers that do not learn; 100 steps or so."""
    data, copied = digits(seed), copy.deepcopy(net)
    copied[-1] = built(lambda: nn.Linear(HIDDEN[-1], TASKS[task][0]), seed, "last", task)  # type: ignore[operator]
    for layer in linear_layers(copied)[:frozen]:
        layer.requires_grad_(False)
    x, y = (each[:images] for each in _of(task, data.x[FIRST:], data.y[FIRST:]))
    learning = [each for each in copied.parameters() if each.requires_grad]
    train(
        copied, x, y, optimizer=torch.optim.Adam(learning, 0.003), epochs=max(4, 1_200 // images), batch=16, seed=seed
    )
    return accuracy(copied, *_of(task, data.test_x, data.test_y))


def _of(task: str, x: Tensor, digit: Tensor) -> tuple[Tensor, Tensor]:
    _, takes_part, class_of = TASKS[task]
    rows = takes_part(digit)
    return x[rows], class_of(digit[rows])
