"""What the experiments on metrics must find."""

import pytest


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("accuracy_is_blind_to_rare_classes", "holds"),
        ("auc_is_blind_to_calibration", "holds"),
        ("auc_is_the_chance_of_a_right_order", "holds"),
        ("auc_survives_increasing_maps_alone", "holds when the map is strictly increasing, in floating point too"),
        ("cheap_errors_move_the_best_threshold", "holds when the probabilities are calibrated"),
        ("confidence_is_invisible_to_accuracy", "holds"),
        ("dice_and_iou_rank_alike", "holds when masks are compared one by one"),
        ("sorting_computes_auc_faster_than_pairs", "holds"),
    ],
)
def test_the_claim_has_its_verdict_and_closed_forms(find, name, verdict):
    found = find(name)
    assert found.told == verdict and not found.disagreeing
    assert any(number.expected is not None for number in found.numbers)


def test_a_useful_classifier_is_less_accurate_than_no(find):
    found = find("accuracy_is_blind_to_rare_classes")
    assert found["accuracy of 'no'"].value == 0.99 and found["recall of 'no'"].value == 0


def test_prevalence_halves_average_precision_and_not_auc(find):
    found = find("auc_survives_increasing_maps_alone")
    assert found["AP, negatives times 10"].value < 0.51 * found["AP of eight"].value
    assert found["AUC, negatives times 10"].value == found["AUC of eight"].value
    assert found["AUC behind a float32 sigmoid"].value < 1
