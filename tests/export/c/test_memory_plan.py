"""Memory plans: cases by hand, all placements of small instances as the oracle, and an independent judge of each."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgewright.errors import ConfigError, ExportError
from edgewright.export.c.memory import Buffer, Overlap, check, liveness_bound, plan


def buffer(name, num_bytes, first, last):
    return Buffer(name=name, num_bytes=num_bytes, first=first, last=last)


def chain(*sizes, overlap=None):
    """x0 -> x1 -> ...: operation i reads xi and writes the next; each output over its input as `overlap` says."""
    last = len(sizes) - 2
    buffers = [buffer(f"x{i}", size, max(0, i - 1), min(i, last)) for i, size in enumerate(sizes)]
    overlaps = [Overlap(output=f"x{i + 1}", input=f"x{i}", **overlap) for i in range(last + 1)] if overlap else []
    return buffers, overlaps


def legal(offsets, buffers, overlaps):
    """Whether every pair that is live together is apart, or overlaps in an order of rows that suits its operation."""
    by_name = {each.name: each for each in buffers}
    orders = {each.output: {"lead", "rise"} for each in overlaps}
    permitted = {(each.output, each.input): each for each in overlaps}
    for one in offsets:
        for other in offsets:
            a, b = by_name[one], by_name[other]
            together = one < other and max(a.first, b.first) <= min(a.last, b.last)
            low, high = sorted((a, b), key=lambda each: offsets[each.name])
            if not together or offsets[low.name] + low.num_bytes <= offsets[high.name]:
                continue
            overlap = permitted.get((one, other)) or permitted.get((other, one))
            if overlap is None:
                return False
            output, over = offsets[overlap.output], offsets[overlap.input]
            if overlap.lead is None or output + overlap.lead > over:
                orders[overlap.output].discard("lead")
            if overlap.rise is None or output < over + overlap.rise:
                orders[overlap.output].discard("rise")
            if not orders[overlap.output]:
                return False
    return True


def smallest_arena(buffers, overlaps=()):
    """Tries every offset of every buffer in arenas of 0, 1, 2 ... bytes."""

    def fits(arena, offsets, left):
        if not left:
            return True
        for offset in range(arena - left[0].num_bytes + 1):
            tried = {**offsets, left[0].name: offset}
            if legal(tried, buffers, overlaps) and fits(arena, tried, left[1:]):
                return True
        return False

    return next(arena for arena in count() if fits(arena, {}, list(buffers)))


UNREACHABLE = [
    buffer("left", 2, 0, 0), buffer("below", 2, 0, 1), buffer("before", 1, 1, 2), buffer("kept", 1, 1, 3),
    buffer("after", 1, 2, 3), buffer("above", 2, 3, 4), buffer("right", 2, 4, 4),
]  # fmt: skip


def test_a_chain_lies_in_turns_at_both_ends():
    made = plan(chain(16, 24, 8, 32)[0])
    assert made.arena_bytes == made.bound_bytes == 40
    assert made.is_optimal and (made.peak_op, made.bound.live) == (0, ("x1", "x0"))


def test_the_bound_says_where_it_is_and_what_is_live_there():
    buffers = [buffer("x", 10, 0, 2), buffer("y", 20, 1, 3), buffer("z", 5, 2, 3), buffer("scratch", 7, 2, 2)]
    bound = liveness_bound(buffers)
    assert (bound.num_bytes, bound.op, bound.live) == (42, 2, ("y", "x", "scratch", "z"))


def test_the_bound_counts_shared_bytes_once():
    buffers = [buffer("x", 100, 0, 0), buffer("y", 60, 0, 0), buffer("kept", 7, 0, 3)]
    assert liveness_bound(buffers, [Overlap(output="y", input="x", lead=0)]).num_bytes == 107
    assert liveness_bound(buffers, [Overlap(output="y", input="x", lead=20)]).num_bytes == 127
    assert liveness_bound(buffers, [Overlap(output="y", input="x", lead=80)]).num_bytes == 167  # farther than apart
    assert liveness_bound(buffers, [Overlap(output="x", input="y", lead=30)]).num_bytes == 107
    assert liveness_bound(buffers, [Overlap(output="y", input="x", lead=None, rise=50)]).num_bytes == 117


def test_nothing_to_plan_needs_nothing():
    made = plan([])
    assert (made.arena_bytes, made.bound_bytes, made.is_optimal) == (0, 0, True)


def test_scratch_counts_as_memory():
    assert plan([*chain(16, 16, 16)[0], buffer("scratch of x2", 12, 1, 1)]).arena_bytes == 44


@pytest.mark.parametrize("alignment", [1, 2, 4, 8, 16, 32])
def test_every_offset_is_aligned(alignment):
    made = plan(chain(13, 21, 34, 5)[0], alignment=alignment)
    assert all(offset % alignment == 0 for offset in made.offsets.values())
    assert made.arena_bytes == made.bound_bytes == sum(-(-size // alignment) * alignment for size in (21, 34))


def test_in_place_a_chain_needs_its_largest_buffer():
    made = plan(*chain(40, 40, 40, 40, overlap={"lead": 0}))
    assert made.arena_bytes == made.bound_bytes == 40
    assert set(made.offsets.values()) == {0} and not made.backwards


def test_a_lead_puts_the_output_ahead_of_its_input():
    buffers, overlaps = chain(64, 64, overlap={"lead": 8})
    made = plan(buffers, overlaps)
    assert made.arena_bytes == made.bound_bytes == 72
    assert made.offsets == {"x0": 8, "x1": 0}


def test_leads_in_one_direction_add_up_and_in_turns_do_not():
    """Four equal maps, each 8 ahead of the last: 64 + 3 * 8. Every other one backwards: 64 + 8."""
    ahead = plan(*chain(64, 64, 64, 64, overlap={"lead": 8}))
    assert (ahead.arena_bytes, ahead.bound_bytes, ahead.is_optimal) == (88, 72, True)
    turns = plan(*chain(64, 64, 64, 64, overlap={"lead": 8, "rise": 8}))
    assert (turns.arena_bytes, turns.is_optimal) == (72, True)
    assert turns.backwards in ({"x1", "x3"}, {"x2"})


def test_both_inputs_of_an_operation_are_under_its_output_in_one_order_only():
    """y lies ahead of a and behind b at best, but a kernel runs in one direction."""
    buffers = [buffer("a", 2, 0, 0), buffer("b", 2, 0, 0), buffer("y", 4, 0, 0)]
    overlaps = [Overlap(output="y", input="a", lead=0), Overlap(output="y", input="b", lead=None, rise=0)]
    made = plan(buffers, overlaps, alignment=1)
    assert made.arena_bytes == smallest_arena(buffers, overlaps) == 6
    assert plan(buffers, [Overlap(output="y", input=each, lead=0) for each in "ab"], alignment=1).arena_bytes == 4


def test_a_bound_out_of_reach_is_proven_out_of_reach():
    """At most 4 bytes are live, and 4 are too few.

    Beside `left`, `below` fills half of the arena, so `before` and `kept` share the other half. Beside `right`, `above`
    fills half too, so `after` and `kept` share the other: that of `before`, on the one byte that `kept` leaves. But
    `before` and `after` are live together.
    """
    made = plan(UNREACHABLE, alignment=1)
    assert smallest_arena(UNREACHABLE) == made.arena_bytes == 5
    assert made.bound_bytes == 4 and made.is_optimal


def test_without_nodes_the_best_greedy_plan_stays_and_is_not_called_optimal():
    made = plan(HARD, max_nodes=0)
    assert (made.arena_bytes, made.is_optimal, made.num_nodes) == (500, False, 0)
    best = plan(HARD)
    assert best.is_optimal and best.arena_bytes == best.bound_bytes == 444


@pytest.mark.parametrize("num_buffers", [36, 40, 50])
def test_the_bound_is_reached_where_no_simple_rule_reaches_it(num_buffers):
    made = plan(crossing(num_buffers))
    assert made.num_nodes > 0 and made.is_optimal and made.arena_bytes == made.bound_bytes


@st.composite
def instances(draw, max_buffers=6, max_ops=5, max_size=4):
    buffers = []
    for index in range(draw(st.integers(1, max_buffers))):
        first = draw(st.integers(0, max_ops - 1))
        last = draw(st.integers(first, max_ops - 1))
        buffers.append(buffer(f"b{index}", draw(st.integers(1, max_size)), first, last))
    pairs = [(o, i) for o in buffers for i in buffers if o is not i and o.first == i.last]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=4)) if pairs else []
    chosen = [pair for index, pair in enumerate(chosen) if pair[::-1] not in chosen[:index]]
    distance = st.integers(0, max_size)
    overlaps = [
        Overlap(output=o.name, input=i.name, lead=lead, rise=draw(distance if lead is None else st.none() | distance))
        for o, i in chosen
        for lead in [draw(st.none() | distance)]
    ]
    return buffers, overlaps


@pytest.mark.slow
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(instances())
def test_no_placement_of_few_buffers_is_better(instance):
    buffers, overlaps = instance
    made = plan(buffers, overlaps, alignment=1)
    assert legal(made.offsets, buffers, overlaps)
    assert made.is_optimal and made.arena_bytes == smallest_arena(buffers, overlaps)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(instances(max_buffers=24, max_ops=12, max_size=99), st.sampled_from([1, 4, 16]))
def test_a_plan_is_legal_and_no_smaller_than_its_bound(instance, alignment):
    buffers, overlaps = instance
    made = plan(buffers, overlaps, alignment=alignment, max_nodes=300)
    check(made)
    assert legal(made.offsets, buffers, overlaps)
    assert made.arena_bytes >= made.bound_bytes >= liveness_bound(buffers, overlaps).num_bytes


def test_the_same_records_give_the_same_plan():
    assert plan(HARD).offsets == plan(HARD).offsets


def crossing(num_buffers):
    """Lifetimes and sizes by a fixed rule, mixed enough that no greedy rule reaches the bound."""
    starts = [7 * i % num_buffers for i in range(num_buffers)]
    return [buffer(f"b{i}", 4 * (1 + 37 * i * i % 23), first, first + 5 * i * i % 7) for i, first in enumerate(starts)]


HARD = crossing(24)  # the best greedy rule needs 500 bytes, the bound is 444


MADE = plan(chain(64, 64, overlap={"lead": 8})[0])
SPOILED = {
    "has no offset for the buffer x1": {"offsets": {"x0": 0}},
    "outside of its arena of 128 bytes": {"offsets": {"x0": 0, "x1": 68}},
    "x1 at -4 to 60 outside": {"offsets": {"x0": 64, "x1": -4}},
    "x1 at 62 to 126, expected a multiple of 4": {"offsets": {"x0": 0, "x1": 62}},
    "x0 at 0 to 64 and x1 at 60 to 124 the same bytes in operation 0": {"offsets": {"x0": 0, "x1": 60}},
}


@pytest.mark.parametrize("words", SPOILED)
def test_a_spoiled_plan_is_refused(words):
    with pytest.raises(ExportError, match=words):
        check(replace(MADE, **SPOILED[words]))


def test_an_overlap_counts_for_its_own_operation_and_order_alone():
    buffers, overlaps = chain(64, 64, overlap={"lead": 8, "rise": 8})
    made = plan(buffers, overlaps)
    check(replace(made, offsets={"x0": 8, "x1": 0}, backwards=frozenset()))
    check(replace(made, offsets={"x0": 0, "x1": 8}, backwards=frozenset({"x1"})))
    for offsets, backwards in (({"x0": 0, "x1": 8}, ()), ({"x0": 8, "x1": 0}, ("x1",)), ({"x0": 4, "x1": 0}, ())):
        with pytest.raises(ExportError, match="no overlap permits it"):
            check(replace(made, offsets=offsets, backwards=frozenset(backwards)))
    longer = replace(buffers[0], last=1)
    with pytest.raises(ExportError, match="the same bytes in operation 0"):
        check(replace(made, buffers=(longer, buffers[1]), offsets={"x0": 8, "x1": 0}, backwards=frozenset()))


REFUSED = {
    "aligned to 1, 2, 4, 8, 16, 32 bytes, got 3": lambda: plan([], alignment=3),
    "got x more than once": lambda: plan([buffer("x", 1, 0, 0), buffer("x", 1, 0, 0)]),
    "names z, which is none of the 2": lambda: plan(chain(4, 4)[0], [Overlap(output="z", input="x0")]),
    "x0 is made in operation 0 and x1 is read until operation 1": lambda: plan(
        chain(4, 4, 4)[0], [Overlap(output="x0", input="x1")]
    ),
    "is given twice": lambda: plan(chain(4, 4)[0], [Overlap(output="x1", input="x0")] * 2),
    "has 0 bytes, expected at least 1": lambda: buffer("x", 0, 0, 0),
    "lives from operation 2 to 1": lambda: buffer("x", 1, 2, 1),
    "has the lead None and the rise None": lambda: Overlap(output="y", input="x", lead=None),
    "has the lead -4 and": lambda: Overlap(output="y", input="x", lead=-4),
}


@pytest.mark.parametrize("words", REFUSED)
def test_a_record_that_makes_no_sense_is_refused(words):
    with pytest.raises(ConfigError, match=words):
        REFUSED[words]()
