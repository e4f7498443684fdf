"""Binary cross-entropy: from one probability, and from one logit without overflow."""

from collections.abc import Mapping
from math import log

import numpy as np

from ...reference import loss_gradients, losses
from ...reference.stable import sigmoid
from ..finding import Number
from ..question import Question, Words


def numbers() -> Mapping[str, Number]:
    one, true = np.array([0.5]), np.array([1.0])
    labels = np.array([0.0, 1.0, 0.0, 1.0])
    logit = np.log(0.92 / 0.08)
    return {
        "sure": Number(name="of p = 0.92, true", value=losses.binary_cross_entropy(np.array([logit]), true),
                       expected=0.083382, tolerance=1e-6),
        "one": Number(name="of logit 0.5, true", value=losses.binary_cross_entropy(one, true), expected=0.474077,
                      tolerance=1e-6),
        "four": Number(name="mean of four labels",
                       value=losses.binary_cross_entropy(np.array([-0.5, 1.2, -0.1, 0.8]), labels),
                       expected=0.438214, tolerance=1e-6),
        "slope": Number(name="gradient at logit 0.5, true",
                        value=float(loss_gradients.binary_cross_entropy(one, true)[0]), expected=sigmoid(0.5) - 1),
        "guess": Number(name="of logit 0", value=losses.binary_cross_entropy(np.zeros(1), true), expected=log(2)),
        "huge": Number(name="of logit −10,000, true", value=losses.binary_cross_entropy(np.array([-1e4]), true),
                       expected=1e4),
    }  # fmt: skip


QUESTION = Question(
    theme="losses",
    en=Words(
        question="What is the binary cross-entropy loss?",
        answer="""
            The negative log-likelihood of a yes or no: −log p if the label is 1, −log(1 − p) if it is 0. With p = 0.92
            and a label of 1 that is {sure:.6f}; a guess at p = 0.5 costs log 2 = {guess:.4f}.

            With p the sigmoid of a logit z the gradient is p − y, at z = 0.5 and y = 1 {slope:.4f}; the loss there is
            {one:.6f}. For several labels it is the mean over all: logits −0.5, 1.2, −0.1, 0.8 with labels 0, 1, 0, 1
            give {four:.6f}.

            Compute it from the logit as max(z, 0) − zy + log(1 + e^−|z|), which never overflows: a logit of −10,000
            with a label of 1 costs {huge:,.0f}, while the sigmoid has become 0 and its logarithm −∞. Where positives
            are rare their term can be weighted, at the price of probabilities that are no longer calibrated.
        """,
    ),
    zh=Words(
        question="什麼是二元交叉熵（BCE）損失函數？",
        answer="""
            它是「是或否」的負對數概似：標籤為 1 時是 −log p，標籤為 0 時是 −log(1 − p)。p = 0.92、標籤為 1 時是
            {sure:.6f}；p = 0.5 的亂猜則是 log 2 = {guess:.4f}。

            p 若是 logit z 的 sigmoid，梯度就是 p − y：z = 0.5、y = 1 時梯度是 {slope:.4f}，損失是 {one:.6f}。
            有好幾個標籤時取全部的平均：logit 為 −0.5、1.2、−0.1、0.8，標籤為 0、1、0、1，得到 {four:.6f}。

            計算時直接用 logit：max(z, 0) − zy + log(1 + e^−|z|)，永遠不會溢位。logit 為 −10,000、標籤為 1 時損失是
            {huge:,.0f}；若先算 sigmoid，它已經變成 0，取對數就成了 −∞。正樣本很少時可以把那一項加權，
            代價是輸出的機率不再校準。
        """,
        names={
            "sure": "p = 0.92、標籤 1",
            "one": "logit 0.5、標籤 1",
            "four": "四個標籤的平均",
            "slope": "logit 0.5、標籤 1 的梯度",
            "guess": "logit 0",
            "huge": "logit −10,000、標籤 1",
        },
    ),
    formula="L = −[y log p + (1 − y) log(1 − p)] = max(z, 0) − z y + log(1 + e^(−|z|))\np = σ(z)\n∂L/∂z = p − y",
    numbers=numbers,
    code="import torch\n"
    "from torch.nn.functional import binary_cross_entropy_with_logits as bce\n"
    "print(bce(torch.tensor([-0.5, 1.2, -0.1, 0.8]), torch.tensor([0.0, 1.0, 0.0, 1.0])))\n"
    "print(bce(torch.tensor([-1e4]), torch.tensor([1.0])))",
    experiments=("cross_entropy_is_negative_log_likelihood", "cross_entropy_learns_where_squared_error_sleeps"),
    docs=("losses.md", "reference.md"),
)
