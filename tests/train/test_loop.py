import copy
import dataclasses
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import nn

from edgewright.data import load_data
from edgewright.devices import device
from edgewright.errors import ConfigError, ModelError
from edgewright.model import capture, fingerprint
from edgewright.progress import SILENT, Progress, Task
from edgewright.tasks import Classify, evaluate
from edgewright.train import Train, TrainOutcome, train_weights
from edgewright.train.state import FILE, Average, Epoch, Training, load_checkpoint
from edgewright.types import Job, plain

TASK = Classify(num_classes=10)
QUICK = Train(epochs=4, batch_size=128, lr=0.01, ema_decay=0.9)


def bits(net: nn.Module) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in net.state_dict().items()}


def train(net, data, settings=QUICK, **others):
    return train_weights(net, task=TASK, data=data, settings=settings, seed=others.pop("seed", 0), **others)


class Killed(BaseException):
    """Stands for a kill: nothing in the library may catch it."""


class KillAt:
    """The task's loss, until step number `step`."""

    def __init__(self, step: int) -> None:
        self.left = step

    def __call__(self, net, inputs, targets):
        self.left -= 1
        if self.left < 0:
            raise Killed
        return TASK.loss(net(inputs), targets)


def test_a_few_epochs_teach_the_digits_and_leave_the_given_net_alone(net, digits):
    before = fingerprint(net)
    outcome = train(net, digits, Train(epochs=8, lr=0.01, augment="none"))
    assert fingerprint(net) == before
    assert outcome.history[-1].loss < outcome.history[0].loss
    assert evaluate(outcome.net, TASK, digits, "test").value > 90
    assert not any(part.training for part in outcome.net.modules())


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(net, digits):
    first, again, other = (train(net, digits, seed=seed) for seed in (0, 0, 1))
    assert bits(first.net) == bits(again.net)
    assert first.history == again.history
    assert bits(first.net) != bits(other.net)


def test_what_others_draw_from_the_global_generator_changes_nothing(net, digits):
    first = train(net, digits, Train(epochs=1))
    torch.manual_seed(12345)
    before = torch.get_rng_state()
    again = train(net, digits, Train(epochs=1))
    assert bits(first.net) == bits(again.net)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [QUICK, Train(epochs=3, batch_size=128, optimizer="sgd", lr=0.1, patience=3)])
@pytest.mark.parametrize("step", [0, 5, 9, 17, 26])  # before the first epoch, inside, at its end (9 steps), later
def test_a_run_that_was_killed_continues_to_the_same_bits(step, settings, net, digits, tmp_path):
    whole = train(net, digits, settings)
    with pytest.raises(Killed):
        train(net, digits, settings, checkpoint=tmp_path, loss=KillAt(step))
    resumed = train(net, digits, settings, checkpoint=tmp_path)
    assert bits(resumed.net) == bits(whole.net)
    assert (resumed.history, resumed.best_epoch) == (whole.history, whole.best_epoch)


@pytest.mark.parametrize("step", [0, 6, 13])  # nothing saved yet; saved 3 steps ago in the first epoch, 1 in the next
def test_a_run_that_was_killed_in_an_epoch_goes_on_from_the_step_that_was_saved(step, net, digits, tmp_path):
    settings = dataclasses.replace(QUICK, epochs=2, checkpoint_steps=4)
    whole = train(net, digits, settings)
    with pytest.raises(Killed):
        train(net, digits, settings, checkpoint=tmp_path, loss=KillAt(step))
    counted = KillAt(10**6)
    resumed = train(net, digits, settings, checkpoint=tmp_path, loss=counted)
    assert 10**6 - counted.left == 18 - {0: 0, 6: 4, 13: 12}[step]  # 9 steps an epoch; 4, 8, 12, 16 and 9 are saved
    assert bits(resumed.net) == bits(whole.net)
    assert (resumed.history, resumed.best_epoch) == (whole.history, whole.best_epoch)


def test_an_interval_in_seconds_saves_within_an_epoch_and_no_result_depends_on_it(net, digits, tmp_path):
    often = dataclasses.replace(QUICK, epochs=1, checkpoint_seconds=1e-9)
    with pytest.raises(Killed):
        train(net, digits, often, checkpoint=tmp_path, loss=KillAt(3))
    content, _ = load_checkpoint(tmp_path, torch.load(tmp_path / FILE, weights_only=True)["key"])
    assert (
        content is not None and content["position"]["num_batches"] == 3 and content["position"]["tally"]["steps"] == 3
    )
    quiet = dataclasses.replace(often, checkpoint_seconds=None)
    assert bits(train(net, digits, quiet, checkpoint=tmp_path).net) == bits(train(net, digits, quiet).net)
    assert "position" not in torch.load(tmp_path / FILE, weights_only=True)["state"]


def test_a_finished_run_is_not_trained_again(net, digits, tmp_path):
    first = train(net, digits, checkpoint=tmp_path)
    again = train(net, digits, checkpoint=tmp_path, loss=KillAt(0))
    assert bits(first.net) == bits(again.net)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


class Notes(Progress):
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.details: list[str] = []
        self.total = 0

    def note(self, text: str) -> None:
        self.texts.append(text)

    @contextmanager
    def task(self, title: str, total: int):
        self.total += total if title == "Train" else 0
        notes = self

        class Bar(Task):
            def advance(self, steps: int = 1, *, detail: str = "") -> None:
                if detail:
                    notes.details.append(detail)

        yield Bar()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["other settings", "other net", "other loss", "cut", "text", "empty"])
def test_a_checkpoint_that_does_not_fit_is_told_and_not_used(how, net, digits, tmp_path):
    settings = Train(epochs=1, batch_size=256)
    train(net, digits, Train(epochs=2, batch_size=256) if how == "other settings" else settings, checkpoint=tmp_path)
    path = tmp_path / FILE
    content = path.read_bytes()
    path.write_bytes({"cut": content[: len(content) // 2], "text": b"hello", "empty": b""}.get(how, content))
    start, loss = copy.deepcopy(net), None
    if how == "other net":
        start.get_submodule("6").bias.data.add_(1)
    if how == "other loss":
        loss = KillAt(10**6)
        loss.name = "mine"
    notes = Notes()
    got = train(start, digits, settings, checkpoint=tmp_path, progress=notes, loss=loss)
    assert bits(got.net) == bits(train(start, digits, settings).net)
    assert notes.texts[0].endswith("training starts anew.")
    assert ("damaged" in notes.texts[0]) == (how in ("cut", "text", "empty"))


def test_half_written_files_of_a_killed_run_are_removed(net, digits, tmp_path):
    (tmp_path / f".{FILE}.x1y2").write_bytes(b"half")
    train(net, digits, Train(epochs=1, batch_size=256), checkpoint=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_checkpoint_runs_no_code(net, digits, tmp_path):
    class Stranger:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "STRANGER_RAN"),)

    torch.save({"key": Stranger()}, tmp_path / FILE)
    train(net, digits, Train(epochs=1, batch_size=256), checkpoint=tmp_path)
    assert not (tmp_path / "STRANGER_RAN").exists()


def test_the_best_epoch_on_val_is_kept_and_not_the_last(net, digits):
    def spoil_after_two_epochs(model, inputs, targets, steps=[0]):  # noqa: B006
        steps[0] += 1
        loss = TASK.loss(model(inputs), targets)
        return loss if steps[0] <= 18 else -10 * loss

    outcome = train(net, digits, Train(epochs=4, batch_size=128, lr=0.01), loss=spoil_after_two_epochs)
    scores = [epoch.score for epoch in outcome.history]
    assert outcome.best_epoch == scores.index(max(scores)) + 1 == 2
    assert evaluate(outcome.net, TASK, digits, "val").value == max(scores)
    assert scores[3] < scores[1]


def test_weights_that_training_cannot_better_are_kept(net, digits):
    good = train(net, digits, Train(epochs=6, lr=0.01)).net
    outcome = train(good, digits, Train(epochs=2, lr=1e-9), loss=lambda model, x, y: -TASK.loss(model(x), y))
    assert evaluate(outcome.net, TASK, digits, "val").value >= outcome.score_before
    ruined = train(
        good, digits, Train(epochs=2, lr=0.3), loss=lambda model, x, y: -TASK.loss(model(x), y).clamp(max=50)
    )
    assert ruined.best_epoch == 0
    assert bits(ruined.net) == bits(good)


def test_patience_stops_when_the_score_no_longer_rises(net, digits):
    outcome = train(net, digits, Train(epochs=50, batch_size=512, lr=1e-7, patience=2))
    scores = [outcome.score_before, *(epoch.score for epoch in outcome.history)]
    assert len(outcome.history) < 50
    assert max(scores[:-2]) >= max(scores[-2:])


@pytest.mark.parametrize(
    ("clip", "remedy"), [(None, "use a smaller lr than 1e[+]30 or set clip_norm"), (1e20, "use a smaller lr")]
)
def test_a_loss_that_is_not_finite_is_one_sentence(clip, remedy, net, digits):
    with pytest.raises(ModelError, match=rf"training loss became (nan|inf) at epoch \d, step \d: {remedy}"):
        train(net, digits, Train(epochs=3, optimizer="sgd", lr=1e30, clip_norm=clip))


def test_clipping_bounds_the_step(net, digits):
    seen = []

    def steep(model, inputs, targets):
        seen.append(torch.cat([parameter.detach().flatten().clone() for parameter in model.parameters()]))
        return 1000 * TASK.loss(model(inputs), targets)

    settings = Train(epochs=1, batch_size=600, optimizer="sgd", momentum=0, lr=0.5, warmup_epochs=0, weight_decay=0,
                     clip_norm=0.01)  # fmt: skip
    train(net, digits, settings, loss=steep)
    assert (seen[1] - seen[0]).norm().item() == pytest.approx(0.5 * 0.01, rel=1e-3)


def test_clipping_by_value_bounds_every_weight_and_comes_before_the_norm(net, digits):
    seen = []

    def steep(model, inputs, targets):
        seen.append([parameter.detach().clone() for parameter in model.parameters()])
        return 1000 * TASK.loss(model(inputs), targets)

    def step(**clip):
        seen.clear()
        settings = Train(epochs=1, batch_size=600, optimizer="sgd", momentum=0, lr=0.5, warmup_epochs=0,
                         weight_decay=0, **clip)  # fmt: skip
        train(net, digits, settings, loss=steep)
        return torch.cat([(after - before).flatten() for before, after in zip(*seen[:2], strict=True)])

    by_value, both = step(clip_value=0.01), step(clip_value=0.01, clip_norm=0.02)
    assert by_value.abs().max().item() == pytest.approx(0.5 * 0.01, rel=1e-3)
    torch.testing.assert_close(both, by_value * (0.5 * 0.02 / by_value.norm()), rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize(
    ("scores", "min_delta", "without_gain"),
    [
        ([10, 20, 20, 20], 0, 2),  # equals are no gain
        ([10, 20, 20.4, 20.8], 0.5, 0),  # small rises add up: 20.8 is 0.8 above what was reached
        ([10, 20, 20.2, 20.5], 0.5, 2),
        ([5, 9], 10, 2),
        ([], 0, 0),
    ],
)
def test_a_rise_counts_when_it_exceeds_min_delta_above_what_was_reached(scores, min_delta, without_gain):
    history = [Epoch(number=number, loss=1.0, score=score, lr=0.1) for number, score in enumerate(scores, start=1)]
    state = Training(
        net=nn.Identity(), layout=torch.contiguous_format, optimizer=None, average=None, score_before=1.0, best={},
        min_delta=min_delta, history=history,
    )  # type: ignore[arg-type]  # fmt: skip
    assert state.epochs_without_gain == without_gain


@pytest.mark.slow
def test_epoch_images_bounds_an_epoch(net, digits):
    notes = Notes()
    train(net, digits, Train(epochs=2, batch_size=50, epoch_images=100), progress=notes)
    assert notes.total == 4


def test_progress_tells_loss_score_rate_and_speed(net, digits):
    notes = Notes()
    outcome = train(net, digits, Train(epochs=2, batch_size=512), progress=notes)
    assert notes.total == 6 and len(notes.details) == 6 + 2  # 1,079 images in 512s; each epoch once more when scored
    for word in ("epoch 2/2", "loss ", "best top-1 ", "lr ", "images/s"):
        assert word in notes.details[-1]
    assert f"best top-1 {max(epoch.score for epoch in outcome.history):.2f}" in notes.details[-1]


def test_bfloat16_trains_too_and_keeps_float32_weights(net, digits):
    outcome = train(net, digits, Train(epochs=4, lr=0.01, dtype="bfloat16"))
    assert outcome.history[-1].score > 70
    assert all(value.dtype in (torch.float32, torch.int64) for value in outcome.net.state_dict().values())


def test_dropout_draws_anew_in_every_epoch_and_follows_from_the_seed(digits):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = capture(nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 10)), (1, 8, 8))
    still = Train(epochs=2, batch_size=2048, lr=1e-12, warmup_epochs=0, weight_decay=0, augment="none")  # one step each
    first, again, other = (train(net, digits, still, seed=seed).history for seed in (0, 0, 1))
    assert first == again and first != other
    assert abs(first[0].loss - first[1].loss) > 1e-3  # all images at once and weights that stand: only masks differ


def test_a_model_that_views_an_image_as_a_row_trains_in_the_plain_layout(digits):
    class Rows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.out = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(256, 10)

        def forward(self, x):
            return self.out(self.conv(x).view(x.shape[0], -1))

    outcome = train(capture(Rows(), (1, 8, 8)), digits, Train(epochs=2))
    assert outcome.history[-1].loss < outcome.history[0].loss


def test_training_gives_tensors_in_the_layout_they_came_in(net, digits):
    outcome = train(net, digits, Train(epochs=1))
    assert all(value.is_contiguous() for value in outcome.net.state_dict().values())


def test_the_average_follows_the_formula():
    net = nn.Linear(1, 1, bias=False)
    net.weight.data.fill_(0.0)
    average = Average(net, 0.5)
    want = 0.0
    for step, value in enumerate((1.0, 2.0, 3.0), start=1):
        net.weight.data.fill_(value)
        average.update(net)
        decay = min(0.5, (1 + step) / (10 + step))
        want = decay * want + (1 - decay) * value
    assert average.net.weight.item() == pytest.approx(want, rel=1e-6)


def test_what_two_layers_share_is_averaged_once():
    net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    net[1].weight = net[0].weight
    net[0].weight.data.fill_(0.0)
    average = Average(net, 0.5)
    net[0].weight.data.fill_(1.0)
    average.update(net)
    assert average.net[0].weight.item() == pytest.approx(1 - 2 / 11)  # the decay of the first step: (1 + 1) / (10 + 1)


def test_before_each_epoch_the_trained_copy_may_be_changed_by_its_number(net, digits, tmp_path):
    seen = []

    def freeze(copied: nn.Module, number: int) -> None:
        assert copied is not net
        seen.append(number)
        copied.get_submodule("0").weight.requires_grad_(number < 2)

    options = {"before_epoch": freeze, "checkpoint": tmp_path}
    with pytest.raises(Killed):
        train(net, digits, Train(epochs=3, batch_size=512), loss=KillAt(7), **options)  # in the third epoch
    train(net, digits, Train(epochs=3, batch_size=512), **options)
    assert seen == [1, 2, 3, 3]


def test_settings_round_trip():
    settings = Train(epochs=3, ema_decay=0.99, patience=2, augment="crop-flip", clip_norm=1.0, epoch_images=100)
    assert Train(**plain(settings)) == settings


@pytest.mark.parametrize(("asked", "took"), [(1.0, "0.5"), (0.5, None)])
def test_a_warm_up_of_more_than_half_of_the_training_is_cut_and_a_note_says_so(net, digits, asked, took):
    settings = Train(epochs=1, batch_size=128, epoch_images=256, warmup_epochs=asked, augment="none")
    job, notes = Job(model=net, task=TASK, data=digits, device=device("generic-x86")), Notes()
    result = settings.run(job, progress=notes)
    said = f"The warm-up took {took} epochs, half of the training, instead of 1."
    assert notes.texts == ([said] if took else [])
    assert result.notes[1:] == tuple(notes.texts)


WRONG = {
    "epochs": 0, "batch_size": 1, "optimizer": "adamm", "lr": 0, "momentum": 1, "weight_decay": -1, "warmup_epochs": -1,
    "final_lr": 2, "ema_decay": 1, "patience": 0, "augment": "flip", "clip_norm": 0, "epoch_images": 1,
    "dtype": "float64", "processes": 0, "checkpointing": 1,
    "keep_zeros": 1, "keep": "first", "accumulate": 0, "clip_value": 0, "min_delta": -1,
    "checkpoint_steps": 0, "checkpoint_seconds": 0, "mixup": 0, "cutmix": -1,
    "schedule": "cosin", "lr_scaling": "cubic", "lr_batch_size": 0, "layer_decay": 0, "rates": 1, "freeze": 1, "l1": -1,
    "unfreeze_every": 0, "dropout": 1, "label_smoothing": 1,
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_every_setting_is_checked(name):
    with pytest.raises(ConfigError, match=f"^Train.{name} must be .*, got {WRONG[name]!r}"):
        Train(**{name: WRONG[name]})


WRONG_TYPE = {"epochs": "3", "batch_size": 2.5, "optimizer": ["sgd"], "lr": "0.1", "patience": True, "clip_norm": "1"}


@pytest.mark.parametrize("name", WRONG_TYPE)
def test_a_setting_of_the_wrong_type_is_refused_in_the_same_sentence(name):
    with pytest.raises(ConfigError, match=f"^Train.{name} must be .*, got {re.escape(repr(WRONG_TYPE[name]))}"):
        Train(**{name: WRONG_TYPE[name]})


def test_every_setting_has_a_wrong_value_in_the_table():
    assert set(WRONG) == set(plain(Train()))


def by_hand(checkpoint: Path, progress: Progress = SILENT, steps: int | None = None) -> TrainOutcome:
    """What the killed process and the one that continues both run; it has all that a checkpoint must hold."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Dropout(0.1), nn.Linear(288, 10))
    settings = Train(epochs=20 if steps is None else 5, ema_decay=0.99, clip_norm=1.0, checkpoint_steps=steps)
    return train(net, load_data("digits"), settings, checkpoint=checkpoint, progress=progress)


def kill_myself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


SCRIPT = """
import runpy, sys, torch
from pathlib import Path
torch.set_num_threads(1)
sys.path.insert(0, str(Path(sys.argv[1]).parents[1] / "shared"))
from counted_steps import Countdown
module = runpy.run_path(sys.argv[1])
steps = int(sys.argv[4]) if len(sys.argv) > 4 else None
module["by_hand"](Path(sys.argv[2]), Countdown(int(sys.argv[3]), module["kill_myself"]), steps)
"""


def killed_after(steps: int, *others: str) -> int:
    return subprocess.run([sys.executable, "-c", SCRIPT, __file__, *others[:1], str(steps), *others[1:]]).returncode


@pytest.mark.slow
def test_sigkill_in_the_middle_of_an_epoch_and_a_rerun_give_the_same_bits(tmp_path):
    for steps in (1, 50, 120):  # in the first epoch, and twice in the middle of a later one, of 34 steps each
        assert killed_after(steps, str(tmp_path / "killed")) == -signal.SIGKILL
    assert (tmp_path / "killed" / FILE).exists()
    assert bits(by_hand(tmp_path / "killed").net) == bits(by_hand(tmp_path / "whole").net)


@pytest.mark.slow
def test_sigkill_within_an_epoch_is_gone_on_with_at_the_step_that_was_saved(tmp_path):
    folder = tmp_path / "killed"
    for steps in (25, 40, 31):  # of 34 an epoch, saved at every tenth: at step 20, then at 60, then at 90
        assert killed_after(steps, str(folder), "10") == -signal.SIGKILL
    state = torch.load(folder / FILE, weights_only=True)["state"]
    assert len(state["history"]) == 2 and state["position"]["num_batches"] == 90 - 2 * 34
    resumed, whole = by_hand(folder, steps=10), by_hand(tmp_path / "whole", steps=10)
    assert bits(resumed.net) == bits(whole.net) and resumed.history == whole.history
    ours, theirs = (torch.load(each / FILE, weights_only=True) for each in (folder, tmp_path / "whole"))
    torch.testing.assert_close(ours["state"], theirs["state"], rtol=0, atol=0)  # optimizer and average too


@pytest.mark.slow
def test_the_defaults_teach_a_small_cnn_the_digits_beyond_95_percent(digits):
    class SmallCNN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
            self.fc1, self.fc2 = nn.Linear(784, 64), nn.Linear(64, 10)

        def forward(self, x):
            x = nn.functional.max_pool2d(torch.relu(self.conv1(x)), 2)
            x = nn.functional.max_pool2d(torch.relu(self.conv2(x)), 2)
            return self.fc2(torch.relu(self.fc1(x.flatten(1))))

    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = capture(SmallCNN(), (1, 28, 28))
    data = digits.fitted_to((1, 28, 28))
    outcome = train(net, data, Train())
    assert evaluate(outcome.net, TASK, data, "test").value > 95


def test_a_folder_that_cannot_be_written_is_one_sentence(net, digits, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(
        ConfigError, match=r"Cannot write the checkpoint into .*file/x \(Not a directory\): choose another"
    ):
        train(net, digits, Train(epochs=1, batch_size=512), checkpoint=Path(tmp_path / "file" / "x"))
