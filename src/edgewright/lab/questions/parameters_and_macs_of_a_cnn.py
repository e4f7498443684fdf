"""A small CNN, counted layer by layer."""

from collections.abc import Mapping

from ...calc import batch_norm, conv, linear, pool
from ..finding import Number
from ..question import Question, Words


def numbers() -> Mapping[str, Number]:
    first = conv(size=28, in_channels=1, out_channels=8, kernel=3, padding=1).result
    second = conv(size=14, in_channels=8, out_channels=16, kernel=3, padding=1).result
    third, fourth = (linear(in_features=i, out_features=o).result for i, o in ((784, 64), (64, 10)))
    layers = (first, second, third, fourth)
    macs = sum(each["macs"] for each in layers)
    norm = batch_norm(size=28, channels=8).result
    small = (*(conv(size=s, in_channels=i, out_channels=o, kernel=3, padding=1).result for s, i, o in
               ((28, 1, 8), (9, 8, 16))), linear(in_features=144, out_features=64).result, fourth)  # fmt: skip
    rows = {
        "conv1": ("params, conv 1 → 8", first["params"], 80),
        "conv2": ("params, conv 8 → 16", second["params"], 1_168),
        "fc1": ("params, linear 784 → 64", third["params"], 50_240),
        "fc2": ("params, linear 64 → 10", fourth["params"], 650),
        "params": ("params, all", sum(each["params"] for each in layers), 52_138),
        "macs1": ("MACs, conv 1 → 8", first["macs"], 56_448),
        "macs2": ("MACs, conv 8 → 16", second["macs"], 225_792),
        "macs": ("MACs, all", macs, 333_056),
        "flops": ("FLOPs, all", 2 * macs, 666_112),
        "norm": ("params of a batch norm of 8 channels", norm["params"], 16),
        "pool": ("side behind pools of 3, then 3", pool(size=9, channels=16, kernel=3).result["shape_out"][1], 3),
        "pooled": ("params with pools of 3", sum(each["params"] for each in small), 11_178),
    }
    return {key: Number(name=name, value=value, expected=expected) for key, (name, value, expected) in rows.items()}


QUESTION = Question(
    theme="architectures",
    en=Words(
        question="How are the parameters and FLOPs of a CNN counted?",
        answer="""
            A convolution has K·K weights for each pair of input and output channel (per group) and one bias per output
            channel; it uses every weight once per output place. A linear layer has n_in · n_out weights and uses each
            once. Take 28 × 28 → conv 8 → pool 2 → conv 16 → pool 2 → linear 64 → linear 10: {conv1:,.0f} +
            {conv2:,.0f} + {fc1:,.0f} + {fc2:,.0f} = {params:,.0f} parameters.

            MACs tell another story: {macs1:,.0f} and {macs2:,.0f} in the convolutions, {macs:,.0f} in all. The linear
            layers hold 98 % of the weights and 15 % of the work. One MAC is two FLOPs, {flops:,.0f}; tools that print
            "FLOPs" often mean MACs, so say which.

            A batch norm of 8 channels has {norm:.0f} learnable parameters (and its running mean and variance as
            buffers), and costs nothing once it is folded. Pools and ReLU have none: a 2 × 2 maximum takes 3
            comparisons. With pools of 3 the maps end at {pool:.0f} × {pool:.0f}, 144 values, and the same net has
            {pooled:,.0f} parameters: watch what is flattened.
        """,
    ),
    zh=Words(
        question="CNN 的參數量與 FLOPs 怎麼算？",
        answer="""
            卷積對（同組內）每一對輸入、輸出通道有 K·K 個權重，每個輸出通道再加一個偏置；
            每個權重在每個輸出位置各用一次。全連接層有 n_in · n_out 個權重，每個只用一次。
            以 28 × 28 → 卷積 8 → 池化 2 → 卷積 16 → 池化 2 → 全連接 64 → 全連接 10 為例：
            {conv1:,.0f} + {conv2:,.0f} + {fc1:,.0f} + {fc2:,.0f} = {params:,.0f} 個參數。

            乘加次數則是另一回事：兩個卷積是 {macs1:,.0f} 與 {macs2:,.0f}，全部 {macs:,.0f}。全連接層握有 98 % 的權重，
            卻只做 15 % 的運算。一次乘加算兩個 FLOPs，也就是 {flops:,.0f}；許多工具印的「FLOPs」其實是乘加，務必講清楚。

            8 個通道的批次正規化有 {norm:.0f} 個可學習參數（另有累積的平均值與變異數當緩衝），融合之後不花任何運算。
            池化與 ReLU 沒有參數：2 × 2 最大池化要比較 3 次。若池化改成 3，特徵圖最後是 {pool:.0f} × {pool:.0f}，
            攤平只剩 144 個值，同一個網路就只有 {pooled:,.0f} 個參數：攤平的大小最關鍵。
        """,
        names={
            "conv1": "參數：卷積 1 → 8",
            "conv2": "參數：卷積 8 → 16",
            "fc1": "參數：全連接 784 → 64",
            "fc2": "參數：全連接 64 → 10",
            "params": "參數總數",
            "macs1": "乘加：卷積 1 → 8",
            "macs2": "乘加：卷積 8 → 16",
            "macs": "乘加總數",
            "flops": "FLOPs 總數",
            "norm": "8 通道批次正規化的參數",
            "pool": "兩次池化 3 之後的邊長",
            "pooled": "池化改成 3 的參數總數",
        },
    ),
    formula="conv: params = K²·(C_in/g)·C_out + C_out,  MACs = H′W′·K²·(C_in/g)·C_out\n"
    "linear: params = n_in·n_out + n_out,  MACs = n_in·n_out\n"
    "batch norm: 2C\n"
    "FLOPs = 2 · MACs",
    numbers=numbers,
    code="edgewright analyze simple_cnn",
    experiments=(
        "strides_divide_macs_by_their_square",
        "pointwise_convolutions_dominate_mobilenet",
        "macs_predict_latency",
    ),
    docs=("counting.md", "analyze.md", "calc.md"),
)
