"""Sparse storage: bytes of worked cases, closed forms as oracles, exact round trips of any bits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgewright.analyze.hardware.columns import ColumnEngine, compress_columns
from edgewright.calc.sparse import unstructured
from edgewright.calc.sparse_columns import eie, eie_column
from edgewright.errors import ConfigError, ShapeError
from edgewright.formats import FORMS, bitmap, csc, csr, pack_bits, relative, unpack_bits

TYPES = (np.float32, np.float16, np.int8, np.uint8, np.float64, np.int16)
EXAMPLE = np.array([[0, 2, 0], [1, 0, 0], [0, 0, 0], [0, 3, 4]], np.float32)


@st.composite
def matrices(draw):
    """Matrices of any bits: NaN with payloads, negative zeros, and mostly zeros."""
    kind = np.dtype(draw(st.sampled_from(TYPES)))
    shape = (draw(st.integers(0, 40)), draw(st.integers(0, 6)))
    bits = draw(
        arrays.arrays(f"u{kind.itemsize}", shape, elements=st.integers(0, 256**kind.itemsize - 1), fill=st.just(0))
    )
    return bits.view(kind)


def with_zeros(rows: int, columns: int, zeros: float, dtype=np.float32) -> np.ndarray:
    """A matrix in which exactly this share is zero, at random places."""
    draw = np.random.default_rng(0)
    flat = np.ones(rows * columns, dtype)
    flat[draw.permutation(flat.size)[: round(zeros * flat.size)]] = 0
    return flat.reshape(rows, columns)


def test_compressed_rows_by_hand():
    found = csr(EXAMPLE)
    assert (found.values.tolist(), found.indices.tolist()) == ([2, 1, 3, 4], [1, 0, 1, 2])
    assert found.pointers.tolist() == [0, 1, 2, 2, 4]
    assert found.num_bytes == 4 * 4 + 4 * 4 + 5 * 4


def test_compressed_columns_by_hand():
    found = csc(EXAMPLE)
    assert (found.values.tolist(), found.indices.tolist()) == ([1, 2, 3, 4], [1, 0, 3, 3])
    assert found.pointers.tolist() == [0, 1, 3, 4]


def test_a_bitmap_by_hand():
    found = bitmap(EXAMPLE)
    assert found.values.tolist() == [2, 1, 3, 4]
    assert found.bits.tolist() == [0b00001010, 0b00001100]  # lowest bit first
    assert found.num_bytes == 16 + 2


def test_a_padding_zero_stands_after_fifteen_zeros_when_more_follow():
    column = [0, 0, 1, 2, *[0] * 18, 3]
    found = relative(np.array(column, np.float32)[:, None])
    assert (found.values.tolist(), found.gaps.tolist()) == ([1, 2, 0, 3], [2, 0, 15, 2])
    assert found.num_padding == 1 and found.pointers.tolist() == [0, 4]
    fifteen, sixteen = (relative(np.array([*[0] * count, 1], np.float32)[:, None]) for count in (15, 16))
    assert (fifteen.gaps.tolist(), sixteen.gaps.tolist()) == ([15], [15, 0])


@pytest.mark.parametrize(("zeros", "ratio"), [(0.5, 0.999), (0.8, 2.494), (0.9, 4.976)])
def test_bytes_of_a_megabyte_of_weights_are_the_published_ones(zeros, ratio):
    matrix = with_zeros(1024, 1024, zeros)
    assert matrix.nbytes / csr(matrix).num_bytes == pytest.approx(ratio, abs=5e-4)
    assert csr(matrix).num_bytes == csc(matrix).num_bytes


def test_at_half_zeros_compressed_rows_save_nothing_and_a_bitmap_does():
    matrix = with_zeros(1024, 1024, 0.5)
    assert csr(matrix).num_bytes == 4_198_404 > matrix.nbytes
    assert bitmap(matrix).num_bytes == 2_228_224


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=50)
@given(matrix=matrices())
def test_every_form_gives_back_every_bit(form, matrix):
    found = FORMS[form](matrix)
    again = found.decode()
    assert (again.shape, again.dtype) == (matrix.shape, matrix.dtype)
    assert again.tobytes() == matrix.tobytes()
    assert found.num_bytes == len(b"".join(part.tobytes() for part in found.parts().values()))


@settings(max_examples=50)
@given(matrix=matrices(), index_bits=st.integers(1, 16))
def test_counts_of_any_width_give_back_every_bit(matrix, index_bits):
    assert relative(matrix, index_bits=index_bits).decode().tobytes() == matrix.tobytes()


def test_negative_zeros_and_nan_are_values():
    matrix = np.array([[-0.0, 0.0, np.nan]], np.float32)
    assert len(csr(matrix).values) == 2 == len(bitmap(matrix).values)
    assert np.signbit(csr(matrix).decode()[0, 0]) and np.isnan(relative(matrix).decode()[0, 2])


@given(zeros=st.floats(0, 1), rows=st.integers(1, 30), columns=st.integers(1, 30), index_bytes=st.sampled_from([2, 4]))
def test_bytes_are_those_of_the_closed_form(zeros, rows, columns, index_bytes):
    matrix = with_zeros(rows, columns, zeros, np.float16)
    want = unstructured(rows=rows, columns=columns, zeros=zeros, value_bytes=2, index_bytes=index_bytes).result
    assert csr(matrix, index_bytes=index_bytes).num_bytes == want["csr_bytes"]
    assert bitmap(matrix).num_bytes == want["bitmap_bytes"]


@given(column=st.lists(st.sampled_from([0, 0, 0, 0, 0, 0, 1, 2]), min_size=1, max_size=200), bits=st.integers(1, 6))
def test_relative_entries_are_those_of_the_worked_calculation(column, bits):
    want = eie_column(values=column, index_bits=bits).result
    found = relative(np.array(column, np.float32)[:, None], index_bits=bits)
    assert (found.values.tolist(), found.gaps.tolist()) == (want["stored"], want["zero_counts"])
    assert found.num_padding == want["padding_zeros"]


def test_relative_columns_are_those_of_the_accelerator_with_one_element():
    matrix = np.random.default_rng(1).standard_normal((300, 20)).astype(np.float32) * with_zeros(300, 20, 0.96)
    want, found = compress_columns(matrix + 0.0, ColumnEngine(num_elements=1)), relative(matrix + 0.0)
    assert found.values.tobytes() == want.values.tobytes() and found.gaps.tolist() == want.zeros.tolist()
    assert np.diff(found.pointers).tolist() == want.entries_NC[0].tolist()


def test_relative_bytes_are_the_expected_ones():
    codes = with_zeros(2000, 100, 0.95, np.uint8)
    want = eie(rows=2000, columns=100, density=0.05).result
    found = relative(codes, value_bits=4)
    assert len(found.values) == pytest.approx(want["entries"], rel=0.02)  # 20,000 draws: 2 % is four deviations
    sizes = {name: part.nbytes for name, part in found.parts().items()}
    assert sizes["values"] + sizes["gaps"] == len(found.values) + len(found.values) % 2
    assert sizes["pointers"] == want["pointer_bytes"]


def test_pointers_widen_when_they_must_count_further():
    assert relative(np.ones((2**16 - 1, 1), np.int8)).pointers.itemsize == 2
    assert relative(np.ones((2**16, 1), np.int8)).pointers.itemsize == 4


def test_codes_of_four_bits_take_half_a_byte_and_come_back():
    codes = np.array([[-8, 0, 7, 0], [0, 0, -1, 3]], np.int8)
    found = bitmap(codes, value_bits=4)
    assert found.num_bytes == 2 + 1 and found.decode().tobytes() == codes.tobytes()
    assert unpack_bits(found.parts()["values"], width=4, count=4).tolist() == [8, 7, 15, 3]


@settings(max_examples=50)
@given(width=st.integers(1, 64), data=st.data())
def test_codes_of_any_width_fill_as_few_bytes_as_they_can(width, data):
    codes = data.draw(arrays.arrays(np.uint64, st.integers(0, 20), elements=st.integers(0, 2**width - 1)))
    packed = pack_bits(codes, width=width)
    assert len(packed) == -(-len(codes) * width // 8)
    assert unpack_bits(packed, width=width, count=len(codes)).tolist() == codes.tolist()
    assert int.from_bytes(packed.tobytes(), "little") == sum(int(code) << i * width for i, code in enumerate(codes))


def test_what_cannot_be_stored_is_refused():
    with pytest.raises(ShapeError, match=r"matrix of \(rows, columns\), got shape \(3,\)"):
        csr(np.zeros(3, np.float32))
    with pytest.raises(ConfigError, match="real numbers of 1, 2, 4 or 8 bytes, got complex64"):
        bitmap(np.zeros((2, 2), np.complex64))
    with pytest.raises(ConfigError, match="count to 255, got 256: take more bytes"):
        csr(np.zeros((2, 257), np.float32), index_bytes=1)
    with pytest.raises(ConfigError, match="An index has 1, 2, 4 or 8 bytes, got 3"):
        csc(np.zeros((2, 2), np.float32), index_bytes=3)
    with pytest.raises(ConfigError, match="1 to 16 bits, got 0"):
        relative(np.zeros((2, 2), np.float32), index_bits=0)
    with pytest.raises(ConfigError, match="codes in integers and at most the 32 bits of float32, got 4"):
        csr(np.zeros((2, 2), np.float32), value_bits=4)
    with pytest.raises(ConfigError, match=r"Values of 4 bits lie in \[-8, 7\], got 1 to 8"):
        _ = csr(np.array([[1, 8]], np.int8), value_bits=4).num_bytes
    with pytest.raises(ConfigError, match=r"Codes of 3 bits lie in \[0, 7\], got 8"):
        pack_bits(np.array([8], np.uint8), width=3)
    with pytest.raises(ConfigError, match="1 to 64 bits, got 65"):
        pack_bits(np.array([8], np.uint8), width=65)
    with pytest.raises(ShapeError, match="9 codes of 4 bits need 5 bytes, got 4"):
        unpack_bits(np.zeros(4, np.uint8), width=4, count=9)
