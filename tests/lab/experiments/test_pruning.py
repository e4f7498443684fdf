"""What the experiments on pruning must find."""


def test_two_of_four_keeps_less_energy(find):
    found = find("two_of_four_loses_more_energy_than_free_half")
    assert found.told == "holds" and not found.disagreeing


def test_shares_of_channels_multiply(find):
    found = find("pruned_channels_multiply")
    assert found.told == "does not hold" and not found.disagreeing
    assert found["MACs left between cut layers, p=0.5"].value == 0.25


def test_two_of_four_saves_less_than_half(find):
    found = find("two_of_four_halves_storage_and_doubles_speed")
    assert found.told == "does not hold" and not found.disagreeing
    assert found["dense bytes over packed bytes, fp16"].expected == 64 / 36


def test_zeros_cost_a_dense_product_as_much_as_any_number(find):
    found = find("zeros_speed_up_dense_hardware")
    assert found.told == "does not hold" and not found.disagreeing
    assert found["time, dense, 99.0% zeros"].value > 0.7 and found["time, csr, 50.0% zeros"].value > 1
    assert found["time, csr, 99.8% zeros"].value < found["time, csr, 50.0% zeros"].value / 4


def test_whole_units_save_time_and_cost_accuracy(find):
    found = find("removed_channels_speed_up_where_free_zeros_do_not")
    assert found.told == "holds"
    assert found["time, units removed"].value < 0.6 < found["time, weights masked"].value
    assert found["masked - removed"].exceeds(0.0)


def test_a_ticket_needs_its_mask_and_its_weights(find):
    found = find("winning_tickets_need_their_first_weights")
    assert found.told == "holds" and not found.disagreeing
    assert found["ticket - random mask"].exceeds(0.0) and found["ticket - same mask, new weights"].exceeds(0.0)


def test_small_tickets_need_no_rewinding(find):
    found = find("rewinding_to_an_early_epoch_makes_better_tickets")
    assert found.told == "does not hold"
    assert min(found[f"accuracy, rewound to epoch {epoch}"].value for epoch in (0, 1)) > 0.8
