"""Where does a MobileNet spend its multiplications?

Claim: about 95 % of the MACs of MobileNetV1 are in 1x1 convolutions; depthwise layers are cheap.
Source: Howard et al. 2017, arXiv 1704.04861, table 2.
Expected: 94.9 % pointwise and 3.1 % depthwise at 224 pixels. Cheap in MACs: their intensity (MACs per byte moved) is
    far lower, so that they are not as cheap in time.
See: separable_convolutions_save_about_kernel_squared
"""

from ....analyze import profile
from ....types import OpProfile
from ....zoo import resolve
from ...figures import bars
from ...finding import Finding, Number, judged


def run(seed: int, fast: bool) -> Finding:
    found = profile(resolve("mobilenet_v1", num_classes=1000).model, input_shape=(3, 224, 224), dtype="int8")
    kinds: dict[str, list] = {"first": [], "depthwise": [], "pointwise": [], "linear": []}
    for row in (row for row in found.rows if row.macs):
        kinds[_kind(row)].append(row)
    macs = {name: sum(row.macs for row in rows) for name, rows in kinds.items()}
    moved = {name: sum(row.weight_bytes + row.activation_bytes for row in rows) for name, rows in kinds.items()}
    total = sum(macs.values())
    shares = {name: value / total for name, value in macs.items()}
    intensity = {name: macs[name] / moved[name] for name in kinds}
    expected = {"pointwise": (0.949, 0.002), "depthwise": (0.031, 0.002)}
    numbers = [Number(name=f"share of MACs, {name}", value=value, expected=expected.get(name, (None, None))[0],
                      tolerance=expected.get(name, (None, None))[1]) for name, value in shares.items()]  # fmt: skip
    numbers += [Number(name=f"MACs per byte moved, {name}", value=value) for name, value in intensity.items()]
    return judged(
        all(each.agrees is not False for each in numbers), intensity["depthwise"] < intensity["pointwise"] / 4,
        when="cost means MACs",
        summary=f"{shares['pointwise']:.1%} of {total / 1e6:.0f} M MACs are pointwise and {shares['depthwise']:.1%} "
        f"depthwise, but per byte moved a depthwise layer makes {intensity['depthwise']:.1f} MACs and a pointwise one "
        f"{intensity['pointwise']:.0f}.",
        numbers=numbers,
        figure=bars("MobileNetV1 at 224 pixels, int8.", list(kinds), value="share of MACs", only=list(shares.values())),
    )  # fmt: skip


def _kind(row: OpProfile) -> str:
    if row.window is None:
        return "linear"
    if row.window.kernel == (1, 1):
        return "pointwise"
    return "first" if row.shape_in[1] == 3 else "depthwise"
