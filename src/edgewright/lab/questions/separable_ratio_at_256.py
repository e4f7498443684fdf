"""Depthwise separable against standard convolution at 256 output channels."""

from collections.abc import Mapping

from ...calc.separables import separable
from ..finding import Number
from ..question import Question, Words


def numbers() -> Mapping[str, Number]:
    found = {width: separable(size=14, in_channels=128, out_channels=width).result for width in (64, 72, 256)}
    at = found[256]
    return {
        "fraction": Number(name="separable/standard at 256", value=at["macs"] / at["standard_macs"], expected=0.115017,
                           tolerance=1e-6),
        "times": Number(name="fewer MACs at 256", value=at["reduction"], expected=8.694, tolerance=5e-4),
        "weights": Number(name="fewer weights at 256", value=at["standard_weights"] / at["weights"], expected=8.694,
                          tolerance=5e-4),
        "at64": Number(name="fewer MACs at 64", value=found[64]["reduction"], expected=7.890, tolerance=5e-4),
        "at72": Number(name="fewer MACs at 72", value=found[72]["reduction"], expected=8.0),
        "share": Number(name="share of the depthwise half at 256", value=at["depthwise_macs"] / at["macs"],
                        expected=9 / (9 + 256)),
    }  # fmt: skip


QUESTION = Question(
    theme="architectures",
    en=Words(
        question="How much does a 3×3 depthwise separable convolution save at 256 output channels?",
        answer="""
            Its share of the standard cost is 1/C_out + 1/K² = 1/256 + 1/9 = {fraction:.6f}, so it needs {times:.3f}
            times fewer MACs. Size and input channels cancel out, and the same ratio holds for the weights:
            {weights:.3f}.

            "8 to 9 times" needs enough output channels: at 64 it is {at64:.3f}, at 72 exactly {at72:.0f}, and 9 is a
            limit that is never reached. At 256 the depthwise half makes {share:.3f} of the MACs that are left; the rest
            is the 1×1 convolution.

            That is arithmetic, not time. A depthwise layer does few operations for each byte that it moves, so it is
            often bound by memory, and the measured gain is smaller than {times:.1f}.
        """,
    ),
    zh=Words(
        question="輸出通道為 256 時，3×3 深度可分離卷積能省多少？",
        answer="""
            它占標準卷積的比例是 1/C_out + 1/K² = 1/256 + 1/9 = {fraction:.6f}，也就是 MAC 降為 1/{times:.3f}。影像大
            小與輸入通道數都會消掉，權重數也是同樣的比例：{weights:.3f}。

            常說的「省 8 到 9 倍」要輸出通道夠多才成立：64 個通道時是 {at64:.3f}，72 個時剛好是 {at72:.0f}，9 則是永遠
            達不到的極限。256 個通道時，剩下的 MAC 有 {share:.3f} 在逐通道（depthwise）卷積，其餘都在 1×1 卷積。

            這是運算量，不是時間。逐通道卷積每搬一個位元組只做很少的運算，常常受限於記憶體頻寬，實際量到的加速會小於
            {times:.1f} 倍。
        """,
        names={
            "fraction": "256 時與標準卷積之比",
            "times": "256 時 MAC 減少的倍數",
            "weights": "256 時權重減少的倍數",
            "at64": "64 時 MAC 減少的倍數",
            "at72": "72 時 MAC 減少的倍數",
            "share": "256 時逐通道卷積占的比例",
        },
    ),
    formula="(K²·C_in + C_in·C_out)/(K²·C_in·C_out) = 1/C_out + 1/K²",
    numbers=numbers,
    code="edgewright calc separable --size 14 --in-channels 128 --out-channels 256",
    experiments=(
        "separable_convolutions_save_about_kernel_squared",
        "pointwise_convolutions_dominate_mobilenet",
        "macs_predict_latency",
    ),
    docs=("calc.md", "counting.md"),
)
