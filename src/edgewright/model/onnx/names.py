"""Names of a file as names of a model: `/layer1/layer1.0/conv1/Conv` is the layer `layer1.0.conv1`."""

from __future__ import annotations

import re

from torch import fx, nn

UNSAFE = re.compile(r"[^A-Za-z0-9_.]+")
GENERATED = re.compile(r"(.*::)?([A-Za-z_]+?_?\d+|c\d+)", re.ASCII)  # val_12, onnx::Add_234, c0: nobody chose it


def cleaned(name: str) -> str:
    """Letters, digits, underscores and single dots between them."""
    parts = (part for part in UNSAFE.sub("_", name.replace("/", ".").replace("::", ".")).split(".") if part)
    return ".".join(parts)


def is_chosen(name: str) -> bool:
    """Whether a person named it, and not a counter."""
    return "::" not in name and not GENERATED.fullmatch(name)


def scope_of(node_name: str) -> str:
    """`/layer1/layer1.0/conv1/Conv` as `layer1.0.conv1`: each scope of the older exporter repeats the one around it."""
    scopes: list[str] = []
    for part in [part for part in node_name.split("/") if part][:-1]:
        if scopes and part.startswith(f"{scopes[-1]}."):
            scopes.pop()
        scopes.append(part)
    return cleaned(".".join(scopes))


def layer_path(weight: str, node_name: str, output: str) -> str:
    """What to call a layer: by its weight, else by its node, else by what it makes."""
    for ending in (".weight", ".weight_quantized", "_weight", ".kernel"):
        if weight.endswith(ending):
            return cleaned(weight.removesuffix(ending))
    return scope_of(node_name) or cleaned(node_name) or cleaned(output) or "layer"


def free_path(net: fx.GraphModule, path: str) -> str:
    """`path`, or with a number, so that it is no other layer's and no attribute's of a module."""
    parts = [
        f"{part}_" if hasattr(fx.GraphModule, part) or hasattr(nn.Sequential, part) else part
        for part in path.split(".")
    ]
    parts[0] = f"{parts[0]}_" if parts[0] in vars(net) else parts[0]
    base = ".".join(parts)
    taken = {name for name, _ in net.named_modules()} - {""}
    layers = {name for name in taken if not any(other.startswith(f"{name}.") for other in taken)}
    if layers & {base.rsplit(".", count)[0] for count in range(1, base.count(".") + 1)}:
        base = base.replace(".", "_")  # a layer holds no layers
    free, number = base, 2
    while free in taken or hasattr(net, free):
        free, number = f"{base}_{number}", number + 1
    return free


def free_attribute(net: fx.GraphModule, name: str) -> str:
    """A plain identifier that the graph module does not have yet."""
    base = cleaned(name).replace(".", "_") or "constant"
    base = f"_{base}" if base[0].isdigit() else base
    free, number = base, 2
    while hasattr(net, free):
        free, number = f"{base}_{number}", number + 1
    return free
