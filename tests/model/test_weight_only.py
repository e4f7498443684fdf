"""Stored weights in groups: grids by hand, every granularity against a naive loop, bytes by formula."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgewright.errors import ConfigError
from edgewright.model.layers import settings_of
from edgewright.model.weight_only import WEIGHT_ONLY, WeightOnlyLinear, even_size

LAYERS = [
    nn.Conv2d(4, 6, 3, stride=2, padding=1),
    nn.Conv2d(4, 4, 3, groups=4, bias=False),
    nn.ConvTranspose2d(4, 6, 3, stride=2, output_padding=1),
    nn.ConvTranspose2d(4, 6, 3, groups=2),
    nn.Linear(5, 6),
]


def stored(layer, *, per_tensor=False, **asked):
    form = WEIGHT_ONLY[type(layer)](**settings_of(layer), **asked)
    form.load_state_dict(layer.state_dict(), strict=False)
    form.fit_grid(per_tensor=per_tensor)
    return form


def linear(rows):
    layer = nn.Linear(len(rows[0]), len(rows), bias=False)
    layer.weight.data = torch.tensor(rows)
    return layer


def test_two_symmetric_groups_by_hand():
    form = stored(linear([[0.7, -0.2, 0.05, 0.14]]), bits=4, group_size=2)
    assert form.weight_scale.flatten().tolist() == pytest.approx([0.1, 0.02])
    assert form.weight_codes().tolist() == [[7, -2, 2, 7]]  # 0.05 is 2.5 steps: to the even code
    assert form.rounded_weight().flatten().tolist() == pytest.approx([0.7, -0.2, 0.04, 0.14])


@pytest.mark.parametrize(
    ("signed", "zero_points", "codes"), [(False, [4, 0], [0, 15, 3, 15]), (True, [-4, -8], [-8, 7, -5, 7])]
)
def test_two_affine_groups_by_hand(signed, zero_points, codes):
    form = stored(linear([[-0.4, 1.1, 0.06, 0.3]]), bits=4, group_size=2, symmetric=False, signed=signed)
    assert form.weight_scale.flatten().tolist() == pytest.approx([0.1, 0.02])  # 1.5 / 15, 0.3 / 15: 0 widens the range
    assert form.weight_zero_point.flatten().tolist() == zero_points
    assert form.weight_codes().flatten().tolist() == codes
    assert form.rounded_weight().flatten().tolist() == pytest.approx([-0.4, 1.1, 0.06, 0.3])


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: f"{type(layer).__name__}-{getattr(layer, 'groups', 1)}")
@pytest.mark.parametrize("group_size", [None, 4, 1000])
@pytest.mark.parametrize(("symmetric", "signed"), [(True, True), (False, True), (False, False)])
def test_each_weight_lies_within_half_a_step_of_its_group(layer, group_size, symmetric, signed):
    torch.manual_seed(0)
    form = stored(layer, bits=5, group_size=group_size, symmetric=symmetric, signed=signed)
    axis, rounded = form.weight_axis, form.rounded_weight().detach()
    for channel in range(layer.weight.shape[axis]):
        row, got = (each.select(axis, channel).flatten() for each in (layer.weight.detach(), rounded))
        size = even_size(len(row), group_size)
        for index, start in enumerate(range(0, len(row), size)):
            part = row[start : start + size]
            low, high = min(part.min().item(), 0), max(part.max().item(), 0)
            step = max(-low, high) / 15 if symmetric else (high - low) / 31
            assert form.weight_scale[channel, index].item() == pytest.approx(step, rel=1e-6)
            # an affine range shifts by up to half a step so that 0 is a code, which clips one end by as much
            assert (part - got[start : start + size]).abs().max() <= step * (0.5 if symmetric else 1.0) * (1 + 1e-5)
    codes = form.weight_codes()
    assert codes.min() >= form.grid.low and codes.max() <= form.grid.high and codes.shape == layer.weight.shape


def test_the_layer_computes_with_its_rounded_weight():
    torch.manual_seed(0)
    for layer in LAYERS:
        form = stored(layer, bits=4, group_size=4)
        x = torch.randn(2, 5) if isinstance(layer, nn.Linear) else torch.randn(2, 4, 6, 6)
        plain = type(layer)(**settings_of(layer))
        plain.load_state_dict(layer.state_dict())
        plain.weight.data = form.rounded_weight().detach()
        assert torch.equal(form(x), plain(x))


def test_one_grid_for_the_tensor_has_the_widest_range():
    form = stored(linear([[0.7, -0.2], [0.1, 0.0]]), bits=4, per_tensor=True)
    assert form.weight_scale.flatten().tolist() == pytest.approx([0.1, 0.1]) and form.num_grids == 1


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"bits": 8}, 64 * 48 + 64 * 4),
        ({"bits": 4, "group_size": 16}, 64 * 48 // 2 + 64 * 3 * 4),
        ({"bits": 4, "group_size": 16, "symmetric": False}, 64 * 48 // 2 + 64 * 3 * 5),
        ({"bits": 3, "group_size": 32}, 64 * 48 * 3 // 8 + 64 * 2 * 4),  # two groups of 24
        ({"bits": 4, "group_size": 19}, 64 * 48 // 2 + 64 * 3 * 4),  # three of 16
        ({"bits": 4, "group_size": 10}, 64 * 50 // 2 + 64 * 5 * 4),  # five of 10: two codes fill up the last
        ({"bits": 2, "per_tensor": True}, 64 * 48 // 4 + 4),
    ],
)
def test_stored_bytes_are_packed_codes_and_grids(asked, expected):
    torch.manual_seed(0)
    assert stored(nn.Linear(48, 64), **asked).stored_bytes == expected


def test_smaller_groups_and_zero_points_lose_less():
    torch.manual_seed(0)
    layer = nn.Linear(256, 16)
    layer.weight.data.abs_()  # one-sided: half of a symmetric grid is never used

    def error(**asked):
        return (stored(layer, bits=3, **asked).rounded_weight() - layer.weight).pow(2).mean().item()

    assert error(group_size=16) < error(group_size=64) < error() < error(per_tensor=True) * 1.001
    assert error(symmetric=False) < 0.5 * error()


def test_a_searched_grid_clips_an_outlier_when_that_leaves_less_error():
    form = stored(linear([[1.0, *[0.1, -0.1] * 20]]), bits=2)
    assert (form.weight_codes()[0, 1:] == 0).all()  # the step is the outlier: all others vanish, squared error 0.4
    form.fit_grid(search=True)
    kept = form.weight_scale.item()
    # the outlier becomes `kept`, each other weight too: (1 - k)^2 + 40 (0.1 - k)^2 while 0.1 rounds to 1 step, k < 0.2
    tried = [step / 50 for step in range(10, 51)]
    losses = [(1 - k) ** 2 + 40 * ((0.1 - k) ** 2 if k < 0.2 else 0.01) for k in tried]
    assert kept == pytest.approx(tried[losses.index(min(losses))])


@pytest.mark.parametrize("settings_", [{}, {"group_size": 8}, {"symmetric": False}, {"per_tensor": True}])
def test_a_searched_grid_never_leaves_more_error(settings_):
    torch.manual_seed(0)
    per_tensor = settings_.get("per_tensor", False)
    form = stored(nn.Linear(32, 8), bits=3, **settings_)
    plain = (form.rounded_weight() - form.weight).pow(2).sum()
    form.fit_grid(per_tensor=per_tensor, search=True)
    assert (form.rounded_weight() - form.weight).pow(2).sum() < plain


@settings(max_examples=30)
@given(st.integers(2, 8), st.integers(2, 9), st.booleans())
def test_rounding_twice_changes_nothing_and_zeros_stay_zeros(bits, group_size, symmetric):
    torch.manual_seed(bits)
    layer = nn.Linear(11, 3)
    layer.weight.data[1] = 0
    form = stored(layer, bits=bits, group_size=group_size, symmetric=symmetric)
    once = form.rounded_weight().detach()
    form.weight.data = once.clone()
    assert torch.equal(form.rounded_weight(), once) and (once[1] == 0).all()


def test_a_gradient_passes_through_the_rounding():
    form = stored(nn.Linear(8, 4), bits=4, group_size=4)
    form(torch.ones(2, 8)).sum().backward()
    assert form.weight.grad.eq(2).float().mean() == 1.0


def test_impossible_settings_are_refused():
    with pytest.raises(ConfigError, match="2 to 8 bits, got 1"):
        WeightOnlyLinear(4, 2, bits=1)
    with pytest.raises(ConfigError, match="A group holds 2 weights or more, got 1"):
        WeightOnlyLinear(4, 2, group_size=1)
    with pytest.raises(ConfigError, match="Symmetric weights are signed"):
        WeightOnlyLinear(4, 2, signed=False)
