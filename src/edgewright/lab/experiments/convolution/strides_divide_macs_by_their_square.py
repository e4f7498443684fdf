"""What does a stride save?

Claim: a stride of s divides the MACs of a convolution by s^2.
Source: Dumoulin & Visin 2016, arXiv 1603.07285 for the sizes.
Expected: by (H / out)^2 with out = floor((H + 2p - k) / s) + 1: exactly s^2 where s divides the size, and a little less
    or more where the floor cuts.
See: convolution_is_equivariant_to_shifts
"""

from ....calc import CALCULATIONS
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged

SIZES, STRIDES = (28, 32, 33, 56, 224), (1, 2, 3, 4)


def macs(size: int, stride: int) -> int:
    found = CALCULATIONS["conv"](size=size, in_channels=16, out_channels=32, kernel=3, stride=stride, padding=1)
    return int(found.result["macs"])


def run(seed: int, fast: bool) -> Finding:
    numbers = []
    for size in SIZES:
        for stride in STRIDES[1:]:
            out = (size + 2 - 3) // stride + 1
            numbers.append(Number(name=f"MACs divided by, size {size}, stride {stride}",
                                  value=macs(size, 1) / macs(size, stride), expected=(size / out) ** 2))  # fmt: skip
    exact = [each for each in numbers if each.name.endswith(("28, stride 2", "32, stride 2", "32, stride 4"))]
    off = max(abs(each.value / int(each.name[-1]) ** 2 - 1) for each in numbers)
    curves = [series(f"stride {stride}", SIZES, [macs(size, 1) / macs(size, stride) for size in SIZES], mark=Mark.BOTH)
              for stride in STRIDES[1:]]  # fmt: skip
    return judged(
        all(each.agrees for each in numbers), all(each.value == int(each.name[-1]) ** 2 for each in exact),
        when="the stride divides the size",
        summary=f"Sizes that the stride divides give exactly s²; at others the factor is off by up to {off:.0%}.",
        numbers=numbers,
        figure=chart("MACs at stride 1 over MACs at stride s, 3x3.", *curves, x="size of the map", y="factor"),
    )  # fmt: skip
