"""Running a program: by hand, and what is refused."""

import numpy as np
import pytest
import torch

from edgewright.analyze import profile
from edgewright.errors import ConfigError, ModelError, ShapeError
from edgewright.model import capture
from edgewright.model.quantized import QuantizeActivation, affine_spec
from edgewright.program import Operation, Program, Tensor, check, input_codes, macs, num_weights, run
from edgewright.program.lowering import lower
from edgewright.program.sums import sum_values
from edgewright.reference.integer import Grid
from edgewright.zoo import resolve
from lowered_nets import images, simulation

X = Grid(scale=0.5, zero_point=1, low=-128, high=127)


def linear(out, *, weight=((1, -2), (3, 4)), shape=(2,)):
    arrays = {
        "weight_OI": np.array(weight, dtype=np.int8), "bias_O": np.array([10, -3], dtype=np.int32),
        "weight_scale_O": np.array([0.25, 0.5]),
    }  # fmt: skip
    operation = Operation(kind="linear", inputs=("x",), output="y", arrays=arrays)
    tensors = {"x": Tensor(name="x", shape=shape, grid=X), "y": Tensor(name="y", shape=(2,), grid=out)}
    return Program(name="p", tensors=tensors, operations=(operation,), inputs=("x",), outputs=("y",))


def test_a_linear_layer_by_hand():
    codes = np.array([5, -1])  # the values 2 and -1, at the zero point 1: centered codes 4 and -2
    program = linear(Grid(scale=1.0, zero_point=-3, low=-128, high=127))
    # sums 4 * 1 + -2 * -2 + 10 = 18 of 1/8 -> 2.25; 4 * 3 + -2 * 4 - 3 = 1 of 1/4 -> 0.25
    np.testing.assert_array_equal(run(program, {"x": codes})["y"], [-1, -3])
    values = run(linear(None), {"x": codes})["y"]
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, np.float32([2.25, 0.25]))


def test_every_tensor_of_a_run_is_given_inputs_too():
    x = images(1, 3, 16, 16)
    program = lower(simulation(resolve("resnet8", num_classes=4, image_size=16).model, x, draw=False))
    values = run(program, {"x": input_codes(program, x[0].numpy())})
    assert values.keys() == program.tensors.keys()
    for name, tensor in program.tensors.items():
        assert values[name].shape == tensor.shape and values[name].dtype == np.int64
        assert tensor.grid.low <= values[name].min() and values[name].max() <= tensor.grid.high


def test_sums_become_floats_by_one_product_in_float32():
    acc = np.array([[2**24 + 1, -7]])
    got = sum_values(acc, np.array([0.1, 0.3]), axis=1)
    np.testing.assert_array_equal(got, [[np.float32(2**24) * np.float32(0.1), np.float32(-7) * np.float32(0.3)]])


@pytest.mark.parametrize("bits", [2, 8, 16])
def test_an_image_has_the_codes_that_the_simulation_rounds_it_to(bits):
    layer = QuantizeActivation.of(affine_spec(-1.3, 2.1, bits=bits))
    spec = layer.spec
    grid = Grid(scale=spec.scale[0], zero_point=spec.zero_point[0], low=spec.low, high=spec.high)
    tensor = Tensor(name="x", shape=(3, 40, 40), grid=grid)
    program = Program(name="p", tensors={"x": tensor}, operations=(), inputs=("x",), outputs=("x",))
    steps = torch.arange(-400, 400).reshape(2, 1, 20, 20).expand(2, 3, 20, 20).reshape(3, 40, 20) * layer.scale / 2
    x = torch.cat([images(3, 40, 20) * 2, steps], dim=2)  # half of the steps lie between two codes
    np.testing.assert_array_equal(input_codes(program, x.numpy()), layer.codes(x).numpy())


def test_wrong_inputs_are_refused():
    program = linear(X)
    with pytest.raises(ShapeError, match=r"has the inputs \['x'\], got codes for \['z'\]"):
        run(program, {"z": np.zeros(2, dtype=np.int8)})
    with pytest.raises(ShapeError, match=r"integers of the shape \(2,\), got float64 of \(2,\)"):
        run(program, {"x": np.zeros(2)})
    with pytest.raises(ConfigError, match="codes of x are -128 to 127, got 0 to 128"):
        run(program, {"x": np.array([0, 128])})
    with pytest.raises(ShapeError, match=r"has the shape \(2,\), got an image of \(3,\)"):
        input_codes(program, np.zeros(3))
    with pytest.raises(ConfigError, match="NaN or infinity"):
        input_codes(program, np.array([0.0, np.nan]))
    with pytest.raises(ConfigError, match="has the inputs x, got y"):
        input_codes(program, np.zeros(2), name="y")


def test_a_program_that_does_not_fit_together_is_found():
    assert check(linear(X)) is not None
    with pytest.raises(ModelError, match=r"y of the kind linear does not fit its inputs \[\(3,\)\] \(weight of 2"):
        check(linear(X, shape=(3,)))
    with pytest.raises(ModelError, match="does not fit"):
        check(linear(X, weight=((1, 2),)))


@pytest.mark.parametrize(("name", "size"), [("resnet8", (32, 32)), ("ds_cnn", (49, 10))])
def test_macs_and_weights_are_those_of_the_analysis_of_the_float_net(name, size):
    model = resolve(name, num_classes=10, image_size=size).model
    x = images(1, 3 if name == "resnet8" else 1, *size)
    program = lower(simulation(model, x, draw=False))
    found = macs(program)
    assert sum(found.values()) == profile(capture(model.eval(), tuple(x.shape[1:]))).macs
    assert found["adaptive_avg_pool2d"] == 0
    matrices = [each for each in model.parameters() if each.dim() > 1]
    assert num_weights(program) == sum(each.numel() for each in matrices)
