"""Numbers on the page: the unit that fits, three digits, and a dash for what is unknown."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewright.report import units


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (512, "512 B"),
        (724.0, "724 B"),
        (0.5, "0.5 B"),
        (1024, "1 KiB"),
        (327_680, "320 KiB"),  # the SRAM of an STM32F746, as its data sheet prints it
        (4_000, "3.91 KiB"),
        (1_404_928, "1.34 MiB"),  # MobileNet V2's first inverted residual at 224, int8
        (8 * 2**30, "8 GiB"),
        (None, "–"),
    ],
)
def test_bytes_are_binary(value, text):
    assert units.bytes_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (640, "640"), (52_138, "52.1 k"), (333_056, "333 k"), (568_740_352, "569 M"), (4_089_184_256, "4.09 G")],
)
def test_counts_have_three_digits(value, text):
    assert units.count_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (61e-9, "61.0 ns"),
        (38e-6, "38.0 µs"),
        (0.00123, "1.23 ms"),
        (0.9999, "1.00 s"),
        (6.1, "6.10 s"),
        (119.0, "119 s"),
        (190.0, "3 min 10 s"),
        (7384.0, "2 h 3 min"),
        (0, "0 s"),
    ],
)
def test_times_take_the_unit_that_fits(value, text):
    assert units.seconds_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.00153, "1.53 mJ"), (346e-6, "346 µJ"), (2e-7, "200 nJ"), (3e-12, "3.00 pJ")]
)
def test_energies_take_the_unit_that_fits(value, text):
    assert units.joules_text(value) == text


def test_a_change_of_score_always_has_a_sign_and_zero_has_none():
    assert [units.change_text(value) for value in (-0.2777, 1.5, 0.001, -0.001)] == ["−0.28", "+1.50", "0.00", "0.00"]


def test_a_share_just_short_of_all_is_never_shown_as_all():
    assert units.share_text(1.0) == "100 %"
    assert units.share_text(0.995) == "99.5 %"
    assert units.share_text(0.9996) == "99.96 %"
    assert units.share_text(0.99999) == "99.999 %"


def test_ratios_and_plain_numbers():
    assert units.times_text(3.9062) == "3.91×"
    assert units.number_text(12) == "12"
    assert units.number_text(0.5) == "0.5"
    assert units.number_text(2.0648) == "2.065"
    assert units.number_text(0.0000123) == "1.23e−05"


def test_rounding_up_to_the_next_power_keeps_three_digits():
    assert units.digits_text(9.996) == "10.0"
    assert units.digits_text(99.96) == "100"


def test_axes_drop_the_zeros_that_close_the_decimals():
    texts = ("20.0 M", "1.50 ms", "100", "97.7 KiB", "0.50")
    assert [units.short(text) for text in texts] == ["20 M", "1.5 ms", "100", "97.7 KiB", "0.5"]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (24_118, "bytes", "23.6 KiB"),
        (38e-6, "s", "38.0 µs"),
        (98.333, "points", "98.33 points"),
        (99.5, "%", "99.5 %"),
        (2.0, "steps", "2 steps"),
        (0.1143, "of the fp32 file", "11.4 % of the fp32 file"),
        (None, "steps", "–"),
    ],
)
def test_a_unit_that_is_unknown_stands_behind_the_number(value, unit, text):
    assert units.quantity_text(value, unit) == text


FORMATTERS = [*units.UNITS.values(), units.count_text, units.change_text, units.points_text]


@pytest.mark.parametrize("format_", FORMATTERS)
def test_what_is_unknown_is_a_dash(format_):
    assert format_(None) == units.DASH


@given(st.floats(min_value=0, max_value=1e18, allow_subnormal=False))
def test_every_size_and_count_reads_as_itself_within_its_digits(value):
    for format_, scale in ((units.bytes_text, units.BINARY), (units.count_text, units.SI_LARGE)):
        number, _, unit = format_(value).partition(" ")
        factor = next(step for step, name in scale if name == unit)
        assert math.isclose(
            float(number.replace(",", "").replace("−", "-")) * factor, value, rel_tol=0.006, abs_tol=1e-6
        )
