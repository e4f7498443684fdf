"""Lottery tickets of one model: all rounds, seeds and controls, each training a step of one run directory.

    each seed: dense -> [remove -> ticket, re-initialized, random mask] x rounds

The masks are not stored: they follow from the trained nets on the disk, so a run that was killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import fx, nn

from ..analyze import profile
from ..compress.prune.tickets import Masks, Tickets, TrainTicket, keep_of, masked, shuffled, whole
from ..errors import ConfigError
from ..files import write_json
from ..model import capture, load_model
from ..progress import SILENT, Progress
from ..report import write_report
from ..runs import Run, Step, open_run
from ..seeding import derive, torch_generator
from ..train import weights_digest
from ..types import RUN_FILE, RUN_FORMAT, Job, Report, plain
from .flow import prepared
from .record import data_facts, machine_facts, version_facts
from .ticket_table import DENSE, Trained, best_round, round_rows, sentences

Initial = Callable[[int], nn.Module]  # a seed -> the net with random weights that follow from it

TITLES: Mapping[str, str] = {
    DENSE: "dense",
    "ticket": "ticket, the initial weights",
    "reinit": "the ticket's mask, weights drawn anew",
    "random": "a random mask, the initial weights",
}


def find_tickets(
    job: Job,
    settings: Tickets,
    *,
    initial: Initial,
    num_seeds: int = 3,
    out: Path | str,
    resume: bool = False,
    command: str | None = None,
    progress: Progress = SILENT,
) -> Report:
    """Look for lottery tickets and hold them against re-initialization, random masks and the dense net.

    Args:
        job: data, task, device; its model is replaced by what `initial` draws.
        settings: rounds, rates, rewinding, and how everything is trained.
        initial: draws the net's weights; seeds follow from the job's.
        num_seeds: so many times everything, with weights and order of the images drawn anew.
        out: the run directory; created. It is the MODEL of the sparsest ticket of the first seed that is as good as
            the dense net.
        resume: go on with a run that was interrupted in `out`.
        command: what the user typed, for the page.

    Raises:
        ConfigError: no seed, a trained model, or weights that do not follow from the seed.
        UserError: model, data or folder cannot be used.
    """
    job = _checked(job, settings, initial, num_seeds)
    with open_run(Path(out), resume=resume, progress=progress) as run:
        hunt = _Hunt(run=run, job=job, settings=settings, initial=initial)
        trained = [each for number in range(num_seeds) for each in hunt.seed(job.seed + number)]
        run.forget_others()
        content = _content(run, job, settings, trained, command)
        write_json(run.folder / RUN_FILE, content)
        write_report(run.folder)
    return Report(folder=Path(out), content=content)


def anew(seed: int) -> int:
    """The seed of the weights that a net of `seed` is initialized with anew."""
    return derive(seed, "tickets.reinit")


def _checked(job: Job, settings: Tickets, initial: Initial, num_seeds: int) -> Job:
    """The job with the first seed's net, captured; what cannot work is refused before a folder is made."""
    if num_seeds < 1:
        raise ConfigError(f"Tickets need 1 seed or more, got {num_seeds}: 3 or more give a standard error.")
    if job.trained:
        raise ConfigError(
            f"Tickets are drawn before training, and {job.model_name} came with trained weights: name an untrained "
            "model, and leave --weights out."
        )
    start = initial(job.seed)
    if weights_digest(start) == weights_digest(initial(anew(job.seed))):
        raise ConfigError(
            f"{job.model_name} has the same weights whatever the seed, so nothing can be initialized anew: leave the "
            "seeding of torch out of its factory."
        )
    job = prepared(replace(job, model=start))
    TrainTicket(rewind=settings.rewind, train=settings.train).require(job.data)
    return job


@dataclass(frozen=True, kw_only=True)
class _Hunt:
    """What all seeds have in common."""

    run: Run
    job: Job
    settings: Tickets
    initial: Initial

    def seed(self, seed: int) -> list[Trained]:
        """All trainings of one seed: the dense net, then three nets a round."""
        start, other = self._drawn(seed), self._drawn(anew(seed))
        masks: Masks = whole(start)
        found, net = self._train(seed, 0, DENSE, start, masks)
        rows = [found]
        for number in range(1, self.settings.rounds + 1):
            masks = self.settings.next_masks(masks, net, number)
            drawn = shuffled(masks, torch_generator(seed, "tickets.random", number))
            found, net = self._train(seed, number, "ticket", start, masks)
            rows.append(found)
            for variant, weights, mask in (("reinit", other, masks), ("random", start, drawn)):
                rows.append(self._train(seed, number, variant, weights, mask)[0])
        return rows

    def _drawn(self, seed: int) -> fx.GraphModule:
        return capture(self.initial(seed), self.job.data.preprocess.shape, name=self.job.model_name)

    def _train(
        self, seed: int, number: int, variant: str, start: fx.GraphModule, masks: Masks
    ) -> tuple[Trained, fx.GraphModule]:
        """One training as a step of the run, and the net that came of it."""
        stage = TrainTicket(rewind=self.settings.rewind if number else 0, train=self.settings.train)
        at = f", round {number}: {100 * keep_of(masks):.1f} % of the weights" if number else ""
        job = replace(self.job, model=masked(start, masks), teacher=start if stage.rewind else None, seed=seed)
        step = self.run.step(variant, f"Seed {seed}{at}, {TITLES[variant]}", stage, job)
        # a run keeps its steps, and the nets of a hundred trainings need not all stay in memory
        self.run.steps[-1] = replace(step, result=replace(step.result, model=nn.Identity()))
        return Trained.of(step, seed=seed, number=number, variant=variant), step.model


def _content(run: Run, job: Job, settings: Tickets, trained: list[Trained], command: str | None) -> dict[str, Any]:
    rounds = round_rows(trained)
    best = best_round(rounds)
    first = [each for each in trained if each.seed == job.seed]
    dense = next(each for each in first if each.variant == DENSE)
    chosen = next(each for each in first if each.variant == "ticket" and each.number == best)
    steps = {each.index: each for each in run.steps}
    return plain({
        "format": RUN_FORMAT,
        "asked": {
            "model": job.model_name, "data": job.data.name, "device": job.device.name, "budget": job.budget,
            "seed": job.seed, "recipe": {"tickets": settings}, "command": command,
        },
        "versions": version_facts(),
        "machine": machine_facts(),
        "device": job.device,
        "data": data_facts(job),
        "stages": [step.as_plain() for step in run.steps],
        "chosen_stages": [dense.index, chosen.index],
        "final_model": _folder(steps[chosen.index]),
        "profile": {
            "before": profile(load_model(run.folder / _folder(steps[dense.index])), device=job.device),
            "after": profile(load_model(run.folder / _folder(steps[chosen.index])), device=job.device),
        },
        "scores": {side: each.score_test for side, each in (("before", dense), ("after", chosen))},
        "tickets": {
            "rewind": settings.rewind, "num_seeds": len({each.seed for each in trained}), "best_round": best,
            "rounds": rounds, "sentences": sentences(rounds), "trained": [plain(each) for each in trained],
        },
        "verdict": {
            "passed": True, "sentence": sentences(rounds)[0], "binding": [], "nearest": None, "relax": [],
        },
    })  # fmt: skip


def _folder(step: Step) -> str:
    return f"stages/{step.index:02d}-{step.name}"
