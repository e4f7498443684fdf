"""Huffman codes: a code by hand, the textbook's, optimality against the plain algorithm, streams, and damage."""

import heapq
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewright.errors import DataError
from edgewright.formats.huffman import LONGEST, HuffmanCode, code_lengths, table_bytes

COUNTS = st.lists(st.integers(0, 1000), min_size=1, max_size=40).filter(any)


def bits_of_plain_huffman(counts):
    """Joining the two rarest again and again: each join adds one bit to all symbols below it."""
    heap, total = sorted(count for count in counts if count), 0
    if len(heap) == 1:
        return heap[0]
    while len(heap) > 1:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        total += joined
        heapq.heappush(heap, joined)
    return total


def test_a_code_of_four_symbols_by_hand():
    """Counts 8, 1, 4, 3: join 1 and 3, then 4 and 4, then 8 and 8. Lengths 1, 3, 2, 3; words 0, 110, 10, 111."""
    code = HuffmanCode.for_counts(np.array([8, 1, 4, 3]))
    assert code.lengths_S.tolist() == [1, 3, 2, 3]
    assert [f"{word:0{length}b}" for word, length in zip(code.words(), code.lengths_S, strict=True)] == [
        "0", "110", "10", "111",
    ]  # fmt: skip
    assert code.num_bits(np.array([8, 1, 4, 3])) == 8 + 3 + 8 + 9 == 28
    assert code.encode(np.array([0, 2, 3, 0, 1])) == bytes([0b01011101, 0b10000000])
    assert code.table() == bytes([0x13, 0x23])


def test_the_code_of_the_textbook_takes_224_bits():
    """Cormen et al., Introduction to Algorithms, section 16.3: 45, 13, 12, 16, 9, 5 thousand letters."""
    counts = np.array([45, 13, 12, 16, 9, 5])
    assert code_lengths(counts).tolist() == [1, 3, 3, 3, 4, 4]
    assert HuffmanCode.for_counts(counts).num_bits(counts) == 224


@settings(max_examples=50)
@given(COUNTS)
def test_no_prefix_code_is_shorter(counts):
    code = HuffmanCode.for_counts(np.array(counts))
    assert code.num_bits(np.array(counts)) == bits_of_plain_huffman(counts)
    if np.count_nonzero(counts) > 1:
        assert sum(2.0 ** -int(length) for length in code.lengths_S if length) == 1
        shares = np.array([count for count in counts if count]) / sum(counts)
        entropy = -float(np.sum(shares * np.log2(shares)))
        assert entropy - 1e-9 <= code.num_bits(np.array(counts)) / sum(counts) < entropy + 1


def test_words_never_grow_beyond_15_bits():
    """Counts in the order of Fibonacci make the deepest tree there is: 29 bits for 30 symbols without a limit."""
    counts = [1, 1]
    while len(counts) < 30:
        counts.append(counts[-1] + counts[-2])
    code = HuffmanCode.for_counts(np.array(counts))
    assert code.lengths_S.max() == LONGEST
    assert sum(2.0 ** -int(length) for length in code.lengths_S) == 1
    assert 1 < code.num_bits(np.array(counts)) / bits_of_plain_huffman(counts) < 1.001


@given(st.lists(st.integers(0, 20), max_size=300), st.booleans())
def test_a_message_comes_back_from_its_words(message, huffman):
    symbols = np.array(message, dtype=np.int64)
    counts = np.bincount(symbols, minlength=21)
    code = HuffmanCode.for_counts(counts) if huffman and message else HuffmanCode.fixed(21)
    data = code.encode(symbols)
    assert len(data) == math.ceil(code.num_bits(counts) / 8)
    stored = HuffmanCode.from_table(code.table(), 21)
    assert stored.decode(data, len(message)).tolist() == message


def test_a_message_of_several_blocks_comes_back():
    generator = np.random.default_rng(0)
    symbols = np.minimum(generator.geometric(0.03, 600_000), 255)
    code = HuffmanCode.for_counts(np.bincount(symbols, minlength=256))
    data = code.encode(symbols)
    assert len(data) > 3 * 2**17
    assert np.array_equal(code.decode(data, len(symbols)), symbols)


def test_a_single_symbol_takes_a_bit_each_time():
    code = HuffmanCode.for_counts(np.array([0, 9, 0]))
    assert code.lengths_S.tolist() == [0, 1, 0]
    assert code.decode(code.encode(np.ones(9, dtype=int)), 9).tolist() == [1] * 9


def test_words_of_one_length_need_no_statistics():
    assert HuffmanCode.fixed(32).lengths_S.tolist() == [5] * 32
    assert HuffmanCode.fixed(33).lengths_S.tolist() == [6] * 33


def test_data_that_was_cut_short_is_refused():
    code = HuffmanCode.for_counts(np.array([8, 1, 4, 3]))
    data = code.encode(np.array([3, 1, 3, 1, 3, 1, 3, 1]))  # 24 bits
    with pytest.raises(DataError, match="of 3 bytes ends before its 9 symbols"):
        code.decode(data, 9)
    with pytest.raises(DataError, match="of 2 bytes ends in the middle of a word"):
        code.decode(data[:2], 6)  # the sixth word has its first bit only
    with pytest.raises(DataError, match="of 1 bytes cannot hold 9 symbols"):
        code.decode(data[:1], 9)


def test_bits_that_are_no_word_are_refused():
    code = HuffmanCode.for_counts(np.array([5, 0]))  # the only word is 0
    with pytest.raises(DataError, match="no word of its code"):
        code.decode(b"\xff", 8)


@pytest.mark.parametrize(
    ("table", "num_symbols", "sentence"),
    [
        (bytes([0x11, 0x10]), 3, "no prefix code has words of such lengths"),
        (b"\x11", 3, "of 1 bytes is not one of 3 symbols"),
    ],
)
def test_a_damaged_table_is_refused(table, num_symbols, sentence):
    with pytest.raises(DataError, match=sentence):
        HuffmanCode.from_table(table, num_symbols)


@given(st.binary(max_size=40), st.binary(min_size=8, max_size=8), st.integers(0, 400))
def test_any_bytes_are_decoded_or_refused(data, table, num_symbols):
    try:
        found = HuffmanCode.from_table(table, 16).decode(data, num_symbols)
    except DataError:
        return
    assert len(found) == num_symbols and table_bytes(16) == 8
