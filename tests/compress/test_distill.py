import dataclasses

import pytest
import torch
from torch import fx, nn

from edgewright.compress.distill import Distill, DistillLoss
from edgewright.compress.distill.taps import map_distance, shared_maps, tapped
from edgewright.data import load_data
from edgewright.errors import ConfigError, ShapeError
from edgewright.losses import soft_target_loss
from edgewright.model import capture, fingerprint
from edgewright.tasks import Classify, evaluate
from edgewright.train import Train, train_weights
from edgewright.types import Device, Job

pytestmark = pytest.mark.slow  # most tests train a small net

TASK = Classify(num_classes=10)
DATA = load_data("digits")
DEVICE = Device(
    name="d", title="d", kind="cpu", clock_hz=1, ram_bytes=1, flash_bytes=None, macs_per_cycle={"float32": 1},
    bandwidth_bytes_s=1, overhead_s=0, pj_per_mac={"float32": 1}, pj_per_byte=1, round_to=8, runtimes=(),
)  # fmt: skip


def mlp(width: int, seed: int = 0, num_classes: int = 10, dropout: float = 0.0) -> fx.GraphModule:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = [nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, num_classes)]
        return capture(nn.Sequential(*layers), (1, 8, 8))


def job(student: nn.Module, teacher: nn.Module | None) -> Job:
    return Job(model=student, task=TASK, data=DATA, device=DEVICE, teacher=teacher)


def loss_of(settings: Distill, student: nn.Module, teacher: nn.Module) -> DistillLoss:
    return DistillLoss(settings, student=student, teacher=teacher, task=TASK, data=DATA)


@pytest.fixture(scope="module")
def teacher() -> fx.GraphModule:
    return train_weights(
        mlp(64, dropout=0.5), task=TASK, data=DATA, settings=Train(epochs=10, lr=0.01, augment="none"), seed=0
    ).net


def test_the_loss_is_alpha_hard_plus_the_rest_soft(teacher):
    student = mlp(8, seed=1)
    inputs, targets = next(DATA.batches("train", batch_size=16))
    logits, wanted = student(inputs), teacher(inputs)
    for alpha, temperature in ((0.0, 4.0), (0.25, 2.0), (1.0, 3.0)):
        loss = loss_of(Distill(alpha=alpha, temperature=temperature), student, teacher)
        soft = soft_target_loss(logits, wanted, temperature=temperature)
        want = alpha * TASK.loss(logits, targets) + (1 - alpha) * soft
        torch.testing.assert_close(loss(student, inputs, targets), want)


def test_the_teacher_answers_without_dropout_and_without_gradients(teacher):
    student = mlp(8, seed=1)
    loss = loss_of(Distill(alpha=0.0), student, teacher.train())
    inputs, targets = next(DATA.batches("train", batch_size=16))
    first, again = loss(student, inputs, targets), loss(student, inputs, targets)
    assert torch.equal(first, again)
    first.backward()
    assert all(parameter.grad is None for parameter in [*teacher.parameters(), *loss.teacher.parameters()])
    assert teacher.training  # as it was given
    teacher.eval()


def test_a_student_learns_from_the_teacher_alone(teacher):
    before = fingerprint(teacher)
    result = Distill(alpha=0.0, train=Train(epochs=6, lr=0.01, augment="none")).run(job(mlp(24, seed=1), teacher))
    assert result.score.value > 85
    assert result.score == evaluate(result.model, TASK, DATA, "val")
    assert fingerprint(teacher) == before
    assert len(result.details["history"]) == 6


def test_alpha_1_is_plain_training(teacher):
    settings = Train(epochs=1)
    plain = train_weights(mlp(8), task=TASK, data=DATA, settings=settings, seed=0).net
    taught = Distill(alpha=1.0, train=settings).run(job(mlp(8), teacher)).model
    assert fingerprint(plain) == fingerprint(taught)


def residual(inner: int, seed: int = 0, width: int = 8) -> fx.GraphModule:
    """Two stages whose blocks have `inner` channels inside and whose streams have `width` and 2 `width`."""

    class Block(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(channels, inner, 3, padding=1), nn.BatchNorm2d(inner)
            self.conv2, self.bn2 = nn.Conv2d(inner, channels, 3, padding=1), nn.BatchNorm2d(channels)

        def forward(self, x):
            return torch.relu(x + self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))))

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = [nn.Conv2d(1, width, 3, padding=1), Block(width), nn.Conv2d(width, 2 * width, 3, 2, 1)]
        layers += [Block(2 * width), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * width, 10)]
        return capture(nn.Sequential(*layers), (1, 8, 8))


def last_relus(net: fx.GraphModule) -> list[str]:
    """The ends of the two blocks: every second relu."""
    return [node.name for node in net.graph.nodes if "relu" in node.name][1::2]


def test_the_maps_to_compare_are_the_ends_of_the_stages():
    student, teacher = residual(4), residual(8)
    assert list(shared_maps(student, teacher)) == last_relus(student)
    assert shared_maps(residual(4, width=6), teacher) == ()
    assert shared_maps(mlp(8), mlp(16)) == ()
    assert shared_maps(nn.Flatten(), teacher) == ()


def test_slices_and_dropout_are_no_feature_maps_of_their_own():
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.dropout, self.out = nn.Conv2d(1, 4, 3, padding=1), nn.Dropout(0.1), nn.Linear(4, 10)

        def forward(self, x):
            x = self.dropout(torch.relu(self.conv(x)))
            return self.out(x[:, :, ::2, ::2].mean((2, 3)))

    net = capture(Cut(), (1, 8, 8))
    assert shared_maps(net, net) == ("relu",)


def test_a_tapped_view_shares_the_weights_and_changes_nothing():
    net = residual(4)
    before = fingerprint(net)
    view = tapped(net, shared_maps(net, residual(8)))
    inputs, _ = next(DATA.batches("train", batch_size=4))
    outputs, maps = view(inputs)
    assert torch.equal(outputs, net(inputs))
    assert [tuple(each.shape) for each in maps] == [(4, 8, 8, 8), (4, 16, 4, 4)]
    assert {id(each) for each in view.parameters()} == {id(each) for each in net.parameters()}
    assert fingerprint(net) == before


def test_the_distance_of_maps_is_in_units_of_the_teachers_variance():
    teacher = [torch.tensor([0.0, 2.0]), torch.tensor([0.0, 4.0])]  # variances 1 and 4
    student = [torch.tensor([1.0, 2.0]), torch.tensor([0.0, 2.0])]  # mean squares .5 and 2
    assert map_distance(student, teacher).item() == 0.5
    assert map_distance(teacher, teacher).item() == 0


def test_feature_maps_add_their_weighted_distance_to_the_loss():
    student, teacher = residual(4, seed=1).eval(), residual(8)
    inputs, targets = next(DATA.batches("train", batch_size=16))
    maps = shared_maps(student, teacher)
    distance = map_distance(tapped(student, maps)(inputs)[1], tapped(teacher, maps)(inputs)[1])
    plain, matched = (
        loss_of(Distill(features=features), student, teacher)(student, inputs, targets) for features in (0.0, 3.0)
    )
    torch.testing.assert_close(matched, plain + 3 * distance, rtol=1e-4, atol=1e-5)


def test_matching_feature_maps_brings_them_closer_and_is_told():
    student, teacher = residual(4, seed=1), residual(8)
    settings = Train(epochs=3, batch_size=128, lr=0.01, augment="none")
    inputs, _ = next(DATA.batches("val", batch_size=100))
    maps = shared_maps(student, teacher)
    wanted = tapped(teacher, maps)(inputs)[1]

    def distance(features: float) -> float:
        result = Distill(alpha=0.0, features=features, train=settings).run(job(student, teacher))
        assert ("feature_maps" in result.details) == (features > 0)
        return map_distance(tapped(result.model, maps)(inputs)[1], wanted).item()

    assert distance(10.0) < distance(0.0)


def test_models_without_shared_maps_say_so():
    result = Distill(features=1.0, train=Train(epochs=1, batch_size=512)).run(job(mlp(8), mlp(16)))
    assert result.notes[-1] == "Feature maps compared: none, the models share no shape."


def test_a_teacher_in_another_memory_layout_may_answer(teacher):
    class Rows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.out = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(256, 10)

        def forward(self, x):
            return self.out(self.conv(x).view(x.shape[0], -1))

    result = Distill(train=Train(epochs=1, batch_size=256)).run(job(mlp(8), capture(Rows(), (1, 8, 8))))
    assert result.score.num_samples == 359


def test_a_checkpoint_of_another_teacher_is_not_used(teacher, tmp_path):
    stage = Distill(train=Train(epochs=1, batch_size=256))
    stage.run(dataclasses.replace(job(mlp(8), teacher), workdir=tmp_path))
    other = dataclasses.replace(job(mlp(8), mlp(16, seed=5)), workdir=tmp_path)
    got = stage.run(other).model
    assert fingerprint(got) == fingerprint(stage.run(dataclasses.replace(other, workdir=None)).model)


def test_without_a_teacher_there_is_nothing_to_distil():
    with pytest.raises(
        ConfigError, match=r"Distill needs a teacher, and the job has none: set Job.teacher \(--teacher\)"
    ):
        Distill().run(job(mlp(8), None))


def test_a_teacher_of_other_classes_is_refused():
    with pytest.raises(ShapeError, match=r"student gives \(32, 10\) and the teacher \(32, 7\)"):
        Distill(train=Train(epochs=1)).run(job(mlp(8), mlp(8, num_classes=7)))


@pytest.mark.parametrize(("wrong", "message"), [
    ({"alpha": 1.5}, r"Distill.alpha is a fraction in \[0, 1\], got 1.5"),
    ({"features": -1}, "Distill.features must be 0 or greater, got -1"),
    ({"temperature": 0}, "Distill.temperature must be greater than 0, got 0"),
])  # fmt: skip
def test_settings_are_checked(wrong, message):
    with pytest.raises(ConfigError, match=message):
        Distill(**wrong)
