"""Several labels on one image: independent sigmoids, binary cross-entropy, a threshold for each."""

from collections.abc import Mapping

import numpy as np

from ...reference import losses
from ...reference.stable import sigmoid, softmax
from ..finding import Number
from ..question import Question, Words

LOGITS = np.array([-0.5, 1.2, -0.1, 0.8])
LABELS = np.array([0.0, 1.0, 0.0, 1.0])


def numbers() -> Mapping[str, Number]:
    p = sigmoid(LOGITS)
    return {
        "loss": Number(name="mean binary cross-entropy", value=losses.binary_cross_entropy(LOGITS, LABELS),
                       expected=0.438214, tolerance=1e-6),
        "said": Number(name="labels above 0.5", value=int((p > 0.5).sum()), expected=2),
        "right": Number(name="of them right", value=int(((p > 0.5) == (LABELS > 0)).sum()), expected=4),
        "total": Number(name="sum of the sigmoids", value=float(p.sum())),
        "shares": Number(name="sum of the softmax", value=float(softmax(LOGITS).sum()), expected=1.0),
        "second": Number(name="softmax of the fourth label", value=float(softmax(LOGITS)[3])),
        "low": Number(name="threshold when a miss costs four alarms", value=threshold(4.0), expected=0.2),
    }  # fmt: skip


def threshold(miss_over_alarm: float) -> float:
    """The p from which "yes" is the cheaper answer: found on a grid of costs p · miss (no) and 1 - p (yes)."""
    p = np.linspace(0, 1, 100_001)
    return float(p[np.argmax(p * miss_over_alarm >= (1 - p) - 1e-12)])


QUESTION = Question(
    theme="losses",
    en=Words(
        question="Which loss suits images with several labels?",
        answer="""
            One yes-or-no question for each label: a sigmoid on each logit, binary cross-entropy, and the mean over all.
            Logits −0.5, 1.2, −0.1, 0.8 with the second and fourth label true have the loss {loss:.6f}; above 0.5 lie
            {said:.0f} labels, and {right:.0f} of four answers are right.

            A softmax would make the labels compete, as if exactly one were true: its shares sum to {shares:.0f}, and
            the fourth label, which is true, gets {second:.3f}. Sigmoids need not sum to anything (here {total:.3f}), so
            none, one or all can be on.

            At prediction time each label has its threshold, chosen on validation data or by cost: when a miss costs as
            much as four false alarms, say yes from {low:.1f} on. Rare labels can be weighted or trained with focal
            loss. Judge by precision, recall and F1 per label and averaged, or by mean average precision; a network that
            never says yes can be right on most of all labels.
        """,
    ),
    zh=Words(
        question="一張影像有多個標籤時，該用什麼損失函數？",
        answer="""
            把每個標籤都當成一題是非題：每個 logit 各接一個 sigmoid，用二元交叉熵，再取全部的平均。
            logit 為 −0.5、1.2、−0.1、0.8，第二與第四個標籤為真，損失是 {loss:.6f}；超過 0.5 的標籤有 {said:.0f} 個，
            四題答對 {right:.0f} 題。

            用 softmax 會讓標籤互相競爭，好像只能有一個是真的：總和固定是 {shares:.0f}，為真的第四個標籤只分到
            {second:.3f}。sigmoid 的總和沒有限制（這裡是 {total:.3f}），可以全部不成立、只有一個成立，或全部成立。

            預測時每個標籤有自己的門檻，用驗證資料挑選，或依成本決定：漏掉一個的代價等於四次誤報時，
            機率從 {low:.1f} 起就該說「是」。少見的標籤可以加權，或改用 focal loss。評估要看各標籤的精確率、召回率、
            F1 及其平均，或看 mAP；一個永遠說「否」的網路，在大部分標籤上也會是對的。
        """,
        names={
            "loss": "二元交叉熵的平均",
            "said": "超過 0.5 的標籤數",
            "right": "四題中答對的題數",
            "total": "sigmoid 的總和",
            "shares": "softmax 的總和",
            "second": "第四個標籤的 softmax",
            "low": "漏報代價為誤報四倍時的門檻",
        },
    ),
    formula="L = (1/K) Σₖ [max(zₖ, 0) − zₖyₖ + log(1 + e^(−|zₖ|))]\nŷₖ = [σ(zₖ) ≥ tₖ]\nt = c_FP/(c_FP + c_FN)",
    numbers=numbers,
    code="import torch\n"
    "z, y = torch.tensor([-0.5, 1.2, -0.1, 0.8]), torch.tensor([0.0, 1.0, 0.0, 1.0])\n"
    "print(torch.nn.BCEWithLogitsLoss()(z, y), torch.sigmoid(z) >= 0.5, torch.softmax(z, 0))",
    experiments=("cheap_errors_move_the_best_threshold", "focal_loss_lets_rare_positives_speak"),
    docs=("losses.md",),
)
