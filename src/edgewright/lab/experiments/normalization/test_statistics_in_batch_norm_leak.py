"""May batch norm use the statistics of the test batch?

Claim: statistics of the test batch let samples influence each other's answers: that is leakage, and an answer then
    depends on the mix of classes in the batch.
Source: Ioffe & Szegedy 2015, ICML, section 3.1; Ioffe 2017 (batch renormalization) for the effect of the mix.
Expected: with test-batch statistics, accuracy falls when a batch holds one class only; with running statistics the
    order and mix of the test set change nothing.
See: batch_norm_in_training_depends_on_batch_mates
"""

import torch
from torch import nn

from ...digits import accuracy, built, digits, perceptron, train
from ...figures import bars
from ...finding import Finding, Number, judged


def run(seed: int, fast: bool) -> Finding:
    data = digits(seed)
    net = built(lambda: perceptron((64, 48, 48, 10), norm=nn.BatchNorm1d), seed, "net")
    train(net, data.x, data.y, optimizer=torch.optim.Adam(net.parameters(), 3e-3), epochs=8 if fast else 30, seed=seed)
    running = accuracy(net, data.test_x, data.test_y)
    sorted_rows = data.test_y.argsort(stable=True)
    mixed_rows = torch.randperm(len(data.test_y), generator=torch.Generator().manual_seed(seed))
    leaky = {name: _with_batch_statistics(net, data.test_x[rows], data.test_y[rows])
             for name, rows in (("mixed", mixed_rows), ("one class", sorted_rows))}  # fmt: skip
    again = accuracy(net, data.test_x[sorted_rows], data.test_y[sorted_rows])
    numbers = (
        Number(name="accuracy, running statistics", value=running),
        Number(name="accuracy, running statistics, sorted by class", value=again, expected=running, tolerance=1e-6),
        Number(name="accuracy, statistics of mixed batches", value=leaky["mixed"]),
        Number(name="accuracy, statistics of batches of one class", value=leaky["one class"]),
    )
    return judged(
        bool(numbers[1].agrees), leaky["one class"] < running - 0.1, leaky["mixed"] > leaky["one class"] + 0.1,
        summary=f"With running statistics {running:.1%} are right in any order; with statistics of the test batch "
        f"{leaky['mixed']:.1%} when batches are mixed and {leaky['one class']:.1%} when each holds one class.",
        numbers=numbers,
        figure=bars("Right answers of one network on the same test images.",
                    ["running statistics", "batch statistics, mixed", "batch statistics, one class"], value="accuracy",
                    only=[running, *leaky.values()]),
    )  # fmt: skip


def _with_batch_statistics(net: nn.Module, x: torch.Tensor, y: torch.Tensor, batch: int = 32) -> float:
    """Share of right answers when every batch is normalized by itself; the buffers stay as they are."""
    kept = {name: value.clone() for name, value in net.state_dict().items()}
    net.train()
    with torch.no_grad():
        right = sum(int((net(rows).argmax(1) == said).sum())
                    for rows, said in zip(x.split(batch), y.split(batch), strict=True) if len(rows) > 1)  # fmt: skip
    net.load_state_dict(kept)
    net.eval()
    return right / len(y)
