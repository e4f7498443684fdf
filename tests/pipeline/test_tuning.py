"""The search for settings: what it may vary, what each method proposes, and that it goes on where it was."""

import dataclasses
import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from torch import nn

from edgewright.data import load_data
from edgewright.devices import device
from edgewright.errors import ConfigError, MissingExtraError, ModelError
from edgewright.pipeline import Tune, tune
from edgewright.pipeline.tuning import METHODS, Choices, Range, Trial, methods, parse_space, search
from edgewright.pipeline.tuning.search import best_of
from edgewright.runs import load_final_model
from edgewright.tasks import Classify, evaluate
from edgewright.train import Train
from edgewright.types import Job

QUICK = Train(epochs=1, batch_size=128, lr=0.02, augment="none")
SPACE = ("lr=1e-4..1e-1:log:4", "optimizer=adamw|sgd", "epochs=1..3", "ema_decay=none|0.9")
HAS_OPTUNA = pytest.mark.skipif("not __import__('importlib.util').util.find_spec('optuna')", reason="needs Optuna")


def tiny_job() -> Job:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    data = load_data("digits")
    return Job(model=net, task=Classify(num_classes=10), data=data, device=device("generic-x86"), trained=False)


def test_a_space_is_read_with_each_value_as_its_setting_has_it():
    assert parse_space(SPACE, QUICK) == {
        "lr": Range(low=1e-4, high=1e-1, is_log=True, points=4),
        "optimizer": Choices(values=("adamw", "sgd")),
        "epochs": Range(low=1, high=3, is_whole=True),
        "ema_decay": Choices(values=(None, 0.9)),
    }
    assert parse_space(["augment=none|shift", "weight-decay=0..1"], QUICK)["augment"].values == ("none", "shift")


def test_settings_that_go_together_are_searched_together_and_a_range_is_whole_where_its_setting_is():
    space = parse_space(["freeze=backbone|", "unfreeze_every=1..5", "clip_norm=1..5", "epoch_images=2..9"], QUICK)
    assert space["freeze"].values == ("backbone", "")
    assert {name: space[name].is_whole for name in space if name != "freeze"} == {
        "unfreeze_every": True, "clip_norm": False, "epoch_images": True,
    }  # fmt: skip


WRONG = {
    ("rates=stem",): "stem",
    ("optimizer=adamw|sgdd",): "got 'sgdd': did you mean sgd",
    ("lrr=1|2",): "no setting 'lrr' to search: did you mean lr",
    ("lr",): "written NAME=VALUES, got 'lr'",
    ("lr=",): "written NAME=VALUES",
    ("lr=1|2", "lr=3|4"): "values of lr twice",
    ("lr=0.1..0.01",): "with LOW below HIGH",
    ("lr=0.1..0.2:sqrt",): "got '0.1..0.2:sqrt'",
    ("lr=0.1..0.2:1",): "2 points or more",
    ("weight_decay=0..1:log",): "logarithmic range of weight_decay begins above 0, got 0",
    ("lr=-1|1",): "Train.lr must be greater than 0, got -1",
    ("epochs=1..2.5",): "Train.epochs must be a whole number",
    ("lr=fast",): "lr takes numbers, got 'fast'",
    ("optimizer=adamw|adamm",): "adamm",
    (): "needs settings to vary",
}


@pytest.mark.parametrize("texts", WRONG)
def test_values_that_a_setting_cannot_take_are_told(texts):
    with pytest.raises(ConfigError, match=WRONG[texts]):
        parse_space(texts, QUICK)


@given(share=some.floats(0, 1))
def test_every_share_of_a_range_lies_in_it(share):
    for values in parse_space(["lr=1e-4..1e-1:log", "epochs=2..9", "weight_decay=0..0.3"], QUICK).values():
        value = values.at(share)
        assert values.low <= value <= values.high
        assert isinstance(value, int) == values.is_whole


def test_a_logarithmic_range_gives_every_power_of_ten_alike_and_whole_numbers_alike():
    values = Range(low=1e-4, high=1e-1, is_log=True)
    assert [values.at(share / 3) for share in range(4)] == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1])
    whole = Range(low=1, high=4, is_whole=True)
    drawn = [whole.at((step + 0.5) / 400) for step in range(400)]
    assert {value: drawn.count(value) for value in (1, 2, 3, 4)} == {1: 100, 2: 100, 3: 100, 4: 100}


def test_a_grid_is_every_combination_once():
    space = parse_space(["lr=1e-3..1e-1:log:3", "optimizer=adamw|sgd"], QUICK)
    points = [methods.grid(space, number, (), 0) for number in range(1, 8)]
    assert points[6] is None
    assert [point["optimizer"] for point in points[:6]] == ["adamw", "sgd"] * 3
    assert [point["lr"] for point in points[:6:2]] == pytest.approx([1e-3, 1e-2, 1e-1])


def test_another_setting_in_the_space_changes_no_random_draw():
    small, large = parse_space(SPACE[:1], QUICK), parse_space(SPACE, QUICK)
    for number in (1, 2, 3):
        assert methods.draw(small, number, (), 0)["lr"] == methods.draw(large, number, (), 0)["lr"]
    assert methods.draw(small, 1, (), 0) != methods.draw(small, 1, (), 1)


def quadratic(values):
    """Best at lr 1e-2 with sgd."""
    return -abs(torch.tensor(values["lr"]).log10().item() + 2) - (values["optimizer"] == "adamw")


@HAS_OPTUNA
@pytest.mark.slow
def test_bayes_follows_from_the_trials_and_gathers_where_the_score_is_high():
    space = parse_space(["lr=1e-6..1e2:log", "optimizer=adamw|sgd"], QUICK)
    tried = []
    for number in range(1, 31):
        values = methods.bayes(space, number, tried, 0)
        assert values == methods.bayes(space, number, tried, 0)
        tried.append(Trial(number=number, values=values, score=None if number == 2 else quadratic(values)))
    random = [quadratic(methods.draw(space, number, (), 0)) for number in range(1, 31)]
    later = [each.score for each in tried[15:]]
    assert sum(later) / 15 > sum(random[15:]) / 15
    assert max(later) > -0.5


def test_bayes_without_optuna_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"Optuna is not installed: pip install 'edgewright\[tune\]'"):
        tune(tiny_job(), Tune(space=SPACE[:2], method="bayes", train=QUICK), out=tmp_path / "t")
    assert not (tmp_path / "t").exists()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["grid", "random", pytest.param("bayes", marks=HAS_OPTUNA)])
def test_a_search_keeps_the_best_on_val_tells_its_test_score_and_goes_on_where_it_was(method, tmp_path):
    job, settings = tiny_job(), Tune(space=("lr=1e-5..1e-1:log:3",), method=method, trials=3, train=QUICK)
    whole = tune(job, settings, out=tmp_path / "whole")
    assert len(whole.trials) == 3
    assert whole.best.score == max(trial.score for trial in whole.trials)
    net = load_final_model(tmp_path / "whole" / whole.best.folder)
    assert whole.score_test == evaluate(net, job.task, job.data, "test")
    content = json.loads((tmp_path / "whole" / "tuning.json").read_text())
    assert content == whole.content and content["best"] == whole.best.number

    first = tune(job, dataclasses.replace(settings, trials=2), out=tmp_path / "cut")
    resumed = tune(job, settings, out=tmp_path / "cut", resume=True)
    assert [(trial.values, trial.score) for trial in resumed.trials] == [
        (trial.values, trial.score) for trial in whole.trials
    ]
    kept = json.loads((tmp_path / "cut" / "trial-001" / "run.json").read_text())
    assert resumed.trials[0].seconds == first.trials[0].seconds == kept["stages"][1]["seconds"]
    assert [stage["cached"] for stage in kept["stages"]] == [True, True]


@pytest.mark.slow
def test_a_trial_that_fails_is_a_result_and_folds_can_judge(tmp_path):
    settings = Tune(
        space=("lr=1e30|0.02",), method="grid", trials=9, folds=2, train=dataclasses.replace(QUICK, optimizer="sgd")
    )
    found = tune(tiny_job(), settings, out=tmp_path / "t")
    assert [trial.score is None for trial in found.trials] == [True, False]
    assert "use a smaller lr" in found.trials[0].reason
    assert found.score_test is None and found.best.number == 2
    folds = json.loads((tmp_path / "t" / "trial-002" / "folds.json").read_text())
    assert folds["mean"] == found.best.score


def test_a_folder_that_is_in_use_ends_the_search_and_settings_that_do_not_go_together_do_not(tmp_path, monkeypatch):
    def in_use(*args, **others):
        raise ConfigError("Another run is using it")

    monkeypatch.setattr(search, "run_stage", in_use)
    settings = Tune(space=("unfreeze_every=1|2",), method="grid", train=QUICK)
    with pytest.raises(ModelError, match=r"Each of 2 trials failed, the last one so: .* none is frozen"):
        tune(tiny_job(), settings, out=tmp_path / "t")
    with pytest.raises(ConfigError, match="Another run is using it"):
        tune(tiny_job(), Tune(space=("lr=0.1",), train=QUICK), out=tmp_path / "t")


def test_the_first_of_equal_trials_is_the_best_and_none_at_all_is_told():
    trials = [Trial(number=n, values={}, score=score) for n, score in ((1, None), (2, 5.0), (3, 5.0))]
    assert best_of(trials).number == 2
    with pytest.raises(ModelError, match="Each of 1 trials failed, the last one so: too fast"):
        best_of([Trial(number=1, values={}, reason="too fast")])


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"method": "luck"}, f"one of {', '.join(METHODS)}, got 'luck'"), ({"trials": 0}, "whole number from 1, got 0"),
     ({"folds": 1}, "whole number from 2, got 1"),
     ({"method": "grid", "space": ("lr=0.1..0.2",)}, r"needs the points of a range: write lr=0.1\.\.0.2:3"),
     ({"method": "grid", "space": ("lr=1e-4..1e-1:log",)}, r"write lr=0.0001\.\.0.1:log:3")],
)  # fmt: skip
def test_searches_that_make_no_sense_are_refused(changes, words):
    with pytest.raises(ConfigError, match=words):
        Tune(**{"space": SPACE, **changes})
