"""Cross-entropy is least where the prediction is the truth: entropy plus a divergence that is never negative."""

from collections.abc import Mapping
from math import log

import numpy as np

from ...reference import losses
from ...seeding import numpy_generator
from ..finding import Number
from ..question import Question, Words

TRUTH = np.array([[0.7, 0.2, 0.1]])
GUESS = np.array([[0.5, 0.3, 0.2]])


def cross(said: np.ndarray) -> float:
    """Cross-entropy of probabilities with the truth."""
    return losses.cross_entropy(np.log(said), TRUTH)


def numbers() -> Mapping[str, Number]:
    entropy = -sum(p * log(p) for p in (0.7, 0.2, 0.1))
    divergence = sum(p * log(p / q) for p, q in zip((0.7, 0.2, 0.1), (0.5, 0.3, 0.2), strict=True))
    tried = numpy_generator(0, "predictions").dirichlet(np.ones(3), size=2000)
    picked = losses.cross_entropy(np.log(np.repeat(GUESS, 3, 0)), np.eye(3)[[0, 0, 1]])
    return {
        "entropy": Number(name="cross-entropy of the truth with itself", value=cross(TRUTH), expected=entropy),
        "guess": Number(name="of the prediction 0.5, 0.3, 0.2", value=cross(GUESS), expected=entropy + divergence),
        "above": Number(name="divergence", value=cross(GUESS) - cross(TRUTH), expected=divergence),
        "best": Number(name="how many of 2,000 random predictions are better than the truth",
                       value=sum(cross(each[None]) < cross(TRUTH) for each in tried), expected=0),
        "likelihood": Number(name="e^(−3 · mean loss) of three draws", value=float(np.exp(-3 * picked)),
                             expected=0.5 * 0.5 * 0.3),
    }  # fmt: skip


QUESTION = Question(
    theme="losses",
    en=Words(
        question="Why can cross-entropy serve as a loss?",
        answer="""
            A loss has to be least where the prediction is right, and to say by how much it is not. Cross-entropy is the
            entropy of the truth plus the Kullback-Leibler divergence, which is never negative and zero for the truth
            alone. For a truth of 0.7, 0.2, 0.1 the least value is {entropy:.6f}; the prediction 0.5, 0.3, 0.2 costs
            {guess:.6f}, which is {above:.6f} more. Of 2,000 random predictions {best:.0f} are better than the truth.

            It is also a likelihood: −log of the probability of what was seen. Three draws that the prediction gives
            0.5, 0.5 and 0.3 have the likelihood {likelihood:.3f}, and its logarithm is minus three times the mean loss.
            So making it small is maximum likelihood, and honest probabilities are the best answer (a proper score).

            Last, it can be learnt from: differentiable, convex in the logits, with the gradient p − y. The entropy
            part is fixed by the data, so a loss that does not reach 0 need not be a failure.
        """,
    ),
    zh=Words(
        question="交叉熵為什麼可以當作損失函數？",
        answer="""
            損失函數必須在預測正確時最小，而且能說出差了多少。交叉熵等於真實分布的熵加上 KL 散度，而 KL 散度不會是負的，
            只有預測等於真實時才是零。真實分布為 0.7、0.2、0.1 時，最小值是 {entropy:.6f}；預測 0.5、0.3、0.2 的代價是
            {guess:.6f}，多了 {above:.6f}。隨機試 2,000 種預測，比真實分布更好的有 {best:.0f} 種。

            它也是概似：觀察到的結果之機率的 −log。三次觀察的預測機率是 0.5、0.5、0.3，概似為 {likelihood:.3f}，
            其對數就是平均損失的 −3 倍。所以讓交叉熵變小就是最大概似估計，誠實的機率就是最好的答案
            （這叫做 proper score，正當的評分）。

            最後，它學得動：可微分，對 logit 是凸函數，梯度是 p − y。熵的部分由資料決定，
            因此損失降不到 0 不代表訓練失敗。
        """,
        names={
            "entropy": "真實分布與自己的交叉熵",
            "guess": "預測 0.5、0.3、0.2 的交叉熵",
            "above": "KL 散度",
            "best": "2,000 種隨機預測中優於真實分布的個數",
            "likelihood": "三次觀察的概似 e^(−3 · 平均損失)",
        },
    ),
    formula="H(y, p) = −Σ y log p = H(y) + KL(y ‖ p) ≥ H(y)\nKL(y ‖ p) = Σ y log(y/p)",
    numbers=numbers,
    code="import numpy as np\n"
    "y, p = np.array([0.7, 0.2, 0.1]), np.array([0.5, 0.3, 0.2])\n"
    "print(-(y * np.log(p)).sum(), -(y * np.log(y)).sum() + (y * np.log(y / p)).sum())",
    experiments=("cross_entropy_is_negative_log_likelihood", "cross_entropy_learns_where_squared_error_sleeps"),
    docs=("losses.md", "reference.md"),
)
