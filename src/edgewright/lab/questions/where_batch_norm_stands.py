"""The place of a batch norm, and why it scales and shifts again."""

from collections.abc import Mapping

import numpy as np

from ...reference.normalization import batch_norm
from ...seeding import numpy_generator
from ..finding import Number
from ..question import Question, Words


def numbers() -> Mapping[str, Number]:
    x = 3 + 2 * numpy_generator(0, "values").standard_normal((4096, 1))
    one = np.ones(1)
    unit = batch_norm(x, one, 0 * one, eps=0.0)[0]
    restored = batch_norm(x, x.std(0), x.mean(0), eps=0.0)[0]
    biased = batch_norm(x + 7.5, one, 0 * one, eps=0.0)[0]
    return {
        "mean": Number(name="mean of the output", value=abs(float(unit.mean())), expected=0.0, tolerance=1e-12),
        "var": Number(name="variance of the output", value=float(unit.var()), expected=1.0, tolerance=1e-12),
        "inner": Number(name="share within ±1, normal inputs", value=float((np.abs(unit) < 1).mean()),
                        expected=0.682689, tolerance=0.03),
        "restored": Number(name="input and output with γ = σ, β = μ, gap",
                           value=float(np.abs(restored - x).max()), expected=0.0, tolerance=1e-12),
        "bias": Number(name="change of the output by a bias in front", value=float(np.abs(biased - unit).max()),
                       expected=0.0, tolerance=1e-12),
    }  # fmt: skip


QUESTION = Question(
    theme="normalization",
    en=Words(
        question="Where does batch norm go, and why does it scale and shift again?",
        answer="""
            Usually between a convolution or linear layer and its activation. A bias in front of it is useless, since
            the mean takes it out again: adding 7.5 changes the output by {bias:.1g}. Leave it out; β takes its place.

            Normalizing alone would take freedom away. Mean {mean:.0f} and variance {var:.0f} put {inner:.0%} of normal
            inputs within ±1, where a sigmoid is nearly a straight line, and half of them below 0 at each ReLU. γ and β
            give the freedom back: with γ = σ and β = μ the layer does nothing at all (gap {restored:.1g}), and
            training chooses. The gain is that mean and scale are then two numbers of their own, and not a by-product
            of all weights before.

            Two caveats. Mean 0 and variance 1 do not make the output normal. And why batch norm helps is not settled:
            "less covariate shift" was its motivation, but a smoother loss explains experiments better (Santurkar
            2018).
        """,
    ),
    zh=Words(
        question="批次正規化該放在哪裡？為什麼還要再縮放與平移？",
        answer="""
            通常放在卷積或全連接層之後、激活函數之前。前一層的偏置沒有用，因為減平均時又被扣掉：加上 7.5，
            輸出只改變 {bias:.1g}。所以可以省略偏置，由 β 代替。

            只做正規化會剝奪表達能力。平均 {mean:.0f}、變異數 {var:.0f} 會讓常態輸入有 {inner:.0%} 落在 ±1 之內，
            sigmoid 在這裡幾乎是直線；對 ReLU 來說則總有一半在 0 以下。γ 與 β 把自由度還回來：取 γ = σ、β = μ 時，
            這一層等於什麼都沒做（差距 {restored:.1g}），要怎麼取由訓練決定。好處是平均與尺度從此各由一個參數掌管，
            不再是前面所有權重的副產品。

            兩點提醒：平均 0、變異數 1 並不代表輸出是常態分布。BN 為何有效也還沒有定論：
            「減少內部共變數偏移」是當初的動機，但「損失曲面變平滑」更能解釋實驗結果（Santurkar 2018）。
        """,
        names={
            "mean": "輸出的平均值",
            "var": "輸出的變異數",
            "inner": "常態輸入落在 ±1 內的比例",
            "restored": "γ = σ、β = μ 時輸入與輸出的差距",
            "bias": "前一層偏置造成的輸出改變",
        },
    ),
    formula="act(BN(Wx)),  BN(z) = γ·(z − μ)/√(σ² + ε) + β\nγ = √(σ² + ε), β = μ  ⇒  BN(z) = z\nBN(z + b) = BN(z)",
    numbers=numbers,
    code="import torch\n"
    "from torch import nn\n"
    "block = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())\n"
    "x = torch.randn(16, 3, 8, 8)\n"
    "z = block[1](block[0](x))\n"
    "print(z.mean((0, 2, 3)), z.var((0, 2, 3), unbiased=False), block(x).shape)",
    experiments=("batch_norm_allows_larger_steps", "folding_batch_norm_changes_nothing_but_cost"),
    docs=("reference.md",),
)
