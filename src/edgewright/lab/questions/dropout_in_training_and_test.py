"""Dropout in training and at test time, inverted and as in 2014."""

from collections.abc import Mapping

import numpy as np

from ...reference.dropout import dropout, standard_dropout
from ...reference.stable import sigmoid
from ...seeding import numpy_generator
from ..finding import Number
from ..question import Question, Words
from ..statistics import mean_of, variance_of

X, DROP, COUNT = 2.0, 0.3, 100_000


def numbers() -> Mapping[str, Number]:
    generator = numpy_generator(0, "dropout, asked")
    inverted, mask = dropout(np.full(COUNT, X), DROP, generator)
    old = standard_dropout(np.full(COUNT, X), DROP, generator)
    signed = numpy_generator(0, "dropout, signs").standard_normal(COUNT)
    return {
        "mean": mean_of(inverted, "mean of 2 under inverted dropout, p = 0.3", expected=X),
        "variance": variance_of(inverted, "its variance", expected=X**2 * DROP / (1 - DROP)),
        "old": mean_of(old, "mean of 2 under dropout as in 2014", expected=X * (1 - DROP)),
        "swap": Number(name="largest difference of both orders with a ReLU",
                       value=float(np.abs(np.maximum(signed * mask, 0) - np.maximum(signed, 0) * mask).max()),
                       expected=0.0),
        "dropped": Number(name="a sigmoid of what was dropped", value=float(sigmoid(0.0)), expected=0.5),
    }  # fmt: skip


QUESTION = Question(
    theme="regularization",
    en=Words(
        question="What does dropout do in training, and what at test time?",
        answer="""
            In training each value is set to zero with probability p, so that no unit can rely on another being there.
            At test time nothing is dropped. The scale has to match, in one of two ways. Inverted dropout, used
            everywhere today, divides what stays by 1 − p in training: a value of 2 at p = 0.3 keeps its mean,
            {mean:.3f}, with a variance of {variance:.3f}; at test time the layer does nothing. As in 2014: not scaled
            in training (mean {old:.3f}), multiplied by 1 − p at test time.

            Using the full network with that scale stands for averaging over all thinned networks. That is exact only
            for linear models (and for the normalized geometric mean of a softmax); elsewhere it is an approximation.

            Before or after a ReLU makes no difference, exactly ({swap:.0f}), since the mask is never negative; with a
            sigmoid it does, as a dropped value becomes {dropped:.1f}. Just in front of batch norm, dropout changes the
            variance between training and test; and forgetting to switch to eval mode leaves the noise on.
        """,
    ),
    zh=Words(
        question="Dropout 在訓練與測試時各做什麼？",
        answer="""
            訓練時，每個值以機率 p 歸零，讓任何單元都不能依賴另一個單元一定在場；測試時什麼都不丟。
            兩邊的大小必須對得上，做法有兩種。現在通用的是反轉（inverted）dropout：訓練時把留下的值除以 1 − p。
            p = 0.3 時，數值 2 的平均仍是 {mean:.3f}，變異數是 {variance:.3f}，測試時這一層完全不作用。
            2014 年論文的寫法則是訓練時不縮放（平均 {old:.3f}），測試時再乘上 1 − p。

            用完整網路加上這個縮放，相當於把所有「抽掉部分單元的網路」平均起來。只有線性模型（以及 softmax
            的正規化幾何平均）才完全相等，其他情況只是近似。

            放在 ReLU 之前或之後完全一樣（相差 {swap:.0f}），因為遮罩不會是負的；換成 sigmoid 就不同了，
            被丟掉的值會變成 {dropped:.1f}。放在批次正規化前面，訓練與測試的變異數會不一致；
            忘了切換到 eval 模式，則雜訊會一直開著。
        """,
        names={
            "mean": "反轉 dropout 下數值 2 的平均（p = 0.3）",
            "variance": "其變異數",
            "old": "2014 年寫法的平均",
            "swap": "與 ReLU 前後對調的最大差距",
            "dropped": "被丟掉的值經過 sigmoid",
        },
    ),
    formula="inverted: train y = x·m/(1 − p), test y = x\n2014: train y = x·m, test y = (1 − p)x\n"
    "E[y] = x, Var[y] = x² p/(1 − p)",
    numbers=numbers,
    code="import torch\n"
    "layer = torch.nn.Dropout(0.3)\n"
    "x = torch.full((100_000,), 2.0)\n"
    "print(layer.train()(x).mean(), layer(x).var(), layer.eval()(x).mean())",
    experiments=(
        "dropout_keeps_the_mean_and_adds_variance",
        "dropout_before_and_after_relu_are_one",
        "dropout_averages_subnetworks_only_when_linear",
    ),
    docs=("training.md", "reference.md"),
)
