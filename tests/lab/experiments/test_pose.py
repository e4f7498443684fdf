"""What the experiments on pose must find."""


def test_decoding_errors_are_those_of_geometry(find):
    found = find("heat_map_cells_cost_precision")
    assert found.told == "holds" and not found.disagreeing
    assert found["mean error in cells, largest cell"].exceeds(found["mean error in cells, quarter shift"], by=0.1)
    assert found["mean error in cells, parabola (Taylor)"].value < 0.05


def test_only_the_network_of_bottom_up_is_constant(find):
    found = find("top_down_grows_with_the_crowd")
    assert found.told == "holds when grouping is left out" and not found.disagreeing
    assert found["log comparisons of grouping over log people"].value > 1.9


def test_a_crowd_loses_people_with_their_boxes(find):
    found = find("missed_detections_cannot_be_recovered")
    assert found.told.startswith("holds when people stand closer")
    assert found["recall bottom-up, spacing 0.3"].exceeds(found["recall top-down, spacing 0.3"], by=0.15)
    assert found["recall bottom-up, spacing 0.3"].exceeds(found["recall bottom-up, spacing 0.1"], by=0.1)
