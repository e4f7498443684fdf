import numpy as np
import pytest

from edgewright import zoo
from edgewright.compress.prune import Planner, Prune
from edgewright.data import load_data
from edgewright.devices import device
from edgewright.errors import LookupFailed
from edgewright.model import capture
from edgewright.tasks import Classify
from edgewright.types import Job

pytestmark = pytest.mark.slow  # every test plans and cuts a net


@pytest.fixture(scope="module")
def job() -> Job:
    built = zoo.resolve("resnet8", num_classes=10, channels=1)
    return Job(
        model=capture(built.model, built.input_shape),
        task=Classify(num_classes=10),
        data=load_data("digits").fitted_to(built.input_shape),
        device=device("generic-x86"),
    )


def test_groups_that_match_a_pattern_keep_their_full_width(job):
    free, held = Planner(job, Prune()), Planner(job, Prune(whole=("stage2.*",)))
    assert [name for name in free.options if name.startswith("stage2.")] == ["stage2.conv1", "stage2.conv2"]
    for name, options in held.options.items():
        wanted = [job.model.get_submodule(name).out_channels] if name.startswith("stage2.") else free.options[name]
        np.testing.assert_array_equal(options, wanted)


def test_a_plan_cuts_nothing_of_a_whole_group(job):
    plan = Planner(job, Prune(whole=("conv", "stage*.conv2"))).plan(0.6)
    assert {name for name in plan.drop if not name.endswith("conv1")} == set()
    assert plan.keep_macs <= 0.6


def test_a_pattern_without_a_group_is_refused_with_the_nearest(job):
    with pytest.raises(LookupFailed, match=r"Unknown channel group 'stage1.conv': did you mean stage1.conv1"):
        Planner(job, Prune(whole=("stage1.conv",)))
