"""Compressed columns and their cycles: the published example, round trips, and a simulation element by element."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from edgewright.analyze.hardware import ColumnEngine, compress_columns, run_columns
from edgewright.analyze.hardware.columns import fit_table
from edgewright.errors import ConfigError, ShapeError

MATRICES = npst.arrays(
    np.float32, st.tuples(st.integers(1, 40), st.integers(1, 6)), elements=st.sampled_from([0.0, 0.0, 0.0, 1.0, -2.0])
)
ENGINES = st.builds(
    ColumnEngine, num_elements=st.integers(1, 5), queue_depth=st.one_of(st.none(), st.integers(1, 4)),
    index_bits=st.integers(1, 4),
)  # fmt: skip


def test_the_published_column():
    column = np.array([0, 0, 1, 2, *[0] * 18, 3], np.float32)[:, None]
    packed = compress_columns(column, ColumnEngine(num_elements=1))
    assert packed.values.tolist() == [1, 2, 0, 3]
    assert packed.zeros.tolist() == [2, 0, 15, 2]
    assert (packed.num_entries, packed.num_nonzero, packed.num_padding) == (4, 3, 1)
    assert packed.matrix_bits == 4 * 8 + 2 * 16
    assert packed.engine.table_bits == 16 * 16


@pytest.mark.parametrize(("gap", "padding"), [(15, 0), (16, 1), (31, 1), (32, 2)])
def test_padding_begins_after_fifteen_zeros(gap, padding):
    column = np.zeros((gap + 1, 1), np.float32)
    column[-1] = 1
    assert compress_columns(column, ColumnEngine(num_elements=1)).num_padding == padding


def test_rows_are_dealt_out_in_turn():
    matrix = np.array([[1, 0], [2, 3], [0, 4], [5, 0]], np.float32)
    packed = compress_columns(matrix, ColumnEngine(num_elements=2))
    assert packed.entries_NC.tolist() == [[1, 1], [2, 1]]  # rows 0 and 2, rows 1 and 3
    assert packed.values.tolist() == [1, 4, 2, 5, 3]
    assert packed.zeros.tolist() == [0, 1, 0, 0, 0]


@given(matrix=MATRICES, engine=ENGINES)
def test_decoding_gives_the_matrix_back(matrix, engine):
    packed = compress_columns(matrix, engine)
    np.testing.assert_array_equal(packed.decode(), matrix)
    assert packed.num_nonzero == np.count_nonzero(matrix)
    assert packed.zeros.max(initial=0) < 2**engine.index_bits


@given(matrix=MATRICES, engine=ENGINES)
def test_padding_is_one_entry_for_each_full_run_of_zeros(matrix, engine):
    run, expected = 2**engine.index_bits, 0
    for element in range(engine.num_elements):
        for column in matrix[element :: engine.num_elements].T:
            zeros = 0
            for value in column:
                expected, zeros = (expected + zeros // run, 0) if value else (expected, zeros + 1)
    assert compress_columns(matrix, engine).num_padding == expected


def simulated(work, active, depth):
    """Clock by clock: an activation is handed to all queues when each has room; the one in work counts as in it."""
    columns = [column for column in range(work.shape[1]) if active[column]]
    queues = [[] for _ in range(work.shape[0])]
    clock = handed = 0
    while True:
        for queue in queues:
            while queue and queue[0] == 0:
                queue.pop(0)
        while handed < len(columns) and all(depth is None or len(queue) < depth for queue in queues):
            for element, queue in enumerate(queues):
                queue.append(int(work[element, columns[handed]]))
            handed += 1
            for queue in queues:
                while queue and queue[0] == 0:
                    queue.pop(0)
        if handed == len(columns) and not any(queues):
            return clock
        for queue in queues:
            if queue:
                queue[0] -= 1
        clock += 1


@given(matrix=MATRICES, engine=ENGINES, seed=st.integers(0, 99))
def test_cycles_are_those_of_a_simulation(matrix, engine, seed):
    active = np.random.default_rng(seed).random((matrix.shape[1], 2)) < 0.7
    packed = compress_columns(matrix, engine)
    run = run_columns(packed, active)
    work = packed.entries_NC
    assert run.cycles == sum(simulated(work, vector, engine.queue_depth) for vector in active.T)
    assert run.unlimited_cycles == sum(simulated(work, vector, None) for vector in active.T)
    assert run.lockstep_cycles == sum(simulated(work, vector, 1) for vector in active.T)
    assert run.unlimited_cycles <= run.cycles <= run.lockstep_cycles
    assert run.load_balance is None or 0 < run.load_balance <= 1


def test_imbalance_by_hand():
    matrix = np.zeros((4, 3), np.float32)
    matrix[[0, 2], 0] = matrix[[1, 3], 1] = matrix[0, 2] = 1  # two elements: work (2, 0), (0, 2), (1, 0)
    runs = {
        depth: run_columns(compress_columns(matrix, ColumnEngine(num_elements=2, queue_depth=depth)), np.ones(3, bool))
        for depth in (1, 2, None)
    }
    assert [run.cycles for run in runs.values()] == [5, 3, 3]
    assert runs[1].dense_cycles == 2 * 3
    assert runs[1].load_balance == 5 / (2 * 5)
    assert runs[None].load_balance == 5 / (2 * 3)
    assert runs[None].speed_up == 2


def test_a_queue_of_eight_hides_the_imbalance_that_costs_half_without():
    """What Han 2016 reports of layers like AlexNet's second linear one: 9 % of weights, 35 % of activations."""
    random = np.random.default_rng(0)
    matrix = (random.random((4096, 1024), np.float32) < 0.09).astype(np.float32)
    run = run_columns(compress_columns(matrix), random.random(1024) < 0.35)
    assert 0.5 < run.entries / (64 * run.lockstep_cycles) < 0.65
    assert run.load_balance > 0.95
    assert run.unlimited_cycles < run.cycles < 1.02 * run.unlimited_cycles


@given(rows=st.integers(1, 30), columns=st.integers(1, 5), engine=ENGINES)
def test_without_zeros_it_is_as_fast_as_a_dense_engine(rows, columns, engine):
    run = run_columns(compress_columns(np.ones((rows, columns), np.float32), engine), np.ones((columns, 3), bool))
    assert run.cycles == run.dense_cycles == run.lockstep_cycles == run.unlimited_cycles
    assert run.speed_up == 1


def test_no_activation_takes_no_time():
    run = run_columns(compress_columns(np.ones((4, 3), np.float32)), np.zeros(3, bool))
    assert (run.cycles, run.speed_up, run.load_balance) == (0, None, None)
    assert run.dense_cycles == 3


def test_weights_that_are_not_shared_do_not_fit_the_table():
    few = np.tile(np.arange(16, dtype=np.float32), (2, 1))
    many = np.arange(32, dtype=np.float32).reshape(2, 16)
    assert [fit_table([compress_columns(each).values], ColumnEngine()) for each in (few, many)] == [True, False]


def test_pointers_widen_when_an_element_holds_more_than_they_count():
    full = compress_columns(np.ones((5, 3), np.float32), ColumnEngine(num_elements=1, pointer_bits=2))
    assert full.matrix_bits == 15 * 8 + 4 * 4


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match=r"a matrix of \(outputs, inputs\), got shape \(3,\)"):
        compress_columns(np.ones(3, np.float32))
    with pytest.raises(ShapeError, match=r"3 columns take activations of shape \(3, P\), got \(4,\)"):
        run_columns(compress_columns(np.ones((2, 3), np.float32)), np.ones(4, bool))
    with pytest.raises(ConfigError, match=r"ColumnEngine.num_elements is a whole number of at least 1, got 0"):
        ColumnEngine(num_elements=0)
