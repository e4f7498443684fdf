import numpy as np
import pytest
import torch
from torch import nn

from edgewright.data import load_data
from edgewright.errors import ConfigError, ModelError
from edgewright.losses import binary_cross_entropy, cross_entropy, focal_loss, sigmoid_focal_loss
from edgewright.metrics import ConfusionMatrix
from edgewright.tasks import Classify, decide, evaluate
from edgewright.tasks.classify import LOSSES
from edgewright.types import plain

TASK = Classify(num_classes=10)
DIGITS = load_data("digits")


def knowing(inputs_BCHW: torch.Tensor) -> torch.Tensor:
    """A 'model' that always answers 3."""
    return nn.functional.one_hot(torch.full((len(inputs_BCHW),), 3), 10).float()


def test_the_largest_output_decides_and_the_first_of_equals():
    task = Classify(num_classes=3)
    assert task.decode(torch.tensor([[0.1, 0.7, 0.2], [1.0, 0.0, 1.0]])).tolist() == [1, 0]
    assert task.decode(np.array([[1, 5, 2]], dtype=np.int8)).tolist() == [1]


def test_the_loss_is_cross_entropy_with_the_tasks_smoothing():
    logits, targets = torch.randn(4, 10, generator=torch.Generator().manual_seed(0)), torch.arange(4)
    for smoothing in (0.0, 0.1):
        got = Classify(num_classes=10, label_smoothing=smoothing).loss(logits, targets)
        assert got == cross_entropy(logits, targets, label_smoothing=smoothing)


LOGITS, TARGETS = torch.randn(4, 10, generator=torch.Generator().manual_seed(0)), torch.arange(4)
ONE_HOT = torch.eye(10)[TARGETS]
WANTED = {
    "cross-entropy": lambda: cross_entropy(LOGITS, TARGETS),
    "focal": lambda: focal_loss(LOGITS, TARGETS),
    "bce": lambda: binary_cross_entropy(LOGITS, ONE_HOT),
    "sigmoid-focal": lambda: sigmoid_focal_loss(LOGITS, ONE_HOT, alpha=None),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_task_chooses_its_loss_by_name_and_takes_ids_or_probabilities(name):
    task = Classify(num_classes=10, loss_name=name)
    assert task.loss(LOGITS, TARGETS).item() == pytest.approx(WANTED[name]().item(), rel=1e-6)
    torch.testing.assert_close(task.loss(LOGITS, TARGETS), task.loss(LOGITS, ONE_HOT))


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_smooths_labels_by_moving_the_target(name):
    even = 0.1 if name in ("cross-entropy", "focal") else 0.5  # over the classes, or between yes and no
    got = Classify(num_classes=10, loss_name=name, label_smoothing=0.2).loss(LOGITS, TARGETS)
    want = Classify(num_classes=10, loss_name=name).loss(LOGITS, 0.8 * ONE_HOT + 0.2 * even)
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize("name", ["focal", "sigmoid-focal"])
def test_gamma_0_takes_the_focus_away(name):
    without = {"focal": "cross-entropy", "sigmoid-focal": "bce"}[name]
    got = Classify(num_classes=10, loss_name=name, focal_gamma=0).loss(LOGITS, TARGETS)
    torch.testing.assert_close(got, Classify(num_classes=10, loss_name=without).loss(LOGITS, TARGETS))


@pytest.mark.slow
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_teaches_the_digits(name):
    from edgewright.train import Train, train_weights

    torch.manual_seed(0)
    net, task = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), Classify(num_classes=10, loss_name=name)
    outcome = train_weights(net, task=task, data=DIGITS, settings=Train(epochs=3, lr=0.02, augment="none"), seed=0)
    assert evaluate(outcome.net, task, DIGITS, "test").value > 90


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"loss_name": "hinge"}, "one of cross-entropy, focal, bce, sigmoid-focal, got 'hinge'"),
     ({"focal_gamma": -1}, "focal_gamma is 0 or greater, got -1")],
)  # fmt: skip
def test_losses_that_do_not_exist_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        Classify(num_classes=10, **settings)


def test_a_function_that_always_says_3_scores_the_share_of_threes():
    score = evaluate(knowing, TASK, DIGITS, "val")
    share = (DIGITS.split("val").labels_B == 3).float().mean().item()
    assert score.value == pytest.approx(100 * share)
    assert (score.metric, score.num_samples, score.split) == ("top-1", 359, "val")


def test_the_score_does_not_depend_on_the_batch_size():
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    scores = {evaluate(net, TASK, DIGITS, "test", batch_size=size).value for size in (7, 100, 1000)}
    assert len(scores) == 1


def test_a_runtime_may_answer_with_arrays():
    assert evaluate(lambda inputs: knowing(inputs).numpy(), TASK, DIGITS) == evaluate(knowing, TASK, DIGITS)


def test_decisions_come_in_the_order_of_the_split_and_make_the_score():
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    decisions, targets = decide(net, TASK, DIGITS, "test", batch_size=100)
    assert np.array_equal(targets, DIGITS.split("test").labels_B.numpy())
    matrix = ConfusionMatrix(10)
    matrix.update(decisions, targets)
    assert 100 * matrix.compute().trace() / 359 == pytest.approx(evaluate(net, TASK, DIGITS, "test").value)


def test_scoring_uses_eval_mode_and_puts_every_part_back():
    seen = []
    net = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 10)).train()
    net[1].eval()
    net.register_forward_hook(lambda *_: seen.append((net.training, net[1].training, torch.is_grad_enabled())))
    before = net[1].running_mean.clone()
    evaluate(net, TASK, DIGITS, batch_size=200)
    assert seen == [(False, False, False)] * 2
    assert (net.training, net[1].training, net[2].training) == (True, False, True)
    assert torch.equal(net[1].running_mean, before)


BAD = {
    "tuple": (lambda x: (knowing(x), x), r"returns a tuple of 2 values, expected one tensor \(batch, 10\): wrap it"),
    "dict": (lambda x: {"out": knowing(x)}, r"returns a dict of 1 values, expected one tensor"),
    "nothing": (lambda x: None, r"returns NoneType, expected one tensor \(batch, 10\)"),
    "too many classes": (lambda x: torch.zeros(len(x), 1000), r"shape \(batch, 1000\), and the data has 10 classes"),
    "a map": (lambda x: torch.zeros(len(x), 10, 2, 2), r"gives outputs of shape \(batch, 10, 2, 2\)"),
}


@pytest.mark.parametrize("case", BAD)
def test_outputs_that_are_no_class_scores_are_refused(case):
    model, message = BAD[case]
    with pytest.raises(ModelError, match=f"^The model .*{message}"):
        evaluate(model, TASK, DIGITS)


def test_a_module_that_fails_is_put_back_into_its_mode():
    class Pair(nn.Module):
        def forward(self, inputs):
            return inputs, inputs

    net = Pair().train()
    with pytest.raises(ModelError, match="returns a tuple of 2"):
        evaluate(net, TASK, DIGITS)
    assert net.training


def test_settings_round_trip_and_are_checked():
    task = Classify(num_classes=4, label_smoothing=0.1)
    assert Classify(**plain(task)) == task
    with pytest.raises(ConfigError, match="num_classes must be at least 2, got 1"):
        Classify(num_classes=1)
    with pytest.raises(ConfigError, match=r"label_smoothing is a fraction in \[0, 1\), got 1"):
        Classify(num_classes=2, label_smoothing=1)
