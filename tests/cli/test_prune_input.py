"""Wrong options of `prune` about scores, rankings and the training before a cut."""

import pytest
from typer.testing import CliRunner

from edgewright.cli import app

BAD = {
    "a score of another name": (["--score", "l3"], "Unknown score 'l3': did you mean"),
    "a ranking of another name": (["--ranking", "globl"], "Unknown ranking 'globl': did you mean global"),
    "a penalty of another name": (["--prepare", "bn-l2"], "Unknown penalty 'bn-l2': did you mean bn-l1"),
    "a strength without a sign": (["--prepare", "l1", "--prepare-strength", "0"], "--prepare-strength must be greater"),
    "settings of no preparation": (["--prepare-epochs", "3"], "--prepare-epochs would change nothing"),
    "a scan that no ranking reads": (
        ["--ranking", "local", "--schedule", "cubic", "--scan", "once"],
        "--scan measures groups for --ranking planned, and local asks for none",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_options_are_refused_in_one_sentence(case, tmp_path):
    words, sentence = BAD[case]
    base = ["prune", "simple_cnn", "--data", "digits", "--keep-macs", "0.5", "--out", str(tmp_path / "out")]
    found = CliRunner().invoke(app, [*base, *words])
    assert found.exit_code == 2
    assert sentence in " ".join(found.stderr.split()) and "Traceback" not in found.stderr
    assert not (tmp_path / "out").exists()
