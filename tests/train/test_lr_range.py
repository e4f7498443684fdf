import dataclasses
import math

import pytest
import torch

from edgewright.errors import ConfigError, ModelError
from edgewright.model import fingerprint
from edgewright.tasks import Classify, evaluate
from edgewright.train import Train, train_weights
from edgewright.train.lr_range import Sweep, _before_scaling, find_lr, read_range, smooth
from edgewright.train.rates import peak_lr

TASK = Classify(num_classes=10)
SWEEP = Sweep(low=1e-5, high=10, num_steps=121)  # 20 steps for every factor of 10
LATE = Sweep(low=1e-3, high=1e-2, num_steps=10)
RATES = [SWEEP.rate(step) for step in range(SWEEP.num_steps)]


def curve(rate):
    """2.3, from 1e-3 down in a straight line over the logarithm to .3 at .1, and up from .5."""
    if rate > 0.5:
        return 2.3 + 40 * (rate - 0.5)
    return 2.3 - 2 * min(max(math.log10(rate) + 3, 0), 2) / 2


def test_the_rates_rise_by_the_same_factor_from_low_to_high():
    assert (RATES[0], RATES[-1]) == pytest.approx((1e-5, 10))
    assert RATES[40] == pytest.approx(1e-3)


def test_the_mean_of_a_constant_is_the_constant_from_the_first_step_on():
    assert smooth([2.0] * 5) == pytest.approx([2.0] * 5)


def test_a_fall_and_a_rise_suggest_a_rate_on_the_slope():
    found = read_range(RATES, [curve(rate) for rate in RATES])
    assert 1e-3 < found.steepest < 0.1
    assert 0.1 < found.lowest <= 0.51
    assert 0.5 < found.runaway < 2
    assert found.suggested == min(found.steepest, found.lowest / 10)
    assert "1/10 of that of the smallest loss" in found.reasons[1]


def test_a_steep_early_fall_is_suggested_itself():
    losses = [2.3 if rate < 1e-3 else 0.5 - 1e-4 * math.log10(rate) for rate in RATES]
    found = read_range(RATES, losses)
    assert found.suggested == found.steepest < found.lowest / 10
    assert "that of the steepest fall" in found.reasons[1]
    assert "it did not run away in this range" in found.reasons[0]


def test_a_flat_curve_suggests_nothing_and_says_so():
    found = read_range(RATES, [2.3] * len(RATES))
    assert found.suggested is None and found.steepest is None
    assert found.reasons == (
        "The loss fell by less than 5% over the range; it did not run away in this range.",
        "No rate is suggested.",
    )


def test_a_loss_that_ends_not_finite_has_run_away_there_and_is_left_out_of_the_curve():
    losses = [curve(rate) for rate in RATES if rate < 0.5]
    found = read_range(RATES[: len(losses) + 1], [*losses, math.inf])
    assert found.runaway == RATES[len(losses)]
    assert len(found.losses) == len(found.rates) == len(losses)


def test_a_loss_that_is_not_finite_from_the_start_is_no_matter_of_the_rate():
    with pytest.raises(ModelError, match="The loss is nan before the first step: no learning rate helps"):
        read_range(RATES[:1], [math.nan])


def test_a_range_that_does_not_rise_is_refused():
    with pytest.raises(ConfigError, match=r"A range test goes up from a rate above 0, got 1 to 0\.1"):
        Sweep(low=1, high=0.1)
    with pytest.raises(ConfigError, match="A range test takes 10 steps or more, got 3"):
        Sweep(num_steps=3)


def test_the_test_leaves_the_net_alone_and_repeats_itself(net, digits):
    before = fingerprint(net)
    settings = Train(batch_size=128)
    first, again = (
        find_lr(net, task=TASK, data=digits, settings=settings, seed=0, sweep=Sweep(num_steps=20)) for _ in range(2)
    )
    assert fingerprint(net) == before
    assert first == again
    other = find_lr(net, task=TASK, data=digits, settings=settings, seed=1, sweep=Sweep(num_steps=20))
    assert other.losses != first.losses


def test_the_suggestion_is_the_rate_before_it_is_scaled_to_the_batch():
    found = read_range(RATES, [curve(rate) for rate in RATES])
    assert _before_scaling(found, Train(batch_size=32)) == found
    scaled = _before_scaling(found, Train(batch_size=32, lr_scaling="linear"))
    assert scaled.suggested == pytest.approx(8 * found.suggested)
    assert peak_lr(Train(lr=scaled.suggested, batch_size=32, lr_scaling="linear")) == pytest.approx(found.suggested)
    assert "linear scaling from 256 images a step to 32 multiplies it by 0.125" in scaled.reasons[-1]


def test_the_test_drops_out_recomputes_and_keeps_zeros_as_a_training_does(net, digits):
    with torch.no_grad():
        net.get_submodule("6").weight[:, ::2] = 0

    def losses(**change):
        settings = Train(batch_size=128, **change)
        return find_lr(net, task=TASK, data=digits, settings=settings, seed=0, sweep=LATE).losses

    plain = losses()
    assert losses(dropout=0.6) != plain
    assert losses(checkpointing=True) == pytest.approx(plain, rel=1e-4)
    sparse = losses(keep_zeros=True)
    assert sparse[0] == plain[0] and sparse[1:] != plain[1:]


@pytest.mark.slow
def test_the_suggested_rate_teaches_where_a_hundredth_stalls_and_a_hundred_times_as_much_diverges(net, digits):
    settings = Train(epochs=3, batch_size=64, optimizer="sgd", weight_decay=0, augment="none", schedule="constant")
    found = find_lr(net, task=TASK, data=digits, settings=settings, seed=0)
    assert found.suggested is not None

    def score(times):
        recipe = dataclasses.replace(settings, lr=times * found.suggested, keep="last")
        try:
            trained = train_weights(net, task=TASK, data=digits, settings=recipe, seed=0).net
        except ModelError:  # the loss is not finite
            return 0.0
        return evaluate(trained, TASK, digits, "test").value

    usable = score(1)
    assert usable > 85
    assert score(1 / 100) < usable - 20
    assert score(100) < usable - 20
