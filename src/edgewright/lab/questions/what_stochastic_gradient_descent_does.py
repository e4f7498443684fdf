"""Stochastic gradient descent: the step, and what drawing a batch does to it."""

from collections.abc import Mapping
from itertools import combinations
from math import ceil

import numpy as np

from ...reference.optimizers import How, sgd, walk
from ..finding import Number
from ..question import Question, Words

SLOPES = np.array([-2.0, -1.0, 0.0, 1.0, 3.0, 5.0])  # of six samples; a batch holds two


def numbers() -> Mapping[str, Number]:
    path = walk(sgd, How(lr=0.1), slope=lambda p: p, start=np.array(1.0), num_steps=3)
    batches = np.array([np.mean(pair) for pair in combinations(SLOPES, 2)])
    share = float(batches.var() / SLOPES.var(ddof=1))
    return {
        "third": Number(name="p after three steps", value=float(path[-1]), expected=0.729),
        "bias": Number(name="mean over all batches less the full gradient",
                       value=float(batches.mean() - SLOPES.mean()), expected=0.0),
        "share": Number(name="variance of a batch of 2 of 6, by that of a sample", value=share, expected=1 / 2 * 4 / 6),
        "steps": Number(name="steps per epoch, 1,200 images in batches of 32", value=ceil(1200 / 32), expected=38),
    }  # fmt: skip


QUESTION = Question(
    theme="optimizers",
    en=Words(
        question="What is stochastic gradient descent, and how do its batch, mini-batch and one-sample forms differ?",
        answer="""
            Take the gradient of the loss over a few samples instead of all, and go a small step against it. On f = p²/2
            from p = 1 at a rate of 0.1 each step leaves 0.9 of p: after three steps {third:.3f}.

            The gradient of a batch is right on average: over all fifteen batches of 2 out of 6 samples its mean differs
            from the full gradient by {bias:.0f}. What it brings is noise. For a batch of B out of N drawn without
            replacement the variance is that of one sample times (1/B)(N − B)/N, here {share:.4f}: none for the full
            batch, most for one sample.

            With 1,200 images the full batch makes 1 step per epoch, batches of 32 make {steps:.0f}, single samples
            1,200. Mini-batches are the usual middle: many cheap steps, and enough work at once for the processor. The
            noise can also help, since it shakes the weights off saddles; exact descent can stop there.
        """,
    ),
    zh=Words(
        question="什麼是隨機梯度下降（SGD）？整批、小批次與單一樣本三種做法差在哪裡？",
        answer="""
            SGD 只用少數幾個樣本計算損失的梯度，再沿反方向走一小步。以 f = p²/2、起點 p = 1、學習率 0.1 為例，
            每一步剩下原來的 0.9 倍，走三步之後是 {third:.3f}。

            小批次的梯度平均而言是對的：從 6 個樣本取 2 個，十五種批次的平均與全體梯度相差 {bias:.0f}。
            它帶來的是雜訊：從 N 個樣本不放回地取 B 個，變異數是單一樣本的 (1/B)(N − B)/N 倍，這裡是 {share:.4f}；
            整批時沒有雜訊，一次一個樣本時雜訊最大。

            1,200 張影像，整批訓練每個 epoch 只更新 1 次，批次 32 更新 {steps:.0f} 次，單一樣本則更新 1,200 次。
            小批次是常見的折衷：步數多、每步便宜，又能餵飽處理器。雜訊有時還有好處，能把權重推離鞍點；
            完全精確的梯度下降反而可能停在那裡。
        """,
        names={
            "third": "三步之後的 p",
            "bias": "所有批次的平均減去全體梯度",
            "share": "6 取 2 的批次變異數與單一樣本之比",
            "steps": "每個 epoch 的步數（1,200 張、批次 32）",
        },
    ),
    formula="w ← w − η · (1/B) Σᵢ∈batch ∇ℓᵢ(w)\nE[ĝ] = ∇L\nVar(ĝ) = (s²/B) · (N − B)/N, s² with N − 1",
    numbers=numbers,
    code="import numpy as np\n"
    "from edgewright.reference.optimizers import How, sgd, walk\n"
    "print(walk(sgd, How(lr=0.1), slope=lambda p: p, start=np.array(1.0), num_steps=3))",
    experiments=(
        "gradient_variance_falls_with_the_batch",
        "gradient_noise_leaves_saddles",
    ),
    docs=("optimizers.md", "reference.md"),
)
