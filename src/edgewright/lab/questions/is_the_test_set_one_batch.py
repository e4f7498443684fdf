"""What a batch norm does with the samples that happen to be together at inference: nothing."""

from collections.abc import Mapping

import numpy as np

from ...reference.normalization import RunningStatistics, batch_norm, batch_norm_inference
from ..finding import Number
from ..question import Question, Words

ONE = np.ones(1)
BATCHES = np.array([[1.0, 2, 3, 4], [4, 4, 8, 4]])  # both end in the sample 4


def numbers() -> Mapping[str, Number]:
    running = RunningStatistics(mean_C=np.array([2.0]), var_C=np.array([4.0]))
    train = [batch_norm(each[:, None], ONE, 0 * ONE, eps=0.0)[0][-1, 0] for each in BATCHES]
    together = [batch_norm_inference(each[:, None], ONE, 0 * ONE, running, eps=0.0)[-1, 0] for each in BATCHES]
    alone = batch_norm_inference(np.array([[4.0]]), ONE, 0 * ONE, running, eps=0.0)[0, 0]
    gap = max(abs(each - alone) for each in together)
    return {
        "first": Number(name="4 among (1, 2, 3, 4), training mode", value=train[0], expected=1.341641, tolerance=1e-6),
        "second": Number(name="4 among (4, 4, 8, 4), training mode", value=train[1], expected=-(3**-0.5)),
        "alone": Number(name="4 alone, inference", value=alone, expected=1.0),
        "gap": Number(name="largest change by company, inference", value=gap, expected=0.0),
    }


QUESTION = Question(
    theme="normalization",
    en=Words(
        question="Is the whole test set treated as one batch at inference?",
        answer="""
            No. At inference a batch norm uses the mean and variance that it gathered while it trained. They are
            constants by then, so the layer is a fixed scale and shift per channel, and each sample is answered for
            itself: any batch size, in any order, gives the same outputs.

            In training mode it would not. With the batch's own statistics the sample 4 becomes {first:.4f} among (1,
            2, 3, 4), and {second:.4f} among (4, 4, 8, 4). With running statistics of mean 2 and variance 4 it is
            {alone:.0f}, alone or in either company; the largest change is {gap:.0f}.

            Computing statistics over the test set would let samples that are being judged change each other's answers,
            which is a leak of the test set, and a device that sees one image at a time could not do it at all. The one
            case without stored statistics is a layer that was told not to track any: it uses the batch in both modes.
        """,
    ),
    zh=Words(
        question="推論時，是把整個測試集當成一個批次來處理嗎？",
        answer="""
            不是。推論時，批次正規化用的是訓練期間累積下來的平均值與變異數。它們這時已是常數，
            這一層就只是每個通道固定的縮放與平移，每個樣本各自得到答案：批次大小與順序都不影響輸出。

            訓練模式就不同了。若用批次自己的統計量，樣本 4 在 (1, 2, 3, 4) 之中會變成 {first:.4f}，
            在 (4, 4, 8, 4) 之中卻是 {second:.4f}。改用累積的統計量（平均值 2、變異數 4），不論單獨或與誰同批，
            結果都是 {alone:.0f}，最大差距 {gap:.0f}。

            如果拿測試集來算統計量，受測樣本就會互相影響答案，等於洩漏測試資料；何況裝置上一次只看到一張影像，
            根本做不到。唯一沒有累積統計量的情況，是把該層設定成不追蹤：這時兩種模式都用批次的統計量。
        """,
        names={
            "first": "(1, 2, 3, 4) 中的 4，訓練模式",
            "second": "(4, 4, 8, 4) 中的 4，訓練模式",
            "alone": "單獨的 4，推論",
            "gap": "推論時因同批樣本造成的最大改變",
        },
    ),
    formula="training: x̂ = (x − μ_batch)/√(σ²_batch + ε)\ninference: x̂ = (x − μ_run)/√(σ²_run + ε)",
    numbers=numbers,
    code="import torch\n"
    "norm = torch.nn.BatchNorm1d(3)\n"
    "norm(torch.randn(64, 3) * 2 + 1)  # one step of training fills the running statistics\n"
    "norm.eval()\n"
    "x = torch.randn(8, 3)\n"
    "print((norm(x) - torch.cat([norm(row) for row in x.split(1)])).abs().max())",
    experiments=("batch_norm_in_training_depends_on_batch_mates", "test_statistics_in_batch_norm_leak"),
    docs=("reference.md", "training.md"),
)
