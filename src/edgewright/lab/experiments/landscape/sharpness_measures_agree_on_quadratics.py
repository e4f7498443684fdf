"""How is the sharpness of a minimum measured without its Hessian?

Claim: power iteration finds the largest eigenvalue, random signs the trace, and a climb within a small box Keskar's
    rise, all from gradients alone; and all of them call the same minimum the sharper one.
Source: Hutchinson 1990, Commun. Stat. Simul. 19; Keskar et al. 2017, ICLR, metric 2.1; Dinh et al. 2017, ICML.
Expected: on .5 w'Hw the eigenvalue to 1e-6, the trace within four standard errors, the rise equal to the best of all
    2^n corners of the box. The measures need not agree: the rise in a box at 0 of a diagonal H is 50 e^2 times the
    trace, so that a bowl with one steep direction can have the larger eigenvalue and the smaller rise.
See: hessian_eigenvalues_tell_minima_from_saddles, sharpness_changes_while_the_function_stays
"""

from itertools import product

import torch
from torch import Tensor

from ....seeding import torch_generator
from ...figures import bars
from ...finding import Finding, Number, judged
from ...sharpness import rise_in_box, top_eigenvalue, trace_samples
from ...statistics import mean_of

SIZE, N = 1e-3, 8
STEEP, BROAD = torch.tensor([10.0] + 7 * [0.1]).double(), torch.full((N,), 4.0).double()


def run(seed: int, fast: bool) -> Finding:
    q = torch.linalg.qr(torch.randn(N, N, dtype=torch.double, generator=torch_generator(seed, "axes")))[0]
    turned = q @ torch.diag(torch.logspace(-1, 1, N).double()) @ q.T
    count = 200 if fast else 20_000
    numbers = [number for name, H in (("turned", turned), ("steep", torch.diag(STEEP)), ("broad", torch.diag(BROAD)))
               for number in _measured(name, H, seed, count)]  # fmt: skip
    eigenvalue, trace, rise = ({name: numbers[3 * at + which] for at, name in enumerate(("turned", "steep", "broad"))}
                               for which in range(3))  # fmt: skip
    one_order = (eigenvalue["steep"].value > eigenvalue["broad"].value) == (rise["steep"].value > rise["broad"].value)
    return judged(
        all(each.agrees for each in numbers), one_order,
        summary=f"Each measure is what the Hessian says ({eigenvalue['turned'].value:.4f} for an eigenvalue of 10), "
        f"but "
        f"they disagree on which is sharper: one steep direction (eigenvalue {eigenvalue['steep'].value:.0f}, rise "
        f"{rise['steep'].value:.2g}) or eight broad ones ({eigenvalue['broad'].value:.0f}, {rise['broad'].value:.2g}).",
        numbers=numbers,
        figure=bars("Two bowls: 10 with seven times 0.1, and eight times 4.", ["largest eigenvalue", "trace",
                    "rise in the box, in 1e-6"], value="sharpness",
                    one_steep_direction=_row(eigenvalue, trace, rise, "steep"),
                    eight_broad_ones=_row(eigenvalue, trace, rise, "broad")),
    )  # fmt: skip


def _measured(name: str, H: Tensor, seed: int, count: int) -> tuple[Number, Number, Number]:
    def slope(w: Tensor) -> Tensor:
        return H @ w

    def value(w: Tensor) -> Tensor:
        return w @ H @ w / 2

    minimum = torch.zeros(N, dtype=torch.double)
    top = top_eigenvalue(slope, minimum, generator=torch_generator(seed, "power", name), num_steps=200)
    samples = trace_samples(slope, minimum, generator=torch_generator(seed, "trace", name), count=count)
    corners = SIZE * torch.tensor(list(product((-1.0, 1.0), repeat=N))).double()
    highest = float((corners @ H * corners).sum(1).max()) / 2
    rise = rise_in_box(value, slope, minimum, size=SIZE, generator=torch_generator(seed, "climb", name))
    return (
        Number(name=f"largest eigenvalue, {name}", value=top, expected=float(torch.linalg.eigvalsh(H)[-1]),
            tolerance=1e-6),
        mean_of(samples, f"trace, {name}", expected=float(H.trace()), tolerance=None if name == "turned" else 1e-6),
        Number(name=f"rise in a box of 0.001, {name}", value=rise, expected=100 * highest,
            tolerance=1e-3 * 100 * highest),
    )  # fmt: skip


def _row(eigenvalue: dict[str, Number], trace: dict[str, Number], rise: dict[str, Number], name: str) -> list[float]:
    return [eigenvalue[name].value, trace[name].value, rise[name].value * 1e4]
