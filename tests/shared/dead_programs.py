"""Integer programs by hand and at random, with channels that are dead on purpose."""

import numpy as np

from edgewright.program import Operation, Program, Tensor
from edgewright.reference.integer import Grid, Window

WHOLE = Grid(scale=0.05, zero_point=3, low=-128, high=127)
RELU = Grid(scale=0.04, zero_point=-128, low=-128, high=127)


class Builder:
    """Adds one operation after the other; each method gives the name of the tensor that it makes."""

    def __init__(self, shape=(3, 6, 5), grid=WHOLE):
        self.tensors = {"x": Tensor(name="x", shape=shape, grid=grid)}
        self.operations = []

    def program(self, *outputs):
        return Program(
            name="net", tensors=self.tensors, operations=tuple(self.operations), inputs=("x",), outputs=outputs
        )

    def shape(self, name):
        return self.tensors[name].shape

    def make(self, kind, inputs, shape, *, grid, settings=None, arrays=None):
        name = f"{kind}{len(self.operations)}"
        self.tensors[name] = Tensor(name=name, shape=tuple(shape), grid=grid)
        self.operations.append(
            Operation(kind=kind, inputs=tuple(inputs), output=name, settings=settings or {}, arrays=arrays or {})
        )
        return name

    def conv(self, x, weight, bias, *, window=None, groups=1, grid=RELU, scale=0.02):
        weight = np.asarray(weight, np.int8)
        window = window or Window(kernel=weight.shape[2:])
        _, height, width = self.shape(x)
        shape = (len(weight), window.count(0, height), window.count(1, width))
        arrays = {"weight_OIKK": weight, "bias_O": np.asarray(bias, np.int32)}
        arrays["weight_scale_O"] = np.full(len(weight), scale)
        return self.make("conv", [x], shape, grid=grid, settings={"window": window, "groups": groups}, arrays=arrays)

    def linear(self, x, weight, bias, *, grid=WHOLE, scale=0.02):
        arrays = {"weight_OI": np.asarray(weight, np.int8), "bias_O": np.asarray(bias, np.int32)}
        arrays["weight_scale_O"] = np.full(len(weight), scale)
        return self.make("linear", [x], (len(weight),), grid=grid, arrays=arrays)

    def same(self, kind, *inputs, grid=None, settings=None, arrays=None):
        """An operation whose output has the shape of its first input, and its grid unless another is given."""
        first = self.tensors[inputs[0]]
        return self.make(kind, inputs, first.shape, grid=grid or first.grid, settings=settings, arrays=arrays)

    def pool(self, kind, x, window):
        channels, height, width = self.shape(x)
        settings = {"window": window} | ({"include_padding": True} if kind == "average_pool" else {})
        shape = (channels, window.count(0, height), window.count(1, width))
        return self.make(kind, [x], shape, grid=self.tensors[x].grid, settings=settings)

    def concat(self, *parts, grid=WHOLE):
        channels = sum(self.shape(each)[0] for each in parts)
        shape = (channels, *self.shape(parts[0])[1:])
        return self.make("concat", parts, shape, grid=grid, settings={"axis": 0})

    def slice(self, x, start, stop):
        shape = (stop - start, *self.shape(x)[1:])
        settings = {"axis": 0, "start": start, "stop": stop}
        return self.make("slice", [x], shape, grid=self.tensors[x].grid, settings=settings)

    def global_average(self, x):
        return self.make("global_average", [x], (self.shape(x)[0], 1, 1), grid=self.tensors[x].grid)

    def flat(self, x):
        return self.make("reshape", [x], (self.tensors[x].num_values,), grid=self.tensors[x].grid)


class Growing(Builder):
    """A builder that adds operations at random: about half of the channels of its layers are dead."""

    def __init__(self, rng):
        super().__init__()
        self.rng = rng
        self.maps = ["x"]

    def grid(self):
        zero_point = int(self.rng.choice([-128, -128, 0, 5]))
        low = int(self.rng.choice([-128, zero_point]))
        return Grid(scale=float(self.rng.uniform(0.02, 0.1)), zero_point=zero_point, low=low, high=127)

    def window(self, kernel):
        before, behind = self.rng.integers(0, kernel, 2).tolist() if self.rng.random() < 0.6 else (0, 0)
        stride = int(self.rng.choice([1, 1, 2]))
        return Window(kernel=(kernel, kernel), stride=(stride, stride), padding=((before, behind), (behind, before)))

    def weights(self, outputs, *others):
        """Weights and biases: some rows far below or above all sums, some zero, some columns zero."""
        weight = self.rng.integers(-127, 128, (outputs, *others))
        reach = 128 * 255 * int(np.prod(others))
        bias = self.rng.integers(-20_000, 20_000, outputs)
        fate = self.rng.choice(["live", "low", "high", "flat"], outputs, p=[0.5, 0.3, 0.05, 0.15])
        bias = np.select([fate == "low", fate == "high"], [-2 * reach, 2 * reach], bias)
        weight[fate == "flat"] = 0
        weight[:, self.rng.random(others[0]) < 0.15] = 0
        return weight, bias

    def layer(self, x, kernel, *, groups=1, grid=None):
        channels, height, width = self.shape(x)
        kernel = min(kernel, height, width)
        outputs = groups * int(self.rng.integers(1, 3)) if groups > 1 else int(self.rng.integers(2, 9))
        weight, bias = self.weights(outputs, channels // groups, kernel, kernel)
        return self.conv(x, weight, bias, window=self.window(kernel), groups=groups, grid=grid or self.grid())

    def grow(self):
        """One operation on a map that is there, at random."""
        x = str(self.rng.choice(self.maps[-3:]))
        step = getattr(self, str(self.rng.choice(STEPS)))
        self.maps.append(step(x))

    def finished(self, *, flat):
        """Classified by a linear layer over all values or over means, and every third time a map is handed out too."""
        x = self.maps[-1]
        features = self.flat(x if flat else self.global_average(x))
        weight, bias = self.weights(3, *self.shape(features))
        outputs = [self.linear(features, weight, bias)]
        if self.rng.random() < 0.3 and len(self.maps) > 2:
            outputs.append(self.maps[-2])
        return self.program(*outputs)

    def convolution(self, x):
        return self.layer(x, 3)

    def pointwise(self, x):
        return self.layer(x, 1)

    def depthwise(self, x):
        return self.layer(x, 3, groups=self.shape(x)[0])

    def in_two_groups(self, x):
        return self.layer(x, 3, groups=2) if self.shape(x)[0] % 2 == 0 else self.pointwise(x)

    def sum_of_two(self, x):
        outputs, (_, height, width) = self.shape(x)[0], self.shape(x)
        weight, bias = self.weights(outputs, outputs, 1, 1)
        other = self.conv(x, weight, bias, grid=self.grid())
        sign = int(self.rng.choice([1, -1]))
        return self.make(
            "add", [x, other], (outputs, height, width), grid=self.grid(), settings={"sign": sign}
        )  # fmt: skip

    def gated(self, x):
        gate = self.global_average(x)
        weight, bias = self.weights(self.shape(x)[0], self.shape(x)[0], 1, 1)
        return self.make("mul", [x, self.conv(gate, weight, bias, grid=self.grid())], self.shape(x), grid=self.grid())

    def joined(self, x):
        others = [each for each in self.maps if self.shape(each)[1:] == self.shape(x)[1:]]
        return self.concat(x, str(self.rng.choice(others)), grid=self.grid())

    def part(self, x):
        start, stop = sorted(self.rng.integers(0, self.shape(x)[0] + 1, 2).tolist())
        return self.slice(x, start, stop) if start < stop else self.pointwise(x)

    def largest(self, x):
        return self.pool("max_pool", x, self.window(min(2, *self.shape(x)[1:])))

    def mean(self, x):
        return self.pool("average_pool", x, self.window(min(2, *self.shape(x)[1:])))

    def looked_up(self, x):
        grid = self.tensors[x].grid
        table = np.maximum(self.rng.integers(-300, 127, grid.high - grid.low + 1), -128)
        return self.same("look_up", x, grid=WHOLE, arrays={"table": table})

    def rescaled(self, x):
        return self.same("rescale", x, grid=self.grid())

    def leaky(self, x):
        return self.same("leaky_relu", x, grid=self.grid(), settings={"slope": 0.1})

    def padded(self, x):
        channels, height, width = self.shape(x)
        settings = {"widths": ((0, 0), (1, 0), (0, 2))}
        return self.make("pad", [x], (channels, height + 1, width + 2), grid=self.tensors[x].grid, settings=settings)

    def enlarged(self, x):
        channels, height, width = self.shape(x)
        if height * width > 40:
            return self.largest(x)
        shape = (channels, 2 * height, 2 * width)
        if self.rng.random() < 0.5:
            return self.make("nearest", [x], shape, grid=self.tensors[x].grid, settings={"steps": None})
        settings = {"steps": None, "align_corners": bool(self.rng.integers(2))}
        return self.make("bilinear", [x], shape, grid=self.grid(), settings=settings)


STEPS = ("convolution", "pointwise", "depthwise", "in_two_groups", "sum_of_two", "gated", "joined", "part", "largest",
         "mean", "looked_up", "rescaled", "leaky", "padded", "enlarged")  # fmt: skip


def extreme_codes(program, rng):
    """Images of the first input: its lowest, highest and zero codes, checkerboards of the ends, and noise."""
    tensor = program.tensors[program.inputs[0]]
    ends = [tensor.grid.low, tensor.grid.high]
    for code in (*ends, tensor.grid.zero_point):
        yield np.full(tensor.shape, code, np.int64)
    for _ in range(3):
        yield rng.choice(ends, tensor.shape)
        yield rng.integers(tensor.grid.low, tensor.grid.high + 1, tensor.shape)
