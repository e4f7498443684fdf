"""Wrong input: one sentence that names it and the remedy, exit code 2, and nothing left behind."""

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from edgewright.cli import app

FACTORIES = """
import torch
from torch import nn

class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(64, 10)
    def forward(self, x):
        y = self.fc(x.flatten(1))
        return y, y

class Narrow(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(64, 3)
    def forward(self, x):
        return self.fc(x.flatten(1))

def two(num_classes, in_channels=1):
    return Two()

def narrow(num_classes, in_channels=1):
    return Narrow()

def poisoned(num_classes, in_channels=1):
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes))
    net[1].weight.data[0, 0] = float("nan")
    return net
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(FACTORIES)
    return tmp_path


def refused(*words, leaves=()):
    """Run a command that must fail; its sentence."""
    before = {path.name for path in Path.cwd().iterdir()}
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 2, (done.exit_code, done.stdout, done.stderr, done.exception)
    assert done.stdout == ""
    left = {path.name for path in Path.cwd().iterdir()} - before - {"__pycache__", *leaves}
    assert left == set()
    (sentence,) = done.stderr.splitlines()
    assert not re.search(r"\{[a-z_.]+\}", sentence), "a placeholder was printed literally"
    return sentence


def fit(model="simple_cnn", data="digits", device="stm32f746", *more):
    return refused("fit", model, "--data", data, "--device", device, "--out", "out", *more)


def fit_with(*more):
    return fit("simple_cnn", "digits", "stm32f746", *more)


def save_image(path, size=(8, 8), mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size).save(path)


def test_an_unknown_model_offers_near_matches(here):
    assert "Unknown model 'simple_cn': did you mean simple_cnn" in fit("simple_cn")


def test_an_unknown_device_offers_near_matches(here):
    assert "Unknown device 'stm32f764': did you mean stm32f746" in fit(device="stm32f764")


def test_an_unknown_dataset_offers_near_matches(here):
    assert "Unknown dataset 'digit': did you mean digits" in fit(data="digit")


def test_an_unknown_recipe_offers_near_matches(here):
    assert "Unknown recipe 'defualt': did you mean default?" in fit(
        "simple_cnn", "digits", "stm32f746", "--recipe", "defualt"
    )


def test_a_recipe_file_with_unknown_settings_is_refused(here):
    (here / "r.json").write_text('{"keep_makks": 0.5}')
    assert "no setting 'keep_makks'" in fit_with("--recipe", "r.json")


@pytest.mark.parametrize("text", ["", "[1]", "{"])
def test_a_recipe_file_that_is_no_object_is_refused(here, text):
    (here / "r.json").write_text(text)
    assert "r.json" in fit_with("--recipe", "r.json")


def test_missing_weights_are_named(here):
    assert "none.pt" in fit_with("--weights", "none.pt")


def test_corrupt_weights_are_named(here):
    (here / "bad.pt").write_bytes(b"no weights at all")
    assert "bad.pt" in fit_with("--weights", "bad.pt")


def test_weights_of_another_model_are_refused(here):
    torch.save({"fc.weight": torch.zeros(2, 2)}, here / "other.pt")
    assert "other.pt" in fit_with("--weights", "other.pt")


def test_a_missing_device_file_is_named(here):
    assert "none.toml does not exist" in fit(device="none.toml")


@pytest.mark.parametrize("limit", ["--latency-ms", "--ram-kb", "--flash-kb", "--energy-mj"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf"])
def test_a_budget_of_nothing_or_without_end_is_refused(here, limit, value):
    assert fit_with(limit, value).startswith(f"{limit} must be greater than 0 and finite, got {value}")


@pytest.mark.parametrize("limit", ["--ram-kb", "--flash-kb"])
def test_a_budget_of_less_than_a_byte_is_refused(here, limit):
    assert fit_with(limit, "0.0001").startswith(f"{limit} must be at least one byte, got 0.0001")


@pytest.mark.parametrize("flag", ["--max-drop", "--min-score"])
@pytest.mark.parametrize("value", ["-1", "101", "nan"])
def test_a_score_limit_is_in_points(here, flag, value):
    assert fit_with(flag, value).startswith(f"{flag} is in points from 0 to 100, got {value}")


@pytest.mark.parametrize("share", ["0", "-0.5", "1.5"])
def test_a_share_of_macs_is_a_fraction(here, share):
    assert "in (0, 1]" in fit_with("--keep-macs", share)


def test_no_epochs_are_refused(here):
    assert "--epochs must be a whole number from 1, got 0" in fit("simple_cnn", "digits", "stm32f746", "--epochs", "0")


@pytest.mark.parametrize(("name", "value"), [("epochs", "3"), ("epochs", 2.5), ("batch_size", True), ("lr", "0.1")])
def test_a_recipe_file_with_a_setting_of_the_wrong_type_is_refused(here, name, value):
    (here / "r.json").write_text(json.dumps({"train": {name: value}}))
    assert fit_with("--recipe", "r.json").endswith(f", got {value!r}.")


def test_a_model_that_returns_a_tuple_is_refused(here):
    assert "tuple" in fit("nets.py:two", "digits", "stm32f746", "--image-size", "8", "--channels", "1")


def test_a_model_with_too_few_outputs_is_refused(here):
    sentence = fit("nets.py:narrow", "digits", "stm32f746", "--image-size", "8", "--channels", "1")
    assert "3" in sentence and "10" in sentence


def test_weights_that_are_not_finite_are_refused(here):
    assert "NaN" in fit("nets.py:poisoned", "digits", "stm32f746", "--image-size", "8", "--channels", "1")


def test_a_model_that_does_not_take_such_images_is_refused(here):
    assert "--image-size" in fit("nets.py:narrow", "digits", "stm32f746", "--image-size", "9", "--channels", "1")


def test_a_factory_that_does_not_exist_is_named(here):
    assert "'none'" in fit("nets.py:none")


def test_an_empty_class_folder_is_named(here):
    save_image(here / "photos" / "cat" / "1.png")
    (here / "photos" / "dog").mkdir()
    assert "dog" in fit(data="folder:photos")


def test_images_of_mixed_sizes_are_refused(here):
    for index, size in enumerate([(8, 8), (9, 8)] * 6):
        save_image(here / "photos" / ("cat" if index % 2 else "dog") / f"{index}.png", size)
    assert "--image-size" in fit(data="folder:photos")


def test_images_of_mixed_channels_are_refused(here):
    for index in range(12):
        save_image(here / "photos" / ("cat" if index % 2 else "dog") / f"{index}.png", mode="L" if index < 6 else "RGB")
    assert "--channels" in fit(data="folder:photos")


def test_a_damaged_image_is_named(here):
    for index in range(12):
        save_image(here / "photos" / ("cat" if index % 2 else "dog") / f"{index}.png")
    (here / "photos" / "cat" / "1.png").write_bytes(b"not a png")
    assert "1.png" in fit(data="folder:photos")


def test_labels_out_of_range_are_refused(here):
    images = np.zeros((20, 8, 8, 1), np.uint8)
    np.savez(here / "set.npz", image=images, label=np.arange(20), class_names=np.array(["a", "b"]))
    assert "label" in fit(data="npz:set.npz")


@pytest.mark.parametrize("content", [b"", b"not an archive"])
def test_a_corrupt_archive_is_named(here, content):
    (here / "set.npz").write_bytes(content)
    assert "set.npz" in fit(data="npz:set.npz")


def test_a_missing_data_root_is_explained(here):
    assert "--data-root" in fit(data="cifar10")


def test_a_missing_folder_is_named(here):
    assert "photos" in fit(data="folder:photos")


@pytest.mark.parametrize("out", ["/proc/none", "taken"])
def test_an_unwritable_output_folder_is_refused(here, out):
    (here / "taken").write_text("a file")
    sentence = refused("fit", "simple_cnn", "--data", "digits", "--device", "stm32f746", "--out", out)
    assert "--out" in sentence


def test_an_output_folder_with_other_files_is_not_touched(here):
    (here / "mine").mkdir()
    (here / "mine" / "thesis.tex").write_text("years")
    sentence = refused("fit", "simple_cnn", "--data", "digits", "--device", "stm32f746", "--out", "mine")
    assert "thesis.tex" in sentence
    assert [path.name for path in (here / "mine").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("command", ["prune", "quantize"])
def test_stages_that_need_weights_refuse_random_ones(here, command):
    more = ["--keep-macs", "0.5"] if command == "prune" else []
    sentence = refused(command, "simple_cnn", "--data", "digits", "--out", "out", *more)
    assert f"simple_cnn has random weights, and {command} needs trained ones" in sentence


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--bits", "9"], "Weights have 2 to 8 bits, got 9."),
        (["--bits", "four"], "--bits takes numbers from 2 to 8 with commas between, got 'four'."),
        (["--bits", "8,4"], "--bits takes one number without --compare, got 8,4."),
        (["--activation-bits", "12"], "Activations have 2 to 8 or 16 bits, got 12."),
        (["--method", "klx"], "--method must be one of minmax"),
        (["--repair", "glue"], "equalize, split, reestimate, rounding, analytic-bias, bias, got 'glue'."),
        (["--scheme", "lazy"], "--scheme is one of static, dynamic, weight-only, got 'lazy'."),
        (["--per", "group:x"], "--per group takes the number of weights in a group, as group:32, got 'group:x'."),
        (["--scheme", "dynamic", "--qat"], "--qat needs static integers, got scheme dynamic in int"),
        (["--measure", "mse"], "--measure chooses bits within a limit: add --weight-kb, --mean-bits or another limit."),
        (["--mean-bits", "9"], "--mean-bits must be in [2, 8], got 9.0."),
        (["--latency-ms", "0"], "--latency-ms (Limits.latency_s) must be greater than 0, got 0.0"),
        (["--compare", "--pareto"], "--compare has a row for mixed bits"),
        (["--compare", "--repair", "bias"], "--compare runs every repair whatever it costs"),
        (["--compare", "--weight-kb", "9"], "--compare has a row for mixed bits at each of --bits"),
        (["--compare", "--epochs", "2"], "with --compare add --qat."),
    ],
)
def test_wrong_settings_of_a_quantization_are_one_sentence(here, options, words):
    assert words in refused("quantize", "simple_cnn", "--data", "digits", "--out", "out", *options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--folds", "3", "--dry-run"], "--dry-run trains nothing, so --folds has no place beside it"),
        (["--find-lr", "--log", "logs"], "--find-lr trains nothing, so --log has no place beside it"),
        (["--find-lr", "--resume"], "--find-lr trains nothing, so --resume has no place beside it"),
        (["--dry-run", "--resume"], "--dry-run trains nothing, so --resume has no place beside it"),
        (["--find-lr", "--processes", "2"], "--find-lr trains nothing, so --processes has no place beside it"),
        (["--dry-run", "--out", "out"], "--dry-run trains nothing, so --out has no place beside it"),
        (["--find-lr", "--out", "out"], "--find-lr trains nothing, so --out has no place beside it"),
        (["--find-lr", "--dry-run"], "--find-lr and --dry-run are two questions"),
        (["--folds", "3", "--log", "logs"], "--log writes one training, and --folds are several"),
    ],
)
def test_two_jobs_at_once_are_one_sentence(here, options, words):
    assert words in refused("train", "simple_cnn", "--data", "digits", *options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--rounds", "0"], "--rounds must be a whole number from 1, got 0."),
        (["--rate", "1.5"], "--rate must be a share between 0 and 1, got 1.5."),
        (["--scope", "block"], "--scope must be layer or global, got 'block'."),
        (["--rewind", "-3"], "--rewind must be a number of steps from 0, got -3."),
        (["--seeds", "0"], "Tickets need 1 seed or more, got 0"),
        (["--rewind", "9999", "--epochs", "1"], "has 34 steps, got rewind to step 9999: choose an early step"),
    ],
)
def test_wrong_settings_of_tickets_are_one_sentence(here, options, words):
    assert words in refused("tickets", "simple_cnn", "--data", "digits", "--out", "out", *options)


def test_a_teacher_with_random_weights_is_refused(here):
    sentence = refused("distill", "simple_cnn", "--teacher", "simple_cnn", "--data", "digits", "--out", "out")
    assert "The teacher simple_cnn has random weights" in sentence


@pytest.mark.parametrize("command", ["report", "export"])
def test_a_folder_that_is_no_run_is_refused(here, command):
    (here / "empty").mkdir()
    assert "run.json" in refused(command, "empty")


def test_an_unfinished_run_says_how_to_finish_it(here):
    (here / "half" / "stages").mkdir(parents=True)
    assert "--resume" in refused("report", "half")


def test_an_unknown_format_and_runtime_are_refused(here):
    assert "--format is one of onnx, openvino, executorch, c, coded, got 'tflite'" in refused(
        "export", "run", "--format", "tflite"
    )
    runtimes = "A runtime is one of onnxruntime, openvino, executorch, eager, compiled, got 'tvm'"
    assert runtimes in refused("bench", "x.onnx", "--runtime", "tvm")


CLUSTER_OPTIONS = {
    ("--bits", "9"): "--bits is a whole number from 1 to 8, got 9",
    ("--conv-bits", "0"): "--conv-bits is a whole number from 1 to 8, got 0",
    ("--init", "linaer"): "Unknown start of k-means 'linaer': did you mean linear",
    ("--recover", "hope"): "--recover is one of none, train, distill, got 'hope'",
    ("--epochs", "2"): "--epochs would train nothing: add --recover train or distill",
    ("--teacher", "resnet8", "--recover", "train"): "--teacher teaches nothing with --recover train",
}


@pytest.mark.parametrize("options", CLUSTER_OPTIONS)
def test_wrong_options_of_cluster_are_refused(here, options):
    assert CLUSTER_OPTIONS[options] in refused("cluster", "simple_cnn", "--data", "digits", *options)


def test_clustering_random_weights_is_refused(here):
    assert "simple_cnn has random weights, and cluster needs trained ones" in refused(
        "cluster", "simple_cnn", "--data", "digits"
    )


@pytest.mark.parametrize(("name", "content"), [("bad.coded", b"not a model"), ("cut.coded", b"EWCODED\x01" + bytes(9))])
def test_a_file_that_is_no_coded_model_is_refused(here, name, content):
    (here / name).write_bytes(content)
    assert f"{name} is not a coded model that can be used" in refused("analyze", name)
    assert "none.coded cannot be read (No such file or directory)" in refused("analyze", "none.coded")


def test_a_missing_artifact_is_named(here):
    assert "none" in refused("verify", "none", "--data", "digits")
    assert "none.onnx" in refused("bench", "none.onnx")


def test_a_file_that_is_no_model_is_refused(here):
    (here / "bad.onnx").write_bytes(b"not a model")
    assert "bad.onnx" in refused("bench", "bad.onnx")


def test_an_onnx_file_that_the_runtime_does_not_load_is_refused(here):
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 1, 8, 8])
    node = onnx.helper.make_node("NoSuchOperator", ["x"], ["y"])
    other = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 1, 8, 8])
    graph = onnx.helper.make_graph([node], "g", [value], [other])
    onnx.save(
        onnx.helper.make_model(graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 21)]), "odd.onnx"
    )
    sentence = refused("bench", "odd.onnx", leaves=["odd.onnx"])
    assert "does not load odd.onnx" in sentence and "NoSuchOperator" in sentence


@pytest.mark.parametrize("text", ["3", "a,b", "0,3,8,8", "1,3,8,0"])
def test_a_shape_that_is_none_is_refused(here, text):
    assert "--input is a shape as [B,]C,H,W" in refused("analyze", "resnet8", "--input", text)


@pytest.mark.parametrize(
    ("flag", "message"), [("--by", "--by is one of layer"), ("--dtype", "--dtype is one of float32")]
)
def test_an_unknown_view_or_type_is_refused(here, flag, message):
    assert message in refused("analyze", "resnet8", flag, "colour")


def test_an_onnx_file_that_is_missing_or_damaged_is_refused(here):
    (here / "bad.onnx").write_bytes(b"not a model")
    assert "x.onnx cannot be read" in refused("analyze", "x.onnx")
    assert "bad.onnx is no ONNX file" in refused("analyze", "bad.onnx", leaves=["bad.onnx"])
    assert "leave out --weights" in refused("analyze", "bad.onnx", "--weights", "w.pt", leaves=["bad.onnx"])


def test_weights_beside_a_run_are_refused(here):
    (here / "run").mkdir()
    assert "leave out --weights" in refused("analyze", "run", "--weights", "w.pt")


def test_a_json_file_that_cannot_be_written_is_refused_before_any_work():
    assert "Cannot write nowhere/x.json" in " ".join(fit_with("--json", "nowhere/x.json").split())


def test_a_pattern_that_no_model_matches_offers_the_nearest():
    assert "did you mean resnet" in refused("models", "renset")


PRUNE_INPUT = [
    ([], "prune aims at one share, got none: give one of --keep-macs, --keep-params, --keep-bytes, --keep-latency"),
    (["--keep-macs", "0.5", "--keep-ram", "0.5"], "prune aims at one share, got --keep-macs and --keep-ram"),
    (["--keep-bytes", "0"], "--keep-bytes is a share in (0, 1], got 0.0"),
    (["--keep-latency", "50"], "--keep-latency is a share in (0, 1], got 50.0"),
    (["--keep-ram", "0.5", "--dtype", "int3"], "--dtype is one of float32, float16, int8, int4, got 'int3'"),
    (["--keep-params", "0.5", "--dtype", "int8"], "--dtype changes nothing about --keep-params: leave it out"),
    (["--keep-macs", "0.5", "--schedule", "cubik", "--steps", "3"], "Unknown schedule 'cubik': did you mean cubic?"),
    (["--keep-macs", "0.5", "--steps", "3"], "Only --schedule steps or cubic takes --steps"),
    (["--keep-macs", "0.5", "--schedule", "cubic", "--steps", "0"], "--steps is a whole number from 1, got 0"),
    (["--keep-macs", "0.5", "--schedule", "cubic", "--scan", "twice"], "--scan is each or once, got 'twice'"),
    (["--keep-macs", "0.5", "--recover", "rest"], "--recover is one of none, train, distill, got 'rest'"),
    (["--keep-macs", "0.5", "--epochs", "3", "--lr", "1"], "--epochs, --lr would train nothing: add --recover train"),
    (["--keep-macs", "0.5", "--recover", "train", "--epochs", "0"], "--epochs must be a whole number"),
    (["--plan", "none.json"], "There is no plan none.json: a run of `edgewright prune` writes plan.json"),
    (
        ["--plan", "p.json", "--keep-macs", "1", "--score", "l1"],
        "--plan says what leaves: leave out --keep-macs, --score",
    ),
    (["--plan", "bad.json"], "bad.json is not valid JSON"),
]  # fmt: skip


@pytest.mark.parametrize("words, message", PRUNE_INPUT)
def test_wrong_options_of_prune_are_refused_before_the_model_is_loaded(here, words, message):
    (here / "bad.json").write_text("{")
    assert message in refused("prune", "simple_cnn", "--data", "digits", "--out", "out", *words)


def test_images_that_are_both_similar_and_different_are_refused(here):
    sentence = refused("advise", "simple_cnn", "--data", "digits", "--similar", "--different")
    assert sentence.startswith("--similar and --different contradict each other: give one of them")


LEARNING = {
    "fit": ["--device", "stm32f746"], "train": [], "train --find-lr": [], "train --dry-run": [], "train --folds 3": [],
    "distill": ["--teacher", "resnet8"], "distill --kind born-again": [], "distill --kind mutual": [],
    "prune": ["--keep-macs", "0.5", "--recover", "train"], "sparsify": ["--sparsity", "0.5", "--recover", "train"],
    "cluster": ["--recover", "train"], "quantize": ["--qat"], "tickets": [], "tune": ["--vary", "lr=0.1|0.2"],
}  # fmt: skip
"""Every way to learn -> options that it needs."""


@pytest.mark.parametrize("way", LEARNING)
def test_an_accelerator_that_is_not_here_is_refused_before_data_are_looked_for(here, way):
    command, *more = way.split()
    words = [command, "simple_cnn", "--data", "folder:nowhere", *more, *LEARNING[way]]
    sentence = refused(*words, "--accelerator", "warp")
    assert sentence.startswith("PyTorch has no device 'warp' here (") and sentence.endswith("leave --accelerator out.")


@pytest.mark.parametrize("name", ["", "cuda:99", "cuda:x", "mps", "xpu", "hpu", "meta", "CPU"])
def test_each_name_that_torch_has_no_device_for_is_one_sentence(here, name):
    assert f"PyTorch has no device '{name}' here (" in train_with("--accelerator", name)


def train_with(*more):
    return refused("train", "simple_cnn", "--data", "digits", "--out", "out", *more)


def test_an_optimizer_or_schedule_that_is_spelled_wrong_is_refused(here):
    assert "--optimizer must be one of sgd, momentum," in train_with("--optimizer", "adm")
    assert "The optimizer 'adam' has no option 'beta': it takes beta2, eps." in train_with("--optimizer", "adam:beta=1")
    assert "--schedule must be one of constant, step," in train_with("--schedule", "cos")
    assert "Step.gamma must be in (0, 1], got 2" in train_with("--schedule", "step:gamma=2")
    assert "--lr-scaling must be one of none, linear, sqrt" in train_with("--lr-scaling", "cubic")


def test_rates_that_are_not_written_as_shares_are_refused(here):
    assert "Rates are written PREFIX=SHARE,..." in train_with("--rates", "fc2")
