"""Every worked question: complete in both languages, its numbers computed and right."""

import re
import string

import pytest

from edgewright.lab import all_questions, answer, catalog, themes, write_gallery
from edgewright.lab.question import LANGUAGES
from edgewright.lab.questions import THEMES

NAMES = list(all_questions())


def test_questions_have_the_themes_of_experiments():
    assert tuple(THEMES) == tuple(themes())


@pytest.mark.parametrize("name", NAMES)
def test_a_question_is_answered_with_numbers_that_are_right(name):
    answered = answer(name)
    question = answered.question
    assert question.theme in THEMES and question.formula and question.code and answered.numbers
    assert set(question.experiments) <= set(catalog())
    for key, number in answered.numbers.items():
        assert number.agrees is not False, f"{name}, {key}: {number.value}, expected {number.expected}"
    assert any(number.expected is not None for number in answered.numbers.values()), "nothing says what is right"


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_say_the_same_numbers(name):
    said = {}
    for language in LANGUAGES:
        words = all_questions()[name].words(language)
        said[language] = {field.partition(".")[0] for _, field, _, _ in string.Formatter().parse(words.answer) if field}
        assert words.question.rstrip()[-1] in "?？" and len(words.answer) > 40
    assert said["en"] == said["zh-Hant"], "an answer leaves out a number that the other has"
    chinese = all_questions()[name].zh
    assert re.search(r"[\u4e00-\u9fff]{4}", chinese.question + chinese.answer)
    assert not re.search("[这为们个来对时数关义图层过]", chinese.question + chinese.answer), "simplified characters"


@pytest.mark.parametrize("name", NAMES)
def test_the_code_of_a_question_is_python_or_a_command(name):
    code = all_questions()[name].code
    if not code.startswith("edgewright "):
        compile(code, name, "exec")


def test_the_gallery_links_only_to_pages_that_it_wrote(tmp_path, find):
    from edgewright.lab import Outcome

    first = next(iter(catalog()))
    outcome = Outcome(experiment=first, seed=0, fast=True, seconds=0.1, code="c", finding=find(first))
    index = write_gallery(tmp_path, [outcome], [])
    for page in tmp_path.glob("*.html"):
        for link in re.findall(r'<a href="([^"#]+)"', page.read_text()):
            assert (tmp_path / link).exists(), f"{page.name} links to {link}"
    assert f'href="{first}.html"' in index.read_text() and "http" not in index.read_text().replace("http-equiv", "")
