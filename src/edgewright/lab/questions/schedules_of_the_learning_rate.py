"""The strategies by which an optimizer's rate changes: their formulas at known steps."""

from collections.abc import Mapping
from math import exp

from ...reference.schedules import cosine, cosine_restarts, exponential, polynomial, scaled, step_decay, triangular
from ..finding import Number
from ..question import Question, Words


def numbers() -> Mapping[str, Number]:
    cycle = {"half": 2000, "low": 0.001, "high": 0.006}
    linear = scaled(0.1, batch_size=8192, base_batch_size=256)
    root = scaled(0.1, batch_size=8192, base_batch_size=256, root=True)
    return {
        "step": Number(name="step, ×0.5 every 10, at 25", value=step_decay(25, every=10, gamma=0.5), expected=0.25),
        "exp": Number(name="exponential, k 0.05, at 20", value=exponential(20, k=0.05), expected=exp(-1)),
        "poly": Number(name="polynomial, power 0.9, at half", value=polynomial(50, 100), expected=0.535887,
                       tolerance=1e-6),
        "cosine": Number(name="cosine at three quarters", value=cosine(75, 100), expected=0.146447, tolerance=1e-6),
        "restart": Number(name="cosine with restarts of 10 and 20, at 10", value=cosine_restarts(10, 10), expected=1.0),
        "middle": Number(name="triangular at 1000", value=triangular(1000, **cycle), expected=0.0035),
        "top": Number(name="triangular at 2000", value=triangular(2000, **cycle), expected=0.006),
        "linear": Number(name="0.1 scaled from a batch of 256 to 8192", value=linear, expected=3.2),
        "root": Number(name="the same by the root", value=root, expected=0.565685, tolerance=1e-6),
    }  # fmt: skip


QUESTION = Question(
    theme="optimizers",
    en=Words(
        question="Which strategies change an optimizer's rate while it trains?",
        answer="""
            Falling ones: by steps ({step:.2f} of the start at epoch 25, halved every 10), exponentially ({exp:.4f} at
            epoch 20 with k = 0.05), by a polynomial ({poly:.4f} half-way with power 0.9), or along a cosine
            ({cosine:.4f} at three quarters). They end low, so that the noise of the batches dies out.

            Returning ones: cosines with warm restarts jump back to {restart:.0f} at the end of a cycle; a triangular
            rate goes up and down in straight lines, {middle:.4f} at step 1000 and {top:.3f} at 2000 on its way between
            0.001 and 0.006. They visit several valleys in one run and need less care with the exact peak.

            Beside them: a warm-up at the start; a range test that finds the peak; and scaling with the batch, by which
            0.1 for 256 becomes {linear:.1f} for 8,192 (linear, for SGD, with a warm-up) or {root:.3f} (root, for Adam).
            Linear scaling fails beyond a critical batch size.
        """,
    ),
    zh=Words(
        question="訓練過程中，有哪些調整學習率的策略？",
        answer="""
            一類是一路往下：階梯式（每 10 個 epoch 減半，第 25 個時是起點的 {step:.2f} 倍）、指數式（k = 0.05，第 20
            個時是 {exp:.4f} 倍）、多項式（次方 0.9，一半時是 {poly:.4f} 倍）、餘弦（四分之三時是 {cosine:.4f} 倍）。
            它們最後都很小，批次的雜訊才會平息下來。

            另一類會再升回來：帶重新啟動的餘弦在每個週期結束時跳回 {restart:.0f} 倍；三角形的循環學習率直線上下，在
            0.001 與 0.006 之間，第 1000 步是 {middle:.4f}，第 2000 步是 {top:.3f}。它們在一次訓練中走訪好幾個谷，對最
            大值的設定也比較不敏感。

            其他做法還有：開頭的暖身、尋找最大值的範圍測試，以及隨批次縮放。批次從 256 變成 8,192 時，0.1 依線性規則變
            成 {linear:.1f}（用於 SGD，搭配暖身），依平方根規則變成 {root:.3f}（多用於 Adam）。線性規則在批次超過某個
            臨界大小後就會失效。
        """,
        names={
            "step": "階梯式（每 10 個減半，第 25 個）",
            "exp": "指數式（k = 0.05，第 20 個）",
            "poly": "多項式（次方 0.9，一半）",
            "cosine": "餘弦（四分之三）",
            "restart": "帶重新啟動的餘弦，週期結束時",
            "middle": "三角形第 1000 步",
            "top": "三角形第 2000 步",
            "linear": "批次 256 到 8192 的線性縮放",
            "root": "平方根縮放",
        },
    ),
    formula="step: γ^⌊t/s⌋\nexp: e^(−k t)\npoly: (1 − t/T)ᵖ\ncosine: (1 + cos(π t/T))/2\n"
    "linear: η·k\nroot: η·√k, k = B/B₀",
    numbers=numbers,
    code="from edgewright.reference.schedules import cosine, cosine_restarts, triangular\n"
    "print([round(cosine(t, 100), 4) for t in (0, 25, 50, 75, 100)])\n"
    "print([round(cosine_restarts(t, 10), 4) for t in (0, 5, 9, 10, 20, 29, 30)])\n"
    "print(triangular(1000, 2000, low=0.001, high=0.006))",
    experiments=(
        "gradient_descent_converges_below_two_over_curvature",
        "cosine_annealing_is_periodic_only_with_restarts",
        "rates_grow_with_the_batch_only_so_far",
    ),
    docs=("optimizers.md", "training.md"),
)
