"""Every stage learns on the job's accelerator, and its model comes back to where it was."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from edgewright.compress.cluster import Cluster
from edgewright.compress.distill import Distill, Mutual
from edgewright.compress.prune import Prepare
from edgewright.compress.prune.sparse import Sparsify
from edgewright.compress.prune.tickets import TrainTicket
from edgewright.devices import device
from edgewright.errors import ConfigError
from edgewright.tasks import Classify, device_of, evaluate
from edgewright.train import Train, loop, train_weights
from edgewright.train.lr_range import Sweep, find_lr
from edgewright.train.plan import Plan, TaskLoss, learning_device
from edgewright.types import Job

CPU, META = torch.device("cpu"), torch.device("meta")
TASK = Classify(num_classes=10)
QUICK = Train(epochs=1, epoch_images=256, batch_size=64, augment="none")
STAGES = {
    "train": QUICK,
    "distill": Distill(train=QUICK),
    "distill all": Distill(hints=1.0, attention=1.0, relational=1.0, decoupled=1.0, features=1.0, train=QUICK),
    "mutual": Mutual(train=QUICK),
    "prepare": Prepare(train=QUICK),
    "sparsify": Sparsify(sparsity=0.5, train=QUICK),
    "sparsify gradually": Sparsify(sparsity=0.5, score="movement", schedule="cubic", train=QUICK),
    "cluster": Cluster(bits=3, train=QUICK),
    "ticket": TrainTicket(train=replace(QUICK, keep="last")),
}
on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def job_on(net, digits, accelerator: str) -> Job:
    return Job(model=net, task=TASK, data=digits, device=device("generic-x86"), teacher=net, accelerator=accelerator)


def test_a_copy_is_on_the_device_of_the_plan_and_the_model_stays(net, digits):
    plan = Plan(task=TASK, data=digits, settings=QUICK, seed=0, loss=TaskLoss(TASK), num_steps=1, device=META)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "_score", lambda *_: 0.0)
        assert device_of(loop._begin(net, plan).net) == META
    assert device_of(net) == CPU


def test_without_a_name_it_is_where_the_parameters_are(net):
    assert learning_device(net, "meta") == META
    assert learning_device(net, None) == CPU
    far = net.to("meta")
    assert learning_device(far, None) == learning_device(far, "cpu") == META  # a job's default moves nothing


@pytest.mark.parametrize("name", STAGES)
def test_the_job_says_where_a_stage_learns(net, digits, monkeypatch, name):
    asked = []

    class Reached(Exception):
        pass

    def learn(net, plan, found, **_):
        asked.append(plan.device)
        raise Reached

    monkeypatch.setattr(loop, "_learn", learn)
    for accelerator in ("meta", "cpu"):
        with pytest.raises(Reached):
            STAGES[name].run(job_on(net, digits, accelerator))
    assert asked == [META, CPU]


@on_cuda
@pytest.mark.parametrize("name", STAGES)
def test_a_stage_learns_on_cuda_and_its_model_comes_back(net, digits, tmp_path, name):
    given = {key: value.clone() for key, value in net.state_dict().items()}
    result = STAGES[name].run(replace(job_on(net, digits, "cuda"), workdir=tmp_path))
    assert device_of(result.model) == CPU
    assert all(torch.equal(value, net.state_dict()[key]) for key, value in given.items())
    assert result.score is not None
    assert evaluate(result.model, TASK, digits, "val").value == pytest.approx(result.score.value)


@on_cuda
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_cuda_learns_what_the_cpu_learns(net, digits, dtype):
    settings = Train(epochs=6, batch_size=64, lr=0.02, augment="none", dtype=dtype)
    found = train_weights(net, task=TASK, data=digits, settings=settings, seed=0, accelerator="cuda")
    here = train_weights(net, task=TASK, data=digits, settings=replace(settings, dtype="float32"), seed=0)
    assert device_of(found.net) == CPU
    assert max(epoch.score for epoch in found.history) > 90
    assert max(epoch.score for epoch in found.history) == pytest.approx(here.history[here.best_epoch - 1].score, abs=3)


@on_cuda
def test_a_loss_whose_gradients_overflow_in_float16_is_scaled_down_until_they_do_not(net, digits):
    """A loss times 2^30: its gradients overflow at the first scale of 65,536, and such steps change nothing."""
    steps = []

    def huge(net, inputs, targets):
        return TaskLoss(TASK)(net, inputs, targets) * 2.0**30

    settings = Train(
        epochs=1, batch_size=16, lr=1e-12, optimizer="sgd", momentum=0.0, weight_decay=0.0, augment="none",
        warmup_epochs=0.0, dtype="float16",
    )  # fmt: skip
    train_weights(
        net, task=TASK, data=digits, settings=settings, seed=0, accelerator="cuda", loss=huge,
        after_step=lambda copied, number: steps.append(copied.get_submodule("6").weight.detach().clone()),
    )  # fmt: skip
    moved = [bool((after != before).any()) for before, after in pairwise(steps)]
    assert not any(moved[:5]) and any(moved)
    assert all(torch.isfinite(each).all() for each in steps)


@on_cuda
@pytest.mark.parametrize("saved_on", ["cuda", "cpu"])
def test_a_run_that_was_killed_goes_on_on_cuda(net, digits, tmp_path, saved_on):
    """With the same draws where it was saved there; dropout of the CPU draws other numbers."""

    class Killed(Exception):
        pass

    def kill(_, number):
        if number == 10:
            raise Killed

    settings = Train(epochs=3, batch_size=64, lr=0.02, augment="shift", checkpoint_steps=7, ema_decay=0.9)
    run = {"task": TASK, "data": digits, "settings": settings, "seed": 0}
    with pytest.raises(Killed):
        train_weights(net, **run, checkpoint=tmp_path, accelerator=saved_on, after_step=kill)
    steps = []
    again = train_weights(
        net, **run, checkpoint=tmp_path, accelerator="cuda", after_step=lambda _, number: steps.append(number)
    )
    assert steps[0] == 8 and again.history[2].score > again.score_before + 30
    if saved_on == "cuda":
        whole = train_weights(net, **run, accelerator="cuda")
        for key, value in whole.net.state_dict().items():
            torch.testing.assert_close(again.net.state_dict()[key], value, atol=2e-2, rtol=2e-2)


@on_cuda
def test_the_range_test_runs_on_cuda(net, digits):
    found = find_lr(net, task=TASK, data=digits, settings=QUICK, seed=0, sweep=Sweep(num_steps=30), accelerator="cuda")
    assert len(found.losses) >= 10 and device_of(net) == CPU


def test_several_processes_do_not_begin_at_a_later_accelerator(net, digits):
    settings = replace(QUICK, processes=2)
    with pytest.raises(ConfigError, match="processes=2 take the accelerators number 0 to 1, got cuda:1: name it cuda"):
        train_weights(net, task=TASK, data=digits, settings=settings, seed=0, accelerator="cuda:1")


@on_cuda
@pytest.mark.skipif(torch.cuda.device_count() > 1, reason="more than one CUDA device")
def test_more_processes_than_accelerators_are_refused(net, digits):
    settings = replace(QUICK, processes=2)
    with pytest.raises(ConfigError, match="processes=2 takes an accelerator each, and there are 1"):
        train_weights(net, task=TASK, data=digits, settings=settings, seed=0, accelerator="cuda")
