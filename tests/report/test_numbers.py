"""Before and after: which numbers the verdict stands on, how they were had, and what the sample size lets one say."""

import math

import pytest

from edgewright.report.figures import figures, limits, timings
from edgewright.report.limits import asked_limits, command
from edgewright.report.scores import read_score, scores


def found(run, name):
    return next(figure for figure in figures(run) if figure.name == name)


def test_the_score_starts_at_the_trained_model_and_ends_in_the_runtime(example):
    result = scores(example["digits"]())
    assert (result.before.value, result.after.value, result.floor) == (98.61, 98.33, 97.61)
    assert result.change == pytest.approx(-0.28)


def test_the_sampling_error_is_binomial():
    score = read_score({"score": {"metric": "top-1", "value": 90.0, "num_samples": 900, "split": "test"}})
    assert score.std_error == pytest.approx(1.0)  # 100 * sqrt(0.9 * 0.1 / 900)


def test_a_drop_inside_two_standard_errors_is_called_noise(example):
    run = example["digits"]()
    error = math.hypot(*(100 * math.sqrt(p * (1 - p) / 360) for p in (0.9861, 0.9833)))
    assert scores(run).std_error == pytest.approx(error)
    assert "−0.28 points is within the noise" in scores(run).remark
    run["stages"][-1]["score"]["value"] = 90.0
    assert "−8.61 points is larger than the noise" in scores(run).remark


def test_scores_of_different_splits_are_not_compared_silently(example):
    run = example["digits"]()
    run["stages"] = [run["stages"][0], run["stages"][-1]]
    run["stages"][0]["score"]["split"] = "val"
    assert "Before was scored on val, after on test" in scores(run).remark


def test_an_untrained_start_is_not_the_model_that_the_drop_counts_from(example):
    run = example["digits"]()
    raw = {**run["stages"][0], "name": "given", "score": {**run["stages"][0]["score"], "value": 9.7}}
    run["stages"] = [raw, *run["stages"]]
    assert scores(run).before.value == 98.61


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
    run = example["residual"]()
    assert found(run, "flash_bytes").how == "estimated → measured"
    assert found(run, "macs").how == "counted"
    assert found(run, "ram_bytes").how == "estimated"
    assert found(run, "file_bytes").how == "measured"


def test_the_tighter_of_budget_and_device_is_the_limit(example):
    run = example["digits"]()
    assert limits(run) == {"ram_bytes": 327_680, "flash_bytes": 1_048_576}
    run["asked"]["budget"]["flash_bytes"] = 65_536
    assert limits(run)["flash_bytes"] == 65_536
    assert found(run, "flash_bytes").limit_text == "20.2 % of the 64 KiB allowed"  # 13,242 bytes


def test_a_side_that_is_unknown_leaves_the_ratio_open(example):
    run = example["digits"]()
    run["artifacts"]["int8"] = None
    figure = found(run, "file_bytes")
    assert (figure.after_text, figure.change, figure.improved, figure.spent) == ("–", "", None, None)


def test_latencies_of_one_setting_belong_together(example):
    run = example["digits"]()
    run["latency"] += [{**entry, "batch": 8, "median_s": 8 * entry["median_s"]} for entry in run["latency"]]
    assert [timing.title for timing in timings(run)] == [
        "ONNX Runtime, batch 1, 1 thread",
        "ONNX Runtime, batch 8, 1 thread",
    ]
    assert found(run, "runtime_s").before == 61e-6


def test_the_command_repeats_what_was_asked(example):
    run = example["infeasible"]()
    assert command(run) == (
        "edgewright fit simple_cnn --data digits --device stm32f746 --max-drop 1 --latency-ms 0.5 --flash-kb 2 "
        "--recipe default --seed 0"
    )
    assert asked_limits(run) == ["drop ≤ 1.00 points", "latency on the device ≤ 500 µs", "flash ≤ 2 KiB"]


def test_the_command_quotes_what_a_shell_would_split(example):
    run = example["digits"]()
    run["asked"]["data"] = "folder:my pictures; rm -rf ~"
    assert "--data 'folder:my pictures; rm -rf ~'" in command(run)


def test_a_recorded_command_is_taken_as_it_is(example):
    run = example["digits"]()
    run["asked"]["command"] = "edgewright fit simple_cnn --data digits"
    assert command(run) == "edgewright fit simple_cnn --data digits"
