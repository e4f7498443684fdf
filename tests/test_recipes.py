import dataclasses
import json

import pytest

from edgewright.analyze import profile
from edgewright.devices import device
from edgewright.errors import ConfigError, LookupFailed
from edgewright.model import capture
from edgewright.recipes import RECIPES, Recipe, for_budget, recipe
from edgewright.types import Budget
from edgewright.zoo import resolve


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_round_trips_through_json(name):
    assert Recipe.from_plain(json.loads(json.dumps(RECIPES[name].as_plain()))) == RECIPES[name]


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_found_under_its_name(name):
    assert recipe(name).name == name


def test_an_unknown_recipe_offers_the_nearest():
    with pytest.raises(LookupFailed, match="did you mean default"):
        recipe("defalt")


def test_an_unknown_setting_is_named_with_those_that_exist():
    with pytest.raises(ConfigError, match="Train has no setting 'epoch': it has accumulate, augment, batch_size"):
        Recipe.from_plain({"train": {"epoch": 3}})


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"keep_macs": 0}, "got 0"), ({"max_rounds": 0}, "at least 1"), ({"reserve": 1.5}, "got 1.5")],
)
def test_settings_out_of_range_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        Recipe(**settings)


def test_the_order_of_stages_names_the_limit_that_binds():
    model = resolve("simple_cnn", num_classes=10)
    target = device("stm32f746")
    profiled = profile(capture(model.model, model.input_shape), device=target, dtype="int8")
    free = for_budget(RECIPES["default"], profiled, Budget().within(target), trained=True)
    tight = for_budget(RECIPES["default"], profiled, Budget(ram_bytes=profiled.cost.ram_bytes // 2), trained=False)
    assert [line.split(":")[0] for line in free] == ["prune", "distill", "quantize"]
    assert [line.split(":")[0] for line in tight] == ["train", "prune", "distill", "quantize"]
    assert "times its peak RAM" in tight[1]
    assert [line.split(":")[0] for line in for_budget(RECIPES["int8"], profiled, Budget(), trained=True)] == [
        "quantize"
    ]


@pytest.mark.parametrize("content", [{"train": 5}, {"train": {"epochs": "3"}}, {"reserve": "half"}])
def test_settings_of_a_wrong_type_are_one_sentence(content):
    with pytest.raises(ConfigError):
        Recipe.from_plain(content)


TRAININGS = [name for name in RECIPES if RECIPES[name].train != RECIPES["default"].train]


def test_the_trainings_of_the_recipes_are_not_the_same():
    assert {"adam-sgd", "cosine-adamw", "cosine-sgd", "regularized", "parallel"} <= set(TRAININGS)
    assert len({RECIPES[name].train for name in TRAININGS}) == len(TRAININGS)


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAININGS)
def test_the_training_of_every_recipe_teaches_the_digits_from_end_to_end(name, tmp_path):
    """Few epochs, with what a recipe does at an epoch of its own brought forward; what forgets much learns longer."""
    import torch
    from torch import nn

    from edgewright.data import load_data
    from edgewright.pipeline import run_stage
    from edgewright.runs import load_final_model
    from edgewright.tasks import Classify, evaluate
    from edgewright.types import Job

    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(256, 32), nn.ReLU(), nn.Linear(32, 10),
    )  # fmt: skip
    task, data = Classify(num_classes=10), load_data("digits")
    job = Job(model=net, task=task, data=data, device=device("generic-x86"), trained=False)
    train, epochs = RECIPES[name].train, 16 if name == "regularized" else 4
    settings = dataclasses.replace(train, epochs=epochs, optimizer=train.optimizer.replace("epoch=15", "epoch=2"))
    report = run_stage(job, settings, name="train", out=tmp_path / "run")
    assert report.content["asked"]["recipe"]["train"]["epochs"] == epochs
    assert evaluate(load_final_model(tmp_path / "run"), task, data, "test").value > 80
