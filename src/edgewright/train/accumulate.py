"""Gradients of a large batch, one part of it after the other: only one part's activations are held at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

Part = tuple[torch.Tensor, torch.Tensor]  # inputs and targets of some of a batch's images


def num_parts(num_images: int, *, asked: int, least: int = 2) -> int:
    """Into how many parts a batch is cut: as asked, or fewer where a part would hold fewer than `least` images.

    Two is the least that batch norm learns from.
    """
    return max(1, min(asked, num_images // least))


def parts_of(inputs: torch.Tensor, targets: torch.Tensor, count: int) -> Iterator[Part]:
    """The batch in so many consecutive parts whose sizes differ by one image at most."""
    yield from zip(inputs.tensor_split(count), targets.tensor_split(count), strict=True)


def accumulate_gradients(
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    parts: Sequence[Part],
    *,
    num_images: int | None = None,
    backward: Callable[[torch.Tensor], None] = torch.Tensor.backward,
) -> torch.Tensor:
    """Add to the parameters' gradients those of the mean loss per image over all parts; that loss.

    Each part's mean counts by its share of the images. A mean of means would not do: of the losses 1, 2, 3 in one part
    and 10 in another it is 6, and the mean per image is 4. The result is that of one large batch to the rounding of
    floats, except where a layer looks at its whole batch (batch norm does) or draws at random.

    Args:
        loss: mean per image, a scalar, of (inputs, targets).
        parts: every image of the batch once.
        num_images: of the whole batch, where `parts` are only a share of it.
        backward: what is done with each part's share of the loss.
    """
    whole = num_images or sum(len(targets) for _, targets in parts)
    total: torch.Tensor | None = None
    for inputs, targets in parts:
        share = loss(inputs, targets) * (len(targets) / whole)
        backward(share)
        total = share.detach() if total is None else total + share.detach()
    assert total is not None
    return total
