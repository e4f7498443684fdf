"""The stage: scores, methods, training through the rounding, settings."""

import dataclasses
import json

import pytest
import torch
from torch import fx, nn

from edgewright.compress.quantize import Quantize
from edgewright.data import load_data
from edgewright.errors import ConfigError, UnsupportedError
from edgewright.model import capture, fingerprint
from edgewright.model.quantized import IntegerWeights, is_quantized, quantizers
from edgewright.tasks import Classify
from edgewright.train import Train, train_weights
from edgewright.types import Device, Job, plain

TASK = Classify(num_classes=10)
DATA = load_data("digits")
DEVICE = Device(
    name="d", title="d", kind="cpu", clock_hz=1, ram_bytes=1, flash_bytes=None, macs_per_cycle={"float32": 1},
    bandwidth_bytes_s=1, overhead_s=0, pj_per_mac={"float32": 1}, pj_per_byte=1, round_to=8, runtimes=(),
)  # fmt: skip


@pytest.fixture(scope="module")
def job() -> Job:
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(128, 10),
    ]  # fmt: skip
    net = capture(nn.Sequential(*layers), DATA.preprocess.shape)
    settings = Train(epochs=3, lr=0.01, augment="none")
    trained = train_weights(net, task=TASK, data=DATA, settings=settings, seed=0).net
    return Job(model=trained, task=TASK, data=DATA, device=DEVICE)


def test_8_bits_keep_the_score_within_a_point_and_fold_the_batch_norm(job):
    result = Quantize().run(job)
    assert result.score.value >= result.details["score_float"] - 1.0
    assert result.details["folded"] and not result.details["not_folded"]
    assert result.details["method"] in result.details["output_sqnr_db"]
    assert min(result.details["output_sqnr_db"].values()) > 25  # dB: noise below 6 % of the outputs
    assert result.cost.macs == 8 * 8 * 8 * 9 + 1280


def test_best_takes_the_method_with_the_least_output_error(job):
    result = Quantize(percentile=90.0).run(job)  # cuts a tenth of every tensor off
    decibels = result.details["output_sqnr_db"]
    assert result.details["method"] == "minmax" and decibels["minmax"] > decibels["percentile"]


def test_the_stage_leaves_its_input_untouched_and_repeats_itself(job):
    before = fingerprint(job.model)
    first, second = Quantize().run(job), Quantize().run(job)
    assert fingerprint(job.model) == before
    assert fingerprint(first.model) == fingerprint(second.model)


def test_details_are_plain_data(job):
    settings = Quantize(method="minmax", qat=Train(epochs=1, batch_size=256, augment="none"))
    details = settings.run(job).details
    assert json.loads(json.dumps(details, allow_nan=False)) == details
    assert details["training"]["history"][0]["number"] == 1


def test_settings_round_trip_through_json():
    settings = Quantize(bits=4, method="percentile", percentile=99.0, num_calibration=16, qat_if_drop_over=0.5)
    content = json.loads(json.dumps(plain(settings)))
    assert (content["bits"], content["method"], content["num_calibration"]) == (4, "percentile", 16)
    assert Quantize(**{**content, "qat": Train(**content["qat"]) if content["qat"] else None}) == settings


def test_training_through_the_rounding_recovers_a_2_bit_model(job):
    coarse = Quantize(bits=2, method="minmax").run(job)
    trained = Quantize(bits=2, method="minmax", qat=Train(epochs=2, lr=3e-3, augment="none")).run(job)
    assert trained.score.value > coarse.score.value + 1
    grids = [quantizers(result.model) for result in (coarse, trained)]
    assert [layer.spec for layer in grids[0].values()] == [layer.spec for layer in grids[1].values()]  # frozen


def test_training_is_skipped_while_the_drop_is_small(job):
    result = Quantize(qat_if_drop_over=50.0).run(job)
    assert result.details["training"] is None and is_quantized(result.model)


def test_training_is_the_fallback_when_the_drop_is_large(job):
    settings = Quantize(bits=2, method="minmax", qat=Train(epochs=1, lr=1e-3, augment="none"), qat_if_drop_over=0.0)
    result = settings.run(job)
    assert result.details["training"]["history"]
    assert any("Training through the rounding" in note for note in result.notes)


def test_weight_codes_stay_in_the_range_of_their_bits_after_training(job):
    result = Quantize(bits=4, qat=Train(epochs=1, lr=0.01, augment="none")).run(job)
    layers = [layer for layer in result.model.modules() if isinstance(layer, IntegerWeights)]
    assert len(layers) == 2 and all(layer.weight_codes().abs().max() <= 7 for layer in layers)


def test_a_quantized_model_is_not_quantized_again(job):
    result = Quantize(method="minmax").run(job)
    assert isinstance(result.model, fx.GraphModule)
    with pytest.raises(UnsupportedError, match="quantized already"):
        Quantize().run(job.with_model(result.model))


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("bits", 9, "from 2 to 8, got 9"),
        ("method", "kl2", "minmax, percentile or best, got kl2"),
        ("percentile", 40.0, "got 40"),
        ("num_calibration", 0, "1 or more, got 0"),
        ("qat_if_drop_over", -1.0, "0 or more, got -1"),
    ],
)
def test_settings_out_of_range_are_refused(field, value, text):
    with pytest.raises(ConfigError, match=text):
        dataclasses.replace(Quantize(), **{field: value})
