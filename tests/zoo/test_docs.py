"""docs/models.md says what is true: its table is the registry, its example runs."""

import re
from pathlib import Path

import torch

from edgewright import zoo

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text()


def test_the_table_is_the_registry():
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (\d+) \| (\S+) \| (\S+) \| (.+) \|$", PAGE, flags=re.MULTILINE)
    assert rows == [
        (e.name, "x".join(map(str, e.input_shape)), str(e.num_classes), f"{e.params:,}", f"{e.macs:,}", e.paper)
        for e in zoo.entries()
    ]


def test_the_example_runs(tmp_path):
    code = re.search(r"```python\n# my_net\.py\n(.+?)```", PAGE, flags=re.DOTALL)
    assert code is not None
    (tmp_path / "my_net.py").write_text(code[1])
    built = zoo.resolve(f"{tmp_path}/my_net.py:make_model", num_classes=4)
    assert built.input_shape == (1, 8, 8) and not built.trained
    assert built.model(torch.rand(2, 1, 8, 8)).shape == (2, 4)
    params = sum(
        value.numel() for value in zoo.resolve(f"{tmp_path}/my_net.py:make_model", num_classes=None).model.parameters()
    )
    assert f"parameters            {params:,}" in PAGE
