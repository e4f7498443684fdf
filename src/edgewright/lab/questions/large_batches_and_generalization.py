"""Do large batches generalize worse? What the batch and the rate do to the noise of SGD, exactly."""

from collections.abc import Mapping

from ...reference.schedules import scaled
from ..finding import Number
from ..question import Question, Words

CURVATURE, SPREAD = 0.1, 1.0  # of the loss, and the variance of one sample's gradient


def settled(rate: float, batch: int) -> float:
    """Variance of a weight around the minimum of a parabola after many steps of SGD."""
    variance, keep = 0.0, 1 - rate * CURVATURE
    for _ in range(5000):
        variance = keep**2 * variance + rate**2 * SPREAD / batch
    return variance


def closed(rate: float, batch: int) -> float:
    return rate * SPREAD / (batch * CURVATURE * (2 - rate * CURVATURE))


def numbers() -> Mapping[str, Number]:
    rate = scaled(0.1, batch_size=256, base_batch_size=32)
    huge = scaled(0.1, batch_size=8192, base_batch_size=32)
    return {
        "small": Number(name="variance at batch 32, rate 0.1", value=settled(0.1, 32), expected=closed(0.1, 32)),
        "same": Number(name="at batch 256, rate 0.1", value=settled(0.1, 256), expected=closed(0.1, 256)),
        "rate": Number(name="rate scaled to batch 256", value=rate, expected=0.8),
        "scaled": Number(name="variance there", value=settled(rate, 256), expected=closed(rate, 256)),
        "huge": Number(name="rate scaled to batch 8192", value=huge, expected=25.6),
        "factor": Number(name="what a step then does to the distance", value=abs(1 - huge * CURVATURE), expected=1.56),
    }


QUESTION = Question(
    theme="landscape",
    en=Words(
        question="Do large batches generalize worse, and what can be done about it?",
        answer="""
            At the same learning rate, often somewhat. A batch of B divides the variance of the gradient by B, so the
            weights rest more quietly in whatever valley they fell into, sharp ones too. On a parabola with curvature
            0.1 the weight's variance around the minimum is {small:.5f} for batch 32 at a rate of 0.1, and {same:.5f}
            for batch 256.

            That is an effect of the rate as much as of the batch. The noise goes with η/B: scaled linearly to
            {rate:.1f}, batch 256 has {scaled:.5f}, nearly what batch 32 had. With a scaled rate, a warm-up and as many
            steps, most of the gap goes away (Goyal 2017, Hoffer 2017). Up to a limit: for batch 8,192 the rule says
            {huge:.1f}, and there each step multiplies the distance by {factor:.2f}: it diverges. LARS and LAMB reach
            further.

            That sharp minima are the reason is not settled: sharpness can be changed at will by rescaling weights
            without changing the function (Dinh 2017). Measure both batches with tuned rates and several seeds.
        """,
    ),
    zh=Words(
        question="大批次訓練的泛化能力比較差嗎？可以怎麼處理？",
        answer="""
            學習率不變時，往往會差一些。批次為 B，梯度的變異數就除以 B，權重落進哪個谷就安穩地待在那裡，尖的谷也一樣。
            在曲率 0.1 的拋物線上，學習率 0.1，批次 32 時權重在最小值附近的變異數是 {small:.5f}，批次 256 是
            {same:.5f}。

            不過這既是批次的影響，也是學習率的影響，因為雜訊大小取決於 η/B：批次 256 若把學習率線性放大為 {rate:.1f}，
            變異數是 {scaled:.5f}，幾乎回到批次 32 的水準。放大學習率、加上暖身、步數也補足之後，差距大多會消失
            （Goyal 2017、Hoffer 2017）。但這有極限：批次 8,192 時，規則給出的學習率是 {huge:.1f}，每一步會把距離放大
            {factor:.2f} 倍，於是發散。LARS 與 LAMB 可以撐到更大的批次。

            「因為落在尖銳的最小值」這個解釋尚無定論：只要重新縮放權重，函數不變，尖銳程度卻可以任意改變（Dinh
            2017）。比較時，兩種批次都要各自調好學習率，並用好幾個隨機種子。
        """,
        names={
            "small": "批次 32、學習率 0.1 的變異數",
            "same": "批次 256、學習率 0.1 的變異數",
            "rate": "線性放大到批次 256 的學習率",
            "scaled": "放大後的變異數",
            "huge": "線性放大到批次 8192 的學習率",
            "factor": "此時每一步的距離倍率",
        },
    ),
    formula="Var(ĝ) = s²/B\nstationary: Var(w) = η s²/(B h (2 − η h))\nlinear rule: η·k, needs η h < 2",
    numbers=numbers,
    code="from edgewright.reference.schedules import scaled\n"
    "print(scaled(0.1, batch_size=8192, base_batch_size=256))\n"
    "print(scaled(0.1, batch_size=8192, base_batch_size=256, root=True))",
    experiments=(
        "gradient_variance_falls_with_the_batch",
        "gradient_descent_converges_below_two_over_curvature",
        "large_batches_find_sharp_minima_at_one_rate",
        "rates_grow_with_the_batch_only_so_far",
        "sharpness_changes_while_the_function_stays",
        "small_batches_leave_sharp_basins",
    ),
    docs=("optimizers.md", "scale.md"),
)
