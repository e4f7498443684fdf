"""Absolute and squared error as losses: which number each one calls best."""

from collections.abc import Mapping

import numpy as np

from ...reference.regression_losses import REGRESSION
from ..finding import Number
from ..question import Question, Words

VALUES = np.array([1.0, 2.0, 3.0, 4.0, 100.0])
GRID = np.arange(0, 101, 0.5)


def best(name: str) -> float:
    """The one number with the least mean loss to all values."""
    return float(GRID[np.argmin([REGRESSION[name].mean(np.full(5, each), VALUES) for each in GRID])])


def numbers() -> Mapping[str, Number]:
    guess = np.full(5, 3.0)
    pull = {name: np.abs(REGRESSION[name].gradient(guess, VALUES)) for name in ("squared", "absolute")}
    others = pull["squared"][:4].sum()
    return {
        "mean": Number(name="best number under squared error", value=best("squared"), expected=float(VALUES.mean())),
        "median": Number(name="best number under absolute error", value=best("absolute"),
                         expected=float(np.median(VALUES))),
        "share": Number(name="share of the outlier in the pull at 3, squared",
                        value=float(pull["squared"][4] / (others + pull["squared"][4])), expected=97 / 101),
        "even": Number(name="share of the outlier, absolute",
                       value=float(pull["absolute"][4] / pull["absolute"].sum()), expected=0.25),
    }  # fmt: skip


QUESTION = Question(
    theme="losses",
    en=Words(
        question="What distinguishes L1 and L2 as loss functions?",
        answer="""
            L2 is best served by the mean, L1 by the median. Of 1, 2, 3, 4 and 100 the number with the least squared
            error is {mean:.0f}, the one with the least absolute error {median:.0f}: a single outlier moves the first
            far and the second not at all.

            The slopes tell why. L2's is 2d and grows with the mistake: at a guess of 3 the outlier makes {share:.2f} of
            the whole pull. L1's is ±1 for all: there its share is {even:.2f}. Near the goal it is the other way round:
            L2's slope fades, so steps become small by themselves; L1 pulls with full force up to a corner, so a fixed
            rate trembles around the goal.

            As likelihoods L2 belongs to Gaussian noise of fixed variance, L1 to Laplace noise. In images L2 averages
            over the possible answers and blurs; L1 blurs less. Smooth L1 is the usual compromise for boxes.
        """,
    ),
    zh=Words(
        question="L1 與 L2 當作損失函數，有什麼差別？",
        answer="""
            對 L2 最好的答案是平均數，對 L1 最好的是中位數。1、2、3、4、100 五個數，平方誤差最小的是 {mean:.0f}，
            絕對誤差最小的是 {median:.0f}：一個離群值就能把前者拉走，對後者卻毫無影響。

            原因在斜率。L2 的斜率是 2d，錯越多拉得越用力：猜 3 的時候，離群值占了全部拉力的 {share:.2f}。
            L1 的斜率一律是 ±1，離群值只占 {even:.2f}。靠近目標時則相反：L2 的斜率會變小，步伐自然縮短；
            L1 一路用全力拉到尖角，學習率固定就會在目標附近抖動。

            從概似來看，L2 對應變異數固定的高斯雜訊，L1 對應拉普拉斯雜訊。在影像任務裡，
            L2 會把各種可能的答案平均起來，結果偏糊，L1 較不糊。邊界框常用折衷的 smooth L1。
        """,
        names={
            "mean": "平方誤差下最好的數",
            "median": "絕對誤差下最好的數",
            "share": "猜 3 時離群值占拉力的比例（平方）",
            "even": "離群值占拉力的比例（絕對值）",
        },
    ),
    formula="L2 = mean d², slope 2d, least at the mean\nL1 = mean |d|, slope sign(d), least at the median",
    numbers=numbers,
    code="import numpy as np\n"
    "x = np.array([1, 2, 3, 4, 100.0])\n"
    "grid = np.arange(0, 101, 0.5)[:, None]\n"
    "print(grid[((grid - x) ** 2).mean(1).argmin()], grid[abs(grid - x).mean(1).argmin()])",
    experiments=("least_squares_is_maximum_likelihood_for_fixed_sigma",),
    docs=("losses.md", "reference.md"),
)
