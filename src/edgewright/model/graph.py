"""Capture: any `nn.Module` becomes one flat, plain, editable graph.

    user's nn.Module --torch.export--> ATen graph --lift--> fx.GraphModule of nn layers + ATen functions

The captured model is an ordinary `nn.Module` (train, eval, state_dict, deepcopy work), has no code of the user's in
it, keeps the user's layer names, and accepts any batch size. Layers with weights are `nn.Conv2d`, `nn.Linear`,
`nn.BatchNorm2d` and so on; everything else is a call of an ATen function. All other rooms work on this form.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.export import Dim, ExportedProgram, export

from ..errors import ModelError, UnsupportedError
from ..seeding import torch_generator
from .layers import LIFTED, Call, LayerSite

INPUT_SHAPE = "input_shape"  # key in GraphModule.meta: (C, H, W)


def capture(model: nn.Module, input_shape: tuple[int, ...], *, name: str = "model") -> fx.GraphModule:
    """The captured form of `model`, in eval mode, with copies of its weights.

    Args:
        model: any module that maps one float tensor (B, *input_shape) to tensors. A captured one is copied.
        input_shape: shape of one sample, without the batch axis, for instance (3, 224, 224).
        name: what to call the model in error messages.

    Raises:
        ModelError: the model cannot run on such an input, or holds weights that are not finite.
        UnsupportedError: the model runs, but its graph cannot be captured faithfully.
    """
    if is_captured(model):
        return copy.deepcopy(model)  # type: ignore[return-value]
    check_weights(model, name)
    example = torch.randn((2, *input_shape), generator=torch_generator(0, "capture"))
    original = copy.deepcopy(model).eval()
    _check_runs(original, example, name)
    net = _lift(_export(original, example, name))
    net.meta[INPUT_SHAPE] = tuple(input_shape)
    _check_same(original, net, example, name)
    return net


def is_captured(model: nn.Module) -> bool:
    """Whether `model` came from `capture` or from a stage."""
    return isinstance(model, fx.GraphModule) and INPUT_SHAPE in model.meta


def input_shape(net: fx.GraphModule) -> tuple[int, ...]:
    """Shape of one input sample of a captured model, without the batch axis."""
    return tuple(net.meta[INPUT_SHAPE])


def check_weights(model: nn.Module, name: str) -> None:
    """Refuse weights that hold NaN or infinity.

    Raises:
        ModelError: names the first tensor that is not finite.
    """
    for key, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise ModelError(f"Weight '{key}' of {name} holds NaN or infinity: load weights that are finite.")


def _check_runs(model: nn.Module, example: torch.Tensor, name: str) -> None:
    try:
        with torch.no_grad():
            model(example)
    except (RuntimeError, ValueError, TypeError, AssertionError, IndexError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"{name} does not run on an input of shape {tuple(example.shape)} ({reason}): "
            "check --input, --image-size and --channels against what the model expects."
        ) from error


def _export(model: nn.Module, example: torch.Tensor, name: str) -> ExportedProgram:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return export(model, (example,), dynamic_shapes=({0: Dim.DYNAMIC},))
    except Exception as error:  # torch.export raises types of many packages; every one means the same to the user
        reason = str(error).strip().splitlines()[0][:200]
        raise UnsupportedError(
            f"{name} cannot be captured by torch.export ({type(error).__name__}: {reason}): "
            "remove data-dependent control flow, or pass the part of the model that is a plain graph."
        ) from error


def _check_same(original: nn.Module, net: fx.GraphModule, example: torch.Tensor, name: str) -> None:
    with torch.no_grad():
        want, got = original(example), net(example)
    try:
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)
    except AssertionError as error:
        raise UnsupportedError(
            f"The captured graph of {name} gives other outputs than the model: it probably changes a tensor in place "
            "through a view, or draws random numbers in eval mode; rewrite that part out of place."
        ) from error


def _lift(program: ExportedProgram) -> fx.GraphModule:
    """Turn parameters that were inputs into layers and attributes, and in-place functions into pure ones."""
    names, tensors = _named_tensors(program)
    net = fx.GraphModule(nn.Module(), copy.deepcopy(program.graph))
    _drop_checks(net.graph)
    _make_pure(net.graph)
    _lift_layers(net, names, tensors)
    _lift_tensors(net, names, tensors)
    net.graph.eliminate_dead_code()
    _plain_codegen(net)
    net.graph.lint()
    net.recompile()
    return net.eval()


def _named_tensors(program: ExportedProgram) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """Placeholder name -> dotted name in the user's model, and dotted name -> tensor."""
    signature = program.graph_signature
    names = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    tensors = {name: program.state_dict.get(name, program.constants.get(name)) for name in names.values()}
    return names, {name: tensor for name, tensor in tensors.items() if tensor is not None}


def _drop_checks(graph: fx.Graph) -> None:
    """Remove assertions on symbolic sizes: a captured model may be cut to other sizes later."""
    for node in reversed(list(graph.nodes)):
        if node.op == "call_function" and "_assert" in str(node.target):
            graph.erase_node(node)


def _make_pure(graph: fx.Graph) -> None:
    """Replace `relu_` by `relu` and so on; later readers of the changed tensor read the result instead."""
    order = {node: index for index, node in enumerate(graph.nodes)}
    for node in list(graph.nodes):
        pure = _pure_form(node.target)
        if pure is None:
            continue
        changed, position = node.args[0], order[node]
        node.target = pure
        changed.replace_all_uses_with(
            node, delete_user_cb=lambda user, after=position: order.get(user, -1) > after, propagate_meta=False
        )


def _pure_form(target: Any) -> Any:
    if not isinstance(target, torch._ops.OpOverload):
        return None
    name = target._schema.name.removeprefix("aten::")
    if not name.endswith("_") or not hasattr(torch.ops.aten, name[:-1]):
        return None
    packet = getattr(torch.ops.aten, name[:-1])
    return getattr(packet, target._overloadname, None)


def _lift_layers(net: fx.GraphModule, names: dict[str, str], tensors: dict[str, torch.Tensor]) -> None:
    """Replace functions whose weights are plain parameters by layers; equal weights and settings share a layer."""
    built: dict[Any, str] = {}
    for node in list(net.graph.nodes):
        build = LIFTED.get(node.target)
        if build is None:
            continue
        site = build(Call(node=node, names=names, tensors=tensors))
        if site is None:
            continue
        path = built.get(site.identity)
        if path is None:
            path = built[site.identity] = _free_path(net, site)
            net.add_submodule(path, site.layer)
        with net.graph.inserting_before(node):
            lifted = net.graph.call_module(path, tuple(site.inputs))
        lifted.meta = dict(node.meta)
        node.replace_all_uses_with(lifted)
        net.graph.erase_node(node)


def _free_path(net: fx.GraphModule, site: LayerSite) -> str:
    taken = {name for name, _ in net.named_modules()}
    path, number = site.path, 2
    while path in taken or any(name.startswith(f"{path}.") for name in taken):
        path, number = f"{site.path}_{number}", number + 1
    return path


def _lift_tensors(net: fx.GraphModule, names: dict[str, str], tensors: dict[str, torch.Tensor]) -> None:
    """Turn the remaining parameter inputs into attributes of the graph module."""
    for node in list(net.graph.nodes):
        if node.op != "placeholder" or node.name not in names:
            continue
        if node.users:
            attribute = _free_attribute(net, names[node.name])
            value = tensors[names[node.name]].detach().clone()
            if isinstance(tensors[names[node.name]], nn.Parameter):
                net.register_parameter(attribute, nn.Parameter(value))
            else:
                net.register_buffer(attribute, value)
            with net.graph.inserting_before(node):
                node.replace_all_uses_with(net.graph.get_attr(attribute))
        net.graph.erase_node(node)


def _free_attribute(net: fx.GraphModule, name: str) -> str:
    base = name.replace(".", "_")
    attribute, number = base, 2
    while hasattr(net, attribute):
        attribute, number = f"{base}_{number}", number + 1
    return attribute


def _plain_codegen(net: fx.GraphModule) -> None:
    """Export wraps a single output in a tuple; give a single tensor back as a single tensor."""
    net.graph.set_codegen(fx.graph.CodeGen())
    output = next(node for node in net.graph.nodes if node.op == "output")
    values = output.args[0]
    if isinstance(values, (tuple, list)) and len(values) == 1:
        output.args = (values[0],)


def layer_of(net: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    """The layer that a `call_module` node calls, or None."""
    return net.get_submodule(str(node.target)) if node.op == "call_module" else None


def rewrite(net: fx.GraphModule, edit: Callable[[fx.GraphModule], None]) -> fx.GraphModule:
    """A copy of `net` after `edit` changed the copy's graph; the original stays as it was."""
    changed = copy.deepcopy(net)
    edit(changed)
    changed.graph.eliminate_dead_code()
    changed.delete_all_unused_submodules()
    changed.graph.lint()
    changed.recompile()
    return changed
