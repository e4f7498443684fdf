import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewright.errors import ConfigError
from edgewright.targets import BOLDER, TargetSearch, largest_affordable, nearest
from edgewright.types import Budget, Cost


def shares(search: TargetSearch, smallest_that_works: float) -> list[float]:
    tried = []
    while (share := search.propose()) is not None:
        tried.append(share)
        search.record(share, accepted=share >= smallest_that_works)
    return tried


def test_search_goes_smaller_while_accepted():
    assert shares(TargetSearch(max_rounds=3), 0.0) == pytest.approx([0.5, 0.5 * BOLDER, 0.5 * BOLDER**2])


def test_search_goes_back_geometrically_after_a_refusal():
    assert shares(TargetSearch(max_rounds=3), 0.6) == pytest.approx([0.5, 0.5**0.5, (0.5 * 0.5**0.5) ** 0.5])


def test_search_starts_at_the_ceiling_and_gives_up_when_the_ceiling_is_refused():
    assert shares(TargetSearch(ceiling=0.3, max_rounds=5), 0.9) == [0.3]


def test_when_all_is_refused_the_ceiling_is_the_last_resort():
    assert shares(TargetSearch(max_rounds=2), 1.0) == pytest.approx([0.5, 0.5**0.5, 1.0])


def test_search_stops_at_the_floor():
    assert shares(TargetSearch(floor=0.4, max_rounds=5), 0.0) == [0.5, 0.4]


def test_a_fixed_share_is_tried_once():
    assert shares(TargetSearch(fixed=0.4), 0.9) == [0.4]


@given(st.floats(0.01, 1), st.floats(0.01, 1), st.integers(1, 8))
def test_search_ends_within_its_rounds_and_never_exceeds_the_ceiling(ceiling, smallest, rounds):
    tried = shares(TargetSearch(ceiling=ceiling, max_rounds=rounds), smallest)
    assert 1 <= len(tried) <= rounds + 1
    assert all(0 < share <= ceiling * (1 + 1e-12) for share in tried)


def test_a_ceiling_outside_its_range_is_refused():
    with pytest.raises(ConfigError, match=r"in \(0, 1\], got 0"):
        TargetSearch(ceiling=0)


def test_largest_affordable_is_the_first_share_within_all_limits():
    budget = Budget(ram_bytes=100)
    assert largest_affordable(lambda share: Cost(ram_bytes=int(200 * share)), budget) == 0.5
    assert largest_affordable(lambda share: Cost(ram_bytes=500), budget) is None


def test_shares_that_cannot_be_cut_to_are_passed_over():
    assert largest_affordable(lambda share: None if share > 0.3 else Cost(), Budget()) == 0.3


def test_nearest_point_breaks_its_worst_limit_least():
    points = [("a", Cost(ram_bytes=300, flash_bytes=10)), ("b", Cost(ram_bytes=150, flash_bytes=190))]
    name, overruns = nearest(points, Budget(ram_bytes=100, flash_bytes=100))
    assert name == "b"
    assert [(o.limit_name, o.factor) for o in overruns] == [("ram_bytes", 1.5), ("flash_bytes", 1.9)]
