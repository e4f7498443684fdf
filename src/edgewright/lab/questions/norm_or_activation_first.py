"""Batch norm in front of the activation or behind it."""

from collections.abc import Mapping

import numpy as np

from ...reference.linear import linear
from ...reference.normalization import RunningStatistics, batch_norm, batch_norm_inference, folded
from ...seeding import numpy_generator
from ..finding import Number
from ..question import Question, Words


def numbers() -> Mapping[str, Number]:
    generator = numpy_generator(0, "values")
    z = generator.standard_normal((20_000, 1))
    one = np.ones(1)
    first, last = (np.maximum(batch_norm(z, one, 0 * one)[0], 0),
                   batch_norm(np.maximum(z, 0), one, 0 * one)[0])  # fmt: skip
    return {
        "off": Number(name="zeros, norm first", value=float((first == 0).mean()), expected=0.5, tolerance=0.015),
        "mean": Number(name="mean behind both, norm first", value=float(first.mean()), expected=0.398942,
                       tolerance=0.01),
        "mean2": Number(name="mean behind both, activation first", value=abs(float(last.mean())), expected=0.0,
                        tolerance=1e-12),
        "fold": Number(name="folding, norm first: largest change", value=_folding(first=True),
                       expected=0.0, tolerance=1e-12),
        "unfold": Number(name="folding, activation first: largest change", value=_folding(first=False)),
    }  # fmt: skip


def _folding(*, first: bool) -> float:
    """Largest change of outputs when a norm behind a linear layer, or behind its ReLU, is folded into that layer."""
    generator = numpy_generator(0, "layer")
    x, weight, bias = (generator.standard_normal(shape) for shape in ((64, 8), (4, 8), (4,)))
    gain, shift = 1 + generator.random(4), generator.standard_normal(4)
    z = linear(x, weight, bias)
    seen = z if first else np.maximum(z, 0)
    running = RunningStatistics(mean_C=seen.mean(0), var_C=seen.var(0))
    normed = batch_norm_inference(seen, gain, shift, running)
    want = np.maximum(normed, 0) if first else normed
    got = np.maximum(linear(x, *folded(weight, bias, (gain, shift), running)), 0)
    return float(np.abs(want - got).max())


QUESTION = Question(
    theme="normalization",
    en=Words(
        question="Batch norm in front of the activation or behind it?",
        answer="""
            Both work; it is a choice by experiment, not by proof. The paper puts it in front, and so do ResNet and
            most networks since. Behind the activation is reported now better, now worse, by a few tenths of a point.

            What differs: in front of a ReLU the pre-activations are centred, so about half of the values are off
            ({off:.0%}), in every channel, and what the next layer gets has mean {mean:.3f} (σ/√(2π) of a normal
            input). Behind it, the next layer gets mean {mean2:.0f} and variance 1, with statistics of a one-sided
            distribution.

            For deployment the front is better. A norm right behind the convolution folds into its weights without any
            change (largest difference {fold:.1g}). Behind the ReLU it cannot be folded backwards: doing it anyway
            changes outputs by {unfold:.1f}. It can only go forwards into the next convolution, and exactly so only if
            that one does not pad with zeros.
        """,
    ),
    zh=Words(
        question="批次正規化應該放在激活函數之前還是之後？",
        answer="""
            兩種都能用，要靠實驗決定，沒有定理。原論文放在之前，ResNet 與後來大多數的網路也是；放在之後的報告互有勝負，
            差距多在零點幾個百分點。

            差別在於：放在 ReLU 之前，輸入以 0 為中心，每個通道大約有一半被關掉（{off:.0%}），
            下一層得到的平均值是 {mean:.3f}（常態輸入的 σ/√(2π)）；放在之後，下一層得到平均 {mean2:.0f}、變異數 1，
            但統計量取自單邊的分布。

            就部署而言，放在之前比較好：緊接在卷積後面的 BN 可以完全等價地融合進權重（最大差異 {fold:.1g}）。
            放在 ReLU 之後就無法往前融合，硬做會讓輸出改變 {unfold:.1f}；只能往後併入下一個卷積，
            而且只有那個卷積不補零時才完全等價。
        """,
        names={
            "off": "BN 在前：輸出為零的比例",
            "mean": "BN 在前：輸出的平均值",
            "mean2": "BN 在後：輸出的平均值",
            "fold": "BN 在前：融合造成的最大改變",
            "unfold": "BN 在後：硬要融合造成的最大改變",
        },
    ),
    formula="ReLU(BN(Wx)) = ReLU(W′x + b′)\nBN(ReLU(Wx)) ≠ ReLU(W′x + b′)\nz ~ N(0, 1): E[ReLU(z)] = 1/√(2π)",
    numbers=numbers,
    code="import torch\n"
    "from torch import nn\n"
    "x = torch.randn(256, 3, 8, 8)\n"
    "conv, norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)\n"
    "with torch.no_grad():\n"
    "    before, behind = norm(conv(x)).relu(), norm(conv(x).relu())\n"
    "print(float((before == 0).float().mean()), float(before.mean()), float(behind.mean()))",
    experiments=("folding_batch_norm_changes_nothing_but_cost", "batch_norm_allows_larger_steps"),
    docs=("quantization.md", "reference.md"),
)
