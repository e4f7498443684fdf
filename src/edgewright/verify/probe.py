"""One cold start, told in JSON. Run as a script in a process of its own that loads nothing but the runtime.

The argument is JSON: `runtime`, `model` (a file or the folder of a saved model; null measures the process without
one), `loader` ("module:function" that loads the folder), `shape`, `threads`, `began` (`time.monotonic` of the parent
just before it started this process; the clock is the machine's, so the two can be compared).
"""

import time

AWAKE = time.monotonic()

import importlib  # noqa: E402  (the clock is read before anything is loaded)
import json  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402


def peak_bytes() -> int:
    """The high-water mark of this program alone; getrusage remembers the one that started it."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def import_onnxruntime(asked: dict[str, Any]) -> tuple[Any, Any]:
    """The runtime, and an input of zeros (B, C, H, W) of its kind."""
    import numpy
    import onnxruntime

    return onnxruntime, numpy.zeros(asked["shape"], numpy.float32)


def load_onnxruntime(onnxruntime: Any, asked: dict[str, Any]) -> Callable[[Any], Any]:
    """The file as a function of the input."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = asked["threads"], 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(asked["model"], options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda image_BCHW: session.run(None, {name: image_BCHW})


def import_openvino(asked: dict[str, Any]) -> tuple[Any, Any]:
    """The runtime, and an input of zeros (B, C, H, W) of its kind."""
    import numpy
    import openvino

    return openvino, numpy.zeros(asked["shape"], numpy.float32)


def load_openvino(openvino: Any, asked: dict[str, Any]) -> Callable[[Any], Any]:
    """The file as a function of the input, compiled for its shape; settings as the runner's."""
    core = openvino.Core()
    model = core.read_model(asked["model"])
    model.reshape(list(asked["shape"]))
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(
        model, "CPU", {**settings, "INFERENCE_NUM_THREADS": asked["threads"]}
    ).create_infer_request()
    return lambda image_BCHW: request.infer([image_BCHW], share_inputs=True)


def import_executorch(asked: dict[str, Any]) -> tuple[Any, Any]:
    """The runtime, and an input of zeros (B, C, H, W) of its kind."""
    import executorch.kernels.quantized  # noqa: F401  (operators that no backend took)
    import torch
    from executorch.extension.pybindings import _C
    from executorch.runtime import Runtime

    _C._unsafe_reset_threadpool(asked["threads"])
    return Runtime.get(), torch.zeros(asked["shape"])


def load_executorch(runtime: Any, asked: dict[str, Any]) -> Callable[[Any], Any]:
    """The program's method."""
    method = runtime.load_program(asked["model"]).load_method("forward")
    return lambda image_BCHW: method.execute([image_BCHW])


def import_torch(asked: dict[str, Any]) -> tuple[Any, Any]:
    """PyTorch with the function that loads a saved model, and an input of zeros (B, C, H, W)."""
    import torch

    torch.set_num_threads(asked["threads"])
    module, _, function = asked["loader"].partition(":")
    return (torch, getattr(importlib.import_module(module), function)), torch.zeros(asked["shape"])


def load_torch(library: Any, asked: dict[str, Any]) -> Callable[[Any], Any]:
    """The saved model, called without gradients."""
    torch, load = library
    return torch.inference_mode()(load(Path(asked["model"])))


STEPS = {
    "onnxruntime": (import_onnxruntime, load_onnxruntime),
    "openvino": (import_openvino, load_openvino),
    "executorch": (import_executorch, load_executorch),
    "eager": (import_torch, load_torch),
    "compiled": (import_torch, load_torch),
}


def compiled(library: Any, net: Any) -> Callable[[Any], Any]:
    """A function that compiles itself when it is first called."""
    return library[0].compile(net, fullgraph=True, dynamic=False)


def measure(asked: dict[str, Any]) -> dict[str, float]:
    """Seconds of each step of one cold start, and the peak of the resident memory in bytes.

    Args:
        asked: what the head of this file lists.
    """
    import_library, load = STEPS[asked["runtime"]]
    found = {"start_s": AWAKE - asked["began"]}
    library, image_BCHW = import_library(asked)
    imported = time.monotonic()
    found["import_s"] = imported - AWAKE
    if asked["model"] is not None:
        call = load(library, asked)
        ready = loaded = time.monotonic()
        compiles = asked["runtime"] == "compiled"
        if compiles:
            call = compiled(library, call)
            ready = time.monotonic()
        call(image_BCHW)
        done = time.monotonic()
        found.update(load_s=loaded - imported, first_s=done - ready, total_s=done - asked["began"])
        if compiles:
            call(image_BCHW)
            again = time.monotonic() - done
            found.update(compile_s=done - loaded - again, first_s=again)
    return {**found, "peak_bytes": peak_bytes()}


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
