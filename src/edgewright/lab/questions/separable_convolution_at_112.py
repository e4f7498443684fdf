"""A 3 x 3 convolution of 64 to 128 channels at 112 x 112, standard and separable."""

from collections.abc import Mapping

from ...calc import conv, depthwise, separable
from ..finding import Number
from ..question import Question, Words


def numbers() -> Mapping[str, Number]:
    found = separable(size=112, in_channels=64, out_channels=128).result
    weights = found["standard_weights"] / found["weights"]
    thin, thick = (
        each.result["flops_per_byte_float32"]
        for each in (
            depthwise(size=112, channels=64, padding=1, bias=False),
            conv(size=112, in_channels=64, out_channels=128, kernel=1, bias=False),
        )
    )
    return {
        "standard": Number(name="MACs, standard", value=found["standard_macs"], expected=924_844_032),
        "depthwise": Number(name="MACs, depthwise", value=found["depthwise_macs"], expected=7_225_344),
        "pointwise": Number(name="MACs, pointwise", value=found["pointwise_macs"], expected=102_760_448),
        "together": Number(name="MACs, separable", value=found["macs"], expected=109_985_792),
        "ratio": Number(name="standard / separable, MACs", value=found["reduction"], expected=8.408759, tolerance=1e-6),
        "weights": Number(name="standard / separable, weights", value=weights, expected=8.408759, tolerance=1e-6),
        "thin": Number(name="FLOP per byte, depthwise, fp32", value=thin, expected=2.249, tolerance=1e-3),
        "thick": Number(name="FLOP per byte, pointwise, fp32", value=thick, expected=21.26, tolerance=0.01),
    }


QUESTION = Question(
    theme="convolution",
    en=Words(
        question="112 × 112, 64 → 128 channels, 3 × 3: how much does a depthwise separable convolution save?",
        answer="""
            A standard convolution makes every output of every input channel and place: 112² · 128 · 9 · 64 =
            {standard:,.0f} MACs. The separable one splits the work: a 3 × 3 filter for each channel, {depthwise:,.0f},
            then a 1 × 1 convolution that mixes channels, {pointwise:,.0f}; together {together:,.0f}.

            That is {ratio:.4f} times fewer, and since both have one weight for each MAC at one place, {weights:.4f}
            times fewer weights as well. The fraction is 1/C_out + 1/K², so 9 is a limit for very many channels and not
            what a layer gets: a saving of 8 times needs 72 output channels.

            The depthwise part has 7 % of the MACs and usually more than 7 % of the time: it does {thin:.2f} operations
            for each byte that it reads or writes in fp32, the pointwise part {thick:.1f}. MACs are not latency.
        """,
    ),
    zh=Words(
        question="112 × 112、64 → 128 通道、3 × 3：深度可分離卷積能省多少？",
        answer="""
            標準卷積的每個輸出都要用到所有輸入通道與視窗位置：112² · 128 · 9 · 64 = {standard:,.0f} 次乘加。
            可分離卷積把工作拆成兩步：每個通道各做一次 3 × 3，{depthwise:,.0f} 次；再用 1 × 1 混合通道，
            {pointwise:,.0f} 次；合計 {together:,.0f} 次。

            也就是標準卷積的乘加次數是它的 {ratio:.4f} 倍；兩者在每個位置都是一個權重對應一次乘加，
            所以權重數也是 {weights:.4f} 倍。比值是 1/C_out + 1/K²，9 倍只是通道數極多時的極限，實際的層拿不到；
            要省到 8 倍，輸出通道至少要 72。

            深度卷積只占 7 % 的乘加，花的時間通常不只 7 %：以 fp32 計，每讀寫一個位元組只做 {thin:.2f} 次運算，
            逐點卷積則有 {thick:.1f} 次。乘加次數不等於延遲。
        """,
        names={
            "standard": "標準卷積的乘加次數",
            "depthwise": "深度卷積的乘加次數",
            "pointwise": "逐點卷積的乘加次數",
            "together": "可分離卷積的乘加次數",
            "thin": "深度卷積每位元組的運算（fp32）",
            "thick": "逐點卷積每位元組的運算（fp32）",
            "ratio": "乘加次數之比：標準／可分離",
            "weights": "權重數之比：標準／可分離",
        },
    ),
    formula="separable / standard = (H′W′K²C + H′W′C·C_out) / (H′W′K²C·C_out)\n= 1/C_out + 1/K²",
    numbers=numbers,
    code="edgewright calc separable --size 112 --in-channels 64 --out-channels 128",
    experiments=(
        "separable_convolutions_save_about_kernel_squared",
        "pointwise_convolutions_dominate_mobilenet",
        "macs_predict_latency",
    ),
    docs=("calc.md", "counting.md"),
)
