"""`compare_quantizers`: every way a stage of one run, every file measured, one table."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from edgewright.compress.quantize import Qat, Quantize, Scheme
from edgewright.data import load_data
from edgewright.devices import device
from edgewright.errors import ConfigError
from edgewright.model import load_model
from edgewright.pipeline import Variant, compare_quantizers, variants
from edgewright.report import comparison_rows
from edgewright.tasks import Classify, evaluate
from edgewright.train import Train, train_weights
from edgewright.types import Job

DATA = load_data("digits")
TASK = Classify(num_classes=10)
BASE = Quantize(num_calibration=32, method="minmax")


@pytest.fixture(scope="module")
def job() -> Job:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10))
    trained = train_weights(net, task=TASK, data=DATA, settings=Train(epochs=2, augment="none"), seed=0).net
    return Job(model=trained, task=TASK, data=DATA, device=device("generic-x86"))


@pytest.fixture
def two() -> tuple[Variant, ...]:
    return tuple(Variant(name=f"{bits} bits", stage=Quantize(bits=bits, method="minmax")) for bits in (8, 2))


def test_every_range_method_and_repair_is_compared_at_every_width():
    found = variants(BASE, bits=(8, 4))
    names = {each.name for each in found}
    assert {"8 bits, kl", "4 bits, kl", "4 bits, best + rounding", "8 bits, best + equalize"} <= names
    assert len(names) == len(found) and {each.stage.bits for each in found} == {8, 4}
    assert all(each.stage.num_calibration == 32 for each in found)


def test_training_is_compared_where_it_is_given():
    assert not any("training" in each.name for each in variants(BASE, bits=(4,)))
    trained = [each for each in variants(BASE, bits=(4,), qat=Qat()) if "training" in each.name]
    assert [each.stage.qat for each in trained] == [Qat()]


@pytest.mark.parametrize("bits", [(), (8, 8)])
def test_widths_are_given_once(bits):
    with pytest.raises(ConfigError, match="one or more different numbers of bits"):
        variants(BASE, bits=bits)


def test_other_schemes_are_not_compared():
    base = Quantize(scheme=Scheme(mode="weight-only"))
    with pytest.raises(ConfigError, match="side by side, got scheme weight-only in int: leave --scheme"):
        variants(base, bits=(8,))


@pytest.mark.slow
def test_the_table_holds_what_was_measured_and_the_best_is_the_runs_model(job, two, tmp_path):
    report = compare_quantizers(job, two, out=tmp_path / "run")
    rows = {row["name"]: row for row in report.content["comparison"]}
    assert list(rows) == ["float32", "8 bits", "2 bits"]
    assert rows["2 bits"]["file_bytes"] < rows["8 bits"]["file_bytes"] < rows["float32"]["file_bytes"]
    assert rows["float32"]["latency_ratio"] == 1.0 and all(row["latency_s"] > 0 for row in rows.values())
    highest = max(rows[name]["score_val"] for name in ("8 bits", "2 bits"))
    error = 100 * math.sqrt(highest / 100 * (1 - highest / 100) / len(DATA.split("val")))
    best = "2 bits" if rows["2 bits"]["score_val"] >= highest - error else "8 bits"  # the smaller, if it is as good
    assert report.content["comparison_best"] == best
    model = load_model(tmp_path / "run" / report.content["final_model"])
    assert evaluate(model, TASK, DATA, "val").value == rows[best]["score_val"]
    assert "Ways to quantize, side by side" in report.page.read_text()


@pytest.mark.slow
def test_a_comparison_goes_on_where_it_stopped(job, two, tmp_path, monkeypatch):
    compare_quantizers(job, two[:1], out=tmp_path / "run")
    ran: list[int] = []
    run: Callable = Quantize.run
    monkeypatch.setattr(Quantize, "run", lambda self, *args, **kw: ran.append(self.bits) or run(self, *args, **kw))
    report = compare_quantizers(job, two, out=tmp_path / "run", resume=True)
    assert ran == [2] and len(report.content["comparison"]) == 3


def test_the_terminal_shows_the_rows_of_the_page():
    row = {"file_bytes": 1000, "latency_s": 0.001, "latency_ratio": 1.0, "seconds": 2.0, "runtime": "onnxruntime"}
    score = {"metric": "top-1", "value": 90.0, "num_samples": 100, "split": "test"}
    first = {**row, "name": "float32", "weight_bits": 32, "activation_bits": 32, "score_val": 91.0, "score_test": score}
    other = {
        **first,
        "name": "8 bits, kl",
        "weight_bits": 8,
        "activation_bits": 8,
        "score_val": 90.5,
        "file_bytes": 250,
    }
    headings, rows = comparison_rows({"comparison": [first, other], "comparison_best": "8 bits, kl"})
    assert headings[0] == "way" and rows[1][0] == "8 bits, kl *"
    assert [rows[1][headings.index(name)] for name in ("bits w/a", "file", "share")] == ["8 / 8", "250 B", "25.0 %"]
    assert rows[1][3] == "−0.50"
