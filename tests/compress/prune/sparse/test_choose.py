"""The choice of zeros: worked cases, exact counts against sorting, patterns against loops, energy that stays."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgewright.analyze.hardware.two_four import is_two_four
from edgewright.compress.prune.sparse import choose, choose_pattern, energy_kept
from edgewright.compress.prune.sparse.choose import why_not
from edgewright.errors import BudgetError, ModelError
from edgewright.formats import pack_n_of_m, parse_pattern


def test_the_smallest_leave_and_the_last_of_equals_first():
    keep = choose({"a": torch.tensor([3.0, 1.0, 2.0, 1.0])}, 0.25)["a"]
    assert keep.tolist() == [True, True, True, False]
    keep = choose({"a": torch.tensor([5.0, 0.5]), "b": torch.tensor([0.5, 0.5, 4.0])}, 0.4)
    assert [each.tolist() for each in keep.values()] == [[True, True], [False, False, True]]


def test_within_layers_each_loses_its_share():
    scores = {"a": torch.arange(10.0), "b": 100 + torch.arange(20.0)}
    keep = choose(scores, 0.5, scope="layer")
    assert [int(each.sum()) for each in keep.values()] == [5, 10]
    assert [int(each.sum()) for each in choose(scores, 0.5).values()] == [1, 14]  # the best of each layer stays


@st.composite
def scores_of_layers(draw):
    """Up to four layers whose scores have many ties."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    shapes = draw(st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=3), min_size=1, max_size=4))
    top = draw(st.integers(1, 50))
    return {str(index): torch.randint(top, shape, generator=generator).float() for index, shape in enumerate(shapes)}


@given(scores=scores_of_layers(), sparsity=st.floats(0, 1))
def test_zeros_are_exactly_as_many_and_those_that_a_stable_sort_would_take(scores, sparsity):
    flat = torch.cat([each.flatten() for each in scores.values()]).numpy()
    zeros, best, start = round(sparsity * len(flat)), flat.copy(), 0
    for each in scores.values():
        best[start + int(each.flatten().argmax())] = np.inf
        start += each.numel()
    if zeros > len(flat) - len(scores):
        with pytest.raises(BudgetError, match=f"{zeros} of {len(flat)} weights cannot be 0"):
            choose(scores, sparsity)
        return
    want = np.ones(len(flat), bool)
    want[np.argsort(-best, kind="stable")[len(flat) - zeros :]] = False
    keep = choose(scores, sparsity)
    assert torch.cat([each.flatten() for each in keep.values()]).tolist() == want.tolist()
    assert [each.shape for each in keep.values()] == [each.shape for each in scores.values()]


def test_weights_that_are_zero_already_leave_whatever_is_asked():
    scores = torch.tensor([-torch.inf, 3.0, -torch.inf, 1.0, 2.0])
    assert choose({"a": scores}, 0.2)["a"].tolist() == [False, True, False, True, True]
    assert choose({"a": scores}, 0.6)["a"].tolist() == [False, True, False, False, True]


def test_a_layer_that_is_zero_throughout_has_nothing_to_keep():
    keep = choose({"a": torch.full((3,), -torch.inf), "b": torch.tensor([1.0, 2.0])}, 0.8)
    assert [each.tolist() for each in keep.values()] == [[False] * 3, [False, True]]


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(ModelError, match="weight of layer 'a' is not a number"):
        choose({"a": torch.tensor([1.0, torch.nan])}, 0.5)


LAYERS = {
    "linear": lambda: nn.Linear(16, 5),
    "convolution": lambda: nn.Conv2d(16, 6, 3),
    "grouped": lambda: nn.Conv2d(16, 6, (1, 2), groups=2),
    "one axis": lambda: nn.Conv1d(8, 3, 5),
    "transposed": lambda: nn.ConvTranspose2d(16, 4, 2, groups=2),
}


def groups_by_hand(layer: nn.Module, pattern: str):
    """Indices into the weights of each group, found by loops over the axes."""
    size = parse_pattern(pattern).group
    if isinstance(layer, nn.ConvTranspose2d):
        inputs, outputs = layer.in_channels // layer.groups, layer.weight.shape[1]
        for group, output, *place in itertools.product(
            range(layer.groups), range(outputs), *map(range, layer.kernel_size)
        ):
            for start in range(0, inputs, size):
                yield [(group * inputs + start + offset, output, *place) for offset in range(size)]
        return
    outputs, inputs, *kernel = layer.weight.shape
    for output, *place in itertools.product(range(outputs), *map(range, kernel)):
        for start in range(0, inputs, size):
            yield [(output, start + offset, *place) for offset in range(size)]


@pytest.mark.parametrize("pattern", ["2:4", "1:2", "4:8", "3:8", "1:4"])
@pytest.mark.parametrize("name", LAYERS)
def test_each_group_along_the_inputs_keeps_its_largest(name, pattern):
    torch.manual_seed(1)
    layer, kind = LAYERS[name](), parse_pattern(pattern)
    scores = torch.randint(1, 6, layer.weight.shape).float()  # many ties
    keep = choose_pattern(layer, scores, kind)
    seen = 0
    for group in groups_by_hand(layer, pattern):
        values = [float(scores[index]) for index in group]
        worth = [
            sum(value**2 for value in values[start : start + kind.unit]) for start in range(0, kind.group, kind.unit)
        ]
        best = sorted(range(kind.places), key=lambda unit, worth=worth: -worth[unit])[: kind.chosen]
        want = [place // kind.unit in best for place in range(kind.group)]
        assert [bool(keep[index]) for index in group] == want
        seen += len(group)
    assert seen == layer.weight.numel() and int(keep.sum()) == seen * kind.kept // kind.group


def test_groups_are_neighbours_in_a_kernel_stored_channels_last():
    layer = nn.Conv2d(8, 4, 3)
    keep = choose_pattern(layer, layer.weight.detach().abs(), parse_pattern("2:4"))
    with torch.no_grad():
        layer.weight[~keep] = 0
    rows = layer.weight.detach().permute(0, 2, 3, 1).reshape(4, -1).numpy()
    assert pack_n_of_m(rows).decode().tobytes() == np.ascontiguousarray(rows).tobytes()
    assert is_two_four(layer)


def test_a_layer_of_too_few_inputs_cannot_follow():
    layer, kind = nn.Conv2d(6, 4, 3), parse_pattern("2:4")
    assert choose_pattern(layer, layer.weight.detach(), kind) is None
    assert why_not(layer, kind) == "6 input channels per group are no multiple of 4"
    assert why_not(nn.Linear(8, 2), kind) == ""


def sample(name: str) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn((1024, 1024), generator=generator)
    if name == "gauss":
        return normal
    return normal.sign() * torch.empty_like(normal).exponential_(generator=generator)


# deviation of the share over a million draws: below 0.0008 in every case
@pytest.mark.parametrize(
    ("name", "anywhere", "two_four"), [("gauss", 0.928674, 0.867553), ("laplace", 0.966687, 0.920139)]
)
def test_at_half_zeros_the_published_energy_stays(name, anywhere, two_four):
    weight = sample(name)
    keep = choose({"a": weight.abs()}, 0.5)["a"]
    assert energy_kept(weight, keep) == pytest.approx(anywhere, abs=2.5e-3)
    pattern = choose_pattern(nn.Linear(1024, 1, bias=False), weight.abs(), parse_pattern("2:4"))
    assert energy_kept(weight, pattern) == pytest.approx(two_four, abs=2.5e-3)
    drawn = choose({"a": torch.rand(weight.shape, generator=torch.Generator().manual_seed(1))}, 0.5)["a"]
    assert energy_kept(weight, drawn) == pytest.approx(0.5, abs=2.5e-3)


@pytest.mark.parametrize(("sparsity", "share"), [(0.7, 0.783307), (0.8, 0.649820), (0.9, 0.439286), (0.95, 0.279100)])
def test_of_a_gaussian_layer_the_published_energy_stays(sparsity, share):
    weight = torch.special.ndtri((torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000)  # its quantiles
    assert energy_kept(weight, choose({"a": weight.abs()}, sparsity)["a"]) == pytest.approx(share, abs=1e-4)


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_energy_is_a_share_of_the_squares(seed):
    weight = torch.randn(20, generator=torch.Generator().manual_seed(seed))
    keep = weight > 0
    assert energy_kept(weight, keep) == pytest.approx(float((weight[keep] ** 2).sum() / (weight**2).sum()))
    assert energy_kept(torch.zeros(3), torch.ones(3, dtype=torch.bool)) == 1.0
