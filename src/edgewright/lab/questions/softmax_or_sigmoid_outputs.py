"""Which output for classes that exclude each other, and which for labels that may come together."""

from collections.abc import Mapping

import numpy as np

from ...reference.losses import binary_cross_entropy, cross_entropy
from ...reference.stable import sigmoid, softmax
from ..finding import Number
from ..question import Question, Words

LOGITS = np.array([2.0, 1.5, -1.0])
FOUR, LABELS = np.array([-0.5, 1.2, -0.1, 0.8]), np.array([0, 1, 0, 1])


def numbers() -> Mapping[str, Number]:
    shares, each = softmax(LOGITS), sigmoid(LOGITS)
    raised = softmax(LOGITS + np.array([0.0, 3.0, 0.0]))
    one_hot = np.array([[0.0, 1.0, 0.0]])
    return {
        "soft": Number(name="softmax, sum", value=float(shares.sum()), expected=1.0),
        "sig": Number(name="sigmoids, sum", value=float(each.sum()), expected=0.880797 + 0.817574 + 0.268941,
                      tolerance=1e-5),
        "first": Number(name="first share", value=shares[0], expected=1 / (1 + np.exp(-0.5) + np.exp(-3.0))),
        "raised": Number(name="first share, second logit 3 higher", value=raised[0]),
        "bce": Number(name="binary cross-entropy, four labels", value=binary_cross_entropy(FOUR, LABELS),
                      expected=0.438214, tolerance=1e-6),
        "ce": Number(name="cross-entropy of (0.1, 2, 0.5), second class",
                     value=cross_entropy(np.array([[0.1, 2.0, 0.5]]), one_hot), expected=0.316779, tolerance=1e-6),
        "chosen": Number(name="labels above 0.5", value=float((sigmoid(FOUR) > 0.5).sum()), expected=2.0),
    }  # fmt: skip


QUESTION = Question(
    theme="losses",
    en=Words(
        question="Softmax or sigmoid at the output of a classifier of many classes?",
        answer="""
            Exactly one class per sample: softmax. Its shares sum to {soft:.0f} and compete. For logits (2, 1.5, −1)
            the first gets {first:.3f}; when the second rises by 3 the first falls to {raised:.3f} though its own logit
            did not change. The loss is cross-entropy, −log of the true share ({ce:.4f} for (0.1, 2, 0.5) and the
            second class), the decision the largest logit.

            Any number of labels per sample: one sigmoid for each, independent; here they sum to {sig:.2f}, which means
            nothing. The loss is binary cross-entropy, a mean over labels ({bce:.6f} for four labels), the decision a
            threshold per label ({chosen:.0f} of these four above 0.5), which may be chosen on validation data.

            Sigmoids can be trained on exclusive classes too (one against the rest), and detectors like it where
            negatives abound. What is wrong is softmax for several true labels: two labels that are both certain get a
            half each.
        """,
    ),
    zh=Words(
        question="多類別分類的輸出該用 softmax 還是 sigmoid？",
        answer="""
            每個樣本剛好屬於一類：用 softmax。比例總和是 {soft:.0f}，彼此競爭。logits 為 (2, 1.5, −1) 時，
            第一類是 {first:.3f}；把第二個 logit 提高 3，第一類就降到 {raised:.3f}，雖然它自己的 logit 沒變。
            損失用交叉熵，也就是正確類別比例的 −log（(0.1, 2, 0.5)、正確為第二類時是 {ce:.4f}），決策取最大的 logit。

            每個樣本可以有任意多個標籤：每個標籤各用一個 sigmoid，互相獨立；這裡總和是 {sig:.2f}，沒有意義。
            損失用二元交叉熵，對標籤取平均（例中四個標籤是 {bce:.6f}）；決策是每個標籤各設門檻（這四個有 {chosen:.0f}
            個超過 0.5），門檻可以用驗證集來選。

            互斥的類別也可以用 sigmoid 訓練（一對其餘），負樣本極多的偵測器就常這麼做。
            真正錯的是有多個正確標籤時還用 softmax：兩個都百分之百確定的標籤，會各只拿到一半。
        """,
        names={
            "soft": "softmax 的總和",
            "sig": "sigmoid 的總和",
            "first": "第一類的比例",
            "raised": "第二個 logit 提高 3 後的第一類",
            "bce": "四個標籤的二元交叉熵",
            "ce": "(0.1, 2, 0.5)、第二類的交叉熵",
            "chosen": "超過 0.5 的標籤數",
        },
    ),
    formula="softmax: p_i = e^{z_i}/Σe^{z_j},  L = −log p_y\n"
    "sigmoids: p_i = σ(z_i)\n"
    "L = −(1/K) Σ [y_i log p_i + (1 − y_i) log(1 − p_i)]\n"
    "both: ∂L/∂z ∝ p − y",
    numbers=numbers,
    code="import torch\n"
    "from torch.nn import functional as F\n"
    "print(F.cross_entropy(torch.tensor([[0.1, 2.0, 0.5]]), torch.tensor([1])))\n"
    "logits, labels = torch.tensor([-0.5, 1.2, -0.1, 0.8]), torch.tensor([0.0, 1, 0, 1])\n"
    "print(F.binary_cross_entropy_with_logits(logits, labels), logits.sigmoid() > 0.5)",
    experiments=("cross_entropy_learns_where_squared_error_sleeps", "focal_loss_lets_rare_positives_speak"),
    docs=("losses.md",),
)
