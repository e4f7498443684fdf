"""Simulations to lower, and how a program's outputs are held to them."""

import numpy as np
import torch
from torch import fx, nn
from torch.nn import functional as F

from edgewright.compress.quantize import Precision, observe, plan_quantizers, ranges_of, simulate
from edgewright.compress.quantize.gates import expose_gates
from edgewright.model import capture
from edgewright.model.fold import fold_batch_norms
from edgewright.program import Program, input_codes, output_values, run
from edgewright.verify import run_in_integers


def images(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def simulation(
    model: nn.Module, images_BCHW: torch.Tensor, *, float_output: bool = False, bits: int = 8, draw: bool = True
) -> fx.GraphModule:
    """Integers as far as the plan goes, in the ranges of these images; with `draw` the weights are drawn anew."""
    if draw:
        generator = torch.Generator().manual_seed(0)
        for weight in model.parameters():
            nn.init.uniform_(weight, -0.3, 0.5, generator=generator)
    _measure_batch_norms(model, images_BCHW)
    net = capture(model.eval(), tuple(images_BCHW.shape[1:]))
    folded = expose_gates(fold_batch_norms(net)[0])
    plan, precision = plan_quantizers(folded, float_output=float_output), Precision(weights=bits, activations=bits)
    found = ranges_of(observe(folded, plan, images_BCHW), method="minmax", precision=precision)
    return simulate(folded, plan, found, precision=precision)


def _measure_batch_norms(model: nn.Module, images_BCHW: torch.Tensor) -> None:
    """Statistics of these images: with others a net of random weights fades away, and biases outgrow 32 bits."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        model.train()(images_BCHW)


def outputs_of(program: Program, images_BCHW: torch.Tensor) -> list[np.ndarray]:
    """What each output stands for, images in a batch again."""
    (name,) = program.inputs
    found = [output_values(program, run(program, {name: input_codes(program, each)})) for each in images_BCHW.numpy()]
    return [np.stack(each) for each in zip(*found, strict=True)]


def assert_same_outputs(net: fx.GraphModule, images_BCHW: torch.Tensor, program: Program) -> None:
    """Bit for bit what the simulation gives in integers."""
    want = run_in_integers(net, images_BCHW)
    got = outputs_of(program, images_BCHW)
    for first, second in zip(got, [want] if isinstance(want, torch.Tensor) else want, strict=True):
        assert first.dtype == np.float32
        np.testing.assert_array_equal(first, second.numpy())


class Everything(nn.Module):
    """Every kind of operation that a simulation can hold, on a map and then on a vector."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU6())
        self.left, self.right = nn.Conv2d(8, 8, 3, padding="same"), nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=2)
        self.squeeze, self.excite, self.select = nn.Conv2d(16, 4, 1), nn.Conv2d(4, 16, 1), nn.Conv2d(16, 16, 1)
        self.depthwise, self.wide, self.mix = nn.Conv2d(16, 16, 3, groups=16), nn.Conv2d(16, 8, 1), nn.Conv2d(24, 16, 1)
        self.widen = nn.Conv2d(16, 16, 1)
        self.swish, self.smooth, self.head = nn.Conv2d(16, 8, 1), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(2, 3, 1)
        self.tokens, self.fc = nn.Linear(8, 6), nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.stem(x)
        left, right = x.chunk(2, dim=1)
        x = x + torch.cat([self.left(left), self.right(right)], dim=1)
        x = x * torch.sigmoid(self.excite(F.relu(self.squeeze(F.adaptive_avg_pool2d(x, 1)))))
        x = x * torch.softmax(self.select(x.mean((2, 3), keepdim=True)), dim=1)
        x = F.leaky_relu(self.depthwise(F.pad(x, (0, 1, 1, 1))), 0.1)
        small = F.hardtanh(self.wide(x), -0.5, 0.5)
        near = F.interpolate(F.max_pool2d(small, 3, 2, 1), scale_factor=2, mode="nearest")
        x = self.widen(F.interpolate(x, size=near.shape[2:], mode="bilinear", align_corners=False))
        x = torch.cat([near, x], dim=1)
        x = F.hardswish(self.mix(F.channel_shuffle(x, 4)))
        x = self.swish(F.avg_pool2d(x, 3, 2, 1)) / 2.0
        tokens = self.tokens((F.silu(x) - 0.25).flatten(2).transpose(1, 2))
        return self.head(F.pixel_shuffle(self.smooth(x), 2)), self.fc(F.relu(tokens)[:, 1:4])
