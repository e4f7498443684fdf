"""Both directions of differentiation against PyTorch, against each other, and on cases by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from torch.nn import functional

from autograd_oracle import check, torch_gradients
from edgewright.reference import operations as op
from edgewright.reference.autograd import Node, elementwise, jvp, topological_order, value_and_gradients, vjp
from edgewright.reference.normalization import batch_norm, batch_norm_backward
from edgewright.reference.windows import Window

RNG = np.random.default_rng(0)
WINDOW = Window.square(3, stride=2, padding=1)


def positive(*shape: int) -> np.ndarray:
    return RNG.random(shape) + 0.5


# what it is -> (ours, PyTorch's, arrays)
PROGRAMS = {
    "arithmetic with broadcasting": (
        lambda a, b: (a + b) * a - 2 / b + (1 - a) / (b + 3) - (-a),
        lambda a, b: (a + b) * a - 2 / b + (1 - a) / (b + 3) + a,
        (positive(3, 1, 2), positive(4, 1)),
    ),
    "a matrix product over leading axes": (lambda a, b: a @ b, lambda a, b: a @ b, (positive(2, 3, 4), positive(4, 5))),
    "functions of numbers": (
        lambda x: op.exp(op.sin(x)) + op.log(x) * op.sqrt(x) - op.cos(op.arctan(x)) + op.power(x, 3),
        lambda x: torch.exp(torch.sin(x)) + torch.log(x) * torch.sqrt(x) - torch.cos(torch.arctan(x)) + x**3,
        (positive(3, 2),),
    ),
    "the larger and the smaller": (
        lambda a, b: op.maximum(a, b) * op.minimum(a, 2 * b) + op.absolute(a - b),
        lambda a, b: torch.maximum(a, b) * torch.minimum(a, 2 * b) + (a - b).abs(), (positive(3, 2), positive(3, 2)),
    ),
    "moving values": (
        lambda a, b: op.concatenate([op.transpose(op.reshape(a, (2, 6)), (1, 0)), b], axis=0) * 3,
        lambda a, b: torch.cat([a.reshape(2, 6).T, b]) * 3, (positive(3, 4), positive(5, 2)),
    ),
    "picking one value twice": (lambda a: op.pick(a, np.array([1, 1, 0])), lambda a: a[[1, 1, 0]], (positive(3, 2),)),
    "sums and means": (
        lambda a: op.total(a, (0, 1)) * op.mean(a) + op.mean(a, 1, keep=True) * op.total(a, -1, keep=True),
        lambda a: a.sum((0, 1)) * a.mean() + a.mean(1, keepdim=True) * a.sum(-1, keepdim=True), (positive(2, 3, 4),),
    ),
    "log softmax": (op.log_softmax, lambda a: torch.log_softmax(a, -1), (positive(3, 4),)),
    "cross-entropy": (
        lambda a: op.cross_entropy(a, np.array([2, 0, 1])),
        lambda a: functional.cross_entropy(a, torch.tensor([2, 0, 1])), (positive(3, 4),),
    ),
    "a grouped convolution": (
        lambda x, w, b: op.conv2d(x, w, b, window=WINDOW, groups=2),
        lambda x, w, b: functional.conv2d(x, w, b, stride=2, padding=1, groups=2),
        (positive(2, 4, 5, 6), positive(6, 2, 3, 3), positive(6)),
    ),
    "a linear layer": (op.linear, functional.linear, (positive(2, 3), positive(4, 3), positive(4))),
    "a pool of maxima": (
        lambda x: op.max_pool2d(x, window=WINDOW), lambda x: functional.max_pool2d(x, 3, 2, 1), (positive(2, 3, 5, 6),),
    ),
    "a pool of means": (
        lambda x: op.average_pool2d(x, window=WINDOW), lambda x: functional.avg_pool2d(x, 3, 2, 1),
        (positive(2, 3, 5, 6),),
    ),
    "batch norm": (
        op.batch_norm, lambda x, g, s: functional.batch_norm(x, None, None, g, s, training=True),
        (positive(3, 2, 4), positive(2), positive(2)),
    ),
    "activations": (
        lambda x: op.relu(x - 1) + op.tanh(x) * op.sigmoid(x) + op.ACTIVATE["silu"](x),
        lambda x: functional.relu(x - 1) + torch.tanh(x) * torch.sigmoid(x) + functional.silu(x), (positive(3, 2),),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_reverse_mode_is_pytorchs(name):
    ours, theirs, arrays = PROGRAMS[name]
    y, slope, wanted = torch_gradients(theirs, arrays)
    leaves = [Node(each) for each in arrays]
    output = ours(*leaves)
    check([output.value, *vjp(output, slope, leaves)], [y, *wanted])


@pytest.mark.parametrize("name", PROGRAMS)
def test_forward_mode_is_a_difference_quotient_and_the_transpose_of_reverse_mode(name):
    ours, _, arrays = PROGRAMS[name]
    nudges = [RNG.standard_normal(each.shape) for each in arrays]
    leaves = [Node(each) for each in arrays]
    output = ours(*leaves)
    moved = jvp(output, leaves, nudges)
    ahead, behind = (
        ours(*(Node(each + step * nudge) for each, nudge in zip(arrays, nudges, strict=True))).value
        for step in (1e-6, -1e-6)
    )
    np.testing.assert_allclose(moved, (ahead - behind) / 2e-6, rtol=1e-5, atol=1e-7)
    slope = RNG.standard_normal(output.shape)
    pulled = sum((a * b).sum() for a, b in zip(vjp(output, slope, leaves), nudges, strict=True))
    assert pulled == pytest.approx((slope * moved).sum(), rel=1e-9)


def test_the_chain_rule_on_f_of_g_of_h():
    x = Node(0.7)
    y = op.sin(op.exp(x * x))
    analytic = np.cos(np.exp(0.49)) * np.exp(0.49) * 1.4
    assert vjp(y, 1.0, [x])[0] == pytest.approx(analytic)
    assert jvp(y, [x], [1.0]) == pytest.approx(analytic)


@given(some.integers(1, 40))
def test_a_graph_with_2_to_the_n_paths_is_walked_in_n_steps(depth):
    calls = []
    twice = elementwise("twice", lambda a, b: a + b, lambda y, a, b: calls.append(1) or 1.0, lambda y, a, b: 1.0)
    x = node = Node(1.0)
    for _ in range(depth):
        node = twice(node, node)
    assert vjp(node, 1.0, [x])[0] == 2.0**depth
    assert len(calls) == depth
    assert len(topological_order(node)) == depth + 1


def test_inputs_come_before_what_is_made_of_them():
    a, b = Node(2.0), Node(3.0)
    product = a * b
    order = topological_order(product + op.exp(product) * a)
    place = {id(node): position for position, node in enumerate(order)}
    for node in order:
        assert all(place[id(each)] < place[id(node)] for each in node.inputs if isinstance(each, Node))


def test_a_node_in_the_middle_can_be_asked_and_one_beside_has_slope_0():
    x, beside = Node(3.0), Node(1.0)
    middle = x * x
    y = middle * x
    assert [float(each) for each in vjp(y, 1.0, [x, middle, beside])] == [27, 3, 0]
    assert jvp(y, [middle], [1.0]) == 3
    assert jvp(y, [beside], [1.0]) == 0


def test_constants_stay_arrays():
    assert isinstance(op.exp(np.ones(2)), np.ndarray)
    y = np.full(2, 3.0) * Node(np.ones(2))
    assert isinstance(y, Node) and y.value.tolist() == [3, 3]


def test_batch_norm_taken_apart_has_the_gradient_of_its_closed_form():
    x, gain, shift = positive(4, 3, 2), positive(3), positive(3)
    slope = RNG.standard_normal(x.shape)
    _, found = value_and_gradients(lambda *leaves: op.total(op.batch_norm(*leaves) * slope), x, gain, shift)
    check(found, batch_norm_backward(slope, gain, batch_norm(x, gain, shift)[1]))


def test_one_hidden_relu_layer_has_the_gradients_derived_by_hand():
    x, y = RNG.standard_normal((5, 3)), RNG.standard_normal((5, 2))
    w1, b1, w2, b2 = (RNG.standard_normal(shape) for shape in ((4, 3), (4,), (2, 4), (2,)))

    def loss(w1, b1, w2, b2):
        error = op.linear(op.relu(op.linear(x, w1, b1)), w2, b2) - y
        return op.total(error * error) / len(x)

    _, found = value_and_gradients(loss, w1, b1, w2, b2)
    z1 = x @ w1.T + b1
    h = np.maximum(z1, 0)
    d2 = 2 * (h @ w2.T + b2 - y) / len(x)
    d1 = (d2 @ w2) * (z1 > 0)
    check(found, [d1.T @ x, d1.sum(0), d2.T @ h, d2.sum(0)])


XOR, ANSWERS = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0.0, 1, 1, 0])


def test_two_hidden_units_solve_xor_and_a_linear_model_says_one_half():
    """The hidden layer need not be wider than the input. Source: Goodfellow 2016, Deep Learning, section 6.1."""
    hidden = op.relu(op.linear(XOR, np.ones((2, 2)), np.array([0.0, -1.0])))
    assert op.linear(hidden, np.array([[1.0, -2.0]]), np.zeros(1))[:, 0].tolist() == ANSWERS.tolist()

    def loss(weight, bias):
        error = op.linear(XOR, weight, bias) - ANSWERS[:, None]
        return op.mean(error * error)

    value, slopes = value_and_gradients(loss, np.zeros((1, 2)), np.array([0.5]))
    assert value == 0.25
    assert all((slope == 0).all() for slope in slopes)  # the least squares solution


def test_xor_is_learned_by_descent():
    rng = np.random.default_rng(1)
    weights = [rng.normal(0, 1, (8, 2)), np.zeros(8), rng.normal(0, 0.5, (1, 8)), np.zeros(1)]

    def loss(w1, b1, w2, b2):
        error = op.linear(op.relu(op.linear(XOR, w1, b1)), w2, b2) - ANSWERS[:, None]
        return op.mean(error * error)

    for _ in range(600):
        value, slopes = value_and_gradients(loss, *weights)
        weights = [weight - 0.1 * slope for weight, slope in zip(weights, slopes, strict=True)]
    assert value < 1e-6
