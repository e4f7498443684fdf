"""What the experiments on regularization must find."""


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
