"""What the experiments on losses must find."""


def test_cross_entropy_wakes_up_first(find):
    found = find("cross_entropy_learns_where_squared_error_sleeps")
    assert found.told == "holds" and not found.disagreeing
    assert found["steps until p > 1/2, squared error"].value > 20 * found["steps until p > 1/2, cross-entropy"].value


def test_focal_loss_silences_easy_examples(find):
    found = find("focal_loss_lets_rare_positives_speak")
    assert found.told == "holds" and not found.disagreeing
    assert found["weight of p=0.9"].expected == 0.01
