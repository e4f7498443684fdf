"""A batch norm that disappears into the convolution in front."""

from collections.abc import Mapping

import numpy as np

from ...calc import batch_norm as batch_norm_cost
from ...reference.convolution import conv2d
from ...reference.normalization import RunningStatistics, batch_norm_inference, folded
from ...reference.windows import Window
from ...seeding import numpy_generator
from ..finding import Number
from ..question import Question, Words


def numbers() -> Mapping[str, Number]:
    generator = numpy_generator(0, "layer")
    x, weight = generator.standard_normal((2, 3, 6, 6)), generator.standard_normal((4, 3, 3, 3))
    bias, shift, gain = generator.standard_normal(4), generator.standard_normal(4), 1 + generator.random(4)
    running = RunningStatistics(mean_C=generator.standard_normal(4), var_C=1 + generator.random(4))
    window = Window.square(3, padding=1)
    want = batch_norm_inference(conv2d(x, weight, bias, window=window), gain, shift, running)
    got = conv2d(x, *folded(weight, bias, (gain, shift), running), window=window)
    cost = batch_norm_cost(size=56, channels=64).result
    hand = folded(np.array([[3.0]]), np.array([1.0]), (np.array([2.0]), np.array([0.5])),
                  RunningStatistics(mean_C=np.array([2.0]), var_C=np.array([4.0])), eps=0.0)  # fmt: skip
    front = _in_front(x, weight, window)
    return {
        "gap": Number(name="largest change of an output", value=float(np.abs(want - got).max()), expected=0.0,
                      tolerance=1e-12),
        "weight": Number(name="folded weight of the example", value=hand[0][0, 0], expected=3.0),
        "bias": Number(name="folded bias of the example", value=hand[1][0], expected=-0.5),
        "saved": Number(name="operations saved, 64 channels of 56 × 56", value=cost["elementwise_as_written"],
                        expected=802_816),
        "inside": Number(name="norm in front of a padded convolution, error inside", value=front[0], expected=0.0,
                         tolerance=1e-12),
        "border": Number(name="norm in front of a padded convolution, error at the border", value=front[1]),
    }  # fmt: skip


def _in_front(x: np.ndarray, weight: np.ndarray, window: Window) -> tuple[float, float]:
    """Errors inside and at the border when conv(2 x + 1) is written as conv'(x) + b'."""
    want = conv2d(2 * x + 1, weight, np.zeros(4), window=window)
    error = np.abs(conv2d(x, 2 * weight, weight.sum((1, 2, 3)), window=window) - want)
    return float(error[:, :, 1:-1, 1:-1].max()), float(error.max())


QUESTION = Question(
    theme="normalization",
    en=Words(
        question="How is a batch norm fused with the convolution in front of it?",
        answer="""
            At inference a batch norm is a fixed scale and shift per channel, and a convolution is linear, so the scale
            goes into its weights and the rest into its bias: W′ = Wγ/√(σ² + ε), b′ = (b − μ)γ/√(σ² + ε) + β. With W =
            3, b = 1, γ = 2, β = 0.5, μ = 2, σ² = 4 that is W′ = {weight:.0f} and b′ = {bias:.1f}.

            Outputs stay the same (largest change {gap:.0e} in float64), and an operator with its pass over memory is
            gone: {saved:,.0f} operations for 64 channels of 56 × 56. It is done before quantization, so that the
            integer weights are those that run. If the convolution had no bias it has one now.

            It must be eval mode: in training the statistics still change. Folding works along output channels of
            convolutions (grouped, transposed) and linear layers. A norm in front of a convolution folds forwards only
            without zero padding: inside the error is {inside:.0e}, at a padded border {border:.1f}, for a padded zero
            is not a shifted zero. And look at the graph whether it was done: a scripted or exported graph may keep the
            norm.
        """,
    ),
    zh=Words(
        question="如何把批次正規化融合進前面的卷積？",
        answer="""
            推論時 BN 只是每個通道固定的縮放與平移，而卷積是線性的，所以縮放併入權重，其餘併入偏置：W′ = Wγ/√(σ² + ε)，
            b′ = (b − μ)γ/√(σ² + ε) + β。例如 W = 3、b = 1、γ = 2、β = 0.5、μ = 2、σ² = 4，得到 W′ = {weight:.0f}、
            b′ = {bias:.1f}。

            輸出不變（float64 下最大差異 {gap:.0e}），卻少了一個運算子和一趟記憶體讀寫：64 通道、
            56 × 56 就省下 {saved:,.0f} 次運算。要在量化之前做，這樣整數權重才是實際執行的那一組。卷積原本沒有偏置的話，
            融合後就有了。

            前提是 eval 模式，因為訓練時統計量還在變。融合是沿著輸出通道做，卷積（含分組、轉置）與全連接層都適用。
            放在卷積「前面」的 BN，只有在不補零時才能往後併入：內部誤差是 {inside:.0e}，補零的邊界卻差到 {border:.1f}，
            因為補進來的零並沒有被平移過。最後要檢查計算圖是否真的融合了：轉成 script 或匯出的圖可能仍保留 BN。
        """,
        names={
            "gap": "輸出的最大改變",
            "weight": "例子的融合後權重",
            "bias": "例子的融合後偏置",
            "saved": "省下的運算次數（64 通道、56 × 56）",
            "inside": "BN 在補零卷積之前：內部誤差",
            "border": "BN 在補零卷積之前：邊界誤差",
        },
    ),
    formula="W′ = W·γ/√(σ² + ε)\nb′ = (b − μ)·γ/√(σ² + ε) + β",
    numbers=numbers,
    code="import torch\n"
    "from torch import nn\n"
    "from torch.nn.utils.fusion import fuse_conv_bn_eval\n"
    "conv, norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)\n"
    "norm(conv(torch.randn(64, 3, 8, 8)))\n"
    "conv.eval(), norm.eval()\n"
    "x = torch.randn(1, 3, 8, 8)\n"
    "print((fuse_conv_bn_eval(conv, norm)(x) - norm(conv(x))).abs().max())",
    experiments=(
        "folding_batch_norm_changes_nothing_but_cost",
        "folding_batch_norm_speeds_up_inference",
    ),
    docs=("quantization.md", "counting.md"),
)
