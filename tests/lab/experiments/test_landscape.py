"""What the experiments on the loss landscape must find."""

import pytest


def test_two_over_the_curvature_is_the_border(find):
    found = find("gradient_descent_converges_below_two_over_curvature")
    assert found.told == "holds" and not found.disagreeing
    assert found["contraction of the best step"].expected == pytest.approx(0.980198, abs=1e-6)
    assert found["distance after 1000 steps of 0.999 x 2/L"].value < 3**0.5
    assert found["distance after 1000 steps of 1.001 x 2/L"].value > 3**0.5


def test_random_hessians_are_saddles(find):
    found = find("saddles_outnumber_minima_in_high_dimension")
    assert found.told.startswith("holds when") and not found.disagreeing
    assert found["all eigenvalues positive, n=3"].expected == pytest.approx(0.024921, abs=1e-6)


def test_eigenvalues_name_critical_points(find):
    found = find("hessian_eigenvalues_tell_minima_from_saddles")
    assert found.told == "holds when no eigenvalue is 0"
    assert found["least eigenvalue, double well, middle"].value == pytest.approx(-4, abs=1e-3)
    assert found["least eigenvalue, double well, left"].value == pytest.approx(2, abs=1e-3)


def test_noise_leaves_a_saddle_in_logarithmic_time(find):
    found = find("gradient_noise_leaves_saddles")
    assert found.told == "holds" and not found.disagreeing
    assert found["steps to leave, noise 1e-06"].exceeds(found["steps to leave, noise 0.1"], by=50)


def test_deep_linear_networks_reach_least_squares(find):
    found = find("deep_linear_networks_have_no_bad_minima")
    assert found.told == "holds" and found["largest loss over least squares"].agrees


def test_gradient_variance_is_that_of_sampling_theory(find):
    found = find("gradient_variance_falls_with_the_batch")
    assert found.told.startswith("holds when") and not found.disagreeing
    assert found["variance, B=256, without replacement"].value < 1e-20
