"""The verdict as lines of text."""

from edgewright.report import render, summary_lines


def test_a_passing_run_in_lines(example):
    lines = summary_lines(example["digits"]())
    assert lines[0] == "PASSED  simple_cnn fits stm32f746: 98.33 points (−0.28) in a file 8.75 times smaller."
    score = next(line for line in lines if line.strip().startswith("Score"))
    assert score.split() == ["Score", "98.61", "±", "0.62", "98.33", "±", "0.68", "−0.28", "points", "measured"]
    assert lines[-2:] == ["int8: artifact/model.onnx", "fp32: artifact-fp32/model.onnx"]


def test_columns_line_up_and_no_line_has_spaces_at_its_end(any_run):
    lines = summary_lines(any_run)
    head = next(line for line in lines if line.split() == ["before", "after", "change", "how"])
    table = lines[lines.index(head) + 1 : lines.index("", lines.index(head))]
    assert all(line[head.index("change") - 2 : head.index("change")] == "  " for line in table)
    assert all(line == line.rstrip() for line in lines)


def test_a_failed_run_names_what_failed_and_what_would_help(example):
    lines = summary_lines(example["infeasible"]())
    assert lines[0].startswith("FAILED  The budget is infeasible")
    assert "  failed: flash: fc1 holds 71 % of the weights; a smaller flatten would help most" in lines
    assert "  flash to 13.9 KiB: then a drop of 0.4 points is enough" in lines


def test_a_single_stage_is_done():
    assert summary_lines({"verdict": {"passed": True, "sentence": "Prune: done."}})[0] == "DONE  Prune: done."


def test_a_bare_run_still_has_its_verdict():
    assert summary_lines({"verdict": {"passed": False, "sentence": "No."}})[0] == "FAILED  No."


def test_an_estimate_from_a_calibrated_device_comes_with_the_error_of_its_table(example):
    run = example["digits"]()
    seen = [{"name": "a", "dtype": "float32", "predicted_s": 1.2, "measured_s": 1.0}, {"name": "broken"}]
    run["device"] |= {"name": "mine", "latency_table": {"validation": seen}}
    assert (
        "  latency is estimated from measured operators of mine: float32: median error 20 %, worst 20 % on 1 unseen "
        "model; int8: error at int8 unknown"
    ) in summary_lines(run)
    assert "median error 20 %, worst 20 % on 1 unseen model" in render(run)
