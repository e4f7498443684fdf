"""A device file with a latency table: what is written is read back equal, a bad table is refused in one sentence."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewright.devices import device, device_names
from edgewright.devices.text import device_text
from edgewright.errors import ConfigError
from edgewright.types import LatencyTable, Validated

TABLE = LatencyTable(
    runtime="onnxruntime 1.31.0",
    machine='A "quoted" processor é',
    threads=1,
    call_overhead_s=4.75e-6,
    points={"float32": {"conv": ((64.0, 8.0, 1.5e-7), (128.0, 16.0, 2e-7)), "aten.silu": ((64.0, 64.0, 1e-6),)}},
    validation=(
        Validated(name="torchvision:resnet18", dtype="float32", predicted_s=0.03, measured_s=0.032),
        Validated(name="simple_cnn", dtype="float32", predicted_s=1e-4, measured_s=9e-5),
    ),
)
MINE = replace(device("generic-x86"), latency_table=TABLE)
TEXT = device_text(MINE)


def parsed(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return device(path)


@pytest.mark.parametrize("name", device_names())
def test_every_device_is_written_and_read_back_equal(name, tmp_path):
    assert parsed(tmp_path, device_text(device(name))) == device(name)


def test_a_table_is_written_and_read_back_equal(tmp_path):
    assert parsed(tmp_path, TEXT) == MINE
    assert device_text(parsed(tmp_path, TEXT)) == TEXT


@given(st.lists(st.floats(1e-9, 1e14), min_size=3, max_size=6))
def test_any_positive_numbers_survive_the_file(tmp_path_factory, numbers):
    table = replace(TABLE, points={"float32": {"conv": (tuple(numbers),)}})
    found = parsed(tmp_path_factory.mktemp("device"), device_text(replace(MINE, latency_table=table)))
    assert found.latency_table == table


BAD = {
    "missing": (("threads = 1\n", ""), "latency_table lacks threads: it has runtime, machine"),
    "unknown": (("threads = 1\n", "threads = 1\ncolour = 2\n"), "latency_table has unknown fields colour"),
    "threads": (("threads = 1\n", "threads = 0\n"), "threads is a whole number greater than 0, got 0"),
    "overhead": (("call_overhead_s = 4.75e-06", "call_overhead_s = -1"), "call_overhead_s is a number greater than 0"),
    "runtime": (('runtime = "onnxruntime 1.31.0"', "runtime = 3"), "runtime is a text, got 3"),
    "dtype": (("latency_table.points.float32", "latency_table.points.float8"), "points knows float32.*got float8"),
    "ragged": (("[64, 8, 1.5e-07]", "[64, 8, 9, 1.5e-07]"), "points.float32.conv is a list of rows of one length"),
    "negative": (("1.5e-07", "-1.5e-07"), "points.float32.conv holds numbers greater than 0"),
    "boolean": (("1.5e-07", "true"), "points.float32.conv holds numbers greater than 0"),
    "validation": (("predicted_s = 0.03\n", ""), "each latency_table.validation has name, dtype"),
    "measured": (("measured_s = 0.032", "measured_s = 0"), "validation.measured_s is a number greater than 0, got 0"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_table_is_refused_in_one_sentence(case, tmp_path):
    (old, new), message = BAD[case]
    assert old in TEXT
    with pytest.raises(ConfigError, match=message) as caught:
        parsed(tmp_path, TEXT.replace(old, new))
    assert "\n" not in str(caught.value)
