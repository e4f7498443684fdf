"""The table of calculations: each answers with what JSON can hold, and explains itself on the command line."""

from __future__ import annotations

import inspect
import json
import math
import re
from dataclasses import asdict

import pytest

from edgewright import calc
from edgewright.errors import ConfigError
from edgewright.types import plain

ASKED = {
    "conv": {"size": 8, "in_channels": 2, "out_channels": 4},
    "depthwise": {"size": 8, "channels": 2},
    "separable": {"size": 8, "in_channels": 2, "out_channels": 4},
    "separable-table": {},
    "transposed": {"size": 8, "in_channels": 2, "out_channels": 4},
    "linear": {"in_features": 2, "out_features": 3},
    "pool": {"size": 8, "channels": 2, "kernel": 2},
    "batch-norm": {"size": 8, "channels": 2},
    "layer-norm": {"shape": [4]},
    "group-norm": {"size": 8, "channels": 4, "groups": 2},
    "activation": {"kind": "relu"},
    "hard-swish": {"values": [1.0]},
    "output-size": {"size": 8, "kernel": 3},
    "transposed-size": {"size": 8, "kernel": 3},
    "receptive-field": {"layers": [(3, 1)]},
    "conv-backward": {"size": 8, "kernel": 3},
    "pool-backward": {"values": [[1, 2], [3, 4]], "kernel": 2},
    "chain": {"size": 8, "channels": 1, "layers": ["conv 4 k3", "linear 2"]},
    "stack": {"count": 2},
    "fire": {"in_channels": 4, "squeeze": 2, "expand1": 4, "expand3": 4},
    "bottleneck": {"in_channels": 4, "width": 2, "out_channels": 8, "size": 4},
    "inverted-residual": {"in_channels": 4, "out_channels": 4},
    "squeeze-excite": {"channels": 8},
    "channel-shuffle": {"channels": 6, "groups": 2},
    "shufflenet-v1-unit": {"in_channels": 24, "out_channels": 24},
    "shufflenet-v2-unit": {"in_channels": 24, "out_channels": 24},
    "memory-access": {"size": 7, "in_channels": 8, "out_channels": 16},
    "compound-scaling": {"variant": "b1"},
    "subnets": {},
    "latency-reward": {"accuracy": 0.7, "latency_ms": 10.0, "target_ms": 20.0},
    "quantize": {"low": -1, "high": 1, "values": (0.5,)},
    "requantize": {"multiplier": 0.3},
    "integer-dot": {"codes_x": [1], "zero_x": 0, "scale_x": 0.1, "codes_w": [2], "scale_w": 0.1},
    "float": {"value": 0.1},
    "fixed": {"value": 0.1, "q": "3.4"},
    "sparsity": {"rows": 4, "columns": 4},
    "sparsity-table": {"rows": 8, "columns": 8},
    "sparse-pattern": {"positions": (0, 1)},
    "sparse-row": {"values": [1.0, 0.0, 2.0, 3.0]},
    "unstructured": {"rows": 4, "columns": 4, "zeros": 0.5},
    "eie": {"rows": 64, "columns": 4, "density": 0.2},
    "eie-column": {"values": [0.0, 1.0]},
    "weight-sharing": {"weights": 16, "values": 4},
    "huffman": {"counts": [8, 1, 4, 3]},
    "roofline": {"peak_ops_s": 1e9, "bandwidth_bytes_s": 1e8, "ops_per_byte": 3.0},
    "layer-memory": {"size": 8, "in_channels": 2, "out_channels": 4},
    "energy": {"macs": 10},
    "memory-energy": {"read_bytes": 4},
    "energy-ratios": {},
    "energy-table": {},
    "stripes": {"macs": [1.0], "bits": [8]},
}


def test_every_calculation_is_asked_here():
    assert set(ASKED) == set(calc.CALCULATIONS)


@pytest.mark.parametrize("name", calc.CALCULATIONS)
def test_an_answer_has_steps_with_numbers_and_is_json_able(name):
    worked = calc.CALCULATIONS[name](**ASKED[name])
    assert json.loads(json.dumps(asdict(worked)))["title"] == worked.title
    assert worked.steps and worked.result
    assert len(worked.lines()) == 1 + len(worked.steps) + len(worked.notes)
    for step in worked.steps:
        assert step.what and step.value is not None
        assert ": " in step.text() and "None" not in step.text()


WORDS = {" x ": " * ", "^": "**", ",": "", " mod ": " % ", "rnd(": "round(", "clamp(": "(", "log2 6": "log2(6)"}
KNOWN = {"floor": math.floor, "ceil": math.ceil, "round": round, "max": max, "sqrt": math.sqrt, "log2": math.log2}


def put_in(numbers: str) -> float | None:
    """The value of the numbers that a step puts into its formula; None where they are words."""
    text = numbers.replace(", ", ";")
    for word, sign in WORDS.items():
        text = text.replace(word, sign)
    text = re.sub(r"\|(.*)\|", r"abs(\1)", text).replace(";", ", ").replace("2 sqrt", "2 * sqrt")
    try:
        value = eval(text, {"__builtins__": {"abs": abs}}, KNOWN)  # texts of our own, arithmetic alone
    except (SyntaxError, NameError, TypeError):
        return None
    return value if isinstance(value, (int, float)) else None


@pytest.mark.parametrize("name", calc.CALCULATIONS)
def test_the_numbers_put_in_give_the_value_that_a_step_shows(name):
    for step in calc.CALCULATIONS[name](**ASKED[name]).steps:
        value = put_in(step.numbers)
        if value is not None and isinstance(step.value, (int, float)):
            scale = 100 if step.unit == "%" else 1
            assert scale * value == pytest.approx(step.value, rel=2e-5, abs=1e-12), step.text()


def test_most_steps_put_numbers_in():
    steps = [
        step for name, ask in ASKED.items() if name != "energy-table" for step in calc.CALCULATIONS[name](**ask).steps
    ]
    read = [step for step in steps if put_in(step.numbers) is not None]
    assert len(read) > 0.8 * len(steps), [step.text() for step in steps if step not in read]


@pytest.mark.parametrize("name", calc.CALCULATIONS)
def test_arguments_are_keywords_and_the_summary_fits_a_line(name):
    calculation = calc.CALCULATIONS[name]
    kinds = {each.kind for each in inspect.signature(calculation).parameters.values()}
    assert kinds <= {inspect.Parameter.KEYWORD_ONLY}
    summary = inspect.getdoc(calculation).splitlines()[0]
    assert summary.endswith(".") and len(summary) <= 58


ODD = (0, -1, 3, 10**12, 0.5, 1e-300, 1e300, float("nan"), float("inf"))


@pytest.mark.parametrize("name", calc.CALCULATIONS)
def test_odd_numbers_are_answered_or_refused_in_our_words(name):
    """Zero, negative, huge, tiny, nan: in the place of every number and at every place of a list, an answer or ours."""
    odd = [{key: value} for key in ASKED[name] for value in ODD if isinstance(ASKED[name][key], (int, float))]
    odd += [{key: [value]} for key in ASKED[name] for value in ODD if isinstance(ASKED[name][key], (list, tuple))]
    outcomes = {each: 0 for each in ("answered", "refused")}
    for given in odd:
        try:
            worked = calc.CALCULATIONS[name](**{**ASKED[name], **given})
            json.dumps(plain(worked), allow_nan=False)
            outcomes["answered"] += 1
        except ConfigError as error:
            assert str(error).endswith(".") and "\n" not in str(error)
            outcomes["refused"] += 1
    assert sum(outcomes.values()) == len(odd)
    assert outcomes["refused"] > 0 or not odd


@pytest.mark.parametrize("name", calc.CALCULATIONS)
def test_a_number_that_is_no_number_is_refused(name):
    """Whatever a calculation takes as a number, text in its place is our error and not a traceback."""
    number = next((key for key, value in ASKED[name].items() if isinstance(value, int)), None)
    if number is None:
        return
    with pytest.raises(ConfigError, match=rf"{number}|low and high"):
        calc.CALCULATIONS[name](**{**ASKED[name], number: "many"})
