"""What a student can imitate beside soft answers: hints, attention, relations, decoupled answers."""

import dataclasses

import pytest
import torch
from torch import fx, nn

from edgewright.compress.distill import Distill, DistillLoss
from edgewright.compress.distill.regressors import regressed, regressors
from edgewright.compress.distill.stage import WEIGHTS
from edgewright.compress.distill.taps import Pair, paired_maps, stage_ends
from edgewright.compress.distill.terms import TERMS
from edgewright.compress.quantize import Qat, Quantize
from edgewright.compress.quantize.build import Builder
from edgewright.compress.quantize.qat.norms import unfold
from edgewright.compress.quantize.qat.swap import begin_epoch, simulation_of, trained_net
from edgewright.data import load_data
from edgewright.errors import ConfigError, UnsupportedError
from edgewright.losses import attention_distance, decoupled_loss, relation_loss, soft_target_loss
from edgewright.model import capture, fingerprint
from edgewright.progress import SILENT
from edgewright.tasks import Classify
from edgewright.train import Train, fastest_layout, train_weights
from edgewright.train.companion import accompanied, parted
from edgewright.train.state import FILE
from edgewright.types import Device, Job

TASK = Classify(num_classes=10)
DATA = load_data("digits")
QUICK = Train(epochs=2, batch_size=128, lr=0.01, augment="none")
DEVICE = Device(
    name="d", title="d", kind="cpu", clock_hz=1, ram_bytes=1, flash_bytes=None, macs_per_cycle={"float32": 1},
    bandwidth_bytes_s=1, overhead_s=0, pj_per_mac={"float32": 1}, pj_per_byte=1, round_to=8, runtimes=(),
)  # fmt: skip


def net(width: int, seed: int = 0, *, stride: int = 1) -> fx.GraphModule:
    """Two stages of `width` and 2 `width` channels: at 8x8 and 4x4, with `stride` 2 at 4x4 and 2x2."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = [
            nn.Conv2d(1, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, 2, 1, bias=False), nn.BatchNorm2d(2 * width), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * width, 10),
        ]  # fmt: skip
        return capture(nn.Sequential(*layers), (1, 8, 8))


def rows() -> fx.GraphModule:
    return capture(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), (1, 8, 8))


def loss_of(settings: Distill, student: nn.Module, teacher: nn.Module, seed: int = 0) -> DistillLoss:
    return DistillLoss(settings, student=student, teacher=teacher, task=TASK, data=DATA, seed=seed)


def job(student: nn.Module, teacher: nn.Module, **others) -> Job:
    return Job(model=student, task=TASK, data=DATA, device=DEVICE, teacher=teacher, **others)


@pytest.fixture(scope="module")
def batch():
    return next(DATA.batches("train", batch_size=32))


def test_the_table_of_terms_and_the_weights_are_the_same_names():
    assert tuple(TERMS) == WEIGHTS
    assert set(WEIGHTS) < {each.name for each in dataclasses.fields(Distill)}


def test_ends_of_stages_are_the_last_maps_of_each_resolution():
    assert stage_ends(net(4)) == {(8, 8): ("relu", (4, 8, 8)), (4, 4): ("relu_1", (8, 4, 4))}
    assert stage_ends(rows()) == stage_ends(nn.Flatten()) == {}


def test_ends_of_equal_resolution_are_pairs_whatever_their_channels():
    assert paired_maps(net(4), net(6)) == (
        Pair(student="relu", teacher="relu", student_shape=(4, 8, 8), teacher_shape=(6, 8, 8)),
        Pair(student="relu_1", teacher="relu_1", student_shape=(8, 4, 4), teacher_shape=(12, 4, 4)),
    )
    (only,) = paired_maps(net(4), net(6, stride=2))  # 4x4 is the end of the student and the middle of the teacher
    assert (only.student, only.teacher) == ("relu_1", "relu")


def test_models_that_share_no_resolution_are_paired_by_depth_from_the_end():
    student = capture(nn.Sequential(nn.Conv2d(1, 3, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 10)), (1, 8, 8))
    (only,) = paired_maps(student, net(4))
    assert (only.student, only.student_shape, only.teacher) == ("relu", (3, 2, 2), "relu_1")
    assert paired_maps(student, rows()) == ()


@pytest.mark.parametrize(("size", "other"), [((8, 8), (8, 8)), ((8, 8), (4, 4)), ((2, 2), (4, 4))])
def test_a_regressor_brings_a_map_into_the_teachers_form(size, other):
    pair = Pair(student="a", teacher="b", student_shape=(3, *size), teacher_shape=(5, *other))
    layers = regressors([pair], seed=0)
    assert regressed(layers[0], torch.randn(2, 3, *size), pair).shape == (2, 5, *other)
    again, another = (regressors([pair], seed=seed)[0].weight for seed in (0, 1))
    assert torch.equal(again, layers[0].weight) and not torch.equal(another, again)


def test_drawing_a_regressor_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    regressors([Pair(student="a", teacher="b", student_shape=(3, 2, 2), teacher_shape=(5, 2, 2))], seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_any_weights_add_up(batch):
    student, teacher = net(4, seed=1).eval(), net(6)
    settings = Distill(alpha=0.3, soft=0.5, decoupled=0.25, hints=2.0, attention=3.0, relational=4.0, temperature=2.0)
    loss = loss_of(settings, student, teacher)
    both = accompanied(student, loss)
    parts = loss.parts(both, *batch)
    assert list(parts) == ["labels", "soft", "decoupled", "hints", "attention", "relational"]
    wanted = 0.3 * parts["labels"] + sum(getattr(settings, name) * parts[name] for name in list(parts)[1:])
    torch.testing.assert_close(loss(both, *batch), wanted)


def test_each_term_is_what_its_own_loss_says(batch):
    student, teacher = net(4, seed=1).eval(), net(6)
    loss = loss_of(Distill(alpha=0, decoupled=1, hints=1, attention=1, relational=1), student, teacher)
    parts = loss.parts(accompanied(student, loss), *batch)
    seen = {name: [] for name in ("student", "teacher")}
    for side, model in (("student", student), ("teacher", teacher)):
        x = batch[0]
        for index in (0, 3):
            x = torch.relu(model.get_submodule(str(index + 1))(model.get_submodule(str(index))(x)))
            seen[side].append(x)
    (ours, our_end), (theirs, their_end) = seen["student"], seen["teacher"]
    attention = (attention_distance(ours, theirs) + attention_distance(our_end, their_end)) / 2
    torch.testing.assert_close(parts["attention"], attention, rtol=1e-4, atol=1e-6)
    relational = relation_loss(our_end.mean((2, 3)), their_end.mean((2, 3)))
    torch.testing.assert_close(parts["relational"], relational, rtol=1e-3, atol=1e-6)
    decoupled = decoupled_loss(student(batch[0]), teacher(batch[0]), batch[1], temperature=4, non_target=2)
    torch.testing.assert_close(parts["decoupled"], decoupled, rtol=1e-4, atol=1e-5)
    guided = [layer(map_) for layer, map_ in zip(loss.companion, (ours, our_end), strict=True)]
    hints = sum(
        (mine - other).square().mean() / other.var(correction=0)
        for mine, other in zip(guided, (theirs, their_end), strict=True)
    )
    torch.testing.assert_close(parts["hints"], hints / 2, rtol=1e-4, atol=1e-5)


def test_gradients_reach_student_and_regressor_but_not_the_teacher(batch):
    student, teacher = net(4, seed=1), net(6)
    loss = loss_of(Distill(alpha=0, soft=0, hints=1), student, teacher)
    both = accompanied(student, loss)
    loss(both, *batch).backward()
    reached = {name for name, value in both.named_parameters() if value.grad is not None}
    assert {"net.0.weight", "companion.0.weight", "companion.1.bias"} <= reached
    assert not any(value.grad is not None for value in [*teacher.parameters(), *loss.teacher.parameters()])


def test_relations_of_models_without_maps_are_those_of_the_answers(batch):
    student, teacher = rows(), net(4)
    parts = loss_of(Distill(alpha=0, soft=0, relational=1), student, teacher).parts(student, *batch)
    torch.testing.assert_close(parts["relational"], relation_loss(student(batch[0]), teacher(batch[0])))


@pytest.mark.parametrize("kind", ["hints", "attention"])
def test_maps_of_a_model_that_has_none_are_refused(kind):
    for student, teacher, side in ((rows(), net(4), "student"), (net(4), rows(), "teacher")):
        with pytest.raises(UnsupportedError, match=f"{kind} compares feature maps, and the {side} shows none"):
            loss_of(Distill(**{kind: 1.0}), student, teacher)


def test_a_net_without_the_tensors_to_compare_is_refused(batch):
    loss = loss_of(Distill(attention=1.0), net(4), net(6))
    with pytest.raises(UnsupportedError, match="makes no tensor relu, whose values were to be compared"):
        loss(rows(), *batch)


@pytest.mark.parametrize(("wrong", "message"), [
    ({"hints": -1.0}, "Distill.hints must be 0 or greater, got -1"),
    ({"non_target": -2.0}, "Distill.non_target must be 0 or greater, got -2"),
    ({"alpha": 0.0, "soft": 0.0}, "Distill weighs neither the labels nor anything of the teacher"),
])  # fmt: skip
def test_weights_are_checked(wrong, message):
    with pytest.raises(ConfigError, match=message):
        Distill(**wrong)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["decoupled", "hints", "attention", "relational"])
def test_each_kind_lowers_its_own_term(kind):
    student, teacher = net(4, seed=1), net(6)
    inputs, targets = next(DATA.batches("val", batch_size=200))

    def term(settings: Distill) -> float:
        loss = loss_of(settings, student, teacher)
        outcome = train_weights(
            accompanied(student, loss), task=TASK, data=DATA, loss=loss, seed=0,
            settings=dataclasses.replace(QUICK, epochs=4, keep="last"),
        )  # fmt: skip
        judge = loss_of(Distill(alpha=0, soft=0, **{kind: 1.0}), student, teacher)
        with torch.no_grad():
            judged = outcome.net if kind == "hints" else parted(outcome.net)[0]
            return judge.parts(judged, inputs, targets)[kind].item()

    idle = 1e-9 if kind == "hints" else 0.0  # the regressor must be there to be judged, and learns next to nothing
    alone, with_term = (term(Distill(alpha=1.0, soft=0.0, **{kind: weight})) for weight in (idle, 5.0))
    assert with_term < 0.8 * alone


@pytest.mark.slow
def test_the_regressor_is_trained_and_saved_and_dropped(tmp_path):
    student, teacher = net(4, seed=1), net(6)
    result = Distill(hints=1.0, train=QUICK).run(job(student, teacher, workdir=tmp_path))
    assert isinstance(result.model, fx.GraphModule)
    assert set(result.model.state_dict()) == set(student.state_dict())
    saved = torch.load(tmp_path / FILE, weights_only=True)["state"]["net"]
    first = regressors(paired_maps(student, teacher), seed=0)[0].weight
    assert not torch.allclose(saved["companion.0.weight"], first, atol=1e-3)
    assert result.details["pairs"] == ["relu (4x8x8) and relu (6x8x8)", "relu_1 (8x4x4) and relu_1 (12x4x4)"]
    assert "Compared at the ends of the stages: relu (4x8x8)" in result.notes[-1]


class Killed(BaseException):
    """Stands for a kill: nothing in the library may catch it."""


@pytest.mark.slow
@pytest.mark.parametrize("settings", [
    Distill(hints=1.0, train=dataclasses.replace(QUICK, ema_decay=0.9, optimizer="sgd", lr=0.05)),
    Distill(alpha=0.5, attention=1.0, relational=1.0, decoupled=0.5, train=QUICK),
])  # fmt: skip
def test_a_killed_distillation_continues_to_the_same_bits(settings, tmp_path, monkeypatch):
    given = job(net(4, seed=1), net(6))
    whole = settings.run(given)
    call, left = DistillLoss.__call__, [14]  # 9 steps an epoch: the kill comes inside the second

    def until(self, *args):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return call(self, *args)

    monkeypatch.setattr(DistillLoss, "__call__", until)
    with pytest.raises(Killed):
        settings.run(dataclasses.replace(given, workdir=tmp_path))
    left[0] = 9 if (tmp_path / FILE).exists() else 0
    resumed = settings.run(dataclasses.replace(given, workdir=tmp_path))
    assert fingerprint(resumed.model) == fingerprint(whole.model)
    assert resumed.details == whole.details


@pytest.mark.slow
def test_without_other_terms_the_bits_are_those_of_soft_targets_alone():
    student, teacher = net(4, seed=1), net(6)
    quiet, layout = fastest_layout(teacher, (1, 8, 8))

    def soft(model, inputs, targets):
        student_BK = model(inputs)
        with torch.no_grad():
            teacher_BK = quiet(inputs.contiguous(memory_format=layout))
        return 0.1 * TASK.loss(student_BK, targets) + 0.9 * soft_target_loss(student_BK, teacher_BK, temperature=4.0)

    by_hand = train_weights(student, task=TASK, data=DATA, settings=QUICK, seed=0, loss=soft).net
    assert fingerprint(Distill(train=QUICK).run(job(student, teacher)).model) == fingerprint(by_hand)


@pytest.mark.slow
def test_a_net_that_is_trained_through_its_rounding_takes_every_term():
    settings = Distill(alpha=0.2, decoupled=0.5, hints=1.0, attention=1.0, relational=1.0)
    given = job(net(4, seed=1), net(6))
    builder = Builder.of(given, Quantize(num_calibration=32), progress=SILENT)
    built = builder.build(())
    unfolded = unfold(built.simulation, builder.net, list(built.plan.layers), DATA.calibration(64, 0))
    rounded = trained_net(built.simulation, built.plan, Qat(), unfolded=unfolded)
    loss = loss_of(settings, rounded, given.teacher)
    assert [pair.student for pair in loss.look.pairs] == ["relu_codes", "relu_1_codes"]  # maps behind the rounding
    outcome = train_weights(
        accompanied(rounded, loss), task=TASK, data=DATA, settings=QUICK, seed=0, loss=loss,
        before_epoch=lambda taught, number: begin_epoch(taught, Qat(train=QUICK), number=number),
    )  # fmt: skip
    losses = [epoch.loss for epoch in outcome.history]
    assert losses[1] < losses[0]
    trained = simulation_of(parted(outcome.net)[0], built.simulation)
    assert fingerprint(trained) != fingerprint(built.simulation)
    assert set(trained.state_dict()) == set(built.simulation.state_dict())


@pytest.mark.parametrize("mixing", [{"label_smoothing": 0.1}, {"mixup": 0.2}, {"cutmix": 1.0}])
def test_decoupled_answers_need_targets_that_are_not_mixed(mixing):
    train = Train(**mixing)
    assert Distill(soft=0.5, train=train).train == train
    with pytest.raises(ConfigError, match=f"decoupled needs one class id per image, and Train.{next(iter(mixing))}"):
        Distill(decoupled=1.0, train=train)
