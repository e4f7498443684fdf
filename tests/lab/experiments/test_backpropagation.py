"""What the experiments on networks and gradients must find."""

import pytest


@pytest.mark.parametrize(
    "name",
    [
        "a_linear_model_cannot_solve_xor", "backpropagation_visits_each_node_once",
        "he_initialization_keeps_the_mean_square", "sigmoid_gradients_obey_a_quarter_per_layer",
        "dead_relus_come_from_large_steps_and_biases",
    ],
)  # fmt: skip
def test_the_claim_holds_with_its_closed_forms(find, name):
    found = find(name)
    assert found.told == "holds" and not found.disagreeing
    assert any(number.expected is not None for number in found.numbers)


def test_two_hidden_units_solve_xor_and_more_do_so_more_often(find):
    found = find("one_hidden_relu_layer_solves_xor")
    assert found.told == "holds" and found["largest error of the network by hand"].value == 0
    rates = [found[f"share of starts that solve it, {width} hidden units"].value for width in (2, 4, 8)]
    assert rates == sorted(rates)


def test_relu_keeps_what_sigmoids_lose(find):
    found = find("relu_keeps_gradients_that_sigmoids_lose")
    assert found.told == "holds"
    named = {
        name: found[f"log10 of the gradient at the input, {name}, 50 layers"].value for name in ("relu", "sigmoid")
    }
    assert named["relu"] > -0.5 and named["sigmoid"] < -25


def test_single_weights_above_one_do_not_decide(find):
    found = find("too_large_weights_explode")
    assert found.told == "does not hold" and not found.disagreeing
    assert found["mean |weight|, variance 4/n"].value < 1 < found["gradient at the first layer, variance 4/n"].value


def test_equal_weights_never_part(find):
    found = find("equal_weights_stay_equal")
    assert found.told == "holds" and not found.disagreeing
    assert found["loss at the end, random, biases 0"].value < found["loss at the end, constant"].value


def test_a_softmax_may_be_shifted_and_must_be(find):
    found = find("the_largest_logit_may_be_taken_off")
    assert found.told == "holds" and not found.disagreeing
    assert found["rows without a number at 10,000, plain"].value > 0.3


def test_open_gates_alone_carry_gradients_over_a_hundred_steps(find):
    found = find("gates_carry_gradients_through_time")
    assert found.told == "holds when the gates are biased to be open"
    carried = {name: found[f"log10 of the gradient over 100 steps, {name}"] for name in
               ("plain", "LSTM, forget gate open", "LSTM, forget gate half open", "GRU, update gate open")}  # fmt: skip
    assert carried["LSTM, forget gate open"].exceeds(carried["plain"], by=10)
    assert carried["GRU, update gate open"].exceeds(carried["LSTM, forget gate half open"], by=10)
