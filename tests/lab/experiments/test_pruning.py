"""What the experiments on pruning must find."""


def test_two_of_four_keeps_less_energy(find):
    found = find("two_of_four_loses_more_energy_than_free_half")
    assert found.told == "holds" and not found.disagreeing


def test_shares_of_channels_multiply(find):
    found = find("pruned_channels_multiply")
    assert found.told == "does not hold" and not found.disagreeing
    assert found["MACs left between cut layers, p=0.5"].value == 0.25
