"""What the experiments on transfer must find."""


def test_deep_layers_cost_more_when_frozen(find):
    found = find("shallow_features_are_general_and_deep_ones_specific")
    assert found.told == "holds"
    assert found["lost by freezing layers 2 and 3 as well"].exceeds(found["lost by freezing 1"])
