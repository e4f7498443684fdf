"""Capture: any `nn.Module` becomes one flat, plain, editable graph.

    user's nn.Module --torch.export--> ATen graph --lift--> fx.GraphModule of nn layers + ATen functions

The captured model is an ordinary `nn.Module` (train, eval, state_dict, deepcopy work), has no code of the user's in
it, keeps the user's layer names, and accepts any batch size. Layers with weights are `nn.Conv2d`, `nn.Linear`,
`nn.BatchNorm2d` and so on; everything else is a call of an ATen function. All other rooms work on this form.
"""

from __future__ import annotations

import contextlib
import copy
import io
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.export import Dim, ExportedProgram, export
from torch.utils import _pytree as pytree

from ..errors import ModelError, UnsupportedError, first_line
from ..seeding import torch_generator
from .flatten import inline_blocks, restore_functions, store_constants
from .layers import LIFTED, WEIGHTED, Call, LayerSite

INPUT_SHAPE = "input_shape"  # key in GraphModule.meta: (C, H, W)
BATCH_IS_FIXED = "Constraints violated (L['x']"  # how torch.export 2.15 says so, whatever the input's name


def capture(model: nn.Module, input_shape: tuple[int, ...], *, name: str = "model") -> fx.GraphModule:
    """The captured form of `model`, in eval mode, with copies of its weights in float32 on the CPU.

    A model that returns one tensor, however wrapped, gives that tensor; one that returns several gives a flat tuple.

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
    original = _copied(model, name)
    _check_runs(original, example, name)
    program = _export(original, example, name)
    net = _lift(program)
    if not _agrees(net, original, example):  # something is changed in place through a view: let torch untangle it
        net = _lift(program.run_decompositions({}))
    if not _agrees(net, original, example):
        raise UnsupportedError(
            f"The captured graph of {name} gives other outputs than the model: it probably draws random numbers in "
            "eval mode; remove them, or pass the part of the model that is deterministic."
        )
    net.meta[INPUT_SHAPE] = tuple(input_shape)
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


def _copied(model: nn.Module, name: str) -> nn.Module:
    try:
        return copy.deepcopy(model).eval().to("cpu", torch.float32)
    except (RuntimeError, TypeError) as error:
        raise ModelError(
            f"{name} cannot be copied ({_reason(error)}): remove what holds computed tensors, for instance with "
            "torch.nn.utils.remove_weight_norm."
        ) from error


def _reason(error: Exception) -> str:
    """Type and first line of an error of somebody else's code, short enough to be quoted in one of ours."""
    return first_line(error, most=150, typed=True)


def _check_runs(model: nn.Module, example: torch.Tensor, name: str) -> None:
    try:
        with torch.no_grad():
            outputs = model(example.clone())  # a model may change its input in place
    except Exception as error:  # the user's code may raise anything
        raise ModelError(
            f"{name} does not run on an input of shape {tuple(example.shape)} ({_reason(error)}): "
            "check --input, --image-size and --channels against what the model expects."
        ) from error
    if not _tensors_in(outputs):
        raise ModelError(f"{name} returns {type(outputs).__name__}, expected a tensor: return the logits.")


def _tensors_in(outputs: Any) -> list[torch.Tensor]:
    return [each for each in pytree.tree_leaves(outputs) if isinstance(each, torch.Tensor)]


def _export(model: nn.Module, example: torch.Tensor, name: str) -> ExportedProgram:
    try:
        # torch.export prints the graph it got so far on stderr before it raises
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            return export(model, (example.clone(),), dynamic_shapes=({0: Dim.DYNAMIC},))
    except Exception as error:  # torch.export raises types of many packages; every one means the same to the user
        remedy = "remove data-dependent control flow, or pass the part of the model that is a plain graph."
        if BATCH_IS_FIXED in str(error):
            remedy = "make its code work for any number of images in a batch, for instance with x.shape[0]."
        raise UnsupportedError(f"{name} cannot be captured by torch.export ({_reason(error)}): {remedy}") from error


def _agrees(net: fx.GraphModule, original: nn.Module, example: torch.Tensor) -> bool:
    with torch.no_grad():
        want, got = _tensors_in(original(example.clone())), _tensors_in(net(example.clone()))
    try:
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4, equal_nan=True)
    except AssertionError:
        return False
    return True


def _lift(program: ExportedProgram) -> fx.GraphModule:
    """Turn parameters that were inputs into layers and attributes, and in-place functions into pure ones."""
    names, tensors = _named_tensors(program)
    graph = copy.deepcopy(program.graph)
    inline_blocks(graph, program.graph_module)
    restore_functions(graph)
    store_constants(graph, names, tensors, WEIGHTED)
    net = fx.GraphModule(nn.Module(), graph)
    _drop_checks(net.graph)
    _make_pure(net.graph)
    net.graph.eliminate_dead_code()  # before tensors are lifted: what only dead code reads is not part of the model
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
        pure = pure_form(node.target)
        if pure is None:
            continue
        changed, position = node.args[0], order[node]
        node.target = pure
        changed.replace_all_uses_with(
            node, delete_user_cb=lambda user, after=position: order.get(user, -1) > after, propagate_meta=False
        )


def pure_form(target: Any) -> Any:
    """The function that gives as a new tensor what `target` changes in place (`relu` for `relu_`); None for others."""
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
    """Export gives a flat tuple of all outputs; leave out what is no tensor, and take a single one out of the tuple."""
    net.graph.set_codegen(fx.graph.CodeGen())
    output = next(node for node in net.graph.nodes if node.op == "output")
    values = tuple(value for value in output.args[0] if isinstance(value, fx.Node))
    output.args = (values[0] if len(values) == 1 else values,)


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
