"""The stage: scores, methods, training through the rounding, settings."""

import dataclasses
import json
from dataclasses import replace

import pytest
import torch
from torch import fx, nn

from edgewright.compress.quantize import LearnRounding, Limits, Mixed, Qat, Quantize, Scheme
from edgewright.data import load_data
from edgewright.errors import ConfigError, UnsupportedError
from edgewright.model import capture, fingerprint
from edgewright.model.fold import fold_batch_norms
from edgewright.model.quantized import IntegerWeights, is_quantized, quantizers
from edgewright.recipes import Recipe
from edgewright.tasks import Classify
from edgewright.train import Train, train_weights
from edgewright.types import Device, Job

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


def short(epochs: int = 1, **settings) -> Qat:
    """A training of a second."""
    return Qat(train=Train(epochs=epochs, lr=3e-3, augment="none"), **settings)


def test_8_bits_keep_the_score_within_a_point_and_fold_the_batch_norm(job):
    result = Quantize().run(job)
    assert result.score.value >= result.details["score_float"] - 1.0
    assert result.details["folded"] and not result.details["not_folded"]
    assert result.details["method"] in result.details["output_sqnr_db"]
    assert min(result.details["output_sqnr_db"].values()) > 25  # dB: noise below 6 % of the outputs
    assert result.cost.macs == 8 * 8 * 8 * 9 + 1280


def test_best_takes_the_ranges_with_the_least_output_error(job):
    result = Quantize(percentile=90.0).run(job)  # cuts a tenth of every tensor off
    decibels = result.details["output_sqnr_db"]
    assert decibels[result.details["method"]] == max(decibels.values())
    assert "percentile" not in result.details["methods"]


def test_repairs_are_tried_while_the_score_drops_too_far_and_the_best_is_kept(job):
    result = Quantize(bits=2, method="minmax", repair_if_drop_over=0.0, rounding=LearnRounding(iterations=50)).run(job)
    tried = result.details["tried"]
    assert [each["repairs"] for each in tried] == [[], ["equalize", "bias"], ["equalize", "rounding", "bias"]]
    assert result.score.value == max(each["score"] for each in tried) > tried[0]["score"]
    assert any(note.startswith("Repairs tried: none") for note in result.notes)


def test_no_repair_is_tried_where_the_score_holds(job):
    assert len(Quantize(repair_if_drop_over=50.0).run(job).details["tried"]) == 1


@pytest.mark.parametrize("repairs", [("analytic-bias",), ("equalize", "split", "analytic-bias", "bias")])
def test_batch_norms_tell_the_shift_of_the_layers_behind_them(job, repairs):
    result = Quantize(bits=2, method="minmax", repairs=repairs).run(job)
    done = result.details["repairs"]["analytic-bias"]
    assert len(done["refused"]) == 2  # the first layer reads the image, the last one a maximum over windows
    assert set(result.details["repairs"]) == set(repairs)


def test_normalizations_measured_behind_rounded_weights_keep_means_and_spreads(job):
    result = Quantize(bits=2, method="minmax", repairs=("reestimate",)).run(job)
    plain = Quantize(bits=2, method="minmax").run(job)
    low, high = result.details["repairs"]["reestimate"]["gains"]
    assert 0 < low <= high and (low, high) != (1.0, 1.0)

    def spreads(net, name):
        images = DATA.calibration(256, 0)
        seen = {}
        node = next(node for node in net.graph.nodes if node.name == name)
        layer = net.get_submodule(str(node.target))
        handle = layer.register_forward_hook(lambda *call: seen.update(out=call[2].detach()))
        net(images)
        handle.remove()
        flat_CN = seen["out"].transpose(0, 1).flatten(1)
        return torch.stack([flat_CN.mean(1), flat_CN.std(1)])

    exact = spreads(fold_batch_norms(job.model)[0], "_0")
    errors = [(spreads(each.model, "_0") - exact).abs().max().item() for each in (result, plain)]
    assert errors[0] < 0.3 * errors[1]


def test_what_would_undo_a_reestimation_is_refused(job):
    with pytest.raises(ConfigError, match="reestimate measures the net behind rounded weights, and equalize changes"):
        Quantize(repairs=("equalize", "reestimate"))
    with pytest.raises(ConfigError, match="leave it out with mixed bits and with one scale a tensor"):
        Quantize(repairs=("reestimate",), mixed=Mixed(mean_weight_bits=4.0))
    with pytest.raises(ConfigError, match="repairs needs static integers"):
        Quantize(repairs=("reestimate",), scheme=Scheme(mode="weight-only"))
    stage = Quantize(bits=2, method="minmax", repairs=("reestimate", "bias"), repair_if_drop_over=0.0)
    tried = replace(stage, rounding=LearnRounding(iterations=20)).run(job).details["tried"]
    assert [each["repairs"] for each in tried[:2]] == [["reestimate", "bias"], ["bias", "equalize"]]


def test_mixed_bits_stay_within_the_bytes_asked_for(job):
    mixed = Mixed(limits=Limits(weight_bytes=800), num_images=32)
    result = Quantize(mixed=mixed).run(job)
    layers = [layer for layer in result.model.modules() if isinstance(layer, IntegerWeights)]
    assert sum(layer.weight.numel() * layer.bits for layer in layers) <= 8 * 800 < 8 * (72 + 1280)
    assert result.details["mixed"]["mean_weight_bits"] < 8


@pytest.mark.parametrize("scheme", [
    Scheme(mode="weight-only"), Scheme(mode="dynamic"), Scheme(granularity="tensor"), Scheme(format="fp8-e4m3"),
    Scheme(mode="weight-only", granularity="group", group_size=4, symmetric=False),
])  # fmt: skip
def test_every_scheme_keeps_the_score_at_8_bits(job, scheme):
    result = Quantize(scheme=scheme, method="minmax").run(job)
    assert result.score.value >= result.details["score_float"] - 2.0


def test_a_repair_of_rounding_needs_static_integers():
    with pytest.raises(ConfigError, match="repairs needs static integers, got scheme weight-only in int"):
        Quantize(scheme=Scheme(mode="weight-only"), repairs=("bias",))


def test_the_stage_leaves_its_input_untouched_and_repeats_itself(job):
    before = fingerprint(job.model)
    first, second = Quantize().run(job), Quantize().run(job)
    assert fingerprint(job.model) == before
    assert fingerprint(first.model) == fingerprint(second.model)


def test_details_are_plain_data(job):
    settings = Quantize(method="minmax", qat=Qat(train=Train(epochs=1, batch_size=256, augment="none")))
    details = settings.run(job).details
    assert json.loads(json.dumps(details, allow_nan=False)) == details
    assert details["training"]["history"][0]["number"] == 1


def test_settings_round_trip_through_json():
    settings = Quantize(
        bits=4, method="percentile", percentile=99.0, num_calibration=16, repairs=("equalize", "bias"),
        mixed=Mixed(limits=Limits(weight_bytes=1000)), scheme=Scheme(granularity="tensor"), qat=Qat(alpha=0.25),
        rounding=LearnRounding(iterations=7), qat_if_drop_over=0.5,
    )  # fmt: skip
    recipe = Recipe(name="mine", quantize=settings)
    assert Recipe.from_plain(json.loads(json.dumps(recipe.as_plain()))) == recipe


def test_training_through_the_rounding_recovers_a_2_bit_model(job):
    coarse = Quantize(bits=2, method="minmax").run(job)
    trained = Quantize(bits=2, method="minmax", qat=short(epochs=2, steps="fixed")).run(job)
    assert trained.score.value > coarse.score.value + 1
    grids = [quantizers(result.model) for result in (coarse, trained)]
    assert [layer.spec for layer in grids[0].values()] == [layer.spec for layer in grids[1].values()]  # fixed


def test_training_is_skipped_while_the_drop_is_small(job):
    result = Quantize(qat_if_drop_over=50.0).run(job)
    assert result.details["training"] is None and is_quantized(result.model)


def test_training_is_the_fallback_when_the_drop_is_large(job):
    settings = Quantize(bits=2, method="minmax", qat=short(), qat_if_drop_over=0.0)
    result = settings.run(job)
    assert result.details["training"]["history"]
    assert any("Training through the rounding" in note for note in result.notes)


def test_weight_codes_stay_in_the_range_of_their_bits_after_training(job):
    result = Quantize(bits=4, qat=short()).run(job)
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
        ("bits", 9, "2 to 8 bits, got 9"),
        ("method", "kl2", "aciq, best, got kl2"),
        ("activation_bits", 9, "2 to 8 or 16 bits, got 9"),
        ("weight_method", "kl", "minmax, mse, gain, aciq, auto, got kl"),
        ("repairs", ("glue",), "equalize, split, reestimate, rounding, analytic-bias, bias, got 'glue'"),
        ("percentile", 40.0, "got 40"),
        ("num_calibration", 0, "1 or more, got 0"),
        ("qat_if_drop_over", -1.0, "0 or more, got -1"),
    ],
)
def test_settings_out_of_range_are_refused(field, value, text):
    with pytest.raises(ConfigError, match=text):
        dataclasses.replace(Quantize(), **{field: value})
