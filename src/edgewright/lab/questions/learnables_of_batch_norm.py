"""What a batch norm learns, what it stores, and how to find all of them in a network."""

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ...calc import batch_norm
from ...zoo import resolve
from ..finding import Number
from ..question import Question, Words


def numbers() -> Mapping[str, Number]:
    layer = nn.BatchNorm2d(64)
    with torch.device("meta"):
        net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8))
    by_type = [each for each in net.modules() if isinstance(each, _BatchNorm)]
    by_name = [name for name, _ in net.named_parameters() if "bn" in name]
    real = [
        each for each in resolve("mobilenet_v1:0.25@96", num_classes=10).model.modules() if isinstance(each, _BatchNorm)
    ]
    return {
        "learnt": Number(name="learnable values of 64 channels", value=sum(p.numel() for p in layer.parameters()),
                         expected=128),
        "formula": Number(name="2C by the calculation", value=batch_norm(size=1, channels=64).result["params"],
                          expected=128),
        "buffers": Number(name="stored values of 64 channels", value=sum(b.numel() for b in layer.buffers()),
                          expected=129),
        "typed": Number(name="batch norms of a small net, by type", value=len(by_type), expected=2),
        "named": Number(name="the same by a name with bn", value=len(by_name), expected=0),
        "mobile": Number(name="batch norms of MobileNet V1", value=len(real), expected=27),
    }  # fmt: skip


QUESTION = Question(
    theme="normalization",
    en=Words(
        question="Which parameters does a batch norm learn, and how are they read from a network?",
        answer="""
            A scale γ and a shift β for each channel, called weight and bias in PyTorch: 2C, for 64 channels
            {learnt:.0f} ({formula:.0f} by the formula). Beside them it stores what it does not learn: running mean,
            running variance and a counter of batches, {buffers:.0f} values. They are buffers: no optimizer touches
            them, but they belong to the state and to the saved file.

            Find the layers by their type, not by their names. In a plain nn.Sequential they are called "1" and "4":
            {typed:.0f} by type, {named:.0f} by searching for "bn". MobileNet V1 has {mobile:.0f}, one behind each
            convolution.

            Freezing γ and β does not freeze the layer: in training mode the buffers go on moving. It has to be in eval
            mode as well. Weight decay is usually kept away from both; pruning by |γ| reads them as importance of the
            channels.
        """,
    ),
    zh=Words(
        question="批次正規化有哪些可學習的參數？如何從網路裡取出來？",
        answer="""
            每個通道有一個縮放 γ 與一個平移 β，在 PyTorch 裡叫 weight 與 bias：共 2C 個，
            64 通道就是 {learnt:.0f} 個（公式算出 {formula:.0f}）。另外還存著不靠學習得來的值：累積平均值、
            累積變異數與批次計數，共 {buffers:.0f} 個。它們是緩衝（buffer），最佳化器不會動，但屬於模型狀態，
            存檔時要一起存。

            請用型別來找，不要用名字找。在一般的 nn.Sequential 裡，它們叫做「1」和「4」：用型別找到 {typed:.0f} 個，
            用名字含「bn」去找則是 {named:.0f} 個。MobileNet V1 有 {mobile:.0f} 個，每個卷積後面各一個。

            凍結 γ 與 β 並不等於凍結這一層：訓練模式下緩衝仍會繼續更新，還必須切到 eval 模式。
            權重衰減通常不加在這兩者上；以 |γ| 為準的剪枝，則把它當作通道的重要性。
        """,
        names={
            "learnt": "64 通道的可學習參數",
            "formula": "依公式 2C",
            "buffers": "64 通道的緩衝值",
            "typed": "小網路的批次正規化層：用型別找",
            "named": "同上：用名字含 bn 找",
            "mobile": "MobileNet V1 的批次正規化層",
        },
    ),
    formula="y = γ·(x − μ)/√(σ² + ε) + β\nlearnable: γ, β (2C)\nbuffers: μ_run, σ²_run, counter (2C + 1)",
    numbers=numbers,
    code="from torch import nn\n"
    "from torch.nn.modules.batchnorm import _BatchNorm\n"
    "net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())\n"
    "for name, layer in net.named_modules():\n"
    "    if isinstance(layer, _BatchNorm):\n"
    "        print(name, layer.weight.shape, layer.bias.shape, [key for key, _ in layer.named_buffers()])",
    experiments=("folding_batch_norm_changes_nothing_but_cost",),
    docs=("counting.md", "transfer.md", "pruning-scores.md"),
)
