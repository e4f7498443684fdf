import math

import pytest
import torch

from edgewright.losses import cross_entropy

ROWS = [((0.1, 2.0, 0.5), 1, 0.316779), ((1.5, 0.2, 0.8), 0, 0.570481), ((0.3, 0.9, 1.8), 2, 0.488396)]


@pytest.mark.parametrize(("logits", "target", "want"), ROWS)
def test_worked_numbers(logits, target, want):
    assert cross_entropy(torch.tensor([logits]), torch.tensor([target])).item() == pytest.approx(want, abs=1e-6)


def test_a_batch_is_the_mean_of_its_rows():
    logits, targets = torch.tensor([row[0] for row in ROWS]), torch.tensor([row[1] for row in ROWS])
    assert cross_entropy(logits, targets).item() == pytest.approx(0.458552, abs=1e-6)


def test_label_smoothing_spreads_its_share_over_all_classes():
    probability = torch.tensor(ROWS[0][0]).softmax(0)
    want = -(0.9 * math.log(probability[1]) + 0.1 * probability.log().mean().item())
    got = cross_entropy(torch.tensor([ROWS[0][0]]), torch.tensor([1]), label_smoothing=0.1)
    assert got.item() == pytest.approx(want, abs=1e-6)


def test_the_gradient_of_the_logits_is_probability_minus_target():
    logits = torch.tensor([[0.1, 2.0, 0.5]], requires_grad=True)
    cross_entropy(logits, torch.tensor([1])).backward()
    want = torch.tensor([[0.108960, 0.728492 - 1, 0.162549]])
    torch.testing.assert_close(logits.grad, want, atol=1e-6, rtol=0)
