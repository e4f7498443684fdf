"""Cross-entropy from likelihood, its gradient, and the stable way to compute it."""

from collections.abc import Mapping
from math import log

import numpy as np

from ...reference import loss_gradients, losses
from ...reference.stable import softmax
from ..finding import Number
from ..question import Question, Words

LOGITS = np.array([[0.1, 2.0, 0.5], [1.5, 0.2, 0.8], [0.3, 0.9, 1.8]])
LABELS = np.eye(3)[[1, 0, 2]]
STEP = 1e-6


def gap() -> float:
    """Largest difference of p - y and central differences, on one sample."""
    slopes = []
    for nudge in STEP * np.eye(3):
        up, down = (losses.cross_entropy(LOGITS[:1] + sign * nudge, LABELS[:1]) for sign in (1, -1))
        slopes.append((up - down) / (2 * STEP))
    return float(np.abs(loss_gradients.cross_entropy(LOGITS[:1], LABELS[:1])[0] - slopes).max())


def numbers() -> Mapping[str, Number]:
    huge = losses.cross_entropy(np.array([[0.0, 1e4, -1e4]]), np.eye(3)[[0]])
    return {
        "p": Number(name="p of the true class", value=float(softmax(LOGITS[0])[1]), expected=0.728492, tolerance=1e-6),
        "one": Number(name="cross-entropy of the first sample", value=losses.cross_entropy(LOGITS[:1], LABELS[:1]),
                      expected=0.316779, tolerance=1e-6),
        "mean": Number(name="mean over three samples", value=losses.cross_entropy(LOGITS, LABELS),
                       expected=0.458552, tolerance=1e-6),
        "guess": Number(name="of equal logits, ten classes",
                        value=losses.cross_entropy(np.zeros((1, 10)), np.eye(10)[[0]]), expected=log(10)),
        "gap": Number(name="p − y against finite differences", value=gap(), expected=0.0, tolerance=1e-8),
        "huge": Number(name="of logits 0, 10,000 and −10,000, true is the first", value=huge, expected=1e4),
    }  # fmt: skip


QUESTION = Question(
    theme="losses",
    en=Words(
        question="How is the cross-entropy loss derived, and how is it written in code?",
        answer="""
            Maximum likelihood: make the product of the probabilities that the model gives to the true classes as large
            as possible. Its negative logarithm, averaged, is the cross-entropy: −log p of the true class, p by softmax.
            Logits 0.1, 2.0, 0.5 with the second true: p = {p:.4f}, loss {one:.6f}; the mean with two more samples is
            {mean:.6f}. A guess among ten classes costs log 10 = {guess:.4f}, a useful first number to see.

            The gradient by the logits: log p_y = z_y − log Σ e^z, so it is p − y: dense over all classes, as large as
            the mistake. Against finite differences it is off by {gap:.0e}.

            In code take the largest logit off first and never form p before its logarithm: with logits 0, 10,000 and
            −10,000 the loss is {huge:,.0f}, where exp alone would overflow. Pass logits to the loss, not
            probabilities.
        """,
    ),
    zh=Words(
        question="交叉熵損失怎麼推導？程式碼怎麼寫？",
        answer="""
            從最大概似出發：讓模型給「真實類別」的機率乘積越大越好。取負對數再平均，就是交叉熵，也就是真實類別的 −log
            p，p 由 softmax 得到。logit 為 0.1、2.0、0.5，真實類別是第二個：p = {p:.4f}，損失 {one:.6f}；再加兩個樣本
            的平均是 {mean:.6f}。十個類別亂猜的損失是 log 10 = {guess:.4f}，剛開始訓練時可以拿來核對。

            對 logit 的梯度：log p_y = z_y − log Σ e^z，所以梯度就是 p − y，每個類別都有值，錯多少就推多少。與有限差分
            相比只差 {gap:.0e}。

            寫程式時先減掉最大的 logit，而且不要先算出 p 再取對數：logit 是 0、10,000 與 −10,000 時，損失是
            {huge:,.0f}，直接取 exp 會溢位。交給損失函數的應該是 logit，不是機率。
        """,
        names={
            "p": "真實類別的機率",
            "one": "第一個樣本的交叉熵",
            "mean": "三個樣本的平均",
            "guess": "十個類別、logit 全相等",
            "gap": "p − y 與有限差分的差距",
            "huge": "logit 為 0、10,000、−10,000，真實為第一個",
        },
    ),
    formula="L = −Σₖ yₖ log pₖ = −z_y + log Σₖ e^(zₖ)\npₖ = e^(zₖ)/Σ e^(zⱼ)\n∂L/∂zₖ = pₖ − yₖ\n"
    "log Σ e^z = m + log Σ e^(z − m), m = max z",
    numbers=numbers,
    code="import numpy as np\n"
    "def cross_entropy(logits, labels):\n"
    "    z = logits - logits.max(1, keepdims=True)\n"
    "    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))\n"
    "    return -log_p[np.arange(len(labels)), labels].mean()\n"
    "print(cross_entropy(np.array([[0.1, 2.0, 0.5], [1.5, 0.2, 0.8], [0.3, 0.9, 1.8]]), [1, 0, 2]))",
    experiments=(
        "cross_entropy_is_negative_log_likelihood",
        "cross_entropy_learns_where_squared_error_sleeps",
        "the_largest_logit_may_be_taken_off",
    ),
    docs=("losses.md", "reference.md"),
)
