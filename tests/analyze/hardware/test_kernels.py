"""Pattern, hardware and kernel together: a device without a kernel gets no claim, and one with it a bound."""

import pytest
from torch import nn

from edgewright.analyze import profile
from edgewright.analyze.hardware import SPARSE_RATE, two_four
from edgewright.analyze.hardware.kernels import (
    CHANNELS,
    NONE_IN_RUNTIME,
    TWO_FOUR,
    UNSTRUCTURED,
    accelerator_answer,
    channels_answer,
    two_four_answers,
    unstructured_answer,
)
from edgewright.devices import device, device_names


@pytest.fixture(scope="module")
def net():
    return nn.Sequential(nn.Conv2d(4, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 10))


def profiled(net, dtype):
    return profile(net, input_shape=(4, 8, 8), dtype=dtype)


@pytest.mark.parametrize("name", device_names())
def test_no_device_of_ours_claims_anything_for_zeros_anywhere(name):
    answer = unstructured_answer(device(name), "int8")
    assert (answer.pattern, answer.kernel, answer.speed_up, answer.pays) == (UNSTRUCTURED, None, None, None)
    assert answer.how == "no claim"
    assert answer.reason == "; ".join(NONE_IN_RUNTIME[runtime] for runtime in device(name).runtimes)


@pytest.mark.parametrize("name", sorted(set(device_names()) - set(SPARSE_RATE)))
def test_a_device_without_sparse_tensor_cores_claims_nothing_for_two_of_four(name, net):
    (answer,) = two_four_answers(net, {"int8": profiled(net, "int8")}, device(name))
    assert answer.kernel is None and answer.pays is None and "no sparse tensor cores are known" in answer.reason


def test_sparse_tensor_cores_are_answered_for_each_type_that_they_take(net):
    profiles = {dtype: profiled(net, dtype) for dtype in ("float32", "float16", "int8")}
    answers = two_four_answers(net, profiles, device("cloud-gpu"))
    assert [(each.pattern, each.dtype, each.how) for each in answers] == [
        (TWO_FOUR, "float16", "bound"), (TWO_FOUR, "int8", "bound"),
    ]  # fmt: skip
    for each in answers:
        expected = two_four(net, profiles[each.dtype], device=device("cloud-gpu")).total()
        assert each.speed_up == expected["speed_up"] and each.pays is True
        assert each.kernel == "sparse tensor cores, 2x dense rate" and each.reason.startswith("2 of 2 layers allow it")


def test_a_type_that_sparse_tensor_cores_do_not_take_in_this_pattern_gets_no_claim(net):
    (answer,) = two_four_answers(net, {"float32": profiled(net, "float32")}, device("cloud-gpu"))
    assert answer.kernel is None and answer.speed_up is None
    assert answer.reason == "its sparse tensor cores take 2:4 in float16 and int8"


def test_cut_channels_need_no_kernel_of_their_own():
    answer = channels_answer(device("stm32f746"), "int8", dense_s=0.2, cut_s=0.1)
    assert (answer.pattern, answer.kernel, answer.how) == (CHANNELS, "dense", "estimated")
    assert answer.speed_up == pytest.approx(2) and answer.pays is True
    unknown = channels_answer(device("stm32f746"), "int8", dense_s=None, cut_s=0.1)
    assert unknown.speed_up is None and unknown.how == "no claim"


def test_a_slower_cut_does_not_pay():
    assert channels_answer(device("generic-x86"), "float32", dense_s=0.1, cut_s=0.125).pays is False


def test_the_accelerator_says_how_busy_its_elements_are():
    answer = accelerator_answer(dtype="float32", speed_up=3.0, load_balance=0.73)
    assert (answer.device, answer.speed_up, answer.how) == ("EIE", 3.0, "estimated")
    assert answer.reason.startswith("elements busy 73 % of the time")
    assert accelerator_answer(dtype="float32", speed_up=None, load_balance=None).how == "no claim"
