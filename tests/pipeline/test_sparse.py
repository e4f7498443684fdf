"""`pipeline.sparse`: zeros, then recovery with the zeros kept, as steps of a run that goes on where it was."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from edgewright.compress.distill import Distill
from edgewright.compress.prune.sparse import Sparsify, count_zeros, weighted_layers
from edgewright.compress.quantize import LearnRounding, Qat, Quantize
from edgewright.data import load_data
from edgewright.devices import device
from edgewright.export import export_onnx
from edgewright.model import capture, load_model
from edgewright.model.quantized import IntegerWeights
from edgewright.pipeline.sparse import keeping_zeros, sparsify
from edgewright.runs import load_final_model, read_run
from edgewright.tasks import Classify
from edgewright.train import Train
from edgewright.types import Job, plain

pytestmark = pytest.mark.slow  # trains small nets

QUICK = Train(epochs=2, batch_size=128, lr=0.01, augment="none")
STAGE = Sparsify(sparsity=0.8)


@pytest.fixture(scope="module")
def job() -> Job:
    """A small net with batch norm, captured and trained for a few epochs."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(),
            nn.Linear(256, 10),
        )  # fmt: skip
    dense = Job(
        model=capture(net, (1, 8, 8)),
        task=Classify(num_classes=10),
        data=load_data("digits"),
        device=device("generic-x86"),
    )
    return dense.with_model(Train(epochs=4, batch_size=64, lr=0.01).run(dense).model)


@pytest.mark.parametrize("recover", [None, QUICK, Distill(train=QUICK)])
def test_the_final_model_has_exactly_the_zeros_and_the_accounts_say_so(recover, job, tmp_path):
    report = sparsify(job, STAGE, out=tmp_path / "run", recover=recover)
    content = read_run(tmp_path / "run")
    assert content == report.content
    names = ["given", "sparsify"] + (["recover"] if recover else [])
    assert [stage["name"] for stage in content["stages"]] == names
    zeros, weights = count_zeros(weighted_layers(load_final_model(tmp_path / "run")))
    assert (zeros, weights) == (round(0.8 * weights), 72 + 1152 + 2560)
    assert (content["sparsity"]["zeros"], content["sparsity"]["weights"]) == (zeros, weights)
    assert f"{zeros:,} of {weights:,} weights are 0 (79.99%)" in content["verdict"]["sentence"]
    if recover:
        cut = load_model(tmp_path / "run" / "stages" / "02-sparsify")
        ended = load_final_model(tmp_path / "run")
        assert not torch.equal(cut.get_submodule("8").weight, ended.get_submodule("8").weight)
        assert content["scores"]["after"]["value"] > content["stages"][1]["score"]["value"] - 1


def test_a_finished_run_is_not_computed_again_and_other_settings_are(job, tmp_path):
    sparsify(job, STAGE, out=tmp_path / "run", recover=QUICK)
    again = sparsify(job, STAGE, out=tmp_path / "run", recover=QUICK, resume=True)
    assert [stage["cached"] for stage in again.content["stages"]] == [True] * 3
    other = sparsify(job, STAGE, out=tmp_path / "run", recover=Distill(train=QUICK), resume=True)
    assert [stage["cached"] for stage in other.content["stages"]] == [True, True, False]
    bare = sparsify(job, STAGE, out=tmp_path / "run", resume=True)
    assert [stage["cached"] for stage in bare.content["stages"]] == [True] * 2
    assert not (tmp_path / "run" / "stages" / "03-recover").exists()


def test_recovery_keeps_zeros_whatever_its_settings_say():
    assert keeping_zeros(QUICK).keep_zeros and keeping_zeros(Distill(train=QUICK)).train.keep_zeros


@pytest.fixture(scope="module")
def sparse(job) -> Job:
    return job.with_model(Sparsify(sparsity=0.8, train=QUICK).run(job).model)


def zero_codes(before, after) -> list[bool]:
    """Whether the integers are 0 wherever the sparse model's weights are, layer by layer."""
    integers = [layer for layer in after.modules() if isinstance(layer, IntegerWeights)]
    layers = list(weighted_layers(before).values())
    assert len(integers) == len(layers) == 3
    return [bool((found.rounded_weight()[layer.weight == 0] == 0).all())
            for found, layer in zip(integers, layers, strict=True)]  # fmt: skip


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("repairs", [(), ("equalize",), ("rounding",)])
def test_quantization_keeps_the_zeros(bits, repairs, sparse):
    rounding = LearnRounding(iterations=50)
    integers = Quantize(bits=bits, num_calibration=64, repairs=repairs, rounding=rounding).run(sparse).model
    assert zero_codes(sparse.model, integers) == [True] * 3


def test_training_through_the_rounding_keeps_the_zeros_unless_it_is_told_otherwise(sparse):
    quick = {"epochs": 1, "batch_size": 128, "keep": "last"}
    usual, free = (
        Quantize(bits=4, num_calibration=64, qat=Qat(train=replace(train, **quick))).run(sparse).model
        for train in (Qat().train, replace(Qat().train, keep_zeros=False))
    )
    assert zero_codes(sparse.model, usual) == [True] * 3
    assert not all(zero_codes(sparse.model, free))


def test_a_sparse_model_is_exported_to_a_file_of_the_same_size(job, sparse, tmp_path):
    sizes = [
        export_onnx(net, tmp_path / name, name=name, preprocess=plain(job.data.preprocess)).model_path.stat().st_size
        for name, net in (("dense.", job.model), ("sparse", sparse.model))
    ]
    assert abs(sizes[0] - sizes[1]) < 64  # names
