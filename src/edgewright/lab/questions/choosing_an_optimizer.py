"""Which optimizer: what the loss looks like, how much memory there is, how much tuning one can pay."""

from collections.abc import Mapping
from math import ceil, log, sqrt

import numpy as np

from ...reference.optimizers import How, Memory, Rule, adafactor, adam, momentum, sgd, walk
from ..finding import Number
from ..question import Question, Words

CURVATURES = np.array([1.0, 100.0])  # condition number 100
ROOT = sqrt(100)


HOW: Mapping[Rule, How] = {
    sgd: How(lr=2 / 101),
    momentum: How(lr=4 / (ROOT + 1) ** 2, m=((ROOT - 1) / (ROOT + 1)) ** 2),
}
"""The best rates for these curvatures."""


def left(rate: float, m: float) -> float:
    """What a step leaves in the long run: the largest eigenvalue of (w, w before) -> (w after, w)."""
    steps = [np.linalg.eigvals([[1 + m - rate * h, -m], [1, 0]]) for h in CURVATURES]
    return float(np.abs(steps).max())


def steps_needed(rule: Rule) -> int:
    """Until the distance from the minimum is a millionth of that of the start."""
    path = walk(rule, HOW[rule], slope=lambda w: CURVATURES * w, start=np.ones(2), num_steps=800)
    return 1 + next(step for step, w in enumerate(path) if np.linalg.norm(w) < 1e-6 * sqrt(2))


def kept(rule: Rule) -> int:
    """Numbers remembered for a matrix of 1024 x 1024."""
    memory: Memory = {}
    rule(np.ones((1024, 1024)), np.ones((1024, 1024)), memory, How(lr=0.1))
    return sum(np.size(each) for each in memory.values() if np.size(each) > 1)


def numbers() -> Mapping[str, Number]:
    heavy = HOW[momentum]
    return {
        "plain": Number(name="left by a step of gradient descent", value=left(HOW[sgd].lr, 0), expected=99 / 101),
        "heavy": Number(name="left by a step of momentum", value=left(heavy.lr, heavy.m), expected=9 / 11,
                        tolerance=1e-6),
        "plain_steps": Number(name="steps to a millionth, gradient descent", value=steps_needed(sgd),
                              expected=ceil(log(1e-6) / log(99 / 101))),
        "heavy_steps": Number(name="steps to a millionth, momentum", value=steps_needed(momentum)),
        "adam": Number(name="numbers kept for 1024 x 1024 weights by Adam", value=kept(adam), expected=2 * 1024**2),
        "factors": Number(name="the same by Adafactor", value=kept(adafactor), expected=2 * 1024),
    }  # fmt: skip


QUESTION = Question(
    theme="optimizers",
    en=Words(
        question="How do you choose an optimizer?",
        answer="""
            Start from what has worked for the architecture: SGD with momentum and a schedule for convolutional networks
            that are trained from scratch for long; AdamW for attention, short runs, fine-tuning and when there is no
            time to search for a rate; plain SGD hardly ever.

            Why not plain: on a loss that is a hundred times steeper one way than the other, its best step leaves
            {plain:.4f} of the distance, momentum's {heavy:.4f}. To come a million times closer takes
            {plain_steps:.0f} against {heavy_steps:.0f} steps.

            Then memory: for a matrix of 1024 × 1024 weights Adam keeps {adam:,.0f} numbers, Adafactor {factors:,.0f}.
            For batches of thousands there are LARS and LAMB. Whatever is chosen, the learning rate matters more than
            the name: search for it for each optimizer before comparing, with more than one seed.
        """,
    ),
    zh=Words(
        question="如何選擇最佳化器？",
        answer="""
            先看這種架構過去用什麼成功：卷積網路從頭長時間訓練，用 SGD 加動量與排程；注意力模型、短訓練、微調，
            或沒有時間找學習率時，用 AdamW；不帶動量的 SGD 則很少有人用。

            為什麼不用最單純的？假設損失在某個方向的曲率是另一個方向的一百倍，單純梯度下降最好的一步還剩下 {plain:.4f}
            的距離，動量只剩 {heavy:.4f}。要靠近一百萬倍，分別需要 {plain_steps:.0f} 步與 {heavy_steps:.0f} 步。

            再看記憶體：1024 × 1024 的權重矩陣，Adam 要多存 {adam:,.0f} 個數，Adafactor 只要 {factors:,.0f} 個。
            批次大到數千時，可以考慮 LARS 與 LAMB。不論選哪一個，學習率都比名字重要：比較之前，
            每一種都要各自找過學習率，而且不要只跑一個隨機種子。
        """,
        names={
            "plain": "梯度下降一步後剩下的比例",
            "heavy": "動量一步後剩下的比例",
            "plain_steps": "縮小到百萬分之一的步數（梯度下降）",
            "heavy_steps": "縮小到百萬分之一的步數（動量）",
            "adam": "Adam 為 1024 × 1024 個權重多存的數",
            "factors": "Adafactor 多存的數",
        },
    ),
    formula="κ = L/μ\ngradient descent: (κ − 1)/(κ + 1) per step\nheavy ball: (√κ − 1)/(√κ + 1)\n"
    "state: momentum n·m, Adam 2·n·m, Adafactor n + m",
    numbers=numbers,
    code="edgewright train simple_cnn --data digits --optimizer adamw --find-lr",
    experiments=(
        "momentum_needs_the_square_root_of_the_condition",
        "nesterov_is_not_always_faster_than_momentum",
        "adagrad_learns_rare_features_sooner",
        "rmsprop_goes_on_where_adagrad_fades",
    ),
    docs=("optimizers.md", "training.md"),
)
