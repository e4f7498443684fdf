"""The usual activation functions by value, slope and cost."""

from collections.abc import Mapping

import numpy as np

from ...calc import activation, hard_swish
from ...reference.activations import ACTIVATIONS
from ..finding import Number
from ..question import Question, Words

GRID = np.linspace(-8, 8, 16_001)
SLOPES = {"sigmoid": 0.25, "tanh": 1.0, "relu": 1.0}


def numbers() -> Mapping[str, Number]:
    swish = hard_swish().result
    at = np.array(-1.0)
    values = {name: float(ACTIVATIONS[name].value(at)) for name in ("leaky-relu", "elu", "gelu", "silu")}
    cost = {kind: activation(kind=kind).result["elementwise"] for kind in ("relu", "sigmoid")}
    return {
        **{name: Number(name=f"largest slope, {name}", value=float(ACTIVATIONS[name].slope(GRID).max()), expected=most)
           for name, most in SLOPES.items()},
        "leaky": Number(name="leaky ReLU of −1", value=values["leaky-relu"], expected=-0.01),
        "elu": Number(name="ELU of −1", value=values["elu"], expected=np.expm1(-1.0)),
        "gelu": Number(name="GELU of −1", value=values["gelu"], expected=-0.158655, tolerance=1e-6),
        "silu": Number(name="SiLU of −1", value=values["silu"], expected=-0.268941, tolerance=1e-6),
        "least": Number(name="least value of hard-swish", value=swish["minimum"], expected=-0.375),
        "gap": Number(name="hard-swish and swish, largest gap", value=swish["gap_to_swish"], expected=0.142278,
                      tolerance=1e-6),
        "cheap": Number(name="operations per value, ReLU", value=cost["relu"], expected=1),
        "dear": Number(name="operations per value, sigmoid", value=cost["sigmoid"], expected=4),
    }  # fmt: skip


QUESTION = Question(
    theme="backpropagation",
    en=Words(
        question="Which activation functions are common, and what is each good for?",
        answer="""
            Sigmoid and tanh saturate: their largest slopes are {sigmoid:.2f} and {tanh:.0f}, at 0, and far from it
            nothing is left. They are used where a value has to lie in (0, 1) or (−1, 1): outputs, gates. ReLU has
            slope {relu:.0f} above 0 and costs {cheap:.0f} operation where a sigmoid counts {dear:.0f}; it is the
            default in convolutional networks. ReLU6 is the same, cut at 6: a fixed range, made for integers.

            Against dead units: leaky ReLU lets a hundredth through ({leaky:.2f} at −1), PReLU learns the share, ELU
            goes down smoothly ({elu:.4f}), SELU keeps mean and variance if its conditions are met. Smooth ones, GELU
            ({gelu:.4f}) and SiLU or swish ({silu:.4f}), are the choice of Transformers and EfficientNet; they are not
            monotone: below about −1 they rise again towards 0.

            On small devices take what needs no exponential: ReLU, ReLU6, hard-sigmoid, hard-swish. Hard-swish has its
            least value of {least:.3f} at −1.5 and is at most {gap:.4f} from swish; it is piecewise quadratic, and only
            hard-sigmoid is piecewise linear.
        """,
    ),
    zh=Words(
        question="常見的激活函數有哪些？各適合用在哪裡？",
        answer="""
            sigmoid 與 tanh 會飽和：最大斜率是 {sigmoid:.2f} 與 {tanh:.0f}，只在 0 那一點，離遠了就幾乎沒有斜率。
            需要把值限制在 (0, 1) 或 (−1, 1) 時才用，例如輸出與閘門。ReLU 在 0 以上斜率為 {relu:.0f}，
            每個值只算 {cheap:.0f} 次運算，sigmoid 則算 {dear:.0f} 次；它是卷積網路的預設選擇。ReLU6 是再截在 6，
            範圍固定，方便整數化。

            為了避免死掉的單元：Leaky ReLU 讓負值通過百分之一（−1 時是 {leaky:.2f}），PReLU 讓這個比例自己學，
            ELU 平滑下降（{elu:.4f}），SELU 在條件成立時能維持平均與變異數。平滑的 GELU（{gelu:.4f}）與 SiLU，
            也就是 swish（{silu:.4f}），是 Transformer 與 EfficientNet 的選擇；它們並不單調，
            大約低於 −1 之後又會回升趨近 0。

            小裝置上要選不需要指數的：ReLU、ReLU6、hard-sigmoid、hard-swish。hard-swish 在 −1.5 有最小值 {least:.3f}，
            與 swish 最多差 {gap:.4f}；它是分段二次函數，分段線性的是 hard-sigmoid。
        """,
        names={
            "sigmoid": "最大斜率：sigmoid",
            "tanh": "最大斜率：tanh",
            "relu": "最大斜率：ReLU",
            "leaky": "Leaky ReLU 在 −1 的值",
            "elu": "ELU 在 −1 的值",
            "gelu": "GELU 在 −1 的值",
            "silu": "SiLU 在 −1 的值",
            "least": "hard-swish 的最小值",
            "gap": "hard-swish 與 swish 的最大差距",
            "cheap": "每個值的運算次數：ReLU",
            "dear": "每個值的運算次數：sigmoid",
        },
    ),
    formula="ReLU: max(z, 0)   leaky: max(z, az)   ELU: z or α(e^z − 1)\n"
    "GELU: z·Φ(z)   SiLU: z·σ(z)\n"
    "hard-sigmoid: ReLU6(z + 3)/6   hard-swish: z·ReLU6(z + 3)/6",
    numbers=numbers,
    code="import numpy as np\n"
    "from edgewright.reference.activations import ACTIVATIONS\n"
    "z = np.array([-3.0, -1.0, 0.0, 1.0, 3.0])\n"
    "for name, function in ACTIVATIONS.items():\n"
    "    print(f'{name:13}', function.value(z).round(4), function.slope(z).round(4))",
    experiments=("relu_keeps_gradients_that_sigmoids_lose", "dead_relus_come_from_large_steps_and_biases"),
    docs=("reference.md", "calc.md"),
)
