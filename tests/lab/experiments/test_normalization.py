"""What the experiments on normalization must find."""

import pytest


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("batch_norm_in_training_depends_on_batch_mates", "holds"),
        ("folding_batch_norm_changes_nothing_but_cost", "holds when the norm stands behind the convolution"),
        ("group_norm_spans_layer_and_instance_norm", "holds"),
        ("normalizing_by_the_unbiased_variance_shrinks", "holds when the variance is the biased one"),
    ],
)
def test_the_claim_has_its_verdict_and_closed_forms(find, name, verdict):
    found = find(name)
    assert found.told == verdict and not found.disagreeing
    assert any(number.expected is not None for number in found.numbers)


def test_statistics_of_the_test_batch_leak(find):
    found = find("test_statistics_in_batch_norm_leak")
    assert found.told == "holds" and not found.disagreeing
    alone = found["accuracy, statistics of batches of one class"].value
    assert alone < found["accuracy, running statistics"].value - 0.1


def test_tiny_batches_hurt_batch_norm_most(find):
    found = find("tiny_batches_break_batch_norm_alone")
    assert found.told == "holds" and not found.disagreeing
    lost = {name: found[f"accuracy lost by batches of 2, {name}"].value for name in ("batch norm", "layer norm")}
    assert lost["batch norm"] > lost["layer norm"] + 0.01


def test_batch_norm_learns_at_larger_rates(find):
    found = find("batch_norm_allows_larger_steps")
    assert found.told == "holds"
    largest = {name: found[f"largest rate with over 70 %, {name}"].value for name in ("plain", "batch norm")}
    assert largest["batch norm"] >= 3 * largest["plain"] > 0


def test_sums_give_the_statistics_of_the_whole_and_averages_do_not(find):
    found = find("averaged_statistics_are_those_of_the_whole_batch")
    assert found.told == "does not hold" and not found.disagreeing
    assert (found["mean of the two variances"].value, found["variance of all four"].value) == (1, 26)


def test_padding_moves_batch_norm_alone(find):
    found = find("layer_norm_ignores_padding")
    assert found.told == "holds" and not found.disagreeing
    assert found["change behind batch norm, 32 steps of padding more"].value > 0.5


def test_folding_pays_where_convolutions_are_cheap(find):
    found = find("folding_batch_norm_speeds_up_inference")
    assert found.told == "holds when the convolution itself is cheap" and not found.disagreeing
    times = [found[f"time folded / not, {kind}"].value for kind in ("pointwise, 8 channels", "3x3, 64 channels")]
    assert times[0] < 0.9 and times[0] < times[1]


def test_no_order_of_norm_and_activation_wins_everywhere(find):
    found = find("batch_norm_belongs_before_the_activation")
    assert found.told == "does not hold"
    assert found["accuracy, norm before tanh"].value > 0.8 and not found["before - behind, tanh"].exceeds(0.0)


def test_batch_norm_helps_where_inputs_move_more_than_without(find):
    found = find("less_covariate_shift_explains_batch_norm")
    assert found.told == "does not hold"
    assert found["movement of the inputs, batch norm, shaken"].exceeds(found["movement of the inputs, plain"])
    assert found["mean training loss, plain"].exceeds(found["mean training loss, batch norm, shaken"])
