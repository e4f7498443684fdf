"""Layers as matrix products: what is multiplied gives what the layer computes."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from edgewright.analyze import profile
from edgewright.analyze.hardware import bit_operations, bit_serial, sparse_columns, two_four
from edgewright.analyze.hardware.products import input_columns, products, unseen, watch_layers, weight_matrices
from edgewright.errors import ModelError, ShapeError, UnsupportedError
from edgewright.model import capture

CONVOLUTIONS = {
    "plain": nn.Conv2d(4, 6, 3),
    "stride and padding": nn.Conv2d(4, 6, 3, stride=2, padding=1),
    "uneven kernel": nn.Conv2d(4, 6, (3, 1), padding=(1, 0)),
    "dilated": nn.Conv2d(4, 6, 3, dilation=2, padding=2),
    "groups": nn.Conv2d(4, 6, 3, groups=2, padding=1),
    "depthwise": nn.Conv2d(4, 4, 3, groups=4, padding=1),
    "same": nn.Conv2d(4, 6, 4, padding="same"),
    "circular": nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"),
}


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")  # uneven padding, the hard case
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_convolution_is_its_matrices_times_its_columns(name):
    layer = CONVOLUTIONS[name]
    x = torch.randn(2, 4, 7, 7, generator=torch.Generator().manual_seed(0))
    want = layer(x) - layer.bias[:, None, None]
    got = weight_matrices(layer) @ input_columns(layer, x)  # (g, rows, B L)
    shaped = got.flatten(0, 1).unflatten(1, (2, -1)).transpose(0, 1).reshape(want.shape)
    torch.testing.assert_close(shaped, want, atol=1e-5, rtol=1e-5)


def test_a_transposed_convolution_is_the_product_folded_up():
    layer = nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2, bias=False)
    x = torch.randn(1, 4, 5, 5)
    patches = (weight_matrices(layer) @ input_columns(layer, x)).flatten(0, 1)[None]
    torch.testing.assert_close(functional.fold(patches, (11, 11), 3, stride=2), layer(x), atol=1e-5, rtol=1e-5)


def test_a_linear_layer_on_tokens_is_its_matrix_times_their_features():
    layer, x = nn.Linear(4, 6, bias=False), torch.randn(2, 3, 4)
    got = weight_matrices(layer)[0] @ input_columns(layer, x)[0]
    torch.testing.assert_close(got.T.reshape(2, 3, 6), layer(x))


def test_products_multiply_to_the_macs_of_the_profile(net, measured):
    found = list(products(net, measured))
    assert [each.row.layer for each in found] == ["stem", "depth", "grouped", "head"]
    assert [(each.groups, each.rows, each.columns, each.positions) for each in found] == [
        (1, 8, 27, 36), (8, 1, 9, 36), (2, 4, 4, 36), (1, 5, 8, 1),
    ]  # fmt: skip
    assert [(each.places, each.channels) for each in found] == [(9, 3), (9, 1), (1, 4), (1, 8)]
    for each in found:
        assert each.groups * each.rows * each.columns * each.positions == each.row.macs
    assert sum(each.row.macs for each in found) < measured.macs  # the product of activations is no layer


def test_layers_are_watched_with_what_they_read(net, images_BCHW):
    seen = {}
    watch_layers(net, images_BCHW, lambda path, layer, x: seen.setdefault(path, (x, layer(x))))
    assert list(seen) == ["stem", "depth", "grouped", "head"]
    torch.testing.assert_close(seen["stem"][0], images_BCHW)
    torch.testing.assert_close(seen["depth"][0], seen["stem"][1].relu())
    torch.testing.assert_close(seen["head"][1], net(images_BCHW))


def test_a_model_that_is_not_captured_is_watched_too(images_BCHW):
    model, seen = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3)), []
    watch_layers(model, images_BCHW, lambda path, layer, x: seen.append(path))
    assert seen == ["0", "2"]


def test_the_projection_of_an_attention_layer_is_a_layer_captured_or_not():
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    captured = capture(model, (5, 8))
    for net, measured, first in (
        (captured, profile(captured), "self_attn.in_proj"),
        (model, profile(model, input_shape=(5, 8)), "self_attn"),
    ):
        found = {each.row.layer: each for each in products(net, measured)}
        assert list(found) == [first, "self_attn.out_proj", "linear1", "linear2"]
        projection = found[first]
        assert (projection.rows, projection.columns, projection.positions) == (24, 8, 5)
        assert weight_matrices(projection.layer)[0].shape == (24, 8)
        assert unseen(measured, found.values()) == ()


def test_weights_that_no_layer_holds_are_named():
    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.matrix = nn.Parameter(torch.randn(4, 3))

        def forward(self, x):
            return torch.einsum("bi,ij->bj", x, self.matrix)

    net = capture(Bare(), (4,))
    measured = profile(net)
    assert measured.macs == 12
    assert unseen(measured, products(net, measured)) == tuple(row.name for row in measured.rows if row.macs)


class Functional(nn.Module):
    """A convolution that is a function of a bare parameter, then one that is a layer."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(4, 3, 3, 3))
        self.conv = nn.Conv2d(4, 8, 1)

    def forward(self, x):
        return self.conv(functional.conv2d(x, self.w))


def test_a_function_of_a_bare_parameter_is_unseen_by_every_hardware_model():
    net = Functional()
    measured = profile(net, input_shape=(3, 6, 6))
    functional_macs, layer_macs = 4 * 27 * 16, 8 * 4 * 16
    (name,) = (row.name for row in measured.rows if row.macs == functional_macs)
    for found in (bit_serial(net, measured), sparse_columns(net, measured), two_four(net, measured)):
        assert found.total()["unseen"] == [name]
    assert bit_serial(net, measured).total()["macs"] == functional_macs + layer_macs
    assert sparse_columns(net, measured).total()["macs"] == layer_macs
    assert [row["macs"] for row in bit_operations(net, measured)] == [functional_macs, layer_macs]


def test_what_does_not_fit_is_refused(net, measured, images_BCHW):
    other = profile(capture(nn.Conv2d(3, 4, 3), (3, 8, 8)))
    with pytest.raises(ModelError, match=r"no layer '.*' of the profile: profile this model"):
        list(products(net, other))
    twin = capture(nn.Sequential(nn.Conv2d(3, 5, 3)), (3, 8, 8))
    wrong = profile(capture(nn.Sequential(nn.Conv2d(3, 4, 3)), (3, 8, 8)))
    with pytest.raises(ModelError, match="Layer '0' does not fit its profile"):
        list(products(twin, wrong))
    with pytest.raises(ShapeError, match=r"Images are of shape \(B, 3, 12, 12\), got \(2, 3, 8, 8\)"):
        watch_layers(net, images_BCHW[:, :, :8, :8], lambda path, layer, x: None)
    with pytest.raises(UnsupportedError, match="2-D convolutions only, got an input with 1 axes"):
        input_columns(nn.Conv1d(2, 2, 3), torch.randn(1, 2, 8))
