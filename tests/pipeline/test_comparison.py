"""`compare_quantizers`: every way a stage of one run, every file measured, one table."""

import math
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from edgewright.compress.quantize import Limits, Mixed, Qat, Quantize, Scheme
from edgewright.data import load_data
from edgewright.devices import device
from edgewright.errors import BudgetError, ConfigError
from edgewright.model import load_model
from edgewright.pipeline import Variant, compare_quantizers, variants
from edgewright.pipeline.comparison import _best
from edgewright.report import comparison_rows
from edgewright.tasks import Classify, evaluate
from edgewright.train import Train, train_weights
from edgewright.types import Job, Score

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
    schemes = {"8 bits, dynamic", "8 bits, weights only", "4 bits, weights only, affine in groups", "4 bits, mixed"}
    assert schemes | {"fp16", "bf16", "fp16, weights only", "bf16, weights only"} <= names
    assert {"8 bits, best + re-estimation", "4 bits, best + analytic bias"} <= names
    assert not {"8 bits, mixed", "8 bits, weights only, affine in groups", "2 bits, mixed"} & names
    assert all(each.stage.num_calibration == 32 for each in found)


def test_schemes_keep_the_granularity_that_was_asked_for():
    stages = {each.name: each.stage for each in variants(Quantize(scheme=Scheme(granularity="tensor")), bits=(4,))}
    assert stages["4 bits, dynamic"].scheme == Scheme(mode="dynamic", granularity="tensor")
    assert stages["4 bits, weights only"].scheme == Scheme(mode="weight-only", granularity="tensor")
    assert stages["4 bits, weights only, affine in groups"].scheme.group_size == 32
    assert stages["fp16"].scheme == Scheme(format="fp16")
    assert "4 bits, best + analytic bias" in stages
    assert "4 bits, best + re-estimation" not in stages  # it takes a scale for each channel


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
    equals = [rows[name] for name in ("8 bits", "2 bits") if rows[name]["score_val"] >= highest - error]
    fast = min(row["latency_ratio"] for row in equals) * 1.1
    best = [row["name"] for row in equals if row["latency_ratio"] <= fast][-1]  # the smaller, if it is as good and fast
    assert report.content["comparison_best"] == best
    model = load_model(tmp_path / "run" / report.content["final_model"])
    assert evaluate(model, TASK, DATA, "val").value == rows[best]["score_val"]
    assert "Ways to quantize, side by side" in report.page.read_text()


@pytest.mark.slow
def test_schemes_and_mixed_bits_are_measured_in_the_runtime_too(job, tmp_path):
    wanted = {
        "4 bits, minmax": (4, 8), "4 bits, mixed": (4, 8), "4 bits, dynamic": (4, 8), "4 bits, weights only": (4, 32),
        "4 bits, weights only, affine in groups": (4, 32), "fp16, weights only": (16, 32),
        "bf16, weights only": (16, 32), "fp16": (16, 16), "bf16": (16, 16),
    }  # fmt: skip
    those = [each for each in variants(BASE, bits=(4,)) if each.name in wanted]
    content = compare_quantizers(job, those, out=tmp_path / "run").content
    rows = {row["name"]: row for row in content["comparison"]}
    assert set(rows) == {"float32", *wanted}
    bits = {name: (rows[name]["weight_bits"], rows[name]["activation_bits"]) for name in wanted}
    assert 3 < bits["4 bits, mixed"][0] <= 4
    assert {**bits, "4 bits, mixed": (4, 8)} == wanted
    whole = rows["float32"]["file_bytes"]
    shares = {name: rows[name]["file_bytes"] / whole for name in wanted}
    assert shares["4 bits, weights only"] < shares["4 bits, weights only, affine in groups"] < shares["bf16"] < 0.8
    for row in rows.values():
        assert row["score_test"]["value"] == pytest.approx(
            row["score_val"], abs=12
        )  # the file computes what was scored
        assert row["latency_s"] > 0 and row["seconds"] > 0


@pytest.mark.parametrize(("ratio", "best"), [(1.0, "static"), (0.55, "stored")])
def test_a_smaller_file_that_is_slower_is_not_the_best(ratio, best):
    score = Score(metric="top-1", value=90.0, num_samples=900, split="val")
    result = SimpleNamespace(result=SimpleNamespace(score=score))
    shared = {"score_val": 90.0, "seconds": 1.0}
    rows = [
        {**shared, "name": "static", "file_bytes": 1000, "latency_ratio": 0.52},
        {**shared, "name": "stored", "file_bytes": 900, "latency_ratio": ratio},
        {**shared, "name": "poor", "file_bytes": 10, "latency_ratio": 0.1, "score_val": 50.0},
    ]
    assert _best(rows, dict.fromkeys(("static", "stored", "poor"), result))["name"] == best


@pytest.mark.slow
def test_a_comparison_goes_on_where_it_stopped(job, two, tmp_path, monkeypatch):
    compare_quantizers(job, two[:1], out=tmp_path / "run")
    ran: list[int] = []
    run: Callable = Quantize.run
    monkeypatch.setattr(Quantize, "run", lambda self, *args, **kw: ran.append(self.bits) or run(self, *args, **kw))
    report = compare_quantizers(job, two, out=tmp_path / "run", resume=True)
    assert ran == [2] and len(report.content["comparison"]) == 3


@pytest.mark.slow
def test_a_way_that_the_model_cannot_go_is_left_out_with_its_reason(job, two, tmp_path):
    tight = Variant(name="tight", stage=Quantize(method="minmax", mixed=Mixed(limits=Limits(weight_bytes=1))))
    report = compare_quantizers(job, (tight, two[0]), out=tmp_path / "run")
    assert [row["name"] for row in report.content["comparison"]] == ["float32", "8 bits"]
    (refused,) = report.content["comparison_refused"]
    assert refused["name"] == "tight" and "No choice of bits reaches weight_bytes of 1" in refused["reason"]
    assert f"Left out: tight. {refused['reason']}" in report.page.read_text()
    with pytest.raises(BudgetError, match="weight_bytes of 1"):
        compare_quantizers(job, (tight,), out=tmp_path / "none")


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
    stored = {**other, "name": "fp16, weights only", "weight_bits": 16, "activation_bits": 32}
    assert comparison_rows({"comparison": [first, stored], "comparison_best": ""})[1][1][1] == "16 / float"
