"""Number formats, worked: the published codes, both directions, and what the numbers in a step say."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edgewright import calc
from edgewright.errors import ConfigError


@pytest.mark.parametrize(
    ("value", "code"), [(0.15625, 0x3E200000), (-118.625, 0xC2ED4000), (6.25, 0x40C80000), (1 / 3, 0x3EAAAAAB)]
)
def test_single_precision_codes_equal_the_worked_ones(value, code):
    assert calc.float_number(value=value).result["code"] == code
    assert calc.float_number(code=hex(code)).result["value"] == pytest.approx(value, rel=1e-7)


def test_the_steps_lead_from_the_number_to_the_code_and_back():
    lines = calc.float_number(value=-118.625, format="fp16").lines()
    assert "floor(6.89026) = 6" in lines[1] and lines[4].endswith("0b1101011101101010 = 0xd76a")
    assert lines[8].endswith("-1.853515625 x 2^6 = -118.625")


def test_overflow_is_special_or_saturates():
    assert calc.float_number(value=1000, format="fp8-e4m3").result["value"] == "nan"
    assert calc.float_number(value=1000, format="fp8-e4m3", saturate=True).result["value"] == 448
    assert calc.float_number(value=1e6, format="fp8-e5m2").result["value"] == "inf"


def test_fixed_point_rounds_saturates_and_multiplies():
    asked = {"value": 1.25, "q": "3.4", "times": -2.125}
    worked = calc.fixed_number(**asked)
    assert worked.result["product_code"] == -680 and worked.result["narrow_code"] == -42
    assert calc.fixed_number(**asked, rounding="truncate").result["narrow_code"] == -43
    assert calc.fixed_number(value=9, q="3.4").result["code"] == 127
    assert calc.fixed_number(value=9, q="3.4", wrap=True).result["code"] == -112
    assert "144 beyond the range" in calc.fixed_number(value=9, q="3.4").lines()[1]


def test_bad_input_is_refused_in_one_sentence():
    with pytest.raises(ConfigError, match="Give either value or code"):
        calc.float_number()
    with pytest.raises(ConfigError, match="format is one of fp32, fp16, bf16, fp8-e4m3, fp8-e5m2, got 'fp4'"):
        calc.float_number(value=1.0, format="fp4")
    with pytest.raises(ConfigError, match="code is a whole number such as 62 or 0x3E, got 'xyz'"):
        calc.float_number(code="xyz")
    with pytest.raises(ConfigError, match="rounding is one of half-even"):
        calc.fixed_number(value=1.0, q="3.4", rounding="up")


def test_number_formats_answer_without_torch():
    program = "import sys, edgewright.formats; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
