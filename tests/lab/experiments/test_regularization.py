"""What the experiments on regularization must find."""

import pytest


def test_ridge_and_gaussian_prior_agree(find):
    found = find("ridge_is_a_gaussian_prior")
    assert found.told == "holds" and not found.disagreeing
    assert found["factor on orthonormal columns, lambda=3"].expected == 1 / (1 + 3)


def test_l1_makes_zeros_and_l2_does_not(find):
    found = find("lasso_thresholds_where_ridge_shrinks")
    assert found.told == "holds" and not found.disagreeing
    assert found["exact zeros of L1"].value > found["exact zeros of L2"].value == 0


def test_the_elastic_net_keeps_the_group(find):
    found = find("elastic_net_keeps_correlated_features")
    assert found.told == "holds" and found["prox of 2.0 at t=0.5, l1=1, l2=3"].agrees
    assert found["all 4 features kept, elastic net"].exceeds(found["all 4 features kept, lasso"])


def test_l2_does_not_shrink_evenly(find):
    found = find("l2_tames_high_degrees_without_zeros")
    assert found.told == "does not hold" and not found.disagreeing
    assert found["factor on a weak direction"].value < found["factor on the strongest direction"].value - 0.05
    assert found["least median validation error"].value < found["median validation error without penalty"].value / 2


def test_dropout_has_the_moments_of_theory(find):
    found = find("dropout_keeps_the_mean_and_adds_variance")
    assert found.told == "holds" and not found.disagreeing
    assert found["variance, p=0.5"].expected == 1.5**2


def test_the_place_of_dropout_matters_only_where_zero_does_not_stay(find):
    found = find("dropout_before_and_after_relu_are_one")
    assert found.told == "does not hold" and not found.disagreeing
    assert found["largest difference of the orders, sigmoid"].value > 0.4


def test_l1_finds_the_genes(find):
    found = find("l1_finds_few_genes_among_thousands")
    assert found.told == "holds" and found["strangers kept, L1"].value > 0
    assert found["genes kept of 2000, L1"].value < 100 < found["genes kept of 2000, L2"].value


def test_diamonds_are_touched_at_corners(find):
    found = find("l1_minima_lie_on_the_axes")
    assert found.told == "holds" and not found.disagreeing
    assert found["weights at 0, lambda=1"].expected == pytest.approx(0.682689, abs=1e-6)
    assert found["minima at a corner, targets at 2"].expected == pytest.approx(0.539893, abs=1e-6)


def test_only_proximal_steps_reach_zero(find):
    found = find("only_proximal_steps_make_exact_zeros")
    assert found.told.startswith("holds when the L1 penalty is applied by proximal")
    assert found["share of exact zeros, L1 term"].value == 0 and found["share below 0.001, L1 term"].value > 0.3


def test_scaled_weights_are_the_mean_of_linear_networks_alone(find):
    found = find("dropout_averages_subnetworks_only_when_linear")
    assert found.told.startswith("holds when the network is linear") and not found.disagreeing
    assert found["mean gap, two layers with a ReLU"].exceeds(0.05)
