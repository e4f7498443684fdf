"""A model is trained and scored where its parameters are. The device "meta" stands for an accelerator: it computes
shapes only, and refuses tensors of the CPU as one would."""

import math

import pytest
import torch
from torch import nn

from edgewright.data import Data
from edgewright.tasks import Classify, decide, device_of, evaluate
from edgewright.train import Train, reestimate_batch_norm
from edgewright.train.loop import _begin
from edgewright.train.plan import Plan, TaskLoss
from edgewright.train.state import FILE, Average, load_checkpoint, save_checkpoint, weights_digest
from edgewright.train.step import after_step, take_step
from edgewright.train.tally import LOOK_EVERY, Tally

META = torch.device("meta")


class Far(Classify):
    """Takes outputs on the device, and brings decisions back as nothing but class 3."""

    def decode(self, outputs):
        assert outputs.device == META
        return torch.full((len(outputs),), 3)


def far_plan(digits: Data, **settings) -> Plan:
    task = Far(num_classes=10)
    return Plan(
        task=task, data=digits, settings=Train(**settings), seed=0, loss=TaskLoss(task), num_steps=1, device=META
    )


def test_the_device_is_that_of_the_first_parameter_or_buffer_and_the_cpu_for_functions():
    assert device_of(nn.Linear(1, 1, device="meta")) == META
    assert device_of(nn.BatchNorm2d(2, affine=False).to("meta")) == META
    assert device_of(nn.ReLU()) == device_of(lambda x: x) == torch.device("cpu")


def test_a_model_elsewhere_is_scored_there_and_its_decisions_come_back(net, digits):
    decisions, targets = decide(net.to("meta"), Far(num_classes=10), digits)
    assert (decisions == 3).all() and len(decisions) == len(targets) == len(digits.split("val"))
    share = 100 * float((digits.split("val").labels_B == 3).float().mean())
    assert evaluate(net, Far(num_classes=10), digits).value == pytest.approx(share)


def test_a_step_is_taken_where_the_model_is_without_looking_at_the_loss(net, digits):
    plan = far_plan(digits, clip_norm=1.0, ema_decay=0.9)
    state = _begin(net.to("meta"), plan)
    inputs, targets = next(digits.batches("train", batch_size=8))
    assert take_step(state, plan, inputs, targets).device == META  # a look at it would raise
    after_step(state, plan, 1)
    assert {value.device for value in state.as_plain()["net"].values()} == {META}
    assert state.average is not None and state.average.num_steps == 1


def test_batch_norm_is_measured_where_the_model_is(net, digits):
    class Arrived(Exception):
        pass

    def stop(layer, inputs):  # the cumulative mean looks at its count, which "meta" cannot
        raise Arrived(str(inputs[0].device))

    net.to("meta").get_submodule("0").register_forward_pre_hook(stop)
    with pytest.raises(Arrived, match="meta"):
        reestimate_batch_norm(net, digits, num_batches=1, seed=0)


def test_a_checkpoint_is_read_onto_the_cpu(net, digits, tmp_path):
    state = _begin(net.to("meta"), far_plan(digits))
    save_checkpoint(tmp_path, "key", state)
    asked = []
    original = torch.load

    def load(path, **options):
        asked.append((path, options["map_location"]))
        return original(path, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "load", load)
        content, reason = load_checkpoint(tmp_path, "key")
    assert content is not None and not reason
    assert asked == [(tmp_path / FILE, "cpu")]


def test_the_digest_of_weights_is_that_of_their_values(net):
    assert weights_digest(net) == weights_digest(Average(net, 0.5).net)


def test_the_tally_is_the_mean_per_image_on_any_device_and_names_the_first_loss_that_broke():
    for device in (torch.device("cpu"), META):
        tally = Tally(device)
        assert math.isnan(tally.mean)
        assert [tally.add(torch.tensor(value), count) for value, count in ((1.0, 3), (4.0, 1))] == [None, None]
        assert tally.look() is None
        assert tally.mean == 1.75
        assert (tally.add(torch.tensor(math.inf), 1) or tally.look()) == (3, math.inf)


def test_the_tally_looks_at_once_on_the_cpu_and_every_so_many_steps_elsewhere():
    near, far = Tally(torch.device("cpu")), Tally(META)
    assert near.add(torch.tensor(math.nan), 1) is not None
    answers = [far.add(torch.tensor(math.nan), 1) for _ in range(LOOK_EVERY)]
    assert answers[:-1] == [None] * (LOOK_EVERY - 1)
    assert answers[-1] is not None and answers[-1][0] == 1
