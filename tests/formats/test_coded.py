"""The coded file: exact round trips of all bits, sizes by hand, parts that add up, and damage in one sentence."""

import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewright.errors import DataError
from edgewright.formats.coded import FRONT, MAGIC, PARTS, Stored, Tensor, decode, encode, read, write

BITS = st.sampled_from([0, 0, 0, 0x80000000, 0x3F800000, 0x7FC00001, 0xBF000000, 0x00000001])  # -0.0, a NaN, subnormals


def tensor(bits, name="w", dtype="float32"):
    data = np.array(bits, dtype="<u4").tobytes()
    return Tensor(name=name, dtype=dtype, shape=(len(data) // 4,), data=data)


def sparse_weights(num_values=15, share=0.1, size=20_000):
    generator = np.random.default_rng(0)
    values = generator.choice(np.linspace(-1, 1, num_values, dtype=np.float32), size)
    return np.where(generator.random(size) < share, values, np.float32(0)).view("<u4")


@given(st.lists(BITS, max_size=400), st.booleans())
def test_every_bit_comes_back(bits, huffman):
    given_ = tensor(bits)
    stored = encode(given_, huffman=huffman)
    assert decode(stored, len(bits)) == given_.data
    assert stored.num_bytes <= len(given_.data)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 3000), max_size=30))
def test_wide_gaps_come_back(gaps):
    bits = [bit for gap in gaps for bit in [*[0] * gap, 0x3F800000 + gap]]
    assert decode(encode(tensor(bits)), len(bits)) == tensor(bits).data


def test_four_shared_values_take_a_codebook_a_table_and_their_words():
    """8, 4, 3 and 1 of 4 values in 1, 2, 3 and 3 bits, 80 times over: 28 * 80 / 8 = 280 bytes behind 16 and 2."""
    values = np.array([1.0] * 8 + [2.0] * 4 + [3.0] * 3 + [4.0], dtype=np.float32)
    stored = encode(tensor(np.tile(values, 80).view("<u4")))
    assert {name: len(data) for name, data in stored.sections.items()} == {
        "codebook": 16, "value_table": 2, "values": 280,
    }  # fmt: skip


def test_zeros_are_skipped_where_that_takes_fewer_bytes():
    """One 1.0 in each 8 places: every gap is 7, one bit each, and so is every value."""
    bits = np.tile(np.array([0, 0, 0, 0, 0, 0, 0, 0x3F800000]), 1000)
    stored = encode(tensor(bits))
    assert stored.facts == {"entries": 1000, "index_bits": 3}
    assert {name: len(data) for name, data in stored.sections.items()} == {
        "index_table": 4, "indices": 125, "codebook": 4, "value_table": 1, "values": 125,
    }  # fmt: skip


def test_many_values_stay_raw_and_their_zeros_are_skipped():
    generator = np.random.default_rng(0)
    dense = generator.standard_normal(5000).astype(np.float32)
    assert list(encode(tensor(dense.view("<u4"))).sections) == ["raw"]
    sparse = np.where(generator.random(5000) < 0.1, dense, np.float32(0))
    stored = encode(tensor(sparse.view("<u4")))
    assert list(stored.sections) == ["index_table", "indices", "nonzeros"]
    assert len(stored.sections["nonzeros"]) >= 4 * np.count_nonzero(sparse)
    assert stored.num_bytes < 0.13 * 4 * 5000


def test_huffman_words_are_near_the_entropy_and_save_against_words_of_one_length():
    bits = sparse_weights()
    huffman, fixed = encode(tensor(bits)), encode(tensor(bits), huffman=False)
    assert huffman.num_bytes < 0.95 * fixed.num_bytes
    density = np.count_nonzero(bits) / len(bits)
    where = -density * np.log2(density) - (1 - density) * np.log2(1 - density)  # bits a place
    entropy_bytes = (where + density * np.log2(14)) * len(bits) / 8
    assert entropy_bytes < huffman.num_bytes < 1.05 * entropy_bytes + 200  # codebook and tables


def test_a_file_gives_back_description_and_tensors_and_its_parts_add_up():
    tensors = [
        tensor(sparse_weights(), name="fc.weight"),
        tensor([1, 2, 3], name="fc.bias"),
        Tensor(name="steps", dtype="int64", shape=(), data=struct.pack("<q", -5)),
        Tensor(name="empty", dtype="float32", shape=(0, 3), data=b""),
    ]
    data, parts = write({"format": "test", "facts": [1, {"a": None}]}, tensors)
    description, found = read(data)
    assert description == {"format": "test", "facts": [1, {"a": None}]}
    assert [(each.name, each.dtype, each.shape, each.data) for each in found] == [
        (each.name, each.dtype, each.shape, each.data) for each in tensors
    ]
    assert sum(parts.values()) == len(data)
    assert set(parts) == {*PARTS.values(), "description"}
    assert parts["other"] == 12 + 8


def with_header(change, body=b""):
    """A file whose header says something else, under a checksum that is right."""
    content = {"tensors": [{"name": "w", "dtype": "float32", "shape": [2], "sections": {"raw": 8}}]}
    change(content)
    header = zlib.compress(json.dumps(content).encode())
    rest = header + (body or bytes(8))
    return FRONT.pack(MAGIC, len(header), zlib.crc32(rest)) + rest


DAMAGES = {
    "nothing": (lambda data: b"", "no coded model"),
    "another kind": (lambda data: b"PK\x03\x04" + data, "its first bytes are others"),
    "another version": (lambda data: data[:7] + b"\x09" + data[8:], "it is of version 9, this version reads 1"),
    "cut short": (lambda data: data[:-1], "it was cut short or changed"),
    "a bit changed": (lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:], "its checksum differs"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_is_refused_with_the_reason(name):
    damage, sentence = DAMAGES[name]
    data, _ = write({}, [tensor(sparse_weights())])
    with pytest.raises(DataError, match=sentence):
        read(damage(data))


WRONG = {
    "a section beyond the end": lambda content: content["tensors"][0]["sections"].update(raw=9),
    "bytes that are left": lambda content: content["tensors"][0]["sections"].update(raw=7),
    "a negative size": lambda content: content["tensors"][0]["sections"].update(raw=-1),
    "no tensors": lambda content: content.pop("tensors"),
    "no shape": lambda content: content["tensors"][0].pop("shape"),
    "sections unknown": lambda content: content["tensors"][0].update(sections={"x": 8}),
    "far too many values": lambda content: content["tensors"][0].update(shape=[10**12], sections={"values": 8}),
    "shape of text": lambda content: content["tensors"][0].update(shape=["a"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_header_that_does_not_fit_is_refused(name):
    with pytest.raises(DataError, match="does not fit together"):
        read(with_header(WRONG[name]))


@settings(max_examples=50)
@given(st.integers(0, 2**31), st.integers(1, 255))
def test_whatever_changes_behind_a_right_checksum_is_read_or_refused(place, flip):
    data, _ = write({}, [tensor(sparse_weights(size=300)), tensor([5, 5, 6] * 30, name="v")])
    body = bytearray(data[FRONT.size :])
    body[place % len(body)] ^= flip
    _, header_bytes, _ = FRONT.unpack_from(data)
    try:
        _, found = read(FRONT.pack(MAGIC, header_bytes, zlib.crc32(bytes(body))) + bytes(body))
    except DataError:
        return
    assert all(isinstance(each, Tensor) for each in found)


def test_indices_that_reach_beyond_the_tensor_are_refused():
    stored = encode(tensor(sparse_weights()))
    with pytest.raises(ValueError, match="beyond the tensor"):
        decode(stored, 5000)
    with pytest.raises(ValueError, match="indices of 9 bits"):
        decode(Stored(facts={**stored.facts, "index_bits": 9}, sections=stored.sections), 20_000)
