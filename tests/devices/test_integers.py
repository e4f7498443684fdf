"""Saturating kernels: which weights are safe in them, against an emulation of the instruction in NumPy."""

import dataclasses
import platform

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewright.devices import device
from edgewright.devices.integers import FULL_BITS, SAFE_BITS, safe_weight_bits, saturates, weight_bits_for


def pair_sums(codes_N, weights_N):
    """`vpmaddubsw`: uint8 x int8 products, added in pairs into 16 bits with saturation; then summed in 32 bits."""
    products = codes_N.astype(np.int32) * weights_N.astype(np.int32)
    pairs = products.reshape(-1, 2).sum(1)
    return int(np.clip(pairs, -(2**15), 2**15 - 1).sum()), int(products.sum())


def top(bits):
    return 2 ** (bits - 1) - 1


def cpuinfo(folder, flags):
    path = folder / "cpuinfo"
    path.write_text(f"flags\t\t: fpu {flags}\n")
    return path


def test_two_products_of_full_weights_saturate_by_hand():
    got, exact = pair_sums(np.array([255, 255], np.uint8), np.array([127, 127], np.int8))
    assert (got, exact) == (32767, 64770)
    got, exact = pair_sums(np.array([255, 255], np.uint8), np.array([63, 63], np.int8))
    assert got == exact == 32130


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(-top(SAFE_BITS), top(SAFE_BITS))), min_size=2, max_size=64))
def test_weights_of_7_bits_never_saturate(pairs):
    pairs = pairs[: len(pairs) // 2 * 2]
    codes_N, weights_N = (np.array(column) for column in zip(*pairs, strict=True))
    got, exact = pair_sums(codes_N.astype(np.uint8), weights_N.astype(np.int8))
    assert got == exact


def test_a_layer_of_8_bit_weights_loses_what_one_of_7_bits_keeps():
    """A dot product of 64 bright pixels with weights of one sign, quantized to 8 and to 7 bits."""
    rng = np.random.default_rng(0)
    codes_N, weight_N = rng.integers(180, 256, 64).astype(np.uint8), rng.uniform(0.5, 1, 64)
    true = float(codes_N @ weight_N)
    error = {}
    for bits in (FULL_BITS, SAFE_BITS):
        scale = weight_N.max() / top(bits)
        got, _ = pair_sums(codes_N, np.round(weight_N / scale).astype(np.int8))
        error[bits] = abs(got * scale - true) / true
    assert error[FULL_BITS] > 0.1 and error[SAFE_BITS] < 0.005


@pytest.mark.parametrize(
    ("flags", "architecture", "bits"),
    [
        ("avx2", "x86_64", 7),
        ("avx2 avx_vnni", "x86_64", 8),
        ("avx512f avx512_vnni", "AMD64", 8),
        ("asimd", "aarch64", 8),
    ],
)
def test_the_safe_bits_follow_from_the_processors_flags(flags, architecture, bits, tmp_path):
    path = cpuinfo(tmp_path, flags)
    assert safe_weight_bits(path, architecture=architecture) == bits
    assert saturates(path, architecture=architecture) == (bits == 7)
    assert safe_weight_bits(tmp_path / "missing", architecture=architecture) == 8


def test_fewer_bits_are_taken_only_for_this_machine_and_said(tmp_path, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    old = cpuinfo(tmp_path, "avx2")
    here = device("generic-x86")
    assert here.is_here
    bits, note = weight_bits_for(here, 8, cpuinfo=old)
    assert bits == 7 and "7 bits, not 8" in note and "saturate at 16 bits" in note
    assert weight_bits_for(here, 4, cpuinfo=old) == (4, "")
    elsewhere = dataclasses.replace(here, host="aarch64")
    assert weight_bits_for(elsewhere, 8, cpuinfo=old) == (8, "")
