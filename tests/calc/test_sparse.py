"""Sparse storage: packed rows and compressed columns are read back, and expectations are enumerated."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewright import calc
from edgewright.errors import ConfigError

COLUMN = st.lists(st.sampled_from([0, 0, 0, 0, 1.5, -2.0]), min_size=1, max_size=80)


def expanded(stored, counts, length):
    """A column from its entries: each count of zeros, then the value; zeros to the end."""
    column: list[float] = []
    for value, zeros in zip(stored, counts, strict=True):
        column += [0.0] * zeros + [value]
    return column + [0.0] * (length - len(column))


@given(COLUMN, st.integers(1, 5))
def test_a_compressed_column_is_read_back(values, index_bits):
    result = calc.eie_column(values=values, index_bits=index_bits).result
    assert expanded(result["stored"], result["zero_counts"], len(values)) == values
    assert all(0 <= zeros < 2**index_bits for zeros in result["zero_counts"])
    assert result["padding_zeros"] == result["stored"].count(0)


def test_the_expected_padding_is_the_mean_over_all_columns():
    """Every pattern of 9 rows, weighted by its chance; an index of 2 bits counts 3 zeros."""
    rows, density, expected = 9, 0.2, 0.0
    for pattern in itertools.product((0, 1), repeat=rows):
        chance = math.prod(density if each else 1 - density for each in pattern)
        expected += chance * calc.eie_column(values=pattern, index_bits=2).result["padding_zeros"]
    result = calc.eie(rows=rows, columns=5, density=density, index_bits=2).result
    assert result["padding_zeros"] == pytest.approx(5 * expected)
    assert result["entries"] == pytest.approx(5 * (rows * density + expected))


def test_a_dense_matrix_pays_8_bits_a_weight_a_pointer_per_column_and_the_codebook():
    result = calc.eie(rows=32, columns=16, density=1).result
    assert (result["padding_zeros"], result["entry_bytes"]) == (0, 512)
    assert (result["pointer_bytes"], result["codebook_bytes"]) == (17 * 2, 32)
    assert result["ratio_float32"] == pytest.approx(4 * 512 / (512 + 34 + 32))


def test_a_pointer_widens_where_an_element_holds_more_than_it_counts():
    """2^16 entries in one element take 17 bits to point behind; in two elements, 16."""
    shape = {"rows": 256, "columns": 256, "density": 1}
    assert calc.eie(**shape).result["pointer_bytes"] == 257 * 17 / 8
    assert calc.eie(**shape, processing_elements=2).result["pointer_bytes"] == 2 * 257 * 2
    assert calc.eie(**shape, pointer_bits=32).result["pointer_bytes"] == 257 * 4


def test_rows_dealt_to_more_elements_leave_shorter_runs_and_less_padding():
    one = calc.eie(rows=4096, columns=64, density=0.05).result
    many = calc.eie(rows=4096, columns=64, density=0.05, processing_elements=64).result
    assert many["padding_zeros"] < one["padding_zeros"]
    assert many["pointer_bytes"] == 64 * one["pointer_bytes"]


@given(st.lists(st.floats(-5, 5, allow_subnormal=False), min_size=4, max_size=24).map(lambda v: v[: len(v) // 4 * 4]))
def test_a_packed_row_keeps_the_two_largest_of_each_four(values):
    result = calc.sparse_row(values=values).result
    for group, code in enumerate(result["codes"]):
        four, kept = values[4 * group : 4 * group + 4], result["kept"][2 * group : 2 * group + 2]
        assert kept == [four[code & 3], four[code >> 2]]
        assert (code & 3) < (code >> 2)
        assert sorted(map(abs, kept)) == sorted(map(abs, four))[2:]


@pytest.mark.parametrize(("dtype", "pattern"), [("float32", "1:2"), ("int4", "4:8"), ("float16", "2:4")])
def test_a_pattern_that_hardware_takes_has_no_warning(dtype, pattern):
    notes = calc.sparsity(rows=8, columns=8, dtype=dtype, pattern=pattern).notes
    assert not any("storage only" in note for note in notes)
    other = "2:4" if pattern != "2:4" else "1:2"
    assert calc.sparsity(rows=8, columns=8, dtype=dtype, pattern=other).notes[0] == (
        f"storage only: sparse tensor cores take {pattern} for {dtype}"
    )


def test_the_table_holds_every_type_and_the_patterns_of_hardware():
    rows = {(row["dtype"], row["pattern"]): row for row in calc.sparsity_table().result["rows"]}
    assert {("float8", "2:4"), ("tf32", "1:2"), ("int4", "4:8")} <= set(rows)
    assert rows["int4", "4:8"]["packed_bytes"] == 1024 * 1024 // 8 * 20 // 8


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda: calc.sparsity(rows=4, columns=4, pattern="3:4"), "pattern is one of 2:4, 1:2, 4:8, got '3:4'"),
        (lambda: calc.sparsity(rows=4, columns=4, dtype="int4", pattern="4:8"), "columns is a multiple of 8"),
        (lambda: calc.sparse_pattern(positions=(1,)), r"positions are two rising indices from 0 to 3, got \(1,\)"),
        (lambda: calc.eie(rows=10**9, columns=4, density=0.5), "rows is at most 10,000,000, got 1,000,000,000"),
        (lambda: calc.sparse_row(values=[1, 2, 3]), "values is a row of a multiple of 4, got 3"),
        (lambda: calc.eie(rows=4, columns=4, density=0), "density is a finite number greater than 0, got 0"),
        (lambda: calc.eie(rows=4, columns=4, density=1.5), "density is a share above 0 and up to 1, got 1.5"),
        (lambda: calc.eie(rows=4, columns=4, density=0.5, processing_elements=5), "at most the rows \\(4\\), got 5"),
        (lambda: calc.eie_column(values=[1], index_bits=40), "index_bits is at most 16, got 40"),
        (lambda: calc.eie_column(values=[]), "values is a column of numbers, got none"),
    ],
)
def test_bad_values_are_refused_in_one_sentence(ask, sentence):
    with pytest.raises(ConfigError, match=sentence):
        ask()
