"""Activations and the stable forms against PyTorch, and at arguments that overflow a naive form."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from autograd_oracle import check, torch_gradients
from edgewright.reference import stable
from edgewright.reference.activations import ACTIVATIONS, leaky, prelu_share_gradient

X = np.concatenate([np.linspace(-7.3, 7.4, 200), [-3, -1, 0, 1, 3, 6, -40, 40]])

TORCH = {
    "identity": lambda x: x * 1, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": functional.relu,
    "relu6": functional.relu6, "leaky-relu": functional.leaky_relu, "elu": functional.elu, "selu": functional.selu,
    "softplus": lambda x: functional.softplus(x, threshold=100), "log-sigmoid": functional.logsigmoid,
    "softsign": functional.softsign, "silu": functional.silu, "gelu": functional.gelu,
    "gelu-tanh": lambda x: functional.gelu(x, approximate="tanh"), "mish": functional.mish,
    "hard-tanh": functional.hardtanh, "hard-sigmoid": functional.hardsigmoid, "hard-swish": functional.hardswish,
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_value_and_slope_are_pytorchs_also_at_the_corners(name):
    y, dy, wanted = torch_gradients(TORCH[name], [X])
    check([ACTIVATIONS[name].value(X)], [y])
    check([dy * ACTIVATIONS[name].slope(X)], wanted)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nothing_overflows_at_ten_thousand(name):
    far = np.array([-1e4, 1e4])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert np.isfinite(ACTIVATIONS[name].value(far)).all()
        assert np.isfinite(ACTIVATIONS[name].slope(far)).all()


def test_a_prelus_share_has_pytorchs_gradient():
    y, dy, wanted = torch_gradients(lambda x, share: functional.prelu(x, share), [X, np.array([0.3])])
    check([leaky(0.3).value(X)], [y])
    check([dy * leaky(0.3).slope(X), np.array([prelu_share_gradient(dy, X)])], wanted)


def test_known_extremes():
    dense = np.linspace(-8, 8, 160_001)
    of = {name: each.value(dense) for name, each in ACTIVATIONS.items() if name not in {"gelu", "gelu-tanh"}}
    assert ACTIVATIONS["sigmoid"].slope(dense).max() == pytest.approx(0.25)
    assert ACTIVATIONS["tanh"].slope(dense).max() == pytest.approx(1)
    assert of["hard-swish"].min() == pytest.approx(-0.375) and dense[of["hard-swish"].argmin()] == pytest.approx(-1.5)
    gap = np.abs(of["hard-swish"] - of["silu"])
    assert gap.max() == pytest.approx(0.142278, abs=1e-6) and abs(dense[gap.argmax()]) == pytest.approx(3)
    gap = np.abs(of["hard-sigmoid"] - of["sigmoid"])
    assert gap.max() == pytest.approx(0.069182, abs=1e-6) and abs(dense[gap.argmax()]) == pytest.approx(1.317, abs=1e-3)


def test_the_two_forms_of_gelu_differ_by_less_than_0_0005():
    x = np.linspace(-6, 6, 2001)
    gap = np.abs(ACTIVATIONS["gelu"].value(x) - ACTIVATIONS["gelu-tanh"].value(x)).max()
    assert 4e-4 < gap < 5e-4


def test_the_naive_sigmoid_overflows_where_the_stable_one_is_0():
    with pytest.warns(RuntimeWarning, match="overflow"):
        naive = 1 / (1 + np.exp(-np.array([-710.0])))
    assert naive == 0 and stable.sigmoid(-710.0) == pytest.approx(np.exp(-710.0), rel=1e-9)


ROWS = np.array([[0.1, 2, 0.5], [-1e4, 0, 1e4], [700, 710, 720]])


def test_the_exponential_family_is_pytorchs():
    rows = torch.tensor(ROWS, dtype=torch.float64)
    check([stable.logsumexp(ROWS)], [torch.logsumexp(rows, 1).numpy()])
    for ours, theirs, back in (
        (stable.softmax, torch.softmax, stable.softmax_backward),
        (stable.log_softmax, torch.log_softmax, stable.log_softmax_backward),
    ):
        y, dy, wanted = torch_gradients(lambda x, of=theirs: of(x, 1), [ROWS])
        check([ours(ROWS)], [y])
        check([back(dy, stable.softmax(ROWS))], wanted)


def test_softmax_sums_to_1_ignores_a_common_shift_and_two_classes_are_a_sigmoid():
    assert stable.softmax(ROWS).sum(-1) == pytest.approx(np.ones(3))
    np.testing.assert_allclose(stable.softmax(ROWS + 123), stable.softmax(ROWS), rtol=1e-9)
    pair = np.array([1.3, -0.4])
    assert stable.softmax(pair)[0] == pytest.approx(stable.sigmoid(1.7))
    assert stable.softmax(ROWS[0]) == pytest.approx([0.108960, 0.728492, 0.162549], abs=1e-6)


def test_numbers_and_arrays_alike():
    assert isinstance(stable.sigmoid(2.0), float) and isinstance(stable.log_sigmoid(2.0), float)
    assert stable.sigmoid(np.array([0.1, 0.7, 0.4])) == pytest.approx([0.524979, 0.668188, 0.598688], abs=1e-6)
