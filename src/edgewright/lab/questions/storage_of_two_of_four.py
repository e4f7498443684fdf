"""The 2:4 format, packed and weighed."""

from collections.abc import Mapping

import numpy as np

from ...formats import pack_n_of_m
from ...seeding import numpy_generator
from ..finding import Number
from ..question import Question, Words


def numbers() -> Mapping[str, Number]:
    matrix = numpy_generator(0, "2:4").integers(1, 100, (128, 256))
    matrix[:, 0::4] = matrix[:, 3::4] = 0
    halves, bytes_ = matrix.astype(np.float16), matrix.astype(np.int8)
    packed = [pack_n_of_m(each) for each in (halves, bytes_)]
    lossless = all((each.decode() == matrix).all() for each in packed)
    places = packed[0].parts()["places"].nbytes
    return {
        "fp16": Number(name="dense / packed bytes, fp16", value=halves.nbytes / packed[0].num_bytes, expected=16 / 9),
        "int8": Number(name="dense / packed bytes, int8", value=bytes_.nbytes / packed[1].num_bytes, expected=1.6),
        "saved": Number(name="bytes saved, fp16", value=100 * (1 - packed[0].num_bytes / halves.nbytes),
                        expected=43.75, unit="%"),
        "bits": Number(name="bits of places per group", value=8 * places / (matrix.size / 4), expected=4),
        "code": Number(name="code of the places 1 and 2", value=int(packed[0].codes[0]), expected=9),
        "lossless": Number(name="unpacked equals what was packed (1: yes)", value=float(lossless), expected=1.0),
    }  # fmt: skip


QUESTION = Question(
    theme="pruning",
    en=Words(
        question="How are 2:4 sparse weights stored, and how much smaller do they get?",
        answer="""
            Of every four weights along the reduction axis (the input channels) at most two are not zero. The two are
            stored one after the other, and beside them where they stood: a place from 0 to 3 takes 2 bits, lower place
            first, which makes {bits:.0f} bits per group. Places 1 and 2 make the code 1 | 2 << 2 = {code:.0f}.

            So a group of four fp16 values goes from 64 to 32 + 4 = 36 bits: {fp16:.4f} times smaller, {saved:.2f} %
            saved. With int8 the places weigh more, 32 to 20 bits, {int8:.1f} times. "Half the size" forgets them. Six
            pairs of places are possible, so 2.585 bits would do; hardware takes the simpler 4. Nothing is lost:
            unpacking gives the same matrix ({lossless:.0f} = yes).

            Sparse tensor cores read the places to pick the activations that belong to the kept weights, and do two
            groups in the time of one. That doubles the peak of the matrix units, not the speed of a network; a layer
            that waits for its fp16 weights gains at most the 1.778 above.
        """,
    ),
    zh=Words(
        question="2:4 稀疏權重是怎麼儲存的？實際能縮小多少？",
        answer="""
            沿著歸約軸（輸入通道）每四個權重之中，最多兩個不為零。儲存時依序放這兩個值，旁邊再記下它們原本的位置：
            位置 0 到 3 各用 2 位元，較小的在前，每組共 {bits:.0f} 位元。例如位置 1 與 2 的編碼是 1 | 2 << 2 =
            {code:.0f}。

            因此 fp16 的一組四個值從 64 位元變成 32 + 4 = 36 位元，原大小是它的 {fp16:.4f} 倍，省下 {saved:.2f} %；
            int8 的位置資訊占比更高，32 位元變 20 位元，只有 {int8:.1f} 倍。說「剛好減半」是忘了位置資訊。
            位置組合有六種，理論上 2.585 位元就夠，硬體選擇較簡單的 4 位元。解開後與原矩陣逐位元相同（{lossless:.0f}
            表示是）。

            稀疏張量核心依位置挑出對應的激活值，用一組的時間做完兩組。翻倍的是矩陣單元的峰值，不是整個網路的速度；
            受限於讀取 fp16 權重的層，最多也只快上面的 1.778 倍。
        """,
        names={
            "fp16": "fp16：原大小／壓縮後",
            "int8": "int8：原大小／壓縮後",
            "saved": "fp16 省下的比例",
            "bits": "每組位置資訊的位元數",
            "code": "位置 1 與 2 的編碼",
            "lossless": "解開後與原矩陣相同（1：是）",
        },
    ),
    formula="packed bits per group = 2b + 4\nratio = 4b/(2b + 4):  b = 16 → 64/36,  b = 8 → 32/20\ncode = i₀ | i₁ << 2",
    numbers=numbers,
    code="edgewright calc sparsity --rows 1024 --columns 1024 --dtype int8",
    experiments=(
        "two_of_four_loses_more_energy_than_free_half",
        "two_of_four_halves_storage_and_doubles_speed",
    ),
    docs=("sparsity.md", "does-it-pay.md"),
)
