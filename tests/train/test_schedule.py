import pytest
from hypothesis import given
from hypothesis import strategies as some

from edgewright.train import lr_factor


def test_the_cosine_at_its_quarters():
    got = [lr_factor(step, num_steps=4) for step in range(5)]
    assert got == pytest.approx([1, 0.853553, 0.5, 0.146447, 0], abs=1e-6)


def test_the_warm_up_rises_in_a_straight_line_and_joins_the_cosine():
    got = [lr_factor(step, num_steps=8, num_warmup=4) for step in range(9)]
    assert got == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 0.853553, 0.5, 0.146447, 0], abs=1e-6)


def test_the_cosine_falls_to_the_final_share():
    got = [lr_factor(step, num_steps=4, final=0.2) for step in range(5)]
    assert got == pytest.approx([1, 0.2 + 0.8 * 0.853553, 0.6, 0.2 + 0.8 * 0.146447, 0.2], abs=1e-6)


def test_a_final_share_of_1_is_constant():
    assert {lr_factor(step, num_steps=9, final=1) for step in range(10)} == {1.0}


@given(num_steps=some.integers(1, 200), num_warmup=some.integers(0, 100), final=some.floats(0, 1))
def test_it_rises_to_1_and_falls_to_the_final_share(num_steps, num_warmup, final):
    num_warmup = min(num_warmup, num_steps - 1)
    factors = [lr_factor(step, num_steps=num_steps, num_warmup=num_warmup, final=final) for step in range(num_steps)]
    assert max(factors) == factors[num_warmup] == 1
    assert factors[: num_warmup + 1] == sorted(factors[: num_warmup + 1])
    assert factors[num_warmup:] == sorted(factors[num_warmup:], reverse=True)
    assert min(factors) > 0 or final == 0
