"""Running a coded file: unpacked, then computed by PyTorch as the model that was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import ShapeError
from ..model import input_shape
from ..model.coded import load_coded
from .torch_runner import TorchRunner, torch_threads


class CodedRunner:
    """A `.coded` file, loaded. Call it with (B, C, H, W) float32, NumPy or torch; it answers in kind.

    Args:
        path: the file.
        threads: how many cores one call may use.

    Raises:
        ModelError: the file is missing, or is no coded model.
    """

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        self.path, self.threads = Path(path), threads
        net, _ = load_coded(self.path)
        self.input_shape = input_shape(net)
        self._runner = TorchRunner(net, runtime="eager, unpacked")

    @property
    def runtime(self) -> str:
        """What runs the model, with its version."""
        return self._runner.runtime

    def __call__(self, images_BCHW: Any) -> Any:
        """The outputs: one array, or a tuple when the model has several.

        Raises:
            ShapeError: the images do not have the model's input shape.
        """
        if tuple(images_BCHW.shape[1:]) != tuple(self.input_shape):
            got, wanted = list(images_BCHW.shape), ["batch", *self.input_shape]
            raise ShapeError(f"{self.path.name} takes inputs of shape {wanted}, got {got}.")
        with torch_threads(self.threads):
            return self._runner(images_BCHW)
