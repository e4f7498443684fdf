"""L1 and L2 penalties: what each does to a weight."""

from collections.abc import Mapping

import numpy as np

from ...reference.optimizers import elastic_net
from ..finding import Number
from ..question import Question, Words

WEIGHTS = np.array([3.0, 0.5, -0.2])  # the least-squares solution on orthonormal columns
STRONG, WEAK = 9.0, 0.1  # curvatures of the loss along two directions


def numbers() -> Mapping[str, Number]:
    l1 = elastic_net(WEIGHTS, step=1.0, l1=1.0)
    l2 = elastic_net(WEIGHTS, step=1.0, l1=0.0, l2=1.0)
    return {
        "l1": Number(name="3 under L1, λ = 1", value=float(l1[0]), expected=2.0),
        "l1_zeros": Number(name="exact zeros of three under L1", value=int((l1 == 0).sum()), expected=2),
        "l2": Number(name="3 under L2, λ = 1", value=float(l2[0]), expected=1.5),
        "l2_small": Number(name="−0.2 under L2, λ = 1", value=float(l2[2]), expected=-0.1),
        "l2_zeros": Number(name="exact zeros of three under L2", value=int((l2 == 0).sum()), expected=0),
        "strong": Number(name="share kept along the steep direction", value=kept(STRONG), expected=0.9),
        "weak": Number(name="share kept along the flat direction", value=kept(WEAK), expected=1 / 11),
    }


def kept(curvature: float) -> float:
    """Share of the minimum at 1 of curvature (w - 1)^2/2 + w^2/2, by the ridge solution of one row."""
    row = np.array([[np.sqrt(curvature)]])
    return float(np.linalg.solve(row.T @ row + np.eye(1), row.T @ np.sqrt([curvature]))[0])


QUESTION = Question(
    theme="regularization",
    en=Words(
        question="What distinguishes L1 from L2 regularization?",
        answer="""
            Both add a price for large weights to the loss. L1 charges λ|w|, so its pull is λ however small the weight:
            it can hold a weight at exactly zero. L2 charges λw²/2, so its pull is λw and fades with the weight.

            Take weights 3, 0.5 and −0.2 from least squares on orthonormal columns, and λ = 1. L1 subtracts and stops at
            zero: 3 becomes {l1:.0f}, and {l1_zeros:.0f} of three are exactly zero. L2 divides by 1 + λ: 3 becomes
            {l2:.1f}, −0.2 becomes {l2_small:.1f}, and exact zeros there are {l2_zeros:.0f}.

            So L1 selects features, and L2 spreads weight over correlated ones and is smooth to optimize; elastic net is
            both. L2 does not shrink all directions evenly: with λ = 1, where the loss has the curvature 9 a share of
            {strong:.1f} stays, where it has 0.1 only {weak:.3f}. As priors: L1 is Laplace, L2 is Gauss. The zeros
            belong to the mode, and to proximal or coordinate steps; plain SGD on an L1 term gives small weights, not
            zeros.
        """,
    ),
    zh=Words(
        question="L1 與 L2 正則化有什麼差別？",
        answer="""
            兩者都在損失裡對大的權重收費。L1 收 λ|w|，不論權重多小，往零拉的力量都是 λ，所以能把權重壓到剛好是零。L2
            收 λw²/2，拉力是 λw，權重越小力量越弱。

            假設輸入的各行彼此正交且長度為一，最小平方解是 3、0.5、−0.2，取 λ = 1。L1 用減的、減到零為止：3 變成
            {l1:.0f}，三個之中有 {l1_zeros:.0f} 個剛好是零。L2 用除的，除以 1 + λ：3 變成 {l2:.1f}，−0.2 變成
            {l2_small:.1f}，為零的有 {l2_zeros:.0f} 個。

            因此 L1 會挑選特徵；L2 會把權重分散到相關的特徵上，而且平滑、好最佳化；彈性網（elastic net）則兩者兼具。
            L2 並不是每個方向都縮一樣多：λ = 1 時，損失曲率為 9 的方向保留 {strong:.1f}，曲率為 0.1 的方向只剩
            {weak:.3f}。從先驗來看，L1 對應拉普拉斯分布，L2 對應高斯分布。不過剛好為零是「眾數」才有的性質，也要用近端
            （proximal）或座標下降法才得得到；直接用 SGD 跑 L1 項，只會得到很小的權重，不會是零。
        """,
        names={
            "l1": "L1 之後的 3（λ = 1）",
            "l1_zeros": "L1 之後剛好為零的個數",
            "l2": "L2 之後的 3（λ = 1）",
            "l2_small": "L2 之後的 −0.2（λ = 1）",
            "l2_zeros": "L2 之後剛好為零的個數",
            "strong": "陡的方向保留的比例",
            "weak": "平的方向保留的比例",
        },
    ),
    formula="L1: L + λ Σ|w|, w ← sign(w) max(|w| − λ, 0)\nL2: L + (λ/2) Σ w², w ← w/(1 + λ)\n"
    "L2 along curvature h: h/(h + λ)",
    numbers=numbers,
    code="import numpy as np\n"
    "from edgewright.reference.optimizers import elastic_net\n"
    "w = np.array([3.0, 0.5, -0.2])\n"
    "print(elastic_net(w, step=1, l1=1.0), elastic_net(w, step=1, l1=0.0, l2=1.0))",
    experiments=(
        "lasso_thresholds_where_ridge_shrinks",
        "ridge_is_a_gaussian_prior",
        "elastic_net_keeps_correlated_features",
        "l2_tames_high_degrees_without_zeros",
        "l1_finds_few_genes_among_thousands",
    ),
    docs=("optimizers.md", "reference.md"),
)
