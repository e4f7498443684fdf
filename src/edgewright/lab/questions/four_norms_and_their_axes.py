"""Batch, layer, instance and group norm: one formula, four sets of axes."""

from collections.abc import Mapping

import numpy as np

from ...reference.normalization import batch_norm, group_norm, instance_norm, layer_norm
from ...seeding import numpy_generator
from ..finding import Number
from ..question import Question, Words

SHAPE = (2, 4, 3, 3)


def numbers() -> Mapping[str, Number]:
    x = numpy_generator(0, "values").standard_normal(SHAPE)
    gain, whole = np.ones(SHAPE[1]), np.ones(SHAPE[1:])
    batch, instance = batch_norm(x, gain, 0 * gain), instance_norm(x, gain, 0 * gain)
    layer = layer_norm(x, whole, 0 * whole)
    one, two, all_ = (group_norm(x, gain, 0 * gain, groups=groups) for groups in (1, 2, 4))
    means = {"bn": (batch, 4), "ln": (layer, 2), "in": (instance, 8), "gn": (two, 4)}
    names = {"bn": "batch norm", "ln": "layer norm", "in": "instance norm", "gn": "group norm of 2"}
    gaps = {"one": np.abs(one[0] - layer[0]).max(), "each": np.abs(all_[0] - instance[0]).max()}
    return {
        **{f"{key}_means": Number(name=f"{names[key]}, means", value=done[1].inverse.size, expected=expected)
           for key, (done, expected) in means.items()},
        "one": Number(name="group norm of 1 and layer norm, gap", value=float(gaps["one"]), expected=0.0,
                      tolerance=1e-12),
        "each": Number(name="group norm of C and instance norm, gap", value=float(gaps["each"]), expected=0.0,
                       tolerance=1e-12),
    }  # fmt: skip


QUESTION = Question(
    theme="normalization",
    en=Words(
        question="Batch, layer, instance, group norm: what is the difference?",
        answer="""
            The axes that mean and variance are over; the formula is the same. For 2 samples of 4 channels batch norm
            has {bn_means:.0f} means, one per channel over samples and places; layer norm {ln_means:.0f}, one per
            sample; instance norm {in_means:.0f}, one per sample and channel, over places alone; group norm with 2
            groups {gn_means:.0f}, one per sample and group of channels.

            Group norm has the two others as its ends: with one group it is layer norm over (C, H, W) (gap {one:.1g}),
            with as many groups as channels it is instance norm (gap {each:.1g}). Their γ and β are per channel, while
            layer norm usually has a pair for each value that it is over.

            Batch norm alone depends on the batch, needs running statistics, folds into a convolution, and gets worse
            with few samples. Group norm is the usual choice for detection and segmentation with small batches;
            instance norm removes contrast and is used for style transfer; layer norm is at home in Transformers and
            ConvNeXt.
        """,
    ),
    zh=Words(
        question="BN、LN、IN、GN 四種正規化有什麼差別？",
        answer="""
            公式完全一樣，差別只在平均值與變異數跨哪些軸。以 2 個樣本、4 個通道為例：BN 有 {bn_means:.0f} 個平均值，
            每個通道一個，跨樣本與位置；LN 有 {ln_means:.0f} 個，每個樣本一個；IN 有 {in_means:.0f} 個，
            每個樣本的每個通道各一個，只跨位置；分兩組的 GN 有 {gn_means:.0f} 個，每個樣本的每組通道一個。

            GN 的兩端就是另外兩種：只有一組時等於對 (C, H, W) 做的 LN（差距 {one:.1g}）；
            組數等於通道數時就是 IN（差距 {each:.1g}）。它們的 γ 與 β 都是每個通道一對，
            LN 則通常是每個被正規化的值各有一對。

            四種之中只有 BN 依賴批次：需要累積統計量、可以融合進卷積、樣本少時會變差。偵測與分割的批次小，常用 GN；
            IN 會去掉對比，用在風格轉換；LN 則是 Transformer 與 ConvNeXt 的標準配備。
        """,
        names={
            "bn_means": "BN 的平均值個數",
            "ln_means": "LN 的平均值個數",
            "in_means": "IN 的平均值個數",
            "gn_means": "GN（2 組）的平均值個數",
            "one": "GN（1 組）與 LN 的差距",
            "each": "GN（C 組）與 IN 的差距",
        },
    ),
    formula="x̂ = (x − μ)/√(σ² + ε)\nBN: over N, H, W\nLN: over C, H, W\nIN: over H, W\nGN: over C/G, H, W",
    numbers=numbers,
    code="import torch\n"
    "from torch import nn\n"
    "x = torch.randn(2, 4, 3, 3)\n"
    "print((nn.GroupNorm(1, 4)(x) - nn.LayerNorm([4, 3, 3])(x)).abs().max())\n"
    "print((nn.GroupNorm(4, 4)(x) - nn.InstanceNorm2d(4)(x)).abs().max())",
    experiments=("group_norm_spans_layer_and_instance_norm", "tiny_batches_break_batch_norm_alone"),
    docs=("reference.md", "calc.md"),
)
