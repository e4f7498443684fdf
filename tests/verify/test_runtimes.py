"""The runtimes of files: which there are, what each loads, and how they refuse."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from edgewright.cli import app
from edgewright.errors import ConfigError, DataError, MissingExtraError, ShapeError, UserError
from edgewright.export import export_executorch, export_openvino
from edgewright.types import plain
from edgewright.verify import (
    RUNTIMES,
    BenchPlan,
    ExecuTorchRunner,
    OnnxRunner,
    OpenVinoRunner,
    Subject,
    Timing,
    bench,
    file_subject,
    installed_runtimes,
    verify_artifact,
)
from edgewright.verify.formats import FORMATS, format_of
from edgewright.verify.subjects import EXTRAS, FILES, IN_TORCH, OPEN, check_installed, file_bytes

needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="openvino is not installed: pip install 'edgewright[openvino]'"
)
needs_executorch = pytest.mark.skipif(
    importlib.util.find_spec("executorch") is None,
    reason="executorch is not installed: pip install 'edgewright[executorch]'",
)
QUICK = Timing(turns=1, runs=3)


@pytest.fixture(scope="module")
def in_openvino(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("openvino")
    return export_openvino(made.simulation, folder / "int8", name="d", preprocess=plain(made.data.preprocess))


@pytest.fixture(scope="module")
def in_executorch(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("executorch")
    return export_executorch(made.simulation, folder / "int8", name="d", preprocess=plain(made.data.preprocess))


def images(made, num=8):
    return made.data.calibration(num, 2).numpy()


# -- the registry ---------------------------------------------------------------------------------------------------
def test_every_runtime_opens_files_or_modules():
    assert set(FILES) | IN_TORCH == set(RUNTIMES) == set(OPEN) and not set(FILES) & IN_TORCH
    assert set(EXTRAS) < set(FILES)


def test_what_is_not_installed_is_left_out_of_all_and_refused_by_name(monkeypatch):
    monkeypatch.setattr("edgewright.verify.subjects.package_version", lambda name: None)
    assert installed_runtimes() == ("onnxruntime", "eager", "compiled")
    check_installed(["onnxruntime", "eager"])
    with pytest.raises(MissingExtraError, match=r"pip install 'edgewright\[openvino\]'") as found:
        check_installed(["onnxruntime", "openvino"])
    assert found.value.exit_code == 2


def test_bench_in_a_missing_runtime_is_one_sentence(made, monkeypatch):
    monkeypatch.setattr("edgewright.verify.subjects.package_version", lambda name: None)
    done = CliRunner().invoke(app, ["bench", str(made.int8.folder), "--runtime", "executorch"])
    assert done.exit_code == 2 and done.stdout == "" and "edgewright[executorch]" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_file_is_taken_for_what_its_suffix_says(tmp_path):
    for suffix, field in ((".onnx", "onnx"), (".xml", "openvino"), (".pte", "executorch")):
        subject = file_subject(tmp_path / f"m{suffix}")
        assert getattr(subject, field) == tmp_path / f"m{suffix}"
        assert [name for name in ("onnx", "openvino", "executorch") if getattr(subject, name)] == [field]
    assert FILES["openvino"](Subject(name="m", onnx=tmp_path)) == tmp_path  # it reads ONNX as well


def test_bytes_of_a_graph_count_the_numbers_beside_it(tmp_path):
    (tmp_path / "m.xml").write_bytes(b"123")
    assert file_bytes(tmp_path / "m.xml") == 3
    (tmp_path / "m.bin").write_bytes(b"12345")
    assert file_bytes(tmp_path / "m.xml") == 8


def test_every_format_loads_its_own_file():
    for suffix, form in FORMATS.items():
        assert suffix in form.loads and set(form.loads) <= set(FORMATS)
    assert format_of(Path("x.unknown")).runtime == "ONNX Runtime"


@pytest.mark.parametrize(("runner", "module"), [(OpenVinoRunner, "openvino"), (ExecuTorchRunner, "executorch")])
def test_a_runner_without_its_package_names_the_extra(runner, module, made, monkeypatch):
    for name in (module, f"{module}.kernels", f"{module}.kernels.quantized"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=rf"edgewright\[{module}\]"):
        runner(made.int8.model_path)


# -- OpenVINO -------------------------------------------------------------------------------------------------------
@needs_openvino
@pytest.mark.slow
def test_openvino_decides_as_onnx_runtime_on_the_same_file(made):
    x = images(made, 64)
    ours, other = OpenVinoRunner(made.int8.model_path), OnnxRunner(made.int8.model_path)
    assert np.mean(ours(x).argmax(1) == other(x).argmax(1)) >= 0.98
    assert np.abs(OpenVinoRunner(made.fp32.model_path)(x) - OnnxRunner(made.fp32.model_path)(x)).max() < 1e-3
    assert isinstance(ours(torch.from_numpy(x)), torch.Tensor) and ours.runtime.startswith("openvino 2")


@needs_openvino
def test_openvino_refuses_what_is_no_model_and_images_of_another_size(made, tmp_path):
    with pytest.raises(DataError, match="There is no model file"):
        OpenVinoRunner(tmp_path / "none.xml")
    (tmp_path / "lone.xml").write_text("<net/>")
    with pytest.raises(DataError, match=r"lacks its weights, lone\.bin"):
        OpenVinoRunner(tmp_path / "lone.xml")
    (tmp_path / "m.onnx").write_bytes(b"no model")
    with pytest.raises(UserError, match="OpenVINO does not load"):
        OpenVinoRunner(tmp_path / "m.onnx")
    with pytest.raises(ShapeError, match=r"takes inputs of shape \['batch', 1, 8, 8\], got \[2, 3, 8, 8\]"):
        OpenVinoRunner(made.int8.model_path)(np.zeros((2, 3, 8, 8), np.float32))


@needs_openvino
@pytest.mark.slow
def test_verify_judges_openvino_files_in_openvino(made, in_openvino):
    found = verify_artifact(
        in_openvino, task=made.task, data=made.data, simulation=made.simulation, fp32=made.fp32, timing=QUICK,
        is_target=False,
    )  # fmt: skip
    checks = {check.name: check for check in found.checks}
    assert checks["integer kernels"].value == 0 and "as OpenVINO optimized it" in checks["integer kernels"].how
    assert checks["agreement"].passed and "OpenVINO against the simulation" in checks["agreement"].how
    assert "openvino" in checks["latency against fp32"].how and found.kernels.integer["Convolution"] >= 1


@needs_openvino
@pytest.mark.slow
def test_bench_times_one_file_in_two_runtimes(made):
    plan = BenchPlan(runtimes=("onnxruntime", "openvino"), timing=QUICK, starts=1, batches=(1, 2))
    found = bench([file_subject(made.int8.folder)], plan=plan)
    assert [row.runtime for row in found.rows] == ["onnxruntime", "openvino"] * 2
    assert all(row.difference is None or row.difference < 0.1 for row in found.rows)
    assert [row.runtime for row in found.cold] == ["onnxruntime", "openvino"] and found.skipped == ()


# -- ExecuTorch -----------------------------------------------------------------------------------------------------
@needs_executorch
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_verify_judges_a_program_in_executorch(made, in_executorch):
    found = verify_artifact(
        in_executorch, task=made.task, data=made.data, simulation=made.simulation, fp32=made.fp32, timing=QUICK,
        max_size_share=3.0,  # a program has a fixed part, and this net is tiny
    )  # fmt: skip
    checks = {check.name: check for check in found.checks}
    assert found.agreement == 100 and "ExecuTorch against the simulation" in checks["agreement"].how
    assert "latency against fp32" not in checks  # the float file is of another runtime
    assert checks["integer kernels"].passed and found.passed


@needs_executorch
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_program_takes_its_own_shape_and_larger_batches_image_by_image(made, in_executorch, tmp_path):
    runner, x = ExecuTorchRunner(in_executorch.model_path), images(made, 3)
    whole = runner(x)
    assert runner.input_shape == (1, 1, 8, 8)
    assert np.array_equal(whole, np.concatenate([runner(x[i : i + 1]) for i in range(3)]))
    with pytest.raises(ShapeError, match=r"takes inputs of shape \[1, 1, 8, 8\], got \[1, 3, 8, 8\]"):
        runner(np.zeros((1, 3, 8, 8), np.float32))
    (tmp_path / "m.pte").write_bytes(b"no program at all")
    with pytest.raises(DataError, match="is not an ExecuTorch program"):
        ExecuTorchRunner(tmp_path / "m.pte")
    with pytest.raises(DataError, match="There is no model file"):
        ExecuTorchRunner(tmp_path / "none.pte")


@needs_executorch
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_bench_refuses_batches_that_a_program_does_not_take(in_executorch):
    plan = BenchPlan(runtimes=("executorch",), batches=(1, 4), timing=QUICK, starts=0)
    with pytest.raises(ConfigError, match="takes batches of 1 alone, got 4"):
        bench([file_subject(in_executorch.folder)], plan=plan)
    found = bench([file_subject(in_executorch.folder)], plan=BenchPlan(runtimes=("executorch",), timing=QUICK))
    assert [row.runtime for row in found.rows] == ["executorch"] and found.cold[0].load_s > 0
