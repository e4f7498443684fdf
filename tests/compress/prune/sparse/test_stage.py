"""`Sparsify`: exact zeros by every score and schedule, kept through training, resumed to the same bits; accounts."""

import dataclasses
import json
import math

import pytest
import torch
from torch import nn

from counted_steps import Countdown
from edgewright.compress.distill import Distill
from edgewright.compress.prune.sparse import SCORES, Sparsify, count_zeros, counted_layers, weighted_layers
from edgewright.compress.prune.sparse.gradual import SUM, Gradual, with_sums, without_sums
from edgewright.compress.prune.sparse.scores import Weighing
from edgewright.errors import BudgetError, ConfigError, LookupFailed, ModelError, UnsupportedError
from edgewright.formats import FORMS, pack_n_of_m
from edgewright.model import capture, fingerprint
from edgewright.train import Train, weights_digest
from joined_nets import Net

QUICK = Train(epochs=2, batch_size=128, lr=0.01, augment="none")


def zeros_in(net) -> dict[str, torch.Tensor]:
    return {name: layer.weight.detach() == 0 for name, layer in weighted_layers(net).items()}


def weighing(net, job=None) -> Weighing:
    return Weighing(layers=weighted_layers(net), net=net, job=job)


@pytest.mark.parametrize("score", [name for name, each in SCORES.items() if each.now])
@pytest.mark.parametrize("scope", ["global", "layer"])
def test_one_choice_makes_exactly_as_many_zeros(score, scope, trained_job):
    before = fingerprint(trained_job.model)
    result = Sparsify(sparsity=0.7, score=score, scope=scope, norm_batches=0).run(trained_job)
    zeros, weights = count_zeros(weighted_layers(result.model))
    assert (zeros, weights) == (result.details["zeros"], 1744)
    shares = [round(0.7 * row["weights"]) - row["zeros"] for row in result.details["layers"]]
    assert zeros == round(0.7 * 1744) if scope == "global" else shares == [0] * 5
    assert not any(
        bool(layer.weight[layer.weight == 0].signbit().any()) for layer in weighted_layers(result.model).values()
    )
    assert fingerprint(trained_job.model) == before


def test_magnitude_removes_the_smallest_and_changes_nothing_else(trained_job):
    net = Sparsify(sparsity=0.6, norm_batches=0).run(trained_job).model
    old = torch.cat([layer.weight.detach().flatten() for layer in weighted_layers(trained_job.model).values()])
    new = torch.cat([layer.weight.detach().flatten() for layer in weighted_layers(net).values()])
    assert torch.equal(new[new != 0], old[new != 0])
    assert old[new == 0].abs().max() <= old[new != 0].abs().min()


def test_batch_norm_is_measured_again_where_nothing_is_trained(trained_job):
    kept, measured = (Sparsify(sparsity=0.8, norm_batches=batches).run(trained_job) for batches in (0, 4))
    assert torch.equal(*(each.model.get_submodule("0").weight for each in (kept, measured)))
    assert not torch.equal(*(each.model.get_submodule("1").running_var for each in (kept, measured)))
    assert measured.score.value > kept.score.value


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["cubic", "steps"])
@pytest.mark.parametrize("score", SCORES)
def test_a_schedule_ends_at_exactly_as_many_zeros(score, schedule, trained_job):
    stage = Sparsify(sparsity=0.75, score=score, schedule=schedule, steps=4, train=QUICK)
    result = stage.run(trained_job)
    assert count_zeros(weighted_layers(result.model)) == (round(0.75 * 1744), 1744)
    assert not [name for name, _ in result.model.named_buffers() if SUM in name]
    course = result.details["schedule"]
    assert course[-1]["sparsity"] == 0.75 and len(course) == 4
    steps = 2 * trained_job.data.num_batches("train", batch_size=128)
    assert course[-1]["step"] == math.floor(0.75 * steps)


@pytest.mark.slow
def test_zeros_are_kept_through_training_and_distillation(trained_job):
    sparse = Sparsify(sparsity=0.8).run(trained_job).model
    zeros = zeros_in(sparse)
    job = dataclasses.replace(trained_job.with_model(sparse), teacher=trained_job.model)
    keeping = dataclasses.replace(QUICK, keep_zeros=True, keep="last")
    for stage in (keeping, Distill(train=keeping), dataclasses.replace(keeping, ema_decay=0.9)):
        trained = stage.run(job).model
        assert all(torch.equal(found, zeros[name]) for name, found in zeros_in(trained).items())
        assert weights_digest(trained) != weights_digest(sparse)


@pytest.mark.slow
def test_training_after_the_choice_recovers(trained_job):
    bare, trained = (Sparsify(sparsity=0.85, train=each, norm_batches=0).run(trained_job) for each in (None, QUICK))
    assert trained.details["zeros"] == bare.details["zeros"] == round(0.85 * 1744)
    assert trained.score.value > bare.score.value + 5


class Killed(BaseException):
    """Stands for a kill: nothing in the library may catch it."""


def killed() -> None:
    raise Killed


@pytest.mark.slow
@pytest.mark.parametrize("score", ["magnitude", "movement", "taylor"])
def test_a_schedule_that_was_killed_continues_to_the_same_bits(score, trained_job, tmp_path):
    train = dataclasses.replace(QUICK, epochs=4, batch_size=256)
    stage = Sparsify(sparsity=0.75, score=score, schedule="cubic", steps=9, train=train)
    whole = stage.run(trained_job).model
    per_epoch = trained_job.data.num_batches("train", batch_size=256)
    for left in (per_epoch - 1, 2 * per_epoch + 1):  # in the first epoch, and in the third
        job = dataclasses.replace(trained_job, workdir=tmp_path / str(left))
        with pytest.raises(Killed):
            stage.run(job, progress=Countdown(left, killed))
        assert weights_digest(stage.run(job).model) == weights_digest(whole)


@pytest.mark.slow
def test_another_schedule_does_not_continue_a_checkpoint(trained_job, tmp_path):
    job = dataclasses.replace(trained_job, workdir=tmp_path)
    first = Sparsify(sparsity=0.75, schedule="cubic", steps=3, train=QUICK)
    other = dataclasses.replace(first, sparsity=0.5)
    assert first.run(job).details["zeros"] == round(0.75 * 1744)
    assert other.run(job).details["zeros"] == round(0.5 * 1744)


def one_layer(weights: list[float]):
    linear = nn.Linear(len(weights), 1, bias=False)
    linear.weight.data = torch.tensor([weights])
    return capture(Net(lambda net, x: net.linear(x.flatten(1)), linear=linear), (1, 1, len(weights)))


def test_movement_sums_up_what_the_loss_pushes_away_from_zero():
    net = with_sums(one_layer([1.0, -2.0, 3.0, 0.5]), ["linear"], "movement")
    gradual = Gradual(["linear"], score="movement", moments={2: 0.5}, scope="global", job=None)
    gradual.before_epoch(net, 1)
    net.linear.weight.grad = torch.tensor([[-1.0, 1.0, 1.0, -1.0]])
    gradual.after_step(net, 1)
    assert net.linear.score_sum.tolist() == [[1.0, 2.0, -3.0, 0.5]]  # -w g
    net.linear.weight.grad = torch.tensor([[1.0, 0.0, 0.0, -1.0]])
    gradual.after_step(net, 2)
    assert net.linear.score_sum.tolist() == [[0.0, 2.0, -3.0, 1.0]]
    assert net.linear.weight.tolist() == [[0.0, -2.0, 0.0, 0.5]]


def test_zeros_stay_between_two_choices_and_never_come_back():
    net = one_layer([4.0, 3.0, 2.0, 1.0])
    gradual = Gradual(["linear"], score="magnitude", moments={1: 0.25, 3: 0.5}, scope="global", job=None)
    gradual.before_epoch(net, 1)
    gradual.after_step(net, 1)
    assert net.linear.weight.tolist() == [[4.0, 3.0, 2.0, 0.0]]
    for step in (2, 3):
        with torch.no_grad():
            net.linear.weight[0, 3] = 9.0  # what an optimizer would do
        gradual.after_step(net, step)
    assert net.linear.weight.tolist() == [[4.0, 3.0, 0.0, 0.0]]
    again = Gradual(["linear"], score="magnitude", moments={}, scope="global", job=None)
    again.before_epoch(net, 2)  # all that a continued run knows
    with torch.no_grad():
        net.linear.weight += 1
    again.after_step(net, 4)
    assert net.linear.weight.tolist() == [[5.0, 4.0, 0.0, 0.0]]


def test_sums_come_and_go_without_a_trace(trained_job):
    names = list(weighted_layers(trained_job.model))
    summed = with_sums(trained_job.model, names, "movement")
    assert sum(SUM in name for name, _ in summed.named_buffers()) == 5
    assert fingerprint(without_sums(summed, names)) == fingerprint(trained_job.model)


def test_scores_by_hand():
    net = one_layer([1.0, -2.0, 3.0, 0.0])
    assert SCORES["magnitude"].now(weighing(net))["linear"].tolist() == [[1.0, 2.0, 3.0, 0.0]]
    lamp = SCORES["lamp"].now(weighing(net))["linear"][0]
    assert lamp.tolist() == pytest.approx([1 / 14, 4 / 13, 1.0, 0.0])


def test_the_first_order_score_is_the_squared_change_of_each_image(trained_job):
    from edgewright.compress.prune.scores.gradients import NUM_IMAGES
    from edgewright.seeding import torch_generator

    job, net = trained_job, trained_job.model
    found = SCORES["taylor"].now(weighing(net, job))["13"]
    weight = net.get_submodule("13").weight
    draw, want = torch_generator(job.seed, "prune.gradients"), torch.zeros_like(weight)
    for batch, labels in job.data.batches("train", batch_size=32, generator=draw, num_images=NUM_IMAGES):
        for inputs, targets in zip(batch.split(1), labels.split(1), strict=True):
            slope = torch.autograd.grad(job.task.loss(net(inputs), targets), weight)[0]
            want += (slope * weight).detach().square()
    # float32 leaves few digits of the slope of a sure answer, p - 1
    assert torch.allclose(found.float(), want, rtol=1e-2, atol=1e-6 * float(want.max()))


def test_random_zeros_are_nested_so_that_a_schedule_only_adds(trained_job):
    few, many = (
        zeros_in(Sparsify(sparsity=s, score="random", norm_batches=0).run(trained_job).model) for s in (0.3, 0.6)
    )
    assert all(bool((many[name] | ~few[name]).all()) for name in few)
    other = dataclasses.replace(trained_job, seed=1)
    assert any(
        not torch.equal(zeros, few[name])
        for name, zeros in zeros_in(Sparsify(sparsity=0.3, score="random", norm_batches=0).run(other).model).items()
    )


def test_layers_that_stay_dense_are_named(trained_job):
    result = Sparsify(sparsity=0.5, keep_ends=True, whole=("3",), norm_batches=0).run(trained_job)
    rows = {row["layer"]: row for row in result.details["layers"]}
    assert [name for name, row in rows.items() if row["dense"]] == ["0", "3", "13"]
    assert all(rows[name]["zeros"] == 0 for name in ("0", "3", "13"))
    assert result.details["zeros"] == rows["6"]["zeros"] + rows["10"]["zeros"] == round(0.5 * (128 + 1152))
    assert "Layer 3 stays dense: asked to stay dense." in result.notes


def test_shared_weights_count_once():
    layer = nn.Conv2d(4, 4, 3, padding=1, bias=False)
    net = capture(Net(lambda net, x: net.b(net.a(x)), a=layer, b=layer), (4, 6, 6))
    assert sum(each.weight.numel() for each in counted_layers(net).values()) == layer.weight.numel()


def test_n_of_m_follows_the_pattern_and_packs(trained_job):
    result = Sparsify(pattern="2:4", norm_batches=0).run(trained_job)
    rows = {row["layer"]: row for row in result.details["layers"]}
    assert rows["0"]["dense"] == rows["3"]["dense"] == "1 input channels per group are no multiple of 4"
    assert [rows[name]["share"] for name in ("6", "10", "13")] == [0.5] * 3
    kernel = result.model.get_submodule("10").weight.detach().permute(0, 2, 3, 1).reshape(8, -1).numpy()
    assert pack_n_of_m(kernel).num_bytes == 1152 * 68 // 32
    assert result.details["bytes"]["packed"]["float32"] == (72 + 72) * 4 + (128 + 1152 + 320) * 68 // 32


def test_bytes_are_those_of_each_layer_encoded(trained_job):
    result = Sparsify(sparsity=0.9, norm_batches=0).run(trained_job)
    sizes = result.details["bytes"]
    matrices = [layer.weight.detach().flatten(1).numpy() for layer in weighted_layers(result.model).values()]
    assert sizes["dense"] == {"float32": 4 * 1744, "int8": 1744}
    assert sizes["csr"]["float32"] == sum(FORMS["csr"](each).num_bytes for each in matrices)
    assert sizes["bitmap"]["int8"] == sum(FORMS["bitmap"]((each != 0).astype("int8")).num_bytes for each in matrices)
    assert json.loads(json.dumps(result.details, allow_nan=False)) == result.details


def test_the_notes_say_that_zeros_alone_gain_nothing(trained_job):
    notes = Sparsify(sparsity=0.9, norm_batches=0).run(trained_job).notes
    assert "neither the dense file smaller nor the model faster" in notes[1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sparsity": 1.0}, "share between 0 and 1, got 1.0"),
        ({"pattern": "4:2"}, "written N:M with 0 < N < M"),
        ({"steps": 0}, "steps is a whole number from 1"),
        ({"until": 0.0}, r"share of the training in \(0, 1\], got 0.0"),
        ({"schedule": "cubic"}, "adds zeros while it trains: set Sparsify.train"),
        ({"score": "movement"}, "is a sum over a training, got schedule 'one-shot'"),
        (
            {"pattern": "2:4", "schedule": "cubic", "train": QUICK},
            "The pattern 2:4 is chosen once, got schedule 'cubic'",
        ),
        ({"schedule": "steps", "train": dataclasses.replace(QUICK, ema_decay=0.9)}, "leave ema_decay and patience out"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Sparsify(**settings)


@pytest.mark.parametrize("name", ["scope", "score", "schedule"])
def test_unknown_names_are_refused(name):
    with pytest.raises(LookupFailed, match=f"{name} 'no'"):
        Sparsify(**{name: "no"})


def test_models_that_cannot_be_sparse_are_refused(trained_job):
    with pytest.raises(BudgetError, match=r"each of 5 layers keeps one: the largest sparsity is 0\.99"):
        Sparsify(sparsity=0.9999).run(trained_job)
    with pytest.raises(LookupFailed, match="layer 'head'"):
        Sparsify(whole=("head",)).run(trained_job)
    with pytest.raises(ConfigError, match="All 5 layers were asked to stay dense"):
        Sparsify(whole=("*",)).run(trained_job)
    with pytest.raises(ConfigError, match="No layer can follow 32:64"):
        Sparsify(pattern="32:64").run(trained_job)
    with pytest.raises(ModelError, match="no convolution and no linear layer"):
        weighted_layers(capture(nn.Flatten(), (1, 2, 2)))


@pytest.mark.slow
def test_a_quantized_model_is_refused(trained_job):
    from edgewright.compress.quantize import Quantize

    integers = Quantize(num_calibration=32).run(trained_job).model
    with pytest.raises(UnsupportedError, match="quantized: make it sparse first"):
        Sparsify().run(trained_job.with_model(integers))
