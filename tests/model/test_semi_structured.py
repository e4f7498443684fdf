"""Semi-structured tensors: which layers qualify, and on a GPU with sparse tensor cores the same outputs."""

import pytest
import torch
from torch import nn

from edgewright.compress.prune.sparse import choose_pattern
from edgewright.errors import UnsupportedError
from edgewright.formats import parse_pattern
from edgewright.model import capture
from edgewright.model.semi_structured import semi_structured, why_dense


def linear(inputs: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    with torch.no_grad():
        keep = choose_pattern(layer, layer.weight.detach().abs(), parse_pattern("2:4"))
        layer.weight[~keep] = 0
    return layer


def test_layers_that_qualify_and_the_reasons_of_the_others():
    assert why_dense(linear(128, 64), torch.float16) == ""
    assert why_dense(nn.Linear(128, 64), torch.float16) == "its weights do not follow 2:4"
    assert "its 10 outputs and 128 inputs are no multiples of" in why_dense(linear(128, 10), torch.float16)
    assert why_dense(nn.Conv2d(64, 64, 1), torch.float16) == "there is no sparse kernel for Conv2d"
    with pytest.raises(UnsupportedError, match=r"float16 or bfloat16 here, got torch\.float64"):
        why_dense(linear(128, 64), torch.float64)


def test_a_model_on_the_processor_is_refused():
    net = capture(nn.Sequential(nn.Flatten(), linear(64, 64)), (1, 8, 8))
    with pytest.raises(UnsupportedError, match="sparse tensor cores, got a model on 'cpu'"):
        semi_structured(net)


@pytest.mark.skipif(
    not torch.cuda.is_available() or torch.cuda.get_device_capability() < (8, 0),
    reason="no GPU with sparse tensor cores",
)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_on_a_gpu_the_outputs_are_those_of_the_dense_layers(dtype):
    torch.manual_seed(0)
    net = capture(
        nn.Sequential(nn.Flatten(), linear(256, 128), nn.ReLU(), linear(128, 64), nn.Linear(64, 10)), (1, 16, 16)
    )
    sparse, dense = semi_structured(net.cuda(), dtype=dtype)
    assert set(dense) == {"4"}
    assert all(hasattr(sparse.get_submodule(name).weight, "packed") for name in ("1", "3"))
    images_BCHW = torch.randn(64, 1, 16, 16, device="cuda", dtype=dtype)
    with torch.no_grad():
        want, got = net.to(dtype)(images_BCHW), sparse(images_BCHW)
    assert (want - got).abs().max() <= 0.02 * want.abs().max()  # sums in another order, in half precision
