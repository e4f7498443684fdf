"""The example of docs/mixed-precision.md."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "mixed-precision.md"


@pytest.mark.slow
def test_the_example_of_the_page_finds_a_choice_on_its_own_front():
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.S | re.M)
    names: dict = {}
    exec(compile(block, PAGE.name, "exec"), names)
    front, best = names["front"], names["best"]
    latencies, losses = zip(*((each.spent.latency_s, each.predicted_loss) for each in front), strict=True)
    assert len(front) > 2 and list(latencies) == sorted(latencies, reverse=True) and list(losses) == sorted(losses)
    assert latencies[-1] <= best.spent.latency_s <= (latencies[0] + latencies[-1]) / 2
    assert best.predicted_loss in losses
