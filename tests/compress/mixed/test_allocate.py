"""The best choice of bits is really the best one: against trying all of them."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewright.compress.quantize import Precision
from edgewright.compress.quantize.mixed import Alive, BitCosts, BitSensitivity, Limits, allocate, pareto_front
from edgewright.errors import BudgetError, ConfigError

# Three layers in a row; the last two read one tensor.
READS = {"a": "x", "b": "y", "c": "y"}
LEADER = {"x": "x", "y": "y"}


def row(name, bits, rise, kind="weights"):
    return BitSensitivity(kind=kind, name=name, bits=bits, rise=rise, measure="mse")


def costs(weights=(8, 80, 800), macs=(100, 10, 1), values=(64, 32), seconds=None):
    return BitCosts(
        reads=READS, weights=dict(zip(READS, weights, strict=True)), macs=dict(zip(READS, macs, strict=True)),
        leader=LEADER, seconds=seconds,
        moments=(Alive(values={"x": values[0], "y": values[1]}), Alive(values={"y": values[1]}, fixed_bytes=16)),
    )  # fmt: skip


def everything(rows, facts):
    """Each choice of bits, with its loss."""
    table = {}
    for each in rows:
        table.setdefault((each.kind, each.name), {})[each.bits] = each.rise
    for widths in itertools.product(*table.values()):
        picked = dict(zip(table, widths, strict=True))
        precision = Precision(
            layers={name: bits for (kind, name), bits in picked.items() if kind == "weights"},
            points={name: bits for (kind, name), bits in picked.items() if kind == "activations"},
        )
        yield precision, sum(table[part][bits] for part, bits in picked.items()), facts.spent(precision)


def test_the_layer_that_costs_most_bytes_per_loss_gives_way_first():
    """8, 80 and 800 weights: at 6 bits for c the bytes are 8 + 80 + 600 = 688, and nothing else saves as many."""
    rows = [row(name, bits, {8: 0.0, 6: 1.0, 4: 3.0}[bits]) for name in READS for bits in (8, 6, 4)]
    found = allocate(rows, costs(), Limits(weight_bytes=700))
    assert found.precision.layers == {"a": 8, "b": 8, "c": 6}
    assert found.predicted_loss == 1.0 and found.spent.weight_bytes == 688


def test_one_tensor_has_one_width_for_all_of_its_readers():
    """Bit operations 100*8*a(x) + 11*8*a(y): at a(x) = 4 they are 3200 + 704."""
    rows = [row(name, bits, {8: 0.0, 4: 1.0}[bits], "activations") for name in "xy" for bits in (8, 4)]
    found = allocate(rows, costs(), Limits(bit_operations=3904))
    assert found.precision.points == {"x": 4, "y": 8} and found.spent.bit_operations == 3904


def test_the_fullest_execution_point_decides_over_activation_bytes():
    """x and y together: 64 + 32 = 96 bytes at 8 bits; 32 + 32 with x at 4."""
    rows = [row(name, bits, {8: 0.0, 4: 1.0}[bits], "activations") for name in "xy" for bits in (8, 4)]
    found = allocate(rows, costs(), Limits(activation_bytes=70))
    assert found.precision.points == {"x": 4, "y": 8} and found.spent.activation_bytes == 64


def test_points_that_share_a_grid_have_the_same_bits():
    facts = BitCosts(reads={"a": "x"}, weights={"a": 8}, macs={"a": 1}, leader={"x": "x", "z": "x"},
                     moments=(Alive(values={"x": 8, "z": 80}),))  # fmt: skip
    rows = [row("x", bits, 8.0 - bits, "activations") for bits in (8, 4)]
    assert allocate(rows, facts, Limits(activation_bytes=50)).precision.points == {"x": 4, "z": 4}


def test_without_limits_every_part_has_its_least_loss():
    rows = [row("a", bits, 8.0 - bits) for bits in (8, 4)]
    found = allocate(rows, costs(), Limits())
    assert found.precision.layers == {"a": 8, "b": 8, "c": 8} and found.predicted_loss == 0.0


def test_of_choices_with_equal_loss_the_one_that_rounds_least_is_taken():
    """a may have 2 bits and c 6 for nothing, and both fit the limit with 8 and 6: 8 + 80 + 600."""
    rows = [row("a", 8, 0.0), row("a", 2, 0.0), row("c", 8, 0.0), row("c", 6, 0.0), row("c", 4, 0.0)]
    assert allocate(rows, costs(), Limits(weight_bytes=700)).precision.layers == {"a": 8, "b": 8, "c": 6}
    assert allocate(rows, costs(), Limits()).precision.layers == {"a": 8, "b": 8, "c": 8}


def test_fewer_bits_never_count_as_better():
    rows = [row("a", 8, 0.5), row("a", 4, 0.1), row("a", 2, float("nan"))]
    found = allocate(rows, costs(), Limits(weight_bytes=884))
    assert found.precision.layers["a"] == 4 and found.predicted_loss == 0.5


numbers = st.integers(0, 1000).map(lambda value: value / 1000)
problems = st.fixed_dictionaries(
    {
        "weights": st.lists(numbers, min_size=9, max_size=9),
        "activations": st.lists(numbers, min_size=4, max_size=4),
        "sizes": st.tuples(*[st.integers(1, 999)] * 3),
        "macs": st.tuples(*[st.integers(1, 999)] * 3),
        "values": st.tuples(*[st.integers(1, 999)] * 2),
        "shares": st.tuples(*[st.sampled_from([None, 0.3, 0.5, 0.8])] * 4),
    }
)


def built(problem):
    """Sensitivities that rise as bits fall, and the costs."""
    rises = iter(problem["weights"])
    rows = []
    for name in READS:
        total = 0.0
        for bits in (8, 5, 2):
            total += next(rises)
            rows.append(row(name, bits, total))
    rises = iter(problem["activations"])
    for name in "xy":
        first = next(rises)
        rows += [row(name, 8, first, "activations"), row(name, 4, first + next(rises), "activations")]
    facts = costs(
        problem["sizes"], problem["macs"], problem["values"], lambda layer, bits, read: bits * max(bits, read)
    )
    return rows, facts


@settings(max_examples=25)
@given(problems)
def test_no_choice_within_several_limits_has_a_smaller_loss(problem):
    rows, facts = built(problem)
    tried = list(everything(rows, facts))
    names = ("weight_bytes", "activation_bytes", "bit_operations", "latency_s")
    top = facts.spent(Precision())
    limits = Limits(
        **{name: share and share * getattr(top, name) for name, share in zip(names, problem["shares"], strict=True)}
    )
    fitting = [loss for _, loss, spent in tried if spent.within(limits)]
    if not fitting:
        with pytest.raises(BudgetError, match="No choice of bits"):
            allocate(rows, facts, limits)
        return
    found = allocate(rows, facts, limits)
    assert found.spent.within(limits) and found.predicted_loss == pytest.approx(min(fitting), abs=1e-9)


@settings(max_examples=15)
@given(problems, st.sampled_from(["weight_bytes", "bit_operations", "latency_s", "activation_bytes"]))
def test_the_front_holds_every_trade_and_nothing_else(problem, cost):
    rows, facts = built(problem)
    pairs = {(getattr(spent, cost), round(loss, 9)) for _, loss, spent in everything(rows, facts)}
    best = {
        pair for pair in pairs if not any(other <= pair and other != pair and other[1] <= pair[1] for other in pairs)
    }
    found = pareto_front(rows, facts, cost=cost)
    assert [(getattr(each.spent, cost), round(each.predicted_loss, 9)) for each in found] == sorted(best, reverse=True)


def test_both_solvers_agree_on_twenty_layers_and_print_nothing(capfd):
    """7^20 choices. With this seed the solver of SciPy 1.17 writes a line of its own."""
    draw = np.random.default_rng(15)
    names = [f"l{index}" for index in range(20)]
    weights = {name: int(8 * draw.integers(10, 4000)) for name in names}
    facts = BitCosts(
        reads=dict.fromkeys(names, "x"), weights=weights, macs=dict.fromkeys(names, 1), leader={"x": "x"}
    )  # fmt: skip
    rows = [row(name, bits, float(draw.random() * 4.0**-bits)) for name in names for bits in range(2, 9)]
    limit = facts.weight_bytes_at(4)
    found = allocate(rows, facts, Limits(weight_bytes=limit))
    best = min(each.predicted_loss for each in pareto_front(rows, facts) if each.spent.weight_bytes <= limit)
    assert found.predicted_loss == pytest.approx(best, rel=1e-12)
    assert capfd.readouterr().out == ""


def test_the_impossible_is_refused_with_the_smallest_that_can_be_reached():
    """2 bits throughout: 2 + 20 + 200 bytes."""
    rows = [row(name, bits, 8.0 - bits) for name in READS for bits in (8, 2)]
    with pytest.raises(BudgetError, match="weight_bytes of 221: the smallest possible is 222"):
        allocate(rows, costs(), Limits(weight_bytes=221))


def test_limits_that_exclude_each_other_are_told_with_what_is_possible_beside_the_other():
    def seconds(layer, bits, read_bits):
        return 3.0 if bits == 2 else 1.0  # few bits are slow

    rows = [row(name, bits, 8.0 - bits) for name in READS for bits in (8, 2)]
    with pytest.raises(BudgetError, match="within the other limits: the smallest possible beside them is 888"):
        allocate(rows, costs(seconds=seconds), Limits(weight_bytes=300, latency_s=3.5))


def test_rows_of_another_network_and_unknown_latency_are_refused():
    with pytest.raises(ConfigError, match="no layer or tensor 'q' in the costs"):
        allocate([row("q", 8, 0.0)], costs(), Limits())
    with pytest.raises(ConfigError, match="There is no latency to limit"):
        allocate([row("a", 8, 0.0)], costs(), Limits(latency_s=1.0))
    with pytest.raises(ConfigError, match=r"weight_bytes must be greater than 0, got 0"):
        Limits(weight_bytes=0)
    with pytest.raises(ConfigError, match="sensitivity of 'a' is not finite"):
        allocate([row("a", 8, float("nan"))], costs(), Limits())
