"""Smooth L1: a parabola in the middle, straight lines outside."""

from collections.abc import Mapping

import numpy as np

from ...reference.regression_losses import REGRESSION, huber, smooth_l1
from ..finding import Number
from ..question import Question, Words

LOSS = smooth_l1()


def at(difference: float) -> float:
    return float(LOSS.value(np.array(difference)))


def slope(name: str, difference: float) -> float:
    return float(REGRESSION[name].slope(np.array(difference)))


def numbers() -> Mapping[str, Number]:
    d = np.linspace(-5, 5, 101)
    gap = np.abs(huber(2.0).value(d) - 2.0 * smooth_l1(2.0).value(d)).max()
    return {
        "half": Number(name="at d = 0.5", value=at(0.5), expected=0.125),
        "one": Number(name="at d = 1", value=at(1.0), expected=0.5),
        "two": Number(name="at d = 2", value=at(2.0), expected=1.5),
        "three": Number(name="at d = −3", value=at(-3.0), expected=2.5),
        "near": Number(name="slope at d = 0.01", value=slope("smooth-l1", 0.01), expected=0.01),
        "near_l1": Number(name="slope of L1 at d = 0.01", value=slope("absolute", 0.01), expected=1.0),
        "far": Number(name="slope at d = 50", value=slope("smooth-l1", 50.0), expected=1.0),
        "far_l2": Number(name="slope of the square at d = 50", value=slope("squared", 50.0), expected=100.0),
        "gap": Number(name="largest gap of Huber and β · smooth L1, β = 2", value=float(gap), expected=0.0),
    }


QUESTION = Question(
    theme="losses",
    en=Words(
        question="What is smooth L1 loss, and what are its merits?",
        answer="""
            For a difference d it is d²/2β as long as |d| < β and |d| − β/2 beyond; value and slope meet there. With
            β = 1: {half:.3f} at 0.5, {one:.1f} at 1, {two:.1f} at 2, {three:.1f} at −3. The test is on |d|: without the
            absolute value every negative difference would fall into the parabola.

            It takes the better half of both parents. Far away the slope is ±1 as for L1: at d = 50 it is {far:.0f}, the
            square's is {far_l2:.0f}, so that one outlier, such as a badly matched box, cannot rule or explode a step.
            Near zero it fades as the square's does: at d = 0.01 it is {near:.2f} where L1 still pulls with
            {near_l1:.0f}, so that it settles instead of trembling, and it has no corner.

            β is in the units of d and has to suit them. Huber loss is β times smooth L1 ({gap:.0f} apart). For boxes,
            treating four coordinates apart ignores that they are one box; IoU losses do not.
        """,
    ),
    zh=Words(
        question="Smooth L1 損失是什麼？有什麼優點？",
        answer="""
            差距為 d 時，|d| < β 用 d²/2β，超過之後用 |d| − β/2，兩段的值與斜率剛好接上。β = 1 時：0.5 處是 {half:.3f}，
            1 處是 {one:.1f}，2 處是 {two:.1f}，−3 處是 {three:.1f}。判斷時要看 |d|；忘了絕對值，
            所有負的差距都會被當成在拋物線裡。

            它取了兩者的長處。遠處斜率像 L1 一樣固定為 ±1：d = 50 時是 {far:.0f}，平方誤差卻是 {far_l2:.0f}，
            所以單一離群值（例如配錯的框）不會主導更新，也不會讓梯度爆炸。近處斜率像平方誤差一樣漸漸變小：
            d = 0.01 時是 {near:.2f}，L1 卻還有 {near_l1:.0f}，因此能穩穩收斂而不會抖動，而且沒有尖角。

            β 的單位與 d 相同，要配合資料的尺度來選。Huber 損失就是 β 乘上 smooth L1（相差 {gap:.0f}）。
            用在邊界框時，四個座標各算各的，沒有把它們當成同一個框；IoU 類的損失則會。
        """,
        names={
            "half": "d = 0.5",
            "one": "d = 1",
            "two": "d = 2",
            "three": "d = −3",
            "near": "d = 0.01 的斜率",
            "near_l1": "L1 在 d = 0.01 的斜率",
            "far": "d = 50 的斜率",
            "far_l2": "平方誤差在 d = 50 的斜率",
            "gap": "Huber 與 β · smooth L1 的最大差距（β = 2）",
        },
    ),
    formula="|d| < β: d²/(2β), slope d/β\n|d| ≥ β: |d| − β/2, slope sign(d)\nHuber = β · smooth L1",
    numbers=numbers,
    code="import torch\n"
    "from torch.nn.functional import smooth_l1_loss\n"
    "for d in (0.5, 1.0, 2.0, -3.0):\n"
    "    print(d, smooth_l1_loss(torch.tensor(d), torch.tensor(0.0)).item())",
    experiments=("squared_error_is_bias_squared_plus_variance",),
    docs=("losses.md", "reference.md"),
)
