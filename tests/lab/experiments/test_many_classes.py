"""What the experiments on very many classes must find."""


def test_a_softmax_layer_grows_linearly(find):
    found = find("softmax_layers_grow_with_the_classes")
    assert found.told == "holds" and not found.disagreeing
    assert found["weights of an adaptive softmax"].expected == 10_185_728
