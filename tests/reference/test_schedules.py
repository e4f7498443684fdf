"""Learning rates by hand, and the product's schedules against them."""

import pytest

from edgewright.reference import schedules
from edgewright.train.schedules import Course, lr_share, schedule

QUARTERS = (0, 25, 50, 75, 100)


def test_worked_rates():
    assert [schedules.cosine(t, 100) for t in QUARTERS] == pytest.approx([1, 0.853553, 0.5, 0.146447, 0], abs=1e-6)
    assert 0.1 * schedules.step_decay(65, every=30, gamma=0.1) == pytest.approx(0.001)
    assert [schedules.polynomial(t, 100) for t in (25, 50, 75)] == pytest.approx(
        [0.771890, 0.535887, 0.287175], abs=1e-6
    )
    wave = [schedules.triangular(t, 2000, low=0.001, high=0.006) for t in (0, 1000, 2000, 4000, 6000)]
    assert wave == pytest.approx([0.001, 0.0035, 0.006, 0.001, 0.006])
    assert schedules.scaled(0.1, batch_size=8192, base_batch_size=256) == pytest.approx(3.2)
    assert schedules.scaled(0.1, batch_size=8192, base_batch_size=256, root=True) == pytest.approx(0.565685, abs=1e-6)


def test_a_cosine_is_periodic_only_with_restarts():
    assert schedules.cosine(150, 100) == 0
    assert [schedules.cosine_restarts(t, 100) for t in (100, 200, 299.999, 300)] == pytest.approx(
        [1, 0.5, 0, 1], abs=1e-9
    )


COURSE = Course(num_steps=120, steps_per_epoch=10, num_warmup=0, final=0.05)
PRODUCT = {  # how the product spells it -> the same by the reference
    "constant": lambda t: 1.0,
    "step:every=4,gamma=0.3": lambda t: schedules.step_decay(t, every=40, gamma=0.3),
    "exponential:gamma=0.8": lambda t: schedules.exponential(t, k=0.0223143551314),  # -ln 0.8 per 10 steps
    "polynomial:power=2": lambda t: schedules.polynomial(t, 120, power=2, low=0.05),
    "cosine": lambda t: schedules.cosine(t, 120, low=0.05),
    "cosine-restarts:first=2,growth=3": lambda t: schedules.cosine_restarts(t, 20, growth=3, low=0.05),
    "triangular:half=1.5,low=0.2": lambda t: schedules.triangular(t, 15, low=0.2, high=1),
    "triangular2:half=1.5,low=0.2": lambda t: schedules.triangular(t, 15, low=0.2, high=1, shrink=0.5),
}


@pytest.mark.parametrize("text", PRODUCT)
def test_the_products_schedules_are_the_references_at_every_step(text):
    found = [lr_share(schedule(text), step, COURSE) for step in range(120)]
    assert found == pytest.approx([PRODUCT[text](step) for step in range(120)], rel=1e-9)


def test_the_products_warm_up_meets_the_schedule():
    course = Course(num_steps=100, num_warmup=20)
    found = [lr_share(schedule("cosine"), step, course) for step in range(100)]
    rise = [schedules.warmed_up(step, 20, 1.0) for step in range(20)]
    assert found == pytest.approx(rise + [schedules.cosine(step - 20, 80) for step in range(20, 100)])
    assert schedules.warmed_up(20, 20, 1.0) == 1
