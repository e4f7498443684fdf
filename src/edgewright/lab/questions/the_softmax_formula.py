"""Softmax: its formula, its gradient, and how it is computed without overflow."""

from collections.abc import Mapping

import numpy as np

from ...reference.loss_gradients import cross_entropy as cross_entropy_gradient
from ...reference.losses import cross_entropy
from ...reference.stable import softmax
from ..finding import Number
from ..question import Question, Words

LOGITS = np.array([0.1, 2.0, 0.5])


def numbers() -> Mapping[str, Number]:
    shares = softmax(LOGITS)
    truth = np.array([[0.0, 1.0, 0.0]])
    slope = cross_entropy_gradient(LOGITS[None], truth)[0]
    shifted = np.abs(softmax(LOGITS + 1e4) - shares).max()
    with np.errstate(over="ignore", invalid="ignore"):
        naive = np.exp(LOGITS + 1e4) / np.exp(LOGITS + 1e4).sum()
    return {
        "first": Number(name="share of 0.1", value=shares[0], expected=0.108960, tolerance=1e-6),
        "second": Number(name="share of 2", value=shares[1], expected=0.728492, tolerance=1e-6),
        "third": Number(name="share of 0.5", value=shares[2], expected=0.162549, tolerance=1e-6),
        "total": Number(name="their sum", value=float(shares.sum()), expected=1.0),
        "loss": Number(name="cross-entropy, second class", value=cross_entropy(LOGITS[None], truth),
                       expected=0.316779, tolerance=1e-6),
        "slope": Number(name="slope at the second logit", value=slope[1], expected=0.728492 - 1, tolerance=1e-6),
        "shift": Number(name="change when 10,000 is added to all", value=float(shifted), expected=0.0, tolerance=1e-11),
        "lost": Number(name="values that are no number, computed naively", value=float(np.isnan(naive).sum()),
                       expected=3.0),
    }  # fmt: skip


QUESTION = Question(
    theme="backpropagation",
    en=Words(
        question="What is the formula of softmax, and how is it computed safely?",
        answer="""
            Softmax turns K numbers into K shares: each is its exponential over the sum of all. (0.1, 2, 0.5) becomes
            ({first:.4f}, {second:.4f}, {third:.4f}), and their sum is {total:.0f}. A larger logit gives a larger
            share, so the order never changes; two logits that differ by d have shares in the ratio e^d.

            Only differences count: adding one number to all logits changes nothing. That is how it is computed: take
            off the largest first, so that every exponent is at most 0. With 10,000 added to all, the naive formula
            gives {lost:.0f} values that are no number, the shifted one differs by {shift:.0e}.

            With cross-entropy the gradient by the logits is p − y: here {slope:.4f} at the true class and p at all
            others, dense however many classes there are. Compute the loss ({loss:.4f}) from logits by log-softmax, not
            by the logarithm of a probability that may have been rounded to 0: strictly between 0 and 1 is true in
            exact arithmetic only.
        """,
    ),
    zh=Words(
        question="softmax 的公式是什麼？怎麼算才安全？",
        answer="""
            softmax 把 K 個數變成 K 個比例：各自取指數，再除以總和。(0.1, 2, 0.5) 會變成 ({first:.4f}, {second:.4f},
            {third:.4f})，總和是 {total:.0f}。logit 越大比例越大，所以順序不變；兩個 logit 相差 d，比例就相差 e^d 倍。

            重要的只有差值：全部加上同一個數，結果不變。實際計算就利用這一點：先減去最大值，讓每個指數都不大於 0。
            全部加上 10,000 時，照公式硬算會出現 {lost:.0f} 個 NaN，先減最大值則只差 {shift:.0e}。

            搭配交叉熵時，對 logits 的梯度是 p − y：正確類別是 {slope:.4f}，其他類別就是各自的 p，
            不論類別再多都不是稀疏的。損失（{loss:.4f}）要從 logits 用 log-softmax 計算，不要對機率取對數，
            因為它可能已被捨入成 0；「嚴格介於 0 與 1 之間」只在精確算術中成立。
        """,
        names={
            "first": "0.1 的比例",
            "second": "2 的比例",
            "third": "0.5 的比例",
            "total": "總和",
            "loss": "第二類的交叉熵",
            "slope": "第二個 logit 的梯度",
            "shift": "全部加 10,000 造成的改變",
            "lost": "照公式硬算得到的 NaN 個數",
        },
    ),
    formula="p_i = e^{z_i} / Σ_j e^{z_j} = e^{z_i − m} / Σ_j e^{z_j − m},  m = max z\n"
    "∂p_i/∂z_j = p_i(δ_ij − p_j)\n"
    "CE = log Σ_j e^{z_j} − z_y\n"
    "∂CE/∂z = p − y",
    numbers=numbers,
    code="import numpy as np\n"
    "def softmax(z):\n"
    "    e = np.exp(z - z.max(-1, keepdims=True))\n"
    "    return e / e.sum(-1, keepdims=True)\n"
    "z = np.array([0.1, 2.0, 0.5])\n"
    "print(softmax(z), softmax(z + 1e4))",
    experiments=("the_largest_logit_may_be_taken_off", "cross_entropy_is_negative_log_likelihood"),
    docs=("reference.md", "losses.md"),
)
