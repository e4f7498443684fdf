"""What the experiments on distillation must find."""


def test_temperature_goes_from_one_hot_to_uniform(find):
    found = find("temperature_softens_from_one_hot_to_uniform")
    assert found.told == "holds" and not found.disagreeing


def test_one_over_t_squared_is_a_limit(find):
    found = find("soft_gradients_fall_as_one_over_t_squared")
    assert found.told == "holds when T is large against the logits" and not found.disagreeing
    assert abs(found["slope, small T"].value + 2) > 0.5
