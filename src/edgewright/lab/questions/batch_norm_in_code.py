"""Batch norm by hand: forward, buffers, backward."""

from collections.abc import Mapping

import numpy as np
import torch

from ...reference.normalization import RunningStatistics, batch_norm, batch_norm_backward
from ...seeding import numpy_generator
from ..finding import Number
from ..question import Question, Words

ONE = np.ones(1)
DATA = np.array([[1.0], [2], [3], [4]])


def numbers() -> Mapping[str, Number]:
    out = batch_norm(DATA, ONE, 0 * ONE, eps=0.0)[0][:, 0]
    after = RunningStatistics(mean_C=0 * ONE, var_C=ONE).after(DATA)
    shrunk = (DATA[:, 0] - DATA.mean()) / DATA.std(ddof=1)
    generator = numpy_generator(0, "batch norm")
    x, dy = generator.standard_normal((2, 6, 3))
    y, done = batch_norm(x, 2 * np.ones(3), np.ones(3))
    dx = batch_norm_backward(dy, 2 * np.ones(3), done)[0]
    theirs = torch.tensor(x, requires_grad=True)
    weight = torch.full((3,), 2.0, dtype=torch.float64)
    got = torch.nn.functional.batch_norm(theirs, None, None, weight, torch.ones_like(weight), training=True)
    got.backward(torch.tensor(dy))
    assert theirs.grad is not None
    return {
        "first": Number(name="output of 1 among 1, 2, 3, 4", value=out[0], expected=-1.341641, tolerance=1e-6),
        "second": Number(name="output of 2", value=out[1], expected=-0.447214, tolerance=1e-6),
        "mean": Number(name="running mean after one batch", value=after.mean_C[0], expected=0.25),
        "var": Number(name="running variance after one batch", value=after.var_C[0], expected=1 + 1 / 15),
        "shrunk": Number(name="standard deviation with n − 1", value=float(shrunk.std()), expected=0.75**0.5),
        "y": Number(name="outputs, gap to PyTorch", value=float(np.abs(y - got.detach().numpy()).max()), expected=0.0,
                    tolerance=1e-12),
        "dx": Number(name="gradient, gap to PyTorch", value=float(np.abs(dx - theirs.grad.numpy()).max()),
                     expected=0.0, tolerance=1e-12),
    }  # fmt: skip


QUESTION = Question(
    theme="normalization",
    en=Words(
        question="Write batch norm in code. Where are the traps?",
        answer="""
            In training: mean and variance of each channel over samples and places, subtract, divide, scale, shift;
            then move the buffers a little towards this batch's statistics. In inference: the same with the buffers. Of
            1, 2, 3, 4 the first becomes {first:.4f}, the second {second:.4f}, and buffers that began at (0, 1) are at
            {mean:.2f} and {var:.4f} with a momentum of 0.1.

            The trap is in the variances. Normalize by the biased one (divide by n) and store the unbiased one (n − 1).
            Normalizing by n − 1 leaves outputs with a standard deviation of {shrunk:.4f} instead of 1, and with one
            value it divides by zero. Momentum is here the weight of the new value; some libraries mean the old one.
            Without tracked statistics the batch's own are used in both modes.

            The gradient must go through mean and variance as well; they depend on x. With that, outputs agree with
            PyTorch to {y:.0e} and gradients to {dx:.0e}.
        """,
    ),
    zh=Words(
        question="寫程式實作批次正規化，有哪些陷阱？",
        answer="""
            訓練時：每個通道跨樣本與位置求平均值與變異數，減、除、縮放、平移；再讓緩衝往這個批次的統計量靠近一點。
            推論時：同樣的式子，改用緩衝。以 1、2、3、4 為例，第一個變成 {first:.4f}，第二個變成 {second:.4f}；
            緩衝從 (0, 1) 出發、momentum 0.1 時，會變成 {mean:.2f} 與 {var:.4f}。

            陷阱在變異數：正規化要用有偏的（除以 n），存進緩衝的要用無偏的（除以 n − 1）。若正規化也用 n − 1，
            輸出的標準差會是 {shrunk:.4f} 而不是 1，只有一個值時更會除以零。這裡的 momentum 是「新值」的權重，
            有些函式庫指的是舊值。若不追蹤統計量，兩種模式都用批次自己的。

            反向傳播時，梯度也要穿過平均值與變異數，因為它們都是 x 的函數。做對了，輸出與 PyTorch 的差距是 {y:.0e}，
            梯度的差距是 {dx:.0e}。
        """,
        names={
            "first": "1、2、3、4 中 1 的輸出",
            "second": "2 的輸出",
            "mean": "一個批次後的累積平均值",
            "var": "一個批次後的累積變異數",
            "shrunk": "改用 n − 1 時輸出的標準差",
            "y": "輸出與 PyTorch 的差距",
            "dx": "梯度與 PyTorch 的差距",
        },
    ),
    formula="x̂ = (x − μ)/√(σ² + ε)   y = γx̂ + β\ndx = γ/(n√(σ² + ε))·(n·dy − Σdy − x̂·Σ(dy·x̂))\ndγ = Σ dy·x̂\ndβ = Σ dy",
    numbers=numbers,
    code="import torch\n"
    "class BatchNorm(torch.nn.Module):\n"
    "    def __init__(self, channels, eps=1e-5, momentum=0.1):\n"
    "        super().__init__()\n"
    "        self.weight = torch.nn.Parameter(torch.ones(channels))\n"
    "        self.bias = torch.nn.Parameter(torch.zeros(channels))\n"
    "        self.register_buffer('mean', torch.zeros(channels))\n"
    "        self.register_buffer('var', torch.ones(channels))\n"
    "        self.eps, self.momentum = eps, momentum\n"
    "    def forward(self, x):\n"
    "        mean, var = self.mean, self.var\n"
    "        if self.training:\n"
    "            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)\n"
    "            count = x.numel() / x.shape[1]\n"
    "            self.mean.lerp_(mean.detach(), self.momentum)\n"
    "            self.var.lerp_(var.detach() * count / (count - 1), self.momentum)\n"
    "        each = (None, slice(None), None, None)\n"
    "        return (x - mean[each]) / (var[each] + self.eps).sqrt() * self.weight[each] + self.bias[each]\n"
    "x = torch.randn(8, 3, 4, 4)\n"
    "ours, theirs = BatchNorm(3), torch.nn.BatchNorm2d(3)\n"
    "print((ours(x) - theirs(x)).abs().max(), (ours.var - theirs.running_var).abs().max())\n"
    "print((ours.eval()(x) - theirs.eval()(x)).abs().max())",
    experiments=("normalizing_by_the_unbiased_variance_shrinks", "batch_norm_in_training_depends_on_batch_mates"),
    docs=("reference.md",),
)
