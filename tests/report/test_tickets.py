"""The part of the page on lottery tickets: rows, what is coloured, the plot, and the same rows for a terminal."""

import re

import pytest

from edgewright.report import ticket_rows
from edgewright.report.plots import KeepCurve, keep_panel
from edgewright.report.plots.curves import PANEL
from edgewright.report.sections import tickets


def spread(mean, std_error=0.5, half_width=1.4):
    return {"mean": mean, "std_error": std_error, "half_width": half_width, "num": 5}


def a_round(number, keep, ticket):
    return {
        "round": number,
        "keep": keep,
        "scores": {"ticket": spread(ticket), "reinit": spread(88), "random": spread(80), "dense": spread(97)},
        "differences": {"reinit": spread(ticket - 88), "random": spread(1.0), "dense": spread(ticket - 97)},
        "epochs_to_best": {"ticket": 7.2, "reinit": 9, "random": 9, "dense": 8},
    }


def a_run(**changes):
    found = {
        "rewind": 0, "num_seeds": 5, "best_round": 1, "sentences": ["The ticket beats it."],
        "rounds": [a_round(1, 0.8, 97.5), a_round(2, 0.1, 90.0)],
    }  # fmt: skip
    return {"tickets": found | changes}


def test_differences_are_coloured_where_their_interval_leaves_zero_out():
    first, second = tickets(a_run())["rows"]
    assert [each["text"] for each in first["differences"]] == ["+9.50 ± 0.50", "+1.00 ± 0.50", "+0.50 ± 0.50"]
    assert [each["tone"] for each in first["differences"]] == ["better", "", ""]
    assert [each["tone"] for each in second["differences"]] == ["better", "", "worse"]
    assert (first["best"], second["best"]) == (True, False)


def test_the_terminal_shows_the_rows_of_the_page():
    headings, rows = ticket_rows(a_run())
    assert len(headings) == len(rows[0]) == len(rows[1])
    assert rows[0][:3] == ["1 *", "80.0 %", "97.50 ± 0.50"]
    assert rows[0][-1] == "7.2 / 9.0 / 9.0 / 8.0"


def test_one_seed_has_scores_without_errors():
    alone = a_round(1, 0.5, 90)
    alone["scores"]["ticket"] = alone["differences"]["reinit"] = spread(90, None, None)
    row = tickets(a_run(rounds=[alone]))["rows"][0]
    assert row["scores"][0] == "90.00"
    assert row["differences"][0] == {"text": "+90.00", "tone": ""}


@pytest.mark.parametrize("damaged", [{"rounds": []}, {"rounds": [{"round": 1}]}, {"rounds": "gone"}])
def test_without_rounds_there_is_no_such_part(damaged):
    assert tickets(a_run(**damaged)) is None
    assert ticket_rows(a_run(**damaged))[1] == []


def test_fewer_weights_stand_to_the_right_and_higher_scores_above():
    points = [(0.8, 97.0, None), (0.08, 90.0, None)]
    plot = str(keep_panel("It", [KeepCurve(label="ticket", kind="ticket", points=points)], baseline=None))
    (x1, y1), (x2, y2) = [(float(cx), float(cy)) for cx, cy in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', plot)]
    assert x1 < x2 and y1 < y2
    # a factor of 1.25 of air on each side: 1.25, 10 and 1.25 on a logarithmic axis
    width = PANEL.x_stop - PANEL.x_start
    assert x2 - x1 == pytest.approx(width / (1 + 2 * 0.09691), abs=0.2)


def test_errors_are_drawn_where_they_are_known():
    points = [(0.8, 97.0, 0.4), (0.08, 90.0, None)]
    plot = str(keep_panel("It", [KeepCurve(label="ticket", kind="ticket", points=points)], baseline=96.0))
    assert len(re.findall(r'class="error ticket"', plot)) == 1
    assert len(re.findall(r'class="limit"', plot)) == 1
