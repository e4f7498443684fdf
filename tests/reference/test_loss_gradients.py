"""Gradients of losses against PyTorch's autograd, and numbers that can be followed by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from torch.nn import functional

from autograd_oracle import check
from edgewright import losses as product
from edgewright.reference import loss_gradients as gradients
from edgewright.reference import losses as reference
from edgewright.reference.autograd import value_and_gradients
from edgewright.reference.boxes import ciou, diou, giou, iou
from edgewright.reference.overlap_losses import BOX_LOSSES, dice, giou_loss, iou_loss, jaccard
from edgewright.reference.regression_losses import REGRESSION, charbonnier, huber, smooth_l1

RNG = np.random.default_rng(0)
LOGITS, LABELS = 3 * RNG.standard_normal((6, 4)), np.array([0, 3, 1, 1, 2, 0])
SHARES = RNG.dirichlet(np.ones(4), 6)
YES = (RNG.random((6, 4)) < 0.4).astype(float)
FIRST, SECOND, ALIKE = RNG.standard_normal((6, 3)), RNG.standard_normal((6, 3)), np.array([1, 0, 0, 1, 0, 1])


def product_gradients(loss, *arrays):
    """The value and the gradients of a loss of the product, in float64."""
    leaves = [torch.tensor(each, requires_grad=True) for each in arrays]
    value = loss(*leaves)
    return value.item(), [each.numpy() for each in torch.autograd.grad(value, leaves)]


ALIKE_T = torch.tensor(ALIKE).bool()
CASES = {  # what it is -> (the product's loss, the reference's value, the reference's gradients, arrays)
    "cross-entropy": (
        lambda z: product.cross_entropy(z, torch.tensor(SHARES), label_smoothing=0.1),
        lambda z: reference.cross_entropy(z, SHARES, label_smoothing=0.1),
        lambda z: [gradients.cross_entropy(z, SHARES, label_smoothing=0.1)], [LOGITS],
    ),
    "focal": (
        lambda z: product.focal_loss(z, torch.tensor(LABELS), gamma=2.0),
        lambda z: reference.focal(z, LABELS, gamma=2.0), lambda z: [gradients.focal(z, LABELS, gamma=2.0)], [LOGITS],
    ),
    "binary cross-entropy": (
        lambda z: product.binary_cross_entropy(z, torch.tensor(YES)),
        lambda z: reference.binary_cross_entropy(z, YES), lambda z: [gradients.binary_cross_entropy(z, YES)], [LOGITS],
    ),
    "sigmoid focal": (
        lambda z: product.sigmoid_focal_loss(z, torch.tensor(YES), gamma=1.5, alpha=0.3),
        lambda z: reference.sigmoid_focal(z, YES, gamma=1.5, alpha=0.3),
        lambda z: [gradients.sigmoid_focal(z, YES, gamma=1.5, alpha=0.3)], [LOGITS],
    ),
    "contrastive": (
        lambda a, b: product.contrastive_loss(a, b, ALIKE_T, margin=2.0),
        lambda a, b: reference.contrastive(a, b, ALIKE, margin=2.0),
        lambda a, b: gradients.contrastive(a, b, ALIKE, margin=2.0), [FIRST, SECOND],
    ),
    "cosine embedding": (
        lambda a, b: product.cosine_embedding_loss(a, b, ALIKE_T, margin=0.1),
        lambda a, b: reference.cosine_embedding(a, b, ALIKE, margin=0.1),
        lambda a, b: gradients.cosine_embedding(a, b, ALIKE, margin=0.1), [FIRST, SECOND],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_products_loss_has_the_references_value_and_gradient(name):
    theirs, value, slopes, arrays = CASES[name]
    wanted, pulled = product_gradients(theirs, *arrays)
    assert value(*arrays) == pytest.approx(wanted, rel=1e-6)
    check(list(slopes(*arrays)), pulled)


def test_triplet_gradients_are_pytorchs():
    third = np.concatenate([FIRST[:3] + 0.1, FIRST[3:] + 9])  # near: to be pushed away; far: done
    wanted, pulled = product_gradients(
        lambda a, p, n: functional.triplet_margin_loss(a, p, n, margin=0.5, eps=0), FIRST, SECOND, third
    )
    found = gradients.triplet(FIRST, SECOND, third, margin=0.5)
    assert wanted > 0 and all(each[:3].any() and not each[3:].any() for each in found)
    check(found, pulled)


def test_negative_sampling_pushes_what_is_drawn_twice_twice():
    drawn = [1, 1, 3]

    def loss(z):
        rows = torch.arange(len(LABELS))
        return -(functional.logsigmoid(z[rows, LABELS]) + functional.logsigmoid(-z[:, drawn]).sum(1)).mean()

    wanted, pulled = product_gradients(loss, LOGITS)
    assert reference.negative_sampling(LOGITS, LABELS, drawn) == pytest.approx(wanted)
    check([gradients.negative_sampling(LOGITS, LABELS, drawn)], pulled)


NOISE, DRAWN = np.array([0.4, 0.3, 0.2, 0.1]), [1, 1, 3, 0]


@pytest.mark.parametrize("name", ["sampled_softmax", "noise_contrastive"])
def test_losses_over_drawn_classes_have_the_slope_of_a_difference_quotient(name):
    value, slope = (getattr(module, name) for module in (reference, gradients))
    found = slope(LOGITS, LABELS, DRAWN, noise_K=NOISE)
    for row, k in np.ndindex(*LOGITS.shape):
        step = np.zeros_like(LOGITS)
        step[row, k] = 1e-6
        ahead, behind = (value(LOGITS + sign * step, LABELS, DRAWN, noise_K=NOISE) for sign in (1, -1))
        assert found[row, k] == pytest.approx((ahead - behind) / 2e-6, abs=1e-8)


def test_with_many_draws_the_sampled_gradient_is_the_whole_softmaxs():
    rng = np.random.default_rng(0)
    drawn = rng.choice(4, size=20_000, p=NOISE)
    found = gradients.sampled_softmax(LOGITS, LABELS, drawn, noise_K=NOISE)
    np.testing.assert_allclose(found, gradients.cross_entropy(LOGITS, np.eye(4)[LABELS]), atol=0.01)


def test_of_a_sure_mistake_cross_entropy_learns_and_the_squared_error_does_not():
    z, y = np.array([-8.0]), np.array([1.0])
    assert gradients.binary_cross_entropy(z, y)[0] == pytest.approx(-0.999665, abs=1e-6)
    assert gradients.squared_error_of_sigmoid(z, y)[0] == pytest.approx(-3.35e-4, abs=1e-6)
    _, pulled = product_gradients(lambda z: ((torch.sigmoid(z) - torch.tensor(YES)) ** 2).mean() / 2, LOGITS)
    check([gradients.squared_error_of_sigmoid(LOGITS, YES)], pulled)


def test_the_softmax_gradient_is_dense_and_sums_to_0():
    slopes = gradients.cross_entropy(LOGITS, np.eye(4)[LABELS])
    assert (slopes != 0).all()
    np.testing.assert_allclose(slopes.sum(1), 0, atol=1e-15)


TORCH = {
    "squared": functional.mse_loss, "absolute": functional.l1_loss, "smooth-l1": functional.smooth_l1_loss,
    "huber": functional.huber_loss, "charbonnier": lambda p, t: ((p - t) ** 2 + 1e-6).sqrt().mean(),
    "log-cosh": lambda p, t: torch.log(torch.cosh(p - t)).mean(),
}  # fmt: skip


@pytest.mark.parametrize("name", REGRESSION)
def test_losses_of_differences_are_pytorchs(name):
    wanted, pulled = product_gradients(lambda p: TORCH[name](p, torch.tensor(SECOND)), 3 * FIRST)
    assert REGRESSION[name].mean(3 * FIRST, SECOND) == pytest.approx(wanted, rel=1e-12)
    check([REGRESSION[name].gradient(3 * FIRST, SECOND)], pulled)


def test_smooth_l1_by_hand_meets_at_beta_and_is_huber_over_delta():
    assert smooth_l1().value(np.array([0.5, 1, 2, -3])).tolist() == [0.125, 0.5, 1.5, 2.5]
    for beta in (0.5, 2.0):
        near, beyond = np.nextafter(beta, 0), np.nextafter(beta, 9)
        for function in (smooth_l1(beta).value, smooth_l1(beta).slope):
            assert function(np.array(near)) == pytest.approx(function(np.array(beyond)))
        d = np.linspace(-3, 3, 31)
        np.testing.assert_allclose(huber(beta).value(d), beta * smooth_l1(beta).value(d))
        _, pulled = product_gradients(lambda p, b=beta: functional.smooth_l1_loss(p, torch.zeros(31), beta=b), d)
        check([smooth_l1(beta).gradient(d, np.zeros(31))], pulled)


def test_far_away_charbonnier_is_l1_and_log_cosh_does_not_overflow():
    assert charbonnier().value(np.array(50.0)) == pytest.approx(50, abs=1e-7)
    assert REGRESSION["log-cosh"].value(np.array(1e4)) == pytest.approx(1e4 - np.log(2))


@pytest.mark.parametrize("loss", [dice, jaccard])
@pytest.mark.parametrize("smooth", [0.0, 1.0])
def test_soft_overlaps_have_the_gradient_of_their_formula(loss, smooth):
    p, y = RNG.random((3, 4)), (RNG.random((3, 4)) < 0.5).astype(float)

    def formula(p):
        truth = torch.tensor(y)
        both = (p * truth).sum()
        if loss is dice:
            return 1 - (2 * both + smooth) / (p.sum() + truth.sum() + smooth)
        return 1 - (both + smooth) / (p.sum() + truth.sum() - both + smooth)

    wanted, pulled = product_gradients(formula, p)
    value, slope = loss(p, y, smooth=smooth)
    assert value == pytest.approx(wanted)
    check([slope], pulled)


@given(some.lists(some.booleans(), min_size=1, max_size=20), some.data())
def test_of_hard_masks_dice_is_2j_over_1_plus_j(said, data):
    truth = np.array(data.draw(some.lists(some.booleans(), min_size=len(said), max_size=len(said))), dtype=float)
    p = np.array(said, dtype=float)
    if not (p.any() or truth.any()):
        return
    d, j = 1 - dice(p, truth)[0], 1 - jaccard(p, truth)[0]
    assert d == pytest.approx(2 * j / (1 + j))


def boxes(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    corner = 10 * rng.random((count, 2))
    return np.concatenate([corner, corner + 1 + 8 * rng.random((count, 2))], axis=1)


@pytest.mark.parametrize(("name", "single"), [("iou", iou), ("giou", giou), ("diou", diou), ("ciou", ciou)])
def test_box_losses_are_1_minus_the_mean_of_what_boxes_says(name, single):
    a, b = boxes(20, 0), boxes(20, 1)
    wanted = 1 - np.mean([single(*pair) for pair in zip(a, b, strict=True)])
    assert float(BOX_LOSSES[name](a, b)) == pytest.approx(wanted)


@pytest.mark.slow  # torchvision takes seconds to load
@pytest.mark.parametrize("name", ["giou", "diou", "ciou"])
def test_box_losses_have_torchvisions_gradients(name):
    from torchvision import ops

    theirs = getattr(ops, {"giou": "generalized", "diou": "distance", "ciou": "complete"}[name] + "_box_iou_loss")
    a, b = boxes(20, 0), boxes(20, 1)
    wanted, pulled = product_gradients(lambda a, b: theirs(a, b, reduction="mean", eps=0), a, b)
    value, found = value_and_gradients(BOX_LOSSES[name], a, b)
    assert value == pytest.approx(wanted)
    check(found, pulled)


def test_apart_the_iou_has_no_slope_and_the_giou_has_one_that_brings_boxes_together():
    a, b = np.array([[0.0, 0, 10, 10]]), np.array([[20.0, 20, 30, 30]])
    _, (flat, _) = value_and_gradients(iou_loss, a, b)
    value, (slope, _) = value_and_gradients(giou_loss, a, b)
    assert not flat.any()
    assert value == pytest.approx(1 + 0.777778, abs=1e-6)
    assert giou_loss(a - 0.1 * slope, b) < value
