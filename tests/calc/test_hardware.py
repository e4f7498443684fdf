"""Roofline, energy, bit-serial and sparse storage against published numbers."""

from __future__ import annotations

import numpy as np
import pytest

from edgewright import calc
from edgewright.errors import ConfigError


@pytest.mark.parametrize(
    ("intensity", "gflops", "bound"), [(0.5, 12.5, "memory"), (10, 250, "memory"), (84.6, 1000, "compute")]
)
def test_roofline_of_1_tflops_and_25_gb_per_second(intensity, gflops, bound):
    result = calc.roofline(peak_ops_s=1e12, bandwidth_bytes_s=25e9, ops_per_byte=intensity).result
    assert result["ridge_ops_per_byte"] == 40
    assert result["attainable_ops_s"] == gflops * 1e9
    assert result["bound"] == bound


@pytest.mark.parametrize(("peak", "ridge"), [(19.5e12, 12.54), (312e12, 200.6)])
def test_ridge_of_an_a100(peak, ridge):
    assert calc.roofline(peak_ops_s=peak, bandwidth_bytes_s=1.555e12).result["ridge_ops_per_byte"] == pytest.approx(
        ridge, abs=0.05
    )


def test_energy_and_area_ratios_of_float32_against_int8():
    result = calc.energy_ratios().result
    assert result["multiply_energy"] == pytest.approx(18.5)
    assert result["multiply_area"] == pytest.approx(27.305, abs=5e-4)
    assert result["add_energy"] == pytest.approx(30)
    assert result["add_area"] == pytest.approx(116.2, abs=0.05)


def test_whole_mac_energy_ratio_depends_on_the_accumulator():
    float32 = calc.energy(macs=1).result["pj_per_mac"]
    assert float32 / calc.energy(macs=1, dtype="int8").result["pj_per_mac"] == pytest.approx(15.3, abs=0.05)
    narrow = calc.energy(macs=1, dtype="int8", accumulator="int8").result["pj_per_mac"]
    assert float32 / narrow == pytest.approx(20.0)
    ratios = calc.energy_ratios().result
    assert ratios["mac_energy"] == pytest.approx(4.6 / 0.3)
    assert ratios["mac_energy_own_type_add"] == pytest.approx(float32 / narrow)


def test_memory_against_arithmetic():
    dram = calc.energy(macs=0, dram_bytes=4).result["dram_j"]
    assert dram / 3.7e-12 == pytest.approx(173, abs=0.5)
    assert dram / calc.energy(macs=0, sram_bytes=4).result["sram_j"] == pytest.approx(128)


def test_energy_adds_up_and_says_the_share_of_data_movement():
    result = calc.energy(macs=1_000, dtype="int8", sram_bytes=100, dram_bytes=10).result
    compute, moved = 1_000 * 0.3e-12, 100 * 1.25e-12 + 10 * 160e-12
    assert result["energy_j"] == pytest.approx(compute + moved)
    assert result["share_of_data_movement"] == pytest.approx(moved / (compute + moved))


@pytest.mark.parametrize(("bits", "speed_up"), [(8, 2), (9, 1.778), (4, 4)])
def test_stripes_speed_up_is_16_over_p(bits, speed_up):
    assert calc.stripes(macs=[5], bits=[bits]).result["speed_up"] == pytest.approx(speed_up, abs=5e-4)


def test_stripes_of_a_whole_network():
    assert calc.stripes(macs=[1, 2, 1.5], bits=[9, 8, 5]).result["speed_up"] == pytest.approx(2.21538, abs=5e-6)


@pytest.mark.parametrize(
    ("dtype", "dense", "packed", "ratio", "saved", "dense_bytes", "packed_bytes"),
    [
        ("float16", 64, 36, 1.7778, 43.75, 2_097_152, 1_179_648),
        ("bfloat16", 64, 36, 1.7778, 43.75, 2_097_152, 1_179_648),
        ("int8", 32, 20, 1.6, 37.5, 1_048_576, 655_360),
        ("int4", 16, 12, 1.3333, 25, 524_288, 393_216),
        ("float32", 128, 68, 1.8824, 46.875, 4_194_304, 2_228_224),
    ],
)
def test_2_of_4_storage(dtype, dense, packed, ratio, saved, dense_bytes, packed_bytes):
    result = calc.sparsity(rows=1024, columns=1024, dtype=dtype).result
    assert (result["dense_bits_per_group"], result["packed_bits_per_group"]) == (dense, packed)
    assert (result["dense_bytes"], result["packed_bytes"]) == (dense_bytes, packed_bytes)
    assert result["ratio"] == pytest.approx(ratio, abs=5e-5)
    assert result["saved_percent"] == pytest.approx(saved)


@pytest.mark.parametrize(
    ("positions", "code"), [((0, 1), 4), ((0, 2), 8), ((0, 3), 12), ((1, 2), 9), ((1, 3), 13), ((2, 3), 14)]
)
def test_2_of_4_position_codes(positions, code):
    assert calc.sparse_pattern(positions=positions).result["code"] == code == positions[0] | positions[1] << 2


@pytest.mark.parametrize(("zeros", "ratio"), [(0.8, 2.494), (0.9, 4.976)])
def test_compressed_rows_pay_only_at_high_sparsity(zeros, ratio):
    assert calc.unstructured(rows=1024, columns=1024, zeros=zeros).result["csr_ratio"] == pytest.approx(ratio, abs=5e-4)


def test_half_zeros_save_nothing_as_compressed_rows_but_do_as_a_bitmap():
    result = calc.unstructured(rows=1024, columns=1024, zeros=0.5).result
    assert (result["csr_bytes"], result["bitmap_bytes"]) == (4_198_404, 2_228_224)
    assert result["csr_ratio"] == pytest.approx(0.999, abs=5e-4)


def test_a_matrix_without_zeros_or_without_values_has_a_size_too():
    full = calc.unstructured(rows=4, columns=8, zeros=0).result
    empty = calc.unstructured(rows=4, columns=8, zeros=1).result
    assert (full["csr_bytes"], full["bitmap_bytes"]) == (32 * 8 + 5 * 4, 32 * 4 + 4)
    assert (empty["csr_bytes"], empty["bitmap_bytes"]) == (5 * 4, 4)


def test_compressed_rows_equal_what_scipy_stores():
    sparse = pytest.importorskip("scipy.sparse")
    dense = (np.arange(64 * 48).reshape(64, 48) % 4 == 0).astype(np.float32)
    matrix = sparse.csr_matrix(dense)
    stored = matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes
    assert calc.unstructured(rows=64, columns=48, zeros=0.75).result["csr_bytes"] == stored


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (
            lambda: calc.roofline(peak_ops_s=0, bandwidth_bytes_s=1),
            "peak_ops_s is a finite number greater than 0, got 0",
        ),
        (lambda: calc.roofline(peak_ops_s=1, bandwidth_bytes_s=float("nan")), "bandwidth_bytes_s is a finite number"),
        (lambda: calc.energy(macs=1, dtype="int7"), "dtype is one of int8, int32, float16, float32, got 'int7'"),
        (lambda: calc.stripes(macs=[1], bits=[8, 8]), "lists of equal length, got 1 and 2"),
        (lambda: calc.stripes(macs=[1], bits=[17]), "bits is at most 16, got 17"),
        (lambda: calc.sparsity(rows=4, columns=6), "columns is a multiple of 4"),
        (lambda: calc.sparse_pattern(positions=(2, 1)), "positions are two rising indices"),
        (lambda: calc.unstructured(rows=2, columns=2, zeros=1.5), "zeros is a share from 0 to 1, got 1.5"),
    ],
)
def test_bad_values_are_refused_in_one_sentence(ask, sentence):
    with pytest.raises(ConfigError, match=sentence):
        ask()
