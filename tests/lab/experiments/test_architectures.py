"""What the experiments on architectures must find."""


def test_residual_paths_help_but_give_no_bound(find):
    found = find("residual_paths_carry_gradients")
    assert found.told == "does not hold" and not found.disagreeing
    assert (
        found["gradient at the first layer, residual"].value > 1e20 * found["gradient at the first layer, plain"].value
    )
    assert found["gradient through F = -x"].value == 0
