"""Before and after: which numbers the verdict stands on, how they were had, and what the sample size lets one say."""

import math

import pytest

from edgewright.report.figures import figures, limits, timings
from edgewright.report.limits import asked_limits, command
from edgewright.report.scores import read_score, scores


def found(run, name):
    return next(figure for figure in figures(run) if figure.name == name)


def test_the_scores_are_those_the_run_recorded_of_start_and_artifact(example):
    result = scores(example["digits"]())
    assert (result.before.value, result.after.value, result.floor) == (98.61, 98.33, 97.61)
    assert result.change == pytest.approx(-0.28)


def test_without_recorded_scores_those_of_the_stages_count(example):
    result = scores(example["digits"]() | {"scores": None})
    assert (result.before.value, result.before.split, result.after.value) == (98.52, "val", 98.15)


def test_the_sampling_error_is_binomial():
    score = read_score({"score": {"metric": "top-1", "value": 90.0, "num_samples": 900, "split": "test"}})
    assert score.std_error == pytest.approx(1.0)  # 100 * sqrt(0.9 * 0.1 / 900)


def test_a_drop_inside_two_standard_errors_is_called_noise(example):
    run = example["digits"]()
    error = math.hypot(*(100 * math.sqrt(p * (1 - p) / 360) for p in (0.9861, 0.9833)))
    assert scores(run).std_error == pytest.approx(error)
    assert "−0.28 points is within the noise" in scores(run).remark
    run["scores"]["after"]["value"] = 90.0
    assert "−8.61 points is larger than the noise" in scores(run).remark


def test_scores_of_different_splits_are_not_compared_silently(example):
    run = example["digits"]()
    run["scores"]["before"]["split"] = "val"
    assert "Before was scored on val, after on test" in scores(run).remark


def test_an_untrained_start_is_not_the_model_that_the_drop_counts_from(example):
    run = example["digits"]() | {"scores": None, "chosen_stages": None, "pareto": []}
    raw = {**run["stages"][0], "name": "given", "score": {**run["stages"][0]["score"], "value": 9.7}}
    run["stages"] = [raw, *run["stages"]]
    assert scores(run).before.value == 98.52


@pytest.mark.parametrize(
    "score",
    [
        None,
        {},
        {"value": 90.0},
        {"value": 120.0, "num_samples": 5},
        {"value": 50.0, "num_samples": 0.5},
        {"value": "x", "num_samples": 5},
    ],
)
def test_an_impossible_score_is_not_known(score):
    assert read_score({"score": score}) is None


def test_ratios_say_which_way_they_go(example):
    run = example["digits"]()
    assert found(run, "file_bytes").change == "8.75× smaller"  # 211,032 / 24,118
    assert found(run, "runtime_s").change == "1.61× faster"
    run["latency"][1]["median_s"] = 122e-6
    assert found(run, "runtime_s").change == "2.00× slower"
    assert found(run, "runtime_s").improved is False


def test_each_figure_says_how_it_was_had(example):
    run = example["digits"]()
    hows = {figure.name: figure.how for figure in figures(run)}
    assert (hows["macs"], hows["ram_bytes"], hows["file_bytes"]) == ("counted", "estimated", "measured")
    run["checks"].append({"name": "latency_s", "passed": True, "value": 1e-3, "limit": 2e-3, "how": "measured"})
    assert found(run, "latency_s").how == "estimated → measured"
    assert found(run, "latency_s").after == 1e-3


def test_the_tighter_of_budget_and_device_is_the_limit(example):
    run = example["digits"]()
    assert limits(run) == {"ram_bytes": 327_680, "flash_bytes": 1_048_576}
    run["asked"]["budget"]["flash_bytes"] = 65_536
    assert limits(run)["flash_bytes"] == 65_536
    assert found(run, "file_bytes").limit_text == "36.8 % of the 64 KiB allowed"  # 24,118 / 65,536


def test_flash_is_told_once_as_the_file_where_there_is_one(example):
    run = example["digits"]()
    assert "flash_bytes" not in {figure.name for figure in figures(run)}
    assert found(run | {"artifacts": None}, "flash_bytes").after == 24_118  # what the gate checked


def test_the_runtime_on_the_device_itself_is_the_devices_latency(example):
    run = example["residual"]()
    run["asked"]["budget"]["latency_s"] = 1e-3
    assert "latency_s" not in {figure.name for figure in figures(run)}
    assert found(run, "runtime_s").limit_text == "71.0 % of the 1.00 ms allowed"
    run["estimate"] = None  # measured elsewhere: no word about the device
    assert found(run, "runtime_s").limit is None
    assert found(run, "latency_s").how == "estimated"


def test_the_final_cost_is_of_the_chosen_round_whatever_ran_last(example):
    run = example["residual"]()
    run["stages"].append({**run["stages"][-1], "index": 8, "cost": {"macs": 1, "ram_bytes": 1}})
    assert found(run, "macs").after > 1


def test_a_side_that_is_unknown_leaves_the_ratio_open(example):
    run = example["digits"]()
    run["artifacts"]["int8"] = None
    figure = found(run, "file_bytes")
    assert (figure.after_text, figure.change, figure.improved, figure.spent) == ("–", "", None, None)


def test_latencies_of_one_setting_belong_together(example):
    run = example["digits"]()
    run["latency"] += [{**entry, "batch": 8, "median_s": 8 * entry["median_s"]} for entry in run["latency"]]
    assert [timing.title for timing in timings(run)] == [
        "ONNX Runtime 1.31.1, batch 1, 1 thread",
        "ONNX Runtime 1.31.1, batch 8, 1 thread",
    ]
    assert found(run, "runtime_s").before == 61e-6


def test_the_command_repeats_what_was_asked(example):
    run = example["infeasible"]()
    assert command(run) == (
        "edgewright fit simple_cnn --data digits --device stm32f746 --max-drop 1 --latency-ms 0.5 --flash-kb 2 "
        "--recipe default --seed 0"
    )
    assert asked_limits(run) == ["drop ≤ 1.00 points", "latency on the device ≤ 500 µs", "flash ≤ 2 KiB"]


def test_limits_that_are_the_devices_own_are_no_flags(example):
    run = example["digits"]()
    run["asked"]["budget"] |= {"ram_bytes": 327_680, "flash_bytes": 1_048_576}  # as `Budget.within` fills them in
    assert "-kb" not in command(run)
    assert asked_limits(run) == ["drop ≤ 1.00 points", "the device's RAM 320 KiB and flash 1 MiB"]


def test_the_command_quotes_what_a_shell_would_split(example):
    run = example["digits"]()
    run["asked"]["data"] = "folder:my pictures; rm -rf ~"
    assert "--data 'folder:my pictures; rm -rf ~'" in command(run)


def test_a_recorded_command_is_taken_as_it_is(example):
    run = example["digits"]()
    run["asked"]["command"] = "edgewright fit simple_cnn --data digits"
    assert command(run) == "edgewright fit simple_cnn --data digits"


def test_a_single_stage_has_no_fit_command(example):
    run = example["digits"]()
    run["asked"]["recipe"] = {"prune": {"keep_macs": 0.5}}
    assert command(run) == ""
