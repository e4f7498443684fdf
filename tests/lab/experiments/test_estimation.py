"""What the experiments on estimators must find."""

import pytest


def test_maximum_likelihood_variance(find):
    found = find("maximum_likelihood_variance_is_too_small")
    assert found.told == "holds" and not found.disagreeing
    assert found["bias of 1/m, m=5"].expected == -0.2 and found["squared error of 1/m, m=5"].expected == 0.36


@pytest.mark.parametrize("name", ["bernoulli_mean_is_unbiased", "monte_carlo_bias_matches_theory"])
def test_simulated_bias_is_that_of_theory(find, name):
    found = find(name)
    assert found.told == "holds" and not found.disagreeing


def test_a_biased_estimator_converges_and_a_single_draw_does_not(find):
    found = find("biased_estimators_can_be_consistent")
    assert found.told == "holds" and not found.disagreeing
    assert found["variance off by over 0.5, m=320"].value < 0.001 < found["variance off by over 0.5, m=5"].value
    assert found["first draw off by over 0.5, m=320"].value > 0.5


def test_squared_error_splits_exactly(find):
    found = find("squared_error_is_bias_squared_plus_variance")
    assert found.told == "holds" and found["largest gap to bias^2 + variance"].value < 1e-12


def test_validation_error_turns_and_chooses_well(find):
    curve = find("validation_error_is_u_shaped_in_capacity")
    assert curve.told == "holds" and 0 < curve["degree of the least validation error"].value < 12
    choice = find("the_validation_minimum_chooses_capacity")
    assert choice.told == "holds"
    assert choice["log of error over the oracle's, training"].exceeds(
        choice["log of error over the oracle's, validation"]
    )


@pytest.mark.parametrize(
    "name",
    [
        "maximum_likelihood_equals_the_closed_forms", "cross_entropy_is_negative_log_likelihood",
        "conjugate_posteriors_equal_bayes_rule_on_a_grid",
    ],
)  # fmt: skip
def test_two_ways_to_one_estimate_agree(find, name):
    found = find(name)
    assert found.told == "holds" and not found.disagreeing


def test_least_squares_is_maximum_likelihood_only_for_one_sigma(find):
    found = find("least_squares_is_maximum_likelihood_for_fixed_sigma")
    assert found.told == "holds when sigma does not depend on the input" and not found.disagreeing
    assert abs(found["slope, sigma of x, learned"].value - found["slope, one sigma, learned"].value) > 1e-3


def test_a_prior_matters_less_and_less(find):
    found = find("map_estimates_tend_to_maximum_likelihood")
    assert found.told == "holds" and not found.disagreeing
    assert abs(found["MAP minus ML, n=5"].value) > 50 * abs(found["MAP minus ML, n=5120"].value)
