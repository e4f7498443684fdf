"""Documentation stays true: links lead somewhere, and commands that it shows exist with the flags that it shows."""

import re
from pathlib import Path

import pytest
import typer

from edgewright.cli import app

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_repository_leads_to_a_file(page):
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []


def test_the_readme_lists_every_page_of_the_documentation():
    readme = (ROOT / "README.md").read_text()
    missing = [page.name for page in sorted((ROOT / "docs").glob("*.md")) if f"(docs/{page.name})" not in readme]
    assert missing == []


def shown_commands(text):
    """Lines of code blocks that call edgewright, with continuation lines joined."""
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.S | re.M):
        if language:
            continue
        for line in re.sub(r"\\?\n {10,}", " ", block).splitlines():
            for call in re.split(r"\s(?=edgewright\s+[a-z])", " " + line.partition("#")[0]):
                if call.strip().startswith("edgewright "):
                    yield call.split()


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "cli.md"], ids=lambda page: page.name)
def test_every_command_and_flag_that_is_shown_exists(page):
    commands = typer.main.get_command(app).commands
    calls = list(shown_commands(page.read_text()))
    assert len(calls) >= 8
    for words in calls:
        command, *rest = words[1:]
        if command not in commands:
            assert command == "COMMAND", words
            continue
        shown = commands[command]
        if command == "calc" and rest[0] in shown.commands:
            shown = shown.commands[rest[0]]
        known = {flag for option in shown.params for flag in (*option.opts, *option.secondary_opts)}
        flags = {word.strip("[]|.,") for word in rest if word.lstrip("[").startswith("--")}
        assert flags <= known | {"--help"}, words


def test_no_page_holds_a_placeholder():
    found = {
        page.name: re.findall(r"@[A-Z]+@", page.read_text()) for page in [*PAGES, ROOT / "benchmarks" / "README.md"]
    }
    assert {name: marks for name, marks in found.items() if marks} == {}


def test_every_result_that_the_benchmarks_page_names_is_there():
    page = ROOT / "benchmarks" / "README.md"
    named = re.findall(r"`(results/[^`]+\.json)`", page.read_text())
    assert named
    assert [name for name in named if not (page.parent / name).exists()] == []


@pytest.mark.slow
def test_the_python_example_of_the_readme_runs_and_passes(tmp_path, monkeypatch, capsys):
    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S).group(1)
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})
    assert capsys.readouterr().out == "True runs/digits/report.html\n"
    assert (tmp_path / "runs" / "digits" / "report.html").exists()
