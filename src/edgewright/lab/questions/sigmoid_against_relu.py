"""What a sigmoid has and a ReLU lacks, and the other way round."""

from collections.abc import Mapping

import numpy as np

from ...calc import activation
from ...reference.activations import ACTIVATIONS
from ...seeding import numpy_generator
from ..finding import Number
from ..question import Question, Words


def numbers() -> Mapping[str, Number]:
    z = numpy_generator(0, "normal").standard_normal(100_000)
    sigmoid, relu = ACTIVATIONS["sigmoid"], ACTIVATIONS["relu"]
    five = np.array(5.0)
    cost = [activation(kind=kind, size=56, channels=64).result["elementwise"] for kind in ("relu", "sigmoid")]
    return {
        "s5": Number(name="slope at 5, sigmoid", value=float(sigmoid.slope(five)), expected=0.006648, tolerance=1e-6),
        "r5": Number(name="slope at 5, ReLU", value=float(relu.slope(five)), expected=1.0),
        "zeros": Number(name="zeros behind ReLU, normal inputs", value=float((relu.value(z) == 0).mean()),
                        expected=0.5, tolerance=0.01),
        "mean": Number(name="mean behind a sigmoid, normal inputs", value=float(sigmoid.value(z).mean()),
                       expected=0.5, tolerance=0.005),
        "kept": Number(name="mean square of the slope, sigmoid", value=float((sigmoid.slope(z) ** 2).mean())),
        "half": Number(name="mean square of the slope, ReLU", value=float((relu.slope(z) ** 2).mean()), expected=0.5,
                       tolerance=0.01),
        "rc": Number(name="operations, 64 channels of 56 × 56, ReLU", value=cost[0], expected=200_704),
        "sc": Number(name="operations, sigmoid", value=cost[1], expected=802_816),
    }  # fmt: skip


QUESTION = Question(
    theme="backpropagation",
    en=Words(
        question="Sigmoid or ReLU: what speaks for which?",
        answer="""
            ReLU for hidden layers. It does not saturate above 0: at 5 its slope is {r5:.0f} where the sigmoid's is
            {s5:.4f}. For normal inputs the mean square of the slope is {half:.2f} against {kept:.3f}, which is what a
            gradient is multiplied by per layer; He's weights make up for the half, nothing for the other. It costs a
            comparison, {rc:,.0f} operations for 64 channels of 56 × 56 against {sc:,.0f}, and in integers it is a
            clamp that fuses into the layer before, while a sigmoid needs a table or an exponential. About {zeros:.0%}
            of its outputs are exact zeros.

            The sigmoid for outputs and gates: it lies between 0 and 1, is smooth, and reads as a probability.

            What ReLU lacks: slope 0 below 0, so that units can die, no upper bound, and outputs that are not centred.
            The last is true of the sigmoid as well, with a mean of {mean:.2f}; tanh alone is centred.
        """,
    ),
    zh=Words(
        question="sigmoid 與 ReLU 各有什麼優缺點？",
        answer="""
            隱藏層用 ReLU。它在 0 以上不飽和：在 5 的斜率是 {r5:.0f}，sigmoid 只有 {s5:.4f}。常態輸入下，
            斜率的均方值是 {half:.2f} 對 {kept:.3f}，這就是梯度每過一層要乘的倍數；He 初始化補得回那一半，
            另一個則補不回來。ReLU 只是比大小，64 通道、56 × 56 需要 {rc:,.0f} 次運算，sigmoid 是 {sc:,.0f} 次；
            整數化之後它只是截斷，可以併入前一層，sigmoid 則要查表或算指數。ReLU 的輸出還有約 {zeros:.0%} 剛好是零。

            輸出層與閘門用 sigmoid：它介於 0 與 1 之間、平滑，可以當成機率來讀。

            ReLU 的缺點：0 以下斜率為 0，單元可能死掉；沒有上界；輸出不以 0 為中心。最後一點 sigmoid 也一樣，
            平均值是 {mean:.2f}；三者之中只有 tanh 以 0 為中心。
        """,
        names={
            "s5": "在 5 的斜率：sigmoid",
            "r5": "在 5 的斜率：ReLU",
            "zeros": "常態輸入：ReLU 輸出為零的比例",
            "mean": "常態輸入：sigmoid 輸出的平均",
            "kept": "斜率的均方值：sigmoid",
            "half": "斜率的均方值：ReLU",
            "rc": "運算次數（64 通道、56 × 56）：ReLU",
            "sc": "運算次數：sigmoid",
        },
    ),
    formula="σ(z) = 1/(1 + e^{−z}),  σ′ = σ(1 − σ) ≤ 1/4\nReLU(z) = max(z, 0),  ReLU′ = [z > 0]",
    numbers=numbers,
    code="edgewright lab run relu_keeps_gradients_that_sigmoids_lose --fast",
    experiments=(
        "relu_keeps_gradients_that_sigmoids_lose",
        "sigmoid_gradients_obey_a_quarter_per_layer",
        "dead_relus_come_from_large_steps_and_biases",
    ),
    docs=("reference.md", "counting.md"),
)
