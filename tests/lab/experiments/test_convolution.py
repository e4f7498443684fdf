"""What the experiments on convolution must find."""


def test_convolution_is_equivariant_and_not_invariant(find):
    found = find("convolution_is_equivariant_to_shifts")
    assert found.told == "does not hold" and not found.disagreeing
    assert found["change of the output itself"].value > 0.5
    assert found["change after moving along, stride 2"].value > 0.5
    assert found["change behind a 4x4 maximum"].value < 0.5 * found["change of the output itself"].value


def test_strides_divide_by_their_square_where_they_divide_the_size(find):
    found = find("strides_divide_macs_by_their_square")
    assert found.told == "holds when the stride divides the size" and not found.disagreeing
    assert found["MACs divided by, size 32, stride 2"].value == 4


def test_filters_answer_to_their_own_edge(find):
    found = find("small_kernels_find_edges")
    assert found.told == "holds when the filters are set by hand" and not found.disagreeing
    assert found["diagonal filter on a diagonal edge"].value > found["vertical filter on a diagonal edge"].value
    assert found["accuracy with 8 learned filters"].value > 0.85
