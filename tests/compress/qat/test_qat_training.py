"""The whole training: it recovers what rounding costs, resumes to the same bits, and never makes a model worse."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from counted_steps import Countdown
from edgewright.compress.quantize.qat import Qat, train_quantized, training
from edgewright.compress.quantize.qat.loss import QatLoss
from edgewright.errors import ModelError, UnsupportedError
from edgewright.export import export_onnx
from edgewright.losses import soft_target_loss
from edgewright.model import fingerprint
from edgewright.model.quantized import IntegerWeights, QuantizeActivation, quantizers
from edgewright.tasks import evaluate
from edgewright.train import Train, weights_digest
from edgewright.train.state import FILE
from edgewright.types import plain

SHORT = Qat(train=Train(epochs=2, batch_size=256, optimizer="sgd", lr=0.01, weight_decay=1e-4, epoch_images=512))


def trained(case, job, settings=SHORT, **others):
    return train_quantized(case.simulation, case.original, plan=case.plan, job=job, settings=settings, **others)


def points(net, job, split="test") -> float:
    return evaluate(net, job.task, job.data, split).value


def test_the_result_has_the_form_of_the_simulation_and_leaves_it_as_it_was(digits_case, job):
    case = digits_case(4)
    before = fingerprint(case.simulation), fingerprint(case.original)
    result, details = trained(case, job)
    assert (fingerprint(case.simulation), fingerprint(case.original)) == before
    forms = [[(path, type(each)) for path, each in net.named_modules() if path] for net in (result, case.simulation)]
    assert forms[0] == forms[1]
    assert not any(each.training for each in result.modules())
    assert points(result, job, "val") == max(details["score_before"], *(epoch["score"] for epoch in details["history"]))
    assert json.loads(json.dumps(details, allow_nan=False)) == details
    assert (details["batch_norms"], details["batch_norms_measured"]) == (2, [])


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(digits_case, job):
    case = digits_case(2)
    first, again, other = (trained(case, replace(job, seed=seed))[0] for seed in (0, 0, 1))
    assert weights_digest(first) == weights_digest(again) != weights_digest(other)


class Killed(BaseException):
    """Stands for a kill: nothing in the library may catch it."""


def killed() -> None:
    raise Killed


@pytest.mark.slow
@pytest.mark.parametrize("steps", ["learned", "observed"])
def test_a_run_that_was_killed_continues_to_the_same_bits(steps, digits_case, job, tmp_path):
    case, settings = digits_case(2), replace(SHORT, train=replace(SHORT.train, epochs=4, ema_decay=0.9), steps=steps)
    whole = trained(case, job, settings)
    for left in (2, 4, 7):  # in the first epoch of two steps, in the second, before the last
        with pytest.raises(Killed):
            trained(case, replace(job, workdir=tmp_path / str(left)), settings, progress=Countdown(left, killed))
        resumed = trained(case, replace(job, workdir=tmp_path / str(left)), settings)
        assert weights_digest(resumed[0]) == weights_digest(whole[0])
        assert resumed[1] == whole[1]


@pytest.mark.slow
def test_a_checkpoint_of_other_settings_is_not_continued(digits_case, job, tmp_path):
    case, kept = digits_case(2), replace(job, workdir=tmp_path)
    trained(case, kept)
    content = (tmp_path / FILE).read_bytes()
    for other in (replace(SHORT, gradient="plain"), replace(SHORT, alpha=1.0), replace(SHORT, batch_norm="folded")):
        assert weights_digest(trained(case, kept, other)[0]) == weights_digest(trained(case, job, other)[0])
        assert (tmp_path / FILE).read_bytes() != content


def test_a_training_that_helps_nothing_gives_back_what_it_was_given(digits_case, job, monkeypatch):
    case, original = digits_case(8), training.train_weights

    def spoilt(*args, **options):
        return replace(original(*args, **options), history=(), best_epoch=0, score_before=-1.0)

    monkeypatch.setattr(training, "train_weights", spoilt)
    result, details = trained(case, job, replace(SHORT, train=replace(SHORT.train, epochs=1)))
    assert not details["is_kept"] and details["score_given"] == points(case.simulation, job, "val")
    assert fingerprint(result) == fingerprint(case.simulation) and result is not case.simulation


def test_the_loss_weighs_labels_and_the_answers_of_the_float_net(digits_case, job):
    case = digits_case(4)
    inputs, targets = next(job.data.batches("train", batch_size=16))
    hard = job.task.loss(case.simulation(inputs), targets)
    soft = soft_target_loss(case.simulation(inputs), case.original(inputs), temperature=3.0)
    for alpha in (0.0, 0.3, 1.0):
        loss = QatLoss(Qat(alpha=alpha, temperature=3.0), case.original, task=job.task, data=job.data)
        torch.testing.assert_close(loss(case.simulation, inputs, targets), alpha * hard + (1 - alpha) * soft)


def test_the_name_of_the_loss_tells_settings_and_teachers_apart(digits_case, job):
    case = digits_case(4)
    losses = [
        QatLoss(settings, teacher, task=job.task, data=job.data)
        for settings in (Qat(), Qat(gradient="plain"), Qat(steps="fixed"))
        for teacher in (case.original, case.simulation)
    ]
    assert len({loss.name for loss in losses}) == 6
    assert not losses[0].teacher.training


def test_a_model_of_several_outputs_cannot_imitate(digits_case, job):
    class Two(nn.Module):
        def forward(self, x):
            return x, x

    loss = QatLoss(Qat(), digits_case(4).original, task=job.task, data=job.data)
    with pytest.raises(UnsupportedError, match=r"returns a tuple, and .* one tensor .*: set Qat.alpha to 1"):
        loss(Two(), torch.zeros(2, 1, 8, 8), torch.zeros(2, dtype=torch.int64))


@pytest.mark.slow
def test_a_teacher_of_the_job_is_imitated_instead_of_the_float_net(digits_case, job):
    case = digits_case(2)
    own = trained(case, job)[0]
    other = trained(case, replace(job, teacher=case.simulation))[0]
    assert weights_digest(own) != weights_digest(other)


def test_a_loss_that_is_not_finite_is_one_sentence(digits_case, job):
    wild = Qat(train=Train(epochs=1, optimizer="sgd", lr=1e30), alpha=1.0)
    with pytest.raises(ModelError, match=r"training loss became (nan|inf) at epoch 1, step \d+: use a smaller lr"):
        trained(digits_case(8), job, wild)


@pytest.mark.slow
def test_the_defaults_beat_rounding_alone_at_4_bits_and_bring_a_2_bit_net_back(digits_case, job):
    four, two = digits_case(4), digits_case(2)
    result, details = trained(four, job, Qat())
    before, after = ([points(net, job, split) for split in ("val", "test")] for net in (four.simulation, result))
    assert sum(after) > sum(before) and after[0] > before[0]
    assert details["is_kept"]
    result, _ = trained(two, job, Qat())
    assert points(result, job) > points(two.simulation, job) + 6  # 85 before; a net of 4 bits has 98
    layers = [layer for layer in result.modules() if isinstance(layer, IntegerWeights)]
    assert {code for layer in layers for code in layer.weight_codes().unique().tolist()} == {-1, 0, 1}


WAYS = {
    "observed": {"steps": "observed"}, "fixed": {"steps": "fixed"}, "plain": {"gradient": "plain"},
    "folded": {"batch_norm": "folded"}, "formula": {"first_steps": "formula"},
    "calibrated": {"first_steps": "calibrated"}, "answers": {"alpha": 0.0}, "labels": {"alpha": 1.0},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_training_raises_the_score_of_a_2_bit_net(way, digits_case, job):
    case, settings = digits_case(2), Qat(train=replace(Qat().train, epochs=5), **WAYS[way])
    assert points(trained(case, job, settings)[0], job) > points(case.simulation, job) + 2


@pytest.mark.slow
def test_a_trained_net_runs_in_onnx_runtime_as_it_does_here(digits_case, job, tmp_path):
    import numpy as np
    import onnxruntime

    result, _ = trained(digits_case(4), job)
    artifact = export_onnx(result, tmp_path / "artifact", name="net", preprocess=plain(job.data.preprocess))
    session = onnxruntime.InferenceSession(artifact.model_path)
    images = job.data.calibration(64, 1)
    [got] = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    with torch.no_grad():
        want = result(images).numpy()
    assert (got.argmax(1) == want.argmax(1)).mean() >= 0.98
    assert np.abs(got - want).max() < 0.05 * np.abs(want).max()  # a rounding step of 4 bits here or there
    assert all(isinstance(layer, QuantizeActivation) for layer in quantizers(result).values())
