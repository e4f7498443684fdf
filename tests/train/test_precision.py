import pytest
import torch
from torch import nn

from edgewright.tasks import Classify
from edgewright.train import Train, train_weights
from edgewright.train.loop import _begin
from edgewright.train.plan import Plan, TaskLoss
from edgewright.train.state import load_checkpoint, save_checkpoint
from edgewright.train.step import take_step

TASK = Classify(num_classes=10)
HALF = Train(epochs=1, dtype="float16", optimizer="sgd", lr=0.1, momentum=0.0, weight_decay=0.0)


def plan_of(digits, loss=None) -> Plan:
    return Plan(
        task=TASK, data=digits, settings=HALF, seed=0, loss=loss or TaskLoss(TASK), num_steps=10,
        device=torch.device("cpu"),
    )  # fmt: skip


def test_float16_flushes_small_gradients_and_loss_scaling_saves_them():
    weight = torch.full((), 1.0, requires_grad=True)

    def slope(scale: float) -> float:
        weight.grad = None
        (weight.half().float() * 2.0**-26 * scale).backward()  # 2^-26 is below half of float16's smallest, 2^-24
        return weight.grad.item() / scale  # type: ignore[union-attr]

    assert slope(1.0) == 0.0
    assert slope(65536.0) == 2.0**-26


def test_an_overflow_skips_the_step_halves_the_scale_and_leaves_no_infinity(net, digits):
    calls = []

    def steep(model, inputs, targets):
        calls.append(1)
        loss = TASK.loss(model(inputs).float(), targets)
        return loss * (1e36 if len(calls) == 1 else 1.0)  # finite, but not when multiplied by the scale

    plan = plan_of(digits, steep)
    state = _begin(net, plan)
    assert state.scaler is not None
    before = {name: value.clone() for name, value in state.net.named_parameters()}
    inputs, targets = next(digits.batches("train", batch_size=16))
    state.net.train()
    take_step(state, plan, inputs, targets)
    assert state.scaler.get_scale() == 32768.0
    assert all(torch.equal(value, before[name]) for name, value in state.net.named_parameters())
    assert all(torch.isfinite(each.grad).all() for each in state.net.parameters())
    take_step(state, plan, inputs, targets)
    assert state.scaler.get_scale() == 32768.0
    assert any(not torch.equal(value, before[name]) for name, value in state.net.named_parameters())


def test_the_scale_is_a_part_of_the_checkpoint(net, digits, tmp_path):
    plan = plan_of(digits)
    state, again = _begin(net, plan), _begin(net, plan)
    state.scaler.scale(torch.ones(()))
    state.scaler.update(128.0)
    save_checkpoint(tmp_path, "key", state)
    content, _ = load_checkpoint(tmp_path, "key")
    again.restore(content)
    assert again.scaler.get_scale() == 128.0
    assert "scaler" not in _begin(net, Plan(**{**vars(plan), "settings": Train()})).as_plain()


def test_float16_trains_and_keeps_float32_weights(net, digits):
    seen = set()

    def watched(model, inputs, targets):
        outputs = model(inputs)
        seen.add(outputs.dtype)
        return TASK.loss(outputs.float(), targets)

    settings = Train(epochs=1, batch_size=64, lr=0.01, dtype="float16")
    outcome = train_weights(net, task=TASK, data=digits, settings=settings, seed=0, loss=watched)
    assert seen == {torch.float16}
    assert outcome.history[0].loss < 2.3 < outcome.history[0].score  # better than chance
    assert all(value.dtype in (torch.float32, torch.int64) for value in outcome.net.state_dict().values())
    assert isinstance(outcome.net, nn.Module)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_gives_nearly_the_gradients_of_float32(dtype, net, digits):
    inputs, targets = next(digits.batches("train", batch_size=64))
    gradients = []
    for each in ("float32", dtype):
        plan = Plan(**{**vars(plan_of(digits)), "settings": Train(optimizer="sgd", dtype=each)})
        state = _begin(net, plan)  # in eval mode, so that no dropout is drawn
        take_step(state, plan, inputs, targets)
        gradients.append(torch.cat([value.grad.flatten() for value in state.net.parameters()]))
    assert nn.functional.cosine_similarity(*gradients, dim=0) > 0.999
    assert gradients[1].norm().item() == pytest.approx(gradients[0].norm().item(), rel=0.02)
