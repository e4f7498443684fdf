"""The output size of convolutions, the exercises of every course."""

from collections.abc import Mapping

from ...calc import output_size
from ..finding import Number
from ..question import Question, Words

ROWS = {  # size, kernel, padding, stride -> size
    "keeps": (28, 3, 1, 1, 28), "halves": (28, 3, 1, 2, 14), "five": (28, 5, 2, 1, 28), "stem": (224, 7, 3, 2, 112),
    "valid": (32, 5, 0, 1, 28), "floors": (32, 3, 1, 2, 16), "even": (28, 4, 2, 1, 29), "pool": (28, 3, 0, 3, 9),
}  # fmt: skip


def numbers() -> Mapping[str, Number]:
    found = {
        key: Number(
            name=f"{size}, K={kernel} P={padding} S={stride}",
            value=output_size(size=size, kernel=kernel, padding=padding, stride=stride).result["size"],
            expected=expected,
        )
        for key, (size, kernel, padding, stride, expected) in ROWS.items()
    }
    ceil = output_size(size=28, kernel=3, stride=3, ceil=True).result["size"]
    return {**found, "ceil": Number(name="28, K=3 P=0 S=3, ceil", value=ceil, expected=10)}


QUESTION = Question(
    theme="convolution",
    en=Words(
        question="28 → 28, 28 → 14, 224 → 112, 32 → 28, 32 → 16: which kernel, padding and stride do it?",
        answer="""
            Slide the window from the first place to the last that still fits, in steps of S, and count. A 3 × 3 window
            with padding 1 keeps 28 at stride 1 ({keeps:.0f}) and halves it at stride 2 ({halves:.0f}); 5 × 5 with
            padding 2 keeps it too ({five:.0f}). The stem of ResNet, 7 × 7, padding 3, stride 2, turns 224 into
            {stem:.0f}. LeNet's 5 × 5 without padding turns 32 into {valid:.0f}.

            32 with a 3 × 3 window, padding 1, stride 2 is (34 − 3)/2 + 1 = 16.5, floored to {floors:.0f}: the last row
            of padding is never read. A pool of 3 with stride 3 on 28 gives {pool:.0f} and does not read the last row
            and column; in ceil mode it gives {ceil:.0f}.

            "Padding K // 2 keeps the size" is true for odd kernels at stride 1 without dilation only: 4 × 4 with
            padding 2 makes {even:.0f} of 28.
        """,
    ),
    zh=Words(
        question="28 → 28、28 → 14、224 → 112、32 → 28、32 → 16：卷積核、填補與步幅要怎麼選？",
        answer="""
            讓視窗從第一個位置以步幅 S 滑到最後一個還放得下的位置，數一數有幾個就是輸出大小。3 × 3、填補 1：
            步幅 1 時 28 不變（{keeps:.0f}），步幅 2 時減半（{halves:.0f}）；5 × 5、填補 2 也維持 {five:.0f}。
            ResNet 的第一層 7 × 7、填補 3、步幅 2，把 224 變成 {stem:.0f}；LeNet 不填補的 5 × 5 把 32 變成 {valid:.0f}。

            32 配 3 × 3、填補 1、步幅 2 得到 (34 − 3)/2 + 1 = 16.5，向下取整為 {floors:.0f}：最後一列填補根本沒讀到。
            28 做 3 × 3、步幅 3 的池化得到 {pool:.0f}，最後一列與一欄沒用到；改成向上取整則是 {ceil:.0f}。

            「填補 K // 2 就能保持大小」只在奇數卷積核、步幅 1、沒有擴張時成立：4 × 4、填補 2 會把 28 變成 {even:.0f}。
        """,
        names={"ceil": "28，K=3 P=0 S=3，向上取整"},
    ),
    formula="H′ = ⌊(H + 2P − D(K−1) − 1)/S⌋ + 1",
    numbers=numbers,
    code="edgewright calc output-size --size 224 --kernel 7 --padding 3 --stride 2",
    experiments=("strides_divide_macs_by_their_square", "convolution_is_equivariant_to_shifts"),
    docs=("calc.md", "counting.md"),
)
