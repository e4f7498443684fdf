"""Running a module in PyTorch, as it is or compiled, with the same calls as the runner of ONNX files."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ..errors import UnsupportedError, first_line


class TorchRunner:
    """A module in eval mode, without gradients. Call it with (B, C, H, W) float32, NumPy or torch; it answers in kind.

    A NumPy array is used where it lies and not copied.
    """

    def __init__(self, net: nn.Module, *, runtime: str = "eager") -> None:
        self.net = net
        self.runtime = f"torch {torch.__version__} {runtime}"

    def __call__(self, images_BCHW: Any) -> Any:
        """The outputs: one tensor or array, or a tuple when the model has several."""
        is_torch = isinstance(images_BCHW, torch.Tensor)
        # outside of the inference mode: a tensor made in it is of another kind, and would be compiled for once more
        inputs = images_BCHW if is_torch else torch.from_numpy(images_BCHW)
        with torch.inference_mode():
            found = list(_tensors(self.net(inputs)))
        values = found if is_torch else [value.numpy() for value in found]
        return values[0] if len(values) == 1 else tuple(values)


def _tensors(outputs: Any) -> Iterator[torch.Tensor]:
    """The tensors of an output in order, as a file of the same model lists them."""
    if isinstance(outputs, torch.Tensor):
        yield outputs
        return
    for value in outputs.values() if isinstance(outputs, Mapping) else outputs:
        yield from _tensors(value)


def compiled_runner(net: nn.Module, images_BCHW: Any) -> TorchRunner:
    """`net` compiled by `torch.compile` for exactly this input and the number of threads that is set now.

    One whole graph with fixed shapes: a part that would silently run in eager mode, or a second compilation for
    another batch, is an error. What the process compiled before is forgotten, which keeps PyTorch's limit of
    compilations per function away; it is compiled again when it is next called.

    Raises:
        UnsupportedError: it cannot be compiled, or there is no compiler.
    """
    torch.compiler.reset()
    with _quiet():
        runner = TorchRunner(torch.compile(net, fullgraph=True, dynamic=False), runtime="compiled")  # type: ignore[arg-type]
        try:
            runner(images_BCHW)
        except Exception as error:  # the compiler's exceptions have no common base
            raise UnsupportedError(compile_failure(error)) from error
    return runner


def compile_failure(error: BaseException) -> str:
    """Why `torch.compile` failed, as one sentence with a remedy."""
    reason = first_line(error, most=160).rstrip(".:")
    if "InvalidCxxCompiler" in reason:
        return f"torch.compile finds no C++ compiler ({reason}): install one (g++) or name it in CXX."
    return f"torch.compile cannot compile it ({reason}): leave out `compiled`."


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """PyTorch with so many cores per call, and with as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# export/onnx_file.py has its like for other loggers: neither may import the other, and no base module is about logging.
@contextmanager
def _quiet() -> Iterator[None]:
    """The compiler warns and logs about itself; what concerns the user is raised."""
    loggers = [logging.getLogger(name) for name in ("torch.utils.cpp_extension", "torch._inductor", "torch._dynamo")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
