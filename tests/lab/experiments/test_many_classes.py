"""What the experiments on very many classes must find."""


def test_a_softmax_layer_grows_linearly(find):
    found = find("softmax_layers_grow_with_the_classes")
    assert found.told == "holds" and not found.disagreeing
    assert found["weights of an adaptive softmax"].expected == 10_185_728


def test_without_the_correction_frequent_classes_are_pushed_down(find):
    found = find("sampled_softmax_needs_the_log_correction")
    assert found.told == "holds when classes are not drawn alike" and not found.disagreeing


def test_rare_classes_suffer_in_part_from_the_prior(find):
    found = find("rare_classes_are_under_learned")
    assert found.told == "holds"
    assert found["accuracy, frequent, plain"].exceeds(found["accuracy, rare, plain"], by=0.1)
    assert found["accuracy, rare, adjusted"].exceeds(found["accuracy, rare, plain"])
