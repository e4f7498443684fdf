"""Two sentences that are said too often, each with the check that refutes it."""

from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from torch import nn

from ...analyze import profile
from ...calc import unstructured
from ..digits import digits
from ..finding import Number
from ..question import Question, Words


@cache
def numbers() -> Mapping[str, Number]:
    net = nn.Conv2d(8, 8, 3, padding=1)
    before = profile(net, input_shape=(8, 16, 16)).macs
    with torch.no_grad():
        net.weight.view(-1)[: int(0.9 * net.weight.numel())] = 0
    after = profile(net, input_shape=(8, 16, 16)).macs
    csr = unstructured(rows=1024, columns=1024, zeros=0.5).result["csr_ratio"]
    accuracy = {bits: _accuracy(bits) for bits in (None, 8, 2)}
    return {
        "macs": Number(name="MACs with 90 % zeros, over dense", value=after / before, expected=1.0),
        "csr": Number(name="dense / CSR bytes at 50 % zeros", value=csr, expected=0.999023, tolerance=1e-6),
        "float": Number(name="accuracy, float", value=accuracy[None]),
        "eight": Number(name="accuracy, weights of 8 bits", value=accuracy[8]),
        "two": Number(name="accuracy, weights of 2 bits", value=accuracy[2]),
        "lost": Number(name="accuracy lost at 2 bits, in points", value=100 * (accuracy[None] - accuracy[2])),
    }


def _accuracy(bits: int | None) -> float:
    """Of a linear classifier of digits, fitted by ridge regression, with symmetric weights of so many bits."""
    data = digits()
    x, test_x = (np.c_[part.double().numpy(), np.ones(len(part))] for part in (data.x, data.test_x))
    weights = np.linalg.solve(x.T @ x + np.eye(65), x.T @ np.eye(10)[data.y.numpy()])
    if bits is not None:
        scale = np.abs(weights).max() / (2 ** (bits - 1) - 1)
        weights = np.round(weights / scale) * scale
    return float(((test_x @ weights).argmax(1) == data.test_y.numpy()).mean())


QUESTION = Question(
    theme="pruning",
    en=Words(
        question="True or false: all pruning makes a network faster, and quantization never costs accuracy?",
        answer="""
            Both are false. Zeros that are scattered through a weight tensor change nothing for a dense kernel: with 90
            % of its weights at zero a convolution still does {macs:.2f} times its MACs. Not even the file gets smaller
            by itself: at 50 % zeros compressed rows in fp32 are as large as the dense matrix (its size over theirs is
            {csr:.3f}). Time is saved where whole channels leave, or where pattern, kernel and hardware fit together.

            Quantization replaces weights by the nearest of a few values, and the answer may change. A linear
            classifier of handwritten digits is right on {float:.1%}; with 8-bit weights {eight:.1%}, with 2-bit
            weights {two:.1%}: {lost:.0f} points lost. At 8 bits the loss is often too small to see, which is how the
            sentence came about; at low bits, or where a few outliers stretch the range, it is not.

            Measure both: the time on the device, with its kernels, and the accuracy on data that was not calibrated
            on.
        """,
    ),
    zh=Words(
        question="是非題：只要剪枝就會加速？量化絕不會損失準確率？",
        answer="""
            兩句都錯。零散落在權重張量裡，對稠密運算核心毫無影響：一個卷積的權重有 90 % 為零，
            乘加次數仍是原來的 {macs:.2f} 倍。連檔案也不會自己變小：50 % 為零時，
            fp32 的壓縮列格式跟原矩陣一樣大（原大小是它的 {csr:.3f} 倍）。要省時間，得整個通道拿掉，或者零的樣式、
            運算核心與硬體三者剛好配合。

            量化把權重換成少數幾個值中最接近的一個，答案就可能改變。一個手寫數字的線性分類器準確率為 {float:.1%}，
            8 位元權重是 {eight:.1%}，2 位元只剩 {two:.1%}，掉了 {lost:.0f} 個百分點。8 位元的損失常常小到看不出來，
            這句話大概就是這麼傳開的；位元數再低，或有離群值撐大範圍時，就不是這樣了。

            所以兩者都要實測：在裝置上用它真正的運算核心量時間，並用沒有拿來校準的資料量準確率。
        """,
        names={
            "macs": "90 % 為零時的乘加次數／原本",
            "csr": "50 % 為零時，原大小／CSR 大小",
            "float": "浮點的準確率",
            "eight": "8 位元權重的準確率",
            "two": "2 位元權重的準確率",
            "lost": "2 位元損失的百分點",
        },
    ),
    formula="a dense kernel does n_in · n_out MACs, whatever the weights are\nq = rnd(w/S),  |w − Sq| ≤ S/2",
    numbers=numbers,
    code="import torch\n"
    "from edgewright.analyze import profile\n"
    "net = torch.nn.Conv2d(8, 8, 3)\n"
    "before = profile(net, input_shape=(8, 16, 16)).macs\n"
    "net.weight.data.view(-1)[:500] = 0\n"
    "print(before, profile(net, input_shape=(8, 16, 16)).macs)",
    experiments=(
        "pruned_channels_multiply",
        "fewer_bits_cost_six_decibels_each",
        "zeros_speed_up_dense_hardware",
    ),
    docs=("sparsity.md", "does-it-pay.md", "quantization.md"),
)
