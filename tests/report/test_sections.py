"""Single sections: the order of layers, shares, confusions and settings, derived by hand."""

import pytest

from edgewright.report.facts import facts, scalar_text
from edgewright.report.sections import confusion, latency, layers, parity, roofline, sensitivity, stages
from edgewright.report.sections.confusion import read_matrix
from edgewright.report.sections.layers import intensity, merged_order, roof_of, with_shares


def test_layers_of_both_models_keep_the_order_of_the_graph():
    assert merged_order(["a", "bn", "b", "c"], ["a", "q", "b", "c", "d"]) == ["a", "q", "bn", "b", "c", "d"]
    assert merged_order([], ["x", "y"]) == ["x", "y"]
    assert merged_order(["x", "y"], []) == ["x", "y"]


def test_shares_are_of_the_summed_latency_and_unknown_when_there_is_none():
    rows = [{"name": "a", "latency_s": 3e-6}, {"name": "b", "latency_s": 1e-6}, {"name": "c"}]
    assert [row["share"] for row in with_shares({"rows": rows})] == [0.75, 0.25, 0.0]
    assert [row["share"] for row in with_shares({"rows": [{"name": "a"}]})] == [None]


def test_intensity_is_macs_per_byte_moved():
    assert intensity({"macs": 600, "weight_bytes": 100, "activation_bytes": 200}) == 2
    assert intensity({"macs": 600}) is None
    assert intensity({"macs": 600, "weight_bytes": 0, "activation_bytes": 0}) is None


def test_bars_are_relative_to_the_largest_of_both_sides():
    before = {"rows": [{"name": "a", "macs": 200}, {"name": "b", "macs": 50}]}
    view = layers({"profile": {"before": before, "after": {"rows": [{"name": "a", "macs": 100}]}}})
    assert [row["cells"][0]["bars"] for row in view["rows"]] == [[100.0, 50.0], [25.0, 0.0]]
    assert [row["gone"] for row in view["rows"]] == [False, True]


def test_a_type_without_kernels_stands_under_the_float32_roof():
    device = {"clock_hz": 100e6, "bandwidth_bytes_s": 1e8, "macs_per_cycle": {"float32": 0.5, "int8": 2}}
    assert roof_of(device, "int8").ridge == 2
    assert roof_of(device, "float16").ridge == 0.5
    assert roof_of({}, "int8") is None


def test_no_roofline_without_a_device(example):
    assert roofline(example["digits"]() | {"device": None}) is None


def test_operators_that_are_not_drawn_are_counted(example):
    assert [plot["left_out"] for plot in roofline(example["digits"]())["plots"]] == [4, 4]  # relu and pool, twice


def test_the_most_sensitive_group_comes_first(example):
    view = sensitivity(example["digits"]())
    assert ([plot["title"] for plot in view["plots"]], view["by"]) == (["conv1", "conv2", "fc1"], "score")


def test_without_scores_the_loss_is_shown_largest_first():
    scan = [{"group": name, "keep": 0.5, "score": None, "loss": loss} for name, loss in (("a", 0.1), ("b", 0.9))]
    view = sensitivity({"sensitivity": scan})
    assert ([plot["title"] for plot in view["plots"]], view["by"]) == (["b", "a"], "loss")


def test_parity_counts_equal_tensors_and_finds_the_worst():
    rows = [{"tensor": "a", "max_steps": 0, "mean_steps": 0.0, "share_equal": 1.0, "own_max_steps": 0},
            {"tensor": "b", "max_steps": 2, "mean_steps": 0.00001, "share_equal": 0.9999,
             "own_max_steps": 2}]  # fmt: skip
    view = parity({"parity": rows})
    assert (view["num_equal"], view["worst"], view["rows"][1]["mean"], view["rows"][1]["share"]) == (
        1,
        "2",
        "below 0.0001",
        "99.99 %",
    )
    assert [row["off"] for row in view["rows"]] == [False, True]


def test_latency_is_compared_with_fp32_of_the_same_setting(example):
    rows = latency(example["digits"]())["rows"]
    assert [(row["artifact"], row["median"], row["ratio"]) for row in rows] == [
        ("fp32", "61.0 µs", ""),
        ("int8", "38.0 µs", "1.61× faster"),
    ]


def test_latency_tells_the_spread_over_the_turns_and_the_error_of_the_estimate(example):
    view = latency(example["residual"]())
    assert view["rows"][1]["by_turn"] == "60.0 % to 64.0 % of its time, by turn"
    assert (
        view["estimate"]
        == "The estimate from the device's numbers was 600 µs, measured were 710 µs: 1.18× the estimate."
    )
    assert latency(example["digits"]())["estimate"] == ""


def test_a_slower_artifact_is_called_slower_and_fp32_stands_first(example):
    run = example["digits"]()
    run["latency"] = [{**run["latency"][1], "median_s": 122e-6}, run["latency"][0]]
    assert [(row["artifact"], row["ratio"]) for row in latency(run)["rows"]] == [("fp32", ""), ("int8", "2.00× slower")]


def test_stages_that_know_no_cost_have_no_bar_of_it(example):
    run = example["digits"]()
    run["stages"][0]["cost"] = None
    plots = {plot["title"]: str(plot["svg"]) for plot in stages(run)["plots"]}
    assert (plots["MACs"].count("<rect"), plots["Score, ± one standard error"].count("<circle")) == (4, 5)


def test_recall_losses_are_listed_worst_first():
    run = {"confusion": {"labels": ["a", "b"], "before": [[10, 0], [1, 9]], "after": [[9, 1], [4, 6]]}}
    assert confusion(run)["classes"] == [
        {"label": "b", "before": "90.00", "after": "60.00"},
        {"label": "a", "before": "100.00", "after": "90.00"},
    ]


@pytest.mark.parametrize("matrix", [None, [], [[1, 2]], [[1, 2], [3]], [[1, -1], [0, 1]], [["1", 0], [0, 1]], "x"])
def test_what_is_no_square_of_counts_is_no_matrix(matrix):
    assert read_matrix(matrix) is None
    assert confusion({"confusion": {"before": matrix, "after": matrix}}) is None


def test_the_worst_pairs_of_many_classes_are_sorted():
    size = 25
    after = [[40 if row == column else 0 for column in range(size)] for row in range(size)]
    after[3][7], after[8][2] = 5, 9
    view = confusion({"confusion": {"labels": [f"c{index}" for index in range(size)], "after": after}})
    assert [(pair["true"], pair["decided"], pair["counts"]) for pair in view["pairs"]] == [
        ("c8", "c2", ["9"]),
        ("c3", "c7", ["5"]),
    ]


def test_settings_are_flat_pairs_and_lists_of_objects_are_tables():
    found = facts(
        {
            "train": {"lr": 0.001, "ema": None},
            "history": [{"epoch": 1, "loss": 2.5}, {"epoch": 2, "best": True}],
            "empty": {},
        }
    )
    assert found.pairs == [("train.lr", "0.001"), ("train.ema", "not set"), ("empty", "none")]
    assert (found.tables[0].name, found.tables[0].columns) == ("history", ["epoch", "loss", "best"])
    assert found.tables[0].rows == [["1", "2.5", ""], ["2", "", "yes"]]


def test_long_lists_tell_their_length():
    assert scalar_text(list(range(3))) == "0, 1, 2"
    assert scalar_text(list(range(1000))).endswith(", 23, … (1000 in all)")
    assert facts({"rows": [{"a": 1}] * 100}).tables[0].num_left_out == 40
