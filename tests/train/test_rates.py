import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from torch import nn

from edgewright.errors import ConfigError
from edgewright.train import Train
from edgewright.train.rates import peak_lr, scaled_lr, set_lr


def test_the_rate_grows_with_the_batch_or_with_its_root():
    """From 256 images to 8,192: .1 becomes 3.2 (Goyal 2017), or .565685."""
    assert scaled_lr(0.1, batch_size=8192) == pytest.approx(3.2)
    assert scaled_lr(0.1, batch_size=8192, rule="sqrt") == pytest.approx(0.565685, abs=1e-6)
    assert scaled_lr(0.1, batch_size=8192, rule="none") == 0.1


@given(lr=some.floats(1e-6, 10), base=some.integers(1, 4096), rule=some.sampled_from(["none", "linear", "sqrt"]))
def test_the_batch_that_the_rate_was_found_for_keeps_it(lr, base, rule):
    assert scaled_lr(lr, batch_size=base, base_batch_size=base, rule=rule) == lr


def test_a_training_scales_its_rate_when_asked_to():
    assert peak_lr(Train(lr=0.1, batch_size=64)) == 0.1
    assert peak_lr(Train(lr=0.1, batch_size=64, lr_scaling="linear")) == pytest.approx(0.025)
    assert peak_lr(Train(lr=0.1, batch_size=64, lr_scaling="sqrt", lr_batch_size=16)) == pytest.approx(0.2)


def test_a_group_takes_its_share_of_the_rate():
    first, second = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([{"params": [first], "lr_scale": 0.1}, {"params": [second]}], lr=1.0)
    set_lr(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 0.5]


def test_an_unknown_rule_and_an_empty_batch_are_refused():
    with pytest.raises(ConfigError, match="The rate is scaled by one of none, linear, sqrt, got 'cube'"):
        scaled_lr(0.1, batch_size=1, rule="cube")
    with pytest.raises(ConfigError, match="A batch holds 1 image or more, got 0 and 256"):
        scaled_lr(0.1, batch_size=0)
