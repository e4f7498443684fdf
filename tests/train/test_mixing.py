import pytest
import torch
from torch import nn

from edgewright.losses import soft_target_loss
from edgewright.model import capture
from edgewright.tasks import Classify
from edgewright.train import Train, train_weights
from edgewright.train.mixing import Mixing

TASK = Classify(num_classes=10, label_smoothing=0.1)
DRAW = torch.Generator().manual_seed(0)
IMAGES, LABELS = torch.rand(8, 1, 16, 16, generator=DRAW), torch.arange(8)


def mixed(*, epoch=1, batch=0, seed=0, **kinds):
    return Mixing(Train(**kinds), num_classes=10, seed=seed)(IMAGES, LABELS, epoch=epoch, batch=batch)


def test_without_a_kind_the_batch_stays_as_it_came():
    inputs, targets = mixed()
    assert inputs is IMAGES and targets is LABELS


def test_mixup_mixes_images_and_targets_by_the_same_share():
    inputs, targets = mixed(mixup=1.0)
    share = targets[0, 0]
    assert 0 < share < 1
    torch.testing.assert_close(inputs, share * IMAGES + (1 - share) * IMAGES.roll(1, 0))
    hot = nn.functional.one_hot(LABELS, 10).float()
    torch.testing.assert_close(targets, share * hot + (1 - share) * hot.roll(1, 0))


@pytest.mark.parametrize("batch", range(6))
def test_cutmix_mixes_targets_by_the_area_that_was_pasted(batch):
    inputs, targets = mixed(cutmix=1.0, batch=batch)
    pasted = (inputs != IMAGES)[:, 0]
    assert torch.equal(inputs[pasted[:, None]], IMAGES.roll(1, 0)[pasted[:, None]])
    torch.testing.assert_close(targets.amax(dim=1).clamp(min=0.5), targets.amax(dim=1))
    for number in range(8):
        assert targets[number, (number - 1) % 8].item() == pytest.approx(pasted[number].float().mean().item(), abs=1e-6)
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(8))


def test_draws_follow_from_seed_epoch_and_batch_and_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    first = mixed(mixup=0.4, cutmix=1.0)[1]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, mixed(mixup=0.4, cutmix=1.0)[1])
    for other in ({"seed": 1}, {"epoch": 2}, {"batch": 1}):
        assert not torch.equal(first, mixed(mixup=0.4, cutmix=1.0, **other)[1])


def test_with_both_kinds_each_batch_has_one_of_them():
    kinds = {bool((mixed(mixup=1.0, cutmix=1.0, batch=batch)[0] == IMAGES).any()) for batch in range(20)}
    assert kinds == {True, False}  # CutMix leaves pixels as they are, mixup none


def test_class_ids_and_their_one_hot_probabilities_give_the_same_loss():
    logits = torch.randn(8, 10, generator=DRAW)
    torch.testing.assert_close(TASK.loss(logits, LABELS), TASK.loss(logits, nn.functional.one_hot(LABELS, 10).float()))


def test_training_and_distillation_take_mixed_targets(net, digits):
    seen = []
    teacher = capture(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), (1, 8, 8))

    def taught(model, inputs, targets):
        seen.append(targets)
        logits = model(inputs)
        return TASK.loss(logits, targets) + soft_target_loss(logits, teacher(inputs), temperature=2.0)

    settings = Train(epochs=1, batch_size=128, epoch_images=600, augment="shift+rand", mixup=0.2, cutmix=1.0)
    outcome = train_weights(net, task=TASK, data=digits, settings=settings, seed=0, loss=taught)
    assert all(targets.shape == (len(targets), 10) and targets.is_floating_point() for targets in seen)
    assert 0 < outcome.history[0].loss < 10
