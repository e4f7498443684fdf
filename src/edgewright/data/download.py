"""The only place that touches the network, and only when asked."""

from __future__ import annotations

from pathlib import Path

from ..errors import DataError, first_line


def download(kind: str, root: Path) -> None:
    """Let torchvision fetch, check and unpack one of its data sets below `root`.

    Args:
        kind: name of the class in `torchvision.datasets`.
        root: folder to write to; made when it does not exist.

    Raises:
        DataError: the network or the disk failed.
    """
    from torchvision import datasets

    try:
        getattr(datasets, kind)(root=str(root), download=True)
    except (RuntimeError, OSError) as error:
        raise DataError(
            f"{kind} could not be downloaded to {root} ({first_line(error)}): check the network, or copy the files "
            "there."
        ) from error
