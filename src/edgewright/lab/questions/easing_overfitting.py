"""Overfitting made, and eased in four ways, on a polynomial of degree 9."""

from collections.abc import Mapping

import numpy as np

from ...seeding import numpy_generator
from ..finding import Number
from ..question import Question, Words
from ..statistics import mean_of

DEGREE, NOISE = 9, 0.2


def drawn(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples of sin 2πx, evenly spaced, with noise."""
    x = np.linspace(0, 1, count)
    return x, np.sin(2 * np.pi * x) + NOISE * numpy_generator(seed, "overfitting", count).standard_normal(count)


def fitted(x: np.ndarray, y: np.ndarray, *, degree: int = DEGREE, l2: float = 0.0) -> np.ndarray:
    """Coefficients in Chebyshev polynomials on [0, 1], under an L2 penalty."""
    basis = features(x, degree)
    rows = np.vstack([basis, np.sqrt(l2) * np.eye(degree + 1)])
    return np.linalg.lstsq(rows, np.concatenate([y, np.zeros(degree + 1)]), rcond=None)[0]


def features(x: np.ndarray, degree: int) -> np.ndarray:
    return np.polynomial.chebyshev.chebvander(2 * x - 1, degree)


def error(coefficients: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean((features(x, len(coefficients) - 1) @ coefficients - y) ** 2))


def numbers() -> Mapping[str, Number]:
    grid = np.linspace(0, 1, 201)
    truth = np.sin(2 * np.pi * grid)
    few, many = [drawn(seed, 10) for seed in range(40)], [drawn(seed, 200) for seed in range(40)]
    means = {len(group): np.mean([fitted(*each) for each in group], axis=0) for group in (few[:5],)}
    unseen = {
        "plain": ("unseen error, degree 9, 10 samples", [error(fitted(*each), grid, truth) for each in few]),
        "simple": ("of degree 3", [error(fitted(*each, degree=3), grid, truth) for each in few]),
        "penalty": ("with an L2 penalty of 0.3", [error(fitted(*each, l2=0.3), grid, truth) for each in few]),
        "data": ("with 200 samples", [error(fitted(*each), grid, truth) for each in many]),
    }
    seen = max(error(fitted(*each), *each) for each in few)
    return {
        "seen": Number(name="largest error on the samples themselves", value=seen, expected=0.0, tolerance=1e-9),
        **{key: mean_of(errors, name) for key, (name, errors) in unseen.items()},
        "five": Number(name="mean of five such fits", value=error(means[5], grid, truth)),
        "noise": mean_of([noise_left(seed) for seed in range(40)], "noise learnt from 200 samples, 10/200",
                         expected=NOISE**2 * 10 / 200),
    }  # fmt: skip


def noise_left(seed: int) -> float:
    """Mean square at the samples of what a fit of degree 9 makes of the noise alone."""
    x, y = drawn(seed, 200)
    return error(fitted(x, y - np.sin(2 * np.pi * x)), x, np.zeros(200))


QUESTION = Question(
    theme="regularization",
    en=Words(
        question="What causes overfitting, and how can it be eased?",
        answer="""
            Too much freedom for too little data, or training for too long: the model learns the noise. A polynomial of
            degree 9 goes through ten noisy samples of a sine exactly (error {seen:.0e} on them); between them its mean
            squared error is {plain:.4f}.

            Ease it where it comes from. More data, or augmentation that keeps the label: with 200 samples {data:.4f}.
            A smaller model: degree 3 has {simple:.4f}. A penalty on large weights: {penalty:.4f}. Averaging models
            that were trained on different data: five of them together {five:.4f}. How much noise is learnt is known:
            with p coefficients and n samples p/n of its variance, here {noise:.4f}.

            In networks also: early stopping with patience and the best weights restored, dropout, label smoothing,
            mixup, cleaning wrong labels. Choose among them by validation data and report by a test set that had no part
            in it. Each can be overdone: too strong a penalty underfits.
        """,
    ),
    zh=Words(
        question="過擬合的成因是什麼？有哪些緩解方法？",
        answer="""
            自由度太高、資料太少，或是訓練太久，模型就會把雜訊也背起來。用九次多項式去配十個帶雜訊的正弦樣本，可以一點
            不差地通過（在這些樣本上的誤差是 {seen:.0e}），但樣本之間的均方誤差是 {plain:.4f}。

            從成因下手。增加資料，或做不改變標籤的資料擴增：用 200 個樣本是 {data:.4f}。縮小模型：三次多項式是
            {simple:.4f}。對大的權重收費：{penalty:.4f}。把在不同資料上訓練的模型平均：五個合起來是 {five:.4f}。背起來
            的雜訊有多少，其實算得出來：p 個係數、n 個樣本時，是雜訊變異數的 p/n，這裡是 {noise:.4f}。

            在神經網路裡還可以用：帶耐心值、會還原最佳權重的提前停止、dropout、標籤平滑、mixup、清理錯誤標籤。用驗證資
            料來挑選方法，再用完全沒參與挑選的測試資料報告結果。每一種都可能過頭：懲罰太強就會欠擬合。
        """,
        names={
            "seen": "在樣本本身上的最大誤差",
            "plain": "九次、10 個樣本的未見誤差",
            "simple": "三次多項式",
            "penalty": "加上 0.3 的 L2 懲罰",
            "data": "200 個樣本",
            "five": "五個模型平均",
            "noise": "200 個樣本時學進去的雜訊（變異數的 10/200）",
        },
    ),
    formula="error = bias² + variance + noise\nvariance of a fit with p coefficients at its n samples: σ² p/n\n"
    "mean of k independent models: variance/k",
    numbers=numbers,
    code="edgewright train simple_cnn --data digits --patience 3 --dropout 0.2 --label-smoothing 0.1 --epochs 4",
    experiments=(
        "validation_error_is_u_shaped_in_capacity",
        "the_validation_minimum_chooses_capacity",
        "squared_error_is_bias_squared_plus_variance",
        "l2_tames_high_degrees_without_zeros",
    ),
    docs=("training.md", "data.md"),
)
