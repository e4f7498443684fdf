"""What the experiments on hardware must find."""


def test_memory_takes_the_energy_where_weights_are_used_once(find):
    found = find("moving_data_costs_more_than_computing")
    assert found.told.startswith("holds when only multipliers count") and not found.disagreeing
    assert found["fp32 / int8, weights used once"].value < 5 < 12 < found["fp32 / int8, weights used 16384 times"].value


def test_the_ridge_parts_memory_from_arithmetic(find):
    found = find("the_ridge_point_tells_what_binds")
    assert found.told == "holds" and not found.disagreeing
    assert (
        found["intensity, depthwise 3x3"].value < found["ridge point"].value < found["intensity, 3x3 convolution"].value
    )


def test_a_mac_of_a_depthwise_layer_takes_longer(find):
    found = find("macs_predict_latency")
    assert found.told == "does not hold"
    assert found["rate, depthwise"].value < found["rate, 3x3"].value / 2
    assert found["correlation of logs, all layers"].value > 0.5
