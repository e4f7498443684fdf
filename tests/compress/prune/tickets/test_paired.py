"""Paired differences: standard error and interval by hand, and the sentence that follows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from edgewright.compress.prune.tickets import Spread, paired, spread, verdict


def test_three_differences_by_hand():
    found = paired([91.0, 92.0, 96.0], [90.0, 90.0, 93.0])  # 1, 2, 3
    assert (found.mean, found.num) == (2.0, 3)
    assert found.std_error == pytest.approx(1 / 3**0.5)
    assert found.half_width == pytest.approx(4.302653 / 3**0.5, rel=1e-6)  # Student's t with 2 degrees of freedom
    assert found.sign == 0  # 2 - 2.48 < 0


@given(st.lists(st.floats(-50, 50), min_size=3, max_size=8).filter(lambda values: max(values) - min(values) > 1e-3))
def test_the_interval_leaves_zero_out_where_the_t_test_says_so(values):
    p = stats.ttest_1samp(values, 0.0).pvalue
    if abs(p - 0.05) > 1e-9:
        assert bool(spread(values).sign) == (p < 0.05)


def test_one_seed_has_no_error_and_no_verdict():
    found = paired([91.0], [90.0])
    assert (found.std_error, found.half_width, found.sign) == (None, None, None)
    assert verdict(found, other="it", sparsity=0.8) == (
        "One seed cannot tell whether the ticket beats it at 80.0 % sparsity (difference +1.00 points): take 3 or more."
    )


def test_two_seeds_that_happen_to_agree_prove_nothing():
    found = paired([91.0, 92.0], [90.0, 91.0])
    assert (found.std_error, found.half_width, found.sign) == (0.0, None, None)
    assert verdict(found, other="it", sparsity=0.8).startswith("2 seeds cannot tell whether the ticket beats it")


@pytest.mark.parametrize(("mean", "said"), [(3.0, "beats"), (0.5, "is not shown to beat"), (-3.0, "loses to")])
def test_the_sentence_says_what_the_interval_allows(mean, said):
    found = Spread(mean=mean, std_error=1.0, num=5)
    low, high = f"{mean - 2.7764:+.2f}", f"{mean + 2.7764:+.2f}"
    assert verdict(found, other="re-initialization", sparsity=0.832) == (
        f"The ticket {said} re-initialization at 83.2 % sparsity (difference {mean:+.2f} ± 1.00 points over 5 seeds, "
        f"95 % interval {low} to {high})."
    )
