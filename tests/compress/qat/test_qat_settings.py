"""`Qat`: every setting is checked, and the whole round-trips through plain data."""

import json
import re

import pytest

from edgewright.compress.quantize.qat import Qat
from edgewright.errors import ConfigError
from edgewright.train import Train
from edgewright.types import plain

WRONG = {
    "train": {"epochs": 3}, "steps": "free", "first_steps": "mse", "gradient": "straight", "batch_norm": "frozen",
    "freeze_ranges": 1.5, "freeze_batch_norm": -0.1, "alpha": 2, "temperature": 0,
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_every_setting_is_checked(name):
    with pytest.raises(ConfigError, match=f"^Qat.{name} must be .*, got {re.escape(repr(WRONG[name]))}[.]"):
        Qat(**{name: WRONG[name]})


def test_every_setting_has_a_wrong_value_in_the_table():
    assert set(WRONG) == set(plain(Qat()))


def test_a_setting_of_the_wrong_type_is_refused_in_the_same_sentence():
    for name, value in {"alpha": "0.5", "freeze_ranges": True, "temperature": None, "steps": ["learned"]}.items():
        with pytest.raises(ConfigError, match=f"^Qat.{name} must be"):
            Qat(**{name: value})


def test_settings_round_trip_through_json():
    settings = Qat(train=Train(epochs=3, lr=0.02), steps="observed", gradient="plain", batch_norm="folded", alpha=1.0)
    content = json.loads(json.dumps(plain(settings)))
    assert Qat(**{**content, "train": Train(**content["train"])}) == settings
