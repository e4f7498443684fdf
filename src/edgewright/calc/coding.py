"""Deep compression by formula: what shared weights save, and a Huffman code worked out.

Source: Han, Mao, Dally 2016, arXiv:1510.00149, equation 1; Huffman 1952.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import ConfigError
from .worked import Step, Worked, shown, whole

MOST_SYMBOLS = 256


def weight_sharing(*, weights: int, values: int, bits: int = 32) -> Worked:
    """Compression by shared weights: numbers of values.

    r = n b / (n log2 k + k b): an index of log2 k bits for each weight, and a codebook of k values.

    Args:
        weights: n, of the layer.
        values: k, that they take.
        bits: b, of a value as it was.
    """
    n, k, b = whole("weights", weights), whole("values", values), whole("bits", bits)
    if k > n:
        raise ConfigError(f"values are at most as many as the weights, got {k} for {n}.")
    index_bits = math.log2(k)
    dense, indices, codebook = n * b, n * index_bits, k * b
    ratio = dense / (indices + codebook)
    steps = (
        Step("index", "log2 k", f"log2({k})", index_bits, "bits"),
        Step("dense", "n b", f"{n} x {b}", dense, "bits"),
        Step("indices", "n log2 k", f"{n} x log2({k})", indices, "bits"),
        Step("codebook", "k b", f"{k} x {b}", codebook, "bits"),
        Step("ratio", "n b / (n log2 k + k b)", f"{n} x {b} / ({n} x log2({k}) + {k} x {b})", ratio, "times"),
    )
    result = {"dense_bits": dense, "index_bits": index_bits, "shared_bits": indices + codebook, "ratio": ratio}
    notes = () if index_bits.is_integer() else (f"words of one length take {math.ceil(index_bits)} bits",)
    return Worked(title=f"{shown(n)} weights that take {k} values", steps=steps, result=result, notes=notes)


def huffman(*, counts: Sequence[int]) -> Worked:
    """A Huffman code: words, and bits beside the entropy.

    Canonical, and no word longer than 15 bits: what a coded file holds.

    Args:
        counts: how often each symbol comes.
    """
    from ..formats.huffman import HuffmanCode, code_lengths  # loads NumPy, which other answers do without

    total = sum(whole("counts", count, least=0) for count in counts)
    if not total or len(counts) > MOST_SYMBOLS:
        raise ConfigError(
            f"counts are of 1 to {MOST_SYMBOLS} symbols of which one comes at least, got {shown(list(counts))[:60]}."
        )
    code = HuffmanCode(lengths_S=code_lengths(counts))  # type: ignore[arg-type]
    lengths = [int(length) for length in code.lengths_S]
    words = [f"{int(word):0{n}b}" if n else "-" for word, n in zip(code.words(), lengths, strict=True)]
    bits = sum(count * length for count, length in zip(counts, lengths, strict=True))
    entropy = -sum(count / total * math.log2(count / total) for count in counts if count)
    fixed = max(1, (sum(count > 0 for count in counts) - 1).bit_length())
    steps = (
        *(
            Step(f"symbol {number}", "n l", f"{count} x {len(word)}", count * len(word), f"bits, word {word}")
            for number, (count, word) in enumerate(zip(counts, words, strict=True))
            if count
        ),
        Step("message", "sum", "", bits, "bits"),
        Step("a symbol", "bits / symbols", f"{bits} / {total}", bits / total, "bits"),
        Step("entropy", "-sum p log2 p", "", entropy, "bits: no code is shorter"),
        Step("one length", "ceil log2 of the symbols", f"{fixed}", fixed, "bits each"),
    )
    result = {"lengths": lengths, "words": words, "bits": bits, "bits_per_symbol": bits / total, "entropy": entropy,
              "fixed_bits": fixed * total, "ratio": fixed * total / bits}  # fmt: skip
    return Worked(title=f"Huffman code of {len(counts)} symbols", steps=steps, result=result)
