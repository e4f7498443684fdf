"""Attention of any number of axes in a file: windows beside heads, and neither."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgewright.export import export_onnx
from edgewright.model import capture
from edgewright.verify import OnnxRunner


class Attentions(nn.Module):
    """Over five axes (heads and windows), over three with a scale of its own and a bias, and over the usual four."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.qkv, self.one, self.fc = (
            nn.Conv2d(3, 6, 2, 2), nn.Linear(6, 24), nn.Linear(8, 15), nn.Linear(5, 2),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(x).reshape(x.shape[0], 4, 4, 3, 2, 4).permute(3, 0, 4, 1, 2, 5).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v).permute(0, 2, 3, 1, 4).reshape(x.shape[0], 16, 8)
        bias = y @ y.transpose(1, 2)
        y = F.scaled_dot_product_attention(*self.one(y).chunk(3, -1), attn_mask=bias, scale=0.3)[:, None]
        return self.fc(F.scaled_dot_product_attention(y, y, y)[:, 0].mean(1))


@pytest.mark.slow
def test_attention_of_three_four_and_five_axes_runs_in_the_runtime(tmp_path):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = capture(Attentions(), (3, 8, 8))
    images = torch.randn((3, 3, 8, 8), generator=torch.Generator().manual_seed(1))
    artifact = export_onnx(net, tmp_path / "fp32", name="attentions", preprocess={})
    with torch.no_grad():
        torch.testing.assert_close(
            torch.as_tensor(OnnxRunner(artifact.model_path)(images)), net(images), rtol=1e-4, atol=1e-5
        )


class Biased(nn.Module):
    """Attention with a learned bias, as in nets with relative positions: heads are joined again behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.qkv, self.fc = nn.Conv2d(3, 8, 2, 2), nn.Linear(8, 24), nn.Linear(8, 2)
        self.bias = nn.Parameter(torch.randn(2, 16, 16))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(x).reshape(x.shape[0], 16, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=self.bias[None])
        return self.fc(y.transpose(1, 2).reshape(x.shape[0], 16, 8).mean(1))


@pytest.mark.slow
def test_attention_with_a_learned_bias_is_written_and_computes_the_same(tmp_path):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = capture(Biased(), (3, 8, 8))
    images = torch.randn((3, 3, 8, 8), generator=torch.Generator().manual_seed(1))
    artifact = export_onnx(net, tmp_path / "fp32", name="biased", preprocess={})
    with torch.no_grad():
        torch.testing.assert_close(
            torch.as_tensor(OnnxRunner(artifact.model_path)(images)), net(images), rtol=1e-4, atol=1e-5
        )
