"""Batch norm over the batches of several processes."""

from collections.abc import Mapping

import numpy as np

from ...reference.normalization import batch_norm, joined_statistics
from ...seeding import numpy_generator
from ..finding import Number
from ..question import Question, Words

SHARDS = np.array([[0.0, 2.0], [10.0, 12.0]])


def numbers() -> Mapping[str, Number]:
    means, variances = SHARDS.mean(1), SHARDS.var(1)
    mean, var = joined_statistics(np.array([2, 2]), means[:, None], variances[:, None])
    x = numpy_generator(0, "values").standard_normal((32, 3)) * np.repeat(np.arange(1, 5), 8)[:, None]
    parts = x.reshape(4, 8, 3)
    joined = joined_statistics(np.full(4, 8), parts.mean(1), parts.var(1))
    whole = batch_norm(x, np.ones(3), np.zeros(3))[0]
    apart = np.concatenate([batch_norm(part, np.ones(3), np.zeros(3))[0] for part in parts])
    synced = (x - joined[0]) / np.sqrt(joined[1] + 1e-5)
    return {
        "local": Number(name="mean of the local variances", value=float(variances.mean()), expected=1.0),
        "mean": Number(name="joined mean", value=mean[0], expected=6.0),
        "var": Number(name="joined variance", value=var[0], expected=26.0),
        "synced": Number(name="4 processes joined and one process, gap", value=float(np.abs(synced - whole).max()),
                         expected=0.0, tolerance=1e-12),
        "apart": Number(name="4 processes apart and one process, gap", value=float(np.abs(apart - whole).max())),
    }  # fmt: skip


QUESTION = Question(
    theme="normalization",
    en=Words(
        question="What must be minded with batch norm on several GPUs?",
        answer="""
            In data-parallel training each GPU normalizes its own part of the batch by its own statistics. With 2
            images per GPU that is batch norm with a batch of 2, whatever the sum is, and it is not the training of one
            big batch: outputs of four processes differ from those of one by up to {apart:.1f} here.

            Synchronized batch norm exchanges sums. It takes the sum of the values and of their squares (or mean,
            variance and count of each process) and computes one mean and variance for all; then nothing differs (gap
            {synced:.0e}). Averaging variances is wrong: the shards (0, 2) and (10, 12) have variance {local:.0f} each,
            but all four values have mean {mean:.0f} and variance {var:.0f}. The backward pass needs an exchange too,
            of Σdy and Σ(dy·x̂).

            It costs two small messages per layer and step, and pays where the batch per GPU is small, as in detection
            and segmentation. Gradient accumulation has the same gap and no such remedy: the batch norm sees the small
            batches. Group or layer norm avoid the matter.
        """,
    ),
    zh=Words(
        question="多張 GPU 訓練時，批次正規化要注意什麼？",
        answer="""
            資料平行訓練時，每張 GPU 只用自己那一份資料的統計量。若每張只有 2 張影像，不管總批次多大，
            效果都是批次大小 2 的 BN，而不等於一個大批次的訓練：這裡四個行程的輸出，與單一行程最多差到 {apart:.1f}。

            同步 BN 交換的是「總和」：把各行程的總和與平方和（或平均、變異數與個數）合併，算出共同的平均值與變異數，
            結果就與單一行程相同（差距 {synced:.0e}）。直接平均各自的變異數是錯的：
            (0, 2) 與 (10, 12) 的變異數都是 {local:.0f}，但四個值合起來平均是 {mean:.0f}、變異數是 {var:.0f}。
            反向傳播時也要交換 Σdy 與 Σ(dy·x̂)。

            代價是每層每步兩則小訊息；每張 GPU 的批次很小時（例如偵測、分割）才划算。梯度累積有同樣的落差，
            卻沒有這種補救，因為 BN 看到的仍是小批次。改用 GN 或 LN 就沒有這個問題。
        """,
        names={
            "local": "各行程變異數的平均",
            "mean": "合併後的平均值",
            "var": "合併後的變異數",
            "synced": "四個行程同步後與單一行程的差距",
            "apart": "四個行程各自計算與單一行程的差距",
        },
    ),
    formula="μ = Σ n_i μ_i / n\nσ² = Σ n_i (σ_i² + μ_i²) / n − μ²",
    numbers=numbers,
    code="import numpy as np\n"
    "from edgewright.reference.normalization import joined_statistics\n"
    "shards = np.array([[0.0, 2.0], [10.0, 12.0]])\n"
    "print(joined_statistics(np.array([2, 2]), shards.mean(1)[:, None], shards.var(1)[:, None]))",
    experiments=(
        "tiny_batches_break_batch_norm_alone",
        "batch_norm_in_training_depends_on_batch_mates",
        "averaged_statistics_are_those_of_the_whole_batch",
    ),
    docs=("scale.md", "training.md"),
)
