"""A captured model on disk: `graph.json` (plain description) and `weights.safetensors`. No pickle, no user code.

The description lists the layers with their settings and the calls in order. Functions are named, and only operators in
the `aten` and `edgewright` namespaces and a short list of integer arithmetic are ever looked up. A file from a stranger
cannot run code: torch.fx writes names into the Python source of `forward`, so each is checked to be nothing but a name.
"""

from __future__ import annotations

import hashlib
import json
import operator
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import fx, nn

from ..errors import ModelError, first_line
from ..files import read_json, write_atomic, write_json
from .graph import INPUT_SHAPE
from .layers import SETTINGS, settings_of

FORMAT = "edgewright.graph/1"
GRAPH_FILE, WEIGHTS_FILE = "graph.json", "weights.safetensors"

PYTHON_FUNCTIONS = {
    f"python.{function.__name__}": function
    for function in (
        operator.getitem, operator.add, operator.sub, operator.mul, operator.floordiv, operator.truediv,
        operator.mod, operator.neg, operator.pow, operator.eq, operator.ne, operator.lt, operator.le, operator.gt,
        operator.ge, torch.sym_int, torch.sym_float, torch.sym_max, torch.sym_min, torch.sym_not,
    )
}  # fmt: skip
FUNCTION_NAMES = {function: name for name, function in PYTHON_FUNCTIONS.items()}
NAMESPACES = ("aten", "edgewright")
REFUSED = ("aten.from_file",)  # the one ATen function that opens files
OPERATIONS = ("placeholder", "get_attr", "call_module", "call_function", "output")
ARGUMENT = re.compile(r"[A-Za-z_]\w*", re.ASCII)
PATH = re.compile(r"""[^"'\\\n\r]+""")  # torch.fx puts parts that are no identifiers between quotes
TORCH_CONSTANTS = {
    str(value): value
    for value in vars(torch).values()
    if isinstance(value, (torch.dtype, torch.memory_format, torch.layout))
}


def save_model(net: fx.GraphModule, folder: Path) -> None:
    """Write a captured model into `folder`, which exists."""
    tensors = {name: value.detach().contiguous() for name, value in net.state_dict().items()}
    write_atomic(folder / WEIGHTS_FILE, safetensors.torch.save(_unshared(tensors)))
    write_json(folder / GRAPH_FILE, describe(net))


def load_model(folder: Path) -> fx.GraphModule:
    """The captured model that `save_model` wrote, in eval mode.

    Raises:
        ModelError: a file is missing, damaged, or of another version.
    """
    try:
        description = read_json(folder / GRAPH_FILE)
        tensors = safetensors.torch.load((folder / WEIGHTS_FILE).read_bytes())
        if description["format"] != FORMAT:
            raise ModelError(f"{folder / GRAPH_FILE} has format {description['format']}, expected {FORMAT}.")
        return build(description, tensors)
    except FileNotFoundError as error:
        raise ModelError(f"No model in {folder}: {Path(error.filename).name} is missing.") from error
    except (safetensors.SafetensorError, ValueError, LookupError, RuntimeError, TypeError, AttributeError) as error:
        reason = first_line(error, typed=True)
        raise ModelError(f"The model in {folder} is damaged ({reason}): write it again.") from error


def fingerprint(net: fx.GraphModule) -> str:
    """A hash of structure and weights: equal models, equal fingerprints."""
    digest = hashlib.sha256(json.dumps(describe(net), sort_keys=True).encode())
    for name, value in sorted(net.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def describe(net: fx.GraphModule) -> dict[str, Any]:
    """The structure of a captured model as JSON-able data."""
    called = {str(node.target) for node in net.graph.nodes if node.op == "call_module"}
    return {
        "format": FORMAT,
        "input_shape": list(net.meta[INPUT_SHAPE]),
        "layers": {path: _describe_layer(net.get_submodule(path)) for path in sorted(called)},
        "tensors": {name: _describe_tensor(value) for name, value in _own_tensors(net)},
        "nodes": [_describe_node(node) for node in net.graph.nodes],
    }


def _own_tensors(net: fx.GraphModule) -> list[tuple[str, torch.Tensor]]:
    return [*net.named_parameters(recurse=False), *net.named_buffers(recurse=False)]


def _describe_layer(layer: nn.Module) -> dict[str, Any]:
    frozen = [name for name, value in layer.named_parameters(recurse=False) if not value.requires_grad]
    described = {"type": type(layer).__name__, "settings": settings_of(layer)}
    return {**described, "frozen": frozen} if frozen else described


def _describe_tensor(value: torch.Tensor) -> dict[str, Any]:
    return {"parameter": isinstance(value, nn.Parameter), "shape": list(value.shape), "dtype": str(value.dtype)}


def _describe_node(node: fx.Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "op": node.op,
        "target": _function_name(node.target) if node.op == "call_function" else str(node.target),
        "args": _encode(node.args),
        "kwargs": {key: _encode(value) for key, value in node.kwargs.items()},
    }


def _function_name(target: Any) -> str:
    if isinstance(target, torch._ops.OpOverload) and target.namespace in NAMESPACES:
        return f"{target.namespace}.{target._schema.name.split('::')[1]}.{target._overloadname}"
    if target in FUNCTION_NAMES:
        return FUNCTION_NAMES[target]
    raise ModelError(f"The function {target} of this model cannot be written down: only ATen functions can.")


def _function(name: str) -> Any:
    if name in PYTHON_FUNCTIONS:
        return PYTHON_FUNCTIONS[name]
    namespace, _, rest = name.partition(".")
    packet, _, overload = rest.partition(".")
    if namespace in NAMESPACES and f"{namespace}.{packet}" not in REFUSED:
        function = getattr(getattr(getattr(torch.ops, namespace), packet), overload)
        if isinstance(function, torch._ops.OpOverload):
            return function
    raise ModelError(f"The function '{name}' in {GRAPH_FILE} is not one that edgewright runs: use its own files only.")


def _encode(value: Any) -> Any:
    if isinstance(value, fx.Node):
        return {"node": value.name}
    if isinstance(value, (list, tuple)):
        return [_encode(entry) for entry in value]
    if isinstance(value, slice):
        return {"slice": [_encode(value.start), _encode(value.stop), _encode(value.step)]}
    if isinstance(value, (torch.dtype, torch.memory_format, torch.layout)):
        return {"torch": str(value)}
    if isinstance(value, torch.device):
        return {"device": str(value)}
    if isinstance(value, float) and not abs(value) < float("inf"):
        return {"float": repr(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ModelError(f"The value {value!r} of this model cannot be written down.")


def _decode(value: Any, nodes: dict[str, fx.Node]) -> Any:
    if isinstance(value, list):
        return [_decode(entry, nodes) for entry in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "node":
        return nodes[content]
    if kind == "slice":
        return slice(*(_decode(entry, nodes) for entry in content))
    readers: dict[str, Callable[[str], Any]] = {
        "torch": TORCH_CONSTANTS.__getitem__,
        "device": torch.device,
        "float": float,
    }
    return readers[kind](content)


def build(description: dict[str, Any], tensors: dict[str, torch.Tensor]) -> fx.GraphModule:
    """The captured model that `describe` described, with these weights; what it raises is not for users yet."""
    root = nn.Module()
    net = fx.GraphModule(root, fx.Graph())
    kinds = {kind.__name__: kind for kind in SETTINGS}
    for path, layer in description["layers"].items():
        with torch.random.fork_rng(devices=[]):  # a new layer draws weights, which are replaced below
            built = kinds[layer["type"]](**layer["settings"])
        net.add_submodule(_checked(path, PATH), built)
        for name in layer.get("frozen", ()):
            built.get_parameter(name).requires_grad_(False)
    for name, kind in description["tensors"].items():
        empty = torch.empty(kind["shape"], dtype=TORCH_CONSTANTS[kind["dtype"]])  # type: ignore[arg-type]
        if kind["parameter"]:
            net.register_parameter(name, nn.Parameter(empty))
        else:
            net.register_buffer(name, empty)
    nodes: dict[str, fx.Node] = {}
    for entry in description["nodes"]:
        nodes[entry["name"]] = _add_node(net.graph, entry, nodes)
    net.load_state_dict(tensors, strict=True)
    net.meta[INPUT_SHAPE] = tuple(description["input_shape"])
    net.graph.lint()
    net.recompile()
    return net.eval()


def _add_node(graph: fx.Graph, entry: dict[str, Any], nodes: dict[str, fx.Node]) -> fx.Node:
    operation, target = entry["op"], entry["target"]
    if operation not in OPERATIONS:
        raise ModelError(f"The operation '{operation}' in {GRAPH_FILE} is not one that edgewright runs.")
    if operation == "call_function":
        target = _function(target)
    else:
        _checked(target, ARGUMENT if operation == "placeholder" else PATH)
    args = tuple(_decode(entry["args"], nodes))
    kwargs = {_checked(key, ARGUMENT): _decode(value, nodes) for key, value in entry["kwargs"].items()}
    return graph.create_node(operation, target, args, kwargs, name=_checked(entry["name"], ARGUMENT))


def _checked(name: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(name):
        raise ModelError(f"The name {name!r} in {GRAPH_FILE} is not a plain name: use files that edgewright wrote.")
    return name


def _unshared(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """safetensors refuses tensors that share memory; a copy of each is always right."""
    return {name: value.clone() for name, value in tensors.items()}
