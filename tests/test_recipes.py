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
    with pytest.raises(ConfigError, match="Train has no setting 'epoch': it has augment, batch_size"):
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
