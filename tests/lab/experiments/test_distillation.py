"""What the experiments on distillation must find."""


def test_temperature_goes_from_one_hot_to_uniform(find):
    found = find("temperature_softens_from_one_hot_to_uniform")
    assert found.told == "holds" and not found.disagreeing


def test_one_over_t_squared_is_a_limit(find):
    found = find("soft_gradients_fall_as_one_over_t_squared")
    assert found.told == "holds when T is large against the logits" and not found.disagreeing
    assert abs(found["slope, small T"].value + 2) > 0.5


def test_soft_answers_teach_a_class_without_examples(find):
    found = find("a_student_knows_a_class_it_never_saw")
    assert found.told == "holds"
    assert found["recall of the class, soft answers, bias set"].value > 0.7
    assert found["recall of the class, hard labels, bias set"].value < 0.3


def test_soft_answers_repair_more_than_labels(find):
    found = find("distillation_repairs_slimmed_networks")
    assert found.told == "holds"
    assert found["accuracy, large"].exceeds(found["accuracy, cut"], by=0.05)
    assert found["soft answers - labels"].exceeds(0.0)
