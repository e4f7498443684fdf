"""Cells and back-propagation through time against PyTorch's."""

import numpy as np
import pytest
import torch
from torch import nn

from autograd_oracle import check
from edgewright.reference.recurrent import CELLS, Weights, back_through_time, unroll

RNG = np.random.default_rng(0)
TORCH = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def weights_of(net: nn.Module) -> Weights:
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    values = (getattr(net, name).detach().numpy() for name in names)
    return Weights(**dict(zip(("W_GI", "U_GH", "b_G", "c_G"), values, strict=True)))


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("steps", "batch", "ins", "units"), [(1, 1, 1, 1), (4, 2, 3, 5), (30, 3, 2, 4)])
def test_values_and_gradients_are_pytorchs(name, steps, batch, ins, units):
    net = TORCH[name](ins, units, dtype=torch.float64)
    cell, weights = CELLS[name], weights_of(net)
    x = torch.randn(steps, batch, ins, dtype=torch.float64, requires_grad=True)
    first = [torch.randn(1, batch, units, dtype=torch.float64, requires_grad=True) for _ in range(cell.num_states)]
    theirs, _ = net(x, tuple(first) if len(first) == 2 else first[0])
    slope = RNG.standard_normal(tuple(theirs.shape))
    theirs.backward(torch.tensor(slope))
    state = tuple(each.detach().numpy()[0] for each in first)
    outputs, last, memory = unroll(cell, x.detach().numpy(), state, weights)
    dx, dstate, dweights = back_through_time(cell, slope, x.detach().numpy(), weights, memory)
    check([outputs, last[0]], [theirs.detach().numpy(), theirs.detach().numpy()[-1]])
    check([dx, *dstate], [x.grad.numpy(), *(each.grad.numpy()[0] for each in first)])
    check(list(vars(dweights).values()), [each.grad.numpy() for each in net.parameters()])


def slope_of_the_first_input(name: str, *, steps: int, keep: float) -> float:
    """Size of the slope of x at step 1 from h at the last, relative to that from h at step 1."""
    cell, units = CELLS[name], 16
    gates = {"rnn": 1, "lstm": 4, "gru": 3}[name]
    rng = np.random.default_rng(0)
    bias = np.zeros((gates, units))
    if gates > 1:
        bias[1] = keep  # the gate that keeps: f of an LSTM, z of a GRU
    weights = Weights(
        W_GI=rng.normal(0, 0.3, (gates * units, 4)), U_GH=rng.normal(0, 0.5 / np.sqrt(units), (gates * units, units)),
        b_G=bias.ravel(), c_G=np.zeros(gates * units),
    )  # fmt: skip
    x = rng.normal(size=(steps, 1, 4))
    state = tuple(np.zeros((1, units)) for _ in range(cell.num_states))
    _, _, memory = unroll(cell, x, state, weights)
    sizes = []
    for at in (0, steps - 1):
        slope = np.zeros((steps, 1, units))
        slope[at] = 1
        sizes.append(np.linalg.norm(back_through_time(cell, slope, x, weights, memory)[0][0]))
    return float(sizes[1] / sizes[0])


def test_over_100_steps_open_gates_keep_a_slope_that_vanishes_in_a_plain_rnn():
    assert slope_of_the_first_input("rnn", steps=100, keep=0) < 1e-20
    assert slope_of_the_first_input("lstm", steps=100, keep=5) > 0.05
    assert slope_of_the_first_input("gru", steps=100, keep=5) > 0.05


def test_closed_gates_let_it_vanish_too():
    assert slope_of_the_first_input("lstm", steps=100, keep=-1) < 1e-20
    assert slope_of_the_first_input("gru", steps=100, keep=-1) < 1e-20
