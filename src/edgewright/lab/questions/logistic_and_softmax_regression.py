"""Two classes by a sigmoid, or by a softmax of two logits: the same model."""

from collections.abc import Mapping

import numpy as np

from ...reference.losses import binary_cross_entropy, cross_entropy
from ...reference.stable import sigmoid, softmax
from ...seeding import numpy_generator
from ..finding import Number
from ..question import Question, Words

NUM_STEPS, LR = 300, 0.5


def numbers() -> Mapping[str, Number]:
    generator = numpy_generator(0, "two classes")
    x = np.c_[generator.standard_normal((200, 2)), np.ones(200)]
    y = (x @ np.array([1.5, -1.0, 0.3]) + generator.standard_normal(200) > 0).astype(int)
    both, one = np.zeros((3, 2)), np.zeros(3)
    for _ in range(NUM_STEPS):
        both -= LR / 2 * x.T @ (softmax(x @ both) - np.eye(2)[y]) / len(x)
        one -= LR * x.T @ (sigmoid(x @ one) - y) / len(x)
    gap = float(np.abs(sigmoid(x @ one) - softmax(x @ both)[:, 1]).max())
    losses = binary_cross_entropy(x @ one, y) - cross_entropy(x @ both, np.eye(2)[y])
    moved = np.abs(softmax(x @ (both + 7.0)) - softmax(x @ both)).max()
    return {
        "soft": Number(name="softmax of (1.2, −0.3), first", value=softmax(np.array([1.2, -0.3]))[0],
                       expected=0.817574, tolerance=1e-6),
        "sig": Number(name="sigmoid(1.5)", value=float(sigmoid(1.5)), expected=0.817574, tolerance=1e-6),
        "gap": Number(name="probabilities of both fits, largest gap", value=gap, expected=0.0, tolerance=1e-12),
        "loss": Number(name="losses of both fits, gap", value=abs(losses), expected=0.0, tolerance=1e-12),
        "moved": Number(name="change when one vector is added to all classes' weights", value=float(moved),
                        expected=0.0, tolerance=1e-12),
        "w1": Number(name="parameters, logistic, 2 features", value=one.size, expected=3),
        "w2": Number(name="parameters, softmax, 2 classes", value=both.size, expected=6),
    }  # fmt: skip


QUESTION = Question(
    theme="losses",
    en=Words(
        question="How are logistic and softmax regression related?",
        answer="""
            Softmax regression is logistic regression for more than two classes, and with two classes they are the same
            model: the softmax of two logits is the sigmoid of their difference. softmax(1.2, −0.3) gives {soft:.6f},
            sigmoid(1.5) {sig:.6f}. Both are linear in the features, both have a convex loss, and both gradients are (p
            − y)x.

            Fitted to the same 200 samples, both from zero, they give the same probabilities (largest gap {gap:.0e})
            and the same loss (gap {loss:.0e}). The softmax takes half of the step here, for each of its two weight
            vectors carries half of the difference.

            The softmax has more parameters than it needs, {w2:.0f} against {w1:.0f}: adding one vector to the weights
            of all classes changes nothing ({moved:.0e}). So its weights are unique only with a penalty or with one
            class held at zero. For K classes that exclude each other take softmax; for labels that may come together,
            one logistic regression per label.
        """,
    ),
    zh=Words(
        question="邏輯迴歸與 softmax 迴歸有什麼關係？",
        answer="""
            softmax 迴歸就是多類別版的邏輯迴歸；只有兩類時，兩者是同一個模型：兩個 logits 的 softmax 等於它們之差的
            sigmoid。softmax(1.2, −0.3) 的第一項是 {soft:.6f}，sigmoid(1.5) 是 {sig:.6f}。兩者對特徵都是線性的，
            損失都是凸的，梯度也都是 (p − y)x。

            用同樣 200 個樣本、同樣從零開始訓練，得到的機率相同（最大差距 {gap:.0e}），損失也相同（差距 {loss:.0e}）。
            這裡 softmax 的步伐取一半，因為它的兩個權重向量各負擔一半的差值。

            softmax 的參數比需要的多，{w2:.0f} 個對 {w1:.0f} 個：所有類別的權重同加一個向量，結果不變（{moved:.0e}），
            因此要加上懲罰項，或把其中一類固定為零，權重才唯一。K 個類別互斥時用 softmax；標籤可以同時成立時，
            每個標籤各用一個邏輯迴歸。
        """,
        names={
            "soft": "softmax(1.2, −0.3) 的第一項",
            "gap": "兩個模型的機率最大差距",
            "loss": "兩個模型的損失差距",
            "moved": "所有類別同加一個向量造成的改變",
            "w1": "邏輯迴歸的參數數（2 個特徵）",
            "w2": "softmax 迴歸的參數數（2 類）",
        },
    ),
    formula="softmax(z₁, z₂)₁ = 1/(1 + e^{−(z₁ − z₂)}) = σ(z₁ − z₂)\nlogistic: w = w₁ − w₂\n∂L/∂w = (p − y)·x",
    numbers=numbers,
    code="import numpy as np\n"
    "from edgewright.reference.stable import sigmoid, softmax\n"
    "z = np.array([1.2, -0.3])\n"
    "print(softmax(z)[0], sigmoid(z[0] - z[1]))",
    experiments=("cross_entropy_is_negative_log_likelihood", "cross_entropy_learns_where_squared_error_sleeps"),
    docs=("losses.md", "reference.md"),
)
