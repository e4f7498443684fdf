"""Dead channels by hand: which go, which stay and why, and what is in the biases afterwards."""

import numpy as np
import pytest

from dead_programs import RELU, WHOLE, Builder, extreme_codes
from edgewright.program import Operation, Program, Tensor, check, run
from edgewright.program.dead import bound_program, eliminate_dead
from edgewright.reference.integer import Grid, Window

SAME = Window(kernel=(3, 3), padding=((1, 1), (1, 1)))
FLAT = Grid(scale=0.05, zero_point=0, low=-128, high=127)
DEAD, HIGH = -(10**6), 10**6  # as biases: below and above all sums of the nets here


def assert_same_bits(program, slim):
    check(slim)
    for codes in extreme_codes(program, np.random.default_rng(0)):
        before, after = run(check(program), {"x": codes}), run(slim, {"x": codes})
        for name in program.outputs:
            np.testing.assert_array_equal(before[name], after[name])


def row_of(report, name):
    return next(each for each in report.operations if each.output == name)


def array(program, output, name):
    return next(each for each in program.operations if each.output == output).arrays[name]


def two_layers(bias, *, window=None, weight=None, grid=RELU):
    """A pointwise layer of 4 channels under a ReLU, and a layer of 2 channels that reads it."""
    net = Builder()
    hidden = net.conv("x", np.full((4, 3, 1, 1), 2), bias, grid=grid)
    if weight is None:
        weight = np.arange(1, 9).reshape(2, 4, 1, 1)
    return net.program(net.conv(hidden, weight, [10, 20], window=window, grid=WHOLE)), hidden


def test_a_bias_below_all_sums_makes_a_channel_dead_under_a_relu_and_it_goes():
    program, hidden = two_layers([0, DEAD, 5, DEAD])
    slim, report = eliminate_dead(program)
    assert report.kept[hidden] == (0, 2) and slim.tensors[hidden].shape == (2, 6, 5)
    assert array(slim, hidden, "weight_OIKK").shape == (2, 3, 1, 1)
    np.testing.assert_array_equal(array(slim, "conv1", "weight_OIKK")[..., 0, 0], [[1, 3], [5, 7]])
    np.testing.assert_array_equal(array(slim, "conv1", "bias_O"), [10, 20])  # the code of a ReLU's 0 is the zero point
    assert_same_bits(program, slim)


def test_the_report_counts_macs_and_weights_before_and_after():
    program, hidden = two_layers([0, DEAD, 5, DEAD])
    _, report = eliminate_dead(program)
    row = row_of(report, hidden)
    assert (row.channels_before, row.channels_after, row.dead) == (4, 2, 2)
    assert (row.macs_before, row.macs_after, row.weights_before, row.weights_after) == (360, 180, 12, 6)
    assert (report.macs_before, report.macs_removed) == (360 + 240, 180 + 120)
    assert (report.weights_before, report.weights_removed) == (12 + 8, 6 + 4)
    assert report.stays == ()


def test_a_channel_that_saturates_above_goes_into_the_next_bias():
    program, hidden = two_layers([0, HIGH, 5, 7])
    slim, report = eliminate_dead(program)
    assert report.kept[hidden] == (0, 2, 3)
    np.testing.assert_array_equal(array(slim, "conv1", "bias_O"), [10 + 255 * 2, 20 + 255 * 6])  # 127 - (-128) = 255
    assert_same_bits(program, slim)


def test_the_bounds_of_a_layer_are_reached():
    """3 codes in [-128, 127] around 3, weights 2, -3 and 5, bias 7: sums in [7 - 131*7 - 124*3, 7 + 124*7 + 131*3]."""
    net = Builder(shape=(3, 1, 1))
    grid = Grid(scale=1.0, zero_point=0, low=-(2**15), high=2**15 - 1)
    y = net.conv("x", np.reshape([2, -3, 5], (1, 3, 1, 1)), [7], grid=grid, scale=20.0)  # 0.05 * 20 / 1
    bounds = bound_program(net.program(y))[y]
    assert (bounds.low.item(), bounds.high.item()) == (7 - 131 * 7 - 124 * 3, 7 + 124 * 7 + 131 * 3)


def test_nothing_leaves_a_net_that_is_alive():
    program, _ = two_layers([0, 1, 2, 3])
    slim, report = eliminate_dead(program)
    assert report.macs_removed == report.weights_removed == 0 and report.stays == ()
    for before, after in zip(program.operations, slim.operations, strict=True):
        assert all((before.arrays[name] == after.arrays[name]).all() for name in before.arrays)
        assert before.settings == after.settings


def test_next_to_padding_only_the_zero_point_can_go():
    weight = np.ones((2, 4, 3, 3))
    program, hidden = two_layers([0, DEAD, HIGH, 3], weight=weight, window=SAME)
    slim, report = eliminate_dead(program)
    assert report.kept[hidden] == (0, 2, 3)  # 1 is the zero point; 2 is 255 steps above, and 0 in the padding
    (stay,) = report.stays
    assert (stay.tensor, stay.channels) == (hidden, (2,))
    assert stay.reason == "conv1 pads with the value 0, which this channel is not"
    assert_same_bits(program, slim)


def test_without_padding_any_constant_goes():
    program, hidden = two_layers([0, DEAD, HIGH, 3], weight=np.ones((2, 4, 3, 3)))
    slim, report = eliminate_dead(program)
    assert report.kept[hidden] == (0, 3)
    np.testing.assert_array_equal(array(slim, "conv1", "bias_O"), [10 + 9 * 255, 20 + 9 * 255])
    assert_same_bits(program, slim)


def test_a_border_that_padding_makes_live_is_no_dead_channel():
    """Weights that cancel over a whole window of a constant, and do not over the part of it at a border."""
    net = Builder()
    constant = net.conv("x", np.zeros((1, 3, 1, 1)), [HIGH])
    edges = np.reshape([[0, 0, 0], [1, 0, -1], [0, 0, 0]], (1, 1, 3, 3))
    found = net.conv(constant, edges, [0], window=SAME, grid=FLAT)
    bounds = bound_program(net.program(found))[found]
    assert bounds.fixed_C.tolist() == [True] and bounds.dead_C.tolist() == [False]
    assert (bounds.low[0, :, 1:-1] == 0).all() and (bounds.low[0, :, 0] < 0).all() and (bounds.low[0, :, -1] > 0).all()


def test_a_depthwise_channel_goes_with_its_channel():
    net = Builder()
    hidden = net.conv("x", np.full((3, 3, 1, 1), 2), [0, DEAD, 5])
    depthwise = net.conv(hidden, np.ones((6, 1, 3, 3)), np.zeros(6), window=SAME, groups=3)
    program = net.program(net.conv(depthwise, np.ones((2, 6, 1, 1)), [0, 0]))
    slim, report = eliminate_dead(program)
    assert report.kept[hidden] == (0, 2) and report.kept[depthwise] == (0, 1, 4, 5)
    assert slim.operations[1].settings["groups"] == 2 and array(slim, depthwise, "weight_OIKK").shape == (4, 1, 3, 3)
    assert_same_bits(program, slim)


def test_a_group_of_which_one_channel_lives_stays_whole_and_is_told():
    net = Builder()
    first = net.conv("x", np.full((4, 3, 1, 1), 40), [0, 1, 2, 3], grid=WHOLE)
    second = net.conv(first, np.full((4, 2, 1, 1), 9), [0, DEAD, DEAD, DEAD], groups=2)
    program = net.program(net.conv(second, np.full((1, 4, 1, 1), 9), [0], grid=WHOLE))
    slim, report = eliminate_dead(program)
    assert report.kept[second] == (0, 1) and report.kept[first] == (0, 1)
    (stay,) = report.stays
    assert (stay.tensor, stay.channels, stay.reason) == (second, (1,), f"{second} has it in a group that stays")
    assert_same_bits(program, slim)


def test_a_group_of_what_the_caller_fills_stays():
    net = Builder(shape=(4, 6, 5))
    grouped = net.conv("x", np.ones((4, 2, 1, 1)), [0, 1, DEAD, DEAD], groups=2, grid=WHOLE)
    _, report = eliminate_dead(net.program(net.conv(grouped, np.ones((1, 4, 1, 1)), [0], grid=WHOLE)))
    assert report.kept[grouped] == (0, 1, 2, 3)


def test_a_dead_branch_of_a_live_sum_stays_and_two_dead_ones_go():
    net = Builder()
    first = net.conv("x", np.full((3, 3, 1, 1), 2), [0, DEAD, DEAD])
    second = net.conv("x", np.full((3, 3, 1, 1), 1), [DEAD, DEAD, 0])
    total = net.same("add", first, second, settings={"sign": 1})
    program = net.program(net.conv(total, np.ones((1, 3, 1, 1)), [0]))
    slim, report = eliminate_dead(program)
    assert report.kept[first] == report.kept[second] == report.kept[total] == (0, 2)
    assert {(each.tensor, each.channels) for each in report.stays} == {(first, (2,)), (second, (0,))}
    assert all(each.reason == f"{total} joins it with a channel that stays" for each in report.stays)
    assert_same_bits(program, slim)


def test_channels_that_only_zero_weights_read_go_though_they_live():
    weight = np.ones((2, 4, 1, 1))
    weight[:, 1] = 0
    program, hidden = two_layers([0, 1, 2, 3], weight=weight)
    slim, report = eliminate_dead(program)
    assert report.kept[hidden] == (0, 2, 3) and row_of(report, hidden).dead == 0
    assert_same_bits(program, slim)


def test_what_feeds_only_dead_channels_goes_too():
    net = Builder()
    first = net.conv("x", np.full((4, 3, 1, 1), 2), [0, 1, 2, 3])
    weight = np.zeros((2, 4, 1, 1))
    weight[0, :2] = 1  # the dead channel alone reads 2 and 3
    weight[1, 2:] = 1
    second = net.conv(first, weight, [0, DEAD])
    program = net.program(net.conv(second, np.ones((1, 2, 1, 1)), [0]))
    slim, report = eliminate_dead(program)
    assert report.kept[first] == (0, 1) and report.kept[second] == (0,)
    assert_same_bits(program, slim)


def test_parts_slices_and_features_follow_their_channels():
    net = Builder(shape=(3, 2, 2))
    parts = [net.conv("x", np.full((3, 3, 1, 1), 2), bias) for bias in ([0, DEAD, 1], [DEAD] * 3, [DEAD, 0, 1])]
    joined = net.concat(*parts, grid=RELU)
    cut = net.slice(joined, 1, 8)  # a dead one, a live one, a dead part, a dead one and a live one
    flat = net.flat(cut)
    program = net.program(net.linear(flat, np.ones((2, 28)), [3, 4]))
    slim, report = eliminate_dead(program)
    assert report.kept[parts[1]] == () and parts[1] not in slim.tensors
    assert report.kept[parts[0]] == (2,)  # nobody reads its channel 0: it is in front of the slice
    assert report.kept[parts[2]] == (1,) and report.kept[joined] == (2, 7)
    assert report.kept[flat] == (*range(4, 8), *range(24, 28))
    taken = next(each for each in slim.operations if each.output == cut)
    assert (taken.settings["start"], taken.settings["stop"]) == (0, 2)
    assert_same_bits(program, slim)


def test_outputs_keep_their_dead_channels():
    net = Builder()
    program = net.program(net.conv("x", np.full((2, 3, 1, 1), 2), [0, DEAD]))
    slim, report = eliminate_dead(program)
    assert slim.tensors["conv0"].shape == (2, 6, 5)
    assert [(each.channels, each.reason) for each in report.stays] == [((1,), "the caller reads it")]


def test_a_tensor_whose_channels_are_all_dead_keeps_one():
    program, hidden = two_layers([DEAD] * 4)
    slim, report = eliminate_dead(program)
    assert report.kept[hidden] == (0,)
    assert report.stays[0].reason == "a tensor that is read keeps one channel"
    assert_same_bits(program, slim)


@pytest.mark.parametrize(("bias", "sign"), [(2**31 - 1, 1), (-(2**31), -1)])
def test_a_bias_that_would_leave_32_bits_keeps_the_channel_outside(bias, sign):
    """Channel 0 is 228 to 255 steps above zero, 1 always 255: 89 * 255 - 100 * 228 is below 0, so that sums fit."""
    net = Builder()
    hidden = net.conv("x", np.full((2, 3, 1, 1), 2), [9920, HIGH])
    grid = Grid(scale=2.0**20, zero_point=0, low=-128, high=127)
    program = net.program(net.conv(hidden, np.reshape([-100 * sign, 89 * sign], (1, 2, 1, 1)), [bias], grid=grid))
    slim, report = eliminate_dead(program)
    (stay,) = (each for each in report.stays if each.tensor == hidden)
    assert (stay.channels, stay.reason) == ((1,), "the bias of conv1 would not fit into 32 bits")
    assert report.kept[hidden] == (0, 1)
    assert_same_bits(program, slim)


def test_a_softmax_over_channels_and_unknown_axes_need_all():
    net = Builder()
    hidden = net.conv("x", np.full((3, 3, 1, 1), 2), [0, DEAD, 5])
    spread = net.same("softmax", hidden, grid=WHOLE, settings={"axis": 0})
    turned = net.make("transpose", [hidden], (6, 3, 5), grid=RELU, settings={"order": (1, 0, 2)})
    _, report = eliminate_dead(net.program(spread, turned))
    assert report.kept[hidden] == (0, 1, 2)


def test_a_table_that_rises_and_falls_is_bounded_by_what_it_can_give():
    grid = Grid(scale=1.0, zero_point=0, low=-2, high=2)
    tensors = {name: Tensor(name=name, shape=(1,), grid=grid) for name in ("x", "y")}
    operation = Operation(kind="look_up", inputs=("x",), output="y", arrays={"table": np.array([0, 2, -1, 1, 0])})
    program = Program(name="t", tensors=tensors, operations=(operation,), inputs=("x",), outputs=("y",))
    bounds = bound_program(program)["y"]
    assert (bounds.low.item(), bounds.high.item()) == (-1, 2)
