"""Bad minima, saddles, and how much of the story is proved."""

from collections.abc import Mapping

import numpy as np

from ...seeding import numpy_generator
from ..finding import Number
from ..question import Question, Words
from ..statistics import share_of

CLOSED = {1: 0.5, 2: 0.146447, 3: 0.024921}
NUM_DRAWS = 20_000


def numbers() -> Mapping[str, Number]:
    found = {}
    for n, expected in CLOSED.items():
        draws = numpy_generator(0, "symmetric", n).standard_normal((NUM_DRAWS, n, n))
        lowest = np.linalg.eigvalsh((draws + draws.transpose(0, 2, 1)) / 2)[:, 0]
        found[f"n{n}"] = share_of(lowest > 0, f"share of minima, n = {n}", expected=expected)
    return {
        **found,
        "swaps": Number(name="orders of 10 hidden units that give the same network",
                        value=float(np.prod(np.arange(1.0, 11))), expected=3_628_800),
    }  # fmt: skip


QUESTION = Question(
    theme="landscape",
    en=Words(
        question="Why do deep networks seldom get stuck in bad local minima?",
        answer="""
            A point with zero gradient is a minimum only if the loss curves upwards in every direction. With thousands
            of directions this is rare; most critical points are saddles, and noise in the gradients leads off them. In
            a model where the Hessian is a random symmetric matrix the share of minima is {n1:.3f}, {n2:.4f} and
            {n3:.4f} in 1, 2 and 3 dimensions (drawn), and it falls exponentially from there. Points of high loss are
            even less likely to be minima, so the minima that exist lie low.

            There are also many equally good ones: ten hidden units can be ordered in {swaps:,.0f} ways without any
            change of the function, and a network with more weights than it needs has whole valleys of solutions.

            What is proved is narrower than what is said. "No bad minima" is a theorem for deep linear networks; the
            random matrix is a model, not a property of your network; small ReLU networks do have bad minima. And a
            training can stop at a saddle or a plateau all the same, full batches above all.
        """,
    ),
    zh=Words(
        question="深度網路為什麼很少卡在差的局部最小值？",
        answer="""
            梯度為零的點，要每個方向都往上彎才算最小值。方向成千上萬時，這非常罕見，臨界點多半是鞍點，
            而梯度的雜訊會把參數帶離鞍點。若把 Hessian 當成隨機對稱矩陣，臨界點是最小值的比例在 1、2、
            3 維分別是 {n1:.3f}、{n2:.4f}、{n3:.4f}（抽樣所得），之後指數下降。損失越高的臨界點越不可能是最小值，
            因此真正的最小值大多損失很低。

            好的解也不只一個：十個隱藏單元有 {swaps:,.0f} 種排列，函數完全不變；權重有餘的網路，解更是連成一片谷地。

            不過，真正證明了的比一般說法窄得多。「沒有差的最小值」是深度線性網路的定理；隨機矩陣只是模型，
            不是你的網路的性質；小的 ReLU 網路確實有差的最小值。訓練也仍可能停在鞍點或平坦處，
            用整個資料集當批次時尤其如此。
        """,
        names={
            "n1": "最小值的比例，n = 1",
            "n2": "最小值的比例，n = 2",
            "n3": "最小值的比例，n = 3",
            "swaps": "十個隱藏單元的等價排列數",
        },
    ),
    formula="minimum: all eigenvalues of the Hessian > 0\nP(n = 1, 2, 3) = 1/2, (2 − √2)/4, (π − 2√2)/(4π)",
    numbers=numbers,
    code="edgewright lab run saddles_outnumber_minima_in_high_dimension --fast",
    experiments=(
        "saddles_outnumber_minima_in_high_dimension",
        "deep_linear_networks_have_no_bad_minima",
        "gradient_noise_leaves_saddles",
        "hessian_eigenvalues_tell_minima_from_saddles",
        "wide_networks_end_in_one_loss",
    ),
)
