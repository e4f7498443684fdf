import json
import math
import struct

import pytest
import torch

from edgewright.errors import ConfigError
from edgewright.progress import Progress
from edgewright.tasks import Classify
from edgewright.train import Train, train_weights
from edgewright.train.events import EventFile, Histogram, crc32c, framed, masked
from edgewright.train.monitor import HISTORY, Logged, histogram, read_history

TASK = Classify(num_classes=10)


def records(path) -> list[bytes]:
    """The contents of an event file, every checksum verified."""
    content, found = path.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        assert struct.unpack("<I", content[8:12])[0] == masked(content[:8])
        body = content[12 : 12 + length]
        assert struct.unpack("<I", content[12 + length : 16 + length])[0] == masked(body)
        found.append(body)
        content = content[16 + length :]
    return found


def fields(message: bytes) -> list[tuple[int, object]]:
    """(field number, value) of a protocol buffer: integers, floats, doubles and bytes."""
    found: list[tuple[int, object]] = []
    while message:
        key, message = varint(message)
        field, wire = key >> 3, key & 7
        if wire == 0:
            value, message = varint(message)
        else:
            size, message = {1: (8, message), 5: (4, message)}.get(wire) or varint(message)
            value, message = message[:size], message[size:]
            value = struct.unpack({1: "<d", 5: "<f"}[wire], value)[0] if wire != 2 else value
        found.append((field, value))
    return found


def varint(message: bytes) -> tuple[int, bytes]:
    value, shift = 0, 0
    for position, byte in enumerate(message):
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, message[position + 1 :]
    raise AssertionError("a number without end")


def test_the_checksum_is_that_of_the_standard():
    assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C
    assert crc32c(bytes(32)) == 0x8A9136AA and crc32c(b"\xff" * 32) == 0x62A8AB43  # RFC 3720, B.4
    assert len(framed(b"abc")) == 8 + 4 + 3 + 4


def test_scalars_are_read_back_from_the_wire(tmp_path):
    file = EventFile(tmp_path, step=300)
    file.scalars({"train/loss": 0.5, "val/top-1": 97.25}, step=301)
    file.close()
    (path,) = tmp_path.glob("events.out.tfevents.*")
    version, start, event = (dict(fields(record)) for record in records(path))
    assert version[3] == b"brain.Event:2"
    assert start[2] == 300 and fields(start[7]) == [(1, 1)]
    assert event[2] == 301
    values = [dict(fields(value)) for _, value in fields(event[5])]
    assert values == [{1: b"train/loss", 2: 0.5}, {1: b"val/top-1", 2: 97.25}]


def test_a_histogram_counts_every_finite_value_once(tmp_path):
    values = torch.tensor([0.0, 1.0, 1.0, 4.0, math.nan, math.inf])
    found = histogram(values)
    assert found is not None and (found.low, found.high, found.num, found.total, found.sum_of_squares) == (
        0,
        4,
        4,
        6,
        18,
    )
    assert sum(found.counts) == 4 and found.limits[-1] == 4 and list(found.limits) == sorted(found.limits)
    assert found.counts[0] == 1 and found.counts[-1] == 1
    assert histogram(torch.tensor([math.nan])) is None
    constant = histogram(torch.full((3,), 2.0))
    assert constant is not None and sum(constant.counts) == 3
    file = EventFile(tmp_path, step=0)
    file.histograms({"weights/a": found}, step=0)
    file.close()
    event = dict(fields(records(next(tmp_path.iterdir()))[-1]))
    ((_, value),) = fields(event[5])
    body = dict(fields(dict(fields(value))[5]))
    assert (body[1], body[2], body[3], body[4], body[5]) == (0, 4, 4, 6, 18)
    assert list(struct.unpack("<30d", body[7])) == list(found.counts)


def test_the_standard_reader_agrees_where_it_is_installed(tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    file = EventFile(tmp_path, step=0)
    for step in range(3):
        file.scalars({"loss": 1 / (step + 1)}, step=step)
    file.histograms(
        {"w": Histogram(low=0, high=2, num=3, total=3, sum_of_squares=5, limits=[1, 2], counts=[1, 2])}, step=2
    )
    file.close()
    found = reader.EventAccumulator(str(tmp_path))
    found.Reload()
    events = found.Scalars("loss")
    assert [event.step for event in events] == [0, 1, 2]
    assert [event.value for event in events] == pytest.approx([1, 1 / 2, 1 / 3])
    assert found.Histograms("w")[0].histogram_value.bucket == [1, 2]


def test_a_training_leaves_its_history_and_its_distributions(net, digits, tmp_path):
    settings = Train(epochs=2, batch_size=128, epoch_images=300)
    progress = Logged(Progress(), tmp_path)
    outcome = train_weights(net, task=TASK, data=digits, settings=settings, seed=0, progress=progress)
    history = read_history(tmp_path)
    steps = [record for record in history if "train/loss" in record]
    epochs = [record for record in history if "val/top-1" in record]
    assert [record["step"] for record in steps] == list(range(1, 7))
    assert [record["step"] for record in epochs] == [3, 6]
    assert [record["val/top-1"] for record in epochs] == [epoch.score for epoch in outcome.history]
    assert steps[2]["train/loss"] == epochs[0]["epoch/loss"] == outcome.history[0].loss
    assert all(record["train/images_per_s"] > 0 for record in steps)
    (path,) = tmp_path.glob("events.out.tfevents.*")
    content = path.read_bytes()
    assert b"weights/0.weight" in content and b"gradients/6.bias" in content
    train_weights(net, task=TASK, data=digits, settings=settings, seed=0, progress=progress)
    assert [record["step"] for record in read_history(tmp_path / "training-2")] == [r["step"] for r in history]


def test_a_run_that_is_gone_on_with_replaces_later_steps_and_half_lines(tmp_path):
    lines = [json.dumps({"step": step, "train/loss": 9.0}) for step in (1, 2, 3, 4)]
    (tmp_path / HISTORY).write_text("\n".join(lines) + '\n{"step": 5, "tra')
    progress = Logged(Progress(), tmp_path)
    with progress.task("Train", 1):
        progress.scalars({"train/loss": math.inf}, step=3)
    assert read_history(tmp_path) == [
        {"step": 1, "train/loss": 9.0}, {"step": 2, "train/loss": 9.0}, {"step": 3, "train/loss": None},
    ]  # fmt: skip


def test_everything_is_passed_on_and_nothing_computed_for_who_keeps_no_record(tmp_path):
    said = []

    class Shown(Progress):
        def note(self, text: str) -> None:
            said.append(text)

    def never() -> dict[str, torch.Tensor]:
        raise AssertionError("computed for nobody")

    Progress().histograms(never, step=0)
    progress = Logged(Shown(), tmp_path)
    progress.note("hello")
    progress.scalars({"x": 1.0}, step=0)  # outside of a training: for nobody
    assert said == ["hello"] and not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    progress = Logged(Progress(), tmp_path / "file" / "log")
    with pytest.raises(ConfigError, match=r"Cannot write the log into .*: choose another folder with --log"):
        with progress.task("Train", 1):
            progress.scalars({"x": 1.0}, step=0)
