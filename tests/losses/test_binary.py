import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from edgewright.errors import ConfigError, ShapeError
from edgewright.losses import binary_cross_entropy, sigmoid_focal_loss
from edgewright.reference import losses as reference

LOGITS = torch.tensor([[-0.5, 1.2, -0.1, 0.8], [3.0, -4.0, 0.0, 9.0]], dtype=torch.float64)
TARGETS = torch.tensor([[0.0, 1, 0, 1], [1, 1, 0, 0]], dtype=torch.float64)


def test_worked_numbers():
    assert binary_cross_entropy(torch.tensor([0.5]), torch.tensor([1.0])).item() == pytest.approx(0.474077, abs=1e-6)
    assert binary_cross_entropy(LOGITS[0], TARGETS[0]).item() == pytest.approx(0.438214, abs=1e-6)


def test_it_is_the_formula_and_never_overflows():
    logits = torch.cat([LOGITS, torch.tensor([[1e4, -1e4, 1e4, -1e4]], dtype=torch.float64)])
    targets = torch.cat([TARGETS, torch.tensor([[1, 1, 0, 0]], dtype=torch.float64)])
    got = binary_cross_entropy(logits, targets).item()
    assert got == pytest.approx(reference.binary_cross_entropy(logits.numpy(), targets.numpy()), rel=1e-12)


@pytest.mark.slow  # torchvision takes seconds to load
@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
def test_sigmoid_focal_is_the_formula_and_torchvisions(gamma):
    from torchvision.ops import sigmoid_focal_loss as peer

    got = sigmoid_focal_loss(LOGITS, TARGETS, gamma=gamma, alpha=0.25)
    want = reference.sigmoid_focal(LOGITS.numpy(), TARGETS.numpy(), gamma=gamma, alpha=0.25)
    assert got.item() == pytest.approx(want, rel=1e-12)
    torch.testing.assert_close(got, peer(LOGITS, TARGETS, gamma=gamma, alpha=0.25, reduction="mean"))
    without = peer(LOGITS, TARGETS, gamma=gamma, alpha=-1, reduction="mean")
    torch.testing.assert_close(sigmoid_focal_loss(LOGITS, TARGETS, gamma=gamma, alpha=None), without)


def test_gamma_0_is_binary_cross_entropy_for_probabilities_too():
    shares = torch.rand(2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    got = sigmoid_focal_loss(LOGITS, shares, gamma=0, alpha=None)
    torch.testing.assert_close(got, binary_cross_entropy(LOGITS, shares))


@given(logit=some.floats(-1e4, 1e4), gamma=some.floats(0, 5), target=some.sampled_from([0.0, 0.5, 1.0]))
def test_focal_and_its_gradient_are_finite_and_it_is_at_most_cross_entropy(logit, gamma, target):
    logits = torch.tensor([logit], requires_grad=True)
    targets = torch.tensor([target])
    value = sigmoid_focal_loss(logits, targets, gamma=gamma, alpha=None)
    value.backward()
    assert bool(logits.grad.isfinite().all())
    assert 0 <= value.item() <= binary_cross_entropy(logits, targets).item() * (1 + 1e-5)


@pytest.mark.slow
def test_torchvisions_gradient_breaks_where_ours_does_not():
    """The reason that this one is ours: a sure answer and a gamma below 1."""
    from torchvision.ops import sigmoid_focal_loss as peer

    logits = torch.tensor([200.0], requires_grad=True)
    peer(logits, torch.ones(1), gamma=0.5, alpha=-1, reduction="mean").backward()
    assert bool(logits.grad.isnan().all())


def test_smoothing_moves_both_answers_towards_a_half():
    got = binary_cross_entropy(LOGITS, TARGETS, label_smoothing=0.2)
    torch.testing.assert_close(got, binary_cross_entropy(LOGITS, 0.1 + 0.8 * TARGETS))


def test_rare_labels_can_weigh_more():
    weights = torch.tensor([3.0, 3, 3, 3], dtype=torch.float64)
    yes, no = binary_cross_entropy(LOGITS, torch.ones_like(LOGITS)), binary_cross_entropy(LOGITS, 0 * LOGITS)
    torch.testing.assert_close(
        binary_cross_entropy(LOGITS, torch.ones_like(LOGITS), positive_weights_K=weights), 3 * yes
    )
    torch.testing.assert_close(binary_cross_entropy(LOGITS, 0 * LOGITS, positive_weights_K=weights), no)


def test_a_label_without_a_target_is_told():
    with pytest.raises(ShapeError, match=r"logits have shape \(2, 4\) and the targets \(2,\)"):
        binary_cross_entropy(LOGITS, torch.zeros(2))


def test_a_negative_gamma_is_refused():
    with pytest.raises(ConfigError, match="gamma of a focal loss is 0 or greater, got -1"):
        sigmoid_focal_loss(LOGITS, TARGETS, gamma=-1)
