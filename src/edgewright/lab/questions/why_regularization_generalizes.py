"""Three views of why a penalty helps on unseen data: size, smoothness, noise on the input."""

from collections.abc import Mapping

import numpy as np

from ...seeding import numpy_generator
from ..finding import Number
from ..question import Question, Words
from ..statistics import mean_of
from .easing_overfitting import drawn, error, features, fitted

SIGMA = 0.5
PENALTY = 0.3


def steepness(coefficients: np.ndarray) -> float:
    """Largest slope of the fit on [0, 1]: its Lipschitz constant."""
    grid = np.linspace(0, 1, 2001)
    values = features(grid, len(coefficients) - 1) @ coefficients
    return float(np.abs(np.diff(values)).max() * 2000)


def noisy_rise(seed: int) -> float:
    """By how much noise of deviation SIGMA on the inputs raises the squared error of a linear model, per sample."""
    generator = numpy_generator(seed, "noise on inputs")
    x, w = generator.standard_normal((200, 3)), np.array([1.0, -2.0, 0.5])
    y = x @ w + generator.standard_normal(200)
    moved = x + SIGMA * generator.standard_normal((50, 200, 3))
    return float(np.mean((moved @ w - y) ** 2) - np.mean((x @ w - y) ** 2))


def numbers() -> Mapping[str, Number]:
    samples = [drawn(seed, 10) for seed in range(20)]
    plain, held = [fitted(*each) for each in samples], [fitted(*each, l2=PENALTY) for each in samples]
    grid = np.linspace(0, 1, 201)
    return {
        "size": mean_of([float(np.linalg.norm(each)) for each in plain], "size of the weights, no penalty"),
        "held_size": mean_of([float(np.linalg.norm(each)) for each in held], "with a penalty"),
        "steep": mean_of([steepness(each) for each in plain], "largest slope, no penalty"),
        "held_steep": mean_of([steepness(each) for each in held], "largest slope, with a penalty"),
        "unseen": mean_of([error(each, grid, np.sin(2 * np.pi * grid)) for each in plain], "unseen error, no penalty"),
        "held_unseen": mean_of([error(each, grid, np.sin(2 * np.pi * grid)) for each in held],
                               "unseen error, with a penalty"),
        "rise": mean_of([noisy_rise(seed) for seed in range(40)], "rise of the error by noise on the input",
                        expected=SIGMA**2 * (1 + 4 + 0.25)),
    }  # fmt: skip


QUESTION = Question(
    theme="regularization",
    en=Words(
        question="Why does regularization improve generalization?",
        answer="""
            It trades a little bias for much less variance. Three ways to see it, on a polynomial of degree 9 through
            ten noisy samples of a sine.

            Complexity: among the functions that fit, it prefers small ones: the weights' norm falls from {size:.2f} to
            {held_size:.2f}. Smoothness: the steepest slope, which says how much a change of the input can move the
            answer, falls from {steep:.1f} to {held_steep:.1f} (the sine's own is 6.3). With both the error on unseen
            points falls from {unseen:.4f} to {held_unseen:.4f}.

            Noise: training a linear model on inputs with noise of variance σ² is, on average, the same as adding
            σ²|w|² to its error. For w = (1, −2, 0.5) and σ = 0.5 that is 1.3125, and measured {rise:.3f}. So an L2
            penalty is robustness to small changes of the input. None of these is a law: it helps when the prior that
            it stands for suits the problem, and too much of it underfits.
        """,
    ),
    zh=Words(
        question="為什麼正則化能提升泛化能力？",
        answer="""
            它用一點點偏差，換來小很多的變異。以下從三個角度看，例子都是用九次多項式去配十個帶雜訊的正弦樣本。

            複雜度：在配得上資料的函數裡，它偏好「小」的，權重的長度從 {size:.2f} 降到 {held_size:.2f}。
            平滑度：最陡的斜率代表輸入稍微變動時答案會跳多少，從 {steep:.1f} 降到 {held_steep:.1f}（正弦本身是 6.3）。
            兩者合起來，未見資料上的誤差從 {unseen:.4f} 降到 {held_unseen:.4f}。

            雜訊：在輸入加上變異數 σ² 的雜訊來訓練線性模型，平均而言等於在誤差上多加 σ²|w|²。
            w = (1, −2, 0.5)、σ = 0.5 時，理論值是 1.3125，實測 {rise:.3f}。換句話說，L2 懲罰就是對輸入小變動的穩健性。
            這些都不是定律：只有當它背後的先驗符合問題時才有幫助，加太多就會欠擬合。
        """,
        names={
            "size": "無懲罰時的權重長度",
            "held_size": "有懲罰時的權重長度",
            "steep": "無懲罰時的最大斜率",
            "held_steep": "有懲罰時的最大斜率",
            "unseen": "無懲罰時的未見誤差",
            "held_unseen": "有懲罰時的未見誤差",
            "rise": "輸入雜訊造成的誤差上升",
        },
    ),
    formula="E|y − (x + n)·w|² = |y − x·w|² + σ²|w|², n ~ N(0, σ² I)\nerror = bias² + variance + noise",
    numbers=numbers,
    code="import numpy as np\n"
    "rng = np.random.default_rng(0)\n"
    "w = np.array([1.0, -2.0, 0.5])\n"
    "noise = 0.5 * rng.standard_normal((100_000, 3))\n"
    "print(np.mean((noise @ w) ** 2), 0.25 * w @ w)",
    experiments=(
        "ridge_is_a_gaussian_prior",
        "l2_tames_high_degrees_without_zeros",
        "squared_error_is_bias_squared_plus_variance",
    ),
    docs=("training.md", "optimizers.md"),
)
