"""What came of a search for tickets: one row a round, averaged over seeds, and the sentences that follow from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..compress.prune.tickets import Spread, paired, spread, verdict
from ..runs import Step
from ..types import Score

DENSE = "dense"
CONTROLS: Mapping[str, str] = {
    "reinit": "re-initialization",
    "random": "a random mask",
    DENSE: "the dense net",
}
FROM_SPARSITY = 0.8  # the paper's tickets have less than 10 to 20 % of the weights


@dataclass(frozen=True, kw_only=True)
class Trained:
    """One training. Scores are in points, of the weights after the last step."""

    seed: int
    number: int  # of the round, 0 for the dense net
    variant: str
    index: int  # of the step in the run
    keep: float
    score_val: float
    score_test: Score
    epochs_to_best: int  # the first epoch that scored best on val

    @staticmethod
    def of(step: Step, *, seed: int, number: int, variant: str) -> Trained:
        """From the step that trained it."""
        details, score = step.result.details, step.result.score
        assert score is not None
        return Trained(
            seed=seed, number=number, variant=variant, index=step.index, keep=details["keep"], score_val=score.value,
            score_test=Score(**details["score_test"]), epochs_to_best=details["epochs_to_best"],
        )  # fmt: skip


def round_rows(trained: Sequence[Trained]) -> list[dict[str, Any]]:
    """One row a round: mean score of each kind of net, and the ticket's difference from each control, seed by seed."""
    return [_row(number, trained) for number in sorted({each.number for each in trained if each.number})]


def _row(number: int, trained: Sequence[Trained]) -> dict[str, Any]:
    of_kind = {
        kind: [each for each in trained if each.variant == kind and each.number == (0 if kind == DENSE else number)]
        for kind in ("ticket", *CONTROLS)
    }
    points = {kind: [each.score_test.value for each in nets] for kind, nets in of_kind.items()}
    return {
        "round": number,
        "keep": of_kind["ticket"][0].keep,  # the counts are the same for every seed
        "scores": {kind: _plain(spread(values)) for kind, values in points.items()},
        "differences": {kind: _plain(paired(points["ticket"], points[kind])) for kind in CONTROLS},
        "epochs_to_best": {kind: spread([each.epochs_to_best for each in nets]).mean for kind, nets in of_kind.items()},
    }


def _plain(found: Spread) -> dict[str, Any]:
    return {"mean": found.mean, "std_error": found.std_error, "half_width": found.half_width, "num": found.num}


def best_round(rounds: Sequence[Mapping[str, Any]]) -> int:
    """The last round whose tickets score no lower than the dense net in the mean; without one the best scored."""
    as_good = [row for row in rounds if row["differences"][DENSE]["mean"] >= 0]
    chosen = as_good[-1] if as_good else max(rounds, key=lambda row: row["scores"]["ticket"]["mean"])
    return int(chosen["round"])


def sentences(rounds: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the experiment says: against each control at the first round that is sparse enough, and of the dense net.

    The round is fixed beforehand: to pick the one with the largest difference would find one by chance.
    """
    row = next((each for each in rounds if 1 - each["keep"] >= FROM_SPARSITY), rounds[-1])
    said = [
        verdict(_spread(row["differences"][kind]), other=other, sparsity=1 - row["keep"])
        for kind, other in CONTROLS.items() if kind != DENSE
    ]  # fmt: skip
    return [*said, _beside_dense(rounds)]


def _beside_dense(rounds: Sequence[Mapping[str, Any]]) -> str:
    as_good = [row for row in rounds if row["differences"][DENSE]["mean"] >= 0]
    if not as_good:
        return "In the mean no ticket scores as high as the dense net after as many steps."
    row = as_good[-1]
    return (
        f"The sparsest ticket that in the mean scores as high as the dense net after as many steps has "
        f"{100 * row['keep']:.1f} % of the weights."
    )


def _spread(found: Mapping[str, Any]) -> Spread:
    return Spread(mean=found["mean"], std_error=found["std_error"], num=found["num"])
