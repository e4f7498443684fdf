"""Which optimizer to reach for first, and what it costs."""

from collections.abc import Mapping

import numpy as np

from ...reference.optimizers import RULES, How, Memory, walk
from ...train import Train
from ..finding import Number
from ..question import Question, Words

NUM_WEIGHTS = 1_000


def _kept(name: str) -> float:
    """Numbers that a rule remembers for each weight."""
    memory: Memory = {}
    RULES[name](np.ones(NUM_WEIGHTS), np.ones(NUM_WEIGHTS), memory, How(lr=0.1))
    return sum(np.size(each) for each in memory.values() if np.size(each) == NUM_WEIGHTS) / NUM_WEIGHTS


def numbers() -> Mapping[str, Number]:
    scales = np.array([1.0, 1e-4])
    adam, sgd = (walk(RULES[name], How(lr=0.1), slope=lambda w: scales, start=np.zeros(2), num_steps=1)[0]
                 for name in ("adam", "sgd"))  # fmt: skip
    return {
        "sgd": Number(name="numbers kept per weight, SGD", value=_kept("sgd"), expected=0.0),
        "momentum": Number(name="numbers kept per weight, momentum", value=_kept("momentum"), expected=1.0),
        "adam": Number(name="numbers kept per weight, AdamW", value=_kept("adamw"), expected=2.0),
        "even": Number(name="Adam's first steps for gradients 1 and 0.0001, ratio", value=adam[0] / adam[1],
                       expected=1.0, tolerance=2e-4),
        "uneven": Number(name="SGD's first steps, ratio", value=sgd[0] / sgd[1], expected=1e4, tolerance=1e-6),
        "ours": Number(name="edgewright's default is AdamW (1: yes)", value=float(Train().optimizer == "adamw"),
                       expected=1.0),
    }  # fmt: skip


QUESTION = Question(
    theme="optimizers",
    en=Words(
        question="Which optimizer is used most, and why?",
        answer="""
            Adam, today mostly as AdamW. Its step does not depend on the size of the gradients: for gradients of 1 and
            0.0001 its first steps have the ratio {even:.2f}, those of SGD {uneven:,.0f}. So one rate serves layers of
            different scale, embeddings and rare features, and the usual values work at once. Attention networks are
            hard to train with SGD, and it is the default here ({ours:.0f} = yes).

            SGD with momentum is the other answer, for convolutional networks that are trained long from scratch: with
            a tuned rate and schedule it has often ended at a better test accuracy. It keeps {momentum:.0f} number per
            weight, plain SGD {sgd:.0f}, AdamW {adam:.0f}, which counts when the model is large.

            Neither is best in general. Compare them only with the rate of each tuned: an untuned SGD against Adam's
            defaults says nothing. And take AdamW instead of Adam with weight decay, whose decay disappears in the
            adaptive scale.
        """,
    ),
    zh=Words(
        question="最常用的最佳化器是哪一個？為什麼？",
        answer="""
            是 Adam，現在多半用 AdamW。它的步伐與梯度大小無關：梯度為 1 與 0.0001 時，第一步的比值是 {even:.2f}，
            SGD 則是 {uneven:,.0f}。因此同一個學習率可以同時適用於尺度不同的層、嵌入向量與罕見特徵，
            常用的數值往往直接可用。注意力網路用 SGD 很難訓練；本工具的預設也是它（{ours:.0f} 表示是）。

            另一個答案是 SGD 加動量，適合從頭長時間訓練的卷積網路：學習率與排程調好之後，測試準確率往往較高。
            它每個權重要多記 {momentum:.0f} 個數，單純 SGD 是 {sgd:.0f} 個，AdamW 是 {adam:.0f} 個，模型大時差很多。

            沒有哪個永遠最好。要比較就得各自調好學習率：拿沒調過的 SGD 對上 Adam 的預設值，說明不了什麼。
            要用權重衰減時請選 AdamW，因為 Adam 的衰減會被自適應的縮放抵銷。
        """,
        names={
            "sgd": "每個權重多記的數：SGD",
            "momentum": "每個權重多記的數：動量",
            "adam": "每個權重多記的數：AdamW",
            "even": "梯度 1 與 0.0001：Adam 第一步的比值",
            "uneven": "同上：SGD",
            "ours": "edgewright 預設為 AdamW（1：是）",
        },
    ),
    formula="AdamW: w ← w − η·m̂/(√v̂ + ε) − ηλw,  m̂ = m/(1 − β₁ᵗ),  v̂ = v/(1 − β₂ᵗ)\nSGD: v ← mv + g, w ← w − ηv",
    numbers=numbers,
    code="edgewright lab run adam_cancels_l2_where_adamw_decays --fast",
    experiments=(
        "adam_cancels_l2_where_adamw_decays",
        "momentum_needs_the_square_root_of_the_condition",
        "adam_does_not_generalize_worse",
    ),
    docs=("optimizers.md", "training.md"),
)
