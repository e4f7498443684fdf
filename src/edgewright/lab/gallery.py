"""The gallery: static pages of all findings and all questions, complete in themselves, with search."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from .. import __version__
from ..files import write_atomic
from ..report.frame import fill
from . import questions
from .catalog import Experiment, catalog, themes
from .drawing import draw, legend, tick_text
from .figures import Figure
from .finding import Finding, Number, Verdict
from .question import LANGUAGES, Answered
from .store import Outcome

TEMPLATES = Path(__file__).parent / "templates"
WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "Worked questions", "search": "Search questions", "numbers": "Numbers", "number": "number",
        "found": "computed", "expected": "expected", "run": "Run it", "docs": "To read on", "back": "All questions",
        "lede": "Each answer's numbers were computed by this version of the code when this page was made.",
        "file": "questions.html", "suffix": "",
    },
    "zh-Hant": {
        "title": "問題與解答", "search": "搜尋問題", "numbers": "數值", "number": "項目", "found": "計算值",
        "expected": "應有值", "run": "自己執行", "docs": "延伸閱讀", "back": "全部問題",
        "lede": "答案中的數字，都是產生本頁時由這一版程式碼實際計算出來的。", "file": "questions.zh-Hant.html",
        "suffix": ".zh-Hant",
    },
}  # fmt: skip
STYLES, SCRIPTS = ("page.css", "lab.css"), ("lab.js",)


def write_gallery(folder: Path, outcomes: Sequence[Outcome], answers: Sequence[Answered]) -> Path:
    """Write index.html, a page for each finding, and the questions in each language; gives the index.

    Equal findings give equal bytes.
    """
    footer, shown = _footer(outcomes), {each.experiment for each in outcomes}
    for outcome in outcomes:
        write_atomic(folder / f"{outcome.experiment}.html", _experiment_page(outcome, outcomes, footer))
    for language in LANGUAGES:
        write_atomic(folder / WORDS[language]["file"], _question_index(answers, language, footer))
        for each in answers:
            write_atomic(folder / _question_file(each.name, language), _question_page(each, language, shown, footer))
    index = folder / "index.html"
    write_atomic(index, _index(outcomes, footer))
    return index


def verdicts_told(outcomes: Sequence[Outcome]) -> str:
    """How many findings end in each verdict."""
    found = [outcome.finding.verdict for outcome in outcomes]
    order = (Verdict.HOLDS, Verdict.HOLDS_WHEN, Verdict.DOES_NOT_HOLD)
    return ", ".join(f"{verdict}: {found.count(verdict)}" for verdict in order if verdict in found)


def value_text(number: Number) -> str:
    """The value with as many digits as its error deserves, six without one, and its unit."""
    return f"{_digits(number.value, number.error)} {number.unit}".rstrip()


def _digits(value: float, error: float | None) -> str:
    if not math.isfinite(value):
        return str(value)
    if error is None or error == 0 or value == 0:
        return tick_text(float(f"{value:.6g}")) if abs(value) >= 1e6 or 0 < abs(value) < 1e-3 else f"{value:.6g}"
    return f"{value:.{max(2, min(7, _magnitude(value) - _magnitude(error) + 2))}g}"


def _magnitude(value: float) -> int:
    return math.floor(math.log10(abs(value)))


def _page(template: str, **values: Any) -> str:
    return fill(template, styles=STYLES, scripts=SCRIPTS, own=TEMPLATES, **values)


def _footer(outcomes: Sequence[Outcome]) -> str:

    lengths = {"fast" if outcome.fast else "full" for outcome in outcomes}
    seeds = {outcome.seed for outcome in outcomes}
    told = f"{' and '.join(sorted(lengths)) or 'no'} runs with seed {', '.join(map(str, sorted(seeds))) or 'none'}"
    return f"Written by edgewright {__version__} from {told}. The page is complete in itself: it loads nothing."


def _index(outcomes: Sequence[Outcome], footer: str) -> str:
    known = catalog()
    parts = []
    for theme in themes().values():
        entries = [_entry(known[each.experiment], each.finding) for each in outcomes
                   if known[each.experiment].theme == theme.name]  # fmt: skip
        if entries:
            parts.append({"title": theme.title, "lede": theme.lede, "entries": entries})
    return _page(
        "gallery.html.j2", title="The lab: every claim is an experiment", parts=parts, footer=footer,
        search="Search experiments",
        lede=f"{len(outcomes)} claims, each run by one short file. {verdicts_told(outcomes).capitalize()}.",
        others={"href": WORDS["en"]["file"], "text": WORDS["en"]["title"]},
    )  # fmt: skip


def _entry(experiment: Experiment, finding: Finding) -> dict[str, str]:
    return {
        "href": f"{experiment.name}.html", "title": experiment.question, "verdict": finding.told,
        "look": _look(finding), "text": finding.summary, "words": experiment.searched,
    }  # fmt: skip


def _look(finding: Finding) -> str:
    return finding.verdict.replace(" ", "-")


def _experiment_page(outcome: Outcome, outcomes: Sequence[Outcome], footer: str) -> str:
    experiment, finding = catalog()[outcome.experiment], outcome.finding
    shown = {each.experiment for each in outcomes}
    return _page(
        "experiment.html.j2", title=experiment.title, name=experiment.name, question=experiment.question,
        claim=experiment.claim, source=experiment.source, expected=experiment.expected, file=experiment.file,
        theme=themes()[experiment.theme].title, verdict=finding.told, look=_look(finding), summary=finding.summary,
        figure=_picture(finding.figure), rows=[_row(number) for number in finding.numbers],
        see=_links(name for name in _related(experiment) if name in shown),
        code=coloured(experiment.code), footer=f"{outcome.seconds:.1f} seconds on one core. {footer}",
    )  # fmt: skip


def _links(names: Iterable[str]) -> list[dict[str, str]]:
    return [{"href": f"{name}.html", "title": catalog()[name].question} for name in names]


def _related(experiment: Experiment) -> list[str]:
    """Those that it names, and those that name it."""
    back = [each.name for each in catalog().values() if experiment.name in each.see]
    return list(dict.fromkeys([*experiment.see, *back]))


def _picture(figure: Figure) -> dict[str, Any]:
    drawn = [
        {"title": title, "svg": draw(panel, title or figure.caption), "legend": legend(panel)}
        for title, panel in figure.panels
    ]
    return {"caption": figure.caption, "panels": drawn}


def _row(number: Number) -> dict[str, str]:
    agrees = {True: "✓", False: "✗", None: ""}[number.agrees]
    return {
        "name": number.name, "value": value_text(number), "agrees": agrees,
        "error": "" if not number.error else f"{number.error:.2g}",
        "expected": "" if number.expected is None else _digits(number.expected, None),
        "look": {True: "good", False: "bad", None: ""}[number.agrees],
    }  # fmt: skip


def coloured(code: str) -> Markup:
    """Python as HTML with the classes k, s, c, n for keywords, text, comments and names that are defined."""
    text = highlight(code, PythonLexer(), HtmlFormatter(nowrap=True))
    return Markup(text)  # escaped by pygments


def _question_file(name: str, language: str) -> str:
    return f"question-{name}{WORDS[language]['suffix']}.html"


def _other(language: str) -> str:
    return next(each for each in LANGUAGES if each != language)


def _question_index(answers: Sequence[Answered], language: str, footer: str) -> str:
    words, place = WORDS[language], list(LANGUAGES).index(language)
    parts = []
    for theme, titles in questions.THEMES.items():
        entries = [_question_entry(each, language) for each in answers if each.question.theme == theme]
        if entries:
            parts.append({"title": titles[place], "lede": "", "entries": entries})
    other = _other(language)
    return _page(
        "gallery.html.j2", title=words["title"], lede=words["lede"], search=words["search"], parts=parts, footer=footer,
        lang=language, others={"href": WORDS[other]["file"], "text": LANGUAGES[other]},
    )  # fmt: skip


def _question_entry(each: Answered, language: str) -> dict[str, str]:
    both = " ".join((each.name.replace("_", " "), each.question.en.question, each.question.zh.question))
    return {
        "href": _question_file(each.name, language), "title": each.question.words(language).question, "verdict": "",
        "look": "", "text": "", "words": both.lower(),
    }  # fmt: skip


def _question_page(each: Answered, language: str, shown: Collection[str], footer: str) -> str:
    words, other, question = WORDS[language], _other(language), each.question
    titles = questions.THEMES[question.theme]
    return _page(
        "question.html.j2", title=question.words(language).question, lang=language, heads=words,
        question=question.words(language).question, paragraphs=each.paragraphs(language), formula=question.formula,
        theme=titles[list(LANGUAGES).index(language)], rows=[_row(number) for number in each.named(language)],
        code=coloured(question.code), see=_links(name for name in question.experiments if name in shown),
        docs=question.docs, footer=footer,
        back={"href": words["file"], "text": words["back"]},
        other={"href": _question_file(each.name, other), "text": LANGUAGES[other], "lang": other},
    )  # fmt: skip
