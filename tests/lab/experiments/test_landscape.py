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


def test_every_start_of_a_wide_network_ends_well(find):
    found = find("wide_networks_end_in_one_loss")
    assert found.told == "holds"
    assert found["starts that reach 0.001, 48 units"].exceeds(found["starts that reach 0.001, 6 units"], by=0.5)


def test_noise_leaves_the_sharp_basin_first(find):
    found = find("small_batches_leave_sharp_basins")
    assert found.told == "holds" and not found.disagreeing
    assert found["spread in the sharp basin, B=64"].expected == pytest.approx(0.01 * 48**2 / 64 / 100)
    assert found["from sharp to flat, B=20"].exceeds(found["from sharp to flat, B=32"], by=0.2)


def test_measures_of_sharpness_are_right_and_disagree(find):
    found = find("sharpness_measures_agree_on_quadratics")
    assert found.told == "does not hold" and not found.disagreeing
    assert found["largest eigenvalue, steep"].value > found["largest eigenvalue, broad"].value
    assert found["rise in a box of 0.001, steep"].value < found["rise in a box of 0.001, broad"].value
    assert found["rise in a box of 0.001, broad"].value == pytest.approx(50 * 1e-6 * 32)  # 50 e^2 trace


def test_sharpness_is_no_property_of_the_function(find):
    found = find("sharpness_changes_while_the_function_stays")
    assert found.told == "does not hold" and not found.disagreeing
    growth = found["largest eigenvalue, a=16"].value / found["largest eigenvalue, a=8"].value
    assert growth == pytest.approx(4, rel=0.2)


def test_large_batches_are_sharp_only_at_one_rate(find):
    found = find("large_batches_find_sharp_minima_at_one_rate")
    assert found.told == "holds when the learning rate stays as it is"
    assert (
        found["largest eigenvalue, one rate, B=300"].value > 1.4 * found["largest eigenvalue, larger rate, B=300"].value
    )


def test_scaled_rates_match_up_to_a_critical_batch(find):
    found = find("rates_grow_with_the_batch_only_so_far")
    assert found.told == "holds when the batch stays below a critical size" and not found.disagreeing
    assert found["loss, unscaled, B=64"].exceeds(found["loss, linear, B=64"], by=0.5)
    assert found["loss, linear, B=512"].exceeds(found["loss, linear, B=64"], by=0.5)
