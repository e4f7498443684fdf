"""The number of weight bits that the machine at hand adds exactly."""

from dataclasses import replace

import pytest

from edgewright.compress.quantize import Limits, Mixed, Quantize, Scheme
from edgewright.devices import device
from edgewright.pipeline import suited as module
from edgewright.pipeline.suited import suited

HERE = device("generic-x86")


@pytest.fixture
def saturating(monkeypatch):
    """A machine whose kernels add pairs of products into 16 bits."""
    monkeypatch.setattr(module, "weight_bits_for", lambda device, bits: (min(bits, 7), "It saturates." * (bits > 7)))


def test_8_bit_weights_become_7_and_the_stage_says_why(saturating):
    assert suited(Quantize(), HERE) == Quantize(bits=7, because="It saturates.")


@pytest.mark.parametrize("stage", [
    Quantize(bits=4), Quantize(scheme=Scheme(mode="weight-only")), Quantize(mixed=Mixed(limits=Limits(weight_bytes=1))),
])  # fmt: skip
def test_what_cannot_saturate_or_is_chosen_layer_by_layer_stays(saturating, stage):
    assert suited(stage, HERE) == stage


def test_another_device_gets_what_was_asked_for():
    assert suited(Quantize(), replace(HERE, host=None)) == Quantize()
