"""Local minima and saddle points: how to tell them apart, and what descent does at each."""

from collections.abc import Mapping
from math import ceil, log, sqrt

import numpy as np

from ...reference.optimizers import How, sgd, walk
from ...seeding import numpy_generator
from ..finding import Number
from ..question import Question, Words
from ..statistics import share_of

BOWL, SADDLE = np.diag([2.0, 2.0]), np.diag([2.0, -2.0])  # Hessians of x² + y² and x² - y²


def slope(w: np.ndarray) -> np.ndarray:
    """Of x² - y²."""
    return SADDLE @ w


def numbers() -> Mapping[str, Number]:
    still = walk(sgd, How(lr=0.1), slope=slope, start=np.array([1.0, 0.0]), num_steps=200)[-1]
    nudged = walk(sgd, How(lr=0.1), slope=slope, start=np.array([1.0, 1e-6]), num_steps=200)
    away = 1 + next(step for step, w in enumerate(nudged) if abs(w[1]) > 1)
    drawn = numpy_generator(0, "random Hessians").standard_normal((4000, 2, 2))
    sure = np.linalg.eigvalsh(drawn + drawn.transpose(0, 2, 1)) > 0
    return {
        "bowl": Number(name="smallest curvature of x² + y²", value=float(np.linalg.eigvalsh(BOWL)[0]), expected=2.0),
        "saddle": Number(name="smallest curvature of x² − y²", value=float(np.linalg.eigvalsh(SADDLE)[0]),
                         expected=-2.0),
        "still": Number(name="|w| after 200 exact steps from (1, 0)", value=float(np.linalg.norm(still)), expected=0.0,
                        tolerance=1e-9),
        "away": Number(name="steps to get away from (1, 1e-6)", value=away, expected=ceil(log(1e6) / log(1.2))),
        "share": share_of(np.all(sure, axis=1), "random Hessians of two dimensions that are minima",
                          expected=(2 - sqrt(2)) / 4),
    }  # fmt: skip


QUESTION = Question(
    theme="landscape",
    en=Words(
        question="What are local minima and saddle points, and which of them troubles deep learning?",
        answer="""
            Both have no slope; the curvatures tell them apart. At a minimum all eigenvalues of the Hessian are
            positive: those of x² + y² begin at {bowl:.0f}. At a saddle they have both signs: x² − y² has one of
            {saddle:.0f}, and there it goes down.

            Exact gradient descent can stop at a saddle: from (1, 0) on x² − y² it ends {still:.0e} from it. But a
            nudge of a millionth grows by a factor of 1.2 each step, and after {away:.0f} steps the point is gone. The
            noise of small batches is such a nudge. Leaving takes a number of steps that grows with the logarithm of how
            small the nudge is, which is felt as a long plateau.

            With many dimensions saddles dominate, at least in a random model: that a random symmetric 2 × 2 matrix has
            only positive eigenvalues happens in {share:.3f} of the cases, and the chance falls extremely fast with the
            dimension. Real losses are not random matrices, so this is a picture and not a proof.
        """,
    ),
    zh=Words(
        question="什麼是局部最小值與鞍點？深度學習真正麻煩的是哪一個？",
        answer="""
            兩者的梯度都是零，要看曲率才分得出來。最小值處 Hessian 的特徵值全部為正：x² + y² 最小的是 {bowl:.0f}。
            鞍點則有正有負：x² − y² 有一個 {saddle:.0f}，沿著那個方向還能往下走。

            精確的梯度下降可能停在鞍點：在 x² − y² 上從 (1, 0) 出發，最後離鞍點只有 {still:.0e}。
            但只要偏離百萬分之一，每一步就放大 1.2 倍，{away:.0f} 步之後已經離開。小批次的雜訊正是這種推力。
            離開所需的步數與「推力有多小」的對數成正比，訓練時看起來就是一段很長的平原。

            維度一高，鞍點就占多數，至少在隨機模型裡如此：隨機的 2 × 2 對稱矩陣特徵值全為正的比例是 {share:.3f}，
            而且隨維度上升會極快地下降。真實的損失函數並不是隨機矩陣，所以這只是幫助想像的模型，不是證明。
        """,
        names={
            "bowl": "x² + y² 的最小曲率",
            "saddle": "x² − y² 的最小曲率",
            "still": "從 (1, 0) 精確走 200 步後的 |w|",
            "away": "從 (1, 1e-6) 離開所需步數",
            "share": "二維隨機 Hessian 為最小值的比例",
        },
    ),
    formula="∇f = 0;  all λᵢ > 0: minimum\nall λᵢ < 0: maximum\nboth signs: saddle\n"
    "escape: (1 + η|λ|)ᵗ ε = 1, t = log(1/ε)/log(1 + η|λ|)",
    numbers=numbers,
    code="import numpy as np\nprint(np.linalg.eigvalsh([[2, 0], [0, -2]]))",
    experiments=(
        "hessian_eigenvalues_tell_minima_from_saddles",
        "gradient_noise_leaves_saddles",
        "saddles_outnumber_minima_in_high_dimension",
    ),
    docs=("reference.md",),
)
