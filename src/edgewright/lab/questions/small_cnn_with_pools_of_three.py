"""A small CNN whose pools are 3 x 3: shapes, parameters and MACs again."""

from collections.abc import Mapping

from ...calc.chains import chain
from ..finding import Number
from ..question import Question, Words

LAYERS = ("conv 8 k3 p1", "relu", "pool {n}", "conv 16 k3 p1", "relu", "pool {n}", "flatten", "linear 64", "linear 10")


def numbers() -> Mapping[str, Number]:
    two, three = (chain(size=28, channels=1, layers=[each.format(n=n) for each in LAYERS]).result for n in (2, 3))
    shapes = [layer["shape_out"] for layer in three["layers"]]
    return {
        "first": Number(name="side behind the first 3×3 pool", value=shapes[2][-1], expected=9),
        "second": Number(name="side behind the second", value=shapes[5][-1], expected=3),
        "flat": Number(name="values behind flatten", value=shapes[6][0], expected=144),
        "params": Number(name="parameters, 3×3 pools", value=three["params"], expected=11_178),
        "macs": Number(name="MACs, 3×3 pools", value=three["macs"], expected=159_616),
        "params2": Number(name="parameters, 2×2 pools", value=two["params"], expected=52_138),
        "macs2": Number(name="MACs, 2×2 pools", value=two["macs"], expected=333_056),
    }


QUESTION = Question(
    theme="convolution",
    en=Words(
        question="A small CNN on 28×28 images gets 3×3 pools instead of 2×2: what are its shapes, parameters and MACs?",
        answer="""
            A 3×3 pool with stride 3 makes ⌊(28 − 3)/3⌋ + 1 = {first:.0f} of 28: it reads 27 rows, the last one is
            left out (in ceil mode it would be 10). The second pool makes {second:.0f} of 9. With 16 channels, flatten
            gives 16·3·3 = {flat:.0f} values, where pools of 2×2 gave 16·7·7 = 784.

            So the first linear layer shrinks from 784·64 to 144·64 weights: {params:,.0f} parameters instead of
            {params2:,.0f}. The first convolution costs the same, 56,448 MACs; the second works on 9×9 instead of 14×14:
            {macs:,.0f} MACs instead of {macs2:,.0f}. A pool has no parameters and no MACs; it takes 3² − 1 = 8
            comparisons for each value.
        """,
    ),
    zh=Words(
        question="輸入 28×28 的小型 CNN，把 2×2 池化換成 3×3，各層形狀、參數量與 MAC 是多少？",
        answer="""
            3×3、步幅 3 的池化把 28 變成 ⌊(28 − 3)/3⌋ + 1 = {first:.0f}：只讀到 27 列，最後一列沒用到（ceil 模式則是
            10）。第二次池化把 9 變成 {second:.0f}。通道數 16，攤平後是 16·3·3 = {flat:.0f} 個值；2×2 池化則是 16·7·7
            = 784。

            因此第一個全連接層從 784·64 個權重縮小成 144·64 個，參數量是 {params:,.0f}，原本是 {params2:,.0f}。第一個
            卷積的運算量不變，都是 56,448 次 MAC；第二個卷積從 14×14 變成在 9×9 上計算，總計 {macs:,.0f} 次，原本是
            {macs2:,.0f} 次。池化沒有參數，也沒有 MAC，每個輸出值需要 3² − 1 = 8 次比較。
        """,
        names={
            "first": "第一次 3×3 池化後的邊長",
            "second": "第二次池化後的邊長",
            "flat": "攤平後的值",
            "params": "參數量（3×3 池化）",
            "macs": "MAC（3×3 池化）",
            "params2": "參數量（2×2 池化）",
            "macs2": "MAC（2×2 池化）",
        },
    ),
    formula="H′ = ⌊(H + 2P − K)/S⌋ + 1\nparams = K²·C_in·C_out + C_out\nMACs = H′·W′·C_out·K²·C_in",
    numbers=numbers,
    code='edgewright calc chain --size 28 --channels 1 --layers "conv 8 k3 p1 / relu / pool 3 / conv 16 k3 p1 / relu '
    '/ pool 3 / flatten / linear 64 / linear 10"',
    experiments=("strides_divide_macs_by_their_square",),
    docs=("calc.md", "counting.md"),
)
