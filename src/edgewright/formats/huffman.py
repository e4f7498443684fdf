"""Canonical Huffman codes: frequent symbols get short words, so a stream of them takes about its entropy in bits.

    >>> code = HuffmanCode.for_counts(np.array([45, 13, 12, 16, 9, 5]))
    >>> code.lengths_S
    array([1, 3, 3, 3, 4, 4], dtype=uint8)

Words of one length are consecutive numbers in the order of their symbols, so the lengths say everything and are all
that is stored (RFC 1951, section 3.2.2). A length has four bits: no word is longer than 15. Within that limit the code
is the best there is (package-merge: Larmore and Hirschberg 1990), and is Huffman's own wherever that stays below it.

Axes: S symbols of the alphabet, N symbols of a message, W windows of 15 bits, L bits of a block.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from ..errors import DataError

LONGEST = 15  # bits: a length fits half a byte, and one look into a table of 2^15 decodes a word
MOST_SYMBOLS = 1 << LONGEST
BLOCK_BYTES = 1 << 17  # decoded at a time; each takes about 40 bytes of memory while it is


def code_lengths(counts_S: np.ndarray, *, longest: int = LONGEST) -> np.ndarray:
    """Bits of each symbol's word in the best prefix code, uint8 (S,); 0 for symbols that never come.

    A message of one symbol only takes a word of one bit.

    Args:
        counts_S: how often each symbol comes.
        longest: no word has more bits; 2^longest is at least the number of symbols that come.
    """
    coins = sorted((int(count), (symbol,)) for symbol, count in enumerate(counts_S) if count > 0)
    assert len(coins) <= 1 << longest
    if len(coins) == 1:
        return (np.asarray(counts_S) > 0).astype(np.uint8)
    packages: list[tuple[int, tuple[int, ...]]] = []
    for _ in range(longest):  # a coin of value 2^-l means "one bit more, the l-th"; two make one of twice the value
        merged = sorted(coins + packages)
        packages = [(a[0] + b[0], a[1] + b[1]) for a, b in zip(merged[::2], merged[1::2], strict=False)]
    lengths_S = np.zeros(len(counts_S), dtype=np.uint8)
    chosen = Counter(symbol for _, symbols in packages[: len(coins) - 1] for symbol in symbols)
    lengths_S[list(chosen)] = list(chosen.values())
    return lengths_S


@dataclass(frozen=True, kw_only=True, eq=False)
class HuffmanCode:
    """A prefix code, given by the bits of each symbol's word; 0 where a symbol has none.

    Raises:
        DataError: no prefix code has these lengths.
    """

    lengths_S: np.ndarray

    def __post_init__(self) -> None:
        taken = sum(1 << (LONGEST - int(length)) for length in self.lengths_S if length)  # Kraft's inequality
        if len(self.lengths_S) > MOST_SYMBOLS or np.any(self.lengths_S > LONGEST) or taken > MOST_SYMBOLS:
            raise DataError("A code table is damaged: no prefix code has words of such lengths.")

    @staticmethod
    def for_counts(counts_S: np.ndarray) -> HuffmanCode:
        """The best code for symbols that come so often."""
        return HuffmanCode(lengths_S=code_lengths(counts_S))

    @staticmethod
    def fixed(num_symbols: int) -> HuffmanCode:
        """All words equally long, for comparison: the code that no statistics are needed for."""
        length = max(1, (num_symbols - 1).bit_length())
        return HuffmanCode(lengths_S=np.full(num_symbols, length, dtype=np.uint8))

    @staticmethod
    def from_table(table: bytes, num_symbols: int) -> HuffmanCode:
        """The code that `table` was written by.

        Raises:
            DataError: the table is not of so many symbols, or no code has these lengths.
        """
        if not 0 <= num_symbols <= MOST_SYMBOLS or len(table) != table_bytes(num_symbols):
            raise DataError(f"A code table of {len(table)} bytes is not one of {num_symbols} symbols.")
        packed = np.frombuffer(table, dtype=np.uint8)
        return HuffmanCode(lengths_S=np.stack([packed >> 4, packed & 15], axis=1).reshape(-1)[:num_symbols])

    def table(self) -> bytes:
        """What must be stored of the code: half a byte for each symbol."""
        padded = np.append(self.lengths_S, np.zeros(len(self.lengths_S) % 2, dtype=np.uint8))
        return (padded[::2] << 4 | padded[1::2]).astype(np.uint8).tobytes()

    def words(self) -> np.ndarray:
        """The word of each symbol as a number, uint16 (S,)."""
        words_S, word = np.zeros(len(self.lengths_S), dtype=np.uint16), 0
        for length in range(1, LONGEST + 1):
            word <<= 1
            for symbol in np.flatnonzero(self.lengths_S == length):
                words_S[symbol] = word
                word += 1
        return words_S

    def num_bits(self, counts_S: np.ndarray) -> int:
        """Bits of a message in which the symbols come so often."""
        return int(np.dot(np.asarray(counts_S, dtype=np.int64), self.lengths_S.astype(np.int64)))

    def encode(self, symbols_N: np.ndarray) -> bytes:
        """The message in words, one behind the other, the first bit highest; zeros fill the last byte.

        Every symbol has a word in this code.
        """
        lengths_N, words_N = self.lengths_S[symbols_N].astype(np.int64), self.words()[symbols_N]
        assert lengths_N.all()
        ends_N = np.cumsum(lengths_N)
        bits = np.zeros(int(ends_N[-1]) if len(ends_N) else 0, dtype=np.uint8)
        for place in range(int(self.lengths_S.max(initial=0))):
            has = lengths_N > place
            bits[(ends_N - lengths_N)[has] + place] = words_N[has] >> (lengths_N[has] - 1 - place) & 1
        return np.packbits(bits).tobytes()

    def decode(self, data: bytes, num_symbols: int) -> np.ndarray:
        """The first `num_symbols` symbols of what `encode` wrote, uint16 (N,).

        Raises:
            DataError: the data ends before, or holds what is no word of this code.
        """
        if num_symbols > 8 * len(data):
            raise DataError(f"Coded data of {len(data)} bytes cannot hold {num_symbols} symbols.")
        symbol_W, length_W = self._look_up()
        parts, position, left = [], 0, num_symbols
        while left:
            first = position // 8
            windows_L = _windows(data, first)
            starts, position_in_block = _walk(length_W[windows_L], position - 8 * first, left)
            if not len(starts):
                raise DataError(f"Coded data of {len(data)} bytes ends before its {num_symbols} symbols.")
            if not length_W[windows_L[starts]].all():
                raise DataError("Coded data is damaged: it holds bits that are no word of its code.")
            parts.append(symbol_W[windows_L[starts]])
            position, left = 8 * first + position_in_block, left - len(starts)
        if position > 8 * len(data):
            raise DataError(f"Coded data of {len(data)} bytes ends in the middle of a word.")
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint16)

    def _look_up(self) -> tuple[np.ndarray, np.ndarray]:
        """Symbol and length of the word that a window of 15 bits begins with; length 0 where it begins with none."""
        symbol_W, length_W = np.zeros(MOST_SYMBOLS, dtype=np.uint16), np.zeros(MOST_SYMBOLS, dtype=np.uint8)
        words_S = self.words()
        for symbol in np.flatnonzero(self.lengths_S):
            length = int(self.lengths_S[symbol])
            begin = int(words_S[symbol]) << (LONGEST - length)
            symbol_W[begin : begin + (1 << (LONGEST - length))] = symbol
            length_W[begin : begin + (1 << (LONGEST - length))] = length
        return symbol_W, length_W


def table_bytes(num_symbols: int) -> int:
    """Bytes of a stored code for so many symbols."""
    return -(-num_symbols // 2)


def _windows(data: bytes, first: int) -> np.ndarray:
    """The 15 bits from each bit of a block on that begins with byte `first`; zeros follow the end of the data."""
    block = np.frombuffer(data[first : first + BLOCK_BYTES + 2], dtype=np.uint8).astype(np.uint32)
    size = min(BLOCK_BYTES, len(block))
    block = np.append(block, np.zeros(2, dtype=np.uint32))
    words = block[:size] << 16 | block[1 : size + 1] << 8 | block[2 : size + 2]
    shifts = np.arange(24 - LONGEST, 24 - LONGEST - 8, -1, dtype=np.uint32)
    return (words[:, None] >> shifts & (MOST_SYMBOLS - 1)).reshape(-1).astype(np.int64)


def _walk(lengths_L: np.ndarray, position: int, most: int) -> tuple[np.ndarray, int]:
    """Where words begin from `position` on, at most so many, and where the next one does.

    Each step depends on the one before, so this loop cannot be left to NumPy; all around it can.
    """
    steps, end, starts = lengths_L.tobytes(), len(lengths_L), []
    for _ in range(most):
        if position >= end:
            break
        starts.append(position)
        position += steps[position]
    return np.array(starts, dtype=np.int64), position
