import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from edgewright.errors import ConfigError
from edgewright.train import Train, lr_factor
from edgewright.train.rates import lr_at
from edgewright.train.schedules import SCHEDULES, Course, lr_share, schedule


def test_the_cosine_at_its_quarters():
    got = [lr_factor(step, num_steps=4) for step in range(5)]
    assert got == pytest.approx([1, 0.853553, 0.5, 0.146447, 0], abs=1e-6)


def test_the_warm_up_rises_in_a_straight_line_and_joins_the_cosine():
    got = [lr_factor(step, num_steps=8, num_warmup=4) for step in range(9)]
    assert got == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 0.853553, 0.5, 0.146447, 0], abs=1e-6)


def test_the_cosine_falls_to_the_final_share():
    got = [lr_factor(step, num_steps=4, final=0.2) for step in range(5)]
    assert got == pytest.approx([1, 0.2 + 0.8 * 0.853553, 0.6, 0.2 + 0.8 * 0.146447, 0.2], abs=1e-6)


def test_a_final_share_of_1_is_constant():
    assert {lr_factor(step, num_steps=9, final=1) for step in range(10)} == {1.0}


@given(num_steps=some.integers(1, 200), num_warmup=some.integers(0, 100), final=some.floats(0, 1))
def test_it_rises_to_1_and_falls_to_the_final_share(num_steps, num_warmup, final):
    num_warmup = min(num_warmup, num_steps - 1)
    factors = [lr_factor(step, num_steps=num_steps, num_warmup=num_warmup, final=final) for step in range(num_steps)]
    assert max(factors) == factors[num_warmup] == 1
    assert factors[: num_warmup + 1] == sorted(factors[: num_warmup + 1])
    assert factors[num_warmup:] == sorted(factors[num_warmup:], reverse=True)
    assert min(factors) > 0 or final == 0


def shares(text, steps, **course):
    chosen, run = schedule(text), Course(**course)
    return [lr_share(chosen, step, run) for step in steps]


NAMED = {  # schedule, steps, course -> shares worked by hand; one step per epoch
    "constant": (range(3), {"num_steps": 3}, [1, 1, 1]),
    "step:every=30,gamma=0.1": ([0, 29, 30, 65], {"num_steps": 90}, [1, 1, 0.1, 0.01]),  # .1 -> .001 at 65
    "step": ([0, 29, 30, 60, 89], {"num_steps": 90}, [1, 1, 0.1, 0.01, 0.01]),
    "multi-step:at=30/60/80": ([29, 30, 60, 80], {"num_steps": 90}, [1, 0.1, 0.01, 0.001]),
    "multi-step": ([31, 32, 47, 48], {"num_steps": 64}, [1, 0.1, 0.1, 0.01]),
    "exponential:gamma=0.5": ([0, 1, 3], {"num_steps": 9}, [1, 0.5, 0.125]),
    "exponential": ([0, 5, 10], {"num_steps": 10}, [1, 0.1, 0.01]),
    "polynomial": ([0, 25, 50, 75, 100, 120], {"num_steps": 100}, [1, 0.771890, 0.535887, 0.287175, 0, 0]),
    "polynomial:power=2": ([50, 100], {"num_steps": 100, "final": 0.2}, [0.2 + 0.8 * 0.25, 0.2]),
    "cosine": ([0, 1, 2, 3, 4, 5], {"num_steps": 4}, [1, 0.853553, 0.5, 0.146447, 0, 0]),
    "cosine-restarts": ([0, 5, 10, 20, 30, 50, 69], {"num_steps": 70}, [1, 0.5, 1, 0.5, 1, 0.5, 0.001541]),
    "cosine-restarts:first=4,growth=1": ([0, 2, 4, 6, 8], {"num_steps": 12}, [1, 0.5, 1, 0.5, 1]),
    "one-cycle": ([0, 29, 99], {"num_steps": 100}, [1 / 25, 1, 0]),
    # .001 to .006 with half cycles of 2000 steps: .0035, .006, .001 at 1000, 2000, 4000
    "triangular:half=2000,low=0.16666666666666666": (
        [0, 1000, 2000, 4000], {"num_steps": 8000}, [1 / 6, 3.5 / 6, 1, 1 / 6],
    ),
    "triangular": ([0, 5, 10, 20, 30, 60], {"num_steps": 60}, [0.25, 0.625, 1, 0.25, 1, 0.25]),
    "triangular2:half=2,low=0": ([1, 2, 4, 6, 10], {"num_steps": 20}, [0.5, 1, 0, 0.5, 0.25]),
    "exp-range:half=2,low=0,gamma=0.5": ([1, 2, 4, 6], {"num_steps": 20}, [0.25, 0.25, 0, 1 / 64]),
}  # fmt: skip


@pytest.mark.parametrize("text", NAMED)
def test_values_at_named_points(text):
    steps, course, expected = NAMED[text]
    assert shares(text, steps, **course) == pytest.approx(expected, abs=1e-6)


def test_every_schedule_has_named_points():
    assert {text.partition(":")[0] for text in NAMED} == set(SCHEDULES)


schedulers = torch.optim.lr_scheduler
CLR = {"base_lr": 0.25, "max_lr": 1.0, "step_size_up": 10, "cycle_momentum": False}
PEERS = {  # schedule -> how PyTorch makes it; 100 steps, 5 of them an epoch
    "step:every=4,gamma=0.3": lambda optimizer: schedulers.StepLR(optimizer, 20, gamma=0.3),
    "multi-step:at=2/9,gamma=0.3": lambda optimizer: schedulers.MultiStepLR(optimizer, [10, 45], gamma=0.3),
    "exponential:gamma=0.8": lambda optimizer: schedulers.ExponentialLR(optimizer, 0.8 ** (1 / 5)),
    "polynomial:power=0.9": lambda optimizer: schedulers.PolynomialLR(optimizer, 100, power=0.9),
    "cosine": lambda optimizer: schedulers.CosineAnnealingLR(optimizer, 100),
    "cosine-restarts:first=3,growth=2": lambda optimizer: schedulers.CosineAnnealingWarmRestarts(optimizer, 15, 2),
    "one-cycle:rise=0.4": lambda optimizer: schedulers.OneCycleLR(
        optimizer, 1.0, total_steps=100, pct_start=0.4, final_div_factor=1e30, cycle_momentum=False
    ),
    "triangular:half=2": lambda optimizer: schedulers.CyclicLR(optimizer, mode="triangular", **CLR),
    "triangular2:half=2": lambda optimizer: schedulers.CyclicLR(optimizer, mode="triangular2", **CLR),
    "exp-range:half=2,gamma=0.99": lambda optimizer: schedulers.CyclicLR(
        optimizer, mode="exp_range", gamma=0.99, **CLR
    ),
    "constant": lambda optimizer: schedulers.ConstantLR(optimizer, factor=1.0),
}


@pytest.mark.parametrize("text", PEERS)
def test_every_step_is_the_one_of_pytorch(text):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = PEERS[text](optimizer)
    expected = []
    for _ in range(100):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert shares(text, range(100), num_steps=100, steps_per_epoch=5) == pytest.approx(expected, abs=1e-9)


def test_every_schedule_has_a_peer():
    assert {text.partition(":")[0] for text in PEERS} == set(SCHEDULES)


@given(
    name=some.sampled_from([*NAMED, *PEERS]),
    num_steps=some.integers(1, 300),
    num_warmup=some.integers(0, 100),
    steps_per_epoch=some.integers(1, 40),
    final=some.floats(0, 1),
)
def test_the_warm_up_joins_every_schedule(name, num_steps, num_warmup, steps_per_epoch, final):
    """A straight line from one step's share up to where the schedule begins, and all shares in [0, 1]."""
    num_warmup = min(num_warmup, num_steps - 1)
    course = {"num_steps": num_steps, "num_warmup": num_warmup, "steps_per_epoch": steps_per_epoch, "final": final}
    got = shares(name, range(num_steps), **course)
    assert all(0 <= share <= 1 + 1e-12 for share in got)
    joined = got[num_warmup]
    rise = [joined * (step + 1) / (num_warmup + 1) for step in range(num_warmup)]
    assert got[:num_warmup] == pytest.approx(rise, abs=1e-12)


def test_an_exponential_is_the_power_of_e_of_the_text_books():
    k = 0.3
    got = shares(f"exponential:gamma={math.exp(-k)}", range(5), num_steps=5)
    assert got == pytest.approx([math.exp(-k * t) for t in range(5)])


def test_a_training_asks_its_schedule_in_epochs_and_keeps_the_warm_up_below_half():
    settings = Train(epochs=4, lr=0.5, schedule="multi-step:at=2/3", warmup_epochs=1, optimizer="sgd")
    got = [lr_at(settings, step=step, steps_per_epoch=2) for step in range(8)]
    assert got == pytest.approx([0.5 / 3, 1 / 3, 0.5, 0.5, 0.05, 0.05, 0.005, 0.005])
    long = Train(epochs=4, lr=1, schedule="constant", warmup_epochs=9)
    assert [lr_at(long, step=step, steps_per_epoch=1) for step in range(4)] == pytest.approx([1 / 3, 2 / 3, 1, 1])


def test_the_default_rate_is_the_cosine_that_it_was():
    settings = Train(epochs=3)
    for step in range(30):
        assert lr_at(settings, step=step, steps_per_epoch=10) == 3e-3 * lr_factor(step, num_steps=30, num_warmup=10)


WRONG = {
    "cosin": r"^Train.schedule must be one of constant, .*, got 'cosin': did you mean cosine\.$",
    "step:each=1": "The schedule 'step' has no option 'each': it takes every, gamma",
    "cosine:power=1": "The schedule 'cosine' has no option 'power': it takes none",
    "step:every=often": "The schedule option 'every=often' is no number: write for instance step:every=0.5",
    "step:every": "The schedule option 'every' is no number",
    "step:every=1/2": "The schedule option 'every=1/2' is no number",
    "step:every=0": "Step.every must be greater than 0, got 0",
    "multi-step:at=5/3": r"MultiStep.at must be epochs in rising order, got \(5, 3\)",
    "one-cycle:rise=1": r"OneCycle.rise must be in \(0, 1\), got 1",
    "triangular:low=1": r"Triangular.low must be in \[0, 1\), got 1",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_schedule_that_is_spelled_wrong_is_one_sentence(text):
    with pytest.raises(ConfigError, match=WRONG[text]):
        Train(schedule=text)


def test_an_unknown_schedule_offers_the_nearest():
    with pytest.raises(ConfigError, match="Unknown schedule 'cosin': did you mean cosine"):
        schedule("cosin")
