"""Timing with a clock that the test turns: what is counted, when a warm-up ends, what is compared with what."""

import gc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edgewright.data import Preprocess
from edgewright.errors import ConfigError
from edgewright.verify import BenchRow, Latency, Samples, Subject, Timing, TorchRunner, WarmUp, race
from edgewright.verify.bench import difference
from edgewright.verify.end_to_end import prepare, preprocess_for, time_end_to_end
from edgewright.verify.rows import row_remarks
from edgewright.verify.timing import MOST_CALLS, WARM_UP, turn_ratios, warm_up
from edgewright.verify.torch_runner import compile_failure, torch_threads


class Clock:
    """Time passes only in the models of these tests."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def model(self, *seconds):
        """A function whose calls take these seconds, the last one for ever."""
        left = list(seconds)

        def call(images):
            self.now += left.pop(0) if len(left) > 1 else left[0]
            return images

        return call


def run(clock, timing=None, **seconds):
    models = {name: clock.model(*each) for name, each in seconds.items()}
    return race(models, np.zeros(1), timing=timing or Timing(turns=3, runs=4), clock=clock)


# -- warm-up --------------------------------------------------------------------------------------------------------
def test_even_times_have_settled_after_two_windows():
    clock = Clock()
    found = warm_up(clock.model(1e-3), None, clock=clock)
    assert (found.calls, found.stable) == (WARM_UP, True)


def test_falling_times_prolong_the_warm_up_until_a_window_equals_the_one_before():
    clock = Clock()
    found = warm_up(clock.model(*(1e-3 * ms for ms in (9, 8, 7, 6, 5, 4, 3, 2, 1))), None, clock=clock)
    # by hand: calls 12 to 16 take 1 ms; of the five before (3, 2, 1, 1, 1) the median is 1 ms too, and of none earlier
    assert (found.calls, found.stable) == (16, True)


def test_times_that_never_settle_end_after_the_most_calls_and_it_is_said():
    clock = Clock()
    found = warm_up(clock.model(*[1e-6 * 1.1**i for i in range(MOST_CALLS + 1)]), None, clock=clock)
    assert (found.calls < MOST_CALLS or clock.now < 3) and not found.stable


def test_a_slow_model_ends_its_warm_up_by_the_clock():
    clock = Clock()
    found = warm_up(clock.model(2.0), None, clock=clock)
    assert (found.calls, found.stable) == (3, False)


# -- race -----------------------------------------------------------------------------------------------------------
def test_the_ratio_pairs_the_turns_so_that_a_disturbance_of_both_leaves_no_trace():
    clock = Clock()
    # per turn one untimed and two timed calls; in the second turn everything takes ten times as long
    a = [1.0] * WARM_UP + [1.0] * 3 + [10.0] * 3 + [1.0] * 3
    b = [2.0] * WARM_UP + [2.0] * 3 + [20.0] * 3 + [2.0] * 3
    scaled = {name: [1e-3 * value for value in each] for name, each in (("a", a), ("b", b))}
    found = run(clock, Timing(turns=3, runs=2, seconds=10), **scaled)
    assert found.ratios == pytest.approx([0.5, 0.5, 0.5]) and found.ratio == pytest.approx(0.5)
    assert turn_ratios(found.latencies[1], found.latencies[0]) == pytest.approx((2, 2, 2))
    assert found.latencies[0].turn_medians_s == pytest.approx((1e-3, 1e-2, 1e-3))


@given(st.lists(st.floats(1e-6, 1e-1), min_size=3, max_size=40))
def test_percentiles_minimum_and_spread_are_those_of_numpy(seconds):
    clock = Clock()
    model = clock.model(*[1e-3] * (WARM_UP + 1), *seconds)  # warm-up and the turn's untimed call
    timing = Timing(turns=1, runs=len(seconds), seconds=1e9)
    (row,) = race({"a": model}, np.zeros(1), timing=timing, clock=clock).latencies
    expected = [*np.percentile(seconds, [50, 95, 99]), min(seconds)]
    # differences of a growing clock carry its rounding
    assert [row.median_s, row.p95_s, row.p99_s, row.min_s] == pytest.approx(expected, rel=1e-6, abs=1e-12)
    assert row.runs == len(seconds) and row.spread == 0


def test_the_spread_is_the_interquartile_range_of_the_turns_over_the_median():
    clock = Clock()
    turns = [1e-3, 2e-3, 3e-3, 4e-3, 5e-3]
    model = [1e-3] * WARM_UP + [each for turn in turns for each in [turn] * 3]
    (row,) = run(clock, Timing(turns=5, runs=2), a=model).latencies
    assert row.spread == pytest.approx((4e-3 - 2e-3) / 3e-3)


def test_a_turn_of_slow_calls_ends_by_its_seconds_with_three_at_least():
    clock = Clock()
    (row,) = run(clock, Timing(turns=2, runs=50, seconds=0.5), a=[1.0]).latencies
    assert row.runs == 6 and row.per_second == pytest.approx(1.0)


def test_the_processors_time_is_a_mean_over_all_calls_of_a_turn_and_waiting_is_none_of_it():
    clock, worked = Clock(), Clock()

    def call(images):
        clock.now += 4e-3
        worked.now += 1e-3  # the rest of the call it waits

    timing = Timing(turns=3, runs=4)
    (row,) = race({"a": call}, np.zeros(1), timing=timing, clock=clock, cpu_clock=worked).latencies
    assert row.cpu_s == pytest.approx(1e-3) and row.median_s == pytest.approx(4e-3)


def test_garbage_is_not_collected_while_times_are_taken_and_is_afterwards():
    seen = []
    race({"a": lambda _: seen.append(gc.isenabled())}, np.zeros(1), timing=Timing(turns=1, runs=1))
    assert seen and not any(seen) and gc.isenabled()


# -- what the rows give away ----------------------------------------------------------------------------------------
def row(name, *, median_s=1e-3, spread=0.0, stable=True, runtime="onnxruntime", difference=None, threads=1, cpu_s=1e-3):
    latency = Latency(
        artifact=name, runtime=runtime, threads=threads, batch=1, median_s=median_s, p95_s=median_s, p99_s=median_s,
        min_s=median_s, spread=spread, turn_medians_s=(median_s,), cpu_s=cpu_s, runs=1, turns=1,
        warm_up=WarmUp(calls=10, stable=stable),
    )  # fmt: skip
    return BenchRow(
        model=name, runtime=runtime, num_bytes=None, latency=latency, images_per_s=1 / median_s, ratio=1.0,
        ratio_range=(1.0, 1.0), difference=difference,
    )  # fmt: skip


def test_quiet_rows_that_agree_need_no_remark():
    assert row_remarks([row("a"), row("a", runtime="eager", difference=1e-7)], [Subject(name="a")]) == ()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"stable": False}, r"had not settled after the warm-up: a in onnxruntime \(threads 1, batch 1\)\."),
        ({"spread": 0.6}, r"differ by more than half of the median: .*say little\.$"),
        ({"spread": 9.0, "runtime": "eager", "threads": 2}, "set OMP_WAIT_POLICY=passive, or use fewer threads"),
        ({"cpu_s": 2.5e-4}, r"waited for a core; the processor worked on a in onnxruntime .*: 0\.25 of 1 ms\."),
        ({"difference": 0.12}, r"gives other outputs than the model's first form \(off by 12 %"),
        ({"difference": float("nan")}, "gives other outputs"),
        ({"difference": float("inf")}, "gives other outputs"),
    ],
)
def test_a_row_that_needs_a_remark_gets_one(given, sentence):
    (said,) = row_remarks([row("a", **given)], [Subject(name="a")])
    with pytest.raises(AssertionError, match=sentence):
        raise AssertionError(said)


def test_the_difference_is_a_share_of_the_largest_output_and_infinite_between_shapes():
    known = [np.array([[1.0, -4.0]]), np.array([2.0])]
    assert difference(known, [np.array([[1.5, -4.0]]), np.array([2.0])]) == 0.125
    assert difference(known, known) == 0 and difference(known, known[:1]) == float("inf")


# -- whole decisions ------------------------------------------------------------------------------------------------
def stages(clock, *, decode, model, from_files=True, batch=1):
    """Two images whose reading takes `decode`, a model that takes `model`; the rest takes no time on this clock."""

    def take(where):
        clock.now += decode
        return [torch.full((1, 1, 2, 2), index, dtype=torch.uint8) for index in where]

    def run_model(images):
        clock.now += model
        seen.append(len(images))
        return torch.eye(3)[: len(images)]

    seen: list[int] = []
    samples = Samples(name="s", num=2, take=take, from_files=from_files)
    given = {("m", "eager"): (run_model, preprocess_for((1, 2, 2), None))}
    (row,) = time_end_to_end(given, samples, timing=Timing(turns=2, runs=3, batch=batch), clock=clock)
    return row, seen


def test_stages_are_told_apart_and_fps_is_that_of_the_whole():
    row, _ = stages(Clock(), decode=3e-3, model=1e-3)
    assert (row.decode_s, row.model_s) == pytest.approx((3e-3, 1e-3))
    assert row.whole_s == pytest.approx(4e-3) and row.images_per_s == pytest.approx(250)
    assert row.share_of_model == pytest.approx(0.25) and row.runs == 6


def test_images_in_memory_have_no_decoding():
    row, seen = stages(Clock(), decode=0.0, model=1e-3, from_files=False, batch=2)
    assert row.decode_s is None and row.images_per_s == pytest.approx(2000) and set(seen[1:]) == {2}


def test_what_a_stage_is_fed_equals_the_data_rooms_preprocessing():
    steps = Preprocess(shape=(3, 4, 4), mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
    assert preprocess_for((3, 4, 4), {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7]}) == steps
    images = [torch.randint(0, 256, (1, 1, size, size), dtype=torch.uint8) for size in (4, 6)]
    assert torch.equal(prepare(images, steps), torch.cat([steps(image) for image in images]))
    assert torch.equal(prepare(images[:1] * 2, steps), steps(torch.cat(images[:1] * 2)))


def test_a_model_without_class_scores_has_nothing_to_decide():
    samples = Samples(name="s", num=1, take=lambda _: [torch.zeros(1, 1, 2, 2, dtype=torch.uint8)], from_files=False)
    given = {("m", "eager"): (lambda images: images, preprocess_for((1, 2, 2), None))}
    with pytest.raises(ConfigError, match=r"m gives \(1, 1, 2, 2\) and no class scores to decide on: leave out --data"):
        time_end_to_end(given, samples, timing=Timing())


def test_inputs_that_are_no_images_have_no_preprocessing():
    with pytest.raises(ConfigError, match="images have shape"):
        preprocess_for((8,), None)


# -- PyTorch --------------------------------------------------------------------------------------------------------
def test_the_runner_of_modules_answers_in_kind_and_without_gradients():
    net = torch.nn.Linear(3, 2).eval()
    runner = TorchRunner(net)
    images = torch.rand(4, 3)
    as_torch, as_numpy = runner(images), runner(images.numpy())
    assert isinstance(as_numpy, np.ndarray) and np.array_equal(as_torch.numpy(), as_numpy)
    assert not as_torch.requires_grad and "eager" in runner.runtime


def test_outputs_of_any_shape_are_listed_in_order():
    class Nested(torch.nn.Module):
        def forward(self, x):
            return {"a": x, "b": [x + 1, (x + 2,)]}

    found = TorchRunner(Nested())(np.zeros(1, np.float32))
    assert [value.tolist() for value in found] == [[0], [1], [2]]


def test_threads_are_those_of_before_even_after_an_error():
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="inside"):
        with torch_threads(before + 1):
            assert torch.get_num_threads() == before + 1
            raise RuntimeError("inside")
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("InvalidCxxCompiler: No working C++ compiler found in x: (None, 'y')\nmore", r"install one \(g\+\+\)"),
        ("Unsupported: call to print", r"cannot compile it \(Unsupported: call to print\): leave out `compiled`"),
    ],
)
def test_a_failed_compilation_is_one_sentence_with_a_remedy(text, sentence):
    with pytest.raises(AssertionError, match=sentence):
        raise AssertionError(compile_failure(RuntimeError(text)))
