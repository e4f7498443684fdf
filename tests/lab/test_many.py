"""Networks side by side, and the curvature of a loss from its gradients."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from edgewright.lab.digits import built, digits, train
from edgewright.lab.many import accuracies, cross_entropies, many_perceptrons, one_of, summed_cross_entropy
from edgewright.lab.sharpness import slope_of_net, top_eigenvalue, trace_samples
from edgewright.seeding import torch_generator


def test_networks_side_by_side_learn_as_each_alone():
    data = digits()
    x, y = data.x[:100], data.y[:100]
    many = built(lambda: many_perceptrons(3, (64, 8, 10)), 0, "nets")
    alone = one_of(many, 1)
    assert torch.allclose(many(x)[1], alone(x), atol=1e-6)
    for net, loss in ((many, summed_cross_entropy), (alone, functional.cross_entropy)):
        train(net, x, y, optimizer=torch.optim.SGD(net.parameters(), 0.5), epochs=3, loss=loss)
    assert torch.allclose(many(x)[1], alone(x), atol=1e-4)
    assert float(cross_entropies(many(x), y)[1].detach()) == pytest.approx(
        float(functional.cross_entropy(alone(x), y).detach()), abs=1e-4
    )
    assert accuracies(many, x, y)[1] == pytest.approx(float((alone(x).argmax(1) == y).float().mean()))


def test_curvature_is_that_of_the_hessian():
    net = built(lambda: nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 2)), 0, "net")
    x, y = torch.randn(20, 3, generator=torch_generator(0, "x")), torch.arange(20) % 2
    slope, weights = slope_of_net(net, lambda logits: functional.cross_entropy(logits, y), x)

    def value(row):
        first, bias, second, shift = row.split([6, 2, 4, 2])
        hidden = torch.tanh(x.double() @ first.view(2, 3).T + bias)
        return functional.cross_entropy(hidden @ second.view(2, 2).T + shift, y)

    hessian = torch.autograd.functional.hessian(value, weights)
    largest = max(torch.linalg.eigvalsh(hessian).tolist(), key=abs)
    assert top_eigenvalue(slope, weights, generator=torch_generator(0, "p"), num_steps=300) == pytest.approx(
        largest, 1e-4
    )
    samples = torch.tensor(trace_samples(slope, weights, generator=torch_generator(0, "t"), count=400))
    assert abs(samples.mean() - hessian.trace()) < 4 * samples.std() / 20
