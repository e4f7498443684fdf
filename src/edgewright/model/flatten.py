"""First passes over an exported graph: no nested blocks, and nothing computed anew that never changes.

`inline_blocks` puts the body of a `with torch.no_grad()` or `with torch.autocast()` block in place of its call.
`restore_functions` undoes what torch's functional form does to batch normalization and copies.
`store_constants` computes once what the input has no part in: masks and position indices, and the weights of layers
that are derived from parameters (weight standardization, weight normalization, biases put together from parts).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import fx, nn

aten, higher_order = torch.ops.aten, torch.ops.higher_order

# Block -> position of its graph among the arguments; the settings come before it, the inputs after it.
BLOCKS = {higher_order.wrap_with_set_grad_enabled: 1, higher_order.wrap_with_autocast: 4}

Tensors = dict[str, torch.Tensor]


def inline_blocks(graph: fx.Graph, owner: nn.Module) -> None:
    """Replace the calls of blocks by the nodes inside them. Training decides where gradients flow, not the block.

    Args:
        graph: changed in place.
        owner: the module whose submodules are the blocks' graphs.
    """
    for node in list(graph.nodes):
        if node.op != "call_function" or node.target not in BLOCKS:
            continue
        holder: Any = node.args[BLOCKS[node.target]]
        block: Any = owner.get_submodule(holder.target)
        inline_blocks(block.graph, block)
        inputs = [each for each in block.graph.nodes if each.op == "placeholder"]
        given = dict(zip(inputs, node.args[BLOCKS[node.target] + 1 :], strict=True))
        with graph.inserting_before(node):
            outputs: Any = graph.graph_copy(block.graph, given)
        for entry in list(node.users):  # a block returns a tuple, of which each user takes one entry
            entry.replace_all_uses_with(outputs[entry.args[1]])
            graph.erase_node(entry)
        graph.erase_node(node)
        if not holder.users:
            graph.erase_node(holder)


def restore_functions(graph: fx.Graph) -> None:
    """Undo two things that torch's functional form does to a graph in eval mode.

    Batch normalization returns a tuple there, and what is written through a view is copied by a function without a
    derivative.
    """
    for node in list(graph.nodes):
        if node.target is aten._native_batch_norm_legit_no_training.default:
            *tensors, momentum, eps = node.args
            with graph.inserting_before(node):
                plain = graph.call_function(aten.batch_norm.default, (*tensors, False, momentum, eps, False))
            for entry in list(node.users):  # the other outputs are empty in eval mode
                _replace(graph, entry, plain)
            graph.erase_node(node)
        elif node.target is aten.copy.default:
            written, value = node.args[:2]
            with graph.inserting_before(node):
                cast = graph.call_function(aten.to.dtype, (value, node.meta["val"].dtype))
                _replace(graph, node, graph.call_function(aten.expand_as.default, (cast, written)))


def _replace(graph: fx.Graph, old: fx.Node, new: fx.Node) -> None:
    new.meta = dict(old.meta)
    old.replace_all_uses_with(new)
    graph.erase_node(old)


def store_constants(graph: fx.Graph, names: dict[str, str], tensors: Tensors, layers: Collection[Any]) -> None:
    """Compute constants and derived weights now, and store them as if the model had brought them.

    Args:
        graph: changed in place.
        names: placeholder name -> dotted name of every stored tensor; grows.
        tensors: dotted name -> value; grows.
        layers: functions whose second and third argument are weight and bias.
    """
    stored = {node for node in graph.nodes if node.op == "placeholder" and names.get(node.name) in tensors}
    known = _made_from(graph, stored)
    trained = {node for node in stored if isinstance(tensors[names[node.name]], nn.Parameter)}
    constants = _made_from(graph, stored - trained)
    values = _compute(graph, known, {node: tensors[names[node.name]] for node in stored})
    for node in _weights_of(graph, layers) & (known - stored):
        weight = values[node] if node in constants else nn.Parameter(values[node])
        _store(graph, node, weight, _beside_its_sources(node, names), names, tensors)
    for node in constants - stored:
        if isinstance(values[node], torch.Tensor) and not constants.issuperset(node.users):
            _store(graph, node, values[node], f"constants.{node.name}", names, tensors)
    for node in reversed(graph.nodes):
        if node in constants - stored and not node.users:
            graph.erase_node(node)


def _made_from(graph: fx.Graph, sources: Collection[fx.Node]) -> set[fx.Node]:
    """`sources` and what follows from them alone, less what shares memory with a tensor that others change in place."""
    known = set(sources)
    for node in graph.nodes:
        if node.op == "call_function" and known.issuperset(node.all_input_nodes):
            known.add(node)
    for node in graph.nodes:
        if node not in known and _changes_in_place(node) and node.args[0] in known:
            known -= _connected(node.args[0], known)
    return known


def _changes_in_place(node: fx.Node) -> bool:
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def _connected(node: fx.Node, among: set[fx.Node]) -> set[fx.Node]:
    found, edge = {node}, [node]
    while edge:
        current = edge.pop()
        near = ({*current.all_input_nodes, *current.users} & among) - found
        found |= near
        edge.extend(near)
    return found


def _compute(graph: fx.Graph, known: set[fx.Node], given: dict[fx.Node, torch.Tensor]) -> dict[fx.Node, Any]:
    """The values of the `known` nodes; in-place functions change copies."""
    values: dict[fx.Node, Any] = {node: tensor.detach().clone() for node, tensor in given.items()}
    with torch.no_grad():
        for node in graph.nodes:
            if node in known and node not in values:
                args, kwargs = fx.node.map_arg((node.args, node.kwargs), values.__getitem__)
                values[node] = node.target(*args, **kwargs)
    return values


def _weights_of(graph: fx.Graph, layers: Collection[Any]) -> set[fx.Node]:
    arguments = [each for node in graph.nodes if node.target in layers for each in node.args[1:3]]
    return {each for each in arguments if isinstance(each, fx.Node)}


def _beside_its_sources(node: fx.Node, names: dict[str, str]) -> str:
    """A name in the layer that holds the first parameter from which `node` is computed."""
    ancestors = [node]
    for each in ancestors:  # grows while it is read: nearest first
        ancestors.extend(each.all_input_nodes)
    source = next((names[each.name] for each in ancestors if each.name in names), "constants.")
    layer = source.rpartition(".")[0].partition(".parametrizations")[0]
    return f"{layer}.{node.name}" if layer else node.name


def _store(
    graph: fx.Graph, node: fx.Node, value: torch.Tensor, name: str, names: dict[str, str], tensors: Tensors
) -> None:
    with graph.inserting_before(next(iter(graph.nodes))):
        placeholder = graph.placeholder(f"stored_{node.name}")
    placeholder.meta = dict(node.meta)
    names[placeholder.name] = name
    tensors[name] = value
    node.replace_all_uses_with(placeholder)
