"""The sigmoid without overflow."""

from collections.abc import Mapping

import numpy as np

from ...reference.activations import ACTIVATIONS
from ...reference.stable import log_sigmoid, sigmoid
from ..finding import Number
from ..question import Question, Words


def numbers() -> Mapping[str, Number]:
    with np.errstate(over="ignore"):
        overflows = np.isinf(np.exp(-np.array([-709.0, -710.0])))
    ties = sigmoid(np.array([17.0, 40.0], dtype=np.float32)).astype(np.float32)
    slope = ACTIVATIONS["sigmoid"].slope
    return {
        "half": Number(name="sigmoid(0)", value=float(sigmoid(0.0)), expected=0.5),
        "two": Number(name="sigmoid(2)", value=float(sigmoid(2.0)), expected=0.880797, tolerance=1e-6),
        "sum": Number(name="sigmoid(2) + sigmoid(−2)", value=float(sigmoid(2.0) + sigmoid(-2.0)), expected=1.0),
        "low": Number(name="sigmoid(−800)", value=float(sigmoid(-800.0)), expected=0.0),
        "over": Number(name="overflows of e^709 and e^710", value=float(overflows.sum()), expected=1.0),
        "log": Number(name="log sigmoid(−800)", value=float(log_sigmoid(np.array(-800.0))), expected=-800.0),
        "slope": Number(name="largest slope", value=float(slope(np.array(0.0))), expected=0.25),
        "tie": Number(name="sigmoid(40) − sigmoid(17) in float32", value=float(ties[1] - ties[0]), expected=0.0),
    }


QUESTION = Question(
    theme="backpropagation",
    en=Words(
        question="How is the sigmoid written in code?",
        answer="""
            1/(1 + e^−z) is right for z ≥ 0 and dangerous below: e^−z overflows in float64 for z under −709.8 (of e^709
            and e^710 {over:.0f} is infinite). The same function as e^z/(1 + e^z) is safe there. So take e^−|z|, which
            is never above 1, and pick the numerator by the sign: sigmoid(−800) is then {low:.0f} without a warning.

            To check: sigmoid(0) = {half:.1f}, sigmoid(2) = {two:.6f}, sigmoid(2) + sigmoid(−2) = {sum:.0f}. The slope
            is s(1 − s), at most {slope:.2f}, so keep the output for the backward pass and not the input.

            A loss should not take the logarithm of a sigmoid: at −800 that is −∞, while min(z, 0) − log(1 + e^−|z|)
            gives {log:.0f}. And do not rank by sigmoids: in float32 those of 17 and 40 are the same number (difference
            {tie:.0f}); logits keep the order.
        """,
    ),
    zh=Words(
        question="sigmoid 的程式要怎麼寫？",
        answer="""
            1/(1 + e^−z) 在 z ≥ 0 時沒問題，在負的一邊就危險：float64 下，z 低於 −709.8 時 e^−z 會溢位（e^709 與
            e^710 之中有 {over:.0f} 個是無限大）。換成同一個函數的另一種寫法 e^z/(1 + e^z) 就安全了。所以先算 e^−|z|，
            它永遠不大於 1，再依正負號選分子：sigmoid(−800) 得到 {low:.0f}，也不會有警告。

            驗算：sigmoid(0) = {half:.1f}，sigmoid(2) = {two:.6f}，sigmoid(2) + sigmoid(−2) = {sum:.0f}。
            斜率是 s(1 − s)，最大 {slope:.2f}，所以反向傳播時保留輸出即可，不必保留輸入。

            損失不要對 sigmoid 取對數：在 −800 會得到 −∞，改用 min(z, 0) − log(1 + e^−|z|) 則是 {log:.0f}。
            也不要用 sigmoid 的值來排序：float32 下，17 與 40 的 sigmoid 是同一個數（相差 {tie:.0f}），
            logits 才保得住順序。
        """,
        names={
            "over": "e^709 與 e^710 中溢位的個數",
            "log": "log sigmoid(−800)",
            "slope": "最大斜率",
            "tie": "float32 下 sigmoid(40) − sigmoid(17)",
        },
    ),
    formula="σ(z) = 1/(1 + e^{−z}) = e^z/(1 + e^z)\n"
    "σ′ = σ(1 − σ)\n"
    "σ(−z) = 1 − σ(z)\n"
    "log σ(z) = min(z, 0) − log(1 + e^{−|z|})",
    numbers=numbers,
    code="import numpy as np\n"
    "def sigmoid(z):\n"
    "    small = np.exp(-np.abs(z))\n"
    "    return np.where(z >= 0, 1.0, small) / (1 + small)\n"
    "print(sigmoid(np.array([-800.0, -2.0, 0.0, 2.0, 800.0])))",
    experiments=("sigmoid_gradients_obey_a_quarter_per_layer", "auc_survives_increasing_maps_alone"),
    docs=("reference.md",),
)
