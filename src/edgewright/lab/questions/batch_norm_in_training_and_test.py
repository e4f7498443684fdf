"""Which statistics a batch norm uses when."""

from collections.abc import Mapping

import numpy as np

from ...reference.normalization import RunningStatistics, batch_norm, batch_norm_inference
from ..finding import Number
from ..question import Question, Words

ONE = np.ones(1)
DATA = np.array([[1.0], [2], [3], [4]])


def numbers() -> Mapping[str, Number]:
    running, reached = RunningStatistics(mean_C=0 * ONE, var_C=ONE), []
    for _ in range(50):
        running = running.after(DATA)
        reached.append(running.mean_C[0] / DATA.mean())
    first = RunningStatistics(mean_C=0 * ONE, var_C=ONE).after(DATA)
    train = batch_norm(DATA, ONE, 0 * ONE, eps=0.0)[0][3, 0]
    early, late = (batch_norm_inference(DATA, ONE, 0 * ONE, each, eps=0.0)[3, 0] for each in (first, running))
    single = batch_norm(DATA[:1], ONE, 0 * ONE)[0][0, 0]
    return {
        "one": Number(name="share of the mean after 1 batch", value=reached[0], expected=0.1),
        "ten": Number(name="share of the mean after 10 batches", value=reached[9], expected=1 - 0.9**10),
        "fifty": Number(name="share of the mean after 50 batches", value=reached[49], expected=1 - 0.9**50),
        "train": Number(name="4 among 1, 2, 3, 4, training", value=train, expected=1.341641, tolerance=1e-6),
        "early": Number(name="the same in test, after 1 batch", value=early, expected=3.75 / (1 + 1 / 15) ** 0.5),
        "late": Number(name="the same in test, after 50 batches", value=late),
        "single": Number(name="a single value, training", value=single, expected=0.0),
    }


QUESTION = Question(
    theme="normalization",
    en=Words(
        question="How does batch norm behave in training, and how in testing?",
        answer="""
            In training it uses mean and variance of the batch, lets gradients flow through them, and moves its running
            statistics a tenth of the way (momentum 0.1). In testing it uses the running ones, fixed, and changes
            nothing: the output of a sample no longer depends on its company.

            Running statistics need time: from 0 they reach {one:.0%} of the mean after 1 batch, {ten:.0%} after 10,
            {fifty:.1%} after 50. Tested too early a network looks broken although it learns: 4 among 1, 2, 3, 4 is
            {train:.4f} in training, {early:.2f} in testing after one batch, and {late:.2f} after 50. It stays a little
            smaller than in training, because the stored variance is the unbiased one.

            What goes wrong in practice: eval mode forgotten (answers depend on the batch; a single value becomes
            {single:.0f}, or PyTorch refuses), frozen weights with statistics that still move, tiny batches, and a
            network that was pruned or fine-tuned on other data with the old statistics. Measuring them anew on a few
            batches repairs the last.
        """,
    ),
    zh=Words(
        question="批次正規化在訓練與測試時有什麼不同？",
        answer="""
            訓練時用批次自己的平均值與變異數，梯度會穿過它們，同時把累積統計量往這個批次移動十分之一（momentum 0.1）。
            測試時用累積下來的統計量，固定不動，也不再更新：一個樣本的輸出不再受同批樣本影響。

            累積統計量需要時間：從 0 出發，1 個批次後到達平均值的 {one:.0%}，10 個之後 {ten:.0%}，
            50 個之後 {fifty:.1%}。太早測試，網路明明學到了也像是壞的：1、2、3、4 中的 4，訓練時是 {train:.4f}，
            1 個批次後測試是 {early:.2f}，50 個之後是 {late:.2f}。它會一直比訓練時略小，因為存下來的是無偏變異數。

            實務上常見的問題：忘了切到 eval 模式（答案隨批次而變；單一個值會變成 {single:.0f}，PyTorch 則直接報錯）；
            權重凍結了、統計量卻還在動；批次太小；剪枝或換了資料微調之後，還用舊的統計量。最後這一種，
            用幾個批次重新估計就能修好。
        """,
        names={
            "one": "1 個批次後達到平均值的比例",
            "ten": "10 個批次後達到的比例",
            "fifty": "50 個批次後達到的比例",
            "train": "1、2、3、4 中的 4：訓練",
            "early": "同上：1 個批次後測試",
            "late": "同上：50 個批次後測試",
            "single": "單一個值：訓練",
        },
    ),
    formula="training: x̂ = (x − μ_B)/√(σ²_B + ε),  μ_run ← (1 − m)μ_run + m·μ_B\ntest: x̂ = (x − μ_run)/√(σ²_run + ε)",
    numbers=numbers,
    code="import torch\n"
    "norm = torch.nn.BatchNorm1d(1)\n"
    "x = torch.tensor([[1.0], [2], [3], [4]])\n"
    "print(norm(x).T, norm.running_mean, norm.running_var)\n"
    "print(norm.eval()(x).T)",
    experiments=(
        "batch_norm_in_training_depends_on_batch_mates",
        "tiny_batches_break_batch_norm_alone",
        "test_statistics_in_batch_norm_leak",
    ),
    docs=("reference.md", "training.md", "transfer.md"),
)
