"""Xavier, He, LeCun, orthogonal: one condition each."""

from collections.abc import Mapping

import numpy as np

from ...reference.initialization import GAINS, fans, he_normal, orthogonal, xavier_uniform
from ...seeding import numpy_generator
from ..experiments.backpropagation._stack import walk
from ..finding import Number
from ..question import Question, Words


def numbers() -> Mapping[str, Number]:
    generator = numpy_generator(0, "initializers")
    drawn = he_normal((256, 784), generator)
    bound = float(np.abs(xavier_uniform((64, 784), generator)).max())
    singular = np.linalg.svd(orthogonal((32, 64), generator), compute_uv=False)
    fan_in, _ = fans((8, 8, 3, 3))
    per_layer = {gain: _per_layer(gain) for gain in (1.0, 2.0, 4.0)}
    return {
        "conv": Number(name="He σ of a 3 × 3 convolution of 8 channels", value=GAINS["relu"] / fan_in**0.5,
                       expected=0.166667, tolerance=1e-6),
        "he": Number(name="He σ of 784 inputs, drawn", value=float(drawn.std()), expected=0.0505076, tolerance=5e-4),
        "xavier": Number(name="Xavier, largest weight of 784 → 64", value=bound, expected=(6 / 848) ** 0.5,
                         tolerance=1e-4),
        "small": Number(name="mean square per ReLU layer, Var = 1/n", value=per_layer[1.0], expected=0.5,
                        tolerance=0.03),
        "kept": Number(name="mean square per ReLU layer, Var = 2/n", value=per_layer[2.0], expected=1.0,
                       tolerance=0.06),
        "large": Number(name="mean square per ReLU layer, Var = 4/n", value=per_layer[4.0], expected=2.0,
                        tolerance=0.12),
        "turn": Number(name="singular values of an orthogonal start, largest less least",
                       value=float(np.ptp(singular)), expected=0.0, tolerance=1e-12),
    }  # fmt: skip


def _per_layer(gain: float) -> float:
    """Growth of the mean square, the geometric mean over a stack of 50 ReLU layers with Var(W) = gain / n."""
    done = walk(numpy_generator(0, "stack"), depth=50, activation="relu", gain=gain, width=256, batch=8)
    return float(done.squares[-1] ** (1 / 50))


QUESTION = Question(
    theme="backpropagation",
    en=Words(
        question="Which initializers are common, and what does each keep constant?",
        answer="""
            Weights must differ, or equal units stay equal, and have the right size, or the signal dies out or blows up
            layer by layer. A sum over n inputs multiplies the mean square by n · Var(W), and a ReLU halves it.

            LeCun: Var = 1/n_in, for what is linear around 0. Xavier (Glorot): 2/(n_in + n_out), a compromise of
            forward and backward pass, for tanh; uniform it lies within ±√(6/(n_in + n_out)), for 784 → 64 within
            {xavier:.4f}. He: 2/n_in for ReLU: σ is {conv:.4f} for a 3 × 3 convolution of 8 channels, and {he:.4f} in a
            draw for 784 inputs. Orthogonal: all singular values equal (largest less least {turn:.0e}). LeCun's rule
            suits SELU.

            The factor counts, because it acts in every layer: in a stack of 50 ReLU layers the mean square of a signal
            is multiplied by {small:.2f} per layer with Var = 1/n, by {kept:.2f} with 2/n and by {large:.2f} with 4/n.
            Behind 50 layers 2⁻⁵⁰ and 2⁵⁰ are 9·10⁻¹⁶ and 10¹⁵. He's argument assumes that pre-activations are
            symmetric around 0; for the first layer, whose input is not a ReLU's, the factor is a convention. Biases
            may start at 0.
        """,
    ),
    zh=Words(
        question="常用的權重初始化有哪些？各自要維持什麼不變？",
        answer="""
            權重彼此要不同，否則相同的單元永遠相同；大小也要剛好，否則訊號會逐層消失或爆炸。
            n 個輸入相加會使均方值乘上 n · Var(W)，ReLU 再讓它減半。

            LeCun：Var = 1/n_in，適合在 0 附近近似線性的函數。Xavier（Glorot）：2/(n_in + n_out)，在前向與反向之間折衷，
            適合 tanh；均勻分布時落在 ±√(6/(n_in + n_out)) 之內，784 → 64 的最大值是 {xavier:.4f}。He：2/n_in，
            適合 ReLU：8 通道的 3 × 3 卷積 σ 為 {conv:.4f}，784 個輸入實際抽樣得 {he:.4f}。
            正交初始化讓所有奇異值相等（最大減最小 {turn:.0e}）。SELU 則搭配 LeCun 的規則。

            每一層都乘上同一個因子，所以差一點就差很多：疊 50 層 ReLU 實際去量，
            均方值每層的倍數在 Var = 1/n 時是 {small:.2f}，2/n 時是 {kept:.2f}，4/n 時是 {large:.2f}；50 層之後，
            2⁻⁵⁰ 與 2⁵⁰ 就是 9·10⁻¹⁶ 與 10¹⁵。He 的推導假設激活前的值對 0 對稱；第一層的輸入不是 ReLU 的輸出，
            用哪個因子只是慣例。偏置從 0 開始沒有問題。
        """,
        names={
            "conv": "8 通道 3 × 3 卷積的 He σ",
            "he": "784 個輸入的 He σ（實際抽樣）",
            "xavier": "Xavier：784 → 64 的最大權重",
            "small": "ReLU 每層均方值的倍數，Var = 1/n",
            "kept": "ReLU 每層均方值的倍數，Var = 2/n",
            "large": "ReLU 每層均方值的倍數，Var = 4/n",
            "turn": "正交初始化：最大減最小奇異值",
        },
    ),
    formula="E[h²] ← (n/2)·Var(W)·E[h²] per ReLU layer\n"
    "He: Var = 2/n_in\n"
    "Xavier: 2/(n_in + n_out)\n"
    "LeCun: 1/n_in\n"
    "uniform in ±a: Var = a²/3\n"
    "convolution: n_in = C_in·K²",
    numbers=numbers,
    code="import numpy as np\n"
    "from edgewright.reference.initialization import he_normal, xavier_uniform\n"
    "rng = np.random.default_rng(0)\n"
    "print(he_normal((256, 784), rng).std(), (2 / 784) ** 0.5)\n"
    "print(abs(xavier_uniform((64, 784), rng)).max(), (6 / 848) ** 0.5)",
    experiments=("he_initialization_keeps_the_mean_square", "too_large_weights_explode", "equal_weights_stay_equal"),
    docs=("reference.md",),
)
