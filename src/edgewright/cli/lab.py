"""`lab list | run NAME | all`: the theory as experiments, and the gallery of what they find."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError
from .guard import guarded
from .options import Json, Resume, Seed
from .progress import progress_for
from .show import as_json, lines, table

if TYPE_CHECKING:
    from ..lab import Finding, Outcome, Request

app = typer.Typer(
    help="Every claim of the theory as a runnable experiment.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Fast = Annotated[bool, typer.Option("--fast", help="Seconds instead of minutes, at wider error bars.")]
Theme = Annotated[str | None, typer.Option("--theme", metavar="THEME", help="Only the experiments of one subject.")]


def list_(
    pattern: Annotated[str | None, typer.Argument(metavar="[WORDS]", help="Only those that contain all words.")] = None,
    theme: Theme = None,
    json_file: Json = None,
) -> None:
    """List the experiments: the claim that is a name, and the question behind it."""
    from ..lab import catalog

    words = (pattern or "").lower().split()
    chosen = [catalog()[name] for name in _names(theme)]
    found = [
        each for each in chosen if all(word in f"{each.name} {each.question} {each.claim}".lower() for word in words)
    ]
    if not found:
        raise ConfigError(f"No experiment contains '{pattern}': `edgewright lab list` names all.")
    if as_json(found, json_file):
        return
    table(("theme", "name", "question"), [(each.theme, each.name, each.question) for each in found])


def run(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An experiment (`edgewright lab list`).")],
    fast: Fast = False,
    seed: Seed = 0,
    json_file: Json = None,
) -> int:
    """Run one experiment and print its numbers; exit code 1 when the claim does not hold."""
    from ..lab import Verdict, experiment, run_one

    chosen = experiment(name)
    outcome = run_one(name, seed=seed, fast=fast)
    if not as_json(outcome, json_file):
        lines((chosen.question, "", f"Claim: {chosen.claim}", f"Source: {chosen.source}", ""))
        _print_numbers(outcome.finding)
        lines(("", outcome.finding.summary, f"The claim {outcome.finding.told} ({outcome.seconds:.1f} s)."))
    return int(outcome.finding.verdict is Verdict.DOES_NOT_HOLD)


def all_(
    fast: Fast = False,
    seed: Seed = 0,
    theme: Theme = None,
    processes: Annotated[
        int, typer.Option("--processes", metavar="N", min=1, help="Experiments that run at once, each on one core.")
    ] = 2,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The gallery to write.")] = Path("lab"),
    resume: Resume = False,
) -> int:
    """Run all experiments and write the gallery: a page for each, worked questions, search.

    Exit code 1 when a run ends with an error; a claim that does not hold is a result, and is shown as such.
    """
    from ..files import writable_folder
    from ..lab import Request, all_questions, answer, in_order, kept, write_gallery

    names = _names(theme)
    findings = writable_folder(writable_folder(out) / "findings")
    request = Request(names=names, seed=seed, fast=fast, folder=findings)
    done = kept(request) if resume else {}
    outcomes, failures = _run(request, done, processes)
    index = write_gallery(out, in_order(names, outcomes), [answer(each) for each in all_questions()])
    _print_verdicts(outcomes)
    lines(f"{name} failed: {reason}" for name, reason in failures)
    print(f"Gallery: {index.resolve()}")
    return int(bool(failures))


def _names(theme: str | None) -> tuple[str, ...]:
    from ..lab import catalog, themes

    if theme is not None and theme not in themes():
        raise ConfigError(f"There is no theme '{theme}': choose one of {', '.join(themes())}.")
    return tuple(name for name, each in catalog().items() if theme in (None, each.theme))


def _run(request: Request, done: dict[str, Outcome], processes: int) -> tuple[list[Outcome], list[tuple[str, str]]]:
    """Outcomes, those that were kept among them, and what failed and why."""
    from dataclasses import replace

    from ..lab import Failure, run_all

    left = tuple(name for name in request.names if name not in done)
    outcomes, failures, progress = list(done.values()), [], progress_for()
    if done:
        progress.note(f"{len(done)} findings are kept: same code, seed and length.")
    with progress.task("experiments", len(left)) as task:
        for result in run_all(replace(request, names=left), processes=processes):
            if isinstance(result, Failure):
                failures.append((result.experiment, result.reason))
            else:
                outcomes.append(result)
            task.advance(detail=result.experiment)
    return outcomes, failures


def _print_numbers(finding: Finding) -> None:
    from ..lab import value_text

    agrees = {True: "yes", False: "NO", None: ""}
    rows = [
        (
            number.name,
            value_text(number),
            "" if not number.error else f"{number.error:.2g}",
            "" if number.expected is None else f"{number.expected:.6g}",
            agrees[number.agrees],
        )
        for number in finding.numbers
    ]
    table(("number", "found", "± s.e.", "expected", "agrees"), rows, right=("found", "± s.e.", "expected"))


def _print_verdicts(outcomes: list[Outcome]) -> None:
    from ..lab import verdicts_told

    seconds = sum(outcome.seconds for outcome in outcomes)
    print(f"{len(outcomes)} experiments in {seconds:.0f} s of computing; {verdicts_told(outcomes)}.")


COMMANDS: dict[str, Callable[..., int | None]] = {"list": list_, "run": run, "all": all_}
for _name, _function in COMMANDS.items():
    app.command(_name)(guarded(_function))
