"""What the experiments on regularization must find."""

import numpy as np
import pytest

from edgewright.lab.experiments.regularization.early_stopping_ends_near_the_validation_minimum import stopped


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


def test_units_that_met_dropout_stand_alone(find):
    found = find("dropout_prevents_coadaptation")
    assert found.told == "holds"
    assert found["accuracy lost without 1 units, no dropout"].exceeds(
        found["accuracy lost without 1 units, dropout 0.5"]
    )


def test_regularizers_have_smoothness_in_common(find):
    found = find("regularized_networks_are_smaller_smoother_and_steadier")
    assert found.told == "holds"
    assert found["norm of the weights, plain"].value > 1.4 * found["norm of the weights, weight decay"].value
    assert found["right under noise, noisy inputs"].exceeds(found["right under noise, plain"], by=0.1)


@pytest.mark.parametrize("cause", ["more complex", "less data", "longer"])
def test_each_cause_opens_the_gap(find, cause):
    found = find("each_cause_of_overfitting_acts_alone")
    assert found.told == "holds" and found[f"gap, {cause}"].value > 1.5 * found["gap, base"].value


def test_early_stopping_goes_back_to_the_best(find):
    found = find("early_stopping_ends_near_the_validation_minimum")
    assert found.told.startswith("holds when patience is longer") and not found.disagreeing
    assert found["loss of the last weights over the least, patience 10"].exceeds(
        found["loss of the best weights over the least, patience 10"]
    )


def test_patience_counts_from_the_best_epoch():
    losses = np.array([5.0, 4.0, 3.9, 4.5, 4.2, 3.0, 4.0])
    assert stopped(losses, 2) == (4, 2) and stopped(losses, 3) == (6, 5)
    assert stopped(losses, 2, min_delta=0.2) == (3, 1)


def test_noise_of_batches_helps_against_wrong_labels_alone(find):
    found = find("noisy_batch_statistics_regularize")
    assert found.told == "holds when there is something wrong to be learnt"
    assert found["gained by the noise, labels a fifth wrong"].value > 0
    assert found["gained by the noise, labels all right"].value < 0
