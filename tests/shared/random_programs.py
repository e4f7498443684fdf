"""Random integer programs of every kind of operation, each reproducible from its seed alone."""

from dataclasses import replace

import numpy as np

from dead_programs import STEPS, Growing
from edgewright.errors import UnsupportedError
from edgewright.program import check
from edgewright.program.rounding import check_rounding
from edgewright.reference.integer import Grid, Window, functions, table

ODD = (1, 3, 5, 17, 33)
KERNELS = ((1, 1), (1, 3), (3, 1), (1, 5), (4, 1), (2, 2), (3, 3), (3, 2), (5, 5), (1, 7))
MOST_VALUES = 1600  # of a map: the reference runs it too
FACTORS, SHARES = (0.5, 1.0, 2.0, 4.0, 2.0**-30, 2.0**9), (0.3, 0.3, 0.2, 0.17, 0.01, 0.02)  # of scales of weights
PROBABILITIES = Grid(scale=1 / 256, zero_point=-128, low=-128, high=127)
MORE_STEPS = ("normalized", "turned", "folded", "cut", "stacked", "broadcast", "odd_window", "odd_window", "in_groups")


class Varied(Growing):
    """Grows programs with odd sizes, windows, grids and branches, that compute numbers all over their grids."""

    def __init__(self, rng, *, rounding="single"):
        super().__init__(rng)
        self.rounding = rounding
        self.steps = (*STEPS, *MORE_STEPS)
        shape = (int(rng.choice(ODD)), *(int(size) for size in rng.integers(1, 9, 2)))
        self.tensors["x"] = type(self.tensors["x"])(name="x", shape=shape, grid=self.grid())

    def grid(self):
        low, high = ((-8, 7), (-128, 127), (-128, 127), (0, 127), (-128, 100))[self.rng.integers(5)]
        zero_point = int(self.rng.choice([low, *self.rng.integers(low, high + 1, 4)]))
        span = float(self.rng.choice([4.0, 8.0, 8.0, 12.0, 60.0])) * float(self.rng.uniform(0.8, 1.25))
        return Grid(scale=span / (high - low), zero_point=zero_point, low=low, high=high)

    def pair(self, low, high):
        return tuple(int(each) for each in self.rng.integers(low, high + 1, 2))

    def window(self, kernel):
        """A window with two different paddings along each axis, whatever `kernel` says of a size."""
        kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = tuple(self.pair(0, size // 2) for size in kernel)
        return Window(kernel=kernel, stride=self.pair(1, 2), padding=padding)

    def fitting(self, x, kernels=KERNELS, *, dilated=True):
        """A window that the map is large enough for."""
        _, *sizes = self.shape(x)
        for _ in range(20):
            kernel = kernels[self.rng.integers(len(kernels))]
            padding = tuple(self.pair(0, 2) for _ in range(2))
            dilation = self.pair(1, 2) if dilated else (1, 1)
            window = Window(kernel=kernel, stride=self.pair(1, 3), padding=padding, dilation=dilation)
            if all(window.reach(axis) <= sizes[axis] + sum(padding[axis]) for axis in (0, 1)):
                return window
        return Window(kernel=(1, 1))

    def weights(self, outputs, *others):
        """Of 8 or 4 bits; now and then an output that is always at an end, or weights of 0."""
        weight, bias = super().weights(outputs, *others)
        live = self.rng.random(outputs) < 0.7
        most = int(self.rng.choice([127, 127, 7]))
        weight[live] = self.rng.integers(-8 if most == 7 else -most, most + 1, weight[live].shape)
        bias[live] = self.rng.integers(-5000, 5000, int(live.sum()))
        return weight, bias

    def scales(self, x, weight, grid):
        """Scales of weights that spread the sums over the output's grid; at times extreme ones."""
        codes = self.tensors[x].grid
        norms = np.maximum(np.sqrt((weight.reshape(len(weight), -1).astype(float) ** 2).sum(1)), 1.0)
        spread = grid.scale * (grid.high - grid.low) / (codes.scale * (codes.high - codes.low) * norms)
        factors = self.rng.choice(FACTORS, len(weight), p=SHARES)
        return spread * (factors if self.rounding == "single" else np.minimum(factors, 4.0))  # larger sums overflow

    def conv(self, x, weight, bias, *, grid, scale=None, **more):
        return super().conv(x, weight, bias, grid=grid, scale=self.scales(x, weight, grid), **more)

    def linear(self, x, weight, bias, *, grid=None, scale=None):
        goal = grid or self.grid()
        return super().linear(x, weight, bias, grid=grid, scale=self.scales(x, weight, goal))

    def odd_layer(self, x, *, groups, outputs):
        window = self.fitting(x)
        weight, bias = self.weights(outputs, self.shape(x)[0] // groups, *window.kernel)
        return self.conv(x, weight, bias, window=window, groups=groups, grid=self.grid())

    def odd_window(self, x):
        return self.odd_layer(x, groups=1, outputs=int(self.rng.choice(ODD)))

    def depthwise(self, x):
        channels = self.shape(x)[0]
        return self.odd_layer(x, groups=channels, outputs=channels * int(self.rng.choice([1, 1, 1, 2])))

    def in_groups(self, x):
        channels = self.shape(x)[0]
        groups = int(self.rng.choice([each for each in (1, 3, 5, 11, 17) if channels % each == 0]))
        return self.odd_layer(x, groups=groups, outputs=groups * int(self.rng.integers(1, 6)))

    def pool(self, kind, x, window):
        return super().pool(kind, x, self.fitting_pool(x))

    def fitting_pool(self, x):
        """A window that has a place of the map in each of its positions."""
        window = self.fitting(x, dilated=False)
        padding = tuple(
            (min(a, size // 2), min(b, size // 2)) for (a, b), size in zip(window.padding, window.kernel, strict=True)
        )
        window = Window(kernel=window.kernel, stride=window.stride, padding=padding, ceil=bool(self.rng.integers(2)))
        fits = all(window.reach(axis) <= self.shape(x)[1 + axis] + sum(padding[axis]) for axis in (0, 1))
        return window if fits else Window(kernel=(1, 1), stride=window.stride)

    def mean(self, x):
        window, alike = self.fitting_pool(x), self.rounding != "single"
        settings = {"window": window, "include_padding": bool(self.rng.integers(2)) and not alike}
        shape = (self.shape(x)[0], *(window.count(axis, self.shape(x)[1 + axis]) for axis in (0, 1)))
        grid = self.tensors[x].grid if alike else self.grid()
        return self.make("average_pool", [x], shape, grid=grid, settings=settings)

    def looked_up(self, x):
        out, curve = self.grid(), (functions.sigmoid, functions.hard_swish, np.tanh)[self.rng.integers(3)]
        return self.same("look_up", x, grid=out, arrays={"table": table(curve, grid=self.tensors[x].grid, out=out)})

    def leaky(self, x):
        return self.same(
            "leaky_relu", x, grid=self.grid(), settings={"slope": float(self.rng.choice([0.0, 0.01, 0.3]))}
        )

    def padded(self, x):
        widths = tuple(self.pair(0, 2) for _ in range(3))
        shape = [size + sum(pair) for size, pair in zip(self.shape(x), widths, strict=True)]
        return self.make("pad", [x], shape, grid=self.tensors[x].grid, settings={"widths": widths})

    def enlarged(self, x):
        channels, height, width = self.shape(x)
        shape = (channels, *(size + more for size, more in zip((height, width), self.pair(0, 6), strict=True)))
        steps = None if self.rng.random() < 0.7 else (0.5, 0.4)
        if self.rng.random() < 0.5:
            return self.make("nearest", [x], shape, grid=self.tensors[x].grid, settings={"steps": steps})
        settings = {"steps": steps, "align_corners": bool(self.rng.integers(2))}
        return self.make("bilinear", [x], shape, grid=self.grid(), settings=settings)

    def normalized(self, x):
        return self.same("softmax", x, grid=PROBABILITIES, settings={"axis": int(self.rng.integers(3))})

    def turned(self, x):
        order = tuple(int(axis) for axis in self.rng.permutation(3))
        shape = [self.shape(x)[axis] for axis in order]
        return self.make("transpose", [x], shape, grid=self.tensors[x].grid, settings={"order": order})

    def folded(self, x):
        channels, height, width = self.shape(x)
        shape = (channels * height, 1, width) if self.rng.integers(2) else (channels, 1, height * width)
        return self.make("reshape", [x], shape, grid=self.tensors[x].grid)

    def cut(self, x):
        axis = int(self.rng.integers(3))
        shape = list(self.shape(x))
        start = int(self.rng.integers(0, shape[axis]))
        stop = int(self.rng.integers(start + 1, shape[axis] + 1))
        shape[axis] = stop - start
        settings = {"axis": axis, "start": start, "stop": stop}
        made = self.make("slice", [x], shape, grid=self.tensors[x].grid, settings=settings)
        return self.same("copy", made) if axis == 1 else made

    def stacked(self, x):
        """Two or three forms of a map behind each other along any axis."""
        axis, count = int(self.rng.integers(3)), int(self.rng.integers(2, 4))
        parts = [x, *(self.rescaled(x) for _ in range(count - 1))]
        shape = list(self.shape(x))
        shape[axis] *= count
        return self.make("concat", parts, shape, grid=self.grid(), settings={"axis": axis})

    def broadcast(self, x):
        """A map and its means, added or multiplied, either first."""
        pair = [x, self.global_average(x)]
        if self.rng.integers(2):
            pair.reverse()
        kind = str(self.rng.choice(["add", "mul"]))
        settings = {"sign": int(self.rng.choice([1, -1]))} if kind == "add" else {}
        return self.make(kind, pair, self.shape(x), grid=self.grid(), settings=settings)

    def grow(self):
        """One operation more, from the input or from one of the last three maps; a map that grew too large ends."""
        x, count = str(self.rng.choice(self.maps[-3:])), len(self.operations)
        made = getattr(self, str(self.rng.choice(self.steps)))(x)
        if self.has_arithmetic(made) and self.tensors[made].num_values <= MOST_VALUES and 0 not in self.shape(made):
            self.maps.append(made)
        else:
            del self.operations[count:]
            kept = {"x", *(each.output for each in self.operations)}
            self.tensors = {name: tensor for name, tensor in self.tensors.items() if name in kept}

    def program(self, *outputs):
        return replace(super().program(*outputs), rounding=self.rounding)

    def has_arithmetic(self, made):
        """Whether the rounding defines everything so far."""
        try:
            check_rounding(self.program(made))
        except UnsupportedError:
            return False
        return True

    def tokens(self, x):
        """A linear layer over the channels of each place."""
        channels, height, width = self.shape(x)
        grid = self.tensors[x].grid
        flat = self.make("reshape", [x], (channels, height * width), grid=grid)
        rows = self.make("transpose", [flat], (height * width, channels), grid=grid, settings={"order": (1, 0)})
        weight, bias = self.weights(int(self.rng.choice(ODD)), channels)
        return self.rows_linear(rows, weight, bias)

    def rows_linear(self, rows, weight, bias):
        out = self.grid()
        arrays = {"weight_OI": weight.astype(np.int8), "bias_O": bias.astype(np.int32)}
        arrays["weight_scale_O"] = self.scales(rows, weight, out)
        return self.make("linear", [rows], (self.shape(rows)[0], len(weight)), grid=out, arrays=arrays)

    def end(self):
        """What leaves: a head, and now and then maps as codes or as numbers."""
        x = self.maps[-1]
        heads = {
            "codes": lambda: self.head(x, self.grid()),
            "numbers": lambda: self.head(x, None if self.rounding == "single" else self.grid()),
            "tokens": lambda: self.tokens(x), "map": lambda: x,
            "values": lambda: self.make("dequantize", [x], self.shape(x), grid=None),
        }  # fmt: skip
        outputs = [heads[str(self.rng.choice(list(heads)))]()]
        if self.rng.random() < 0.3 and len(self.maps) > 2 and self.maps[-2] not in ("x", *outputs):
            outputs.append(self.maps[-2])
        return outputs

    def head(self, x, grid):
        features = self.flat(x if self.rng.integers(2) else self.global_average(x))
        weight, bias = self.weights(int(self.rng.choice(ODD)), *self.shape(features))
        return self.linear(features, weight, bias, grid=grid)


def random_program(seed, *, rounding="single"):
    """The program of one seed: 3 to 8 operations and a head, less what the rounding has no arithmetic for."""
    builder = Varied(np.random.default_rng(seed), rounding=rounding)
    for _ in range(int(builder.rng.integers(3, 9))):
        builder.grow()
    outputs = builder.end()
    if outputs == ["x"]:
        outputs = [builder.rescaled("x")]
    return check(replace(builder.program(*outputs), name=f"p{seed}"))
