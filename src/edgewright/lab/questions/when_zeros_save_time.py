"""Pattern, kernel, hardware: what must come together before a zero saves time."""

from collections.abc import Mapping

from ...analyze.hardware.kernels import unstructured_answer
from ...calc import conv, sparsity, unstructured
from ...devices import device
from ..finding import Number
from ..question import Question, Words


def numbers() -> Mapping[str, Number]:
    whole, half = (conv(size=56, in_channels=n, out_channels=n, padding="same").result["macs"] for n in (64, 32))
    packed = sparsity(rows=1024, columns=1024, dtype="float16").result
    ratio = {zeros: unstructured(rows=1024, columns=1024, zeros=zeros).result["csr_ratio"] for zeros in (0.5, 0.9)}
    claim = unstructured_answer(device("nrf52840"), "int8").speed_up
    return {
        "channels": Number(name="MACs left, half of the channels gone", value=half / whole, expected=0.25),
        "peak": Number(name="2:4, gain of peak arithmetic", value=packed["peak_gain"], expected=2.0),
        "bound": Number(name="2:4, gain of a layer that waits for fp16 weights", value=packed["weight_bound_gain"],
                        expected=16 / 9),
        "csr50": Number(name="dense / CSR bytes, 50 % zeros", value=ratio[0.5], expected=0.999, tolerance=1e-3),
        "csr90": Number(name="dense / CSR bytes, 90 % zeros", value=ratio[0.9], expected=4.976, tolerance=1e-3),
        "claimed": Number(name="speed-up claimed for zeros anywhere on an nRF52840 (0: none)", value=claim or 0.0,
                          expected=0.0),
    }  # fmt: skip


QUESTION = Question(
    theme="pruning",
    en=Words(
        question="Under which condition does sparsity make a network faster?",
        answer="""
            When the pattern of the zeros, a kernel that skips that pattern, and hardware on which the kernel beats the
            dense one come together. Zeros alone are multiplied like any other value.

            Whole channels need no support at all: without half of the input and output channels a convolution is a
            smaller dense one with {channels:.2f} of the MACs. 2:4 needs sparse tensor cores: they have {peak:.0f}
            times the peak, and a layer that waits for its fp16 weights gains {bound:.3f}. Zeros anywhere need a sparse
            kernel and many zeros: compressed rows save nothing at 50 % (the dense size over theirs is {csr50:.3f}),
            and at 90 % it is {csr90:.2f}; and the indices still have to be read and followed.

            So a report must name all three, and a measured time. For zeros anywhere on an nRF52840 (Cortex-M4F), whose
            kernels are dense, edgewright claims no speed-up ({claimed:.0f}).
        """,
    ),
    zh=Words(
        question="在什麼條件下，稀疏化真的會讓網路變快？",
        answer="""
            要三件事同時成立：零的樣式、會跳過這種樣式的運算核心，以及讓這個核心贏過稠密核心的硬體。光有零並不夠，
            零跟其他數一樣照乘不誤。

            整個通道剪掉不需要任何特別支援：輸入與輸出通道各少一半，卷積就只是較小的稠密卷積，乘加剩 {channels:.2f}。
            2:4 需要稀疏張量核心：峰值是 {peak:.0f} 倍，受限於讀取 fp16 權重的層可快 {bound:.3f} 倍。
            任意位置的零需要稀疏運算核心，而且零要夠多：壓縮列格式在 50 % 時完全不省（原大小是它的 {csr50:.3f} 倍），
            90 % 時則是 {csr90:.2f} 倍，而且索引還是得讀、得查。

            所以報告必須把三者都寫明，並附上實測時間。nRF52840（Cortex-M4F）的運算核心是稠密的，對任意位置的零，
            edgewright 不宣稱任何加速（{claimed:.0f}）。
        """,
        names={
            "channels": "通道減半後剩下的乘加比例",
            "peak": "2:4 的峰值倍數",
            "bound": "2:4：受限於 fp16 權重讀取的層的加速",
            "csr50": "50 % 為零：原大小／CSR 大小",
            "csr90": "90 % 為零：原大小／CSR 大小",
            "claimed": "nRF52840 上任意零所宣稱的加速（0：不宣稱）",
        },
    ),
    formula="channels: MACs × (1 − p_in)(1 − p_out)\n2:4: peak × 2, fp16 bytes × 36/64\nCSR: n(v + i) + (R + 1)i bytes",
    numbers=numbers,
    code="edgewright calc unstructured --rows 1024 --columns 1024 --zeros 0.9",
    experiments=(
        "pruned_channels_multiply",
        "two_of_four_loses_more_energy_than_free_half",
        "removed_channels_speed_up_where_free_zeros_do_not",
        "zeros_speed_up_dense_hardware",
    ),
    docs=("does-it-pay.md", "sparsity.md"),
)
