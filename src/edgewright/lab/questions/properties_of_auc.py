"""What leaves AUC as it is: increasing maps and the mix of classes, within limits."""

from collections.abc import Mapping

import numpy as np

from ...reference.ranking import auc_by_ranks
from ...reference.stable import sigmoid
from ..finding import Number
from ..question import Question, Words

SCORES, POSITIVE = np.array([0.1, 0.7, 0.4]), np.array([0, 1, 0], dtype=bool)
LOGITS, RIGHT = np.array([17.0, 40.0]), np.array([0, 1], dtype=bool)
EIGHT = np.array([0.9, 0.8, 0.7, 0.6, 0.55, 0.5, 0.4, 0.1])
LABELS = np.array([1, 0, 1, 1, 0, 0, 1, 0], dtype=bool)


def numbers() -> Mapping[str, Number]:
    times = np.where(LABELS, 1, 10)
    rounded = sigmoid(LOGITS.astype(np.float32))
    return {
        "plain": Number(name="AUC of 0.1, 0.7, 0.4", value=auc_by_ranks(SCORES, POSITIVE), expected=1.0),
        "times": Number(name="scores times 10", value=auc_by_ranks(10 * SCORES, POSITIVE), expected=1.0),
        "squashed": Number(name="through a sigmoid", value=auc_by_ranks(sigmoid(SCORES), POSITIVE), expected=1.0),
        "flipped": Number(name="with the sign turned", value=auc_by_ranks(-EIGHT, LABELS), expected=1 - 0.6875),
        "eight": Number(name="AUC of eight samples", value=auc_by_ranks(EIGHT, LABELS), expected=0.6875),
        "mixed": Number(name="every negative ten times",
                        value=auc_by_ranks(np.repeat(EIGHT, times), np.repeat(LABELS, times)), expected=0.6875),
        "logits": Number(name="AUC of logits 17 and 40", value=auc_by_ranks(LOGITS, RIGHT), expected=1.0),
        "tied": Number(name="of their float32 sigmoids", value=auc_by_ranks(rounded, RIGHT), expected=0.5),
    }  # fmt: skip


QUESTION = Question(
    theme="metrics",
    en=Words(
        question="Which properties has AUC, and does it change when the scores are scaled?",
        answer="""
            It looks at the order alone, so strictly increasing maps leave it as it is: scores 0.1, 0.7, 0.4 with the
            second positive have AUC {plain:.0f}, times ten {times:.0f}, through a sigmoid {squashed:.0f}. Turning the
            sign mirrors it: eight samples with {eight:.4f} become {flipped:.4f}. It needs no threshold, 0.5 is a coin,
            1 a perfect order.

            Strictly is the word: in float32 the sigmoids of 17 and 40 are both 1, a tie, and an AUC of {logits:.0f}
            becomes {tied:.1f}. Compute it from logits.

            Its expected value does not depend on the mix of classes: with every negative ten times it stays
            {mixed:.4f}. But its variance does, and so does the precision behind it, which is what rare positives feel.
            What else it cannot see: calibration, costs, and whether the order is right in the part of the curve that
            one will use.
        """,
    ),
    zh=Words(
        question="AUC 有哪些性質？分數縮放後 AUC 會改變嗎？",
        answer="""
            AUC 只看順序，嚴格遞增的轉換不會改變它：分數 0.1、0.7、0.4，第二個為正，AUC 是 {plain:.0f}；乘以 10 還是
            {times:.0f}，經過 sigmoid 也是 {squashed:.0f}。把正負號反過來則會鏡射：八個樣本的 {eight:.4f} 變成
            {flipped:.4f}。它不需要門檻，0.5 等於亂猜，1 是完美的順序。

            關鍵在「嚴格」：float32 的 sigmoid 把 17 與 40 都變成 1，出現同分，AUC 就從 {logits:.0f} 變成 {tied:.1f}。
            所以要用 logit 來算。

            AUC 的期望值不受類別比例影響：負樣本全部變成十倍，仍是 {mixed:.4f}。但它的變異數會受影響，背後的精確率也會，
            正樣本稀少時感受最深。此外它還看不到：機率是否校準、錯誤的成本，以及實際會用到的那一段曲線排得好不好。
        """,
        names={
            "plain": "0.1、0.7、0.4 的 AUC",
            "times": "分數乘以 10",
            "squashed": "經過 sigmoid",
            "flipped": "正負號反過來",
            "eight": "八個樣本的 AUC",
            "mixed": "負樣本十倍",
            "logits": "logit 17 與 40 的 AUC",
            "tied": "其 float32 sigmoid 的 AUC",
        },
    ),
    formula="AUC(f(s)) = AUC(s) for strictly increasing f\nAUC(−s) = 1 − AUC(s)\nAUC = P(s₊ > s₋) + ½ P(s₊ = s₋)",
    numbers=numbers,
    code="import torch\n"
    "from sklearn.metrics import roc_auc_score\n"
    "logits = torch.tensor([17.0, 40.0])\n"
    "print(roc_auc_score([0, 1], logits), roc_auc_score([0, 1], torch.sigmoid(logits)))",
    experiments=(
        "auc_survives_increasing_maps_alone",
        "auc_is_blind_to_calibration",
        "auc_is_the_chance_of_a_right_order",
    ),
    docs=("reference.md",),
)
