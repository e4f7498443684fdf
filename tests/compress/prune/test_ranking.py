"""Local, isomorphic and global ranking: who competes with whom, and that the limit is met from below."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewright.compress.prune import Planner, Prune
from edgewright.compress.prune.ranking import RANKINGS, Contest, topology
from edgewright.devices import device
from edgewright.errors import BudgetError, LookupFailed
from edgewright.model import capture, find_channels
from edgewright.types import Job
from edgewright.zoo import resolve


class Weighted:
    """Every class of a group costs the same, whatever the others keep."""

    def __init__(self, prices):
        self.prices = np.array(prices)

    def at(self, kept):
        return int(np.dot(self.prices, kept))

    def vary(self, kept, group, counts):
        return np.array([self.at([*kept[:group], int(count), *kept[group + 1 :]]) for count in counts])


def contest(scores, prices=None, topology=None, step=1):
    """Groups with the given scores, falling; widths from `step` classes up in steps of so many."""
    falling = [np.sort(np.array(each, dtype=float))[::-1] for each in scores]
    return Contest(
        options=[np.arange(step, len(each) + 1, step) for each in falling],
        scores=falling,
        topology=topology or [0] * len(falling),
        cost=Weighted(prices or [1] * len(falling)),
    )


def test_local_keeps_the_same_share_whatever_the_scores():
    two = contest([[9, 8, 7, 6, 5, 4, 3, 2], [0.1, 0.1, 0.1, 0.1]])
    assert RANKINGS["local"](two, 6) == (4, 2)
    assert RANKINGS["local"](two, 9) == (6, 3)


def test_global_keeps_the_best_classes_of_the_whole_model():
    two = contest([[9, 8, 1, 1], [7, 2, 1.5, 0.5]])
    assert RANKINGS["global"](two, 4) == (2, 2)  # 9, 8, 7 and 2
    assert RANKINGS["global"](two, 5) == (2, 3)  # and 1.5


def test_global_asks_what_a_class_costs():
    """A class of the second group scores more, and less for its price: 5 / 4 against 2 and 3."""
    two = contest([[4, 3, 2, 2], [6, 5, 5, 5]], prices=[1, 4])
    assert RANKINGS["global"](two, 10) == (4, 1)
    assert RANKINGS["local"](two, 10) == (2, 2)


def test_isomorphic_compares_groups_of_the_same_structure_only():
    """Two groups of one family, a third with scores on another scale: both families keep half of their classes."""
    three = contest([[4, 3, 0, 0], [2, 1, 1, 1], [900, 800, 700, 600]], topology=["a", "a", "b"])
    assert RANKINGS["isomorphic"](three, 6) == (2, 2, 2)
    assert RANKINGS["isomorphic"](contest([[4, 3, 2.5, 0], [2, 1, 1, 1], [900, 800]], topology=["a", "a", "b"]), 5) == (
        (3, 1, 1)
    )


def test_a_step_that_does_not_fit_leaves_room_for_the_next_in_rank():
    two = contest([[9, 8, 8, 8], [5, 1, 1, 1]], prices=[5, 1])
    assert RANKINGS["global"](two, 8) == (1, 3)  # a second class at 5 would make 11


@pytest.mark.parametrize("name", RANKINGS)
def test_equal_scores_come_back_in_order_whatever_their_means_round_to(name):
    assert np.mean([0.1] * 3) != np.mean([0.1] * 1)
    blocks = Contest(options=[np.array([1, 2, 5])], scores=[np.full(5, 0.1)], topology=[0], cost=Weighted([1]))
    assert RANKINGS[name](blocks, 5) == (5,)


@pytest.mark.parametrize("name", RANKINGS)
def test_a_limit_below_the_smallest_widths_is_refused(name):
    with pytest.raises(BudgetError, match="The least cost of any choice is 3, asked was 2"):
        RANKINGS[name](contest([[1, 2, 3], [1, 2]], prices=[1, 2]), 2)


groups = st.lists(
    st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1, max_size=8), min_size=1, max_size=6
)  # fmt: skip


@pytest.mark.parametrize("name", RANKINGS)
@settings(max_examples=60, deadline=None)
@given(scores=groups, share=st.floats(0, 1), seed=st.integers(0, 9))
def test_the_limit_is_met_and_no_group_could_be_wider(name, scores, share, seed):
    draw = np.random.default_rng(seed)
    prices = draw.integers(1, 9, len(scores)).tolist()
    case = contest(scores, prices=prices, topology=draw.integers(0, 3, len(scores)).tolist())
    least, full = (case.cost.at([int(each[place]) for each in case.options]) for place in (0, -1))
    limit = least + share * (full - least)
    kept = RANKINGS[name](case, limit)
    assert case.cost.at(kept) <= limit
    for group, options in enumerate(case.options):
        assert (case.cost.vary(list(kept), group, options[options > kept[group]]) > limit).all()
    if share == 1:
        assert list(kept) == [len(each) for each in scores]


@pytest.mark.parametrize("name", RANKINGS)
@settings(max_examples=40, deadline=None)
@given(scores=groups, seed=st.integers(0, 9))
def test_a_ranking_does_not_depend_on_the_unit_of_the_scores(name, scores, seed):
    """Powers of two change no comparison, not even a tie."""
    topology = np.random.default_rng(seed).integers(0, 3, len(scores)).tolist()
    first = contest(scores, topology=topology)
    second = contest([[8 * each for each in group] for group in scores], topology=topology)
    limit = 0.6 * sum(len(each) for each in scores) + len(scores)
    assert RANKINGS[name](first, limit) == RANKINGS[name](second, limit)


# On models


@pytest.fixture(scope="module")
def resnet20() -> Job:
    built = resolve("resnet20", num_classes=10)
    net = capture(built.model, built.input_shape)
    return Job(model=net, task=None, data=None, device=device("generic-x86"), model_name="resnet20")


def test_groups_of_equal_structure_are_one_family_whatever_their_width(resnet20):
    channels = find_channels(resnet20.model)
    kinds = {group.name: topology(resnet20.model, group) for group in channels.free}
    inner = {kinds[name] for name in kinds if name.endswith(".conv1") and name != "conv1"}
    streams = {kinds[name] for name in kinds if name == "conv1" or name.endswith(".conv2")}
    assert len(inner) == 1 and len(streams) == 3 and not inner & streams  # streams pass 4, 3 and 3 layers or the head


@pytest.mark.slow
@pytest.mark.parametrize("ranking", RANKINGS)
@pytest.mark.parametrize("score", ["l2", "bn-scale"])
def test_every_ranking_comes_within_two_percent_of_the_target(resnet20, ranking, score):
    planner = Planner(resnet20, Prune(score=score, ranking=ranking))
    assert planner.scan() == ()  # nothing is measured
    for target in (0.7, 0.5, 0.3):
        plan = planner.plan(target)
        assert 0.98 * target < plan.keep <= target and plan.ranking == ranking and not plan.measured
        kept = {group.name: group.num_classes - len(group.dropped) for group in plan.groups if group.dropped}
        assert all(count in planner.options[name] for name, count in kept.items())


@pytest.mark.slow
@pytest.mark.parametrize("ranking", RANKINGS)
def test_every_ranking_aims_at_parameters_too(resnet20, ranking):
    planner = Planner(resnet20, Prune(score="l2", ranking=ranking))
    assert 0.98 * 0.5 < planner.plan(0.5, target="params").keep <= 0.5


def test_local_ranking_gives_every_group_about_the_same_share(resnet20):
    plan = Planner(resnet20, Prune(score="l2", ranking="local", round_to=1)).plan(0.5)
    keeps = [group.keep for group in plan.groups if group.locked is None]
    assert max(keeps) - min(keeps) <= 1 / 16 + 1e-9  # one class of the narrowest


def test_an_unknown_ranking_offers_near_names():
    with pytest.raises(LookupFailed, match="Unknown ranking 'globel': did you mean global"):
        Prune(ranking="globel")
