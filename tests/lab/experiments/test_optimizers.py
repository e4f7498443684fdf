"""What the experiments on optimizers must find."""

import pytest


def test_momentum_needs_the_square_root(find):
    found = find("momentum_needs_the_square_root_of_the_condition")
    assert found.told == "holds" and not found.disagreeing
    assert found["rate of gradient descent, k=100"].expected == pytest.approx(0.980198, abs=1e-6)
    assert found["rate of momentum, k=100"].expected == pytest.approx(0.818182, abs=1e-6)


def test_looking_ahead_is_no_law(find):
    found = find("nesterov_is_not_always_faster_than_momentum")
    assert found.told == "does not hold"
    assert found["steps to 1e-6, heavy ball, quadratic (1000: never)"].value < 60
    assert found["steps to 1e-6, heavy ball, Lessard's (1000: never)"].value == 1000
    assert found["steps to 1e-6, Nesterov, Lessard's (1000: never)"].value < 1000


def test_adam_cancels_a_penalty(find):
    found = find("adam_cancels_l2_where_adamw_decays")
    assert found.told == "holds" and not found.disagreeing
    assert found["AdamW, step 3"].value < found["Adam with L2, step 3"].value
