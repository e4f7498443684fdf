"""Focal loss beside cross-entropy: what easy examples still count."""

from collections.abc import Mapping
from math import log

import numpy as np

from ...reference import losses
from ..finding import Number
from ..question import Question, Words


def focal(p: float, gamma: float) -> float:
    """Of one example whose true class has the probability p."""
    return losses.focal(np.log([[p, 1 - p]]), [0], gamma=gamma)


def numbers() -> Mapping[str, Number]:
    easy, even, hard = (focal(p, 2) for p in (0.9, 0.5, 0.1))
    rare = 10 * focal(0.1, 0) / (1000 * focal(0.9, 0) + 10 * focal(0.1, 0))
    lifted = 10 * hard / (1000 * easy + 10 * hard)
    return {
        "plain": Number(name="cross-entropy at p = 0.9", value=focal(0.9, 0), expected=-log(0.9)),
        "easy": Number(name="focal, γ = 2, at p = 0.9", value=easy, expected=0.00105361, tolerance=1e-8),
        "even": Number(name="at p = 0.5", value=even, expected=0.173287, tolerance=1e-6),
        "hard": Number(name="at p = 0.1", value=hard, expected=1.865094, tolerance=1e-6),
        "factor": Number(name="weight of p = 0.9", value=easy / focal(0.9, 0), expected=0.01),
        "hard_factor": Number(name="weight of p = 0.1", value=hard / focal(0.1, 0), expected=0.81),
        "rare": Number(name="share of the loss of 10 hard among 1,000 easy, cross-entropy", value=rare),
        "lifted": Number(name="the same under focal loss", value=lifted),
    }


QUESTION = Question(
    theme="losses",
    en=Words(
        question="What does focal loss change in cross-entropy, and when does it help?",
        answer="""
            It multiplies the cross-entropy by (1 − p)^γ, p being the probability of the true class: what is already
            right counts less. With γ = 2 an easy example at p = 0.9 keeps {factor:.2f} of its loss ({plain:.4f} becomes
            {easy:.5f}), one at p = 0.5 costs {even:.4f}, a hard one at p = 0.1 keeps {hard_factor:.2f} ({hard:.4f}).
            With γ = 0 it is cross-entropy.

            Made for detectors that look at a hundred thousand places of which nearly all are background: there, many
            small losses drown few large ones. Of 1,000 easy and 10 hard examples the hard ones make up {rare:.2f} of
            the cross-entropy and {lifted:.2f} of the focal loss. A class weight α can stand beside γ; it balances
            classes, γ balances easy and hard.

            The price: it is no longer a log-likelihood, so probabilities come out less sure and need calibration; and
            wrong labels, the hardest of all, gain weight too. In balanced problems plain cross-entropy is the better
            start. Mind the minus sign in front.
        """,
    ),
    zh=Words(
        question="Focal loss 與交叉熵有何不同？什麼時候有用？",
        answer="""
            Focal loss 在交叉熵前面乘上 (1 − p)^γ，p 是真實類別的機率：已經答對的樣本就少算一點。γ = 2 時，
            p = 0.9 的簡單樣本只留下 {factor:.2f} 的損失（{plain:.4f} 變成 {easy:.5f}），p = 0.5 是 {even:.4f}，
            p = 0.1 的困難樣本則保留 {hard_factor:.2f}（{hard:.4f}）。γ = 0 就是交叉熵。

            它是為物件偵測設計的：偵測器要看十萬個位置，幾乎都是背景，無數個小損失會淹沒少數的大損失。
            1,000 個簡單樣本加 10 個困難樣本，困難樣本在交叉熵中占 {rare:.2f}，在 focal loss 中占 {lifted:.2f}。
            另外還可以加上類別權重 α：α 平衡的是類別，γ 平衡的是難易。

            代價是它不再是對數概似，輸出的機率會偏保守，需要校準；標錯的樣本正是「最難」的，也跟著被加重。
            類別平衡的問題先用一般的交叉熵比較好。還有，公式前面的負號別漏掉。
        """,
        names={
            "plain": "p = 0.9 的交叉熵",
            "easy": "p = 0.9 的 focal loss（γ = 2）",
            "even": "p = 0.5",
            "hard": "p = 0.1",
            "factor": "p = 0.9 的權重",
            "hard_factor": "p = 0.1 的權重",
            "rare": "1,000 個簡單、10 個困難：困難者占交叉熵的比例",
            "lifted": "困難者占 focal loss 的比例",
        },
    ),
    formula="FL = −α_t (1 − p_t)^γ log p_t\nCE = −log p_t\np_t = p if y = 1, else 1 − p",
    numbers=numbers,
    code="import numpy as np\n"
    "from edgewright.reference.losses import focal\n"
    "for p in (0.9, 0.5, 0.1):\n"
    "    print(p, focal(np.log([[p, 1 - p]]), [0], gamma=0), focal(np.log([[p, 1 - p]]), [0], gamma=2))",
    experiments=("focal_loss_lets_rare_positives_speak", "accuracy_is_blind_to_rare_classes"),
    docs=("losses.md",),
)
