"""Running a `.pte` file in ExecuTorch, with the same calls as the runner of ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import DataError, MissingExtraError, ShapeError, UnsupportedError, first_line

METHOD = "forward"


class ExecuTorchRunner:
    """A program, loaded. Call it with (B, C, H, W) float32, NumPy or torch; it answers in kind.

    A program has one input shape; a larger batch is run image by image.

    Args:
        path: the file.
        threads: how many cores one call may use. The library has one pool of threads for the whole process: the last
            runner that was made or called decides.

    Raises:
        MissingExtraError: ExecuTorch is not installed.
        DataError: the file is missing or is no program.
        UnsupportedError: it needs a backend or an operator that this build has not.
    """

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        self.path, self.threads = Path(path), threads
        if not self.path.is_file():
            raise DataError(f"There is no model file {path}: give an artifact folder or a .pte file.")
        self._library = _library()
        self._use_threads()
        self._method = _load(self._library, self.path)
        self.input_shape = tuple(self._method.metadata.input_tensor_meta(0).sizes())

    @property
    def runtime(self) -> str:
        """What runs the file, with its version."""
        from ..devices.machine import package_version

        return f"executorch {package_version('executorch')}"

    def __call__(self, images_BCHW: Any) -> Any:
        """The outputs: one array, or a tuple when the model has several.

        Raises:
            ShapeError: the images do not have the program's input shape.
        """
        import torch

        is_torch = isinstance(images_BCHW, torch.Tensor)
        inputs_BCHW = images_BCHW.detach() if is_torch else torch.from_numpy(images_BCHW)
        size, shape = self.input_shape[0], tuple(inputs_BCHW.shape)
        if shape[1:] != self.input_shape[1:] or shape[0] % size:
            raise ShapeError(f"{self.path.name} takes inputs of shape {list(self.input_shape)}, got {list(shape)}.")
        self._use_threads()
        parts = [self._run(part) for part in inputs_BCHW.split(size)]
        values = parts[0] if len(parts) == 1 else [torch.cat(each) for each in zip(*parts, strict=True)]
        answers = [value if is_torch else value.numpy() for value in values]
        return answers[0] if len(answers) == 1 else tuple(answers)

    def _run(self, image_BCHW: Any) -> list[Any]:
        """The outputs of one call, copied: the program writes its next ones into the same memory."""
        return [value.clone() for value in self._method.execute([image_BCHW.contiguous()])]

    def _use_threads(self) -> None:
        if self._library._threadpool_get_thread_count() != self.threads:
            self._library._unsafe_reset_threadpool(self.threads)


def _library() -> Any:
    """The runtime's own module, with the operators for integers that no backend took."""
    try:
        import executorch.kernels.quantized  # noqa: F401
        from executorch.extension.pybindings import _C
    except ImportError as error:
        raise MissingExtraError("executorch", "executorch") from error
    return _C


def _load(library: Any, path: Path) -> Any:
    from executorch.runtime import Runtime

    runtime = Runtime.get()
    try:
        program = runtime.load_program(path)
    except RuntimeError as error:
        raise DataError(f"{path} is not an ExecuTorch program, or it is damaged: export it again.") from error
    try:
        method = program.load_method(METHOD)
    except RuntimeError as error:
        raise UnsupportedError(
            f"ExecuTorch does not load {path} ({first_line(error)}): export it for this version."
        ) from error
    if method is None:
        raise DataError(f"{path} has no method '{METHOD}': export it again.")
    return method
