"""The rules themselves, on problems whose answers are known."""

import dataclasses

import numpy as np
import pytest

from edgewright.reference.optimizers import RULES, How, adam, amsgrad, lookahead, rectification, rectified, sgd, walk

# f(p) = p^2 / 2 from p = 1: the gradient is p
WORKED = {
    "sgd": (How(lr=0.1), [0.9, 0.81, 0.729]),
    "momentum": (How(lr=0.1), [0.9, 0.72, 0.486]),
    "nesterov": (How(lr=0.1), [0.81, 0.5751, 0.327321]),
    "adagrad": (How(lr=0.1), [0.9, 0.833104, 0.780456]),
    "rmsprop": (How(lr=0.1, b2=0.9), [0.683772, 0.498871, 0.369181]),
    "adam": (How(lr=0.1, decay=0.1), [0.9, 0.800412, 0.701586]),
    "adamw": (How(lr=0.1, decay=0.1), [0.89, 0.781572, 0.675101]),
    "radam": (How(lr=0.1), [0.9, 0.805263, 0.715770]),
    "swats": (How(lr=0.1), [0.9, 0.800412, 0.701586]),  # Adam, as long as its rate has not settled
}


@pytest.mark.parametrize("name", WORKED)
def test_worked_steps(name):
    how, expected = WORKED[name]
    path = walk(RULES[name], how, slope=lambda p: p, start=np.ones(1), num_steps=3)
    assert [float(p[0]) for p in path] == pytest.approx(expected, abs=1e-6)


def test_lookahead_meets_half_way_every_second_step():
    path = walk(lookahead(sgd, k=2), How(lr=0.1), slope=lambda p: p, start=np.ones(1), num_steps=4)
    assert [float(p[0]) for p in path] == pytest.approx([0.9, 0.905, 0.8145, 0.819025], abs=1e-6)


def test_radam_rectifies_from_the_sixth_step_on():
    rho = {t: rectification(t)[0] for t in (4, 5, 6)}
    assert rho == pytest.approx({4: 3.9975, 5: 4.9960, 6: 5.9942}, abs=5e-5)
    assert [rectification(t)[1] for t in (4, 5)] == [None, None]
    assert rectification(6)[1] == pytest.approx(0.0258211, abs=5e-8)
    assert rectified(rho[5], 1999) == pytest.approx(0.0173115, abs=5e-8)  # the paper's turn, at 4


def test_adagrad_shrinks_as_one_over_the_root_of_time_on_a_constant_gradient():
    path = walk(RULES["adagrad"], How(lr=1.0, eps=0.0), slope=np.ones_like, start=np.zeros(1), num_steps=100)
    steps = -np.diff(np.concatenate([[0.0], np.concatenate(path)]))
    np.testing.assert_allclose(steps, 1 / np.sqrt(np.arange(1, 101)), rtol=1e-9)


def test_rmsprop_does_not_vanish_where_adagrad_does():
    how = How(lr=0.01, b2=0.9)
    last = {}
    for name in ("rmsprop", "adagrad"):
        path = walk(RULES[name], how, slope=np.ones_like, start=np.zeros(1), num_steps=400)
        last[name] = float((path[-2] - path[-1])[0])
    assert last["rmsprop"] == pytest.approx(0.01, rel=1e-6)
    assert last["adagrad"] == pytest.approx(0.01 / 20, rel=1e-6)


@pytest.mark.parametrize(("rule", "end"), [(adam, 1.0), (amsgrad, -1.0)])
def test_amsgrad_finds_the_best_point_of_reddis_example_and_adam_the_worst(rule, end):
    """Slope 3 every third step and -1 else, on [-1, 1]: the best point is -1. Source: Reddi 2018, theorem 1 (C = 3)."""
    how = How(lr=0.5, m=0.0, b2=1 / (1 + 3**2))
    point, memory = np.zeros(1), {}
    for t in range(1, 3001):
        now = dataclasses.replace(how, lr=how.lr / np.sqrt(t))
        point = np.clip(rule(point, np.array([3.0 if t % 3 == 1 else -1.0]), memory, now), -1, 1)
    assert float(point[0]) == pytest.approx(end, abs=0.05)


def test_a_norm_of_zero_leaves_lars_and_lamb_the_plain_rate():
    for name, plain in (("lars", "momentum"), ("lamb", "adam")):
        how = How(lr=0.1)
        first = walk(RULES[name], how, slope=np.ones_like, start=np.zeros(3), num_steps=1)
        np.testing.assert_allclose(
            first, walk(RULES[plain], how, slope=np.ones_like, start=np.zeros(3), num_steps=1), rtol=1e-7
        )


def test_adafactor_is_exact_where_the_squares_are_an_outer_product():
    """Then V = R C / mean(R) is g^2, and the first step is the sign of the gradient, clipped to an RMS of d."""
    gradient = np.outer([1.0, -2.0, 3.0], [0.5, 1.0])
    for d in (1.0, 0.25):
        how = How(lr=0.1, d=d, eps=0.0)
        (moved,) = walk(RULES["adafactor"], how, slope=lambda w: gradient, start=np.zeros((3, 2)), num_steps=1)
        np.testing.assert_allclose(moved, -0.1 * d * np.sign(gradient), rtol=1e-12)
