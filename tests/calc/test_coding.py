"""Shared weights and Huffman codes by formula: the paper's example, a code by hand, and what is refused."""

import re
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from edgewright.calc import CALCULATIONS
from edgewright.cli import app
from edgewright.errors import ConfigError

weight_sharing, huffman = CALCULATIONS["weight-sharing"], CALCULATIONS["huffman"]


def test_the_example_of_the_paper_is_3_2_times_smaller():
    """Han 2016, section 3: 4 x 4 weights of 32 bits share 4 values: 16 x 32 / (4 x 32 + 2 x 16)."""
    found = weight_sharing(weights=16, values=4).result
    assert (found["ratio"], found["dense_bits"], found["shared_bits"]) == (3.2, 512, 160)


def test_large_layers_come_near_the_ratio_of_the_bits():
    assert weight_sharing(weights=10**7, values=32).result["ratio"] == pytest.approx(32 / 5, rel=1e-4)
    assert weight_sharing(weights=32, values=32).result["ratio"] < 1  # a codebook as large as the layer


def test_a_huffman_code_by_hand():
    """8, 1, 4, 3: 1 and 3 join, 4 joins them, 8 stands alone: 8 x 1 + 1 x 3 + 4 x 2 + 3 x 3 = 28 bits, 32 of 2 each."""
    found = huffman(counts=[8, 1, 4, 3]).result
    assert found["words"] == ["0", "110", "10", "111"]
    assert (found["bits"], found["fixed_bits"], found["bits_per_symbol"]) == (28, 32, 1.75)
    assert found["entropy"] == pytest.approx(1.70282, rel=1e-5)  # 8/16 x 1 + 1/16 x 4 + 4/16 x 2 + 3/16 x 2.415


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=40).filter(lambda counts: sum(map(bool, counts)) > 1))
def test_the_bits_lie_between_the_entropy_and_one_more(counts):
    found = huffman(counts=counts).result
    assert found["entropy"] - 1e-9 <= found["bits_per_symbol"] < found["entropy"] + 1
    assert found["ratio"] >= 1


@pytest.mark.parametrize("counts", [[], [0, 0], [1] * 257])
def test_counts_without_a_symbol_or_with_too_many_are_refused(counts):
    with pytest.raises(ConfigError, match="counts are of 1 to 256 symbols of which one comes at least"):
        huffman(counts=counts)


def test_more_values_than_weights_are_refused():
    with pytest.raises(ConfigError, match="values are at most as many as the weights, got 5 for 4"):
        weight_sharing(weights=4, values=5)


def test_the_page_on_deep_compression_shows_what_the_commands_print():
    page = (Path(__file__).parents[2] / "docs" / "deep-compression.md").read_text()
    shown = re.findall(r"^\$ edgewright (calc .+)\n((?:(?!\$|```).+\n)+)", page, re.M)
    assert len(shown) == 2
    for words, output in shown:
        assert CliRunner().invoke(app, shlex.split(words)).stdout == output
