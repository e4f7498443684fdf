"""Which kinds of post-training quantization need data?

Claim: post-training quantization needs no data.
Source: often said; Nagel et al. 2021, arXiv 2106.08295, section 3, for what calibration is for.
Expected: weights alone, and activations whose range is taken anew from every input, need none; a static range needs
    samples, and a guess costs much. For so small a net noise of the images' own scale serves as well as images.
See: few_bits_cost_accuracy, each_tensor_has_its_quantizer
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ...digits import accuracy, built, digits, perceptron, train
from ...figures import bars
from ...finding import Finding, judged
from ...slimming import linear_layers
from ...statistics import difference_of, mean_of

BITS, IMAGES = 6, 64
WAYS = ("weights alone", "range of each input", "static, 64 images", "static, noise", "static, a guess of [0, 1]")


def run(seed: int, fast: bool) -> Finding:
    scores: dict[str, list[float]] = {"float": [], **{way: [] for way in WAYS}}
    for each in range(3 if fast else 12):
        for way, value in _scores(seed * 100 + each).items():
            scores[way].append(value)
    means = {way: mean_of(values, f"accuracy, {way}") for way, values in scores.items()}
    lost = {way: difference_of(scores["float"], scores[way], f"accuracy lost, {way}") for way in WAYS}
    without = max(lost["weights alone"].value, lost["range of each input"].value)
    return judged(
        without < 0.02, lost["static, 64 images"].value < 0.02, lost["static, a guess of [0, 1]"].exceeds(0.05),
        when="weights alone, or activations by the range of each input, are quantized",
        summary=f"At {BITS} bits {100 * without:.1f} points are lost at most without data; a static range loses "
        f"{100 * lost['static, 64 images'].value:.1f} with images, {100 * lost['static, noise'].value:.1f} with noise "
        f"of their scale, and {100 * lost['static, a guess of [0, 1]'].value:.0f} by a guess.",
        numbers=(*means.values(), *lost.values()),
        figure=bars("Right answers on digits.", list(means), value="accuracy", only=list(means.values())),
    )  # fmt: skip


def _scores(seed: int) -> dict[str, float]:
    data = digits(seed)
    net = built(lambda: perceptron((64, 48, 48, 10)), seed, "net")
    train(net, data.x, data.y, optimizer=torch.optim.Adam(net.parameters(), 3e-3), epochs=12, seed=seed)
    found = {"float": accuracy(net, data.test_x, data.test_y)}
    noise = torch.rand(IMAGES, 64, generator=torch.Generator().manual_seed(seed))
    tops: dict[str, list[Tensor] | None] = {
        "weights alone": None, "range of each input": [],
        "static, 64 images": _tops(net, data.x[:IMAGES]), "static, noise": _tops(net, noise),
        "static, a guess of [0, 1]": [torch.ones(1)] * 3,
    }  # fmt: skip
    for way, ranges in tops.items():
        logits = _run(net, data.test_x, ranges)
        found[way] = float((logits.argmax(1) == data.test_y).float().mean())
    return found


def _rounded(x: Tensor, top: Tensor, levels: int) -> Tensor:
    step = top.clamp(min=1e-9) / levels
    return (x / step).round().clamp(-levels, levels) * step


@torch.no_grad()
def _walk(net: torch.nn.Sequential, x: Tensor, seen: Callable[[int, Tensor], Tensor]) -> Tensor:
    """Through all layers, the weights on a grid; `seen` changes what each layer reads."""
    layers = linear_layers(net)
    for at, layer in enumerate(layers):
        weight = _rounded(layer.weight, layer.weight.abs().max(), 2 ** (BITS - 1) - 1)
        x = torch.nn.functional.linear(seen(at, x), weight, layer.bias)
        x = x.relu() if at < len(layers) - 1 else x
    return x


def _tops(net: torch.nn.Sequential, x: Tensor) -> list[Tensor]:
    """The largest value that each layer reads."""
    found: list[Tensor] = []

    def seen(_: int, read: Tensor) -> Tensor:
        found.append(read.max())
        return read

    _walk(net, x, seen)
    return found


def _run(net: torch.nn.Sequential, x: Tensor, tops: list[Tensor] | None) -> Tensor:
    """With activations as they are (None), by each input's own range ([]), or within fixed ones."""
    if tops is None:
        return _walk(net, x, lambda _, read: read)
    own = not tops
    return _walk(net, x, lambda at, read: _rounded(read, read.amax(1, keepdim=True) if own else tops[at], 2**BITS - 1))
