"""Momentum: how far it goes, and how much it gains."""

from collections.abc import Mapping

import numpy as np

from ...reference.optimizers import How, momentum, sgd, walk
from ..finding import Number
from ..question import Question, Words

CURVATURES = np.array([1.0, 100.0])
ROOT = 10.0  # of the condition number


def numbers() -> Mapping[str, Number]:
    one = np.ones(1)
    constant = walk(momentum, How(lr=0.1), slope=lambda w: one, start=0 * one, num_steps=300)
    plain, heavy = How(lr=2 / 101), How(lr=4 / (1 + ROOT) ** 2, m=((ROOT - 1) / (ROOT + 1)) ** 2)
    left = {
        rule.__name__: float(np.linalg.norm(walk(rule, how, slope=lambda w: CURVATURES * w, start=np.ones(2),
                                                 num_steps=100)[-1]))
        for rule, how in ((sgd, plain), (momentum, heavy))
    }  # fmt: skip
    path = walk(momentum, How(lr=0.1), slope=lambda p: p, start=one, num_steps=3)
    slopes = [np.abs(np.linalg.eigvals([[1 + heavy.m - heavy.lr * h, -heavy.m], [1, 0]])).max() for h in CURVATURES]
    return {
        "long": Number(name="step in the long run over lr · g, m = 0.9",
                       value=float(constant[-2][0] - constant[-1][0]) / 0.1, expected=10.0, tolerance=1e-9),
        "one": Number(name="p after 1 step", value=path[0][0], expected=0.9),
        "two": Number(name="p after 2 steps", value=path[1][0], expected=0.72),
        "three": Number(name="p after 3 steps", value=path[2][0], expected=0.486),
        "rate": Number(name="left per step, gradient descent", value=float(np.abs(1 - plain.lr * CURVATURES).max()),
                       expected=0.980198, tolerance=1e-6),
        "heavy": Number(name="left per step, momentum", value=float(max(slopes)), expected=0.818182, tolerance=1e-6),
        "sgd": Number(name="distance after 100 steps, gradient descent", value=left["sgd"]),
        "momentum": Number(name="distance after 100 steps, momentum", value=left["momentum"]),
    }  # fmt: skip


QUESTION = Question(
    theme="optimizers",
    en=Words(
        question="What does momentum do?",
        answer="""
            It remembers where it was going: v = mv + g, w = w − ηv. In a narrow valley gradients swing across and
            agree along it; their sum cancels the first and builds up the second. On p²/2 from 1, with η = 0.1 and m =
            0.9, p is {one:.1f}, {two:.2f} and {three:.3f} after three steps, and later shoots past the minimum: the
            price.

            With a steady gradient the step grows to {long:.0f} times ηg, 1/(1 − m). So v is a sum; it is a mean only
            if the gradient is taken times (1 − m), and a rate from one convention is wrong by that factor in the
            other. Raising m without lowering η raises the step.

            The gain is proved for quadratics: with curvatures from 1 to 100 the best rate leaves {rate:.4f} of the
            distance per step, momentum {heavy:.4f}; after 100 steps {sgd:.2f} and {momentum:.0e}. The number of steps
            goes with the root of the condition number instead of the number itself. With noisy gradients much of this
            is lost, and Nesterov's proof too is about full gradients of convex functions.
        """,
    ),
    zh=Words(
        question="動量（momentum）有什麼作用？",
        answer="""
            它記得原本前進的方向：v = mv + g，w = w − ηv。在狹長的谷地裡，梯度橫向來回擺盪、縱向一致；累加之後，
            前者抵銷，後者越積越大。在 p²/2 上從 1 出發，η = 0.1、m = 0.9，三步之後 p 依序是 {one:.1f}、{two:.2f}、
            {three:.3f}，之後會衝過最小值，這就是代價。

            梯度固定時，步伐最後會變成 ηg 的 {long:.0f} 倍，也就是 1/(1 − m)。所以 v 是總和；要把梯度先乘 (1 − m)，
            它才是平均。兩種慣例的學習率差了這個倍數，不能直接互換。只提高 m 而不降低 η，等於加大步伐。

            加速的效果在二次函數上有證明：曲率從 1 到 100 時，最佳學習率每步留下 {rate:.4f} 的距離，
            動量只留下 {heavy:.4f}；100 步之後分別是 {sgd:.2f} 與 {momentum:.0e}。所需步數從正比於條件數，
            變成正比於它的平方根。梯度有雜訊時，這個好處會少掉許多；Nesterov 的證明也只針對凸函數的完整梯度。
        """,
        names={
            "long": "長期步伐／ηg（m = 0.9）",
            "one": "1 步後的 p",
            "two": "2 步後的 p",
            "three": "3 步後的 p",
            "rate": "每步留下的比例：梯度下降",
            "heavy": "每步留下的比例：動量",
            "sgd": "100 步後的距離：梯度下降",
            "momentum": "100 步後的距離：動量",
        },
    ),
    formula="v ← mv + g,  w ← w − ηv\nstep → ηg/(1 − m)\nbest: (κ − 1)/(κ + 1) per step, momentum (√κ − 1)/(√κ + 1)",
    numbers=numbers,
    code="import numpy as np\n"
    "from edgewright.reference.optimizers import How, momentum, sgd, walk\n"
    "curvature = np.array([1.0, 100.0])\n"
    "for rule, how in ((sgd, How(lr=2 / 101)), (momentum, How(lr=4 / 121, m=(9 / 11) ** 2))):\n"
    "    path = walk(rule, how, slope=lambda w: curvature * w, start=np.ones(2), num_steps=100)\n"
    "    print(rule.__name__, np.linalg.norm(path[-1]))",
    experiments=("momentum_needs_the_square_root_of_the_condition", "nesterov_is_not_always_faster_than_momentum"),
    docs=("optimizers.md",),
)
