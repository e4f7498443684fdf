"""Single layers with zeros: every kernel gives the same product, bytes and cuts are exact, break-even is as defined."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edgewright.errors import ConfigError, ShapeError
from edgewright.verify import Latency, Timing, WarmUp
from edgewright.verify.sparse_kernels import CSR_KERNELS, as_dense
from edgewright.verify.sparse_times import CUT, DENSE, MASKED, Form, ProductTimes, cut_shape, time_product
from edgewright.verify.sparse_times import without_smallest as zeroed

SHORT = Timing(turns=2, runs=3, seconds=0.001)


def matrix(rows, columns, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, columns), dtype=np.float32)


# -- kernels --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", CSR_KERNELS)
@pytest.mark.parametrize("positions", [1, 5])
def test_every_kernel_for_compressed_rows_gives_the_dense_product(name, positions):
    sparse_RC, columns_CP = zeroed(matrix(12, 20), 0.7), torch.from_numpy(matrix(20, positions, seed=1))
    found = np.asarray(CSR_KERNELS[name](sparse_RC).run(columns_CP))
    assert np.allclose(found, sparse_RC @ columns_CP.numpy(), atol=1e-5)  # sums of 20 products in another order


@pytest.mark.parametrize("name", CSR_KERNELS)
def test_an_empty_row_is_a_row_of_zeros(name):
    sparse_RC = np.zeros((3, 4), np.float32)
    sparse_RC[1, 2] = 2.0
    found = np.asarray(CSR_KERNELS[name](sparse_RC).run(torch.ones(4, 2)))
    assert found.tolist() == [[0, 0], [2, 2], [0, 0]]


def test_compressed_rows_with_indices_of_four_bytes_save_nothing_at_half_the_zeros():
    sparse_RC = zeroed(matrix(1024, 1024), 0.5)
    # by hand: 524,288 values and as many columns of 4 bytes, 1,025 row pointers of 4 bytes
    assert CSR_KERNELS["scipy CSR"](sparse_RC).num_bytes == 4_198_404
    assert CSR_KERNELS["torch CSR"](sparse_RC).num_bytes == 4_198_404
    assert as_dense(sparse_RC).num_bytes == 4_194_304
    assert CSR_KERNELS["ONNX Runtime CSR"](sparse_RC).num_bytes == 4 * 524_288 + 8 * (524_288 + 1_025)


# -- zeros and cuts -------------------------------------------------------------------------------------------------
@given(st.integers(1, 8), st.integers(1, 8), st.floats(0.01, 0.99), st.integers(0, 5))
def test_exactly_the_asked_share_is_zero_and_no_kept_weight_is_smaller_than_a_dropped_one(rows, columns, share, seed):
    given_RC = matrix(rows, columns, seed)
    sparse_RC = zeroed(given_RC, share)
    gone = sparse_RC == 0
    assert gone.sum() == round(share * rows * columns)
    assert np.array_equal(sparse_RC[~gone], given_RC[~gone])
    if gone.any() and not gone.all():
        assert np.abs(given_RC[gone]).max() <= np.abs(given_RC[~gone]).min()


@pytest.mark.parametrize(("sparsity", "side"), [(0.75, 50), (0.51, 70), (0.19, 90), (0.99, 10)])
def test_cutting_both_sides_alike_leaves_the_square_of_what_stays_of_one(sparsity, side):
    assert cut_shape(100, 100, sparsity) == (side, side)  # (1 - p)^2 of the MACs: p = 0.5 leaves 0.25, p = 0.3 0.49


def test_a_cut_never_loses_the_last_row():
    assert cut_shape(1, 3, 0.99) == (1, 1)


# -- times ----------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def times():
    return time_product(matrix(16, 24), 4, sparsities=(0.9, 0.5), timing=SHORT)


def test_every_form_is_timed_at_every_sparsity_in_one_run(times):
    ways = (MASKED, *CSR_KERNELS, CUT)
    assert [(form.way, form.sparsity) for form in times.forms] == [
        (DENSE, 0.0), *((way, share) for share in (0.5, 0.9) for way in ways),
    ]  # fmt: skip
    assert times.dense.ratio == 1 and times.dense.is_certain
    assert all(form.latency.turns == 2 and form.latency.median_s > 0 for form in times.forms)


def test_macs_and_bytes_of_the_forms_are_those_counted_by_hand(times):
    macs = {(form.way, form.sparsity): form.macs for form in times.forms}
    assert macs[DENSE, 0.0] == 16 * 24 * 4
    assert macs[MASKED, 0.5] == macs["torch CSR", 0.5] == 16 * 24 * 4 // 2
    assert macs[CUT, 0.5] == 11 * 17 * 4  # 16 and 24 times 0.7071
    assert times.at(0.9, MASKED).num_bytes == 16 * 24 * 4 and times.at(0.9, CUT).num_bytes == 5 * 8 * 4
    assert times.at(0.9, "scipy CSR").num_bytes == 38 * 8 + 17 * 4  # 384 less 346 weights


LATENCY = Latency(
    artifact="a", runtime="function", threads=1, batch=1, median_s=1e-3, p95_s=1e-3, p99_s=1e-3, min_s=1e-3, spread=0.0,
    turn_medians_s=(1e-3,), cpu_s=1e-3, runs=1, turns=1, warm_up=WarmUp(calls=10, stable=True),
)  # fmt: skip


def forms(**ratios):
    """Forms at 0.5, 0.8, 0.9 with these ratios to dense, and the dense one."""
    dense = Form(way=DENSE, sparsity=0.0, macs=1, num_bytes=1, latency=LATENCY, ratio=1.0, ratio_range=(1, 1))
    made = [
        replace(dense, way=way.replace("_", " "), sparsity=share, ratio=ratio)
        for way, those in ratios.items()
        for share, ratio in zip((0.5, 0.8, 0.9), those, strict=True)
    ]
    return ProductTimes(forms=(dense, *made))


@pytest.mark.parametrize(
    ("scipy_csr", "torch_csr", "expected"),
    [
        ((3, 1.2, 0.6), (2, 0.9, 0.7), 0.8),  # the fastest kernel decides
        ((3, 0.9, 1.1), (3, 3, 3), None),  # faster and then slower again is no break-even
        ((0.9, 0.8, 0.7), (2, 2, 2), 0.5),
        ((2, 2, 2), (2, 2, 2), None),
    ],
)
def test_the_break_even_is_where_the_fastest_kernel_stays_below_the_dense_time(scipy_csr, torch_csr, expected):
    found = forms(scipy_CSR=scipy_csr, torch_CSR=torch_csr)
    assert found.break_even == expected


def test_a_form_is_certain_when_all_turns_agree():
    (_, form, *_) = forms(masked=(0.9, 1, 1)).forms
    assert replace(form, ratio_range=(0.8, 0.95)).is_certain and replace(form, ratio_range=(1.0, 1.2)).is_certain
    assert not replace(form, ratio_range=(0.8, 1.1)).is_certain


@pytest.mark.parametrize("shares", [(), (0.5, 1.0), (0.0,), (-0.1,)])
def test_a_sparsity_that_is_no_share_is_refused(shares):
    with pytest.raises(ConfigError, match=r"A sparsity is a share between 0 and 1, got .*: give for instance 0\.5"):
        time_product(matrix(2, 2), 1, sparsities=shares, timing=SHORT)


def test_what_is_no_matrix_is_refused():
    with pytest.raises(ShapeError, match=r"needs a matrix and 1 vector or more, got \(4,\) and 1"):
        time_product(np.ones(4, np.float32), 1, sparsities=(0.5,), timing=SHORT)
