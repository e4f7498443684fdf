"""Does padding of shorter sequences change what a norm gives for the others?

Claim: layer norm suits sequences of variable length, since it looks at each step alone; batch norm sees the padding.
Source: Ba, Kiros & Hinton 2016, arXiv 1607.06450, section 3.
Expected: behind layer norm the valid steps are equal bit for bit whatever is padded; behind batch norm they move, and
    more the more there is of padding, unless its statistics leave padded steps out.
See: tiny_batches_break_batch_norm_alone, group_norm_spans_layer_and_instance_norm
"""

import torch
from torch import Tensor
from torch.nn import functional

from ....seeding import torch_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged

LENGTHS, WIDTH, PADDINGS = (3, 5, 8, 12), 16, (0, 2, 4, 8, 16, 32)


def run(seed: int, fast: bool) -> Finding:
    generator = torch_generator(seed, "sequences")
    sequences = [torch.randn(length, WIDTH, generator=generator) + 1 for length in LENGTHS]
    layer = [_change(sequences, more, _layer_norm) for more in PADDINGS]
    batch = [_change(sequences, more, _batch_norm) for more in PADDINGS]
    masked = [_change(sequences, more, _masked_batch_norm) for more in PADDINGS]
    numbers = (
        Number(name="largest change behind layer norm", value=max(layer), expected=0.0),
        Number(name="largest change behind batch norm of valid steps alone", value=max(masked), expected=0.0,
               tolerance=1e-5),
        *(Number(name=f"change behind batch norm, {more} steps of padding more", value=value)
          for more, value in zip(PADDINGS[1:], batch[1:], strict=True)),
    )  # fmt: skip
    return judged(
        bool(numbers[0].agrees), bool(numbers[1].agrees), batch[1] > 0.01, batch[-1] > 2 * batch[1],
        summary=f"{PADDINGS[-1]} steps of padding move valid outputs by {layer[-1]:.0f} behind layer norm and by up to "
        f"{batch[-1]:.2f} standard deviations behind batch norm; leaving them out of its statistics helps.",
        numbers=numbers,
        figure=chart("Largest change of a valid step's output by more padding.",
                     series("layer norm", PADDINGS, layer, mark=Mark.BOTH),
                     series("batch norm", PADDINGS, batch, mark=Mark.BOTH),
                     series("batch norm, valid steps", PADDINGS, masked, mark=Mark.DOTS), x="steps of padding added",
                     y="change"),
    )  # fmt: skip


def _change(sequences: list[Tensor], more: int, norm) -> float:  # type: ignore[no-untyped-def]
    """Largest change of a valid output when all are padded to `more` steps beyond the longest."""
    valid = torch.arange(max(LENGTHS) + more)[None] < torch.tensor(LENGTHS)[:, None]
    x_BTC = torch.zeros(*valid.shape, WIDTH)
    for at, sequence in enumerate(sequences):
        x_BTC[at, : len(sequence)] = sequence
    longest = max(LENGTHS)
    outputs, before = norm(x_BTC, valid), norm(x_BTC[:, :longest], valid[:, :longest])
    return float((outputs[:, :longest] - before)[valid[:, :longest]].abs().max())


def _layer_norm(x_BTC: Tensor, valid_BT: Tensor) -> Tensor:
    return functional.layer_norm(x_BTC, (WIDTH,))


def _batch_norm(x_BTC: Tensor, valid_BT: Tensor) -> Tensor:
    return functional.batch_norm(x_BTC.flatten(0, 1), None, None, training=True).view_as(x_BTC)


def _masked_batch_norm(x_BTC: Tensor, valid_BT: Tensor) -> Tensor:
    variance, mean = torch.var_mean(x_BTC[valid_BT], dim=0, correction=0)
    return (x_BTC - mean) / (variance + 1e-5).sqrt()
