"""The factor T^2 in front of the soft loss of distillation."""

from collections.abc import Mapping

import numpy as np

from ...reference.distillation import soft_targets_gradient
from ...reference.loss_gradients import cross_entropy
from ..finding import Number
from ..question import Question, Words

TEACHER, STUDENT = np.array([[5.0, 2.0, 1.0]]), np.array([[3.0, 1.0, 0.5]])


def numbers() -> Mapping[str, Number]:
    hard = float(np.linalg.norm(cross_entropy(STUDENT, np.array([[1.0, 0.0, 0.0]]))))
    soft = {t: soft_targets_gradient(STUDENT, TEACHER, temperature=float(t))[0] for t in (1, 2, 4, 16, 100)}
    sizes = {t: float(np.linalg.norm(each)) for t, each in soft.items()}
    return {
        "one": Number(name="first slope, T=1", value=soft[1][0], expected=-0.114831, tolerance=1e-6),
        "two": Number(name="first slope times T², T=2", value=soft[2][0], expected=-0.263340, tolerance=1e-6),
        "four": Number(name="first slope times T², T=4", value=soft[4][0], expected=-0.306028, tolerance=1e-6),
        "sixteen": Number(name="first slope times T², T=16", value=soft[16][0], expected=-0.291351, tolerance=1e-6),
        "limit": Number(name="first slope times T², T=100", value=soft[100][0], expected=-5 / 18, tolerance=3e-3),
        "plain": Number(name="hard / soft gradient at T=16, no factor", value=hard / (sizes[16] / 256)),
        "kept": Number(name="hard / soft gradient at T=16, times T²", value=hard / sizes[16]),
        "falls": Number(name="soft gradient without the factor, T=100 over T=16", value=sizes[100] / sizes[16] * 0.0256,
                        expected=0.0256, tolerance=2e-3),
    }  # fmt: skip


QUESTION = Question(
    theme="distillation",
    en=Words(
        question="Why is the soft loss of distillation multiplied by T²?",
        answer="""
            The slope of the soft loss by the student's logits is (q_s − q_t)/T, exactly: one 1/T comes from the chain
            rule. At high temperatures both distributions get flat, and their difference shrinks by about another 1/T.
            So the soft gradient falls like 1/T², and a new temperature would silently change the weights of the two
            losses. T² undoes it.

            For a teacher (5, 2, 1) and a student (3, 1, 0.5) the first slope times T² is {one:.4f}, {two:.4f},
            {four:.4f} and {sixteen:.4f} at T = 1, 2, 4, 16, and {limit:.4f} at 100, on its way to −0.2778. Without the
            factor the hard gradient would be {plain:.0f} times the soft one at T = 16; with it, {kept:.2f} times. From
            16 to 100 the plain soft gradient falls to {falls:.4f} of itself, about (16/100)².

            Two things are often said wrongly: 1/T² is the law for large T only (from T = 1 to 2 the number above still
            doubles), and T² belongs to the soft term alone, not to the hard one.
        """,
    ),
    zh=Words(
        question="蒸餾的軟損失為什麼要乘上 T²？",
        answer="""
            軟損失對學生 logits 的梯度恰好是 (q_s − q_t)/T：連鎖律帶來一個 1/T。溫度高時兩個分布都變平，
            差距又大約縮小 1/T。所以軟梯度大致按 1/T² 衰減；換個溫度，就等於悄悄改了兩項損失的比重，乘上 T² 可以抵銷。

            以教師 (5, 2, 1)、學生 (3, 1, 0.5) 為例，第一個分量乘上 T² 之後，T = 1、2、4、16 時分別是 {one:.4f}、
            {two:.4f}、{four:.4f}、{sixteen:.4f}，T = 100 時是 {limit:.4f}，逐漸趨近 −0.2778。T = 16 時若不乘，
            硬梯度是軟梯度的 {plain:.0f} 倍；乘了之後是 {kept:.2f} 倍。從 16 到 100，
            未乘的軟梯度降為原來的 {falls:.4f}，大約就是 (16/100)²。

            常見的兩個說法並不正確：1/T² 只在 T 很大時成立（上面 T = 1 到 2 還差了一倍多）；T² 只屬於軟的那一項，
            不乘在硬損失上。
        """,
        names={
            "one": "T=1 的第一個分量",
            "two": "T=2 的第一個分量 × T²",
            "four": "T=4 的第一個分量 × T²",
            "sixteen": "T=16 的第一個分量 × T²",
            "limit": "T=100 的第一個分量 × T²",
            "plain": "T=16 不乘 T²：硬梯度／軟梯度",
            "kept": "T=16 乘 T²：硬梯度／軟梯度",
            "falls": "未乘 T² 的軟梯度：T=100／T=16",
        },
    ),
    formula="L = α·CE(y, softmax(z_s)) + β·T²·KL(q_t ‖ q_s)   q = softmax(z/T)\n"
    "∂KL/∂z_s = (q_s − q_t)/T → (z̄_s − z̄_t)/(K·T²)",
    numbers=numbers,
    code="import numpy as np\n"
    "from edgewright.reference.distillation import soft_targets_gradient\n"
    "teacher, student = np.array([[5.0, 2, 1]]), np.array([[3.0, 1, 0.5]])\n"
    "for t in (1.0, 2.0, 4.0, 16.0, 100.0):\n"
    "    with_factor = soft_targets_gradient(student, teacher, temperature=t)\n"
    "    print(t, with_factor, with_factor / t**2)",
    experiments=("soft_gradients_fall_as_one_over_t_squared", "temperature_softens_from_one_hot_to_uniform"),
    docs=("distillation.md",),
)
