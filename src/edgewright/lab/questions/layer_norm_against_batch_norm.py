"""What batch norm and layer norm average over, and what follows."""

from collections.abc import Mapping

import numpy as np

from ...reference.normalization import batch_norm, layer_norm
from ...seeding import numpy_generator
from ..finding import Number
from ..question import Question, Words

SHAPE = (8, 16, 4, 4)


def numbers() -> Mapping[str, Number]:
    x = numpy_generator(0, "values").standard_normal(SHAPE)
    per_channel, per_value = np.ones(SHAPE[1]), np.ones(SHAPE[1:])
    batch, layer = (norm(x, gain, 0 * gain, eps=0.0)
                    for norm, gain in ((batch_norm, per_channel), (layer_norm, per_value)))  # fmt: skip
    alone = layer_norm(x[:1], per_value, 0 * per_value, eps=0.0)[0]
    company = batch_norm(x[:4], per_channel, 0 * per_channel, eps=0.0)[0]
    return {
        "bn_means": Number(name="batch norm, means for 8 × 16 × 4 × 4", value=batch[1].inverse.size, expected=16),
        "bn_values": Number(name="batch norm, values in each", value=x.size / batch[1].inverse.size, expected=128),
        "ln_means": Number(name="layer norm, means", value=layer[1].inverse.size, expected=8),
        "ln_values": Number(name="layer norm, values in each", value=x.size / layer[1].inverse.size, expected=256),
        "alone": Number(name="layer norm, one sample alone or among 8, gap",
                        value=float(np.abs(alone - layer[0][:1]).max()), expected=0.0, tolerance=1e-12),
        "company": Number(name="batch norm in training, a sample among 4 or among 8, gap",
                          value=float(np.abs(company[0] - batch[0][0]).max())),
    }  # fmt: skip


QUESTION = Question(
    theme="normalization",
    en=Words(
        question="How do layer norm and batch norm differ in principle?",
        answer="""
            In what they average over. Both subtract a mean and divide by a standard deviation, then scale and shift.
            Batch norm takes a mean per channel, over all samples and places: {bn_means:.0f} means of {bn_values:.0f}
            values each for a batch of 8 × 16 × 4 × 4. Layer norm takes one per sample, over its features:
            {ln_means:.0f} means of {ln_values:.0f} values.

            So layer norm does not know the batch. A sample alone and the same among eight get the same output (gap
            {alone:.1g}), training and inference are one formula, and a batch of one works. Batch norm in training
            makes samples depend on their company (gap {company:.2f} between four and eight), needs running statistics
            for inference, and suffers from small batches. In return it folds into the convolution in front and then
            costs nothing on a device; layer norm has to be computed for every input.

            "Layer norm for text, batch norm for images" is dated: vision Transformers and ConvNeXt use layer norm, the
            latter over the channels of each place.
        """,
    ),
    zh=Words(
        question="層正規化（LN）與批次正規化（BN）的原理有什麼不同？",
        answer="""
            差在對哪些值取平均。兩者都是減平均、除標準差，再縮放與平移。BN 每個通道一組統計量，跨所有樣本與位置：
            8 × 16 × 4 × 4 的批次有 {bn_means:.0f} 個平均值，每個來自 {bn_values:.0f} 個數。LN 則是每個樣本一組，
            跨它自己的特徵：{ln_means:.0f} 個平均值，每個來自 {ln_values:.0f} 個數。

            所以 LN 與批次無關：樣本單獨算，或放在八個裡面算，輸出一樣（差距 {alone:.1g}）；訓練與推論是同一條公式，
            批次大小 1 也沒問題。BN 在訓練時，輸出會隨同批的樣本而變（四個與八個之間差 {company:.2f}），
            推論要靠累積統計量，批次小時效果變差。但 BN 可以融合進前面的卷積，在裝置上完全不花時間；
            LN 則每次輸入都得現算。

            「文字用 LN、影像用 BN」是舊說法：視覺 Transformer 與 ConvNeXt 都用 LN，後者是對每個位置的通道做。
        """,
        names={
            "bn_means": "BN 的平均值個數（8 × 16 × 4 × 4）",
            "bn_values": "BN 每個平均值涵蓋的數",
            "ln_means": "LN 的平均值個數",
            "ln_values": "LN 每個平均值涵蓋的數",
            "alone": "LN：單獨與八個一起的差距",
            "company": "BN 訓練模式：四個與八個一起的差距",
        },
    ),
    formula="x̂ = (x − μ)/√(σ² + ε),  y = γx̂ + β\n"
    "BN: μ_c over (N, H, W)\n"
    "LN: μ_n over (C, H, W) or C alone",
    numbers=numbers,
    code="import torch\n"
    "x = torch.randn(8, 16, 4, 4)\n"
    "layer, batch = torch.nn.LayerNorm([16, 4, 4]), torch.nn.BatchNorm2d(16)\n"
    "print((layer(x)[:1] - layer(x[:1])).abs().max(), (batch(x)[:4] - batch(x[:4])).abs().max())",
    experiments=(
        "batch_norm_in_training_depends_on_batch_mates",
        "group_norm_spans_layer_and_instance_norm",
        "tiny_batches_break_batch_norm_alone",
        "layer_norm_ignores_padding",
    ),
    docs=("reference.md",),
)  # fmt: skip
