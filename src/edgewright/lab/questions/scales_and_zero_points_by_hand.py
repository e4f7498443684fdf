"""Scale, zero point and codes of the ranges that exercises ask for."""

from collections.abc import Mapping
from typing import Any

from ...calc import quantize
from ..finding import Number
from ..question import Question, Words

VALUES = (-0.3, 0.5, 1.7)


def numbers() -> Mapping[str, Number]:
    def of(low: float, high: float, **options: Any) -> Mapping[str, Any]:
        return quantize(low=low, high=high, **options).result

    unsigned, signed = (of(-1, 3, signed=each, values=VALUES) for each in (False, True))
    even, four = of(-3, 3, symmetric=True, values=VALUES), of(-1, 3, bits=4, signed=False, values=VALUES)
    relu, widened = of(0, 6, signed=False, values=(5.0,)), of(1, 5, signed=False, values=(3.0,))
    rows = {
        "scale": ("S of [−1, 3], uint8", unsigned["scale"], 4 / 255),
        "zero": ("Z of [−1, 3], uint8", unsigned["zero_point"], 64),
        "code1": ("code of −0.3, uint8", unsigned["codes"][0], 45),
        "code2": ("code of 0.5, uint8", unsigned["codes"][1], 96),
        "code3": ("code of 1.7, uint8", unsigned["codes"][2], 172),
        "back": ("value of code 45", unsigned["values"][0], -0.298039),
        "signed": ("Z of [−1, 3], int8", signed["zero_point"], -64),
        "even": ("S of symmetric int8, largest 3", even["scale"], 3 / 127),
        "even3": ("code of 1.7, symmetric int8", even["codes"][2], 72),
        "four": ("S of [−1, 3], uint4", four["scale"], 4 / 15),
        "fourz": ("Z of [−1, 3], uint4", four["zero_point"], 4),
        "relu": ("code of 5 in [0, 6], uint8", relu["codes"][0], 212),
        "wide": ("code of 3 in [1, 5], uint8", widened["codes"][0], 153),
    }
    return {
        key: Number(name=name, value=value, expected=expected, tolerance=1e-6)
        for key, (name, value, expected) in rows.items()
    }


QUESTION = Question(
    theme="quantization",
    en=Words(
        question="Values lie in [−1, 3]: what are the scale, the zero point and the codes at 8 bits?",
        answer="""
            The scale is the range over the number of steps: S = 4/255 = {scale:.7f}. The zero point is the code of 0:
            0 − (−1)/S = 63.75, rounded to Z = {zero:.0f} for uint8; in int8 all codes lie 128 lower, Z = {signed:.0f}.
            Then −0.3, 0.5 and 1.7 become {code1:.0f}, {code2:.0f} and {code3:.0f}, and {code1:.0f} stands for
            {back:.6f}: off by less than half a step.

            Symmetric int8 takes Z = 0 and S = 3/127 = {even:.7f}, and spends the codes below −42 on values that never
            come: 1.7 becomes {even3:.0f}. With 4 bits S is {four:.4f} and Z is {fourz:.0f}. Behind a ReLU6, in [0, 6],
            the zero point is 0 and 5 becomes {relu:.0f}.

            Two details are forgotten often. The range has to hold 0, so [1, 5] is first widened to [0, 5], where 3
            becomes {wide:.0f}. And codes must be clamped: what lies outside of the range saturates.
        """,
    ),
    zh=Words(
        question="數值落在 [−1, 3]：8 位元量化的縮放因子、零點與編碼各是多少？",
        answer="""
            縮放因子是範圍除以階數：S = 4/255 = {scale:.7f}。零點是 0 的編碼：0 − (−1)/S = 63.75，
            uint8 取整為 Z = {zero:.0f}；int8 的編碼整體低 128，所以 Z = {signed:.0f}。於是 −0.3、0.5、
            1.7 分別成為 {code1:.0f}、{code2:.0f}、{code3:.0f}，而 {code1:.0f} 還原成 {back:.6f}，誤差不到半階。

            對稱的 int8 令 Z = 0、S = 3/127 = {even:.7f}，低於 −42 的編碼全浪費在不會出現的數值上，
            1.7 編成 {even3:.0f}。4 位元時 S 是 {four:.4f}，Z 是 {fourz:.0f}。ReLU6 之後的範圍是 [0, 6]，零點為 0，
            5 編成 {relu:.0f}。

            有兩個細節常被忘記。範圍必須包含 0，所以 [1, 5] 要先擴成 [0, 5]，這時 3 編成 {wide:.0f}。
            另外編碼一定要截斷：超出範圍的值會飽和在兩端。
        """,
        names={
            "scale": "[−1, 3] uint8 的 S",
            "zero": "[−1, 3] uint8 的 Z",
            "code1": "−0.3 的 uint8 編碼",
            "code2": "0.5 的 uint8 編碼",
            "code3": "1.7 的 uint8 編碼",
            "back": "編碼 45 還原的值",
            "signed": "[−1, 3] int8 的 Z",
            "even": "對稱 int8（最大值 3）的 S",
            "even3": "1.7 的對稱 int8 編碼",
            "four": "[−1, 3] uint4 的 S",
            "fourz": "[−1, 3] uint4 的 Z",
            "relu": "[0, 6] 中 5 的 uint8 編碼",
            "wide": "[1, 5] 中 3 的 uint8 編碼",
        },
    ),
    formula="S = (r_max − r_min)/(q_max − q_min)\n"
    "Z = clamp(rnd(q_min − r_min/S))\n"
    "q = clamp(rnd(r/S) + Z)   r ≈ S(q − Z)",
    numbers=numbers,
    code="edgewright calc quantize --low=-1 --high 3 --no-signed --values=-0.3,0.5,1.7",
    experiments=("each_tensor_has_its_quantizer", "fewer_bits_cost_six_decibels_each"),
    docs=("quantization.md", "integers.md", "calc.md"),
)
