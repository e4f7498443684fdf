"""What the experiments on estimators must find."""


def test_maximum_likelihood_variance(find):
    found = find("maximum_likelihood_variance_is_too_small")
    assert found.told == "holds" and not found.disagreeing
    assert found["bias of 1/m, m=5"].expected == -0.2 and found["squared error of 1/m, m=5"].expected == 0.36
