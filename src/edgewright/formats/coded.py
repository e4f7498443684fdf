"""A file of tensors in few bytes: shared values and places of non-zeros in Huffman codes. NumPy only.

    8 bytes   magic and version
    4, 4      bytes of the header as it is stored; CRC-32 of all that follows
    header    JSON, deflated: what describes the tensors' owner; of each tensor its name, type, shape and sections
    sections  one behind the other, in the order of the header

A float32 tensor is written in the form that takes the fewest bytes; other types as they are:

    raw            its bytes
    values coded   codebook (the float32 values that it takes), code table, one word for each value
    zeros skipped  relative indices (`sparse.relative` of all values in one column) in words of their own, and the
                   values of the entries, raw or coded

Nothing is lost: what is read has the bits of what was written, -0.0 and NaN too. Source: Han, Mao, Dally 2016,
arXiv:1510.00149 (weight sharing, relative indices and Huffman coding; tables are counted here).
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DataError, first_line
from .huffman import HuffmanCode
from .sparse import Relative, relative

MAGIC = b"EWCODED\x01"
FRONT = struct.Struct("<8sII")
MOST_VALUES = 256  # of a codebook: 8 bits, what large layers are shared down to at most
INDEX_BITS = range(2, 9)  # of a relative index; the best of them is taken
MOST_HEADER_BYTES = 1 << 28
MOST_ELEMENTS = 1 << 31
PARTS = {"raw": "other", "nonzeros": "values", "codebook": "codebooks", "values": "values", "value_table": "tables",
         "indices": "indices", "index_table": "tables"}  # fmt: skip
"""Section -> the part of the file that it is counted under."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stored:
    """A tensor as it lies in a file: facts for the header, and sections of bytes."""

    facts: Mapping[str, int]
    sections: Mapping[str, bytes]

    @property
    def num_bytes(self) -> int:
        return sum(map(len, self.sections.values()))


@dataclass(frozen=True, kw_only=True, eq=False)
class Tensor:
    """Name, type and shape of a tensor, and its bytes in row-major order, little-endian."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    data: bytes


def write(description: Mapping[str, Any], tensors: Sequence[Tensor], *, huffman: bool = True) -> tuple[bytes, dict]:
    """The file, and its bytes by part: values, indices, codebooks, tables, other (raw tensors), description.

    Args:
        description: JSON-able; given back by `read`.
        huffman: False writes words of one length (and no tables fewer), to tell what the coding is worth.
    """
    stored = [encode(each, huffman=huffman) for each in tensors]
    rows = [
        {"name": each.name, "dtype": each.dtype, "shape": list(each.shape), **found.facts,
         "sections": {name: len(data) for name, data in found.sections.items()}}
        for each, found in zip(tensors, stored, strict=True)
    ]  # fmt: skip
    content = json.dumps({**description, "tensors": rows}, separators=(",", ":"), allow_nan=False)
    header = zlib.compress(content.encode(), 9)
    body = header + b"".join(data for found in stored for data in found.sections.values())
    parts = dict.fromkeys((*PARTS.values(), "description"), 0)
    for found in stored:
        for name, data in found.sections.items():
            parts[PARTS[name]] += len(data)
    parts["description"] = FRONT.size + len(header)
    return FRONT.pack(MAGIC, len(header), zlib.crc32(body)) + body, parts


def read(data: bytes) -> tuple[dict[str, Any], list[Tensor]]:
    """Description and tensors of a file.

    Raises:
        DataError: it is of another format or version, cut short, or damaged.
    """
    if len(data) < FRONT.size or data[: len(MAGIC) - 1] != MAGIC[:-1]:
        raise DataError("it is no coded model (its first bytes are others)")
    magic, header_bytes, checksum = FRONT.unpack_from(data)
    if magic != MAGIC:
        raise DataError(f"it is of version {magic[-1]}, this version reads {MAGIC[-1]}")
    body = data[FRONT.size :]
    if zlib.crc32(body) != checksum:
        raise DataError("it was cut short or changed (its checksum differs)")
    try:
        content = _header(body[:header_bytes])
        return content, _tensors(content.pop("tensors"), body[header_bytes:])
    except (zlib.error, ValueError, LookupError, TypeError, AttributeError, RecursionError, MemoryError) as error:
        raise DataError(f"its content does not fit together ({first_line(error, typed=True)})") from error


def _header(compressed: bytes) -> dict[str, Any]:
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(compressed, MOST_HEADER_BYTES)
    if not unpacker.eof:
        raise ValueError("the header is longer than any")
    return dict(json.loads(text))


def _tensors(rows: Sequence[Mapping[str, Any]], body: bytes) -> list[Tensor]:
    found, position = [], 0
    for row in rows:
        sections = {}
        for name, size in row["sections"].items():
            if size < 0 or position + size > len(body):
                raise ValueError("a section reaches beyond the file")
            sections[name] = body[position : position + size]
            position += size
        shape = tuple(int(size) for size in row["shape"])
        data = decode(Stored(facts=row, sections=sections), math.prod(shape))
        found.append(Tensor(name=str(row["name"]), dtype=str(row["dtype"]), shape=shape, data=data))
    if position != len(body):
        raise ValueError("bytes are left over")
    return found


# -- one tensor -------------------------------------------------------------------------------------------------------
def encode(tensor: Tensor, *, huffman: bool = True) -> Stored:
    """A tensor in the form of the fewest bytes, the simplest of equals."""
    raw = Stored(facts={}, sections={"raw": tensor.data})
    if tensor.dtype != "float32" or not tensor.data:
        return raw
    bits_N = np.frombuffer(tensor.data, dtype="<u4")
    forms = [raw, *_values(bits_N, huffman=huffman)]
    if not bits_N.all():
        forms += _skipping(bits_N, huffman=huffman)
    return min(forms, key=lambda form: form.num_bytes + 16 * len(form.sections))  # what its row in the header takes


def _values(bits_N: np.ndarray, *, huffman: bool) -> list[Stored]:
    """The values in codes, where they are few."""
    codebook_S, symbols_N = np.unique(bits_N, return_inverse=True)
    if len(codebook_S) > MOST_VALUES:
        return []
    code = _code(symbols_N, len(codebook_S), huffman=huffman)
    sections = {"codebook": codebook_S.tobytes(), "value_table": code.table(), "values": code.encode(symbols_N)}
    return [Stored(facts={}, sections=sections)]


def _skipping(bits_N: np.ndarray, *, huffman: bool) -> list[Stored]:
    """Without the zeros: relative indices, and what the entries hold."""
    zeros_N = np.diff(np.flatnonzero(bits_N), prepend=-1) - 1
    index_bits = min(INDEX_BITS, key=lambda bits: _index_cost(zeros_N, bits))
    entries = relative(bits_N.reshape(-1, 1), index_bits=index_bits)
    if not len(entries.values):
        return []
    code = _code(entries.gaps, 1 << index_bits, huffman=huffman)
    indices = {"index_table": code.table(), "indices": code.encode(entries.gaps)}
    facts = {"entries": len(entries.values), "index_bits": index_bits}
    held = [{"nonzeros": entries.values.tobytes()}]
    held += [dict(form.sections) for form in _values(entries.values, huffman=huffman)]
    return [Stored(facts=facts, sections={**indices, **each}) for each in held]


def _index_cost(zeros_N: np.ndarray, index_bits: int) -> float:
    """Bits that relative indices of this width take, about: table, words, and 8 for each zero that is stored."""
    padding_N, rest_N = np.divmod(zeros_N, 1 << index_bits)
    counts_S = np.bincount(rest_N, minlength=1 << index_bits)
    num_padding = int(padding_N.sum())
    counts_S[-1] += num_padding
    shares_S = counts_S[counts_S > 0] / max(1, counts_S.sum())
    entropy = -float(np.sum(shares_S * np.log2(shares_S)))
    return 4 * (1 << index_bits) + counts_S.sum() * max(1.0, entropy) + 8 * num_padding


def _code(symbols_N: np.ndarray, num_symbols: int, *, huffman: bool) -> HuffmanCode:
    if not huffman:
        return HuffmanCode.fixed(num_symbols)
    return HuffmanCode.for_counts(np.bincount(symbols_N, minlength=num_symbols))


def decode(stored: Stored, num_elements: int) -> bytes:
    """The tensor's bytes again.

    Raises:
        DataError: a code table or a stream of words is damaged.
        ValueError, LookupError: the sections do not belong together.
    """
    if "raw" in stored.sections:
        return stored.sections["raw"]
    if not 0 <= num_elements <= MOST_ELEMENTS:
        raise ValueError(f"a tensor of {num_elements} values")
    if "indices" not in stored.sections:
        return _read_values(stored.sections, num_elements).tobytes()
    count, index_bits = stored.facts["entries"], stored.facts["index_bits"]
    if index_bits not in INDEX_BITS or count < 1:
        raise ValueError(f"{count} indices of {index_bits} bits")
    code = HuffmanCode.from_table(stored.sections["index_table"], 1 << index_bits)
    gaps = code.decode(stored.sections["indices"], count)
    if int(gaps.sum(dtype=np.int64)) + count > num_elements:
        raise ValueError("indices reach beyond the tensor")
    entries = Relative(
        shape=(num_elements, 1), values=_read_values(stored.sections, count), gaps=gaps,
        pointers=np.array([0, count]), index_bits=index_bits, value_bits=32,
    )  # fmt: skip
    return entries.decode().tobytes()


def _read_values(sections: Mapping[str, bytes], count: int) -> np.ndarray:
    """The values as bits of float32, uint32 (count,)."""
    if "nonzeros" in sections:
        found = np.frombuffer(sections["nonzeros"], dtype="<u4")
        if len(found) != count:
            raise ValueError(f"{len(found)} values for {count} places")
        return found
    codebook_S = np.frombuffer(sections["codebook"], dtype="<u4")
    code = HuffmanCode.from_table(sections["value_table"], len(codebook_S))
    return codebook_S[code.decode(sections["values"], count)]
