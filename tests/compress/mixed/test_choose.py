"""Measure, price, allocate: in one call, as the quantizer does."""

import json
import math

import pytest
import torch
from torch import nn

from edgewright.compress.quantize import Precision, observe, plan_quantizers, ranges_of, simulate
from edgewright.compress.quantize.mixed import Limits, Mixed, choose
from edgewright.data import load_data
from edgewright.errors import BudgetError, ConfigError
from edgewright.model import capture, fingerprint
from edgewright.model.quantized import IntegerWeights
from edgewright.tasks import Classify
from edgewright.types import Device, Job

DEVICE = Device(
    name="d", title="d", kind="cpu", clock_hz=1, ram_bytes=1, flash_bytes=None, macs_per_cycle={"float32": 1},
    bandwidth_bytes_s=1, overhead_s=0, pj_per_mac={"float32": 1}, pj_per_byte=1, round_to=8, runtimes=(),
)  # fmt: skip
DATA = load_data("digits")


@pytest.fixture(scope="module")
def asked():
    """A net for digits, its plan, its simulations, and the job."""
    layers = [nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.Flatten(),
              nn.Linear(64, 10)]  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = capture(nn.Sequential(*layers), DATA.preprocess.shape)
    plan = plan_quantizers(net)
    ranges = ranges_of(observe(net, plan, DATA.calibration(64, 0)), method="minmax", percentile=100.0)
    job = Job(model=net, task=Classify(num_classes=10), data=DATA, device=DEVICE)
    return net, plan, lambda precision: simulate(net, plan, ranges, precision=precision), job


def asking(asked, **settings):
    net, plan, build, job = asked
    return choose(net, plan, build, job=job, settings=Mixed(num_images=64, **settings))


@pytest.mark.parametrize("measure", ["mse", "loss", "score", "hessian"])
def test_every_measure_finds_bits_within_the_limit_and_says_how(asked, measure):
    precision, details = asking(asked, measure=measure, limits=Limits(weight_bytes=1000))
    layers = [layer for layer in asked[2](precision).modules() if isinstance(layer, IntegerWeights)]
    bytes_ = sum(math.ceil(layer.weight.numel() / 8) * layer.bits for layer in layers)
    assert details["spent"]["weight_bytes"] == bytes_ <= 1000 and len(set(precision.layers.values())) > 1
    assert details["mean_weight_bits"] == 8 * bytes_ / (72 + 1152 + 640)
    assert len(details["sensitivities"]) == 3 * 5 and details["measure"] == measure
    assert json.loads(json.dumps(details, allow_nan=False)) == details


def test_weights_and_activations_are_chosen_together(asked):
    top, _ = asking(asked, activations=(8, 4))
    assert set(top.points.values()) == {8} and set(top.layers.values()) == {8}
    limits = Limits(weight_bytes=1200, bit_operations=300_000, activation_bytes=500)
    precision, details = asking(asked, activations=(8, 6, 4), limits=limits)
    assert all(details["spent"][name] <= limit for name, limit in limits.given().items())
    assert set(precision.points.values()) != {8}


def test_one_number_of_bits_for_activations_is_no_choice(asked):
    precision, _ = asking(asked, activations=(4,), limits=Limits(weight_bytes=1000))
    assert set(precision.points.values()) == {4}


def test_the_choice_repeats_itself_and_leaves_the_net_alone(asked):
    before = fingerprint(asked[0])
    first, second = (asking(asked, measure="hessian", limits=Limits(weight_bytes=900)) for _ in range(2))
    assert first == second and fingerprint(asked[0]) == before


def test_the_impossible_is_a_budget_error(asked):
    with pytest.raises(BudgetError, match="weight_bytes of 400: the smallest possible is 466"):
        asking(asked, limits=Limits(weight_bytes=400))


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="measure must be one of mse, loss, score, hessian, got l2"):
        Mixed(measure="l2")
    with pytest.raises(ConfigError, match=r"weights are numbers of bits from \[2, 3, 4, 5, 6, 7, 8\], got \[9\]"):
        Mixed(weights=(9,))
    with pytest.raises(ConfigError, match="must be 1 or more, got 0 and 2"):
        Mixed(num_images=0)
    assert Mixed(activations=(8,)).bits == {"weights": (8, 6, 4, 3, 2)} and Precision().of_layer("a") == 8


def test_bits_on_average_are_a_limit_on_bytes(asked):
    _, details = asking(asked, mean_weight_bits=4.5)
    assert details["limits"] == {"weight_bytes": 1864 * 4.5 // 8} and details["mean_weight_bits"] <= 4.5
    _, lower = asking(asked, mean_weight_bits=4.5, limits=Limits(weight_bytes=900))
    assert lower["limits"] == {"weight_bytes": 900}
    with pytest.raises(ConfigError, match=r"mean_weight_bits must be in \[2, 8\], got 1"):
        Mixed(mean_weight_bits=1)


def test_the_front_lists_the_best_choice_at_falling_sizes(asked):
    _, details = asking(asked, front=True)
    rows = details["front"]
    sizes, losses = ([row[name] for row in rows] for name in ("weight_bytes", "predicted_loss"))
    assert 8 <= len(rows) <= 16 and sizes == sorted(sizes, reverse=True) and losses == sorted(losses)
    assert rows[0]["weight_bytes"] == 72 + 1152 + 640 and rows[-1]["mean_weight_bits"] == 2
    for row in rows[::5]:
        _, same = asking(asked, limits=Limits(weight_bytes=row["weight_bytes"]))
        assert same["predicted_loss"] == pytest.approx(row["predicted_loss"], rel=1e-9)
    assert "front" not in asking(asked)[1]
