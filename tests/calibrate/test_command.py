"""The command: what it refuses, and what it prints of a calibration."""

from dataclasses import replace

import pytest

from edgewright import calibrate as room
from edgewright.cli.calibrate import calibrate
from edgewright.devices import device
from edgewright.errors import ConfigError
from edgewright.types import LatencyTable, Validated


def test_another_ending_than_toml_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"ends in \.toml, got '.*box\.json': write for instance mybox\.toml"):
        calibrate(tmp_path / "box.json")


def test_the_error_of_each_model_and_of_all_is_printed(tmp_path, monkeypatch, capsys):
    seen = tuple(
        Validated(name=name, dtype="float32", predicted_s=predicted, measured_s=0.010)
        for name, predicted in (("one", 0.011), ("two", 0.008), ("three", 0.010))
    )
    table = LatencyTable(
        runtime="onnxruntime 1", machine="a processor", threads=1, call_overhead_s=1e-6, validation=seen,
        points={"float32": {"conv": ((1.0, 1.0, 1e-6),) * 3}},
    )  # fmt: skip
    asked = {}

    def fake(out, **given):
        asked.update(given)
        return replace(device("generic-x86"), latency_table=table)

    monkeypatch.setattr(room, "calibrate", fake)
    calibrate(tmp_path / "box.toml", quick=True)
    printed = capsys.readouterr().out
    assert (asked["settings"].name, asked["settings"].quick, asked["base"].name) == ("box", True, "generic-x86")
    assert "+10 %" in printed and "-20 %" in printed
    assert "3 points of 1 kinds of operator on a processor, onnxruntime 1" in printed
    assert "median error 10 %, worst 20 % on 3 unseen models" in printed
