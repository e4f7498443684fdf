import math

import pytest
import torch

from edgewright.errors import ConfigError, ShapeError
from edgewright.losses import binary_cross_entropy, cross_entropy, focal_loss
from edgewright.reference import losses as reference

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


def random_logits(*shape: int, seed: int = 0, scale: float = 3.0) -> torch.Tensor:
    return scale * torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


SHARES = random_logits(5, 4, seed=1).softmax(dim=1)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_cross_entropy_of_probabilities_is_the_formula(smoothing):
    logits = random_logits(5, 4)
    want = reference.cross_entropy(logits.numpy(), SHARES.numpy(), label_smoothing=smoothing)
    assert cross_entropy(logits, SHARES, label_smoothing=smoothing).item() == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize("loss", [cross_entropy, focal_loss])
def test_ids_are_probabilities_with_a_single_1(loss):
    logits, ids = random_logits(5, 4), torch.tensor([0, 3, 1, 1, 2])
    shares = torch.eye(4, dtype=torch.float64)[ids]
    torch.testing.assert_close(loss(logits, ids), loss(logits, shares))


def test_a_confident_answer_of_92_per_cent_costs_its_logarithm():
    logits = torch.tensor([[0.92, 0.05, 0.03]]).log()
    assert cross_entropy(logits, torch.tensor([0])).item() == pytest.approx(0.083382, abs=1e-6)


@pytest.mark.parametrize(("probability", "want"), [(0.9, 0.00105361), (0.5, 0.173287), (0.1, 1.865094)])
def test_worked_focal_losses(probability, want):
    logits = torch.tensor([[probability, 1 - probability]], dtype=torch.float64).log()
    assert focal_loss(logits, torch.tensor([0])).item() == pytest.approx(want, rel=1e-5)
    assert want == pytest.approx((1 - probability) ** 2 * -math.log(probability), rel=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
def test_focal_is_the_formula_and_cross_entropy_at_gamma_0(gamma):
    logits, ids = random_logits(5, 4), torch.tensor([0, 3, 1, 1, 2])
    got = focal_loss(logits, ids, gamma=gamma).item()
    assert got == pytest.approx(reference.focal(logits.numpy(), ids.tolist(), gamma=gamma), rel=1e-12)
    if gamma == 0:
        assert got == pytest.approx(cross_entropy(logits, ids).item(), rel=1e-12)


def test_weights_scale_the_terms_of_their_classes():
    logits, ids = random_logits(5, 4), torch.tensor([0, 3, 1, 1, 2])
    weights = torch.tensor([1.0, 0, 0, 0], dtype=torch.float64)
    alone = focal_loss(logits[:1], ids[:1])
    torch.testing.assert_close(focal_loss(logits, ids, weights_K=weights), alone / 5)
    torch.testing.assert_close(cross_entropy(logits, ids, weights_K=weights), cross_entropy(logits[:1], ids[:1]))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("logit", [0.0, 50.0, 1e4])
def test_no_sure_answer_breaks_the_gradient_of_focal(gamma, logit):
    logits = torch.tensor([[logit, 0.0], [0.0, logit]], requires_grad=True)
    focal_loss(logits, torch.tensor([0, 0]), gamma=gamma).backward()
    assert bool(logits.grad.isfinite().all())


def test_a_squared_error_on_a_sigmoid_learns_nothing_from_a_sure_mistake():
    """Why cross-entropy: its gradient is p - y, the other's has a factor p (1 - p) more."""
    logit = torch.tensor([[-8.0]], dtype=torch.float64, requires_grad=True)
    ((logit.sigmoid() - 1) ** 2 / 2).sum().backward()
    squared = logit.grad.item()
    logit.grad = None
    binary_cross_entropy(logit, torch.ones(1, 1)).backward()
    assert squared == pytest.approx(-3.35e-4, rel=1e-3)
    assert logit.grad.item() == pytest.approx(-0.999665, rel=1e-6)


@pytest.mark.parametrize("targets", [torch.zeros(2, 2), torch.zeros(3, dtype=torch.long), torch.zeros(2)])
def test_targets_that_do_not_fit_are_told(targets):
    with pytest.raises(ShapeError, match=r"Logits of shape \(2, 3\) go with class ids \(B,\) or probabilities"):
        cross_entropy(torch.zeros(2, 3), targets)


def test_a_negative_gamma_is_refused():
    with pytest.raises(ConfigError, match="gamma of a focal loss is 0 or greater, got -1"):
        focal_loss(torch.zeros(1, 2), torch.tensor([0]), gamma=-1)
