"""What zeros among the weights are good for, with a number for each that has one."""

from collections.abc import Mapping

import numpy as np

from ...calc import energy, unstructured
from ...reference.optimizers import elastic_net
from ...technology import NM45, pj_per_byte
from ..finding import Number
from ..question import Question, Words


def numbers() -> Mapping[str, Number]:
    stored = unstructured(rows=1024, columns=1024, zeros=0.9).result
    dram = 4 * pj_per_byte("dram") / NM45.multiply_pj["float32"]
    dense, sparse = (
        energy(macs=macs, dram_bytes=size).result["energy_j"]
        for macs, size in ((2**20, stored["dense_bytes"]), (2**20 // 10, stored["csr_bytes"]))
    )
    chosen = elastic_net(np.array([3.0, -0.5, 1.2, 0.1]), step=1.0, l1=1.0)
    return {
        "csr": Number(name="dense / CSR bytes at 90 % zeros", value=stored["csr_ratio"], expected=4.976,
                      tolerance=1e-3),
        "bitmap": Number(name="dense / bitmap bytes at 90 % zeros", value=stored["bitmap_ratio"], expected=7.619,
                         tolerance=1e-3),
        "dram": Number(name="energy of a DRAM word over an fp32 multiplication", value=dram, expected=172.97,
                       tolerance=0.01),
        "energy": Number(name="energy, dense over sparse, 90 % zeros skipped", value=dense / sparse),
        "inputs": Number(name="inputs left of four by L1", value=float(np.count_nonzero(chosen)), expected=2.0),
    }  # fmt: skip


QUESTION = Question(
    theme="pruning",
    en=Words(
        question="What are sparse parameters good for?",
        answer="""
            Size and transfer: a layer of 1024 × 1024 with 90 % zeros takes {csr:.2f} times fewer bytes in compressed
            rows and {bitmap:.2f} times fewer as a bitmap; not ten times, since the places have to be stored too.

            Energy and time, where a kernel skips zeros: a word from DRAM costs as much as {dram:.0f} fp32
            multiplications at 45 nm, so weights that are not fetched count for more than products that are not made.
            For that layer the model gives {energy:.1f} times less energy. A dense kernel saves neither.

            Selection and insight: L1 with proximal or coordinate steps sets weights to zero exactly (plain SGD on an
            L1 term does not): of (3, −0.5, 1.2, 0.1) at a threshold of 1 it leaves {inputs:.0f}. Inputs without
            weights need not be measured, and few terms can be read. Generalization may gain, as from any reduction of
            capacity, or lose: it is a matter for the validation set and no rule.
        """,
    ),
    zh=Words(
        question="參數稀疏有什麼好處？",
        answer="""
            儲存與傳輸：1024 × 1024 的一層若有 90 % 為零，原大小是壓縮列格式的 {csr:.2f} 倍、
            點陣圖格式的 {bitmap:.2f} 倍；到不了十倍，因為非零值的位置也得記錄。

            能耗與時間：前提是運算核心會跳過零。以 45 nm 製程計，從 DRAM 讀一個字組的能量抵得上 {dram:.0f} 次 fp32
            乘法，所以「少讀權重」比「少做乘法」更划算；依這個模型，該層原本的能耗是稀疏後的 {energy:.1f} 倍。
            稠密核心則兩樣都省不到。

            特徵選擇與可解釋性：L1 搭配近端（proximal）或逐座標更新，會讓權重剛好等於零（單純用 SGD 則不會）；
            (3, −0.5, 1.2, 0.1) 以 1 為門檻，只留下 {inputs:.0f} 個。沒有權重的輸入連測量都不必，項數少也才讀得懂。
            至於泛化，跟任何降低容量的做法一樣，可能變好也可能變差，要看驗證集，不是定律。
        """,
        names={
            "csr": "90 % 為零：原大小／CSR 大小",
            "bitmap": "90 % 為零：原大小／點陣圖大小",
            "dram": "一次 DRAM 讀取／一次 fp32 乘法的能量",
            "energy": "能耗：稠密／稀疏（跳過 90 % 的零）",
            "inputs": "L1 之後留下的輸入數",
        },
    ),
    formula="CSR: n(v + i) + (R + 1)i bytes\nbitmap: n·v + RC/8 bytes\nsoft(w, λ) = sign(w)·max(|w| − λ, 0)",
    numbers=numbers,
    code="edgewright calc unstructured --rows 1024 --columns 1024 --zeros 0.9",
    experiments=(
        "lasso_thresholds_where_ridge_shrinks",
        "pruned_channels_multiply",
        "only_proximal_steps_make_exact_zeros",
        "l1_finds_few_genes_among_thousands",
        "moving_data_costs_more_than_computing",
    ),
    docs=("sparsity.md", "does-it-pay.md", "hardware.md"),
)
