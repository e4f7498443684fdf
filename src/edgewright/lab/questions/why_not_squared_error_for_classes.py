"""Cross-entropy against squared error behind a sigmoid: what a sure mistake still teaches."""

from collections.abc import Mapping

import numpy as np

from ...reference import loss_gradients
from ...reference.optimizers import How, sgd, walk
from ..finding import Number
from ..question import Question, Words

TRUE = np.array([1.0])


def steps_to_even(gradient) -> int:
    """Steps of SGD at a rate of 1 from a logit of -8 until the label 1 has a probability of one half."""
    path = walk(sgd, How(lr=1.0), slope=lambda z: gradient(z, TRUE), start=np.array([-8.0]), num_steps=4000)
    return 1 + next(step for step, z in enumerate(path) if z[0] >= 0)


def numbers() -> Mapping[str, Number]:
    wrong = np.array([-8.0])
    cross = float(loss_gradients.binary_cross_entropy(wrong, TRUE)[0])
    squared = float(loss_gradients.squared_error_of_sigmoid(wrong, TRUE)[0])
    return {
        "cross": Number(name="gradient of cross-entropy at z = −8, y = 1", value=cross, expected=-0.999665,
                        tolerance=1e-6),
        "squared": Number(name="gradient of squared error there", value=squared, expected=-3.35e-4, tolerance=1e-6),
        "cross_steps": Number(name="steps until p = 0.5, cross-entropy",
                              value=steps_to_even(loss_gradients.binary_cross_entropy)),
        "squared_steps": Number(name="steps until p = 0.5, squared error",
                                value=steps_to_even(loss_gradients.squared_error_of_sigmoid)),
    }  # fmt: skip


QUESTION = Question(
    theme="losses",
    en=Words(
        question="Why is cross-entropy used for classification and not squared error?",
        answer="""
            Because of what a sure mistake teaches. Behind a sigmoid, squared error has the gradient
            (p − y)·p(1 − p), and the last factor is the sigmoid's slope, nearly zero where the network is sure, right
            or wrong. Cross-entropy's logarithm cancels that factor: its gradient is p − y. At a logit of −8 with a
            label of 1 they are {squared:.2e} and {cross:.6f}.

            With steps of rate 1 from there, cross-entropy needs {cross_steps:.0f} steps to p = 0.5, squared error
            {squared_steps:,.0f}.

            Further: cross-entropy is the negative log-likelihood of what classes are, a categorical draw, where squared
            error assumes Gaussian noise; and it is convex in the logits, where squared error of a sigmoid is not.
            Squared error is no nonsense: it is a proper score too (Brier), less harsh on wrong labels, and networks
            that are not saturated learn well with it.
        """,
    ),
    zh=Words(
        question="為什麼分類問題用交叉熵，而不用均方誤差？",
        answer="""
            關鍵在「很有把握卻答錯」時學得到多少。經過 sigmoid 之後，平方誤差的梯度是 (p − y)·p(1 − p)，
            最後的因子是 sigmoid 的斜率，只要網路很有把握，不論對錯都幾乎是零。交叉熵的對數剛好把這個因子消掉，
            梯度就是 p − y。logit 為 −8、標籤為 1 時，兩者分別是 {squared:.2e} 與 {cross:.6f}。

            從那裡以學習率 1 往前走，交叉熵 {cross_steps:.0f} 步就到 p = 0.5，平方誤差要 {squared_steps:,.0f} 步。

            此外，交叉熵是類別分布的負對數概似，平方誤差假設的卻是高斯雜訊；交叉熵對 logit 是凸函數，
            經過 sigmoid 的平方誤差則不是。不過平方誤差並非不能用：它也是正當的評分（Brier 分數），
            對標錯的樣本比較寬容，沒有飽和的網路用它也學得不錯。
        """,
        names={
            "cross": "交叉熵的梯度（z = −8、y = 1）",
            "squared": "平方誤差的梯度",
            "cross_steps": "交叉熵走到 p = 0.5 的步數",
            "squared_steps": "平方誤差走到 p = 0.5 的步數",
        },
    ),
    formula="p = σ(z)\n∂/∂z [−y log p − (1 − y) log(1 − p)] = p − y\n∂/∂z [(p − y)²/2] = (p − y) p (1 − p)",
    numbers=numbers,
    code="import torch\n"
    "for name, loss in (('cross-entropy', lambda p: -p.log()), ('squared', lambda p: (p - 1) ** 2 / 2)):\n"
    "    z = torch.tensor(-8.0, dtype=torch.float64, requires_grad=True)\n"
    "    loss(torch.sigmoid(z)).backward()\n"
    "    print(name, z.grad.item())",
    experiments=("cross_entropy_learns_where_squared_error_sleeps", "cross_entropy_is_negative_log_likelihood"),
    docs=("losses.md",),
)
