"""Teachers that give answers only, and answers that are kept on disk."""

import copy
import dataclasses

import pytest
import torch
from torch import nn

from edgewright.compress.distill import Distill, Frozen, KeptAnswers
from edgewright.compress.distill.answers import HEAD
from edgewright.data import load_data
from edgewright.errors import ConfigError, UnsupportedError
from edgewright.model import capture, fingerprint
from edgewright.tasks import Classify
from edgewright.train import Train
from edgewright.types import Device, Job

TASK = Classify(num_classes=10)
DATA = load_data("digits")
QUICK = Train(epochs=2, batch_size=128, lr=0.01, augment="none")
DEVICE = Device(
    name="d", title="d", kind="cpu", clock_hz=1, ram_bytes=1, flash_bytes=None, macs_per_cycle={"float32": 1},
    bandwidth_bytes_s=1, overhead_s=0, pj_per_mac={"float32": 1}, pj_per_byte=1, round_to=8, runtimes=(),
)  # fmt: skip


class Counting(nn.Module):
    """A linear teacher that counts the images it is asked about."""

    identity = "counting"  # it is asked itself, and not a copy of it

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.out = nn.Linear(64, 10)
        self.asked = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.asked += len(x)
        return self.out(x.flatten(1))


def student() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return capture(nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10)), (1, 8, 8))


def kept(teacher: nn.Module, folder, *, whole: bool = False, **others) -> KeptAnswers:
    return KeptAnswers(teacher, identity="t", folder=folder, whole_split=DATA if whole else None, **others)


def batches(num: int, size: int = 16) -> list[torch.Tensor]:
    found = [inputs for inputs, _ in DATA.batches("train", batch_size=size)]
    return found[:num]


def test_an_answer_is_asked_for_once_and_found_by_another_process(tmp_path):
    teacher, (first, second) = Counting(), batches(2)
    answers = kept(teacher, tmp_path)
    wanted = teacher.out(first.flatten(1))
    for _ in range(2):
        torch.testing.assert_close(answers(first), wanted)
    assert teacher.asked == len(first)
    assert (answers.num_asked, answers.num_found) == (16, 16)
    later = kept(Counting(seed=9), tmp_path)  # a fresh memory reads the files; this teacher is not asked
    torch.testing.assert_close(later(first), wanted)
    later(second)
    assert (later.num_asked, later.num_found) == (16, 16)


def test_a_changed_pixel_or_another_order_is_another_question(tmp_path):
    teacher, (first,) = Counting(), batches(1)
    answers = kept(teacher, tmp_path)
    answers(first)
    changed = first.clone()
    changed[0, 0, 0, 0] += 1
    for images in (changed, first.flip(0)):
        torch.testing.assert_close(answers(images), teacher.out(images.flatten(1)))
    assert answers.num_found == 0


def test_memory_layout_makes_no_other_question(tmp_path):
    answers = kept(Counting(), tmp_path)
    images = torch.randn(4, 1, 8, 8)
    answers(images)
    answers(images.contiguous(memory_format=torch.channels_last))
    assert answers.num_found == 4


def test_the_whole_split_is_asked_for_once_in_its_own_order(tmp_path):
    teacher = Counting()
    answers = kept(teacher, tmp_path, whole=True)
    num = len(DATA.split("train"))
    for inputs, _ in DATA.batches("train", batch_size=100, generator=torch.Generator().manual_seed(0)):
        torch.testing.assert_close(answers(inputs), teacher.out(inputs.flatten(1)))
    assert teacher.asked == answers.num_asked == num
    assert answers.num_found == num
    stranger = torch.randn(3, 1, 8, 8)
    torch.testing.assert_close(answers(stranger), teacher.out(stranger.flatten(1)))
    assert teacher.asked == num + 3


def test_a_file_that_was_cut_short_is_read_as_far_as_it_goes(tmp_path):
    teacher, (first, second) = Counting(), batches(2)
    answers = kept(teacher, tmp_path)
    answers(first), answers(second)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-7])
    later = kept(teacher, tmp_path)
    later(first), later(second)
    assert (later.num_found, later.num_asked) == (16, 16)


def test_nothing_is_kept_beyond_the_limit(tmp_path):
    one = HEAD.size + 16 * 10 * 4
    answers = kept(Counting(), tmp_path, most_mb=1.5 * one / 2**20)
    first, second = batches(2)
    answers(first), answers(second)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == one
    answers(first), answers(second)
    assert (answers.num_found, answers.num_asked) == (16, 48)


def test_other_teachers_in_the_folder_are_left_alone(tmp_path):
    (first,) = batches(1)
    kept(Counting(), tmp_path)(first)
    other = KeptAnswers(Counting(seed=1), identity="u", folder=tmp_path, whole_split=None)
    torch.testing.assert_close(other(first), Counting(seed=1).out(first.flatten(1)))


def test_layers_in_half_the_bits_have_answers_of_their_own(tmp_path):
    answers, (first,) = kept(Counting(), tmp_path), batches(1)
    whole = answers(first)
    with torch.autocast("cpu", torch.bfloat16):
        half = answers(first)
    assert answers.num_asked == 32 and not torch.equal(whole, half) and half.dtype == torch.float32


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"Answers cannot be kept in .*file.*choose another folder"):
        kept(Counting(), tmp_path / "file")(batches(1)[0])


def test_a_frozen_teacher_is_a_function_with_a_name_and_shows_no_maps():
    teacher = Frozen(Counting(), identity="file")
    assert copy.deepcopy(teacher) is teacher
    assert not teacher(batches(1)[0]).requires_grad
    job = Job(model=student(), task=TASK, data=DATA, device=DEVICE, teacher=teacher)
    with pytest.raises(UnsupportedError, match="hints compares feature maps, and the student shows none"):
        Distill(hints=1.0).run(job)


@pytest.mark.slow
@pytest.mark.parametrize("augment", ["none", "shift"])
def test_kept_answers_teach_the_same_student(augment, tmp_path):
    teacher = Counting()
    settings = Distill(alpha=0.5, train=dataclasses.replace(QUICK, augment=augment))
    job = Job(model=student(), task=TASK, data=DATA, device=DEVICE, teacher=Frozen(teacher, identity="t"))
    plain = settings.run(job).model
    asked = teacher.asked
    for round_ in (1, 2):
        answers = kept(teacher, tmp_path, whole=augment == "none")
        again = settings.run(dataclasses.replace(job, teacher=answers)).model
        if augment == "shift":  # the same batches, so the same bits
            assert fingerprint(again) == fingerprint(plain)
        assert (answers.num_asked == 0) == (round_ == 2)
    num = len(DATA.split("train"))
    assert asked == 2 * num
    assert teacher.asked - asked == (num if augment == "none" else 2 * num)
