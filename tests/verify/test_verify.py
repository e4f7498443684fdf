"""The judge: what it measures, what it refuses, and whom it blames."""

import dataclasses
import json
import shutil

import numpy as np
import onnx
import pytest
import torch

from edgewright.compress.quantize import Precision, observe, plan_quantizers, ranges_of, simulate
from edgewright.devices.machine import has_fast_integers
from edgewright.errors import ConfigError, DataError, ShapeError, UserError
from edgewright.export import export_onnx
from edgewright.model import capture
from edgewright.tasks import evaluate
from edgewright.types import Budget, Score
from edgewright.verify import (
    OnnxRunner,
    TensorParity,
    Timing,
    checks,
    compare_codes,
    kernels,
    parity,
    race,
    read_artifact,
    read_expected,
    saturation_warning,
    verify_artifact,
)  # fmt: skip
from edgewright.verify.timing import WARM_UP

QUICK = Timing(turns=2, runs=5)


@pytest.fixture(scope="module")
def verdict(made):
    before = evaluate(OnnxRunner(made.fp32.model_path), made.task, made.data, "test")
    return verify_artifact(
        made.int8, task=made.task, data=made.data, simulation=made.simulation, fp32=made.fp32, baseline=before,
        budget=Budget(max_drop=2.0, ram_bytes=10**6, flash_bytes=10**6, latency_s=1.0), cost=made.cost, timing=QUICK,
    )  # fmt: skip


def check(verdict, name):
    return next(each for each in verdict.checks if each.name == name)


@pytest.fixture
def copy(made, tmp_path):
    """An artifact of one's own to spoil."""
    return shutil.copytree(made.int8.folder, tmp_path / "artifact")


def test_the_runtime_decides_as_the_simulation(verdict):
    assert verdict.agreement >= 99.5
    assert check(verdict, "agreement").passed and "359 images of test" in check(verdict, "agreement").how


def test_parity_is_reported_per_tensor_and_within_a_step(made, verdict):
    assert [row.tensor for row in verdict.parity] == list(made.int8.manifest["tensors"])
    assert all(row.max_steps <= 1 and row.share_equal > 0.99 for row in verdict.parity)
    assert all(row.own_max_steps <= 1 and row.own_share_equal > 0.99 for row in verdict.parity)


def test_every_limit_of_the_budget_becomes_a_check(verdict):
    names = [each.name for each in verdict.checks]
    assert names[:6] == ["files", "score", "agreement", "parity", "integer kernels", "file size"]
    assert {"latency against fp32", "ram_bytes", "flash_bytes", "latency_s"} <= set(names)
    assert check(verdict, "flash_bytes").how == "measured" and check(verdict, "ram_bytes").how == "estimated"


def test_score_decisions_and_targets_belong_together(made, verdict):
    share = np.mean(np.array(verdict.decisions) == np.array(verdict.targets))
    assert verdict.score.value == pytest.approx(100 * share) and verdict.score.num_samples == 359


def test_latency_is_measured_in_turns_with_its_spread(verdict):
    assert [each.artifact for each in verdict.latency] == ["int8", "fp32"]
    assert len(verdict.latency_ratios) == QUICK.turns
    assert verdict.latency_ratio == pytest.approx(np.median(verdict.latency_ratios))
    assert all(0 < each.median_s <= each.p95_s <= each.p99_s for each in verdict.latency)


def test_all_layers_run_in_integers(verdict):
    assert verdict.kernels.integer == {"QGemm": 1, "QLinearConv": 1}
    assert not verdict.kernels.stayed_float and check(verdict, "integer kernels").passed


def test_a_drop_beyond_the_limit_fails_the_score_and_says_by_how_much(made):
    perfect = Score(metric="top-1", value=100.0, num_samples=359, split="test")
    result = verify_artifact(
        made.int8, task=made.task, data=made.data, baseline=perfect, budget=Budget(max_drop=0.0), timing=QUICK
    )
    assert not result.passed
    failed = check(result, "score")
    assert not failed.passed and "points too low" in failed.blame and "100.00 before" in failed.how


def test_a_broken_limit_is_named_with_its_factor(made):
    result = verify_artifact(
        made.int8, task=made.task, data=made.data, budget=Budget(ram_bytes=1), cost=made.cost, timing=QUICK
    )
    failed = check(result, "ram_bytes")
    assert not failed.passed and f"{made.cost.ram_bytes:.2f} times the limit" in failed.blame


def test_a_file_that_is_too_large_fails_the_size(made):
    result = verify_artifact(
        made.int8, task=made.task, data=made.data, fp32=made.fp32, max_size_share=0.01, timing=QUICK
    )
    assert not check(result, "file size").passed and "prune more" in check(result, "file size").blame


def test_a_simulation_that_decides_otherwise_fails_the_agreement(made):
    def opposite(images_BCHW):
        return -made.simulation(images_BCHW)

    result = verify_artifact(made.int8, task=made.task, data=made.data, simulation=opposite, timing=QUICK)
    assert result.agreement < 50 and not check(result, "agreement").passed


def test_other_golden_codes_fail_the_parity_and_name_the_first_tensor(made, copy):
    with np.load(copy / "expected.npz") as stored:
        expected = dict(stored)
    expected["codes/relu_codes"] = expected["codes/relu_codes"] ^ 4
    rows = parity(copy / "model.onnx", expected)
    assert {row.tensor for row in rows if row.mean_steps > 1} == {"relu_codes"}


def test_a_difference_that_comes_from_before_is_not_an_operators_own(made):
    expected = read_expected(made.int8)
    rows = parity(made.int8.model_path, {**expected, "input": expected["input"] + 0.3})
    assert min(row.mean_steps for row in rows) > 1 and max(row.own_max_steps for row in rows) <= 1


@pytest.mark.slow
def test_an_operator_that_the_runtime_computes_otherwise_is_found_by_its_own_difference(tmp_path):
    class Gate(torch.nn.Module):
        """ONNX Runtime's integer softmax gives 0 for what lies above the range of its output."""

        def __init__(self):
            super().__init__()
            self.first, self.last = torch.nn.Conv2d(3, 4, 1), torch.nn.Conv2d(4, 4, 1)

        def forward(self, x):
            x = self.first(x)
            return self.last(x * torch.softmax(x, dim=1))

    images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = capture(Gate(), (3, 8, 8))
    plan = dataclasses.replace(plan_quantizers(net), fixed={})
    found = ranges_of(observe(net, plan, images), method="minmax") | {"softmax": (0.0, 0.2)}
    artifact = export_onnx(simulate(net, plan, found), tmp_path / "a", name="a", preprocess={}, samples_BCHW=images)
    rows = {row.tensor: row for row in parity(artifact.model_path, read_expected(artifact))}
    assert rows["softmax_codes"].own_max_steps == 255 and rows["last_codes"].max_steps > 1
    assert max(row.own_max_steps for name, row in rows.items() if name != "softmax_codes") <= 1


@pytest.mark.slow
@pytest.mark.parametrize("bits", [4, 8])
def test_codes_are_compared_where_the_file_clips_them(bits, made, tmp_path):
    images = made.data.calibration(64, 0)
    net = capture(torch.nn.Sequential(torch.nn.Conv2d(1, 16, 3), torch.nn.Conv2d(16, 4, 3)), (1, 8, 8))
    plan, precision = plan_quantizers(net), Precision(activations=bits)
    found = {
        name: (low / 2, high / 2)
        for name, (low, high) in ranges_of(observe(net, plan, images), method="minmax", precision=precision).items()
    }  # many codes saturate
    simulation = simulate(net, plan, found, precision=precision)
    artifact = export_onnx(simulation, tmp_path / "a", name="a", preprocess={}, samples_BCHW=images[:4])
    rows = parity(artifact.model_path, read_expected(artifact))
    assert len(rows) == 3 and all(max(row.max_steps, row.own_max_steps) <= 1 for row in rows)


def test_a_float_layer_is_found_and_blamed(made, copy):
    model = onnx.load(copy / "model.onnx")
    for node in model.graph.node:  # take the bias's scale away from input scale times weight scale
        if node.op_type == "Conv":
            node.attribute.append(onnx.helper.make_attribute("dilations", [1, 1]))
            bias = next(each for each in model.graph.node if each.output[0] == node.input[2])
            scale = next(each for each in model.graph.initializer if each.name == bias.input[1])
            scale.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(scale) * 2, scale.name))
    onnx.save(model, copy / "model.onnx")
    found = kernels(copy / "model.onnx")
    assert [(node.op, node.heavy) for node in found.heavy] == [("Conv", True)]
    assert "did not fuse" in found.heavy[0].reason


def test_a_float_artifact_is_judged_too(made):
    result = verify_artifact(made.fp32.folder, task=made.task, data=made.data, timing=QUICK)
    assert result.passed and [each.artifact for each in result.latency] == ["fp32"]
    assert "integer kernels" not in [each.name for each in result.checks]


# -- bad input ------------------------------------------------------------------------------------------------------
def spoil_manifest(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


SPOILS = {
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "holds no manifest.json"),
    "manifest is no JSON": (lambda f: (f / "manifest.json").write_text("{"), "is not valid JSON"),
    "manifest of another format": (lambda f: spoil_manifest(f, format="x/9"), "the format 'x/9', this version reads"),
    "manifest without files": (lambda f: spoil_manifest(f, files=[{"path": "a"}]), r"incomplete \(files\)"),
    "manifest that points elsewhere": (
        lambda f: spoil_manifest(f, files=[{"path": "../x", "bytes": 1, "sha256": ""}]), r"incomplete \(files\)",
    ),
    "model missing": (lambda f: (f / "model.onnx").unlink(), "lacks model.onnx"),
    "model cut off": (lambda f: (f / "model.onnx").write_bytes(b"1234"), "has 4 bytes, its manifest says"),
    "a byte changed": (
        lambda f: (f / "model.onnx").write_bytes((f / "model.onnx").read_bytes()[:-1] + b"!"), "SHA-256 differs",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILS)
def test_a_damaged_artifact_is_refused_in_one_sentence(name, copy):
    spoil, text = SPOILS[name]
    spoil(copy)
    with pytest.raises(DataError, match=text) as caught:
        read_artifact(copy)
    assert isinstance(caught.value, UserError) and caught.value.exit_code == 2 and "\n" not in str(caught.value)


def test_golden_vectors_that_cannot_be_read_are_refused(made, copy):
    (copy / "expected.npz").write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(DataError, match=r"expected\.npz cannot be read"):
        read_expected(dataclasses.replace(made.int8, folder=copy))


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(DataError, match="is not an ONNX model"):
        OnnxRunner(tmp_path / "model.onnx")
    with pytest.raises(DataError, match="There is no model file"):
        OnnxRunner(tmp_path / "other.onnx")


def test_images_of_another_size_are_refused(made):
    with pytest.raises(ShapeError, match=r"takes inputs of shape \['batch', 1, 8, 8\], got \[2, 3, 8, 8\]"):
        OnnxRunner(made.int8.model_path)(np.zeros((2, 3, 8, 8), np.float32))


def test_data_that_is_preprocessed_in_another_way_is_refused(made):
    other = made.data.fitted_to((1, 8, 8), mean=(0.1,), std=(0.9,))
    with pytest.raises(DataError, match="was made for images preprocessed as"):
        verify_artifact(made.int8, task=made.task, data=other, timing=QUICK)


# -- parts ----------------------------------------------------------------------------------------------------------
def test_the_runner_answers_in_kind(made):
    images = made.data.calibration(3, 0)
    runner = OnnxRunner(made.int8.model_path)
    as_torch, as_numpy = runner(images), runner(images.numpy())
    assert isinstance(as_torch, torch.Tensor) and isinstance(as_numpy, np.ndarray)
    assert np.array_equal(as_torch.numpy(), as_numpy)


def test_an_operator_that_is_off_by_itself_fails_the_parity_and_is_named():
    row = TensorParity(tensor="a", max_steps=1, mean_steps=0.1, share_equal=0.9, own_max_steps=1, own_share_equal=0.9)
    rows = [row, dataclasses.replace(row, tensor="b", own_max_steps=7)]
    passed, failed = (checks.parity(each, {"input": np.zeros(2)})[0] for each in (rows[:1], rows))
    assert passed.passed and passed.how.endswith("an operator by itself at most 1 step off")
    assert not failed.passed and "computes b otherwise than the file says: 7 steps off by itself" in failed.blame


def test_differences_are_counted_in_steps():
    row = compare_codes(np.array([0, 10, 255], np.uint8), np.array([0, 12, 254], np.uint8), tensor="t")
    assert (row.max_steps, row.mean_steps, row.share_equal) == (2, 1.0, pytest.approx(1 / 3))


def test_models_take_turns_and_every_second_turn_goes_backwards():
    calls = []
    models = {name: (lambda _, name=name: calls.append(name)) for name in "ab"}
    result = race(models, np.zeros(1), timing=Timing(turns=2, runs=3))
    in_turns = [name for name, before in zip(calls, [None, *calls], strict=False) if name != before]
    assert calls[:WARM_UP] == ["a"] * WARM_UP and in_turns == ["a", "b", "a", "b", "a"]
    assert [each.runs for each in result.latencies] == [6, 6] and len(result.ratios) == 2


def test_timing_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match=r"Timing\.turns must be 1 or more, got 0"):
        Timing(turns=0)


@pytest.mark.parametrize(
    ("text", "warns"),
    [
        ("flags\t: fpu avx2", True), ("flags\t: fpu avx2 avx512_vnni", False), ("flags\t: avx_vnni", False),
        ("flags\t: fpu amx_int8", False), ("", False),
    ],
)  # fmt: skip
def test_a_processor_without_wide_dot_products_is_warned_about(text, warns, tmp_path, monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    (tmp_path / "cpuinfo").write_text(text)
    assert bool(saturation_warning(tmp_path / "cpuinfo")) == warns
    assert has_fast_integers(tmp_path / "cpuinfo") == (bool(text) and not warns)
    assert saturation_warning(tmp_path / "missing") == ""
