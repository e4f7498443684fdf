"""The usual update rules on the simplest loss there is."""

from collections.abc import Mapping

import numpy as np

from ...reference.optimizers import RULES, How, walk
from ..finding import Number
from ..question import Question, Words

STEPS = {  # rule: p after two steps on p^2/2 from 1, at a rate of 0.1
    "sgd": 0.81, "momentum": 0.72, "nesterov": 0.5751, "adagrad": 0.833104, "rmsprop": 0.498871, "adam": 0.800412,
    "adamw": 0.781572,
}  # fmt: skip
HOW = {"rmsprop": How(lr=0.1, b2=0.9), "adamw": How(lr=0.1, decay=0.1)}


def numbers() -> Mapping[str, Number]:
    ends = {
        name: walk(RULES[name], HOW.get(name, How(lr=0.1)), slope=lambda p: p, start=np.ones(1), num_steps=2)[1][0]
        for name in STEPS
    }
    return {
        name: Number(name=f"p after 2 steps, {name}", value=end, expected=STEPS[name], tolerance=1e-6)
        for name, end in ends.items()
    }


QUESTION = Question(
    theme="optimizers",
    en=Words(
        question="Which optimizers are common, and what is the idea of each?",
        answer="""
            All go against a gradient; they differ in what they remember. SGD remembers nothing. Momentum adds up past
            gradients, v = mv + g, so that steady directions build up and swinging ones cancel; Nesterov looks at the
            slope a little ahead. On p²/2 from p = 1 at a rate of 0.1 they are after two steps at {sgd:.2f},
            {momentum:.2f} and {nesterov:.4f}.

            The adaptive ones give each weight a rate of its own by the size of its past gradients. AdaGrad divides by
            the root of the sum of all squares, so its rate only falls ({adagrad:.4f}); RMSProp by a moving mean
            ({rmsprop:.4f}); Adam adds momentum and corrects both means for their start at zero ({adam:.4f}). AdamW
            takes weight decay out of the gradient and applies it to the weights directly ({adamw:.4f}).

            For large batches LARS and LAMB scale steps by the norm of each layer; Adafactor saves memory; Lookahead
            averages another optimizer's path. None frees you from a learning rate and a schedule, AdaGrad and Adam
            included.
        """,
    ),
    zh=Words(
        question="常見的最佳化器有哪些？各自的想法是什麼？",
        answer="""
            大家都往梯度的反方向走，差別在記住什麼。SGD 什麼都不記。Momentum 累加過去的梯度，v = mv + g，
            穩定的方向越積越快，來回擺盪的互相抵銷；Nesterov 則看前方一點的斜率。在 p²/2 上從 p = 1 出發、學習率 0.1，
            兩步之後分別走到 {sgd:.2f}、{momentum:.2f}、{nesterov:.4f}。

            自適應方法依每個權重過去梯度的大小，各給一個學習率。AdaGrad 除以歷來平方和的根號，
            學習率只會越來越小（{adagrad:.4f}）；RMSProp 改用移動平均（{rmsprop:.4f}）；Adam 再加上動量，
            並修正兩個平均從零開始的偏差（{adam:.4f}）。AdamW 把權重衰減移出梯度，直接作用在權重上（{adamw:.4f}）。

            大批次有 LARS 與 LAMB，依每層的範數調整步伐；Adafactor 省記憶體；Lookahead 對另一個最佳化器的路徑取平均。
            沒有一個能讓你不必選學習率與排程，AdaGrad 與 Adam 也不例外。
        """,
        names={name: f"兩步後的 p：{name}" for name in STEPS},
    ),
    formula="momentum: v ← mv + g, w ← w − ηv\n"
    "AdaGrad: w ← w − ηg/√(Σg²)\n"
    "RMSProp: E ← ρE + (1−ρ)g², w ← w − ηg/√E\n"
    "Adam: w ← w − η·m̂/(√v̂ + ε)\n"
    "AdamW: Adam, and w ← w − ηλw",
    numbers=numbers,
    code="import numpy as np\n"
    "from edgewright.reference.optimizers import RULES, How, walk\n"
    "for name in ('sgd', 'momentum', 'nesterov', 'adagrad', 'rmsprop', 'adam', 'adamw'):\n"
    "    how = How(lr=0.1, b2=0.9 if name == 'rmsprop' else 0.999, decay=0.1 if name == 'adamw' else 0.0)\n"
    "    path = walk(RULES[name], how, slope=lambda p: p, start=np.ones(1), num_steps=3)\n"
    "    print(f'{name:10}', [round(float(p[0]), 4) for p in path])",
    experiments=(
        "momentum_needs_the_square_root_of_the_condition",
        "nesterov_is_not_always_faster_than_momentum",
        "adam_cancels_l2_where_adamw_decays",
        "rmsprop_goes_on_where_adagrad_fades",
    ),
    docs=("optimizers.md", "reference.md"),
)
