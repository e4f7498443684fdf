"""Does it pay? Zeros are exact, benefits are counted by hand, sentences say what was timed and nothing else."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from edgewright.analyze import profile
from edgewright.devices import device
from edgewright.errors import ConfigError, ModelError
from edgewright.model import capture
from edgewright.pipeline.pays import LayerAnswer, ModelRow, Pays, does_it_pay
from edgewright.pipeline.pays.benefits import benefit
from edgewright.pipeline.pays.layers import time_layers, with_own
from edgewright.pipeline.pays.models import CUT, DENSE, MASKED, with_zeros
from edgewright.pipeline.pays.verdict import verdict
from edgewright.types import Job
from edgewright.verify import Latency, Timing, WarmUp
from edgewright.verify.sparse_times import Form, ProductTimes

SHORT = Timing(turns=2, runs=3, seconds=0.001)
QUICK = Pays(sparsities=(0.5, 0.9), max_layers=2, product_timing=SHORT, model_timing=SHORT)


def small():
    """Two convolutions of one shape, one of another, and a linear layer."""
    layers = [nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 8, 1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(8 * 36, 10)).eval()


# -- zeros ----------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def net():
    return capture(small(), (4, 6, 6))


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.95])
def test_zeros_are_exactly_the_smallest_weights_of_all_layers_together(sparsity, net):
    sparse = with_zeros(net, sparsity)
    before, after = (
        torch.cat([layer.weight.detach().flatten() for layer in layers_of(each)]) for each in (net, sparse)
    )
    gone = after == 0
    assert int(gone.sum()) == round(sparsity * len(before)) and torch.equal(after[~gone], before[~gone])
    smaller = before[~gone].abs() < before[gone].abs().max()
    assert int(smaller.sum()) <= len(layers_of(net))  # the best weight of a layer stays, so that none is cut in two


def layers_of(net):
    return [layer for layer in net.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]


def test_zeros_that_are_there_already_count():
    sparse = with_zeros(with_zeros(capture(small(), (4, 6, 6)), 0.5), 0.6)
    weights = torch.cat([layer.weight.detach().flatten() for layer in layers_of(sparse)])
    assert int((weights == 0).sum()) == round(0.6 * len(weights))


def test_a_sparse_layer_is_measured_with_its_own_zeros_and_with_no_fewer():
    assert with_own((0.9, 0.5), 0.6) == (0.6, 0.9)
    assert with_own((0.9, 0.5), 0.001) == (0.5, 0.9)  # a few zeros by chance are no pattern
    assert with_own((0.5,), 0.7) == (0.7,)


# -- layers ---------------------------------------------------------------------------------------------------------
def test_layers_of_one_shape_are_measured_once_the_heaviest_shape_first():
    net = small()
    counted = profile(net, input_shape=(4, 6, 6))
    found = time_layers(net, counted, sparsities=(0.5,), most=2, timing=SHORT)
    # MACs by hand: 2 x 4 x 36 x 36 of 3x3, 288 x 10 of the linear layer, 4 x 8 x 36 of 1x1
    assert [each.layers for each in found] == [("0", "2"), ("5",)]
    assert [(each.rows, each.columns, each.positions) for each in found] == [(4, 36, 36), (10, 288, 1)]
    assert found[0].share_of_macs == pytest.approx(10368 / (10368 + 2880 + 1152))


def test_grouped_layers_are_no_matrix_products():
    net = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 8, 1)).eval()
    found = time_layers(net, profile(net, input_shape=(4, 6, 6)), sparsities=(0.5,), most=9, timing=SHORT)
    assert [each.layers for each in found] == [("1",)]


# -- benefits -------------------------------------------------------------------------------------------------------
def test_the_benefits_of_zeros_are_those_counted_by_hand():
    net = nn.Sequential(nn.Flatten(), nn.Linear(8, 4, bias=False)).eval()
    with torch.no_grad():
        net[1].weight.zero_()
        net[1].weight[0, :2] = 1.0
    captured = capture(net, (8, 1, 1))
    found = benefit(captured, profile(captured), 0.9375)
    assert (found.macs, found.skipped_macs) == (32, 30)
    assert found.num_bytes["dense"] == 128 and found.num_bytes["bitmap"] == 2 * 4 + 4
    assert found.num_bytes["csr"] == 2 * 8 + 5 * 4
    assert found.share_of_read_inputs == 2 / 8
    # two columns with one entry each, on as many elements as rows: 2 cycles against 8
    assert found.accelerator_speed_up == 4
    # all fits in the SRAM: 32 MACs of 4.6 pJ, 128 bytes of 1.25 pJ; 2 MACs and the smallest form are left
    saved_pj = 30 * 4.6 + (128 - min(found.num_bytes.values())) * 1.25
    assert found.dense_energy_j - found.energy_j == pytest.approx(saved_pj * 1e-12)


# -- sentences ------------------------------------------------------------------------------------------------------
LATENCY = Latency(
    artifact="a", runtime="onnxruntime 1", threads=1, batch=1, median_s=1e-3, p95_s=1e-3, p99_s=1e-3, min_s=1e-3,
    spread=0.01, turn_medians_s=(1e-3,), cpu_s=1e-3, runs=1, turns=7, warm_up=WarmUp(calls=10, stable=True),
)  # fmt: skip
DENSE_FORM = Form(way=DENSE, sparsity=0.0, macs=1, num_bytes=1, latency=LATENCY, ratio=1.0, ratio_range=(1, 1))


def model_row(way, sparsity, speed_up, low, high):
    return ModelRow(way=way, sparsity=sparsity, latency=LATENCY, speed_up=speed_up, speed_up_range=(low, high))


def layer(break_even):
    times = ProductTimes(forms=(DENSE_FORM,))
    return LayerAnswer(
        layers=("a",), op="Conv2d", rows=1, columns=1, positions=1, share_of_macs=0.5, own_sparsity=0.0, times=times,
        break_even=break_even,
    )  # fmt: skip


def test_zeros_that_change_no_time_are_said_to_take_the_same_time():
    said = verdict((), [model_row(MASKED, 0.5, 1.2, 1.1, 1.3), model_row(MASKED, 0.99, 1.01, 0.98, 1.02)])
    assert said == (
        "Zeros anywhere, dense kernels: with 99 % zeros the model takes the same time in onnxruntime 1 "
        "(0.98 to 1.02 in 7 turns), its file has the same size.",
    )


def test_zeros_that_change_the_time_are_not():
    (said,) = verdict((), [model_row(MASKED, 0.99, 1.25, 1.2, 1.3)])
    assert "is 1.25 times as fast in onnxruntime 1 (1.20 to 1.30 in 7 turns)" in said


def test_a_difference_that_the_processor_did_not_see_was_waiting():
    (said,) = verdict((), [replace(model_row(MASKED, 0.99, 1.25, 1.2, 1.3), cpu_speed_up=1.02)])
    assert "takes the same time" in said


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        ((None, None), "never faster than dense, in none of 2 layers"),
        ((0.9, 0.9), "faster than dense from 90 % zeros on in 2 of 2 layers;"),
        ((0.8, None, 0.95), "from 80 % to 95 % zeros on in 2 of 3 layers, never in 1;"),
    ],
)
def test_compressed_rows_are_judged_over_all_layers(points, sentence):
    (said,) = verdict([layer(point) for point in points], ())
    assert sentence in said


@pytest.mark.parametrize(
    ("speed_up", "low", "high", "sentence"),
    [
        (1.8, 1.7, 1.9, "50 % of the MACs cut pays: 1.80 times as fast"),
        (1.02, 0.9, 1.1, "50 % of the MACs cut does not pay: 1.02 times"),
        (0.79, 0.75, 0.8, "50 % of the MACs cut does not pay: 0.79 times"),
    ],
)
def test_cut_channels_pay_only_when_every_turn_says_so(speed_up, low, high, sentence):
    (said,) = verdict((), [model_row(CUT, 0.5, speed_up, low, high), model_row(CUT, 0.9, 5, 4, 6)])
    assert sentence in said


def test_what_was_not_timed_is_not_spoken_of():
    assert verdict((), [ModelRow(way=CUT, sparsity=0.99, reason="cannot be cut that far")]) == ()


# -- the whole ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"sparsities": ()}, "Pays.sparsities are shares between 0 and 1, got none"),
        ({"sparsities": (0.5, 1.0)}, r"got 1\.0: give for instance 0\.5 and 0\.9"),
        ({"max_layers": -1}, "Pays.max_layers is a number of layers from 0, got -1"),
    ],
)
def test_settings_without_a_meaning_are_refused(changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        replace(QUICK, **changes)


def job_of(net, shape):
    return Job(model=capture(net, shape), task=None, data=None, device=device("generic-x86"), model_name="m")


@pytest.mark.slow
def test_a_model_without_weights_has_nothing_to_make_zero():
    with pytest.raises(ModelError, match="has no convolution and no linear layer"):
        does_it_pay(job_of(nn.Sequential(nn.ReLU(), nn.Flatten()), (1, 4, 4)), QUICK)


@pytest.mark.slow
def test_a_sparse_model_with_data_is_timed_scored_counted_and_answered_for_other_devices(make_job):
    job = make_job(device_name="generic-x86")
    net = with_zeros(capture(job.model, job.data.preprocess.shape), 0.3)
    job = replace(job, model=net)
    settings = replace(QUICK, sparsities=(0.2, 0.5))
    found = does_it_pay(job, settings, devices=(device("cloud-gpu"), device("stm32f746")))
    assert found.own_sparsity == pytest.approx(0.3, abs=1e-3)
    own = found.own_sparsity
    forms = [(row.way, row.sparsity) for row in found.models]
    assert forms == [(DENSE, own), (MASKED, own), (MASKED, 0.5), (CUT, 0.2), (CUT, 0.5)]
    dense, masked, cut = found.models[0], found.row(MASKED, 0.5), found.row(CUT, 0.5)
    assert masked.macs == dense.macs and masked.num_bytes == dense.num_bytes  # zeros shrink neither
    assert cut.macs <= dense.macs / 2 and cut.num_bytes < dense.num_bytes
    assert all(row.score.split == "val" and row.train_score.split == "train" for row in found.models)
    assert torch.equal(net.conv1.weight, job.model.conv1.weight)
    assert [each.sparsity for each in found.benefits] == [own, 0.5]
    patterns = [(each.device, each.pattern) for each in found.devices]
    assert patterns[-1] == ("EIE", "unstructured") and ("stm32f746", "channels") in patterns
    assert len(found.layers) == 2 and len(found.verdict) == 3
