import dataclasses
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from edgewright.data import load_data
from edgewright.devices import device
from edgewright.model import capture
from edgewright.pipeline.forecast import forecast_training
from edgewright.tasks import Classify
from edgewright.train import Train
from edgewright.types import Budget, Job

DATA = load_data("digits")
SETTINGS = Train(epochs=3, batch_size=64, ema_decay=0.9, momentum=0.9)


@pytest.fixture(scope="module")
def job() -> Job:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [part for _ in range(6) for part in (nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())]
        net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), *layers, nn.Flatten(), nn.Linear(512, 10))
    return Job(
        model=capture(net, (1, 8, 8)), model_name="net", task=Classify(num_classes=10), data=DATA,
        device=device("generic-x86"), budget=Budget(), seed=0, workdir=Path("unused"),
    )  # fmt: skip


def test_the_forecast_counts_steps_weights_and_what_is_kept_beside_them(job):
    found = forecast_training(job, SETTINGS)
    weights = 80 + 6 * 584 + 5130
    assert (found.parameters, found.trainable) == (weights, weights)
    assert (found.images, found.steps_per_epoch, found.epochs) == (1079, 17, 3)
    assert found.memory["weights"] == found.memory["best weights"] == found.memory["moving average"] == 4 * weights
    assert found.memory["optimizer state"] == 8 * weights + 4 * 16  # two moments, and a counter for each of 16 tensors
    assert found.memory_bytes == sum(found.memory.values())
    assert found.step_s > 0 and found.score_s > 0
    assert found.total_s == pytest.approx(3 * (17 * found.step_s + found.score_s) + found.score_s)
    assert not Path("unused").exists()


def test_frozen_parts_do_not_learn_and_need_no_gradient_and_no_state(job):
    found = forecast_training(job, dataclasses.replace(SETTINGS, freeze="backbone"))
    assert (found.parameters, found.trainable) == (80 + 6 * 584 + 5130, 5130)
    assert found.memory["gradients"] == 4 * 5130
    assert found.memory["optimizer state"] == 8 * 5130 + 4 * 2
    assert all(each.requires_grad for each in job.model.parameters())


@pytest.mark.parametrize(("optimizer", "copies"), [("lookahead:adam", 3), ("adam-to-sgd", 2)])
def test_the_state_of_an_optimizer_around_others_is_counted(job, optimizer, copies):
    found = forecast_training(job, dataclasses.replace(SETTINGS, optimizer=optimizer))
    assert found.memory["optimizer state"] == copies * 4 * found.parameters + 4 * 16


def test_parts_and_recomputation_need_less_for_activations(job):
    whole, parts, again = (
        forecast_training(job, dataclasses.replace(SETTINGS, **change)).memory
        for change in ({}, {"accumulate": 4}, {"checkpointing": True})
    )
    activations = ("saved activations", "transient")
    assert parts["saved activations"] == pytest.approx(whole["saved activations"] / 4, rel=0.05)
    assert sum(again[name] for name in activations) < 0.8 * sum(whole[name] for name in activations)


def test_a_run_of_one_step_has_a_time_too(job):
    found = forecast_training(job, Train(epochs=1, batch_size=2000))
    assert found.steps_per_epoch == 1 and math.isfinite(found.total_s)
