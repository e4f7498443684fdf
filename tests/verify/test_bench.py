"""`bench` as a whole: real models in real runtimes; structure and wording, never a time that must be reached."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from torch import nn

from edgewright.errors import ConfigError, DataError, ExportError, LookupFailed, UnsupportedError
from edgewright.export import export_onnx
from edgewright.model import capture, save_model
from edgewright.types import plain
from edgewright.verify import BenchPlan, Stored, Subject, Timing, WarmUp, bench, file_subject, read_samples
from edgewright.verify import bench as bench_function
from edgewright.verify.cold import Start, cold_starts, question, run_probe
from edgewright.verify.conditions import conditions, remarks
from edgewright.verify.rows import row_remarks
from edgewright.verify.subjects import OPEN, Contender, contenders

QUICK = Timing(turns=2, runs=3)
WARM = BenchPlan(timing=QUICK, starts=0)  # no processes
LOADER = "edgewright.model:load_model"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A little classifier with all of its forms."""
    folder = tmp_path_factory.mktemp("small")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    net = capture(net, (1, 8, 8))
    artifact = export_onnx(net, folder / "artifact", name="small", preprocess={"mean": [0.3], "std": [0.4]})
    (folder / "torch").mkdir()
    save_model(net, folder / "torch")
    subject = Subject(
        name="small", onnx=artifact.model_path, net=net, input_shape=(1, 8, 8),
        stored=Stored(folder=folder / "torch", loader=LOADER),
    )  # fmt: skip
    return SimpleNamespace(subject=subject, artifact=artifact, folder=folder)


def relu_file(path, shape):
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [value("x", 1, shape)], [value("y", 1, None)]
    )
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10), path)
    return path


# -- what is measured -----------------------------------------------------------------------------------------------
def test_every_setting_has_a_row_for_each_model_in_each_runtime_and_they_compute_the_same(small):
    plan = BenchPlan(runtimes=("onnxruntime", "eager"), threads=(1, 2), batches=(1, 3), timing=QUICK, starts=0)
    found = bench([small.subject], plan=plan)
    keys = [(row.latency.threads, row.latency.batch, row.runtime) for row in found.rows]
    assert keys == [(n, b, runtime) for n in (1, 2) for b in (1, 3) for runtime in ("onnxruntime", "eager")]
    for row in found.rows:
        assert row.images_per_s == row.latency.batch / row.latency.median_s
        assert row.ratio_range[0] <= row.ratio <= row.ratio_range[1] and row.latency.runs == 6
    assert all(row.ratio == 1 and row.difference is None for row in found.rows[::2])
    assert all(row.difference < 1e-5 for row in found.rows[1::2])  # two float32 libraries, sums in another order
    assert found.cold == () and found.end_to_end == () and found.data is None and found.skipped == ()
    assert json.loads(json.dumps(plain(found), allow_nan=False))["input_shape"] == [1, 8, 8]


def test_threads_of_pytorch_are_as_before(small):
    before = torch.get_num_threads()
    bench([small.subject], plan=BenchPlan(runtimes=("eager",), threads=(before + 1,), timing=QUICK, starts=0))
    assert torch.get_num_threads() == before


def test_a_form_that_computes_something_else_is_pointed_at(small):
    other = Subject(name="two", onnx=small.artifact.model_path, net=nn.Sequential(nn.Flatten(), nn.Linear(64, 10)),
                    input_shape=(1, 8, 8))  # fmt: skip
    plan = BenchPlan(runtimes=("onnxruntime", "eager"), timing=QUICK, starts=0)
    said = " ".join(bench([other], plan=plan).remarks)
    assert "two in eager gives other outputs than" in said and "another function" in said


@pytest.mark.slow
def test_cold_start_and_memory_are_those_of_a_process_with_the_runtime_alone(made):
    files = [file_subject(made.int8.folder), file_subject(made.fp32.model_path)]
    found = bench(files, plan=BenchPlan(timing=QUICK, starts=2))
    assert [row.model for row in found.cold] == [each.name for each in files]
    for row in found.cold:
        steps = (row.start_s, row.import_s, row.load_s, row.first_s)
        assert min(steps) > 0 and row.compile_s is None and row.compile_empty_s is None and row.starts == 2
        assert row.total_range_s[0] <= row.total_s <= row.total_range_s[1]
        assert 10 * 2**20 < row.peak_rss_bytes < 400 * 2**20  # this process with torch in it has more
        assert row.added_rss_bytes == row.peak_rss_bytes - row.baseline_rss_bytes >= 0
    assert found.rows[0].num_bytes < found.rows[1].num_bytes


def test_a_probe_tells_each_step_and_the_steps_make_up_the_whole(small, tmp_path):
    start = Start(shape=(2, 1, 8, 8), threads=1, cache=tmp_path / "cache")
    contender = Contender(subject=small.subject, runtime="onnxruntime")
    found = run_probe(question(contender, start), start)
    assert set(found) == {"start_s", "import_s", "load_s", "first_s", "total_s", "peak_bytes"}
    assert sum(found[name] for name in ("start_s", "import_s", "load_s", "first_s")) == pytest.approx(found["total_s"])
    bare = run_probe({**question(contender, start), "model": None}, start)
    assert set(bare) == {"start_s", "import_s", "peak_bytes"} and bare["peak_bytes"] < found["peak_bytes"]


@pytest.mark.slow
def test_a_stored_module_starts_in_a_process_of_its_own(small):
    those, _ = contenders([small.subject], ("eager",))
    (row,), failed = cold_starts(those, shape=(1, 1, 8, 8), threads=1, starts=1)
    assert failed == () and row.total_s >= row.import_s > row.load_s > 0 and row.peak_rss_bytes > 100 * 2**20


def test_a_process_that_does_not_start_says_why(tmp_path):
    start = Start(shape=(1, 1, 8, 8), threads=1, cache=tmp_path / "c")
    missing = Contender(subject=Subject(name="m", onnx=tmp_path / "none.onnx"), runtime="onnxruntime")
    with pytest.raises(ExportError, match=r"none\.onnx does not start in a process of its own \(.*NO_SUCHFILE"):
        run_probe(question(missing, start), start)


def test_whole_decisions_are_measured_with_data_alone(small):
    plan = BenchPlan(runtimes=("onnxruntime", "eager"), batches=(1, 4), timing=QUICK, starts=0)
    found = bench([small.subject], plan=plan, samples=read_samples("digits"))
    assert [(row.batch, row.runtime) for row in found.end_to_end] == [
        (1, "onnxruntime"), (1, "eager"), (4, "onnxruntime"), (4, "eager"),
    ]  # fmt: skip
    for row in found.end_to_end:
        assert row.decode_s is None and row.samples == 64 and 0 < row.share_of_model < 1
        assert row.images_per_s == row.batch / row.whole_s
    assert found.data == "digits"


def test_files_of_a_folder_are_decoded_each_time(small, tmp_path):
    for name, side in (("a/1.png", 8), ("a/2.png", 12), ("b/3.png", 20)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((side, side), 100, np.uint8)).save(tmp_path / name)
    samples = read_samples("folder:.", root=tmp_path)
    assert samples.num == 3 and [image.shape[-1] for image in samples.take([0, 2])] == [8, 20]
    found = bench([small.subject], plan=BenchPlan(batches=(3,), timing=QUICK, starts=0), samples=samples)
    assert found.end_to_end[0].decode_s > 0


@pytest.mark.slow
def test_all_three_runtimes_run_a_zoo_model(tmp_path):
    from edgewright.zoo import resolve

    if not (shutil.which("g++") or shutil.which("c++") or shutil.which("clang++")):
        pytest.skip("torch.compile needs a C++ compiler, and this machine has none")
    built = resolve("simple_cnn", num_classes=None)
    net = capture(built.model, built.input_shape, name=built.name)
    path = export_onnx(net, tmp_path / "a", name="simple_cnn", preprocess={}).model_path
    subject = Subject(name="simple_cnn", onnx=path, net=net, input_shape=built.input_shape)
    plan = BenchPlan(runtimes=("onnxruntime", "eager", "compiled"), timing=QUICK, starts=0)
    found = bench([subject], plan=plan)
    assert [row.runtime for row in found.rows] == ["onnxruntime", "eager", "compiled"] and found.skipped == ()
    assert all(row.difference < 1e-5 for row in found.rows[1:])
    assert found.rows[2].latency.runtime.endswith("compiled") and found.rows[2].images_per_s > 0


@pytest.mark.slow  # loading the compiler takes seconds
def test_without_a_compiler_the_others_go_on_and_the_reason_is_told(small, monkeypatch):
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", (None, "/no/such/compiler"))
    plan = BenchPlan(runtimes=("eager", "compiled"), timing=QUICK, starts=0)
    found = bench([small.subject], plan=plan)
    assert [row.runtime for row in found.rows] == ["eager"]
    (skip,) = found.skipped
    assert skip.runtime == "compiled" and "finds no C++ compiler" in skip.reason and "install one" in skip.reason


def test_what_does_not_compile_is_told_once_and_not_tried_again_in_the_next_setting(small, monkeypatch):
    tried = []

    def refuse(subject, images_BCHW, threads):
        tried.append(len(images_BCHW))
        raise UnsupportedError("no compiler here.")

    monkeypatch.setitem(OPEN, "compiled", refuse)
    plan = BenchPlan(runtimes=("eager", "compiled"), batches=(1, 2, 3), timing=QUICK, starts=0)
    found = bench([small.subject], plan=plan)
    assert tried == [1] and len(found.rows) == 3
    assert [(skip.model, skip.runtime, skip.reason) for skip in found.skipped] == [
        ("small", "compiled", "no compiler here")
    ]


def test_an_onnx_file_has_no_form_in_pytorch_and_it_is_said(small):
    subjects = [small.subject, file_subject(small.artifact.folder)]
    found = bench(subjects, plan=BenchPlan(runtimes=("onnxruntime", "eager"), timing=QUICK, starts=0))
    assert len(found.rows) == 3
    assert [(skip.runtime, skip.reason) for skip in found.skipped] == [
        ("eager", "an artifact holds no PyTorch model, give the run or the model that it was made from")
    ]


def test_integers_that_are_slower_than_float_are_told_with_the_layers_to_blame(made):
    quantized, other = file_subject(made.int8.folder), file_subject(made.fp32.folder)
    found = bench([quantized, other], plan=WARM)
    even = replace(found.rows[0].latency, spread=0.0, cpu_s=9.0, warm_up=WarmUp(calls=10, stable=True))
    slow, fast = (replace(each, latency=replace(even, median_s=s)) for each, s in zip(found.rows, (2, 1), strict=True))
    (said,) = row_remarks([slow, fast], [quantized, other])
    assert said.startswith(f"{quantized.name} is int8 and slower than {other.name}: ") and "channels" in said
    assert row_remarks([replace(slow, latency=fast.latency), fast], [quantized, other]) == ()


# -- conditions -----------------------------------------------------------------------------------------------------
def test_what_the_machine_tells_is_read_and_what_it_does_not_is_unknown(tmp_path):
    cpuinfo, governor = tmp_path / "cpuinfo", tmp_path / "governor"
    cpuinfo.write_text("model name\t: Chip 9\ncpu MHz\t\t: 2500.5\nflags\t\t: fpu hypervisor\n")
    governor.write_text("powersave\n")
    found = conditions(0.1, cpuinfo=cpuinfo, governor=governor)
    assert (found.processor, found.clock_hz, found.governor, found.is_virtual) == (
        "Chip 9",
        2500.5e6,
        "powersave",
        True,
    )
    assert {"onnxruntime", "torch", "python", "edgewright"} <= set(found.versions)
    cpuinfo.write_text("cpu MHz\t\t: not told\n")
    assert conditions(0.1, cpuinfo=cpuinfo, governor=governor).clock_hz is None
    unknown = conditions(None, cpuinfo=tmp_path / "none", governor=tmp_path / "none")
    assert (unknown.clock_hz, unknown.governor, unknown.is_virtual, unknown.load_before) == (None, None, None, None)


def test_more_threads_than_cores_load_and_a_slow_governor_are_remarked_upon(tmp_path):
    (tmp_path / "governor").write_text("powersave")
    found = conditions(99.0, governor=tmp_path / "governor")
    said = remarks(found, (1, found.usable_cores + 1))
    assert len(said) == 3 and "wait for each other" in said[0] and "load 99.0" in said[1] and "powersave" in said[2]
    assert remarks(conditions(0.0, governor=tmp_path / "none"), (1,)) == ()


# -- refusals -------------------------------------------------------------------------------------------------------
def test_bench_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="nothing to measure"):
        bench_function([])


def test_files_with_different_inputs_are_refused(made, tmp_path):
    other = file_subject(relu_file(tmp_path / "other.onnx", ["n", 3, 4, 4]))
    with pytest.raises(ConfigError, match=r"other\.onnx takes \[3, 4, 4\], .* takes \[1, 8, 8\]: measure them apart"):
        bench([file_subject(made.int8.folder), other], plan=WARM)


def test_a_file_of_one_batch_says_which(tmp_path):
    subject = file_subject(relu_file(tmp_path / "one.onnx", [1, 3, 4, 4]))
    with pytest.raises(ConfigError, match=r"one\.onnx takes batches of 1 alone, got 4: write --batch 1"):
        bench([subject], plan=BenchPlan(batches=(1, 4), timing=QUICK))


def test_a_file_without_a_fixed_size_is_refused(tmp_path):
    subject = file_subject(relu_file(tmp_path / "any.onnx", ["n", 3, "h", "w"]))
    with pytest.raises(ConfigError, match=r"any\.onnx takes inputs of no fixed size"):
        bench([subject], plan=WARM)


def test_a_model_that_is_given_twice_is_refused(small):
    with pytest.raises(ConfigError, match="small is given twice"):
        bench([small.subject, small.subject], plan=WARM)


def test_a_file_in_pytorch_alone_leaves_nothing_to_measure(small):
    with pytest.raises(ConfigError, match=r"in eager: the file model\.onnx is run as it is"):
        bench([file_subject(small.artifact.model_path)], plan=BenchPlan(runtimes=("eager",)))


def test_data_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist: check the path after `folder:`"):
        read_samples("folder:none", root=tmp_path)
    with pytest.raises(DataError, match="holds no images"):
        read_samples(f"folder:{tmp_path}")


@pytest.mark.parametrize(
    ("given", "error", "sentence"),
    [
        ({"runtimes": ("tvm",)}, LookupFailed, "one of onnxruntime, openvino, executorch, eager, compiled, got 'tvm'"),
        ({"batches": (0,)}, ConfigError, r"Timing\.batch must be 1 or more, got 0"),
        ({"threads": ()}, ConfigError, r"BenchPlan\.threads needs one or more different values"),
        ({"batches": (2, 2)}, ConfigError, r"BenchPlan\.batches needs one or more different values"),
        ({"starts": -1}, ConfigError, r"BenchPlan\.starts is a number of processes from 0, got -1"),
    ],
)
def test_plans_out_of_range_are_refused(given, error, sentence):
    with pytest.raises(error, match=sentence):
        BenchPlan(**given)
