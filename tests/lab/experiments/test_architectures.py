"""What the experiments on architectures must find."""


def test_residual_paths_help_but_give_no_bound(find):
    found = find("residual_paths_carry_gradients")
    assert found.told == "does not hold" and not found.disagreeing
    assert (
        found["gradient at the first layer, residual"].value > 1e20 * found["gradient at the first layer, plain"].value
    )
    assert found["gradient through F = -x"].value == 0


def test_a_relu_loses_less_in_more_dimensions(find):
    found = find("relu_destroys_information_in_few_dimensions")
    assert found.told == "holds"
    assert found["share of the variance lost, n=2"].exceeds(found["share of the variance lost, n=5"], by=0.1)


def test_shuffles_connect_all_channels(find):
    found = find("shuffles_let_groups_talk")
    assert found.told.startswith("holds when") and not found.disagreeing


def test_pointwise_layers_have_the_macs_and_depthwise_ones_move_the_bytes(find):
    found = find("pointwise_convolutions_dominate_mobilenet")
    assert found.told == "holds when cost means MACs" and not found.disagreeing
    assert found["MACs per byte moved, depthwise"].value < found["MACs per byte moved, pointwise"].value / 4


def test_separable_convolutions_save_what_the_formula_says(find):
    found = find("separable_convolutions_save_about_kernel_squared")
    assert found.told == "holds when there are at least 72 output channels" and not found.disagreeing


def test_a_gain_of_zero_makes_blocks_do_nothing(find):
    found = find("zero_gain_makes_a_block_the_identity")
    assert found.told == "holds" and not found.disagreeing
    assert found["smallest gradient of a gain"].value > 1e-3


def test_evolution_beats_random_choice_after_its_first_population(find):
    found = find("search_beats_random_choice_at_equal_budget")
    assert found.told.startswith("holds when")
    assert found["evolution - random after 10"].value == 0 and found["evolution - random after 60"].exceeds(0.0)


def test_depth_needs_residual_paths_even_on_the_training_set(find):
    found = find("plain_depth_fails_where_residual_trains")
    assert found.told == "holds"
    deep = {kind: found[f"training accuracy, {kind}, depth 24"].value for kind in
            ("plain", "He and batch norm", "He, batch norm, residual")}  # fmt: skip
    assert deep["plain"] < 0.3 and deep["He and batch norm"] < deep["He, batch norm, residual"] - 0.2
