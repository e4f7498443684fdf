"""What very many classes cost, and the ways around it."""

from collections.abc import Mapping
from math import ceil, log2

import numpy as np
import torch

from ...calc import linear
from ...reference.losses import cross_entropy, sampled_softmax
from ...seeding import numpy_generator
from ..finding import Number
from ..question import Question, Words

DIM, CLASSES = 1024, 100_000


def numbers() -> Mapping[str, Number]:
    weights = linear(in_features=DIM, out_features=CLASSES, bias=False).result["params"]
    logits = numpy_generator(0, "logits").standard_normal((1, 50))
    exact = cross_entropy(logits, np.eye(50)[[7]])
    sampled = sampled_softmax(logits, [7], list(range(50)), noise_K=np.full(50, 1 / 50))
    return {
        "weights": Number(name="weights of the last layer", value=weights, expected=102_400_000),
        "size": Number(name="MB in fp32", value=4 * weights / 1e6, expected=409.6, unit="MB"),
        "train": Number(name="MB with gradient and Adam", value=16 * weights / 1e6, expected=1_638.4, unit="MB"),
        "tree": Number(name="decisions of a balanced tree", value=ceil(log2(CLASSES)), expected=17),
        "adaptive": Number(name="weights, adaptive, cut-offs 2,000 and 10,000", value=_adaptive(),
                           expected=10_185_728),
        "gap": Number(name="sampled softmax that draws every class once, gap to the exact loss",
                      value=abs(sampled - exact), expected=0.0, tolerance=1e-9),
    }  # fmt: skip


def _adaptive() -> int:
    with torch.device("meta"):
        head = torch.nn.AdaptiveLogSoftmaxWithLoss(DIM, CLASSES, cutoffs=[2_000, 10_000], div_value=4.0)
    return sum(p.numel() for p in head.parameters())


QUESTION = Question(
    theme="many_classes",
    en=Words(
        question="Softmax over 10,000 to 100,000 classes: what goes wrong, and what helps?",
        answer="""
            The last layer outgrows everything: 1024 features and 100,000 classes make {weights:,.0f} weights,
            {size:.1f} MB in fp32 and {train:,.1f} MB with gradient and Adam's two moments, and every step touches all
            of them, since the gradient p − y is dense. Besides, most classes are rare and learn little.

            Hierarchical softmax puts the classes into a tree: the probability of a given class takes {tree:.0f}
            decisions. The most probable class still needs a search. Adaptive softmax keeps frequent classes in a full
            head and gives rare ones fewer dimensions: {adaptive:,.0f} weights with cut-offs at 2,000 and 10,000.

            Sampled softmax computes the loss on the true class and some drawn ones. It needs the correction z − log Q
            of how likely each was to be drawn, or it learns another distribution; with the correction, and every class
            drawn once, it is the exact loss (gap {gap:.0e}). Noise-contrastive estimation and negative sampling are
            other objectives rather than approximations of this one: negative sampling gives no probabilities. For
            retrieval or faces, embeddings with a metric loss do without the layer.
        """,
    ),
    zh=Words(
        question="softmax 有一萬到十萬個類別時會有什麼問題？怎麼解決？",
        answer="""
            最後一層會大過一切：1024 維特徵、100,000 類就有 {weights:,.0f} 個權重，fp32 要 {size:.1f} MB，
            加上梯度與 Adam 的兩個動量是 {train:,.1f} MB；而且每一步都會動到全部，因為梯度 p − y 是稠密的。
            此外大多數類別很罕見，學不到多少。

            階層式 softmax 把類別放進樹裡：求「某一類」的機率只要 {tree:.0f} 次判斷，但要找出最可能的一類仍得搜尋。
            自適應 softmax 讓常見的類別用完整的輸出層，罕見的用較低的維度：分界設在 2,000 與 10,000 時，
            只要 {adaptive:,.0f} 個權重。

            取樣 softmax 只對正確類別與抽到的一些類別計算損失。它必須做 z − log Q 的修正（Q 是被抽到的機率），
            否則學到的是另一個分布；修正之後，若每一類剛好各抽一次，就等於精確的損失（差距 {gap:.0e}）。
            NCE 與負取樣是另外的目標函數，不是它的近似；負取樣得不到機率。檢索或人臉這類任務，可改用嵌入向量與度量損失，
            根本不需要這一層。
        """,
        names={
            "weights": "最後一層的權重數",
            "size": "fp32 的大小（MB）",
            "train": "含梯度與 Adam 的大小（MB）",
            "tree": "平衡樹的判斷次數",
            "adaptive": "自適應 softmax 的權重數",
            "gap": "每類各抽一次的取樣 softmax 與精確損失的差距",
        },
    ),
    formula="full: D·K\ntree: ⌈log₂ K⌉ decisions\nsampled: softmax of z_k − log(S·Q_k) over the true class and S draws",
    numbers=numbers,
    code="edgewright lab run softmax_layers_grow_with_the_classes --fast",
    experiments=(
        "softmax_layers_grow_with_the_classes",
        "sampled_softmax_needs_the_log_correction",
        "rare_classes_are_under_learned",
    ),
    docs=("losses.md",),
)
