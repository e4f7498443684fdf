"""What the experiments on quantization must find."""

import pytest


def test_symmetric_grids_lose_a_bit_only_where_data_are_one_sided(find):
    found = find("each_tensor_has_its_quantizer")
    assert found.told == "holds when the data do not lie around zero"
    gain = {
        name: found[f"SQNR, {name}, asymmetric"].value - found[f"SQNR, {name}, symmetric"].value
        for name in ("Gaussian weights", "ReLU outputs")
    }
    assert abs(gain["Gaussian weights"]) < 0.5 and gain["ReLU outputs"] == pytest.approx(6.02, abs=0.5)


def test_a_bit_is_worth_six_decibels(find):
    found = find("fewer_bits_cost_six_decibels_each")
    assert found.told == "holds when the step is small against the data" and not found.disagreeing


def test_splitting_channels_shrinks_the_step_and_changes_nothing_else(find):
    found = find("splitting_channels_raises_resolution")
    assert found.told == "holds" and not found.disagreeing
    assert found["SQNR of the outputs, 20% split"].value > found["SQNR of the outputs, 0% split"].value + 2


def test_bytes_speed_up_what_waits_for_them(find):
    found = find("quantization_lifts_memory_bound_layers")
    assert found.told == "holds when the layer lies below the ridge" and not found.disagreeing
    assert found["speed-up of the net, ridge 100"].value > 3 * found["speed-up of the net, ridge 1"].value


def test_least_divergence_is_not_least_error(find):
    found = find("least_divergence_clips_best")
    assert found.told == "does not hold" and not found.disagreeing
    assert found["squared error of all values, KL"].value > found["squared error of all values, min-max"].value
    assert found["squared error of the bulk, KL"].value < found["squared error of the bulk, min-max"].value / 20
    assert 4 < found["upper end, KL"].value < 5.5


def test_eight_bits_cost_nothing_and_two_much(find):
    found = find("few_bits_cost_accuracy")
    assert found.told == "holds"
    lost = [found[f"accuracy lost at {bits} bits, minmax"].value for bits in (8, 4, 2)]
    assert abs(lost[0]) < 0.01 and lost[0] - 0.005 < lost[1] < lost[2]
    assert found["accuracy lost at 2 bits, mse"].value < lost[2]


def test_only_a_static_range_needs_images(find):
    found = find("only_static_ranges_need_data")
    assert found.told.startswith("holds when weights alone")
    assert found["accuracy lost, range of each input"].value < 0.02
    assert found["accuracy lost, static, a guess of [0, 1]"].exceeds(found["accuracy lost, static, 64 images"], by=0.05)
