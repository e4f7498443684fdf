"""Why a gradient method stays in a local minimum, and what gets it out."""

from collections.abc import Mapping

import numpy as np

from ...reference.optimizers import How, Rule, momentum, sgd, walk
from ..finding import Number
from ..question import Question, Words

SLOPE = np.polynomial.Polynomial([0.3, -4.0, 0.0, 4.0])  # of f(x) = x^4 - 2 x^2 + 0.3 x
LEFT, TOP, RIGHT = sorted(float(root.real) for root in SLOPE.roots())

NUM_STEPS = 600


def end(rule: Rule, start: float, *, lr: float = 0.01) -> float:
    return float(walk(rule, How(lr=lr), slope=SLOPE, start=np.array(start), num_steps=NUM_STEPS)[-1])


def numbers() -> Mapping[str, Number]:
    starts = np.linspace(-2, 2, 201)
    good = float(np.mean([end(sgd, start) < 0 for start in starts]))
    basin = (TOP + 2) / 4
    return {
        "plain": Number(name="end of gradient descent from 1.8", value=end(sgd, 1.8), expected=RIGHT, tolerance=1e-6),
        "heavy": Number(name="end with momentum 0.9", value=end(momentum, 1.8), expected=LEFT, tolerance=1e-6),
        "good": Number(name="share of starts that end well", value=good, expected=basin, tolerance=1 / 200),
        "five": Number(name="success of the best of five starts", value=1 - (1 - good) ** 5,
                       expected=1 - (1 - basin) ** 5, tolerance=0.01),
    }  # fmt: skip


QUESTION = Question(
    theme="landscape",
    en=Words(
        question="Why does gradient descent get trapped in a local minimum, and how can it escape?",
        answer="""
            It looks at the slope where it stands, and at a local minimum there is none. f(x) = x⁴ − 2x² + 0.3x has a
            good valley at −1.04 and a worse one on the right. From 1.8, small steps end in the worse one, at
            {plain:.3f}, and stay there however long they go on.

            Three ways out. Momentum keeps its speed and rolls over the hill: with 0.9 the same start ends at
            {heavy:.3f}. Restarts try other basins: a share of {good:.3f} of the starts in [−2, 2] ends well, so the
            best of five does with probability {five:.3f}. And noise, from small batches or a large learning rate, can
            throw the weights out of a narrow valley. None of them is a guarantee; momentum can as well roll out of the
            good valley.

            In networks with millions of weights the trap is rarer than the picture suggests: most points without a
            slope are saddles, and wide networks reach much the same loss from most starts.
        """,
    ),
    zh=Words(
        question="梯度下降為什麼會困在局部最小值？怎麼跳出來？",
        answer="""
            梯度下降只看腳下的斜率，而局部最小值的斜率是零。f(x) = x⁴ − 2x² + 0.3x 在 −1.04 有一個好谷底，
            右邊還有一個較差的。從 1.8 出發、步伐很小時會停在較差的 {plain:.3f}，走再久也不會離開。

            脫身的方法有三種。動量會保留速度，有機會衝過山頭：動量 0.9 時，同一個起點最後到了 {heavy:.3f}。
            重新起步則是多試幾個盆地：[−2, 2] 內有 {good:.3f} 的起點會走到好谷底，五次取最好的成功率就是 {five:.3f}。
            雜訊（小批次或較大的學習率）也可能把權重震出狹窄的谷。這些都不是保證，動量同樣可能衝出好的谷底。

            在有幾百萬個權重的網路裡，這種陷阱比圖上看起來少見：梯度為零的點多半是鞍點，
            而且夠寬的網路從大多數起點都會走到差不多的損失。
        """,
        names={
            "plain": "從 1.8 出發的梯度下降終點",
            "heavy": "加上動量 0.9 的終點",
            "good": "能走到好谷底的起點比例",
            "five": "五次起步取最好的成功率",
        },
    ),
    formula="f(x) = x⁴ − 2x² + 0.3x\nx ← x − η f′(x)\nstuck where f′ = 0 and f″ > 0\nP(k starts) = 1 − (1 − p)ᵏ",
    numbers=numbers,
    code="x = 1.8\nfor _ in range(600):\n    x -= 0.01 * (4 * x**3 - 4 * x + 0.3)\nprint(x)",
    experiments=(
        "gradient_noise_leaves_saddles",
        "deep_linear_networks_have_no_bad_minima",
        "restarts_leave_local_minima_best",
        "wide_networks_end_in_one_loss",
        "small_batches_leave_sharp_basins",
    ),
    docs=("optimizers.md", "reference.md"),
)
