"""N:M packing: codes and bytes of worked cases, the closed form and PyTorch's packing as oracles, exact unpacking."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.sparse import _semi_structured_conversions as conversions

from edgewright.calc.sparse import PATTERN_CODES, sparse_row, sparsity
from edgewright.errors import ConfigError, ShapeError
from edgewright.formats import HARDWARE, Pattern, pack_n_of_m, parse_pattern, unpack_bits

PATTERNS = ("2:4", "1:2", "4:8", "1:4", "3:4", "2:8", "5:16", "1:3")


def following(pattern: Pattern, rows: int, groups: int, seed: int) -> np.ndarray:
    """A float32 matrix of any bits that follows a pattern; groups may hold fewer non-zeros than it keeps."""
    draw = np.random.default_rng(seed)
    units_GPU = draw.integers(0, 2**32, (rows * groups, pattern.places, pattern.unit), np.uint32)
    order_GP = draw.permuted(np.tile(np.arange(pattern.places), (rows * groups, 1)), axis=1)
    units_GPU[order_GP >= draw.integers(0, pattern.chosen + 1, (rows * groups, 1))] = 0
    return units_GPU.view(np.float32).reshape(rows, groups * pattern.group)


@pytest.mark.parametrize(
    ("places", "code"), [((0, 1), 4), ((0, 2), 8), ((0, 3), 12), ((1, 2), 9), ((1, 3), 13), ((2, 3), 14)]
)
def test_the_six_codes_of_two_of_four(places, code):
    row = np.zeros((1, 4), np.float32)
    row[0, list(places)] = 1, 2
    packed = pack_n_of_m(row)
    assert packed.codes.tolist() == [code] == [PATTERN_CODES[places]]
    assert packed.values.tolist() == [[1, 2]]


def test_one_of_two_is_told_by_the_halves_of_a_value():
    packed = pack_n_of_m(np.array([[5, 0], [0, 6]], np.float32), "1:2")
    assert packed.codes.tolist() == [4, 14] and packed.values.tolist() == [[5], [6]]


def test_four_of_eight_keeps_pairs_of_neighbours():
    packed = pack_n_of_m(np.array([[0, 0, 1, 0, 0, 0, 2, 3]], np.int8), "4:8", value_bits=4)
    assert packed.codes.tolist() == [13] and packed.values.tolist() == [[1, 0, 2, 3]]
    assert packed.num_bytes == 2 + 1
    with pytest.raises(ConfigError, match="Row 0 has more non-zeros in its group 0 than 4:8 keeps"):
        pack_n_of_m(np.array([[1, 0, 1, 0, 1, 0, 0, 0]], np.int8), "4:8")


def test_a_group_with_fewer_non_zeros_takes_its_lowest_free_places():
    packed = pack_n_of_m(np.array([[0, 0, 0, 0, 0, 0, 0, 7, 0, 8, 0, 0]], np.float32))
    assert packed.codes.tolist() == [4, 12, 4]  # 01, 03, 01
    assert packed.values.tolist() == [[0, 0, 0, 7, 0, 8]]


@pytest.mark.parametrize(
    ("dtype", "value_bits", "dense", "bytes_"),
    [
        (np.float16, None, 2_097_152, 1_179_648),
        (np.int8, None, 1_048_576, 655_360),
        (np.int8, 4, 524_288, 393_216),
        (np.float32, None, 4_194_304, 2_228_224),
    ],
)
def test_bytes_of_a_square_of_1024_are_the_published_ones(dtype, value_bits, dense, bytes_):
    matrix = np.tile(np.array([[1, 0, 0, 1]], dtype), (1024, 256))
    packed = pack_n_of_m(matrix, value_bits=value_bits)
    assert matrix.size * packed.value_bits // 8 == dense and packed.num_bytes == bytes_
    assert packed.parts()["places"].nbytes == 131_072  # one bit for each value of the dense matrix


@pytest.mark.parametrize("pattern", HARDWARE)
@settings(max_examples=20)
@given(rows=st.integers(1, 9), groups=st.integers(1, 9))
def test_bytes_are_those_of_the_closed_form(pattern, rows, groups):
    kind = parse_pattern(pattern)
    matrix = np.zeros((rows, groups * kind.group), np.float16)
    want = sparsity(rows=rows, columns=groups * kind.group, dtype="float16", pattern=pattern).result
    parts = {name: part.nbytes for name, part in pack_n_of_m(matrix, pattern).parts().items()}
    assert parts["places"] == want["metadata_bytes"] and sum(parts.values()) == want["packed_bytes"]


@pytest.mark.parametrize("name", PATTERNS)
@settings(max_examples=40)
@given(rows=st.integers(0, 5), groups=st.integers(0, 4), seed=st.integers(0, 2**32))
def test_unpacking_gives_back_every_bit(name, rows, groups, seed):
    pattern = parse_pattern(name)
    matrix = following(pattern, rows, groups, seed)
    packed = pack_n_of_m(matrix, pattern)
    assert packed.decode().tobytes() == matrix.tobytes()
    assert packed.num_bytes == len(b"".join(part.tobytes() for part in packed.parts().values()))
    assert packed.values.shape == (matrix.shape[0], matrix.shape[1] * pattern.kept // pattern.group)


@settings(max_examples=30)
@given(values=st.lists(st.integers(-3, 3).filter(bool), min_size=4, max_size=4).map(lambda found: [*found, 0, 0, 5, 6]))
def test_a_cut_row_packs_as_the_worked_calculation_says(values):
    want = sparse_row(values=values).result
    row = np.zeros(8, np.float32)
    for group in range(2):
        kept = sorted(range(4), key=lambda place, group=group: -abs(values[4 * group + place]))[:2]
        row[[4 * group + place for place in kept]] = [values[4 * group + place] for place in kept]
    packed = pack_n_of_m(row[None])
    assert packed.values[0].tolist() == want["kept"] and packed.codes.tolist() == want["codes"]


def test_values_and_places_are_those_of_pytorch_before_it_reorders_them():
    draw = np.random.default_rng(0)
    places = np.array([sorted(draw.permutation(4)[:2]) for _ in range(64 * 32)])
    matrix = np.zeros((64 * 32, 4), np.float16)
    np.put_along_axis(matrix, places, draw.standard_normal((64 * 32, 2)).astype(np.float16), axis=1)
    matrix = matrix.reshape(64, 128)
    packed = pack_n_of_m(matrix)
    values, meta = conversions.sparse_semi_structured_from_dense_cutlass(torch.from_numpy(matrix))
    assert packed.values.tobytes() == values.numpy().tobytes()
    offsets = conversions._calculate_meta_reordering_scatter_offsets(64, meta.shape[1], meta.dtype, "cpu")
    in_order = torch.gather(meta.view(-1), 0, offsets).numpy()
    assert packed.parts()["places"].tobytes() == in_order.astype("<i2").tobytes()


def test_places_are_written_from_the_lowest_bit_on():
    packed = pack_n_of_m(np.array([[1, 2, 0, 0, 0, 0, 3, 4]], np.float32))
    assert packed.parts()["places"].tolist() == [4 | 14 << 4]
    assert unpack_bits(packed.parts()["places"], width=2, count=4).tolist() == [0, 1, 2, 3]


def test_what_follows_no_pattern_is_refused():
    for text in ("4:2", "0:4", "2", "2:4:8", "4:4", "a:b"):
        with pytest.raises(ConfigError, match="written N:M with 0 < N < M, such as 2:4"):
            parse_pattern(text)
    with pytest.raises(ShapeError, match=r"columns are a multiple of 4, got shape \(2, 6\)"):
        pack_n_of_m(np.zeros((2, 6), np.float32))
    with pytest.raises(ConfigError, match="Row 1 has more non-zeros in its group 2 than 2:4 keeps"):
        pack_n_of_m(np.pad(np.ones((1, 3), np.float32), ((1, 0), (8, 1))))
